"""Forking in a greenlet that threading knows, up to CPython 3.12.

threading.current_thread() makes an object for a thread that it did not start, as greenlets are. In
a child that such a thread made by fork, threading takes this object for the main thread's and fails
at its end. Greenlets that log meet that always. So the object is put aside for the moment of the
fork, and the child gets a real one.
"""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False  # typing is not imported for these
if TYPE_CHECKING:
    from typing import Any, Dict

_threading: Any = threading  # no stub names what is inside
_aside: Dict[int, Any] = {}


def _before() -> None:
    ident = threading.get_ident()
    if type(_threading._active.get(ident)) is _threading._DummyThread:
        _aside[ident] = _threading._active.pop(ident)


def _in_parent() -> None:
    thread = _aside.pop(threading.get_ident(), None)
    if thread is not None:
        _threading._active[thread.ident] = thread


def install() -> None:
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_aside.clear)
