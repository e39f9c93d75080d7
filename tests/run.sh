#!/bin/bash
# Installs the packages, builds everything, runs every test; where nvcc is, the CUDA kernels compile, and run where a GPU is. The last line is
# "N passed, N failed". TEMPER_TESTS_FAST=1 leaves CUDA out. TEMPER_TESTS_FULL=1 takes half as long again: the unit tests of four areas run once more
# under address and undefined-behaviour sanitizers, and kernels compile for every architecture. Safe to run twice.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/install_packages.sh
. scripts/find_cmake.sh
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_rmaps_base_oversubscribe=1
export OMP_WAIT_POLICY=passive  # tests run side by side: a thread that waits leaves its core to others
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
failed_runs=0

run_tests() {  # run_tests PRESET [ctest arguments]: results go to $results/PRESET
    local preset=$1
    shift
    mkdir "$results/$preset"
    GTEST_OUTPUT=xml:$results/$preset/ ctest --preset "$preset" --parallel "$(nproc)" --no-tests=error --output-junit "$results/$preset.xml" "$@" ||
        failed_runs=$((failed_runs + 1))
}

echo "== release"
cmake --preset release -DTEMPER_TESTS=ON >/dev/null
cmake --build --preset release
run_tests release

if [ "${TEMPER_TESTS_FULL:-0}" = 1 ]; then
    echo "== debug-asan"
    areas=(kernels io runs train)
    cmake --preset debug-asan -DTEMPER_TESTS=ON >/dev/null
    targets=()
    for area in "${areas[@]}"; do
        compgen -G "tests/$area/*.cpp" >/dev/null && targets+=("tests_$area")
    done
    cmake --build --preset debug-asan --target "${targets[@]}"
    run_tests debug-asan --tests-regex "^($(IFS='|'; echo "${areas[*]}"))\$"
fi

if [ "${TEMPER_TESTS_FAST:-0}" != 1 ] && nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null); then
    echo "== cuda ($nvcc)"
    architectures=(-DCMAKE_CUDA_ARCHITECTURES=90-real)
    [ "${TEMPER_TESTS_FULL:-0}" != 1 ] || architectures=(-UCMAKE_CUDA_ARCHITECTURES)
    if nvidia-smi --list-gpus 2>/dev/null | grep -q GPU; then
        cmake --preset cuda -DTEMPER_TESTS=ON -DCMAKE_CUDA_ARCHITECTURES=native >/dev/null
        cmake --build --preset cuda --target tests_kernels_gpu temper
        run_tests cuda --tests-regex '^(kernels_gpu|cuda_gpu_test)$'
    else
        cmake --preset cuda -DTEMPER_TESTS=OFF "${architectures[@]}" >/dev/null
        cmake --build --preset cuda --target temper_cuda
    fi
fi

python3 tests/count_results.py "$results"
[ "$failed_runs" -eq 0 ]
