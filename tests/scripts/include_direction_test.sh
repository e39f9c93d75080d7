#!/bin/bash
# The include direction of CONTRIBUTING.md: each folder may include only what stands beside it here. Anything else fails, as does an include that
# is not written from the root. The check is first tried on a tree with three planted faults.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

declare -A allowed=(
    [kernels]="kernels"
    [io]="io kernels"
    [io/comm]="io/comm io kernels"
    [model]="model io kernels"
    [runs]="runs io kernels"
    [retrieval]="retrieval runs model io kernels"
    [train]="train runs model io/comm io kernels"
    [eval]="eval retrieval runs model io/comm io kernels"
    [serve]="serve retrieval runs model io kernels"
    [cli]="cli train eval retrieval runs model io/comm io kernels"
)

area_of() {  # "io/comm/comm.h" -> "io/comm", "io/tensors/gguf.h" -> "io"
    case $1 in
        io/comm/*) echo io/comm ;;
        */*) echo "${1%%/*}" ;;
        *) echo "" ;;
    esac
}

check_tree() {  # check_tree ROOT: one line an offending include
    local area file line included target
    cd "$1"
    for area in kernels io model runs retrieval train eval serve cli; do
        [ -d "$area" ] || continue
        while IFS=: read -r file line included; do
            included=${included#*\"}
            included=${included%%\"*}
            target=$(area_of "$included")
            case " ${allowed[$(area_of "$file")]} " in
                *" ${target:-none} "*) [ -f "$included" ] || echo "$file:$line: \"$included\": no such file" ;;
                *) echo "$file:$line: \"$included\": ${file%%/*} may include only from: ${allowed[$(area_of "$file")]}" ;;
            esac
        done < <(grep -rnE --include='*.'{h,cpp,cu,cuh} '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$area" || true)
    done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/kernels" "$work/io/comm" "$work/model" "$work/train"
touch "$work/io/a.h" "$work/io/comm/comm.h" "$work/kernels/k.h" "$work/train/t.h"
echo '#include "io/a.h"' >"$work/kernels/up.h"
echo '#include "io/comm/comm.h"' >"$work/model/ranks.cpp"
echo '#include "t.h"' >"$work/train/local.cpp"
printf '#include "io/comm/comm.h"\n#include "kernels/k.h"\n#include <vector>\n' >"$work/train/right.cpp"
found=$(check_tree "$work" | wc -l)
[ "$found" -eq 3 ] || { echo "the check found $found of 3 planted faults"; check_tree "$work"; exit 1; }

faults=$(check_tree "$root")
if [ -n "$faults" ]; then
    echo "$faults"
    exit 1
fi
echo "include direction: no fault"
