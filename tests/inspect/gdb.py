#!/usr/bin/env python3
"""The script for gdb: gdb.py BINE SUBJECT STATIC_SUBJECT SCRIPT."""

import re
import shutil
import subprocess
import sys
import tempfile

import looking
from looking import STATIC_SUBJECT, SUBJECT, by_name, core, ps, subject, test

SCRIPT = sys.argv[4]


def gdb(arguments: list[str], *commands: str) -> str:
    if not shutil.which("gdb"):
        raise looking.Skip("there is no gdb")
    sets = ["set debuginfod enabled off", "set pagination off", f"source {SCRIPT}"]
    done = subprocess.run(["gdb", "-nx", "-batch", *arguments,
                           *(word for command in [*sets, *commands] for word in ("-ex", command))],
                          capture_output=True, text=True, timeout=looking.LIMIT, check=False)
    if ("Python scripting is not supported" in done.stderr or
        "ptrace: Operation not permitted" in done.stderr):
        raise looking.Skip("this gdb cannot do it")
    return done.stdout + done.stderr


def check(look: list[str], target: object, names: tuple[str, str]) -> None:
    found = by_name(ps(target))
    sleeper, root = (found[name]["id"] for name in names)
    listed = gdb(look, "bine greenlets")
    assert re.search(rf"^{re.escape(sleeper)} +parked +sleep 0 +{re.escape(names[0])}",
                     listed, re.M), listed
    trace = gdb(look, f"bine bt {sleeper}")
    assert re.search(r"bine_park.*\n(#.*\n)*#\d+ .*sleeper.*\n(#.*\n)*#\d+ .*run_entry",
                     trace), trace
    everything = gdb(look, "bine bt all")
    assert "sleeper" in everything, everything
    assert "main" in everything, everything
    both = gdb(look, f"bine switch {sleeper}", "bt", "bine back", "bt")
    first, second = both.split("\n#0 ", 1)[1], both.rsplit("\n#0 ", 1)[1]
    assert "sleeper" in first, both
    assert "run_entry" not in second, both
    assert "main" in second or root not in found, both


@test
def a_live_process() -> None:
    with subject() as pid:
        check(["-p", str(pid)], pid, ("sleeper(5)", "root"))
        looking.continues(pid)


@test
def a_core() -> None:
    with core() as file:
        check([SUBJECT, file], file, ("asleep", "root"))


@test
def a_program_without_symbols() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stripped = folder + "/stripped"
        subprocess.run(["strip", "-o", stripped, STATIC_SUBJECT], check=True)
        with subject(program=stripped) as pid:
            sleeper = by_name(ps(pid))["sleeper(5)"]["id"]
            trace = gdb(["-p", str(pid)], "bine greenlets", f"bine bt {sleeper}")
            assert "sleeper(5)" in trace, trace
            assert len(re.findall(r"^#\d+ ", trace.split(f"{sleeper} sleeper(5): parked")[1],
                                  re.M)) >= 4, trace


@test
def gdb_loads_it_with_the_library() -> None:
    linked = subprocess.run(["ldd", SUBJECT], capture_output=True, text=True, check=True).stdout
    library = re.search(r"libbine\.so\.0 => (.+) \(", linked)
    assert library, linked
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(library.group(1), folder + "/libbine.so.0")
        shutil.copy(SCRIPT, folder + "/libbine.so.0-gdb.py")
        with subject(settings={"LD_LIBRARY_PATH": folder}) as pid:
            if not shutil.which("gdb"):
                raise looking.Skip("there is no gdb")
            done = subprocess.run(["gdb", "-nx", "-batch", "-iex",
                                   f"add-auto-load-safe-path {folder}", "-p", str(pid),
                                   "-ex", "bine greenlets"], capture_output=True, text=True,
                                  timeout=looking.LIMIT, check=False)
            assert "sleeper(5)" in done.stdout, done.stdout + done.stderr


@test
def what_is_not_there_is_said() -> None:
    with subject() as pid:
        said = gdb(["-p", str(pid)], "bine bt 7.7", "bine bt", "bine switch")
        assert "there is no greenlet 7.7" in said, said
        assert "it takes the number" in said, said


looking.main()
