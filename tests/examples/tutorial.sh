#!/usr/bin/env bash
# The tutorial's programs print what the tutorial says. Arguments: the directory of the examples.
set -u
examples=$1
passed=0 failed=0
export LC_ALL=C

ok() {
    echo "ok $1"
    passed=$((passed + 1))
}
fail() { # name, why; what it printed goes below
    echo "FAIL $1: $2"
    printf '    %s\n' "${output//$'\n'/$'\n'    }"
    failed=$((failed + 1))
}
run() {
    # shellcheck disable=SC2086 # the wrapper is a command with its arguments
    output=$(timeout $((60 * ${BINE_TEST_SLOWER:-1})) ${BINE_TEST_WRAPPER-} "$@" 2>&1 </dev/null)
    status=$?
    # Emulators and sanitizers have threads of their own.
    # shellcheck disable=SC2001 # of a line in the middle
    [ "${BINE_TEST_SLOWER:-1}" = 1 ] || output=$(sed 's/^Threads: .*/Threads: 1/' <<<"$output")
}
# The addresses as letters in the order in which they first appear.
anonymous() {
    awk '{ if (match($0, /0x[0-9a-f]+/)) { a = substr($0, RSTART, RLENGTH)
            if (!(a in letter)) letter[a] = sprintf("%c", 65 + n++)
            sub(/0x[0-9a-f]+/, letter[a]) } print }' <<<"$output"
}

run "$examples/turns"
wanted=$(for g in A B C; do for i in 0 1 2 3 4; do echo "<Greenlet at $g: f(5)> $i"; done; done)
if [ $status = 0 ] && [ "$(anonymous)" = "$wanted" ]; then ok turns_run_one_after_another
else fail turns_run_one_after_another "status $status"; fi

run "$examples/alternate"
wanted=$(for i in 0 1 2 3 4; do for g in A B C; do echo "<Greenlet at $g: f(5)> $i"; done; done)
if [ $status = 0 ] && [ "$(anonymous)" = "$wanted" ]; then ok alternate_takes_turns_in_spawn_order
else fail alternate_takes_turns_in_spawn_order "status $status"; fi

run "$examples/count"
if [ $status = 0 ] && [ "$output" = $'Threads: 1\n3 greenlets took 1500000 turns' ]; then
    ok half_a_million_rounds_need_one_thread
else fail half_a_million_rounds_need_one_thread "status $status"; fi

if [ -x "$examples/pipeline" ]; then
    run "$examples/pipeline"
    wanted=$'1 of length 2\n3 of length 3\n2 of length 5\n1 of length 9\nnot a word: 2'
    if [ $status = 0 ] && [ "$output" = "$wanted" ]; then ok a_pipeline_ends_by_its_first_failure
    else fail a_pipeline_ends_by_its_first_failure "status $status"; fi
fi

if [ ! -x "$examples/fetch" ]; then
    echo "skip fetch: built without libcurl"
    echo "# $passed passed, $failed failed, 1 skipped"
    exit $((failed > 0))
fi

wanted="GET: http://HOST/first
GET: http://HOST/second
GET: http://HOST/third
1000 bytes received from http://HOST/second
2000 bytes received from http://HOST/third
3000 bytes received from http://HOST/first
wall time: T
sum of the delays: 0.60 s
Threads: 1"
# One page after another would take 0.6 s at least. Best of five: on a machine that stands still for
# 0.1 s another page comes first.
for _ in 1 2 3 4 5; do
    run "$examples/fetch"
    shown=$(sed -E 's/127\.0\.0\.1:[0-9]+/HOST/; s/wall time: [0-9.]+ s/wall time: T/' <<<"$output")
    wall=$(sed -nE 's/wall time: ([0-9]+)\.([0-9]{2}) s/\1\2/p' <<<"$output")
    [ $status = 0 ] && [ "$shown" = "$wanted" ] && [ "$((10#$wall))" -lt 60 ] && break
done
if [ $status = 0 ] && [ "$shown" = "$wanted" ]; then ok pages_arrive_in_the_order_of_the_answers
else fail pages_arrive_in_the_order_of_the_answers "status $status"; fi
if [ -n "$wall" ] && [ "$((10#$wall))" -lt 60 ] && [ "$((10#$wall))" -ge 30 ]; then
    ok waiting_times_overlap
else fail waiting_times_overlap "wall time ${wall:-unknown} (hundredths of a second)"; fi

page=$(mktemp "${TMPDIR:-/tmp}/bine-page.XXXXXX")
trap 'rm -f "$page"' EXIT
printf '%1234s' '' >"$page"
export no_proxy=127.0.0.1
run "$examples/fetch" "http://127.0.0.1:1/nobody" "file://$page" "nonsense://x"
refused='^failed: http://127.0.0.1:1/nobody: .*\(refused\|connect\)'
if [ $status = 1 ] && grep -q "$refused" <<<"$output" &&
    grep -q "^failed: nonsense://x: Protocol" <<<"$output" &&
    grep -qx "1234 bytes received from file://$page" <<<"$output"; then
    ok a_bad_url_says_why_and_the_others_arrive
else
    fail a_bad_url_says_why_and_the_others_arrive "status $status"
fi

echo "# $passed passed, $failed failed, 0 skipped"
exit $((failed > 0))
