"""How the failure of a greenlet is told: the hub prints a traceback, and the rest goes on."""

import sys


def failure(greenlet, exception):
    """An exception ended `greenlet` (or one of its links)."""
    from .hub import get_hub

    get_hub().handle_error(greenlet, type(exception), exception, exception.__traceback__)


def child_ended(exception):
    """In a child, the greenlet that forked has ended, and the process does: what a main program does then. The exit status."""
    import atexit

    status = 0 if exception is None else 1
    if isinstance(exception, SystemExit):
        status = exception.code
        if status is None:
            status = 0
        elif not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            pass
    return status & 0xFF
