from typing import Any, Callable

from ._bine import Limit, Timeout as Timeout

def with_timeout(seconds: Limit, function: Callable[..., Any], *args: Any, **kwds: Any) -> Any: ...
