"""gevent's exceptions (gevent.exceptions)."""

from .._bine import GreenletExit
from ..exceptions import (BlockingSwitchOutError, ConcurrentObjectUseError, HubDestroyed,
                          InvalidSwitchError, InvalidThreadUseError, LoopExit)

__all__ = [
    "BlockingSwitchOutError", "ConcurrentObjectUseError", "GreenletExit", "HubDestroyed",
    "InvalidSwitchError", "InvalidThreadUseError", "LoopExit",
]
