"""Monkey patching with gevent's names and flags, one level down.

Bine replaces nothing in Python (but ``faulthandler.dump_traceback_later`` up to 3.11, whose thread
must stay a real one): it points libc calls at the runtime, in every library of the process. So it
works whenever it is called, also after ``import ssl, socket, requests``, and C extensions become
cooperative too. The flags of gevent's functions choose families of libc calls.

    python -m bine.monkey script.py args      runs a script with everything patched
"""

import os
import sys

from . import _bine
from ._patched_names import NAMES as _names

_families = {
    "socket": _bine.PATCH_SOCKET, "dns": _bine.PATCH_DNS, "time": _bine.PATCH_TIME,
    "select": _bine.PATCH_SELECT,
    "file": _bine.PATCH_FILE, "stdio": _bine.PATCH_STDIO, "process": _bine.PATCH_PROCESS,
    "thread": _bine.PATCH_THREAD, "signal": _bine.PATCH_SIGNAL, "semaphore": _bine.PATCH_SEMAPHORE,
}

_prepared = False
# The families that a patch function was asked for; importing gevent.socket patches some, too.
_asked = 0

# Functions that are called when the family thread is patched.
_on_thread = []

# Module -> {name: the object that a program gets which asks for the one before patching}.
saved = {}


def _prepare():
    """Once: how CPython itself is to be treated, wherever it lives."""
    global _prepared
    if _prepared:
        return
    _prepared = True
    # Python's locks are semaphores. The mutex and the condition in there are the GIL's own: they
    # stay libc's, with breaks.
    families = (_bine.PATCH_ALL & ~_bine.PATCH_THREAD | _bine.PATCH_SEMAPHORE |
                _bine.PATCH_INTERPRETER)
    for name in (_bine.interpreter_object(), "_multiprocessing*.so"):
        _bine.patch_only(name, families)
        _bine.patch_threads_as_greenlets(name)
    # Greenlets of a thread share connections, and their calls are not to come between the parts of
    # a commit: the thread waits for SQLite's disk.
    for name in ("libsqlite3.so*", "_sqlite3.*so"):
        _bine.patch_time_and_locks(name)
    if sys.version_info < (3, 12):
        _leave_watchdog()


def _leave_watchdog():
    """The one function that is replaced, where CPython does not tell faulthandler's thread, which
    stays a real one, from others."""
    import faulthandler
    from functools import partial, wraps

    original = faulthandler.dump_traceback_later
    saved["faulthandler"] = {"dump_traceback_later": original}
    faulthandler.dump_traceback_later = wraps(original)(
        partial(_bine.call_with_real_threads, original))


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
        for function in _on_thread:
            function()
    if families & (_families["thread"] | _families["semaphore"]):
        _bine._count_tries()
    if families & _families["signal"]:
        _adopt_handlers()


def _ask(*names):
    """The patch functions' `_patch`: it tells is_module_patched as well."""
    global _asked
    if "thread" in names:
        names += ("semaphore",)
    _patch(*names)
    for name in names:
        _asked |= _families[name]
    if "thread" in names:
        # Greenlets have identities of their own. Programs that ask for the original
        # want the OS thread's.
        for module in ("_thread", "threading"):
            saved.setdefault(module, {})["get_ident"] = _bine.thread_ident
        for module, name in (("_thread", "start_new_thread"), ("_thread", "start_new"),
                             ("threading", "_start_new_thread")):
            saved.setdefault(module, {})[name] = _start_real_thread


def _start_real_thread(function, args=(), kwargs={}):  # noqa: B006 (as in _thread; it is only read)
    """_thread.start_new_thread() for those who ask for the original: function(*args, **kwargs) runs
    on an OS thread, whose identity this returns. TypeError, RuntimeError if no thread can be
    started. It switches until the thread runs."""
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")
    began, idents = _bine.Event(), []

    def run():
        idents.append(_bine.thread_ident())
        began.set()
        try:
            function(*args, **kwargs)
        except SystemExit:
            pass

    try:
        _bine.start_real_thread(run)
    except OSError as error:
        raise RuntimeError("can't start new thread") from error
    began.wait()
    return idents[0]


def _adopt_handlers():
    """Handlers that Python installed before now are installed again, through the hook, so that they
    wake the main greenlet."""
    import signal

    for number in signal.valid_signals():
        try:
            handler = signal.getsignal(number)
            if callable(handler):
                signal.signal(number, handler)
        except (ValueError, OSError):
            pass


def patch_all(socket=True, dns=True, time=True, select=True, thread=True, os=True, ssl=True,
              subprocess=True, sys=False, aggressive=True, Event=True, builtins=True, signal=True,
              queue=True, contextvars=True, file=False, **kwargs):
    """Make every blocking call of Python and of all C extensions cooperative; flags
    leave families out.

    ``file``: also opening and syncing of regular files (gevent leaves these blocking). FIFOs, file
    locks and ``sendfile`` never block.
    """
    if kwargs:
        raise TypeError("unknown flags: %s" % ", ".join(sorted(kwargs)))
    chosen = {"socket": socket or ssl, "dns": dns, "time": time, "select": select, "stdio": socket,
              "process": os or subprocess, "thread": thread, "semaphore": queue,
              "signal": signal, "file": file}
    _ask(*(name for name, wanted in chosen.items() if wanted))
    return True


def patch_socket(dns=True, aggressive=True):
    _ask("socket", *(["dns"] if dns else []))


def patch_dns():
    _ask("dns")


def patch_time():
    _ask("time")


def patch_select(aggressive=True):
    _ask("select")


def patch_selectors(aggressive=True):
    _ask("select")


def patch_thread(threading=True, _threading_local=True, Event=True, logging=True,
                 existing_locks=True):
    _ask("thread")


def patch_queue():
    """Python's locks let other greenlets run, of which its queues are made. Threads
    stay threads."""
    _ask("semaphore")


def patch_ssl():
    _ask("socket")


def patch_os():
    _ask("process")


def patch_subprocess():
    _ask("process")


def patch_signal():
    _ask("signal")


def patch_sys(stdin=True, stdout=True, stderr=True):
    _ask("stdio")


def patch_file():
    _ask("file")


def patch_contextvars():
    """Nothing to do: contextvars belong to the greenlet by construction."""


def patch_builtins():
    """Nothing to do: the import lock works."""


def unpatch_all():
    """Put every libc call back, but those by which CPython finds the greenlet's thread state."""
    _bine.unpatch(_bine.PATCH_ALL | _bine.PATCH_SEMAPHORE)


def exclude(library):
    """Leave an extension or library alone: its calls block the thread. A shell pattern of its
    file name: "libfoo.so*"."""
    _bine.patch_exclude(library)


def patient(library):
    """In this library a kill, an exception that is thrown or a timeout ends no wait: it is raised
    at the greenlet's next wait outside. For libraries that end the process at an error that they do
    not know; libzmq, nng, nanomsg, libuv and uvloop are known. A call that never returns by itself
    is never ended. A shell pattern of its file name: "libfoo.so*". MemoryError; OSError (EPERM) if
    pages cannot be written."""
    _bine.patch_patient(library)


def own_threads(library):
    """Make the threads of this library greenlets of the main thread, each with a thread of its own,
    and its waits cooperative. For libraries that keep state per thread and start threads: grpcio is
    "cygrpc*", a shell pattern of its file name. Call it before the library starts threads.

    From then on only the main greenlet and greenlets whose own_thread is True may call the library.
    Calls from others can crash the process. A deadlock of all greenlets is not reported any more.

    Only the main thread may call it. MemoryError; OSError: ENOTSUP (bine.own_thread_refusal() says
    why), EPERM if pages cannot be written."""
    _bine.patch_own_threads(library)


def is_module_patched(mod_name):
    """Has patching of this module of the standard library been asked for, and are the libc
    calls behind it patched?

    False for modules that no family stands behind: sys, builtins, contextvars."""
    names = _names.get("_thread" if mod_name == "thread" else mod_name, ((), ()))[0]
    patched = _bine.patched() & _asked
    return bool(names) and all(patched & _families[name] for name in names)


def is_object_patched(mod_name, item_name):
    """No Python object is replaced for it: true if the module is patched and gevent would
    replace this name of it."""
    return (is_module_patched(mod_name) and
            item_name in _names["_thread" if mod_name == "thread" else mod_name][1])


def is_anything_patched():
    """Has any patch function been called, and is something patched?"""
    return bool(_bine.patched() & _asked)


def get_original(mod_name, item_name):
    """The object before patching; for a list of names a list of objects.

    Bine replaces but one object (see `_leave_watchdog`), so this is mostly the object that is
    there, which is cooperative. `get_ident` of _thread and threading is a function that answers
    with the OS thread's identity in all of its greenlets, and `start_new_thread` of _thread
    starts an OS thread."""
    import importlib

    module, kept = importlib.import_module(mod_name), saved.get(mod_name, {})
    if isinstance(item_name, str):
        return kept[item_name] if item_name in kept else getattr(module, item_name)
    return [kept[name] if name in kept else getattr(module, name) for name in item_name]


def options(args, known):
    """What `args` of a command line say before the program: (flags for patch_all, is the program a
    module, verbose, the program and its arguments).

    --no-NAME leaves one of the `known` names out. With --NAME only the names given so are patched.
    ValueError names an option that is neither."""
    flags, only, module, verbose = {}, set(), False, False
    args = list(args)
    while args and args[0].startswith("-"):
        option = args.pop(0)
        name = option[2:].replace("-", "_")
        if option == "--":
            break
        if option in ("-m", "--module"):
            module = True
            break
        if option == "--verbose":
            verbose = True
        elif option.startswith("--no-") and name[3:] in known:
            flags[name[3:]] = False
        elif option.startswith("--") and name in known:
            only.add(name)
        else:
            raise ValueError(option)
    if only:
        flags = {name: name in only for name in known}
    return flags, module, verbose, args


def run(args, module):
    """Run the program args[0], a path or (with `module`) a module's name, as __main__ with
    the arguments `args`."""
    import runpy

    sys.argv[:] = args
    if module:
        runpy.run_module(args[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(args[0]))
        runpy.run_path(args[0], run_name="__main__")


def main():
    """python -m bine.monkey [--no-NAME ... | --NAME ...] [--verbose]
    [-m module | script.py] args"""
    known = patch_all.__code__.co_varnames[:patch_all.__code__.co_argcount]
    try:
        flags, module, verbose, args = options(sys.argv[1:], known)
    except ValueError as error:
        sys.exit("bine.monkey: unknown option %s\nusage: %s" % (error, main.__doc__))
    if not args:
        sys.exit("usage: %s" % main.__doc__)
    if verbose:
        print("bine.monkey: patch_all(%s)" % ", ".join("%s=%s" % flag for flag in flags.items()),
              file=sys.stderr)
    patch_all(**flags)
    run(args, module)


if __name__ == "__main__":
    # One module object, whether it is imported or run.
    from bine import monkey

    monkey.main()
