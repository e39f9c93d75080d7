# shellcheck shell=bash
# Sourced. Puts a CMake of at least 3.25 first in PATH; Ubuntu 22.04 has 3.22, there it comes from PyPI into the cache folder.
temper_cmake_is_new() {
    local version
    version=$(cmake --version 2>/dev/null | sed -n '1s/[^0-9]*//p')
    [ -n "$version" ] && [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ]
}
if ! temper_cmake_is_new; then
    temper_tools=${TEMPER_CACHE:-$HOME/.cache/temper}/tools
    if [ ! -x "$temper_tools/bin/cmake" ]; then
        echo "cmake: 3.25 or newer is needed; installing it from PyPI to $temper_tools"
        bash "$(dirname "${BASH_SOURCE[0]}")/install_packages.sh" python3-venv
        python3 -m venv "$temper_tools"
        "$temper_tools/bin/pip" install --quiet 'cmake>=3.25,<4'
    fi
    PATH=$temper_tools/bin:$PATH
fi
