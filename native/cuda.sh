#!/usr/bin/env bash
# Builds the library of CUDA kernels, build/cuda/libf2i_cuda.so. Needs nvcc, no GPU.
#
# bash cuda.sh [ARCHITECTURES]      default: "75;90a"; a release: "75;80;86;89;90a;100;120"
set -euo pipefail
cd "$(dirname "$0")"
folder=build/cuda

generator=()
[[ ! -f $folder/CMakeCache.txt ]] && command -v ninja >/dev/null && generator=(-G Ninja)
cmake -S . -B "$folder" "${generator[@]}" -DF2I_CUDA=ON -DF2I_BUILD_TESTS=OFF -DF2I_BUILD_TOOLS=OFF -DF2I_BUILD_SHARED=OFF \
  -DF2I_CUDA_ARCHITECTURES="${1:-75;90a}"
cmake --build "$folder" --parallel "$(nproc)" --target f2i_cuda
