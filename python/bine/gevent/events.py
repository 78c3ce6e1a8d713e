"""Events of the runtime's life (gevent.events): patching, a hub that is blocked, memory that grows.

A subscriber is a function of one argument, the event, in the list `subscribers`; where the package
zope.event is installed that list is its own, so that zope's handlers hear of the events too. A
package can also declare entry points in the groups that the events' classes name
(ENTRY_POINT_NAME): such a function is called before the subscribers. A subscriber of an event that
says "will patch" may raise DoNotPatch. Any other exception goes to the caller of notify().

Events of the monitor thread are sent on that thread, whose greenlets are not the hub's; everything
else on the thread that causes it. Where zope.interface is installed, the interfaces are interfaces
of it. Nothing here switches.
"""

import sys
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

__all__ = [
    "DoNotPatch", "EventLoopBlocked", "GeventDidPatchAllEvent", "GeventDidPatchBuiltinModulesEvent",
    "GeventDidPatchModuleEvent", "GeventPatchEvent", "GeventWillPatchAllEvent",
    "GeventWillPatchEvent", "GeventWillPatchModuleEvent", "IEventLoopBlocked",
    "IGeventDidPatchAllEvent", "IGeventDidPatchBuiltinModulesEvent", "IGeventDidPatchEvent",
    "IGeventDidPatchModuleEvent",
    "IGeventPatchEvent", "IGeventWillPatchAllEvent", "IGeventWillPatchEvent",
    "IGeventWillPatchModuleEvent", "IMemoryUsageThresholdExceeded", "IMemoryUsageUnderThreshold",
    "IPeriodicMonitorThread", "IPeriodicMonitorThreadStartedEvent", "MemoryUsageThresholdExceeded",
    "MemoryUsageUnderThreshold", "PeriodicMonitorThreadStartedEvent", "subscribers",
]

subscribers: List[Callable[[Any], Any]]

try:
    from zope.event import notify as notify, subscribers as subscribers  # type: ignore
except ImportError:
    subscribers = []

    def notify(event: Any) -> None:
        """Call each subscriber with the event, in the order of the list."""
        for subscriber in subscribers:
            subscriber(event)


def notify_and_call_entry_points(event: Any) -> None:
    """Call the functions that installed packages declared for the event, then each subscriber.
    ImportError if one cannot be imported.

    A gevent that is installed besides declares functions of its own modules: these speak of its own
    patching, and are left out.
    """
    for entry in _entry_points(event.ENTRY_POINT_NAME):
        entry.load()(event)
    notify(event)


@lru_cache(maxsize=1)
def _installed(path: Tuple[str, ...]) -> Any:
    """The entry points of the packages in the folders of `path`. Each package has a file that is
    read, and patch_all() sends many events."""
    from importlib import metadata

    return metadata.entry_points()


def _entry_points(group: str) -> List[Any]:
    found = _installed(tuple(sys.path))
    # The latter up to CPython 3.9.
    entries = found.select(group=group) if hasattr(found, "select") else found.get(group, ())
    return [entry for entry in entries
            if entry.value.partition(":")[0].partition(".")[0] != "gevent"]


class _Declared(type):
    """What is asked of an interface where zope.interface is not installed."""

    def providedBy(cls, object: Any) -> bool:
        return cls.implementedBy(type(object))

    def implementedBy(cls, kind: type) -> bool:
        return any(issubclass(declared, cls) for base in kind.__mro__
                   for declared in vars(base).get("_implements", ()))


if TYPE_CHECKING:
    _zope: Any = None
else:
    try:
        import zope.interface as _zope
    except ImportError:
        _zope = None


class Interface(metaclass=_Declared):
    """The base of the interfaces."""


def Attribute(doc: str) -> Any:
    """A property that objects of the interface have."""
    return property(doc=doc)


def implementer(*interfaces: Any) -> Callable[[type], type]:
    """Declare that objects of a class provide the interfaces."""

    def declare(kind: type) -> type:
        setattr(kind, "_implements", interfaces)
        return kind

    return declare


if _zope is not None:
    globals().update(Interface=_zope.Interface, Attribute=_zope.Attribute,
                     implementer=_zope.implementer)


class IPeriodicMonitorThread(Interface):
    """The thread that watches a hub: hub.periodic_monitoring_thread."""

    # Interfaces name no self.
    def add_monitoring_function(  # type: ignore[misc]
            function: Callable[[Any], Any], period: Optional[float]) -> None:
        """Have the thread call function(hub) about every `period` seconds. None: no more.
        ValueError if the period is not positive."""


class IPeriodicMonitorThreadStartedEvent(Interface):
    """A monitor thread begins: more functions may be added to it."""

    monitor = Attribute("The IPeriodicMonitorThread.")


@implementer(IPeriodicMonitorThreadStartedEvent)
class PeriodicMonitorThreadStartedEvent:
    """Sent on the monitor thread, before its first look."""

    ENTRY_POINT_NAME = "gevent.plugins.hub.periodic_monitor_thread_started"

    def __init__(self, monitor: Any) -> None:
        self.monitor = monitor


class IEventLoopBlocked(Interface):
    """A greenlet has run for longer than config.max_blocking_time without letting others run."""

    greenlet = Attribute("The greenlet that runs.")
    blocking_time = Attribute("Seconds that it has run, about.")
    info = Attribute("The lines of the report.")
    hub = Attribute("The hub that is blocked.")


@implementer(IEventLoopBlocked)
class EventLoopBlocked:
    """Sent on the monitor thread."""

    def __init__(self, greenlet: Any, blocking_time: float, info: List[str], *,
                 hub: Any = None) -> None:
        self.greenlet, self.blocking_time, self.info, self.hub = greenlet, blocking_time, info, hub


class IMemoryUsageThresholdExceeded(Interface):
    """The process uses more memory than config.max_memory_usage."""

    mem_usage = Attribute("Bytes in use.")
    max_allowed = Attribute("Bytes of config.max_memory_usage.")
    memory_info = Attribute("More about it: what psutil says if it is installed, else a named "
                            "tuple with `rss` and `vms`.")


class _MemoryEvent:
    def __init__(self, mem_usage: int, max_allowed: int, memory_info: Any) -> None:
        self.mem_usage, self.max_allowed, self.memory_info = mem_usage, max_allowed, memory_info

    def __repr__(self) -> str:
        return "<%s used=%d max=%d details=%r>" % (type(self).__name__, self.mem_usage,
                                                   self.max_allowed, self.memory_info)


@implementer(IMemoryUsageThresholdExceeded)
class MemoryUsageThresholdExceeded(_MemoryEvent):
    """Sent on the monitor thread when the limit is passed, and again when the
    memory has grown since."""


class IMemoryUsageUnderThreshold(Interface):
    """The process had used more memory than config.max_memory_usage, and uses less again."""

    mem_usage = Attribute("Bytes in use.")
    max_allowed = Attribute("Bytes of config.max_memory_usage.")
    max_memory_usage = Attribute("The most that was seen above the limit, in bytes.")
    memory_info = Attribute("As in IMemoryUsageThresholdExceeded.")


@implementer(IMemoryUsageUnderThreshold)
class MemoryUsageUnderThreshold(_MemoryEvent):
    """Sent on the monitor thread when the memory is below the limit again."""

    def __init__(self, mem_usage: int, max_allowed: int, memory_info: Any, max_usage: int) -> None:
        super().__init__(mem_usage, max_allowed, memory_info)
        self.max_memory_usage = max_usage


class IGeventPatchEvent(Interface):
    """Something is patched."""

    source = Attribute("The module of gevent that stands for what is patched.")
    target = Attribute("The standard library's module that is patched.")


class IGeventWillPatchEvent(IGeventPatchEvent):
    """Something is about to be patched: DoNotPatch keeps it from being so."""


class IGeventDidPatchEvent(IGeventPatchEvent):
    """Something has been patched."""


@implementer(IGeventPatchEvent)
class GeventPatchEvent:
    """The base of the events of patching."""

    def __init__(self, source: Any, target: Any) -> None:
        self.source, self.target = source, target

    def __repr__(self) -> str:
        return "<%s source=%r target=%r>" % (type(self).__name__, self.source, self.target)


@implementer(IGeventWillPatchEvent)
class GeventWillPatchEvent(GeventPatchEvent):
    """The base of the events before patching."""


@implementer(IGeventDidPatchEvent)
class GeventDidPatchEvent(GeventPatchEvent):
    """The base of the events after patching."""


class IGeventWillPatchModuleEvent(IGeventWillPatchEvent):
    """A module is about to be patched."""

    module_name = Attribute("Its name.")
    target_item_names = Attribute(
        "The names that are about to be patched; a subscriber may change the list.")


@implementer(IGeventWillPatchModuleEvent)
class GeventWillPatchModuleEvent(GeventWillPatchEvent):
    """Sent before each module."""

    ENTRY_POINT_NAME = "gevent.plugins.monkey.will_patch_module"

    def __init__(self, module_name: str, source: ModuleType, target: ModuleType,
                 items: List[str]) -> None:
        super().__init__(source, target)
        self.module_name, self.target_item_names = module_name, items


class IGeventDidPatchModuleEvent(IGeventDidPatchEvent):
    """A module has been patched."""

    module_name = Attribute("Its name.")


@implementer(IGeventDidPatchModuleEvent)
class GeventDidPatchModuleEvent(GeventDidPatchEvent):
    """Sent after each module."""

    ENTRY_POINT_NAME = "gevent.plugins.monkey.did_patch_module"

    def __init__(self, module_name: str, source: ModuleType, target: ModuleType) -> None:
        super().__init__(source, target)
        self.module_name = module_name


class _PatchAll:
    """What the events around patch_all() have in common: its arguments."""

    def __init__(self, patch_all_arguments: Dict[str, Any],
                 patch_all_kwargs: Dict[str, Any]) -> None:
        self.source = self.target = None
        self._arguments, self._kwargs = patch_all_arguments, patch_all_kwargs

    @property
    def patch_all_arguments(self) -> Dict[str, Any]:
        """A copy of the arguments that patch_all() knows, by name."""
        return dict(self._arguments)

    @property
    def patch_all_kwargs(self) -> Dict[str, Any]:
        """A copy of the further arguments, which are for the subscribers."""
        return dict(self._kwargs)

    def __repr__(self) -> str:
        return "<%s %r at %x>" % (type(self).__name__, self._arguments, id(self))


class IGeventWillPatchAllEvent(IGeventWillPatchEvent):
    """patch_all() is about to begin."""

    patch_all_arguments = Attribute("The arguments that patch_all() knows, by name.")
    patch_all_kwargs = Attribute("The further arguments, which are for the subscribers.")

    def will_patch_module(module_name: str) -> bool:  # type: ignore[misc, empty-body]  # the same
        """Is that module to be patched?"""


@implementer(IGeventWillPatchAllEvent)
class GeventWillPatchAllEvent(_PatchAll, GeventWillPatchEvent):
    """Sent before all others."""

    ENTRY_POINT_NAME = "gevent.plugins.monkey.will_patch_all"

    def will_patch_module(self, module_name: str) -> bool:
        """Is the module to be patched, as far as patch_all's arguments say?"""
        return bool(self._arguments.get(module_name))


class IGeventDidPatchBuiltinModulesEvent(IGeventDidPatchEvent):
    """patch_all() has patched the standard library's modules."""

    patch_all_arguments = Attribute("The arguments that patch_all() knows, by name.")
    patch_all_kwargs = Attribute(
        "The further arguments: a subscriber patches further modules by them.")


@implementer(IGeventDidPatchBuiltinModulesEvent)
class GeventDidPatchBuiltinModulesEvent(_PatchAll, GeventDidPatchEvent):
    """Sent when the standard library's modules are patched."""

    ENTRY_POINT_NAME = "gevent.plugins.monkey.did_patch_builtins"


class IGeventDidPatchAllEvent(IGeventDidPatchEvent):
    """patch_all() has ended."""


@implementer(IGeventDidPatchAllEvent)
class GeventDidPatchAllEvent(_PatchAll, GeventDidPatchEvent):
    """Sent after all others."""

    ENTRY_POINT_NAME = "gevent.plugins.monkey.did_patch_all"


class DoNotPatch(BaseException):
    """Raised by subscribers of the events before patching: leave it as it is."""
