"""gevent's settings: the object that is `gevent.config`.

Each setting is an attribute. Its value is what the program assigned; else what the environment
says, which is looked at when the setting is first read; else the default. A value that makes no
sense raises ValueError (ImportError where a class is named) when it is assigned or first read, and
the error names the setting and its variable in the environment. Any thread; nothing here switches.
"""

import importlib
import os
from typing import Any, Callable, Dict, Generic, List, Optional, TypeVar, overload

T = TypeVar("T")

_TRUE, _FALSE = ("1", "true", "on", "yes"), ("0", "false", "off", "no", "")
_SUFFIXES = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in _TRUE + _FALSE:
            raise ValueError("not a boolean (1, true, on, yes; 0, false, off, no): %r" % value)
        return word in _TRUE
    return bool(value)


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not seconds >= 0:
        raise ValueError("not a number of seconds: %r" % (value,))
    return seconds


def _optional_seconds(value: Any) -> Optional[float]:
    return None if value is None or value == "" else _seconds(value)


def _number(value: Any) -> float:
    return float(value)


def _size(value: Any) -> Optional[int]:
    """Bytes, as a number or as text that may end with kb, mb or gb."""
    if value is None or value == "":
        return None
    unit = 1
    if isinstance(value, str):
        text = value.strip().lower()
        unit = _SUFFIXES.get(text[-2:], 1)
        value = text[:-2] if unit > 1 else text
    size = int(value) * unit
    if size <= 0:
        raise ValueError("not a positive number of bytes: %r" % (value,))
    return size


def _strings(value: Any) -> Optional[List[str]]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if value else None


def _frames(value: Any) -> Optional[bool]:
    """PYTHONTRACEMALLOC is a number of frames, 0 for none."""
    return None if value is None else value not in _FALSE


def _track(wanted: bool) -> None:
    """Note the innermost frames of the spawner for each new greenlet, or no more."""
    from .. import _spawning

    _spawning.track(wanted)


def _monitor(wanted: bool) -> None:
    """Watch the thread that says so; hubs of other threads look at the setting when
    they are made."""
    if wanted:
        from .hub import get_hub

        get_hub().start_periodic_monitoring_thread()


def _as_it_is(value: Any) -> Any:
    return value


class Setting(Generic[T]):
    """One setting: an attribute of Config. `name` and `environment_key` say how it is called,
    __doc__ what it does."""

    name: str

    def __init__(self, environment_key: str, default: Any, convert: Callable[[Any], T], doc: str,
                 apply: Optional[Callable[[T], None]] = None) -> None:
        """`apply` is called with what the program or the environment says, not with the default."""
        self.environment_key, self.default, self._convert, self.__doc__ = (
            environment_key, default, convert, doc)
        self._apply = apply

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, config: None, owner: Optional[type] = None) -> "Setting[T]": ...
    @overload
    def __get__(self, config: "Config", owner: Optional[type] = None) -> T: ...

    def __get__(self, config: Optional["Config"], owner: Optional[type] = None) -> Any:
        if config is None:
            return self
        values = config.__dict__
        if self.name not in values:
            if self.environment_key in os.environ:
                self.__set__(config, os.environ[self.environment_key])
            else:
                values[self.name] = self.check(self.default)
        return values[self.name]

    def __set__(self, config: "Config", value: Any) -> None:
        config.__dict__[self.name] = checked = self.check(value)
        if self._apply is not None:
            self._apply(checked)

    def check(self, value: Any) -> T:
        """The value as the setting keeps it. ValueError, TypeError or ImportError,
        which names the setting."""
        try:
            return self._convert(value)
        except (ValueError, TypeError, ImportError) as error:
            raise type(error)("%s (%s): %s" % (self.name, self.environment_key, error)) from error


class _Importable:
    """A class or function: itself, or how it is called (a short name or package.module.name),
    or several of these of which the first that can be imported is taken (in the environment
    with commas between)."""

    def __init__(self, **short: str) -> None:
        self.short = {name.replace("_", "-"): path for name, path in short.items()}

    def _load(self, name: str) -> Any:
        module, _, attribute = self.short.get(name, name).rpartition(".")
        if not module:
            raise ImportError("cannot import %r: give package.module.name, or one of %s" %
                              (name, ", ".join(sorted(self.short)) or "-"))
        loaded = importlib.import_module(module)
        try:
            return getattr(loaded, attribute)
        except AttributeError:
            raise ImportError("cannot import %r: %s has no %s" %
                              (name, module, attribute)) from None

    def __call__(self, value: Any) -> Any:
        names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)):
            if not callable(names):
                raise TypeError("neither a name nor callable: %r" % (value,))
            return names
        failure: Optional[ImportError] = None
        for name in names:
            if callable(name):
                return name
            try:
                return self._load(name)
            except ImportError as error:
                failure = failure or error
        raise failure or ImportError("no name given")


_HERE = __name__.rpartition(".")[0]
_loop = _HERE + ".core.loop"


class Config:
    """gevent's settings by name. Further attributes may be assigned; Bine looks at none of them."""

    resolver = Setting[Any]("GEVENT_RESOLVER", "bine", _Importable(
        bine=_HERE + ".resolver.bine.Resolver", thread=_HERE + ".resolver.thread.Resolver",
        block=_HERE + ".resolver.blocking.Resolver", blocking=_HERE + ".resolver.blocking.Resolver",
        dnspython=_HERE + ".resolver.dnspython.Resolver", ares=_HERE + ".resolver.ares.Resolver"),
        "The class of hub.resolver: bine (the default: the runtime's own look-ups), thread, block, "
        "dnspython, or ares (by the package pycares).")
    resolver_nameservers = Setting[Optional[List[str]]](
        "GEVENT_RESOLVER_NAMESERVERS", None, _strings,
        "Addresses of the name servers that dnspython and ares ask, in the environment with commas "
        "between. None: those of /etc/resolv.conf.")
    resolver_timeout = Setting[Optional[float]]("GEVENT_RESOLVER_TIMEOUT", None, _optional_seconds,
        "Seconds that dnspython and ares spend on a look-up. None: their own default.")
    threadpool = Setting[Any]("GEVENT_THREADPOOL", _HERE + ".threadpool.ThreadPool", _Importable(),
        "The class of hub.threadpool, called with the number of threads and hub=.")
    threadpool_idle_task_timeout = Setting[float](
        "GEVENT_THREADPOOL_IDLE_TASK_TIMEOUT", 5.0, _number,
        "Accepted. Threads are shared by all pools of the process, and the runtime ends those "
        "that are idle.")
    loop = Setting[Any]("GEVENT_LOOP", "libev-cext", _Importable(
        libev_cext=_loop, libev_cffi=_loop, libuv_cffi=_loop, libuv=_loop, bine=_loop),
        "The class of hub.loop. All of gevent's names mean Bine's; the poller is chosen by "
        "BINE_POLLER.")
    libev_backend = Setting[Optional[str]]("GEVENT_BACKEND", None, _as_it_is,
        "Accepted. The poller is chosen by BINE_POLLER.")
    fileobject = Setting[Any]("GEVENT_FILE", "posix", _Importable(
        posix=_HERE + ".fileobject.FileObjectPosix", thread=_HERE + ".fileobject.FileObjectThread",
        block=_HERE + ".fileobject.FileObjectBlock"),
        "What gevent.fileobject.FileObject is, from the import of that module on: posix, "
        "thread or block.")
    format_context = Setting[Callable[[Any], str]](
        "GEVENT_FORMAT_CONTEXT", "pprint.saferepr", _Importable(),
        "The function that makes text of a failed greenlet, or another context, for the "
        "hub's reports.")
    disable_watch_children = Setting[bool]("GEVENT_NOWAITPID", False, _boolean,
        "Accepted. Children are waited for by their descriptors (pidfd); nobody's SIGCHLD "
        "is touched.")
    trace_malloc = Setting[Optional[bool]]("PYTHONTRACEMALLOC", None, _frames,
        "Accepted. The interpreter itself obeys PYTHONTRACEMALLOC.")
    track_greenlet_tree = Setting[bool]("GEVENT_TRACK_GREENLET_TREE", True, _boolean,
        "Do greenlets note where they were spawned (spawning_stack)? That takes longer than a "
        "spawn, so only if the program or the environment says so."
        " They note who spawned them (spawning_greenlet, spawn_tree_locals) in any case.", _track)
    monitor_thread = Setting[bool]("GEVENT_MONITOR_THREAD_ENABLE", False, _boolean,
        "Does each hub start a thread that watches it (max_blocking_time, max_memory_usage)? "
        "hub.start_periodic_monitoring_thread() does so later.", _monitor)
    max_blocking_time = Setting[float]("GEVENT_MAX_BLOCKING_TIME", 0.1, _seconds,
        "Seconds that a greenlet may run without letting others run before the monitor thread "
        "reports it. 0: it never does.")
    print_blocking_reports = Setting[bool]("GEVENT_MONITOR_PRINT_BLOCKING_REPORTS", True, _boolean,
        "Does the monitor thread print its reports to the hub's exception stream? The event "
        "EventLoopBlocked is sent in any case.")
    memory_monitor_period = Setting[float]("GEVENT_MONITOR_MEMORY_PERIOD", 5.0, _seconds,
        "Seconds between two looks of the monitor thread at the memory of the process; at least 2.")
    max_memory_usage = Setting[Optional[int]]("GEVENT_MONITOR_MEMORY_MAX", None, _size,
        "Bytes (text may end with kb, mb, gb). Above it the monitor thread sends "
        "MemoryUsageThresholdExceeded. None: it does not look.")
    ares_flags = Setting[Any]("GEVENTARES_FLAGS", None, _as_it_is, "Flags of c-ares.")
    ares_timeout = Setting[Any]("GEVENTARES_TIMEOUT", None, _optional_seconds,
                                "As resolver_timeout, for ares only.")
    ares_tries = Setting[Any]("GEVENTARES_TRIES", None, _as_it_is,
                              "How often ares asks each name server.")
    ares_ndots = Setting[Any]("GEVENTARES_NDOTS", None, _as_it_is,
                              "From how many dots on ares asks for a name as it is first.")
    ares_udp_port = Setting[Any]("GEVENTARES_UDP_PORT", None, _as_it_is,
                                 "The port of the name servers that ares asks.")
    ares_tcp_port = Setting[Any]("GEVENTARES_TCP_PORT", None, _as_it_is, "The same for TCP.")
    ares_servers = Setting[Optional[List[str]]]("GEVENTARES_SERVERS", None, _strings,
                                                "As resolver_nameservers, for ares only.")

    @property
    def settings(self) -> Dict[str, "Setting[Any]"]:
        """All settings by name."""
        return {name: value
                for name, value in vars(type(self)).items() if isinstance(value, Setting)}

    def __repr__(self) -> str:
        return "<%s %s>" % (type(self).__name__,
                            " ".join("%s=%r" % pair for pair in sorted(vars(self).items())))


config = Config()
if "GEVENT_TRACK_GREENLET_TREE" in os.environ:
    config.track_greenlet_tree  # it acts when it is read
