"""Selectors (gevent.selectors): the module selectors under gevent's name, and GeventSelector.

The objects are the standard library's own, made cooperative from below.
"""

import selectors as _real
from selectors import *

from typing import Any

from ..hub import get_hub
from ._standard import complete

complete(globals(), _real, "select")


class GeventSelector(_real.DefaultSelector):  # type: ignore[misc,valid-type,unused-ignore]
    """selectors.DefaultSelector under gevent's name: select() lets other greenlets run. Several
    greenlets may use one."""

    def __init__(self, hub: Any = None) -> None:
        """`hub` means nothing: a selector belongs to no hub."""
        super().__init__()

    @property
    def hub(self) -> Any:
        """The calling thread's hub."""
        return get_hub()


DefaultSelector = GeventSelector  # type: ignore[misc]

__all__ = ["DefaultSelector", "GeventSelector"]
