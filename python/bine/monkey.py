"""Monkey patching with gevent's names and flags, one level down.

Bine replaces nothing in Python (but ``faulthandler.dump_traceback_later`` up to 3.11, whose thread must stay a real one): it points libc
calls at the runtime, in every library of the process. So it works whenever it is called, also after ``import ssl, socket, requests``,
and C extensions become cooperative too. The flags of gevent's functions choose families of libc calls.

    python -m bine.monkey script.py args      runs a script with everything patched
"""

import os
import sys

from . import _bine

_families = {
    "socket": 1 << 0, "dns": 1 << 1, "time": 1 << 2, "select": 1 << 3, "file": 1 << 4, "stdio": 1 << 5, "process": 1 << 6,
    "thread": 1 << 7, "signal": 1 << 8,
}

# gevent's module names, and what their calls come down to.
_modules = {
    "socket": ("socket",), "dns": ("dns",), "time": ("time",), "select": ("select",), "selectors": ("select",),
    "thread": ("thread",), "_thread": ("thread",), "threading": ("thread",), "_threading_local": ("thread",),
    "queue": ("thread",), "_queue": ("thread",), "ssl": ("socket",), "_ssl": ("socket",), "os": ("process",),
    "subprocess": ("process",), "signal": ("signal",), "sys": ("stdio",), "contextvars": (), "builtins": (), "file": ("file",),
}

_prepared = False
saved = {}


def _prepare():
    """Once: how CPython itself is to be treated, wherever it lives."""
    global _prepared
    if _prepared:
        return
    _prepared = True
    # Python's locks are semaphores. The mutex and the condition in there are the GIL's own: they stay libc's, with breaks.
    semaphores, with_breaks = 1 << 20, 1 << 21
    for name in (_bine.interpreter_object(), "_multiprocessing*.so"):
        _bine.patch_only(name, ((1 << 9) - 1) & ~_families["thread"] | semaphores | with_breaks)
        _bine.patch_threads_as_greenlets(name)
    if sys.version_info < (3, 12):
        _leave_watchdog()


def _leave_watchdog():
    """The one function that is replaced, where CPython does not tell faulthandler's thread, which stays a real one, from others."""
    import faulthandler
    from functools import partial, wraps

    original = faulthandler.dump_traceback_later
    saved["faulthandler"] = {"dump_traceback_later": original}
    faulthandler.dump_traceback_later = wraps(original)(partial(_bine.call_with_real_threads, original))


def _patch(*names):
    if _bine.disabled():
        return
    families = 0
    for name in names:
        families |= _families[name]
    if not families:
        return
    _prepare()
    _bine.patch(families)
    if families & _families["thread"]:
        _bine._learn_identity()
    if families & _families["signal"]:
        _adopt_handlers()


def _adopt_handlers():
    """Handlers that Python installed before now are installed again, through the hook, so that they wake the main greenlet."""
    import signal

    for number in signal.valid_signals():
        try:
            handler = signal.getsignal(number)
            if callable(handler):
                signal.signal(number, handler)
        except (ValueError, OSError):
            pass


def patch_all(socket=True, dns=True, time=True, select=True, thread=True, os=True, ssl=True, subprocess=True, sys=False,
              aggressive=True, Event=True, builtins=True, signal=True, queue=True, contextvars=True, file=False, **kwargs):
    """Make every blocking call of Python and of all C extensions cooperative; flags leave families out.

    ``file``: also opening and syncing of regular files (gevent leaves these blocking). FIFOs, file locks and ``sendfile`` never block.
    """
    if kwargs:
        raise TypeError("unknown flags: %s" % ", ".join(sorted(kwargs)))
    chosen = {"socket": socket or ssl, "dns": dns, "time": time, "select": select, "stdio": socket, "process": os or subprocess,
              "thread": thread, "signal": signal, "file": file}
    _patch(*(name for name, wanted in chosen.items() if wanted))
    return True


def patch_socket(dns=True, aggressive=True):
    _patch("socket", *(["dns"] if dns else []))


def patch_dns():
    _patch("dns")


def patch_time():
    _patch("time")


def patch_select(aggressive=True):
    _patch("select")


def patch_selectors(aggressive=True):
    _patch("select")


def patch_thread(threading=True, _threading_local=True, Event=True, logging=True, existing_locks=True):
    _patch("thread")


def patch_queue():
    _patch("thread")


def patch_ssl():
    _patch("socket")


def patch_os():
    _patch("process")


def patch_subprocess():
    _patch("process")


def patch_signal():
    _patch("signal")


def patch_sys(stdin=True, stdout=True, stderr=True):
    _patch("stdio")


def patch_file():
    _patch("file")


def patch_contextvars():
    """Nothing to do: contextvars belong to the greenlet by construction."""


def patch_builtins():
    """Nothing to do: the import lock works."""


def unpatch_all():
    """Put every libc call back, but those by which CPython finds the greenlet's thread state."""
    _bine.unpatch((1 << 9) - 1)


def exclude(library):
    """Leave an extension or library alone: its calls block the thread. A shell pattern of its file name: "libfoo.so*"."""
    _bine.patch_exclude(library)


def is_module_patched(mod_name):
    """Have the libc calls behind this module been patched?"""
    names = _modules.get(mod_name)
    if names is None:
        return False
    patched = _bine.patched()
    return bool(patched) and all(patched & _families[name] for name in names)


def is_object_patched(mod_name, item_name):
    """No Python object is replaced for it; true if what the module's objects call is patched."""
    return is_module_patched(mod_name)


def is_anything_patched():
    return _bine.patched() != 0


def get_original(mod_name, item_name):
    """gevent's answer is the object before patching. Bine replaces but one (see `_leave_watchdog`), so this is mostly the object that is there."""
    import importlib

    module, kept = importlib.import_module(mod_name), saved.get(mod_name, {})
    if isinstance(item_name, str):
        return kept.get(item_name) or getattr(module, item_name)
    return [kept.get(name) or getattr(module, name) for name in item_name]


def main():
    """python -m bine.monkey [--no-FAMILY ...] [--module] script.py args"""
    import runpy

    args = sys.argv[1:]
    flags, module = {}, False
    while args and args[0].startswith("--"):
        option = args.pop(0)
        if option == "--":
            break
        if option == "--module":
            module = True
        elif option.startswith("--no-"):
            flags[option[5:].replace("-", "_")] = False
        elif option in ("--verbose",):
            pass
        elif option[2:] in _families or option[2:] in _modules:
            flags[option[2:]] = True
        else:
            sys.exit("usage: %s" % main.__doc__)
    if not args:
        sys.exit("usage: %s" % main.__doc__)
    try:
        patch_all(**flags)
    except TypeError as error:
        sys.exit("bine.monkey: %s" % error)
    sys.argv[:] = args
    if module:
        runpy.run_module(args[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(args[0]))
        runpy.run_path(args[0], run_name="__main__")


if __name__ == "__main__":
    # One module object, whether it is imported or run.
    from bine import monkey

    monkey.main()
