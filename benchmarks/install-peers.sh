#!/usr/bin/env bash
# Installs the peers that the benchmarks compare with, from Debian's packages: OpenBLAS, BLIS, oneDNN,
# numpy, scikit-learn and PyTorch.
set -euo pipefail
packages=(libopenblas0-pthread libblis4-pthread libdnnl2 python3-numpy python3-sklearn python3-torch)
missing=()
for package in "${packages[@]}"; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  apt-get -o DPkg::Lock::Timeout=900 update -q
  apt-get -o DPkg::Lock::Timeout=900 install -y -q --no-install-recommends "${missing[@]}"
fi
