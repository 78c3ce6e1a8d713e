"""The examples type-check strictly against the stubs, and the stubs name what there is."""

import importlib
import os
import subprocess
import sys
import tempfile

import pytest

from helpers import ROOT

EXAMPLES = os.path.join(ROOT, "python", "examples")


def test_mypy_strict_over_the_examples():
    try:
        import mypy  # noqa: F401
    except ImportError:
        pytest.skip("mypy is not installed")
    names = ["turns.py", "alternate.py", "count.py", "fetch.py", "pages.py", "gevent_typed.py"]
    for folder in ("cookbook", "tutorial", "."):
        files = names if folder == "." else sorted(
            name for name in os.listdir(os.path.join(EXAMPLES, folder)) if name.endswith(".py"))
        done = subprocess.run([sys.executable, "-m", "mypy", "--strict",
                               "--cache-dir=/dev/null"] + files, cwd=os.path.join(EXAMPLES, folder),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        assert done.returncode == 0, done.stdout.decode()


def test_mypy_strict_over_the_package_gevent():
    try:
        import mypy  # noqa: F401
    except ImportError:
        pytest.skip("mypy is not installed")
    import bine

    above = os.path.dirname(os.path.dirname(bine.__file__))
    with tempfile.TemporaryDirectory() as folder:
        # mypy reports no errors of installed packages. Optional packages count as untyped, whether
        # they are installed or not.
        os.symlink(os.path.join(above, "bine"), os.path.join(folder, "bine"))
        with open(os.path.join(folder, "mypy.ini"), "w") as settings:
            settings.write("[mypy]\nstrict = True\n" + "".join(
                "[mypy-%s.*]\nignore_missing_imports = True\nfollow_imports = skip\n" % name
                for name in ("httptools", "greenlet", "pycares", "dns", "zope")))
        done = subprocess.run([sys.executable, "-m", "mypy", "--config-file=mypy.ini",
                               "--cache-dir=/dev/null", "-p", "bine.gevent"], cwd=folder,
                              env=dict(os.environ, MYPYPATH=folder), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout.decode()


def test_every_public_name_has_a_stub():
    import ast

    import bine

    folder = os.path.dirname(bine.__file__)
    missing = []
    for name in ("event", "exceptions", "greenlet", "hub", "local", "lock", "monkey", "pool",
                 "queue", "threadpool", "timeout", "_bine"):
        module = importlib.import_module("bine." + name)
        with open(os.path.join(folder, name + ".pyi")) as stub:
            text = stub.read()
        ast.parse(text)
        public = (getattr(module, "__all__", None) or
                  [n for n in vars(module) if not n.startswith("_")])
        for item in public:
            if item not in text and not isinstance(getattr(module, item), type(os)):
                missing.append("%s.%s" % (name, item))
    assert os.path.exists(os.path.join(folder, "py.typed")) and not missing, missing


def test_docstrings():
    import bine
    from bine import event, lock, pool, queue

    for kind in (bine.Greenlet, bine.Timeout, event.Event, event.AsyncResult, lock.Semaphore,
                 queue.Queue, pool.Pool, pool.Group):
        assert kind.__doc__
        for name, method in vars(kind).items():
            # Error may be that of the package greenlet.
            ours = not isinstance(method, type) or method.__module__.startswith("bine")
            if (callable(method) and ours and not name.startswith("_") and
                kind.__module__.startswith("bine._bine")):
                assert method.__doc__, (kind, name)
