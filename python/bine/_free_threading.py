"""Builds of CPython without a GIL (3.13t, 3.14t). All greenlets of a thread share what the GIL
guards, and Bine's C code relies on it: there Bine runs with the GIL, which CPython turns on again
when an extension is loaded that needs it."""

import sys

_is_gil_enabled = getattr(sys, "_is_gil_enabled", lambda: True)


def load() -> None:
    """Import the extension, which has CPython turn the GIL on. ImportError where it is kept off
    (PYTHON_GIL=0, -X gil=0). Of CPython's warning only a clearer one is left. Does not switch."""
    if _is_gil_enabled():
        return
    if _kept_off():
        raise ImportError(_REFUSAL)
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The global interpreter lock",
                                category=RuntimeWarning)
        from . import _bine  # noqa: F401
    if not _is_gil_enabled():
        raise ImportError(_REFUSAL)
    warnings.warn("bine needs the GIL, and has had CPython turn it on: its greenlets share what "
                  "the GIL guards. OS threads (bine.threadpool) run "
                  "Python code one at a time from now on", RuntimeWarning, stacklevel=3)


def _kept_off() -> bool:
    import os

    asked = sys._xoptions.get("gil", None if sys.flags.ignore_environment
                              else os.environ.get("PYTHON_GIL"))
    return asked == "0"


_REFUSAL = ("bine needs the GIL, which PYTHON_GIL=0 or -X gil=0 keeps off on this build of "
            "CPython: start it without that")
