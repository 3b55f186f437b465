#!/bin/sh
# Installs what the tests of packages/web need from the system: chromium, which brings a Vulkan driver in software
# (SwiftShader), and the Vulkan loader. Debian and Ubuntu; quick where both are there already.
set -eu

PATH="$PATH:/sbin:/usr/sbin" # ldconfig, for those who are not root
missing=''
command -v chromium > /dev/null || missing="$missing chromium"
ldconfig -p | grep -q 'libvulkan\.so\.1' || missing="$missing libvulkan1"
if [ -z "$missing" ]; then
  echo 'chromium and libvulkan1 are installed'
  exit 0
fi

if ! command -v apt-get > /dev/null; then
  echo "install$missing with your package manager: this script knows apt only" >&2
  exit 1
fi
sudo=''
if [ "$(id -u)" -ne 0 ]; then sudo='sudo'; fi
# Other installations may hold dpkg's lock for a while.
$sudo apt-get -o DPkg::Lock::Timeout=900 update
# shellcheck disable=SC2086 # one word a package
$sudo env DEBIAN_FRONTEND=noninteractive \
  apt-get -o DPkg::Lock::Timeout=900 install -y --no-install-recommends $missing
