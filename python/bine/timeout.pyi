from typing import Any, Callable, Optional

from ._bine import Timeout as Timeout

def with_timeout(seconds: Optional[float], function: Callable[..., Any], *args: Any, **kwds: Any) -> Any: ...
