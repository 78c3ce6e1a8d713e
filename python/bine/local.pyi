from typing import Any, Dict, List, Tuple

from _thread import _local

from ._bine import Greenlet

def all_local_dicts_for_greenlet(
    greenlet: Greenlet) -> List[Tuple[Tuple[type, int], Dict[str, Any]]]: ...

class local(_local):
    def __copy__(self) -> "local": ...
