#!/bin/sh
# bine doctor: what it says of libraries as they are installed, and of ones that it must find fault with.
# Usage: doctor.sh BINE UNCOVERED_LIBRARY RAW_LIBRARY STATIC_PROGRAM
set -u
bine=$1 uncovered=$2 raw=$3 static=$4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

# expect STATUS TEXT ARGUMENT...: bine doctor ARGUMENT... ends with STATUS and says TEXT.
expect()
{
    status=$1 text=$2
    shift 2
    timeout 60 "$bine" doctor "$@" >"$work/out" 2>&1
    got=$?
    if [ $got -ne "$status" ]; then
        echo "FAIL doctor $*: status $got, not $status"
        failures=$((failures + 1))
        tail -5 "$work/out"
    elif ! grep -q -e "$text" "$work/out"; then
        echo "FAIL doctor $*: does not say '$text'"
        failures=$((failures + 1))
        cat "$work/out"
    else
        echo "ok doctor $*"
    fi
}

expect 0 'poller '
expect 0 'stack guards '
BINE_POLLER=epoll expect 0 'poller  *epoll'
expect 2 'unknown option' --nonsense
expect 0 'All covered' "$bine"
expect 0 'covered  *close$' -v "$bine"
expect 1 'NOT covered  *wordexp' "$uncovered"
expect 1 'system call read' "$raw"
expect 1 'static program' "$static"
expect 2 'cannot be judged' "$work/does-not-exist"
echo "no program" >"$work/text"
expect 2 'cannot be judged' "$work/text"
: >"$work/empty"
expect 2 'cannot be judged' "$work/empty"
expect 2 'cannot be judged' "$work"
expect 2 'All\|could not be judged' "$work/text" "$bine"

# Damaged files: any answer but a crash.
for length in 1 63 64 100 200 500 1000 4000 8000 12000; do
    head -c $length "$uncovered" >"$work/cut"
    timeout 20 "$bine" doctor "$work/cut" >/dev/null 2>&1
    got=$?
    if [ $got -gt 2 ]; then
        echo "FAIL doctor of a file cut at $length: status $got"
        failures=$((failures + 1))
    fi
done

# hazard_04: every installed client library is covered, with all that it loads.
for name in libcurl.so.4 libcurl-gnutls.so.4 libpq.so.5 libhiredis.so.0.14 libmariadb.so.3 libssl.so.3 libldap-2.5.so.0 \
    libkrb5.so.3 libsqlite3.so.0; do
    for directory in /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu; do
        if [ -e "$directory/$name" ] && [ "$(uname -m)" = "${directory##*/}" -o "$(uname -m)-linux-gnu" = "${directory##*/}" ]; then
            expect 0 'All covered' "$directory/$name"
        fi
    done
done

[ $failures -eq 0 ] || exit 1
