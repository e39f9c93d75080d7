#!/bin/bash
# Every C++ file is as clang-format 14 (Debian 12) writes it; other versions differ in details, so without that one the test is skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
clang-format --version 2>/dev/null | grep -q 'version 14\.' || { echo "skipped: no clang-format 14"; exit 77; }
mapfile -t files < <(find bench cli eval io kernels model retrieval runs serve tests train \( -name '*.h' -o -name '*.cpp' \) ! -name 'unicode_tables*')
clang-format --dry-run --Werror "${files[@]}"
