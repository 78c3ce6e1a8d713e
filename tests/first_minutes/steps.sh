# shellcheck shell=bash
# What the scripts of this folder share; they are run by tools/first-minutes in a bare root. Each
# step is a command that a newcomer types. A step that fails ends the script, and the last line
# tells how many there were and how long they took.
set -eu
steps=0
begun=$(date +%s)

begin() { # the time counts from here
    begun=$(date +%s)
}

step() { # a command, as it is typed
    steps=$((steps + 1))
    echo "\$ $1"
    if ! bash -c "$1" >/tmp/step 2>&1; then
        tail -30 /tmp/step
        echo "FAIL step $steps"
        exit 1
    fi
}

shows() { # the last step printed a line that matches
    grep -Eq "$1" /tmp/step || { cat /tmp/step; echo "FAIL step $steps did not print $1"; exit 1; }
}

takes_turns() { # the last step ran a program of three greenlets that alternate
    local turn wanted=
    for turn in 0 1 2 3 4; do wanted+="f(5) $turn f(5) $turn f(5) $turn "; done
    [ "$(sed 's/.*: \(f(5)\)> /\1 /' /tmp/step | tr '\n' ' ')" = "$wanted" ] || {
        cat /tmp/step
        echo "FAIL the greenlets did not take turns"
        exit 1
    }
}

finished() { # what was reached
    echo "ok $1: $steps commands, $(($(date +%s) - begun)) s"
}
