"""PyPI's greenlet.greenlet in gevent's place: gevent's greenlets are instances of it, and so are
Bine's for isinstance() and issubclass()."""

import sys
from abc import ABCMeta
from typing import Any

from .._bine import Greenlet


def widen() -> None:
    """Put a subclass in the place of the package's class, once, if the package is installed.

    The subclass makes greenlets of the package's, and its own subclasses are as ever. C code
    that asks by PyGreenlet_Check() is not told that Bine's are of that kind, since it would
    look inside of them."""
    aside: Any = getattr(sys.modules["bine._package"], "_aside")  # bine._bine has imported it
    package = sys.modules.get("greenlet") or aside.get("greenlet")
    kind: Any = getattr(package, "greenlet", None)
    # It is not installed, or has been widened, or is the stand-in.
    if not isinstance(kind, type) or type(kind) is not type:
        return
    theirs = kind

    class greenlet(theirs, metaclass=ABCMeta):  # type: ignore[misc,valid-type,unused-ignore]
        __doc__, __module__, __qualname__ = theirs.__doc__, theirs.__module__, theirs.__qualname__
        __slots__ = ()

        @classmethod
        def __subclasshook__(cls, other: Any) -> Any:
            return (True if cls is greenlet and issubclass(other, (theirs, Greenlet))
                    else NotImplemented)

    setattr(package, "greenlet", greenlet)
