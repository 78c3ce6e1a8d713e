"""What makes a module of gevent's out of one of the standard library's."""

from types import ModuleType
from typing import Any, Dict

_own = {"__name__", "__doc__", "__package__", "__loader__", "__spec__", "__path__", "__file__",
        "__cached__", "__builtins__"}


def complete(names: Dict[str, Any], real: ModuleType, *families: str) -> None:
    """Put each name of `real`, private ones as well, into `names`, the dict of a module of
    gevent's, and make the calls of these families of libc calls cooperative, as gevent's modules
    are without any patching."""
    names.update((name, value) for name, value in vars(real).items() if name not in _own)
    if families:
        from .. import monkey

        monkey._patch(*families)
