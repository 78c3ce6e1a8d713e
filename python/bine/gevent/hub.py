"""The hub (gevent.hub)."""

from .._bine import GreenletExit, idle, iwait, wait
from ..exceptions import HubDestroyed
from ..hub import (Hub, LoopExit, Waiter, get_hub, getcurrent, kill, reinit, signal_handler, sleep, spawn_raw)

signal = signal_handler

__all__ = [
    "GreenletExit", "Hub", "HubDestroyed", "LoopExit", "Waiter", "get_hub", "getcurrent", "idle", "iwait", "kill", "reinit", "signal", "signal_handler",
    "sleep", "spawn_raw", "wait",
]
