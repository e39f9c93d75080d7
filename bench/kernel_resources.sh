#!/usr/bin/env bash
# Registers, shared memory and spilled bytes of every CUDA kernel on every architecture, as ptxas tells them, with what the tests launch it with:
# writes a table, and fails where a kernel of attention or cross-entropy keeps a register in memory.
# Usage: kernel_resources.sh [OUTPUT]; NVCC, ARCHITECTURES ("80 86 89 90 100 120"), TESTS (the tests_kernels_cuda of a build). LOGS names a folder
# that keeps the compiler's words, so that a run that was stopped goes on; FILES=N compiles at most N more files and leaves the table for later.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-bench/results/cuda_kernels.md}
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
architectures=${ARCHITECTURES:-80 86 89 90 100 120}
tests=${TESTS:-build/release/tests/tests_kernels_cuda}
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-kernels.XXXXXX")
trap 'rm -rf "$work"' EXIT
logs=${LOGS:-$work}
[ -x "$tests" ] || { echo "kernel_resources: no $tests: build tests_kernels_cuda, or name another in TESTS" >&2; exit 66; }
codes=()
for one in $architectures; do codes+=("-gencode=arch=compute_$one,code=sm_$one"); done
left=${FILES:--1}
for file in kernels/cuda/*.cu; do
    log=$logs/$(basename "$file" .cu).log
    [ ! -s "$log" ] || continue
    [ "$left" -ne 0 ] || exit 0
    left=$((left - 1))
    "$nvcc" -std=c++17 -O3 -DNDEBUG -I. -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror,-fno-strict-aliasing -Xptxas=-v "${codes[@]}" -c "$file" -o "$work/object.o" >"$log.part" 2>&1 || { cat "$log.part" >&2; exit 1; }
    mv "$log.part" "$log"
done
if [ ! -s "$logs/launches" ]; then
    TEMPER_EMULATION_CHECKS=fast TEMPER_EMULATION_LAUNCHES="$work/launches" OMP_NUM_THREADS=1 "$tests" --gtest_brief=1 >"$work/log" 2>&1 ||
        { tail "$work/log" >&2; exit 1; }
    mv "$work/launches" "$logs/launches"
    nm -C "$tests" >"$logs/symbols"
fi
{
    echo "# Registers, shared memory and spills of the CUDA kernels"
    echo
    echo "Written by \`bench/kernel_resources.sh\` with $("$nvcc" --version | grep -o 'release [0-9.]*' | sed 's/release/nvcc/'). Registers a thread by compute capability; threads a block and dynamic shared memory are"
    echo "the most that the kernel tests launch a kernel with, empty where none does (the same source in another width). Spilled: bytes of registers kept in local memory, stores + loads, the most of any architecture."
    echo
    python3 bench/kernel_resources.py "$logs" "$architectures"
} >"$work/table.md" || status=$?
mv "$work/table.md" "$output"
exit "${status:-0}"
