#!/usr/bin/env bash
# The tests of bine.hpp, built by each compiler that is here, as a program elsewhere is: with all
# warnings, with the sanitizers, without RTTI, in the newest C++ that the compiler has. Arguments:
# the sources' top, the build directory.
set -u
top=$1 build=$2
failed=0 passed=0 skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/bine-cxx.XXXXXX")
trap 'rm -rf "$work"' EXIT
cc -D_GNU_SOURCE -g -c "$top/tests/harness.c" -o "$work/harness.o" || exit 1

try() { # compiler, standard, further flags
    local name=tests_built_by_$1_as_$2 compiler=$1 standard=$2 file shown status
    name=${name//+/p}
    shift 2
    if ! command -v "$compiler" >/dev/null; then
        echo "skip $name: no $compiler here"
        skipped=$((skipped + 1))
        return
    fi
    if ! "$compiler" -std="$standard" -fsyntax-only -x c++ /dev/null 2>/dev/null; then
        echo "skip $name: this $compiler has no $standard"
        skipped=$((skipped + 1))
        return
    fi
    for file in "$top"/tests/cxx/test_*.cc; do
        if ! "$compiler" -std="$standard" "$@" -Wall -Wextra -Wpedantic -Wshadow -Wconversion \
            -Werror -g -I"$top/include" \
            "$file" "$work/harness.o" -o "$work/program" -L"$build" -lbine -Wl,-rpath,"$build" \
            -pthread -ldl >"$work/log" 2>&1; then
            echo "FAIL $name: ${file##*/}: $(grep -m1 -E 'error|undefined' "$work/log")"
            failed=$((failed + 1))
            return
        fi
        shown=$(ASAN_OPTIONS=detect_stack_use_after_return=0 UBSAN_OPTIONS=halt_on_error=1 \
            BINE_TEST_SLOWER=$((3 * ${BINE_TEST_SLOWER:-1})) "$work/program" 2>&1)
        status=$?
        if [ $status != 0 ]; then
            echo "FAIL $name: ${file##*/}: $(grep -m1 -E '^FAIL|ERROR|runtime error' <<<"$shown")"
            failed=$((failed + 1))
            return
        fi
    done
    echo "ok $name"
    passed=$((passed + 1))
}

try g++ c++17 -fsanitize=address,undefined
try clang++ c++20 -fsanitize=address,undefined
try g++ c++23 -fno-rtti -O2
try clang++ c++17 -fno-rtti -O2
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
