"""Forking in a greenlet that threading knows, up to CPython 3.12.

threading.current_thread() makes an object for a thread that it did not start, as greenlets are. In a child that such a thread made by fork,
threading takes this object for the main thread's and fails at its end. Greenlets that log meet that always. So the object is put aside
for the moment of the fork, and the child gets a real one.
"""

import os
import threading

_aside = {}


def _before():
    ident = threading.get_ident()
    if type(threading._active.get(ident)) is threading._DummyThread:
        _aside[ident] = threading._active.pop(ident)


def _in_parent():
    thread = _aside.pop(threading.get_ident(), None)
    if thread is not None:
        threading._active[thread.ident] = thread


def install():
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_aside.clear)
