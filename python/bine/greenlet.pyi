from typing import Any, Callable, Iterable

from ._bine import Exc, Greenlet as Greenlet, Limit, joinall as joinall

def spawn_raw(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet: ...
def killall(greenlets: Iterable[Greenlet], exception: Exc = ..., block: bool = ...,
            timeout: Limit = ...) -> None: ...
