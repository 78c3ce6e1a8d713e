#!/usr/bin/env python3
"""Programs that were compiled for the last release run with the libraries of this one.

Arguments: the source directory, then the shared libraries. The dumps of packaging/abi are compared
by abidiff with what the headers and version scripts say now: a struct that changes its layout, a
function that changes its arguments or goes, a version node or a soname that changes. New functions
are no change. `make abi` (--renew) writes the dumps anew.

What is dumped are not the libraries but stubs: each public function with an empty body, linked by
the version script and with the soname of the library. So private structs are not in the dumps, and
neither the compiler's options nor the names of sources count.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

from declarations import (ATTRIBUTE, SCRIPTS, c_headers, declared_for, declared_in_c,
                          library_name, run)


def soname(library: str) -> str:
    match = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-dW", library))
    return match.group(1) if match else ""


def stub(top: str, library: str, functions: dict[str, str], place: str) -> str:
    """A library with empty functions of the same types, versions and soname."""
    name = library_name(library)
    path = f"{place}/{name}.so"
    with open(f"{place}/{name}.c", "w") as file:
        file.write("".join(f"#include <{header}>\n" for header in c_headers(f"{top}/include")))
        for declaration in functions.values():
            file.write(f"{ATTRIBUTE.sub('', declaration)}\n{{\n    __builtin_trap();\n}}\n")
    # No path of this machine goes into the dump.
    run("cc", "-std=gnu11", "-w", "-g", "-O0", "-fPIC", "-shared", "-nostdlib",
        f"-ffile-prefix-map={place}=.", f"-I{top}/include", f"{place}/{name}.c", "-o", path,
        f"-Wl,--version-script={top}/{SCRIPTS[name]}", f"-Wl,-soname,{soname(library)}")
    return path


def slim(path: str) -> None:
    """Keep the names alone of types from elsewhere, such as libc's: they differ
    between its releases."""
    tree = ElementTree.parse(path)
    root = tree.getroot()
    for parent in root.iter("abi-instr"):
        for kind in parent.findall("class-decl") + parent.findall("union-decl"):
            if not kind.get("name", "").startswith("bine_"):
                for member in list(kind):
                    kind.remove(member)
                kind.attrib.pop("size-in-bits", None)
                kind.text = None
                kind.set("is-declaration-only", "yes")
    while True:
        used = {value for element in root.iter()
                for name, value in element.items() if name.endswith("type-id")}
        unused = [(parent, element) for parent in root.iter("abi-instr") for element in parent
                  if element.get("id") and element.get("id") not in used]
        if not unused:
            break
        for parent, element in unused:
            parent.remove(element)
    ElementTree.indent(tree, " ")
    tree.write(path)


def dump(top: str, path: str, out: str) -> None:
    run("abidw", "--exported-interfaces-only", "--no-corpus-path", "--no-comp-dir-path",
        "--no-show-locs", "--no-elf-needed", "--no-write-default-sizes", "--no-parameter-names",
        "--no-architecture", "--out-file", out, path)
    slim(out)


def main() -> int:
    arguments = sys.argv[1:]
    renew = "--renew" in arguments
    top, *libraries = [argument for argument in arguments if argument != "--renew"]
    if not shutil.which("abidw"):
        print("skip: abidw and abidiff (abigail-tools) are not installed")
        return 77
    if "--exported-interfaces-only" not in subprocess.run(
            ["abidw", "--help"], capture_output=True, text=True, check=False).stderr:
        print("skip: this abidw cannot leave out what is not exported")
        return 77
    by_file = declared_in_c(f"{top}/include")
    failures = 0
    with tempfile.TemporaryDirectory(prefix="bine-abi.") as place:
        for library in libraries:
            name = library_name(library)
            now = f"{place}/{name}.abi"
            dump(top, stub(top, library, declared_for(by_file, name), place), now)
            kept = f"{top}/packaging/abi/{name}.abi"
            if renew:
                shutil.copy(now, kept)
                continue
            done = subprocess.run(["abidiff", "--no-added-syms", kept, now],
                                  capture_output=True, text=True)
            word = name.replace("-", "_")
            if done.returncode == 0:
                print(f"ok {word}_runs_programs_of_the_last_release")
            elif "incompatible format version" in done.stdout + done.stderr:
                print(f"skip: this abidiff does not read the form of {kept}")
                return 77
            else:
                failures += 1
                print(f"FAIL {word}_runs_programs_of_the_last_release: `make abi` if this is meant")
                print(done.stdout + done.stderr)
    return 1 if failures else 0


sys.exit(main())
