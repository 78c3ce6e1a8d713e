from os import fork as fork
from sys import getswitchinterval as getswitchinterval, setswitchinterval as setswitchinterval
from typing import Any, Callable, Tuple

from . import (event as event, exceptions as exceptions, hub as hub, local as local, lock as lock,
               pool as pool, queue as queue, timeout as timeout)
from ._bine import (Greenlet as Greenlet, GreenletExit as GreenletExit, Timeout as Timeout,
                    getcurrent as getcurrent, idle as idle, iwait as iwait, joinall as joinall,
                    metrics as metrics, own_thread_refusal as own_thread_refusal, sleep as sleep,
                    wait as wait)
from .greenlet import killall as killall, spawn_raw as spawn_raw
from ._watchdog import watchdog as watchdog
from .hub import (get_hub as get_hub, kill as kill, reinit as reinit,
                  signal_handler as signal_handler)
from .timeout import with_timeout as with_timeout

__version__: str
version_info: Tuple[int, ...]

def spawn(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet: ...
def spawn_later(seconds: float, function: Callable[..., Any], *args: Any,
                **kwargs: Any) -> Greenlet: ...
signal = signal_handler
