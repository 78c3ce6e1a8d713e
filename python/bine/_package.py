"""PyPI's greenlet, if it is installed. Bine takes GreenletExit from it, and puts it aside until the program imports it.

From then on its thread-local variables are greenlet-local, which makes each switch a little longer. Imported by bine._bine, before that is there.
"""

import sys
from importlib.machinery import ModuleSpec

GreenletExit = None  # the package's; None if it is not installed


class error(Exception):
    """A switch that cannot be done (greenlet.error)."""


_aside = {}  # its modules until the program imports it


class _Finder:
    """Gives the program the modules that were put aside. It has no base of importlib.abc, whose import
    brings pathlib, tempfile and random with it on some CPythons."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name == "greenlet" and _aside else None

    def create_module(self, spec):
        from . import _bine

        _bine._use_package()
        module = _aside.pop("greenlet")
        self._spec = module.__spec__
        sys.modules.update(_aside)
        _aside.clear()
        sys.meta_path.remove(self)
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec  # importlib has put this finder's in its place


def _modules():
    return {name: module for name, module in sys.modules.items() if name == "greenlet" or name.startswith("greenlet.")}


def _look():
    global GreenletExit, error
    imported = "greenlet" in sys.modules
    try:
        import greenlet

        kind = greenlet.GreenletExit
    except Exception:  # it is not installed, or broken
        return
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return
    GreenletExit, error = kind, getattr(greenlet, "error", error)
    if not imported:
        _aside.update(_modules())
        for name in _aside:
            del sys.modules[name]
        sys.meta_path.insert(0, _Finder())


_look()
