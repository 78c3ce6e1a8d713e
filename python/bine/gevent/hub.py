"""The hub (gevent.hub)."""

from typing import Any

from .._bine import Greenlet as RawGreenlet
from .._bine import GreenletExit, idle, iwait, wait
from ..exceptions import HubDestroyed
from ..hub import (Hub, LoopExit, Waiter, get_hub, getcurrent, kill, reinit, set_default_hub_class,
                   set_hub, signal_handler, sleep, spawn_raw)

signal = signal_handler

__all__ = [
    "GreenletExit", "Hub", "HubDestroyed", "LoopExit", "Waiter", "get_hub", "get_loop",
    "getcurrent", "idle", "iwait", "kill", "reinit", "set_default_hub_class", "set_hub", "set_loop",
    "signal", "signal_handler", "sleep", "spawn_raw", "wait",
]


def get_loop() -> Any:
    """The loop of the calling thread's hub."""
    return get_hub().loop


def set_loop(loop: Any) -> None:
    """Make it the loop of the calling thread's hub; None: a new one."""
    hub: Any = get_hub()
    hub.loop = hub.loop_class() if loop is None else loop
