#!/bin/sh
# How the installed files are hardened.   Usage: hardening.sh FILE...
set -u
failures=0
has() # NAME COMMAND PATTERN
{
    if sh -c "$2" | grep -q -e "$3"; then
        echo "ok $1"
    else
        echo "FAIL $1: $2 does not say $3"
        failures=$((failures + 1))
    fi
}

for file; do
    name=$(basename "$file" | sed 's/[^a-z]/_/g')
    has "hazard_94_relro_of_$name" "readelf -lW '$file'" GNU_RELRO
    has "hazard_94_immediate_binding_of_$name" "readelf -dW '$file'" 'BIND_NOW\|NOW'
    has "hazard_94_stack_protector_of_$name" "nm -D '$file'" __stack_chk_fail
    case $name in
    *tls*) ;;
    *) has "hazard_94_fortified_calls_of_$name" "nm -D '$file'" "_chk@" ;;
    esac
    has "hazard_94_stack_not_executable_of_$name" "readelf -lW '$file' | grep GNU_STACK" 'RW '
done
[ $failures -eq 0 ] || exit 1
