#!/usr/bin/env bash
# bine run: programs that know nothing of Bine, as they are.
# Usage: run.sh BINE ECHO CXX STATIC URING SPINS [CXX20]
set -uo pipefail
bine=$(realpath "$1") echo_server=$(realpath "$2") cxx=$(realpath "$3") static=$(realpath "$4") \
    uring=$(realpath "$5")
spins=$(realpath "$6") cxx20=${7-}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cleanup() {
    [ -n "${server-}" ] && kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
passed=0 failed=0 skipped=0
check() { # what, wanted, found
    if [ "$2" = "$3" ]; then
        echo "ok $1" && passed=$((passed + 1))
    else
        echo "FAIL $1: wanted \"$2\", found \"$3\"" && failed=$((failed + 1))
    fi
}
contains() { # what, pattern, text
    case $3 in *"$2"*) check "$1" 1 1 ;; *) check "$1" "...$2..." "$3" ;; esac
}

refusal=$("$bine" run true 2>&1)
if [ $? = 126 ]; then
    echo "skip everything: $refusal"
    exit 77
fi

# ---- as if run directly
"$bine" run sh -c 'exit 9'
check exit_status 9 $?
check standard_streams "in" "$(echo in | "$bine" run cat)"
check directory "$work" "$(cd "$work" && "$bine" run pwd)"
check arguments "a|b c|" "$("$bine" run printf '%s|' a 'b c')"
"$bine" run sh -c 'kill -TERM $$'
check death_by_a_signal $((128 + 15)) $?
check children_inherit 1 \
    "$("$bine" run sh -c 'sh -c "grep -c libbine-run.so /proc/self/maps | sed s/[1-9][0-9]*/1/"')"
check no_children 0 "$("$bine" run --no-children sh -c 'grep -c libbine-run.so /proc/self/maps')"
# shellcheck disable=SC2016
check other_preloads "x.so" \
    "$(LD_PRELOAD=x.so "$bine" run --no-children sh -c 'echo "$LD_PRELOAD"' 2>/dev/null)"

# ---- refused before it starts
contains static "linked statically" "$("$bine" run "$static" 2>&1)"
"$bine" run "$static" 2>/dev/null
check static_status 126 $?
"$bine" run "$work/none" 2>/dev/null
check no_such_program 127 $?
"$bine" run --none true 2>/dev/null
check unknown_option 125 $?
"$bine" run 2>/dev/null
check no_program 125 $?
printf '#!%s\n' "$static" >"$work/script" && chmod +x "$work/script"
contains a_script_of_a_static_interpreter "linked statically" "$("$bine" run "$work/script" 2>&1)"
printf '#!/bin/sh\nexit 3\n' >"$work/script"
"$bine" run "$work/script"
check a_script 3 $?
contains doctor_says_it "bine run: can run it" "$("$bine" doctor "$echo_server")"

# ---- an io_uring of its own: ENOSYS
check own_uring -38 "$("$bine" run "$uring")"

# ---- threads
output=$("$bine" run "$cxx" 2>&1)
check cxx_status 3 $?
check cxx_bad "" "$(grep -v '^good' <<<"$output" | grep -v '^Threads')"
check cxx_one_thread 1 "$(sed -n 's/^Threads:[^0-9]*//p' <<<"$output")"

if [ -n "$cxx20" ]; then
    output=$("$bine" run "$(realpath "$cxx20")" 2>&1)
    check cxx20_status 4 $?
    check cxx20_bad "" "$(grep -v '^good' <<<"$output")"
else
    echo "skip cxx20: this C++ library has no std::barrier"
    skipped=1
fi

# ---- --preempt
check spins "done" "$("$bine" run --preempt=2 "$spins" 2>&1)"
"$bine" run --preempt=0 true 2>/dev/null
check bad_limit 125 $?
"$bine" run --preempt=2s true 2>/dev/null
check no_number 125 $?

"$bine" run --stats "$echo_server" >"$work/out" 2>"$work/figures" &
server=$!
for _ in $(seq 100); do
    [ -s "$work/out" ] && break
    sleep 0.1
done
port=$(head -1 "$work/out")
found=$(python3 "$here/clients.py" "$port" 300 "$server")
check echo_one_thread "300 answered, Threads 1" "$found"
wait "$server"
check echo_status 7 $?
server=
contains figures "threads made 301" "$(cat "$work/figures")"
contains parks_by_verb "times: recv fd" "$(cat "$work/figures")"
contains parks_of_the_root "times: accept fd" "$(cat "$work/figures")"

echo "# $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
