# Sourced by cuda.sh and gpu.sh: which nvcc there is, and whether it builds for the GPUs that were asked for. Both define
# `fail MESSAGE`, which ends them.

# The path of nvcc: on PATH, in CUDA_HOME, else where CUDA installs itself.
find_nvcc() {
  local each
  for each in "$(command -v nvcc)" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" /usr/local/cuda*/bin/nvcc; do
    [[ -x $each ]] && echo "$each" && return
  done
  fail "nvcc not found: put it on PATH or set CUDA_HOME"
}

nvcc_version() { "$1" --version | sed -n 's/.*release \([0-9]*\.[0-9]*\).*/\1/p'; }

# check_architectures LIST: capabilities such as "75;90a" are written as nvcc has them, and 7.5 or newer.
check_architectures() {
  local each list
  IFS=';' read -ra list <<<"$1"
  [[ -n $1 && $1 != *';' ]] || fail "architectures: expected a list such as \"75;90a\", found \"$1\""
  for each in "${list[@]}"; do
    [[ $each =~ ^[0-9]+a?$ ]] || fail "architectures: expected a list such as \"75;90a\", found \"$each\" in \"$1\""
    ((10#${each%a} >= 75)) || fail "architectures: expected 75 (compute capability 7.5, Turing) or newer, found $each"
  done
}

# check_nvcc NVCC LIST: refuses a compiler that cannot build them, before a build of minutes does.
check_nvcc() {
  local nvcc=$1 each list version major codes needs
  version=$(nvcc_version "$nvcc")
  [[ -n $version ]] || fail "$nvcc does not say its version"
  major=${version%.*}
  ((major >= 12)) || fail "$nvcc is of CUDA $version: C++20 needs 12.0 or newer (13.0 is what was tried)"
  codes=$("$nvcc" --list-gpu-code) || fail "$nvcc does not list what it builds for"
  IFS=';' read -ra list <<<"$2"
  for each in "${list[@]}"; do
    # Some versions list only sm_90 of sm_90 and sm_90a.
    if ! grep -qx -e "sm_$each" -e "sm_${each%a}" <<<"$codes"; then
      needs=
      ((10#${each%a} >= 100)) && needs=' (100 and 120 need CUDA 12.8 or newer)'
      fail "$nvcc is of CUDA $version and does not build for $each$needs"
    fi
  done
  ((major >= 13)) || echo "note: $nvcc is of CUDA $version; only 13.0 has been tried" >&2
}
