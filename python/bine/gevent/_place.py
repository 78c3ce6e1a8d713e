"""`gevent` and `gevent.X` become other names of bine.gevent's modules: the same objects, in
sys.modules under both names.

`install` adds a finder to sys.meta_path. The finder answers for the names of gevent by importing
bine.gevent's module, and it sees to it that a module of bine.gevent that is imported under its own
name is known under gevent's name at once.
"""

import importlib
import importlib.machinery
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any, Dict, Optional, Sequence

_OURS, _THEIRS = "bine.gevent", "gevent"


def _swap(name: str, old: str, new: str) -> Optional[str]:
    """`name` with the package `new` in place of `old`; None if it is no name of that package."""
    if name == old or name.startswith(old + "."):
        return new + name[len(old):]
    return None


class _Named(importlib.machinery.SourceFileLoader):
    """Loads a module of bine.gevent, which has gevent's name as well before its body runs."""

    def exec_module(self, module: ModuleType) -> None:
        theirs = _THEIRS + module.__name__[len(_OURS):]
        sys.modules[theirs] = module
        try:
            super().exec_module(module)
        except BaseException:
            sys.modules.pop(theirs, None)
            raise

    def get_code(self, fullname: str) -> Optional[CodeType]:
        return super().get_code(self.name)  # runpy asks by gevent's name


class _Alias:
    """Gives the import of `gevent.X` the module object that bine.gevent.X is, as it is."""

    def __init__(self, ours: str) -> None:
        self._ours = ours

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._ours)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # importlib has put the alias's in its place

    # For runpy: python -m gevent.pywsgi.
    def get_code(self, name: str) -> Optional[CodeType]:
        program = "from bine.gevent._place import _run_as\n_run_as(%r, globals())" % self._ours
        return compile(program, "<python -m %s>" % name, "exec")

    def get_source(self, name: str) -> Optional[str]:
        source: Optional[str] = self._loader().get_source(self._ours)
        return source

    def _loader(self) -> Any:
        spec = importlib.util.find_spec(self._ours)
        return spec and spec.loader


def _run_as(ours: str, namespace: Dict[str, Any]) -> None:
    """Run the module's body as a program. runpy takes it for a module of the package gevent, from
    where its relative imports lead nowhere."""
    spec = importlib.util.find_spec(ours)
    loader: Any = spec and spec.loader
    namespace.update(__spec__=spec, __package__=spec and spec.parent)
    exec(loader.get_code(ours), namespace)


def _spec(name: str, ours: str, origin: Optional[str] = None) -> ModuleSpec:
    loader: Any = _Alias(ours)  # no importlib.abc.Loader, whose import takes long
    return ModuleSpec(name, loader, origin=origin)


class Finder:
    """Finds gevent's modules in bine.gevent. Any thread may import by it."""

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None,
                  target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        if name.startswith(_OURS + "."):
            spec = importlib.machinery.PathFinder.find_spec(name, path, target)
            if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
                spec.loader = _Named(spec.loader.name, spec.loader.path)
            return spec
        ours = _swap(name, _THEIRS, _OURS)
        if ours is None:
            return None
        try:
            found = importlib.util.find_spec(ours)
        except ModuleNotFoundError:
            return None
        if found is None:
            return None
        spec = _spec(name, ours, found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec


class _StandIn:
    """Finds the module greenlet in bine.gevent._greenlet. It comes last, so that PyPI's
    package is found before it."""

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None,
                  target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        if name != "greenlet":
            return None
        return _spec(name, _OURS + "._greenlet")


def begin() -> Optional[ModuleSpec]:
    """`install` in the midst of an import of gevent. The spec that this import goes on with."""
    install()
    # A name that appears while importlib looks for it would be loaded once more, as importlib takes
    # it for half imported.
    sys.modules.pop(_THEIRS)
    return Finder().find_spec(_THEIRS)


def installed() -> bool:
    """Does ``import gevent`` give Bine in this process?"""
    return any(isinstance(finder, Finder) for finder in sys.meta_path)


def install() -> None:
    """From now on ``import gevent`` gives Bine in this process.

    RuntimeError if another gevent has been imported already. It does not switch.
    """
    if installed():
        return
    if _THEIRS in sys.modules and sys.modules[_THEIRS] is not sys.modules.get(_OURS):
        raise RuntimeError("gevent has been imported already")
    sys.meta_path.insert(0, Finder())
    sys.meta_path.append(_StandIn())
    for name, module in list(sys.modules.items()):
        theirs = _swap(name, _OURS, _THEIRS)
        if theirs is not None:
            sys.modules[theirs] = module
    from . import _greenlet_type

    _greenlet_type.widen()
