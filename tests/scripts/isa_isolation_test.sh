#!/usr/bin/env bash
# Objects compiled for one instruction set define nothing that another file may define as well: the linker keeps one copy of such a function for the
# whole program, and a processor without those instructions would run it.
. "$(dirname "$0")/common.sh"
library=$(dirname "$temper")/libtemper_kernels.a
[ -f "$library" ] || { echo "skipped: no $library"; exit 0; }
shared() { nm -A --defined-only --demangle "$library" | grep -E '_(avx2|avx512|amx)\.cpp\.o:' | grep -E ' [WVu] ' | grep -v 'DW\.ref\.'; }
[ "$(nm -A --defined-only "$library" | grep -cE '_(avx2|avx512|amx)\.cpp\.o:')" -gt 100 ] || fail "too few symbols are seen in $library"
found=$(shared)
[ -z "$found" ] || fail "shared symbols: $found"
finish
