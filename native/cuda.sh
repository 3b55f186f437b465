#!/usr/bin/env bash
# Builds the library of CUDA kernels. Needs nvcc (13.0 is what was tried), cmake and a C++20 compiler, no GPU.
#
#   bash cuda.sh [ARCHITECTURES]   build/cuda/libf2i_cuda.so, by default for "75;90a": the oldest kernels and the newest
#   bash cuda.sh release           build/cuda-release/libf2i_cuda.so, for every GPU from Turing on: what users install
#
# ARCHITECTURES are compute capabilities as nvcc writes them, separated by semicolons, 75 or newer: "80", "86;89", "90a".
#
#   CUDA_HOME=FOLDER   where nvcc is (bin/nvcc), where it is not on PATH
#   F2I_JOBS=N         compilers at a time (all cores)
#
# On a machine with a GPU, F2I_CUDA_LIBRARY=FILE makes what was built here the library that is used.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
  echo "cuda.sh: $*" >&2
  exit 1
}
source ./nvcc.sh

if [[ ${1:-} == -h || ${1:-} == --help ]]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' cuda.sh
  exit
fi
(($# <= 1)) || fail "expected one list of architectures, such as \"75;90a\", found $# arguments"
folder=build/cuda
architectures=${1-75;90a}
if [[ $architectures == release ]]; then
  folder=build/cuda-release
  architectures="75;80;86;89;90a;100;120"
fi
check_architectures "$architectures"
nvcc=$(find_nvcc)
check_nvcc "$nvcc" "$architectures"

generator=()
[[ ! -f $folder/CMakeCache.txt ]] && command -v ninja >/dev/null && generator=(-G Ninja)
cmake -S . -B "$folder" "${generator[@]}" -DF2I_CUDA=ON -DF2I_BUILD_TESTS=OFF -DF2I_BUILD_TOOLS=OFF -DF2I_BUILD_SHARED=OFF \
  -DF2I_CUDA_ARCHITECTURES="$architectures" -DF2I_NVCC="$nvcc"
cmake --build "$folder" --parallel "${F2I_JOBS:-$(nproc)}" --target f2i_cuda
echo "built for $architectures; to use it: export F2I_CUDA_LIBRARY=$PWD/$folder/libf2i_cuda.so"
