#!/usr/bin/env python3
"""Every program in the documentation compiles without a warning and prints what its page says: docs.py DOCS BUILD INCLUDE CC...

A page's program is its ```c block with a main; what it prints is the ```text block that follows. Spaces at line ends do not count.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCS, BUILD, INCLUDE, COMPILER = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
PROGRAM = re.compile(r"```c\n(.*?)```\s*(?:```text\n(.*?)```)?", re.S)


def lines(text):
    return [line.rstrip() for line in text.strip().splitlines()]


def run(source, wanted, directory):
    path = os.path.join(directory, "example.c")
    program = os.path.join(directory, "example")
    pathlib.Path(path).write_text(source)
    built = subprocess.run(
        [*COMPILER, "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-I", INCLUDE, path, "-o", program, "-L", BUILD,
         "-lbine", f"-Wl,-rpath,{BUILD}", "-pthread"], capture_output=True, text=True)
    if built.returncode:
        return "does not compile: " + built.stderr
    try:
        wrapper = os.environ.get("BINE_TEST_WRAPPER", "").split()
        ran = subprocess.run([*wrapper, program], capture_output=True, text=True,
                             timeout=30 * int(os.environ.get("BINE_TEST_SLOWER", "1")))
    except subprocess.TimeoutExpired:
        return "does not end"
    if ran.returncode:
        return f"exit status {ran.returncode}: {ran.stderr}"
    if wanted is not None and lines(ran.stdout) != lines(wanted):
        return f"prints {ran.stdout!r}"
    return None


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for page in sorted(DOCS.rglob("*.md")):
            for number, (source, wanted) in enumerate(PROGRAM.findall(page.read_text())):
                if "int main(" not in source or "bine" not in source:
                    continue
                name = f"{page.relative_to(DOCS).with_suffix('')}_{number}"
                trouble = run(source, wanted or None, directory)
                passed, failed = passed + (not trouble), failed + bool(trouble)
                print(f"FAIL {name}: {trouble}" if trouble else f"ok {name}")
    print(f"# {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
