#!/usr/bin/env bash
# Builds the library of CUDA kernels. Needs nvcc, no GPU.
#
# bash cuda.sh [ARCHITECTURES]   build/cuda/libf2i_cuda.so, by default for "75;90a": the oldest kernels and the newest
# bash cuda.sh release           build/cuda-release/libf2i_cuda.so, for every GPU from Turing on: what users install
set -euo pipefail
cd "$(dirname "$0")"
folder=build/cuda
architectures=${1:-75;90a}
if [[ $architectures == release ]]; then
  folder=build/cuda-release
  architectures="75;80;86;89;90a;100;120"
fi

generator=()
[[ ! -f $folder/CMakeCache.txt ]] && command -v ninja >/dev/null && generator=(-G Ninja)
cmake -S . -B "$folder" "${generator[@]}" -DF2I_CUDA=ON -DF2I_BUILD_TESTS=OFF -DF2I_BUILD_TOOLS=OFF -DF2I_BUILD_SHARED=OFF \
  -DF2I_CUDA_ARCHITECTURES="$architectures"
cmake --build "$folder" --parallel "$(nproc)" --target f2i_cuda
