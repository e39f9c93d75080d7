#!/bin/bash
# Installs the Debian 12 / Ubuntu 22.04+ packages that the build and the tests need, and any named as arguments.
# Does nothing when all are there.
set -euo pipefail

packages=(
    g++ cmake ninja-build pkg-config git ca-certificates
    libopenblas-dev libhdf5-dev libopenmpi-dev openmpi-bin
    nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libfmt-dev
    libpcre2-dev libutf8proc-dev libssl-dev zlib1g-dev libzstd-dev
    libcurl4-openssl-dev libxml2-dev libhnswlib-dev libsqlite3-dev libboost-dev
    libgtest-dev libbenchmark-dev python3
    "$@"
)

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "packages: all ${#packages[@]} are installed"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "packages: missing ${missing[*]}; install them as root, or install sudo" >&2; exit 1; }
    as_root=(sudo)
fi
echo "packages: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1; }
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; }; then
    tail -n 30 "$log" >&2
    echo "packages: apt-get failed, its last lines are above" >&2
    exit 1
fi
echo "packages: done"
