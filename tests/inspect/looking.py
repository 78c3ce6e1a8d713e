"""What the tests of looking inside share: programs in known states, the command,
and how a test ends.

A test is a function in a file that ends with `looking.main(__doc__)`. The file's arguments are the
command and the subject programs.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator

BINE, SUBJECT, STATIC_SUBJECT = map(os.path.realpath, sys.argv[1:4])
LIMIT = 60 * int(os.environ.get("BINE_TEST_SLOWER", "1"))  # seconds after which something hangs
tests: list[Callable[[], None]] = []


class Skip(Exception):
    pass


def test(function: Callable[[], None]) -> Callable[[], None]:
    tests.append(function)
    return function


def bine(*arguments: object, status: int = 0) -> str:
    """What the command prints. With another status than 0: what it says on standard error."""
    done = subprocess.run([BINE, *map(str, arguments)], capture_output=True, text=True,
                          timeout=LIMIT, check=False)
    assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stderr if status else done.stdout


@contextlib.contextmanager
def subject(*arguments: str, program: str = SUBJECT,
            settings: dict[str, str] | None = None) -> Iterator[int]:
    """The process's number, once it is in the state that it was asked for."""
    environment = os.environ | {"BINE_DEADLOCK_DUMP": "0"} | (settings or {})
    with subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environment) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
            assert process.poll() is None, f"the process ended with {process.poll()}"
        finally:
            process.kill()


@contextlib.contextmanager
def core(*arguments: str, program: str = SUBJECT, killed: bool = False) -> Iterator[str]:
    """A core file of a process that has aborted, or is `killed` in the state that was asked for."""
    with tempfile.TemporaryDirectory() as folder:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
        with subprocess.Popen([program, *(arguments or ("crash",))], cwd=folder,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            if killed:
                assert process.stdout
                assert process.stdout.readline() == b"ready\n"
                process.send_signal(signal.SIGABRT)
            process.wait(LIMIT)
        files = list(pathlib.Path(folder).iterdir())
        if not files:
            raise Skip("this machine leaves no core files")
        yield str(files[0])


def ps(*arguments: object) -> dict:
    return json.loads(bine("ps", "--json", *arguments))


def by_name(look: dict) -> dict[str, dict]:
    return {greenlet["name"]: greenlet for greenlet in look["greenlets"]}


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "it does not become so"
        time.sleep(0.02)


def continues(pid: int) -> None:
    """The process is not stopped, and nothing traces it."""
    for task in os.listdir(f"/proc/{pid}/task"):
        status = dict(line.split(":\t", 1)
                      for line in open(f"/proc/{pid}/task/{task}/status").read().splitlines()
                      if ":\t" in line)
        assert status["TracerPid"] == "0", status["TracerPid"]
        assert status["State"][0] not in "tT", status["State"]


def main(needs_plain_memory: bool = False) -> None:
    failures = skipped = 0
    if needs_plain_memory and b"libasan.so" in pathlib.Path(SUBJECT).read_bytes():
        print("skip all: AddressSanitizer's shadow is more memory than can be searched")
        sys.exit(77)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for function in tests:
        try:
            function()
            print("ok", function.__name__)
        except Skip as why:
            skipped += 1
            print(f"skip {function.__name__}: {why}")
        except Exception:  # noqa: BLE001 -- each failure is reported, and the others run
            failures += 1
            traceback.print_exc()
            print("FAIL", function.__name__)
    print(f"# {len(tests) - failures - skipped} passed, {failures} failed, {skipped} skipped")
    sys.exit(1 if failures else 0)
