#!/usr/bin/env bash
# Each public header by itself, with all warnings, with every compiler that is here: as C11, and as
# C++ of several years.
# Arguments: the headers' directory.
set -u
include=$1
failed=0 passed=0 skipped=0 warnings=
work=$(mktemp -d "${TMPDIR:-/tmp}/bine-headers.XXXXXX")
trap 'rm -rf "$work"' EXIT

try() { # compiler, language, standard
    local name=hazard_73_${kind-}headers_with_$1_as_$3 header bad=0
    name=${name//+/p}
    if ! command -v "$1" >/dev/null; then
        echo "skip $name: no $1 here"
        skipped=$((skipped + 1))
        return
    fi
    if ! "$1" -std="$3" -fsyntax-only -x "$2" /dev/null 2>/dev/null; then
        echo "skip $name: this $1 does not know it"
        skipped=$((skipped + 1))
        return
    fi
    for header in ${headers:-bine.h $(cd "$include" && ls bine/*.h bine/cpp/*.h)}; do
        printf '#include <%s>\n#include <%s>\n' "$header" "$header" >"$work/one"
        # shellcheck disable=SC2086 # several options
        if ! "$1" -std="$3" -Wall -Wextra $warnings -Werror -I"$include" -fsyntax-only -x "$2" \
            "$work/one" >"$work/log" 2>&1; then
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

# The headers of C++, with more warnings: their templates are compiled in the program's own source.
try_cxx() { # compiler, standard, further headers
    local headers
    headers="bine.hpp ${3-}" kind=cxx_ warnings="-Wpedantic -Wshadow -Wconversion" \
        try "$1" c++ "$2"
}

for standard in c++11 c++17 c++20; do
    try g++ c++ $standard
    try clang++ c++ $standard
done
for standard in c++20 c++23; do
    try_cxx g++ $standard
    try_cxx clang++ ${standard/23/2b} # clang++ 14 knows no other name
done
try_cxx g++ c++17 "$(cd "$include" && ls bine/cpp/*.hpp)"
try_cxx clang++ c++17
try gcc c c11
try clang c c11
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
