"""python -m bine.doctor: what it says of programs, which it does not run."""

import os
import subprocess
import sys
import tempfile

from bine import doctor
from helpers import raises


def program(package=None, **files):
    """A folder with these files, and those of `package` in a folder of that name."""
    folder = tempfile.mkdtemp()
    files.update(("package/" + name, text) for name, text in (package or {}).items())
    for name, text in files.items():
        path = os.path.join(folder, name + ".py")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    return folder


def said(folder, *names):
    return {(f.kind, f.subject) for f in doctor.examine([os.path.join(folder, name + ".py")
                                                         for name in names or ("main",)])}


def test_a_program_that_needs_nothing():
    folder = program(main="import gevent, os, json\nfrom gevent import monkey, socket\n"
                          "from gevent.pool import Pool\n"
                          "gevent.spawn(os.getpid); gevent.socket.create_connection; "
                          "monkey.is_module_patched('os'); socket.wait_read\n")
    assert said(folder) == set()


def test_names_that_are_not_there():
    folder = program(main="import gevent.libuv\nfrom gevent.libev import corecext\n"
                          "import gevent as g\nfrom gevent import nothing_such\n"
                          "def f():\n    return g.no_name, g.event.NoEvent, g.spawn.anything, f.x\n"
                          "from gevent._abstract_linkable import AbstractLinkable\n")
    assert {subject for kind, subject in said(folder) if kind == "missing"} == {
        "gevent.libuv", "gevent.libev", "gevent.nothing_such", "gevent.no_name",
        "gevent.event.NoEvent", "gevent._abstract_linkable"}


def test_imports_are_followed_relative_ones_too_and_nothing_runs():
    folder = program(main="import package\nraise SystemExit('was run')\n", package={
        "__init__": "from . import inner\nfrom .inner import x\n",
        "inner": "raise SystemExit('was run')\nimport psycopg2\nfrom ..nothing import y\n"
            "from .deep import z\n",
        "deep/module": "import grpc\n", "deep/__init__": "from .module import z\nimport package\n"})
    assert said(folder) == {("gains", "psycopg2"), ("differs", "grpc")}


def test_what_differs_and_where():
    folder = program(main="\nfrom gevent import monkey\nmonkey.patch_all()\n")
    (finding,) = doctor.examine([os.path.join(folder, "main.py")])
    assert (finding.kind == "differs" and finding.subject == "gevent.monkey.patch_all" and
            finding.line == 3 and finding.path.endswith("main.py"))


def test_the_standard_library_is_not_followed():
    assert said(program(main="import asyncio, http.server, unittest\n")) == set()


def test_files_that_cannot_be_read():
    folder = program(main="import broken, latin\n", broken="def (\n")
    with open(os.path.join(folder, "latin.py"), "wb") as file:
        file.write(b"x = '\xff'\n")
    assert said(folder) == set() and raises(OSError, doctor.examine, [folder + "/nothing.py"])


def run(*args, **kwargs):
    return subprocess.run([sys.executable, "-m", "bine.doctor"] + list(args),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, **kwargs)


def test_bine_turned_off():
    folder = program(main="import gevent\n")
    for value, off in ("1", True), ("0", False), ("", False):
        ran = subprocess.run([sys.executable, "-m", "bine.doctor", os.path.join(folder, "main.py")],
                             stdout=subprocess.PIPE,
                             env=dict(os.environ, BINE_DISABLE=value), timeout=60)
        assert (b"BINE_DISABLE" in ran.stdout) == off, (value, ran.stdout)


def test_the_command():
    folder = program(main="import gevent.libuv, psycopg2\n", clean="import os\n",
                     package={"__init__": "", "__main__": "import pycurl\n"})
    done = run(os.path.join(folder, "main.py"))
    assert (done.returncode == 1 and "gevent.libuv" in done.stdout and
            "main.py:1" in done.stdout and "Gains" in done.stdout), done
    done = run(os.path.join(folder, "clean.py"))
    assert done.returncode == 0 and "Nothing" in done.stdout
    done = run(folder)
    assert done.returncode == 1 and "pycurl" in done.stdout and "gevent.libuv" in done.stdout
    done = run("-m", "package", cwd=folder)
    assert done.returncode == 0 and "pycurl" in done.stdout
    for wrong in ([], ["nothing.py"], ["-m", "no.such"], ["-x"], [tempfile.mkdtemp()]):
        done = run(*wrong)
        assert done.returncode == 2 and "bine.doctor:" in done.stderr, (wrong, done)
