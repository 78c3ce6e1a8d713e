#!/usr/bin/env bash
# find_package(bine) of CMake, as a project outside uses it: install into a directory of its own,
# build README's program and
# programs of the other libraries there, run them.
# Usage: cmake.sh BUILD SOURCE LIBRARIES   (LIBRARIES: "", "tls" or "tls http")
set -eu
build=$1 source=$2 libraries=$3
tests=$(cd "$(dirname "$0")" && pwd)
failed=0 passed=0
if ! command -v cmake >/dev/null; then
    echo "skip readme_program_by_cmake: no cmake here"
    echo "# 0 passed, 0 failed, 1 skipped"
    exit 77
fi
place=$(mktemp -d "${TMPDIR:-/tmp}/bine-cmake.XXXXXX")
trap 'rm -rf "$place"' EXIT

DESTDIR="$place/the root" meson install -C "$build" --no-rebuild --quiet
config=$(find "$place" -name bineConfig.cmake)
[ -n "$config" ] || { echo "FAIL installed: no bineConfig.cmake"; exit 1; }
library=$(find "$place" -name libbine.so)

verdict() { # name, 1 or 0, file that says why
    if [ "$2" = 1 ]; then
        echo "ok $1"
        passed=$((passed + 1))
    else
        echo "FAIL $1:"
        cat "$3"
        failed=$((failed + 1))
    fi
}
configure() { # build directory, then options
    local directory=$1; shift
    cmake -S "$place/outside" -B "$directory" -Dbine_DIR="${config%/*}" "$@"
}
holds() { "$@" && echo 1 || echo 0; }

mkdir "$place/outside"
cp "$tests/CMakeLists.txt" "$place/outside"
"$tests/readme-program" "$source/README.md" >"$place/outside/readme.c"
cat >"$place/outside/uses_tls.c" <<'C'
#include <bine/tls.h>
int main(void) { bine_tls_context_free(NULL); return 0; }
C
cat >"$place/outside/uses_http.c" <<'C'
#include <bine/http.h>
#include <stddef.h>
int main(void) { return bine_http_status(NULL) != -1; }
C
programs=readme
for name in $libraries; do programs="$programs;uses_$name"; done

export LD_LIBRARY_PATH=${library%/*}
built=0
configure "$place/build" "-DPROGRAMS=$programs" "-DCOMPONENTS=${libraries// /;}" \
    >"$place/log" 2>&1 &&
    cmake --build "$place/build" >>"$place/log" 2>&1 && built=1
verdict programs_build_by_cmake $built "$place/log"
if [ $built = 1 ]; then
    # Three greenlets that count to five in turn.
    timeout 20 "$place/build/readme" >"$place/printed" 2>&1 || echo "status $?" >>"$place/printed"
    sed 's/.*: \(f(5)\)> /\1 /' "$place/printed" >"$place/turns"
    for turn in 0 1 2 3 4; do for _ in 1 2 3; do echo "f(5) $turn"; done; done >"$place/wanted"
    verdict readme_program_by_cmake "$(holds cmp -s "$place/turns" "$place/wanted")" \
        "$place/printed"
    for name in $libraries; do
        verdict "${name}_by_cmake" \
            "$(holds timeout 20 "$place/build/uses_$name" 2>"$place/printed")" "$place/printed"
    done
fi
refused() { # what the reason has to say
    [ $status != 0 ] && tr '\n' ' ' <"$place/log" | tr -s ' ' | grep -qF "$1"
}
status=0
configure "$place/no" -DPROGRAMS=readme -DCOMPONENTS=nonsense >"$place/log" 2>&1 || status=$?
verdict a_component_that_is_missing_is_refused "$(holds refused "no component nonsense")" \
    "$place/log"
sed 's/bine 0.1/bine 1.0/' "$tests/CMakeLists.txt" >"$place/outside/CMakeLists.txt"
status=0
configure "$place/newer" -DPROGRAMS=readme >"$place/log" 2>&1 || status=$?
verdict a_newer_major_version_is_refused \
    "$(holds refused 'compatible with requested version "1.0"')" "$place/log"
echo "# $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
