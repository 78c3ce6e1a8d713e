#!/usr/bin/env python3
"""The libraries export what the public headers declare, and nothing else.

Arguments: the source directory, then the shared libraries. For each library the exported symbols
are compared with the headers as C and as C++ sees them, with the version script, and with the
symbols file of the Debian package.
"""

import os
import re
import sys

from declarations import (
    SCRIPTS,
    declared_for,
    declared_in_c,
    declared_in_cxx,
    exported,
    in_script,
    library_name,
)


def in_package(path: str) -> dict[str, str]:
    symbols = {}
    with open(path) as file:
        for line in file:
            match = re.match(r" (\w[\w.]*)@(\S+) ", line)
            if match and match.group(1) != match.group(2):
                symbols[match.group(1)] = match.group(2)
    return symbols


def versioned(symbols: dict[str, str]) -> set[str]:
    return {f"{name}@{version}" for name, version in symbols.items()}


failures = 0


def check(name: str, missing: set[str], surplus: set[str], words: tuple[str, str]) -> None:
    global failures
    if not missing and not surplus:
        print("ok", name)
        return
    failures += 1
    for names, word in ((missing, words[0]), (surplus, words[1])):
        if names:
            print(f"FAIL {name}: {word}: {' '.join(sorted(names))}")


def main() -> int:
    top, *libraries = sys.argv[1:]
    include = os.path.join(top, "include")
    by_file = declared_in_c(include)
    everything: set[str] = set()
    for library in libraries:
        name = library_name(library)
        declared = set(declared_for(by_file, name))
        symbols = exported(library)
        everything |= set(symbols)
        word = name.replace("-", "_")
        check(f"{word}_exports_what_its_headers_declare", declared - set(symbols),
              set(symbols) - declared, ("declared but not exported", "exported but not declared"))
        versions = versioned(symbols)
        script = versioned(in_script(os.path.join(top, SCRIPTS[name])))
        check(f"{word}_has_the_versions_of_its_script", script - versions, versions - script,
              ("not in the library", "not in the script"))
        package = versioned(in_package(f"{top}/packaging/debian/{name}0.symbols"))
        check(f"{word}_is_as_its_package_says", versions - package, package - versions,
              ("not in the symbols file", "only in the symbols file"))
    cxx = declared_in_cxx(include)
    if len(libraries) == len(SCRIPTS):
        check("cxx_sees_functions_that_are_exported", cxx - everything, set(), ("not exported", ""))
        check("c_and_cxx_see_the_same_functions", set().union(*by_file.values()) - cxx, set(),
              ("not visible", ""))
    return 1 if failures else 0


sys.exit(main())
