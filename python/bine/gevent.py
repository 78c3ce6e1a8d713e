"""Make ``import gevent`` mean Bine, for programs and frameworks as they are.

    python -m bine.gevent script.py args
    import bine.gevent; bine.gevent.install()
"""

import importlib
import importlib.abc
import importlib.util
import os
import sys
import types

# gevent's modules that are the standard library's own here, made cooperative from below.
_standard = {
    "gevent.socket": "socket", "gevent.ssl": "ssl", "gevent.select": "select", "gevent.selectors": "selectors",
    "gevent.subprocess": "subprocess", "gevent.os": "os", "gevent.time": "time", "gevent.signal": "signal",
    "gevent.thread": "_thread", "gevent.threading": "threading", "gevent.contextvars": "contextvars", "gevent.builtins": "builtins",
}



def _mirror(name, real):
    """A module of its own with what `real` has, as gevent's are: `from gevent import socket` finds it by its name."""
    module = types.ModuleType(name, real.__doc__)
    kept = set(vars(module)) | {"__path__", "__file__", "__cached__", "__builtins__"}
    vars(module).update((key, value) for key, value in vars(real).items() if key not in kept)
    return module


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name != "gevent" and not name.startswith("gevent."):
            return None
        real = self._real(name)
        try:
            if importlib.util.find_spec(real) is None:
                return None
        except ModuleNotFoundError:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=name == "gevent")

    @staticmethod
    def _real(name):
        return _standard.get(name) or "bine" + name[len("gevent"):]

    def create_module(self, spec):
        module = importlib.import_module(self._real(spec.name))
        if spec.name == "gevent" or spec.name in _standard:
            module = _mirror(spec.name, module)
        if spec.name == "gevent":
            del module.signal  # a module there
        self._spec = getattr(module, "__spec__", None) or spec
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec  # one of bine's keeps its own name


class _Result:
    """Popen.result: an AsyncResult of the exit status, from the first look on. Programs may put something else in its place."""

    def __get__(self, popen, owner=None):
        from .event import AsyncResult
        from .greenlet import Greenlet

        if popen is None:
            return self
        result = popen.__dict__["result"] = AsyncResult()
        if popen.returncode is not None:
            result.set(popen.returncode)
        else:
            Greenlet.spawn(lambda: result.set(popen.wait()))
        return result


def _rawlink(popen, callback):
    """Call callback(popen) in another greenlet when the process has ended."""
    if not callable(callback):
        raise TypeError("Expected callable: %r" % (callback,))
    popen.result.rawlink(lambda result: callback(popen))


def _extend_popen():
    """gevent's Popen has these; a program may take either module's for gevent's."""
    import subprocess

    subprocess.Popen.result = _Result()
    subprocess.Popen.rawlink = _rawlink


def install():
    """From now on ``import gevent`` gives Bine. gevent must not have been imported before."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if "gevent" in sys.modules:
        raise RuntimeError("gevent has been imported already")
    sys.meta_path.insert(0, _Finder())
    _extend_popen()
    # gevent's own socket, select ... are cooperative without patching anything: so must these be.
    from . import monkey

    monkey._patch("socket", "dns", "select", "process")


def main():
    """python -m bine.gevent [-m module | script.py] args"""
    import runpy

    args = sys.argv[1:]
    if not args:
        sys.exit("usage: %s" % main.__doc__)
    install()
    if args[0] == "-m":
        if len(args) < 2:
            sys.exit("usage: %s" % main.__doc__)
        sys.argv[:] = args[1:]
        runpy.run_module(args[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = args
        sys.path[0] = os.path.dirname(os.path.abspath(args[0]))
        runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    from bine import gevent

    gevent.main()
