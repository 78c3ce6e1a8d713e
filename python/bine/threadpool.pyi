from concurrent.futures import Executor
from typing import Any

from .pool import Group

class ThreadPool(Group):
    def __init__(self, maxsize: int = ..., hub: Any = ..., idle_task_timeout: float = ...) -> None: ...
    @property
    def maxsize(self) -> int: ...
    @property
    def size(self) -> int: ...

class ThreadPoolExecutor(Executor):
    def __init__(self, max_workers: int = ..., *args: Any, **kwargs: Any) -> None: ...
