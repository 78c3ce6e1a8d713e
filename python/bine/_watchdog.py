"""bine.watchdog(), whose reports have the Python stack."""

from __future__ import annotations

import os

from . import _bine

TYPE_CHECKING = False  # typing is not imported for these
if TYPE_CHECKING:
    from typing import Optional

_prepared: Optional[int] = None  # the signal
_file = -1


def prepare() -> None:
    """faulthandler writes the stack of the thread that gets a signal, without the GIL and without a
    lock, to a file that only the watchdog reads. The watchdog sends the signal to a thread that
    blocks. It is a real-time signal that nobody handles."""
    global _prepared, _file
    if _prepared is not None:
        return
    import faulthandler
    import signal

    for number in range(signal.SIGRTMAX - 1, signal.SIGRTMIN, -1):
        if signal.getsignal(number) is signal.SIG_DFL:
            _file = os.memfd_create("bine python stack")
            faulthandler.register(number, file=_file, all_threads=False, chain=False)
            _prepared = number
            _bine.watchdog_stack(number, _file)
            return


def watchdog(seconds: Optional[float]) -> None:
    """Report on standard error each greenlet that lets no other one run for so long while others
    wait: what it does, its C stack and its Python stack. Watches all threads. None: no more.
    ValueError if seconds is less than 0.001. Any thread; does not switch."""
    if seconds is not None:
        prepare()
    _bine.watchdog(seconds)


def _in_child() -> None:
    """The file is the parent's."""
    global _prepared
    if _prepared is None:
        return
    import faulthandler

    _bine.watchdog_stack(0, -1)
    faulthandler.unregister(_prepared)
    os.close(_file)
    _prepared = None
    prepare()


os.register_at_fork(after_in_child=_in_child)
if os.environ.get("BINE_WATCHDOG"):
    prepare()
