"""How the failure of a greenlet is told: the hub prints a traceback, and the rest goes on."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is not imported for these
if TYPE_CHECKING:
    from typing import Any, Optional


def failure(greenlet: Any, exception: BaseException) -> None:
    """An exception ended `greenlet` (or one of its links)."""
    from .hub import get_hub

    get_hub().handle_error(greenlet, type(exception), exception, exception.__traceback__)


def child_ended(exception: Optional[BaseException]) -> int:
    """In a child, the greenlet that forked has ended, and the process does: what a main program
    does then. The exit status."""
    import atexit

    status = 0 if exception is None else 1
    if isinstance(exception, SystemExit):
        code = exception.code
        if code is None:
            status = 0
        elif isinstance(code, int):
            status = code
        else:
            print(code, file=sys.stderr)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass
    return status & 0xFF
