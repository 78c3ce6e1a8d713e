#!/usr/bin/env bash
# A system that is not served, or one without liburing, is told so in one sentence, and nothing is
# left of the attempt but its log. Arguments: the source directory, Meson's command.
set -u
source=$1
shift
place=$(mktemp -d "${TMPDIR:-/tmp}/bine-unsupported.XXXXXX")
trap 'rm -rf "$place"' EXIT
passed=0 failed=0 skipped=0

refused() { # name, what the sentence says, Meson's arguments...
    local name=$1 words=$2
    shift 2
    if "${meson[@]}" setup "$place/$name" "$source" "$@" >"$place/log" 2>&1; then
        echo "FAIL $name: it was configured"
        failed=$((failed + 1))
    elif [ "$(grep -c "ERROR: Problem encountered: Bine .*$words" "$place/log")" != 1 ]; then
        echo "FAIL $name: $(grep -m1 ERROR "$place/log")"
        failed=$((failed + 1))
    else
        echo "ok $name"
        passed=$((passed + 1))
    fi
}

machine() { # name, system, family, compiler
    printf "[binaries]\nc = '%s'\npkg-config = 'pkg-config'
[host_machine]\nsystem = '%s'\ncpu_family = '%s'\ncpu = '%s'\nendian = 'little'\n" \
        "$4" "$2" "$3" "$3" >"$place/$1.ini"
}

meson=("$@")
machine another_system freebsd x86_64 cc
refused another_system 'Linux only' --cross-file "$place/another_system.ini"
machine another_processor linux x86 cc
refused another_processor 'x86-64 and aarch64' --cross-file "$place/another_processor.ini"
if command -v musl-gcc >/dev/null; then
    machine musl linux "$(uname -m)" musl-gcc
    refused musl 'needs glibc' --cross-file "$place/musl.ini"
else
    echo "skip musl: no musl-gcc here"
    skipped=$((skipped + 1))
fi
export PKG_CONFIG_LIBDIR=$place PKG_CONFIG_PATH=
refused no_liburing 'needs liburing 2.3 or newer with its headers.*liburing-dev'
echo "# $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
