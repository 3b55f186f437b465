#!/usr/bin/env bash
# Builds, checks and measures the CUDA kernels on a machine with a GPU: bash, cmake, g++, nvcc and a driver are enough;
# Node is not needed, python3 with torch is measured beside us where it is there.
#
#   bash gpu.sh [build] [check] [sanitize] [peers] [bench] [ridge] [cpu] [table]      default: all, in this order
#
# Each step takes at most ten minutes (on 16 cores) and can be run by itself; what one has found stays when a later one
# fails. Rows go to benchmarks/results/DATE-DEVICE.jsonl, their table beside them, what the steps print to
# BUILD/<step>.log. The cases come from files that a machine with Node writes: npm run replay -- .f2i/replay
#
#   F2I_REPLAY=FOLDER           those files (.f2i/replay)
#   F2I_GPU_BUILD=FOLDER        the build (native/build/gpu)
#   F2I_RESULTS=FOLDER          of the rows (benchmarks/results; with the shim BUILD/results)
#   F2I_GPU_INDEX=N             which GPU (0): as nvidia-smi counts, or among those of CUDA_VISIBLE_DEVICES
#   F2I_CUDA_ARCHITECTURES=LIST to build for (what nvidia-smi says, 90a for 9.0)
#   CUDA_HOME=FOLDER            where nvcc is (bin/nvcc), where it is not on PATH
#   F2I_JOBS=N                  compilers at a time (all cores)
#   F2I_GPU_ONLY=REGEX          cases to measure, such as '^gemm/' (all)
#   F2I_GPU_PRECISIONS=LIST     of products of f32 (f32,tf32,bf16,f16)
#   F2I_GPU_SAMPLES=N           of each kind (10; of the ridge 3)
#   F2I_GPU_SECONDS=S           for the samples of a kind (0.5)
#   F2I_GPU_RIDGE=NxVxT         trials, voxels, targets (8859x15724x197376; with the shim 40x30x50)
#   F2I_COMMIT=NAME             of the sources, where git does not say it
#   F2I_GPU_SHIM=1              no GPU: the kernels on the processor, to test this script
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
build=${F2I_GPU_BUILD:-$here/build/gpu}
files=${F2I_REPLAY:-$root/.f2i/replay}
index=${F2I_GPU_INDEX:-0}
only=${F2I_GPU_ONLY:-.*}
seconds=${F2I_GPU_SECONDS:-0.5}
shim=${F2I_GPU_SHIM:-}
replay=$build/tools/replay/f2i_replay
library=$build/libf2i_cuda.so
results=${F2I_RESULTS:-$root/benchmarks/results}
ridge=${F2I_GPU_RIDGE:-8859x15724x197376}
if [[ -n $shim ]]; then
  library=$build/tests/cuda/libf2i_cuda_shim.so
  results=${F2I_RESULTS:-$build/results} # its times say nothing
  ridge=${F2I_GPU_RIDGE:-40x30x50}
fi

fail() {
  echo "gpu.sh: $*" >&2
  exit 1
}
source "$here/nvcc.sh"

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
  exit
fi

# One GPU is visible to all that runs here, which is its first one then. CUDA and nvidia-smi count alike only by the bus; where
# the caller lets some be seen, it is the one of that number among those.
export CUDA_DEVICE_ORDER=${CUDA_DEVICE_ORDER:-PCI_BUS_ID}
gpu=$index
if [[ -z $shim ]]; then
  if [[ -n ${CUDA_VISIBLE_DEVICES+set} ]]; then
    IFS=, read -ra visible <<<"$CUDA_VISIBLE_DEVICES"
    gpu=${visible[index]:-}
    [[ -n $gpu ]] || fail "F2I_GPU_INDEX: expected one of the ${#visible[@]} of CUDA_VISIBLE_DEVICES, from 0, found $index"
  fi
  export CUDA_VISIBLE_DEVICES=$gpu
  index=0
fi
cuda=(--device cuda --index "$index" --library "$library")

# What nvidia-smi says of the GPU.
ask() { nvidia-smi --id="$gpu" --query-gpu="$1" --format=csv,noheader 2>/dev/null; }

# What nvcc builds for: "9.0" is 90a, whose own instructions plain 90 lacks; the same holds for all later ones.
architecture() {
  local capability
  capability=$(ask compute_cap) || fail "no GPU or no driver here: nvidia-smi $(
    command -v nvidia-smi >/dev/null && echo "does not say which GPU $gpu is" || echo "was not found"
  ). Without a GPU:
  bash native/cuda.sh                                      builds the kernels, for a GPU elsewhere
  F2I_CUDA_ARCHITECTURES=90a bash native/gpu.sh build      builds all that the other steps need there
  F2I_GPU_SHIM=1 bash native/gpu.sh build check            runs the kernels on the processor"
  capability=${capability//[!0-9]/}
  ((capability >= 90)) && capability+=a
  echo "$capability"
}

commit() { git -C "$root" rev-parse --short HEAD 2>/dev/null || echo "${F2I_COMMIT:-unknown}"; }

# The name of the GPU as part of a file name.
device_slug() {
  "$replay" device "${cuda[@]}" | sed -n 's/^name //p' | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-//;s/-$//'
}
# Ops that the device says it has no kernel for: they must refuse.
lacking() { "$replay" device "${cuda[@]}" | sed -n 's/^lacks //p'; }
rows() {
  local slug
  slug=$(device_slug)
  [[ -n $slug ]] || fail "no GPU to measure; $library is what was tried"
  echo "$results/$(date -u +%F)-$slug.jsonl"
}
# What times depend on beside the GPU itself.
machine() {
  local driver power nvcc
  if [[ -n $shim ]]; then
    echo "the shim, on the processor"
    return
  fi
  driver=$(ask driver_version) || driver=unknown
  power=$(ask power.limit) || power=unknown
  nvcc=$(nvcc_version "$(find_nvcc)") || nvcc=unknown
  echo "driver $driver, power limit $power, nvcc $nvcc"
}

need_build() { [[ -x $replay && -e $library ]] || fail "nothing is built: bash gpu.sh build"; }
need_files() {
  local stem
  for stem in "$@"; do
    [[ -e $files/$stem.script ]] ||
      fail "there is no $files/$stem.script: write it with 'npm run replay -- .f2i/replay' where Node is, and carry the folder along"
  done
}

step_build() {
  local options=(-DCMAKE_BUILD_TYPE=Release -DF2I_BUILD_TESTS=ON)
  if [[ -n $shim ]]; then
    options+=(-DF2I_CUDA_SHIM=ON)
  else
    local target=${F2I_CUDA_ARCHITECTURES:-} nvcc
    [[ -n $target ]] || target=$(architecture) || return 1
    check_architectures "$target"
    nvcc=$(find_nvcc) || return 1
    check_nvcc "$nvcc" "$target"
    options+=(-DF2I_CUDA=ON "-DF2I_CUDA_ARCHITECTURES=$target" "-DF2I_NVCC=$nvcc")
  fi
  [[ ! -f $build/CMakeCache.txt ]] && command -v ninja >/dev/null && options+=(-G Ninja)
  cmake -S "$here" -B "$build" "${options[@]}" && cmake --build "$build" --parallel "${F2I_JOBS:-$(nproc)}"
}

step_check() {
  need_build
  local status=0 stems=("$here/tests/replay/cases") test name
  "$replay" device "${cuda[@]}" || return 1
  for name in conformance goldens; do
    if [[ -e $files/$name.script ]]; then stems+=("$files/$name"); else echo "not checked: $files/$name.script is not there"; fi
  done
  "$replay" check "${stems[@]}" "${cuda[@]}" --unsupported "$(lacking)" || status=1
  "$replay" check "${stems[@]}" "${cuda[@]}" --unsupported "$(lacking)" --graphs 2 || status=1
  # Products at the sizes at which Hopper takes a path of its own, which nothing but a GPU can run.
  test=$build/tests/cuda_large_test
  if [[ -x $test ]]; then
    if F2I_TEST_LARGE=1 F2I_TEST_DEVICE=cuda F2I_CUDA_LIBRARY=$library timeout 180 "$test"; then echo "passed large"; else echo "failed large" && status=1; fi
  fi
  # The programs that test the processor's ops, on the GPU.
  for name in activation arrangement attention cast cholesky_factor column_stats conv2d eigh elementwise gather gemm gram graph \
    linear norms precision random_normal resampling similarity top_k triangular_solve; do
    test=$build/tests/${name}_test
    [[ -x $test && -z $shim ]] || continue
    if F2I_TEST_DEVICE=cuda F2I_CUDA_LIBRARY=$library timeout 120 "$test"; then echo "passed $name"; else echo "failed $name" && status=1; fi
  done
  # Hopper's own instructions, unchecked and whatever the size; other GPUs have none, and pass by the same kernels as before.
  for name in attention gemm linear; do
    test=$build/tests/${name}_test
    [[ -x $test && -z $shim ]] || continue
    if F2I_CUDA_HOPPER=1 F2I_TEST_DEVICE=cuda F2I_CUDA_LIBRARY=$library timeout 120 "$test"; then
      echo "passed $name, Hopper"
    else
      echo "failed $name, Hopper" && status=1
    fi
  done
  return $status
}

step_sanitize() {
  need_build
  if [[ -n $shim ]]; then
    echo "not needed: the shim runs on the processor, with the compiler's checks of bounds; compute-sanitizer watches GPUs"
    return 0
  fi
  local sanitizer tool status=0
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | head -n 1)
  [[ -n $sanitizer ]] || { echo "not checked: there is no compute-sanitizer" && return 0; }
  if ! timeout 120 "$sanitizer" "$replay" device "${cuda[@]}" >/dev/null 2>&1; then
    echo "not checked: compute-sanitizer does not work on this machine" && return 0
  fi
  for tool in memcheck racecheck synccheck initcheck; do
    echo "== $tool"
    timeout 140 "$sanitizer" --tool "$tool" --error-exitcode 3 "$replay" check "$here/tests/replay/cases" "${cuda[@]}" \
      --unsupported "$(lacking)"
    case $? in
      0) echo "$tool: no error" ;;
      124) echo "$tool: not finished within its time" ;;
      *) echo "$tool: errors" && status=1 ;;
    esac
  done
  return $status
}

# The file of what this GPU reaches, measured once for its name and power limit.
limits() {
  if [[ -n $shim ]]; then return 0; fi
  local slug power file
  slug=$(device_slug)
  [[ -n $slug ]] || return 1
  power=$(ask power.limit | tr -cd '0-9.')
  file=$build/limits-$slug${power:+-${power}w}.json
  if [[ ! -s $file ]]; then
    "$(find_nvcc)" -std=c++17 -O3 -arch=native "$root/benchmarks/peers/limits.cu" -o "$build/limits" &&
      "$build/limits" >"$file.new" && mv "$file.new" "$file" || return 1
  fi
  cat "$file" >&2
  echo "$file"
}

# measure COMMAND STEM ARGUMENTS...: 3 where there is no row, though nothing was wrong
measure() {
  local command=$1 stem=$2 limit out
  shift 2
  out=$(rows) || return 1
  limit=$(limits) || return 1
  "$replay" "$command" "$files/$stem" --only "$only" --seconds "$seconds" --samples "${F2I_GPU_SAMPLES:-10}" \
    --commit "$(commit)" --machine "$(machine)" --out "$out" ${limit:+--limits "$limit"} "$@" >/dev/null
}

step_bench() {
  need_build
  need_files shapes
  local status=0 written= stem precisions=${F2I_GPU_PRECISIONS:-f32,tf32,bf16,f16}
  for stem in shapes models; do
    [[ -e $files/$stem.script ]] || continue
    [[ $stem == models ]] && precisions=f32,bf16
    measure bench "$stem" "${cuda[@]}" --precisions "$precisions"
    case $? in
      0) written=1 ;;
      3) ;;
      *) status=1 ;;
    esac
  done
  [[ -n $written ]] || fail "no row was written, F2I_GPU_ONLY is '$only': there are cases of $(
    sed -n 's/^case \([^/ ]*\).*/\1/p' "$files"/{shapes,models}.script 2>/dev/null | sort -u | tr '\n' ' '
  )"
  return $status
}

step_peers() {
  need_build
  need_files shapes
  local status=0
  [[ -n $shim ]] || measure cublas shapes "${cuda[@]}" || status=1
  if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    F2I_COMMIT=$(commit) F2I_MACHINE=$(machine) python3 "$root/benchmarks/peers/torch_cuda.py" "$files/shapes.script" --only "$only" --out "$(rows)" || status=1
  else
    echo "not measured: PyTorch with a GPU"
  fi
  return $status
}

step_ridge() {
  need_build
  local limit out
  out=$(rows) || return 1
  limit=$(limits) || return 1
  "$replay" ridge "$ridge" "${cuda[@]}" --commit "$(commit)" --machine "$(machine)" --out "$out" \
    --samples "${F2I_GPU_SAMPLES:-3}" ${limit:+--limits "$limit"} >/dev/null
}

# The rows of this machine's processor, on all its cores.
step_cpu() {
  need_build
  need_files shapes
  local file=$build/limits-cpu.json out
  out=$(rows) || return 1
  g++ -std=c++20 -O3 -march=native "$root/benchmarks/peers/limits.cpp" -o "$build/limits-cpu" -lpthread &&
    "$build/limits-cpu" "$(nproc)" >"$file" || return 1
  "$replay" bench "$files/shapes" --device cpu --only "$only" --seconds "$seconds" --samples 5 --largest-flops 2e11 \
    --limits "$file" --commit "$(commit)" --out "$out" >/dev/null
}

step_table() {
  need_build
  local file
  file=$(rows) || return 1
  [[ -e $file ]] || fail "there are no rows in $file: bash gpu.sh bench"
  "$replay" table "$file" >"${file%.jsonl}.md" && echo "${file%.jsonl}.md"
}

steps=("$@")
((${#steps[@]} > 0)) || steps=(build check sanitize peers bench ridge cpu table)
for step in "${steps[@]}"; do
  declare -F "step_$step" >/dev/null || fail "unknown step $step: build, check, sanitize, peers, bench, ridge, cpu or table"
done
mkdir -p "$build" "$results"
failed=()
for step in "${steps[@]}"; do
  started=$SECONDS
  echo "== $step"
  if ("step_$step") 2>&1 | tee "$build/$step.log"; then
    echo "== $step: done in $((SECONDS - started)) s"
  else
    echo "== $step: failed after $((SECONDS - started)) s ($build/$step.log)"
    failed+=("$step")
    [[ $step == build ]] && break
  fi
done
((${#failed[@]} == 0)) || fail "failed: ${failed[*]}"
