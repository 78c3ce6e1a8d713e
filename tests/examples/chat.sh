#!/bin/sh
# Two people chat: each types into a pipe, through which the client reads with fgets
# while messages arrive.
set -eu
examples=$1
directory=$(mktemp -d)
pids=
finish() {
    # shellcheck disable=SC2086
    kill $pids 2>/dev/null || true
    rm -rf "$directory"
}
trap finish EXIT
cd "$directory"

await() { # text file
    tries=0
    until grep -qs "$1" "$2"; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ]; then
            echo "no \"$1\" in $2:"
            cat "$2"
            exit 1
        fi
        sleep 0.05
    done
}

"$examples/cookbook/chat" 0 > server.out &
pids="$pids $!"
await '^chat: 127.0.0.1:' server.out
port=$(sed -n 's/^chat: 127.0.0.1://p' server.out)

mkfifo ann.in bob.in
"$examples/chat_client" "127.0.0.1:$port" < ann.in > ann.out &
ann=$!
"$examples/chat_client" "127.0.0.1:$port" < bob.in > bob.out &
bob=$!
pids="$pids $ann $bob"
exec 3> ann.in 4> bob.in

echo Ann >&3
echo Bob >&4
await 'Bob has come\|Your name' ann.out
await 'Your name' bob.out
sleep 0.2
echo 'hello from Ann' >&3
await 'Ann: hello from Ann' bob.out
echo 'and from Bob' >&4
await 'Bob: and from Bob' ann.out # while Ann's client sits in fgets
exec 4>&-
wait "$bob"
await 'Bob has gone' ann.out
exec 3>&-
wait "$ann"
echo ok
