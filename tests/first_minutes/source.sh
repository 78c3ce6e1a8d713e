#!/usr/bin/env bash
# From a checkout: make install, README's program by pkg-config; the checkout is the folder
# in which it is begun.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/steps.sh"
apt-get update >/dev/null
apt-get install -y --no-install-recommends make git >/dev/null 2>&1
tests/install/readme-program README.md >/tmp/program.c
begin

step "make install MESON_OPTIONS='-Dtests=false -Dbench=false' && ldconfig"
# shellcheck disable=SC2016 # the step's shell expands it
step 'cc /tmp/program.c $(pkg-config --cflags --libs bine) -o /tmp/program'
step "/tmp/program"
takes_turns
finished "C from source"
