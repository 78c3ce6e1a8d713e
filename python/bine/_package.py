"""PyPI's greenlet, if it is installed. Bine takes GreenletExit from it, and puts it aside until
the program imports it.

From then on its thread-local variables are greenlet-local, which makes each switch a little longer.
Imported by bine._bine, before that is there.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # typing is not imported for these
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, Optional, Type

GreenletExit: Optional[Type[BaseException]] = None  # the package's; None if it is not installed


class error(Exception):
    """A switch that cannot be done (greenlet.error)."""


_aside: Dict[str, ModuleType] = {}  # its modules until the program imports it


class _Finder:
    """Gives the program the modules that were put aside. It has no base of importlib.abc, whose
    import brings pathlib, tempfile and random with it on some CPythons."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        loader: Any = self
        return ModuleSpec(name, loader) if name == "greenlet" and _aside else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from . import _bine

        _bine._use_package()  # type: ignore[attr-defined]
        module = _aside.pop("greenlet")
        self._spec = module.__spec__
        sys.modules.update(_aside)
        _aside.clear()
        sys.meta_path.remove(self)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # importlib has put this finder's in its place


def _modules() -> Dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items()
            if name == "greenlet" or name.startswith("greenlet.")}


def _look() -> None:
    global GreenletExit, error
    imported = "greenlet" in sys.modules
    try:
        import greenlet  # type: ignore[import-not-found, import-untyped, unused-ignore]

        kind = greenlet.GreenletExit
    except Exception:  # it is not installed, or broken
        return
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return
    GreenletExit = kind
    error = getattr(greenlet, "error", error)  # type: ignore[misc]
    if not imported:
        _aside.update(_modules())
        for name in _aside:
            del sys.modules[name]
        sys.meta_path.insert(0, _Finder())


_look()
