"""Import locks that tell greenlets apart, also where threads are not patched.

The import of a module reads files and runs code, so it may switch. importlib's lock of a module
admits the thread that holds it a second time, for modules that import each other in a circle. To
such a lock all greenlets of a thread are one, and a second greenlet would be given a module that is
half there. So importlib is given a _thread module of its own, with the greenlet's identity and with
locks that park the greenlet.
"""

from __future__ import annotations

import _thread

from ._bine import Semaphore, greenlet_ident

TYPE_CHECKING = False  # typing is not imported for these
if TYPE_CHECKING:
    from typing import Any

_names = type(_thread)("_thread", _thread.__doc__)


def _allocate_lock() -> Semaphore:
    return Semaphore(1)


def install() -> None:
    """Give importlib these names, once. Where Bine itself is imported in a greenlet, of a program
    in C, importlib keeps its own: it has locked this import under another identity."""
    import _frozen_importlib

    frozen: Any = _frozen_importlib
    if getattr(frozen, "_thread", None) is not _thread or greenlet_ident() != _thread.get_ident():
        return
    vars(_names).update(vars(_thread), get_ident=greenlet_ident, allocate_lock=_allocate_lock)
    frozen._thread = _names
