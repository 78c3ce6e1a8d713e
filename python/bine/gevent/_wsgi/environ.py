"""What pywsgi has besides its server: environment dicts that keep secrets out of logs,
and adapters for logs."""

from typing import Any, Iterable, Iterator, Tuple


class Environ(dict):  # type: ignore[type-arg]
    """The base of dicts that may serve as WSGI environments."""

    __slots__ = ()

    def copy(self) -> "Environ":
        """A copy of the same class."""
        return self.__class__(self)

    def iteritems(self) -> Iterator[Tuple[Any, Any]]:
        """The items, one by one."""
        return iter(self.items())


class SecureEnviron(Environ):
    """An environment whose values do not appear when it is printed, as they may be
    passwords and cookies.

    secure_repr = False prints it as a dict. whitelist_keys: a container of keys that are
    printed; print_masked_keys says whether the others' names are. The default_ attributes of the
    class are what a new one has.
    """

    default_secure_repr = True
    default_whitelist_keys: Any = ()
    default_print_masked_keys = True

    __slots__ = ("secure_repr", "whitelist_keys", "print_masked_keys")

    def __getattr__(self, name: str) -> Any:
        if name in SecureEnviron.__slots__:
            return getattr(type(self), "default_" + name)
        raise AttributeError(name)

    def __repr__(self) -> str:
        if not self.secure_repr:
            return dict.__repr__(self)
        shown = self.whitelist_keys
        if not shown:
            return "<pywsgi.%s dict (keys: %d) at %s>" % (self.__class__.__name__,
                                                          len(self), id(self))
        if self.print_masked_keys:
            return repr({key: value if key in shown else "<MASKED>" for key, value in self.items()})
        known = {key: value for key, value in self.items() if key in shown}
        text = repr(known)
        return text[:-1] + "%s(hidden keys: %d)}" % (", " if known else "", len(self) - len(known))

    __str__ = __repr__


class WSGISecureEnviron(SecureEnviron):
    """One that shows a few harmless variables, and how many others there are."""

    default_whitelist_keys = ("REMOTE_ADDR", "REMOTE_PORT", "HTTP_HOST")
    default_print_masked_keys = False

    __slots__ = ()


class LoggingLogAdapter:
    """Makes of a logging.Logger a log that WSGIServer writes to, at `level`. Other attributes are
    the logger's own, read and written."""

    __slots__ = ("_logger", "_level")

    def __init__(self, logger: Any, level: int = 20) -> None:
        object.__setattr__(self, "_logger", logger)
        object.__setattr__(self, "_level", level)

    def write(self, msg: str) -> None:
        """Log the message, without spaces and line ends at its end."""
        self._logger.log(self._level, msg.rstrip() if msg else msg)

    def flush(self) -> None:
        """Nothing is kept back."""

    def writelines(self, lines: Iterable[str]) -> None:
        """write() for each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logger, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in LoggingLogAdapter.__slots__:
            object.__setattr__(self, name, value)
        else:
            setattr(self._logger, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._logger, name)


class NoLog:
    """The log that nothing is written to."""

    def write(self, *args: Any, **kwargs: Any) -> None:
        """Nothing."""

    flush = writelines = write
