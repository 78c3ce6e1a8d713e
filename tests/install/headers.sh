#!/usr/bin/env bash
# Each public header by itself, with all warnings, with every compiler that is here: as C11, and as C++ of several years.
# Arguments: the headers' directory.
set -u
include=$1
failed=0 passed=0 skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/bine-headers.XXXXXX")
trap 'rm -rf "$work"' EXIT

try() { # compiler, language, standard
    local name=hazard_73_headers_with_$1_as_$3 header bad=0
    name=${name//+/p}
    if ! command -v "$1" >/dev/null; then
        echo "skip $name: no $1 here"
        skipped=$((skipped + 1))
        return
    fi
    for header in bine.h $(cd "$include" && ls bine/*.h); do
        printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$work/one"
        if ! "$1" -std="$3" -Wall -Wextra -Werror -I"$include" -fsyntax-only -x "$2" "$work/one" >"$work/log" 2>&1; then
            [ $bad != 0 ] || echo "FAIL $name: $header: $(grep -m1 error "$work/log")"
            bad=1
        fi
    done
    if [ $bad = 0 ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

for standard in c++11 c++17 c++20; do
    try g++ c++ $standard
    try clang++ c++ $standard
done
try gcc c c11
try clang c c11
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
