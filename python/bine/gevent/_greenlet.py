"""The module greenlet where PyPI's package of that name is not installed: what programs ask of it,
on Bine's greenlets.

Each `greenlet` here is one of Bine's, and switch() is a message to one and a wait for the next
message to oneself. That is several times slower than the package, which `pip install
"pybine[gevent]"` brings. One that is suspended and that nobody refers to any more stays suspended;
the package throws GreenletExit into it.
"""

from types import TracebackType
from typing import Any, Callable, Optional, Tuple, Type, Union

from .. import _bine
from .._bine import Event, Greenlet, GreenletExit

error = Greenlet.error

__all__ = ["GreenletExit", "error", "getcurrent", "gettrace", "greenlet", "settrace"]

__version__ = "3.0.0"  # the interface

settrace = Greenlet.settrace
gettrace = Greenlet.gettrace


class _Box:
    """Where one greenlet waits for the message that lets it run again: (value, None),
    or (None, exception)."""

    __slots__ = ("message", "came", "waits")

    def __init__(self) -> None:
        self.message: Tuple[Any, Optional[BaseException]] = (None, None)
        self.came, self.waits = Event(), False

    def put(self, message: Tuple[Any, Optional[BaseException]]) -> None:
        if not self.waits:
            raise error("cannot switch to a greenlet that does not wait in a switch")
        self.message, self.waits = message, False
        self.came.set()

    def wait(self) -> Any:
        try:
            self.came.wait()
        finally:
            self.waits = False
            self.came.clear()
        return _outcome(self.message)


def _outcome(message: Tuple[Any, Optional[BaseException]]) -> Any:
    value, exception = message
    if exception is not None:
        raise exception
    return value


def _box(of: Any) -> _Box:
    """The box of one of ours, or of a Greenlet of Bine's that switches."""
    box = vars(of).get("_box")
    if box is None:
        box = of._box = _Box()
    return box  # type: ignore


def getcurrent() -> Any:
    """The `greenlet` that runs now; outside of one the Greenlet of Bine's."""
    current = _bine.getcurrent()
    return vars(current).get("_greenlet", current)


class _Kind(type):
    """Bine's greenlets pass for greenlets, as gevent's do."""

    def __instancecheck__(cls, thing: Any) -> bool:
        return super().__instancecheck__(thing) or cls is greenlet and isinstance(thing, Greenlet)


class greenlet(metaclass=_Kind):
    """greenlet(run=None, parent=None): runs run(*args, **kwargs), the arguments of the first
    switch(), and goes on in `parent` at its end.

    A greenlet and those that it switches with belong to one OS thread. Each switch lets other
    greenlets of Bine's run as well.
    """

    error, GreenletExit = error, GreenletExit
    getcurrent, settrace, gettrace = (staticmethod(getcurrent), staticmethod(settrace),
                                      staticmethod(gettrace))

    def __init__(self, run: Optional[Callable[..., Any]] = None, parent: Any = None) -> None:
        if run is not None:
            self.run = run
        self.parent = getcurrent() if parent is None else parent
        self.dead = False
        self._carrier: Optional[Greenlet] = None

    def __bool__(self) -> bool:
        return self._carrier is not None and not self.dead

    @property
    def gr_frame(self) -> Any:
        """The frame that it waits in, or None."""
        return self._carrier and self._carrier.gr_frame

    @property
    def gr_context(self) -> Any:
        """Its contextvars.Context, or None."""
        return self._carrier and self._carrier.gr_context

    def switch(self, *args: Any, **kwargs: Any) -> Any:
        """Go on in this greenlet, whose switch() returns the arguments. Returns what the caller is
        switched to with, or raises what is thrown into it."""
        return self._switch(args, kwargs, None)

    def throw(self, type: Union[Type[BaseException], BaseException] = GreenletExit,
              value: Any = None, traceback: Optional[TracebackType] = None) -> Any:
        """switch(), but this greenlet raises the exception."""
        if isinstance(type, BaseException):
            exception = type
        else:
            exception = (value if isinstance(value, BaseException) else type() if value is None
                         else type(value))
        return self._switch((), {}, exception.with_traceback(traceback) if traceback else exception)

    def _switch(self, args: Tuple[Any, ...], kwargs: Any,
                exception: Optional[BaseException]) -> Any:
        target: Any = self
        while isinstance(target, Greenlet) is False and target.dead:
            if isinstance(exception, GreenletExit):
                args, exception = (exception,), None
            target = target.parent
        value = (kwargs if kwargs and not args else (args, kwargs) if kwargs
                 else args[0] if len(args) == 1 else args)
        current = getcurrent()
        if target is current:
            return _outcome((value, exception))
        box = _box(current)
        box.waits = True
        try:
            if not isinstance(target, Greenlet) and target._carrier is None:
                target._begin(args, kwargs, exception)
            else:
                _box(target).put((value, exception))
        except BaseException:
            box.waits = False
            raise
        return box.wait()

    def _begin(self, args: Tuple[Any, ...], kwargs: Any,
               exception: Optional[BaseException]) -> None:
        self._carrier = Greenlet(self._live, args, kwargs, exception)
        self._carrier._greenlet = self  # type: ignore
        self._carrier.start()

    def _live(self, args: Tuple[Any, ...], kwargs: Any, exception: Optional[BaseException]) -> None:
        value = None
        try:
            if exception is not None:
                raise exception
            value = self.run(*args, **kwargs)
        except GreenletExit as reason:
            value, exception = reason, None
        except BaseException as reason:
            exception = reason
        self.dead = True
        parent = self.parent
        while not isinstance(parent, Greenlet) and parent.dead:
            parent = parent.parent
        if not isinstance(parent, Greenlet) and parent._carrier is None:
            parent._begin((value,), {}, exception)
        elif _box(parent).waits:
            _box(parent).put((value, exception))
        elif exception is not None:
            raise exception  # nobody waits for it: the hub tells of it
