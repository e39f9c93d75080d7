#!/usr/bin/env bash
# A folder that carries everything bench/gpu.sh needs to a machine with a GPU and nothing else: stripped programs, the libraries that they load, the
# scripts and their data. Programs and libraries lie packed until FOLDER/bin/prepare, which gpu.sh calls, unpacks them; cuBLASLt is not among them, for
# its size: prepare links it from the CUDA toolkit or the PyTorch wheels of that machine. Usage: gpu_bundle.sh FOLDER [BUILD]; BUILD holds temper,
# tests/tests_kernels_gpu and tests/dump_logits; without it the preset gpu-bundle is built: an H100's architecture alone, without MPI and NCCL.
# Runs on the CPU made by `gpu.sh reference` in gpu-results/ go along. There: FOLDER/bench/gpu.sh
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?"usage: gpu_bundle.sh FOLDER [BUILD]"} build=${2:-}
most_mib=40
if [ -e "$folder" ] && [ ! -e "$folder/bin/prepare" ]; then
    echo "gpu_bundle: $folder is there and is no bundle: name another folder" >&2
    exit 73
fi
if [ -z "$build" ]; then
    build=build/gpu-bundle
    cmake --preset gpu-bundle
    cmake --build --preset gpu-bundle
fi
rm -rf "$folder"
mkdir -p "$folder"/{bin,libexec,lib,tests/goldens,jobs}
for program in temper tests/tests_kernels_gpu tests/dump_logits; do
    [ -x "$build/$program" ] || { echo "gpu_bundle: no $build/$program: it is built without BUILD as an argument" >&2; exit 66; }
    name=$(basename "$program")
    strip -o "$folder/libexec/$name" "$build/$program"
    # No process is started on the way: what a program needs to start is measured.
    cat >"$folder/bin/$name" <<'WRAPPER'
#!/bin/sh
here=${0%/*}
case $0 in */*) ;; *) here=$(dirname "$(command -v "$0")") ;; esac
LD_LIBRARY_PATH=$here/../lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$here/../libexec/${0##*/}" "$@"
WRAPPER
    chmod +x "$folder/bin/$name"
    # Of the C library and the driver every machine has its own.
    ldd "$build/$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' |
        { grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|libutil|libcuda|libcublas|libcublasLt|libcudart|libcudnn[a-z_]*|libnccl)\.so' || true; }
done | sort -u | while read -r library; do cp -L "$library" "$folder/lib/"; done
strip --strip-unneeded "$folder"/lib/*.so* 2>/dev/null || true
readelf -d "$folder/libexec/temper" | sed -n 's/.*NEEDED.*\[\(libcu[bd][^]]*\|libnccl[^]]*\)\].*/\1/p' >"$folder/lib/from_cuda"
# Three programs with the same kernels, and libraries beside them: half of what gzip makes of it.
tar -C "$folder" -cf - lib libexec | xz -T0 -6e >"$folder/programs.tar.xz"
rm -r "${folder:?}/lib" "$folder/libexec"
cat >"$folder/bin/prepare" <<'PREPARE'
#!/usr/bin/env bash
# Unpacks the programs, and links the CUDA libraries named in ../lib/from_cuda from this machine into ../lib: from the toolkit, the loader's own
# folders, or Python's wheels.
cd "$(dirname "$0")/.." || exit 66
[ -d libexec ] || tar -xJf programs.tar.xz 2>/dev/null || "${PYTHON:-python3}" -c 'import tarfile; tarfile.open("programs.tar.xz").extractall()' || exit 74
lib=$PWD/lib
status=0
while read -r name; do
    [ ! -e "$lib/$name" ] || continue
    found=$(ls -d /usr/local/cuda*/lib64/"$name" /usr/local/cuda*/targets/*/lib/"$name" 2>/dev/null | head -n 1)
    [ -n "$found" ] || found=$(ldconfig -p | sed -n "s/.*$name .*=> //p" | head -n 1)
    [ -n "$found" ] || found=$("${PYTHON:-python3}" - "$name" 2>/dev/null <<'PYTHON'
import pathlib, sys
print(next(str(p) for folder in sys.path for p in pathlib.Path(folder, "nvidia").glob("*/lib/" + sys.argv[1])))
PYTHON
)
    # cuDNN opens its own parts beside itself, and compiles with NVRTC, which may lie in a folder that the loader does not know.
    if [[ -n $found && $name = libcudnn* ]]; then
        ln -sf "$(dirname "$found")"/libcudnn*.so* "$lib/"
        find /usr/local/cuda*/ "$(dirname "$found")/../.." -name 'libnvrtc*.so*' 2>/dev/null | while read -r part; do ln -sf "$(realpath "$part")" "$lib/$(basename "$part")"; done
    elif [ -n "$found" ]; then ln -sf "$found" "$lib/$name"
    else echo "prepare: no $name on this machine: install the CUDA toolkit or PyTorch's wheels of that version" >&2; status=66; fi
done <"$lib/from_cuda"
exit $status
PREPARE
chmod +x "$folder/bin/prepare"
cp -r bench "$folder/"
cp -r tests/scripts "$folder/tests/"
cp -r tests/goldens/tiny_chat "$folder/tests/goldens/"
# What cuda_test.sh reads.
mkdir -p "$folder/tests/goldens/"{models,encoders} "$folder/runs"
for model in $(grep -oE 'qwen2_bias|gemma[23]_[a-z]+' tests/scripts/cuda_test.sh | sort -u); do cp -r "tests/goldens/models/$model" "$folder/tests/goldens/models/"; done
cp -r tests/goldens/encoders/{mpnet,cross_mpnet} "$folder/tests/goldens/encoders/"
cp runs/run_record.schema.json "$folder/runs/"
cp -r jobs/data "$folder/jobs/"
if [ -d gpu-results/reference ]; then cp -r gpu-results/reference "$folder/"; fi
rm -rf "$folder/bench/results" "$folder"/bench/*.cpp
mib=$(du -sm "$folder" | cut -f1)
[ "$mib" -le "$most_mib" ] || { du -sm "$folder"/* | sort -n | tail -n 8 >&2; echo "gpu_bundle: $folder has $mib MiB, at most $most_mib are wanted: build for one architecture, as without BUILD" >&2; exit 1; }
echo "$folder: $mib MiB; there: bench/gpu.sh"
