"""gevent.monkey's names. Patching happens below Python, at libc: it works whenever it is called, and replaces no class."""

from . import _bine

SOCKET, DNS, TIME, SELECT, FILE, STDIO, PROCESS, THREAD, SIGNAL = (1 << i for i in range(9))
ALL = (1 << 9) - 1

_prepared = False


def _prepare():
    global _prepared
    if _prepared:
        return
    _prepared = True
    import sysconfig

    # Where CPython itself lives: a shared libpython, or the program.
    python = sysconfig.get_config_var("INSTSONAME") if sysconfig.get_config_var("Py_ENABLE_SHARED") else ""
    for name in (python, "_multiprocessing*"):
        _bine.patch_local_keys(name)
        _bine.patch_threads_as_greenlets(name)


def patch_all():
    _prepare()
    _bine.patch(ALL)
