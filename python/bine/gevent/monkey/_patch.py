"""patch_all() and its parts, with gevent's events, around bine.monkey, which does the patching."""

import sys as _sys
import warnings
from importlib import import_module
from typing import Any, Dict, List

from ... import monkey as _bine
from ..._patched_names import NAMES
from ._errors import MonkeyPatchWarning
from .api import announced

# The module of gevent's that stands for one of the standard library's.
_SOURCES = {"_thread": "thread", "_threading_local": "local"}

_done: Dict[str, bool] = {}  # the arguments of the patch_all() calls until now


def _module(name: str, *families: str) -> bool:
    """Patch what is behind a module of the standard library, which `families` of libc calls are
    (those of the table if none are given)."""
    target = import_module(name)
    source = import_module("bine.gevent." + _SOURCES.get(name, name))
    of_module, names = NAMES[name]

    def patch(items: List[str]) -> None:
        originals = {item: getattr(target, item) for item in items if hasattr(target, item)}
        _bine._ask(*(families or of_module))
        for item, original in originals.items():
            _bine.saved.setdefault(name, {}).setdefault(item, original)

    return announced(target, source, [item for item in names if hasattr(target, item)], patch)


def patch_os() -> None:
    """Make fork, waitpid and their like cooperative."""
    _module("os")


def patch_queue() -> None:
    """Make the queues of the module queue cooperative: Python's locks become so, of which they are
    made. Threads stay threads."""
    _module("queue")


def patch_time() -> None:
    """Make time.sleep let other greenlets run."""
    _module("time")


def patch_contextvars() -> None:
    """Nothing to do: contextvars belong to the greenlet by construction."""


def patch_thread(threading: bool = True, _threading_local: bool = True, Event: bool = True,
                 logging: bool = True, existing_locks: bool = True) -> None:
    """Make locks cooperative and new threads greenlets, whatever the flags say, which gevent needs:
    locks that exist and those of logging as well."""
    if _module("_thread"):
        if threading:
            _module("threading")
        if _threading_local:
            _module("_threading_local")


def patch_socket(dns: bool = True, aggressive: bool = True) -> None:
    """Make sockets cooperative, those that exist as well, and look-ups of names if `dns`."""
    if _module("socket", "socket", "stdio") and dns:
        _bine._ask("dns")


def patch_dns() -> None:
    """Make look-ups of names cooperative."""
    _bine._ask("dns")


def patch_ssl() -> None:
    """Make TLS cooperative. It does not matter whether ssl has been imported."""
    _module("ssl")


def patch_select(aggressive: bool = True) -> None:
    """Make select, poll and epoll cooperative. `aggressive` removes nothing: gevent takes away what
    it cannot make cooperative."""
    _module("select")
    _module("selectors")


def patch_selectors(aggressive: bool = True) -> None:
    """Make the module selectors cooperative."""
    _module("selectors")


def patch_subprocess() -> None:
    """Make waiting for processes cooperative."""
    _module("subprocess")


def patch_builtins() -> None:
    """Nothing to do: imports work."""


def patch_signal() -> None:
    """Have handlers of signals run while greenlets wait, and the module signal work in every
    greenlet of the main thread."""
    _module("signal")


def patch_sys(stdin: bool = True, stdout: bool = True, stderr: bool = True) -> None:
    """Make the standard streams cooperative."""
    _bine.patch_sys(stdin, stdout, stderr)


def patch_all(socket: bool = True, dns: bool = True, time: bool = True, select: bool = True,
              thread: bool = True, os: bool = True, ssl: bool = True, subprocess: bool = True,
              sys: bool = False, aggressive: bool = True, Event: bool = True, builtins: bool = True,
              signal: bool = True, queue: bool = True, contextvars: bool = True,
              **kwargs: Any) -> bool:
    """Make every blocking call of Python and of all C extensions cooperative; flags
    leave families out.

    Further arguments reach the subscribers of the events, `file=True` this function too: then
    opening and syncing of regular files lets other greenlets run. True if it was done. False if
    a subscriber of GeventWillPatchAllEvent raised DoNotPatch, or an earlier call did all this.
    A call with other flags than an earlier one adds to it, with a MonkeyPatchWarning. Any
    thread. It does not switch.
    """
    from .. import events

    flags = {name: value for name, value in locals().items() if name not in ("kwargs", "events")}
    if _done and flags == _done and not kwargs:
        return False
    if _done and flags != _done:
        warnings.warn("Patching more than once patches the union of what the calls ask for",
                      MonkeyPatchWarning, stacklevel=2)
    try:
        events.notify_and_call_entry_points(events.GeventWillPatchAllEvent(flags, kwargs))
    except events.DoNotPatch:
        return False
    _done.update((name, value or _done.get(name, False)) for name, value in flags.items())
    _patch_standard(flags)
    if kwargs.get("file"):
        _bine.patch_file()
    events.notify_and_call_entry_points(events.GeventDidPatchBuiltinModulesEvent(flags, kwargs))
    events.notify_and_call_entry_points(events.GeventDidPatchAllEvent(flags, kwargs))
    return True


def _patch_standard(flags: Dict[str, bool]) -> None:
    """In gevent's order."""
    this = _sys.modules[__name__]
    for name in ("os", "thread", "time", "socket", "select", "ssl", "subprocess", "builtins",
                 "signal", "queue", "contextvars", "sys"):
        if name == "socket" and flags["socket"]:
            patch_socket(dns=flags["dns"])
        elif flags[name]:
            getattr(this, "patch_" + name)()
    if flags["dns"] and not flags["socket"]:
        patch_dns()
