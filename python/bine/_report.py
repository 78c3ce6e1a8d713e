"""How the failure of a greenlet is told: a traceback on standard error, and the rest goes on."""

import sys
import time
import traceback


def failure(greenlet, exception):
    """Print the traceback of an exception that ended `greenlet` (or one of its links)."""
    stream = sys.stderr
    if stream is None:
        return
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    traceback.print_exception(type(exception), exception, exception.__traceback__, file=stream)
    stream.write("%s %s failed with %s\n\n" % (when, greenlet, type(exception).__name__))
