"""What helps to see into a program: the greenlet in each line of a log, and a
report of all greenlets."""

import logging

from ._bine import getcurrent
from .gevent.util import print_run_info

__all__ = ["GreenletFilter", "print_run_info"]


class GreenletFilter(logging.Filter):
    """Gives each record the name of the greenlet that logs it, as `greenlet`, for a
    format with %(greenlet)s.

        handler = logging.StreamHandler()
        handler.addFilter(GreenletFilter())
        handler.setFormatter(logging.Formatter("%(asctime)s %(greenlet)s %(message)s"))

    Like logging's own filters it takes a name: then it lets only records of that logger and of its
    children pass. Add it to a handler, because a logger's filters do not see what its children log.
    The name is greenlet.name ("Greenlet-3" until the program sets one), also of a thread that runs
    as a greenlet. Any thread; does not switch."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set record.greenlet. True unless the record is of another logger."""
        record.greenlet = getcurrent().name
        return bool(super().filter(record))
