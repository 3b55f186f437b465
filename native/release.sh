#!/usr/bin/env bash
# Builds targets of the variant that is released, in build/release: the addon of
# packages/node, the native tests and the shim of the CUDA kernels share what is
# compiled there. F2I_WERROR=ON makes warnings errors.
#
# bash release.sh TARGET...
set -euo pipefail
cd "$(dirname "$0")"
folder=build/release

configured_for() { sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$folder/CMakeCache.txt" 2>/dev/null || true; }
# A cache of another folder (a moved checkout) cannot be used.
[[ $(configured_for) == "$PWD" ]] || rm -rf "$folder"
generator=()
[[ ! -f $folder/CMakeCache.txt ]] && command -v ninja >/dev/null && generator=(-G Ninja)

# What is shipped names no folder of the machine that built it.
cmake -S . -B "$folder" "${generator[@]}" -DF2I_CUDA_SHIM=ON -DF2I_WERROR="${F2I_WERROR:-OFF}" \
  -DCMAKE_CXX_FLAGS="-ffile-prefix-map=$PWD/=native/"
cmake --build "$folder" --parallel "$(nproc)" --target "$@"
