#!/usr/bin/env bash
# Bine can be configured where only the programs are that tools/setup's set `build` names: those of
# the set `test` are hidden. Argument: the source.
set -eu
source=$1
place=$(mktemp -d "${TMPDIR:-/tmp}/bine-bare.XXXXXX")
trap 'rm -rf "$place"' EXIT

mkdir "$place/bin"
IFS=: read -ra folders <<<"$PATH"
for folder in "${folders[@]}"; do
    # A program of an earlier folder comes first.
    ln -s "$folder"/* "$place/bin/" 2>/dev/null || true
done
hidden=$(sed -n '/^    test) /,/^END/p' "$source/tools/setup" |
    awk '$2 ~ /^[a-z]/ && NF > 2 { print $2 }' | grep -vx make)
[ "$(wc -w <<<"$hidden")" -gt 3 ] || {
    echo "FAIL configures: tools/setup names no programs of tests"
    exit 1
}
for name in $hidden; do rm -f "$place/bin/$name"; done

# Meson would ask it where Debian's libraries are.
rm -f "$place/bin/dpkg-architecture"

if ! PATH=$place/bin "$source/tools/configure" "$place/build" >"$place/log" 2>&1; then
    echo "FAIL configures_with_the_programs_of_the_set_build:"
    cat "$place/log"
    exit 1
fi
echo "ok configures_with_the_programs_of_the_set_build"
if [ -e /etc/debian_version ]; then
    multiarch=$(${CC:-cc} -print-multiarch)
    libdir=$(meson introspect "$place/build" --buildoptions |
        python3 -c 'import json, sys
print(*(o["value"] for o in json.load(sys.stdin) if o["name"] == "libdir"))')
    if [ "$libdir" != "lib/$multiarch" ]; then
        echo "FAIL libraries_go_where_the_loader_looks: into $libdir"
        exit 1
    fi
    echo "ok libraries_go_where_the_loader_looks"
    echo "# 2 passed, 0 failed, 0 skipped"
else
    echo "# 1 passed, 0 failed, 0 skipped"
fi
