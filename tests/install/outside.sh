#!/usr/bin/env bash
# Install into a directory of its own, then build programs there as somebody outside does: by
# pkg-config, against the shared library, against the static one, and from C++. Arguments:
# the build directory.
set -eu
build=$1
place=$(mktemp -d "${TMPDIR:-/tmp}/bine-install.XXXXXX")
trap 'rm -rf "$place"' EXIT
tests=$(cd "$(dirname "$0")" && pwd)

DESTDIR=$place meson install -C "$build" --no-rebuild --quiet
pc=$(find "$place" -name bine.pc)
[ -n "$pc" ] || { echo "FAIL installed: no bine.pc"; exit 1; }
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$place
library=$(find "$place" -name libbine.so)
failed=0 passed=0 skipped=0

wanted="in the greenlet
joined: 42"
try() { # name, then the command that builds ./$name
    local name=$1; shift
    if ! (cd "$place" && "$@") >"$place/log" 2>&1; then
        echo "FAIL $name: does not build: $*"
        cat "$place/log"
        failed=$((failed + 1))
    elif got=$(LD_LIBRARY_PATH=${library%/*} timeout 20 "$place/$name" 2>&1) &&
        [ "$got" = "$wanted" ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: printed: $got"
        failed=$((failed + 1))
    fi
}

verdict() { # name, 1 or 0, why not
    if [ "$2" = 1 ]; then
        echo "ok $1"
        passed=$((passed + 1))
    else
        echo "FAIL $1: $3"
        failed=$((failed + 1))
    fi
}

cp "$tests/outside.c" "$tests"/outside_*.cc "$place"
try shared_library_by_pkg_config cc outside.c -o shared_library_by_pkg_config \
    $(pkg-config --cflags --libs bine)
alone=1
for header in $(cd "$(dirname "$(find "$place" -name bine.h)")" && find . -name '*.h'); do
    echo "#include \"$header\"" |
        cc -x c -std=c11 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags bine) - ||
            alone=0
done
verdict every_public_header_compiles_alone_as_strict_c11 $alone "see above"
if command -v c++ >/dev/null; then
    try shared_library_from_cxx c++ outside_cxx.cc -o shared_library_from_cxx \
        $(pkg-config --cflags --libs bine)
    try bine_hpp_from_cxx17 c++ -std=c++17 outside_hpp.cc -o bine_hpp_from_cxx17 \
        $(pkg-config --cflags --libs bine)
else
    echo "skip shared_library_from_cxx: no C++ compiler"
    skipped=$((skipped + 1))
fi
# Without the shared library next to it, -lbine means the archive.
rm -f "$library"*
try static_library_by_pkg_config cc outside.c -o static_library_by_pkg_config \
    $(pkg-config --static --cflags --libs bine)
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
