#!/bin/sh
# bine doctor: what it says of libraries as they are installed, and of ones that it must find fault
# with.
# Usage: doctor.sh BINE UNCOVERED_LIBRARY RAW_LIBRARY STATIC_PROGRAM STATIC_PIE_PROGRAM HIDDEN_CALL
#     TEXT_RELOCATION
#                  OWN_LOADER_PROGRAM AUDITED_PROGRAM AUDITOR OTHER_LIBC
set -u
for file; do # as paths that are right in any folder
    shift
    set -- "$@" "$(realpath "$file")"
done
bine=$1 uncovered=$2 raw=$3 static=$4 static_pie=$5 hidden=$6 text_relocation=$7 own_loader=$8 \
    audited=$9
shift 9
auditor=$1 other_libc=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

# expect STATUS TEXT ARGUMENT...: bine doctor ARGUMENT... ends with STATUS and says TEXT.
expect()
{
    status=$1 text=$2
    shift 2
    expect_as "doctor $*" "$status" "$text" "$@"
}

# The same, as the test of this NAME.
expect_as()
{
    name=$1 status=$2 text=$3
    shift 3
    timeout 60 "$bine" doctor "$@" >"$work/out" 2>&1
    got=$?
    if [ $got -ne "$status" ]; then
        echo "FAIL $name: status $got, not $status"
        failures=$((failures + 1))
        tail -5 "$work/out"
    elif ! grep -q -e "$text" "$work/out"; then
        echo "FAIL $name: does not say '$text'"
        failures=$((failures + 1))
        cat "$work/out"
    else
        echo "ok $name"
    fi
}

expect 0 'poller '
expect 0 'stack guards '
BINE_POLLER=epoll expect 0 'poller  *epoll'
expect 0 'locks of libc  *as expected'
expect 0 'streams of libc  *as expected'
# A preloaded function makes libc's locks look unlike those that Bine knows. The loader takes no
# path with a blank.
cp "$other_libc" "$work/other_libc.so"
LD_PRELOAD=$work/other_libc.so expect_as a_libc_that_cannot_be_patched 0 \
    'NOT as expected: the owner of a mutex; the thread family'
expect 2 'unknown option' --nonsense
# A liburing that is part of the command makes system calls there.
if ldd "$bine" | grep -q liburing; then
    expect 0 'Covered, but for' "$bine"
else
    expect 1 'system call io_uring_enter' "$bine"
fi
expect_as "doctor -v" "$(ldd "$bine" | grep -q liburing; echo $?)" 'covered  *close$' -v "$bine"
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
# Bytes of the header: class 1 is 32 bits, machine 0xffff nobody's, section header offset
# and count 0: cut off.
patched() # OFFSET BYTES...: a copy of the uncovered library with these bytes at OFFSET
{
    cp "$uncovered" "$work/patched" && chmod u+w "$work/patched" &&
        printf %b "$2" | dd of="$work/patched" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
patched 4 '\001'
expect 2 'cannot be judged: a 32-bit file' "$work/patched"
patched 18 '\377\377'
expect 2 'cannot be judged: for another kind of processor' "$work/patched"
patched 16 '\001'
expect 2 'cannot be judged: an object file' "$work/patched"
patched 40 '\000\000\000\000\000\000\000\000'
printf '\000\000' | dd of="$work/patched" bs=1 seek=60 conv=notrunc 2>/dev/null
# Without section headers, as the loader reads it.
expect_as hazard_74_no_section_headers 1 'NOT covered  *wordexp' "$work/patched"
expect 2 'could not be judged' "$work/text" "$bine"

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

# hazard_84: nothing of a file that is examined runs: no loader that it names, no auditor. The
# auditor is seen to leave its trace where the loader is asked.
cp "$auditor" "$work/auditor.so"
printf '#!/bin/sh\n: >was_run\n' >"$work/own_loader.sh" && chmod 755 "$work/own_loader.sh"
cd "$work" || exit 1
runs_nothing() # NAME PROGRAM STATUS
{
    rm -f was_run
    timeout 60 "$bine" doctor "$2" >out 2>&1
    got=$?
    if [ $got -ne "$3" ] || [ -e was_run ]; then
        echo "FAIL $1: status $got$(test -e was_run && echo ', and something ran')"
        failures=$((failures + 1))
        cat out
    else
        echo "ok $1"
    fi
}
oldest=$(printf '2.32\n%s\n' "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" | sort -V | head -1)
if "$audited" && [ -e was_run ]; then
    echo "ok the auditor leaves a trace"
elif [ "$oldest" != 2.32 ]; then
    echo "skip the auditor leaves a trace: before glibc 2.32 no program can ask for an auditor"
else
    echo "FAIL the auditor leaves no trace"
    failures=$((failures + 1))
fi
runs_nothing hazard_84_no_loader_of_the_file_s_own_runs "$own_loader" 1
runs_nothing hazard_84_no_auditor_runs "$audited" 0
printf 'no program' >./sh
expect_as hazard_84_a_program_of_path_before_a_file_here 0 'overed' sh

if [ "$(uname -m)" = x86_64 ] && ! ldd "$bine" | grep -q capstone; then
    expect_as hazard_74_bytes_of_a_constant 0 'built without a disassembler' "$hidden"
else
    expect_as hazard_74_bytes_of_a_constant 0 'All covered' "$hidden"
fi
expect_as hazard_74_text_relocations 1 'usleep: called where there is no slot' "$text_relocation"
for library in "/usr/lib/$(uname -m)-linux-gnu"/libcrypto.so.[13]*; do
    expect_as hazard_74_a_library_that_uses_syscall 0 'in part  *syscall' "$library"
done

# More segments than there can be; a table of them that begins outside.
patched 56 '\377\377'
expect_as hazard_74_absurd_number_of_segments 2 'cannot be judged' "$work/patched"
patched 32 '\377\377\377\377\377\377\377\177'
expect_as hazard_74_segments_outside 2 'cannot be judged' "$work/patched"
mkfifo "$work/fifo"
expect_as hazard_74_a_fifo_without_a_writer 2 'cannot be judged: not a regular file' "$work/fifo"

# hazard_04: every installed client library is covered, with all that it loads.
for name in libcurl.so.4 libcurl-gnutls.so.4 libpq.so.5 libhiredis.so.0.14 libmariadb.so.3 \
    libssl.so.3 libldap-2.5.so.0 libkrb5.so.3 libsqlite3.so.0; do
    for directory in /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu; do
        if [ -e "$directory/$name" ] && [ "$(uname -m)-linux-gnu" = "${directory##*/}" ]; then
            expect 0 '^All covered\|^Covered, but' "$directory/$name"
        fi
    done
done

# So is every program that comes with them.
for program in /bin/bash /usr/bin/redis-cli /usr/bin/redis-server /usr/bin/mariadb \
    /usr/sbin/mariadbd /usr/sbin/nginx /usr/lib/postgresql/*/bin/psql \
    /usr/bin/openssl /usr/bin/python3; do
    if [ -e "$program" ]; then
        expect 0 '^All covered\|^Covered, but' "$program"
    fi
done

[ $failures -eq 0 ] || exit 1
