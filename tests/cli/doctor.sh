#!/bin/sh
# bine doctor: what it says of libraries as they are installed, and of ones that it must find fault with.
# Usage: doctor.sh BINE UNCOVERED_LIBRARY RAW_LIBRARY STATIC_PROGRAM STATIC_PIE_PROGRAM
set -u
bine=$1 uncovered=$2 raw=$3 static=$4 static_pie=$5
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
expect 1 'static program' "$static_pie"
expect 2 'cannot be judged: No such file' "$work/does-not-exist"
echo "no program" >"$work/text"
expect 2 'cannot be judged: not a program or library' "$work/text"
echo '#!/bin/sh' >"$work/script"
expect 2 'cannot be judged: a script' "$work/script"
: >"$work/empty"
expect 2 'cannot be judged: an empty file' "$work/empty"
expect 2 'cannot be judged: a directory' "$work"
expect 2 'cannot be judged: not a regular file' /dev/null
head -c 100 "$uncovered" >"$work/cut"
expect 2 'cannot be judged: cut short or damaged' "$work/cut"
# Bytes of the header: class 1 is 32 bits, machine 0xffff nobody's, section header offset and count 0: cut off.
patched() # OFFSET BYTES...: a copy of the uncovered library with these bytes at OFFSET
{
    cp "$uncovered" "$work/patched" && chmod u+w "$work/patched" &&
        printf "$2" | dd of="$work/patched" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
patched 4 '\001'
expect 2 'cannot be judged: a 32-bit file' "$work/patched"
patched 18 '\377\377'
expect 2 'cannot be judged: for another kind of processor' "$work/patched"
patched 16 '\001'
expect 2 'cannot be judged: an object file' "$work/patched"
patched 40 '\000\000\000\000\000\000\000\000'
printf '\000\000' | dd of="$work/patched" bs=1 seek=60 conv=notrunc 2>/dev/null
expect 2 'section headers were removed' "$work/patched"
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

# So is every program that comes with them.
for program in /bin/bash /usr/bin/redis-cli /usr/bin/redis-server /usr/bin/mariadb /usr/sbin/mariadbd /usr/sbin/nginx \
    /usr/lib/postgresql/*/bin/psql /usr/bin/openssl /usr/bin/python3; do
    if [ -e "$program" ]; then
        expect 0 'All covered' "$program"
    fi
done

[ $failures -eq 0 ] || exit 1
