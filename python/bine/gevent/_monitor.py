"""The thread that watches a hub: hub.start_periodic_monitoring_thread(), or config.monitor_thread.

It is a real thread, whatever is patched, and looks whether the hub's greenlets let each other run
(config.max_blocking_time) and how much memory the process uses (config.max_memory_usage). Further
functions can be added, by hub.periodic_monitoring_thread.add_monitoring_function(). It costs the
greenlets nothing but the GIL, which it takes for each look.

bine.watchdog() cannot take the place of its looks. The watchdog has one limit for the process, this
thread one for its hub, which may change. The watchdog reports a greenlet only while others wait for
the hub, this thread, as gevent's, also a greenlet that is alone. The watchdog never takes the GIL,
but an event here has the greenlet's object, and subscribers are called with it. A call that keeps
the GIL is reported by the watchdog while it lasts, and by this thread only afterwards, if at all.
"""

import os
import sys
import time
import traceback
import weakref
from collections import namedtuple
from typing import Any, Callable, List, Optional, Tuple

from .. import _bine
from .._bine import getcurrent
from . import events, util
from ._config import config

MIN_MEMORY_MONITOR_PERIOD = 2.0
_MemoryInfo = namedtuple("_MemoryInfo", "rss, vms")


class _Entry:
    """A function that is called about every `period` seconds."""

    def __init__(self, function: Callable[[Any], Any], period: float) -> None:
        self.function, self.period, self.last = function, period, time.monotonic()


@events.implementer(events.IPeriodicMonitorThread)
class PeriodicMonitoringThread:
    """Watches a hub from a real thread. Its functions are called on that thread, with the hub; one
    that fails is told, and is called again."""

    inactive_sleep_time = 2.0  # seconds between two looks when there is nothing to look at
    min_sleep_time = 0.005

    def __init__(self, hub: Any) -> None:
        """In the thread that is to be watched."""
        self._hub = weakref.ref(hub)
        self.pid = os.getpid()
        self.should_run = True
        self._meter = util.Meter()
        self._reported: Optional[int] = None
        self._ignored: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self._blocking = _Entry(self.monitor_blocking, 0.0)
        self._added: List[_Entry] = []
        self._peak: Optional[int] = None
        if config.max_memory_usage:
            self.install_monitor_memory_usage()
        _bine.start_real_thread(self._run)

    @property
    def hub(self) -> Any:
        """The hub; None if it is gone."""
        return self._hub()

    def __repr__(self) -> str:
        return "<%s at 0x%x in process %d for %r%s>" % (type(self).__name__, id(self),
                                                        self.pid, self.hub,
                                                        "" if self.should_run else " ended")

    def kill(self) -> None:
        """End soon. Does not wait."""
        self.should_run = False

    # -- what it looks at

    def monitoring_functions(self) -> List[_Entry]:
        """What is called: `function` and `period` (seconds) of each."""
        limit = config.max_blocking_time
        if limit <= 0:
            return list(self._added)
        self._blocking.period = limit / 2
        return [self._blocking] + self._added

    def add_monitoring_function(self, function: Callable[[Any], Any],
                                period: Optional[float]) -> None:
        """Call function(hub) on this thread about every `period` seconds from now on. None: no
        more. ValueError if the period is not positive. Any thread."""
        if not callable(function):
            raise ValueError("function must be callable: %r" % (function,))
        others = [entry for entry in self._added if entry.function != function]
        if period is None:
            self._added = others
        elif period <= 0:
            raise ValueError("period must be positive: %r" % (period,))
        else:
            self._added = others + [_Entry(function, period)]

    def calculate_sleep_time(self) -> float:
        """Seconds until the next look."""
        periods = [entry.period for entry in self.monitoring_functions()]
        return max(min(periods), self.min_sleep_time) if periods else self.inactive_sleep_time

    def _run(self) -> None:
        started = events.PeriodicMonitorThreadStartedEvent(self)
        self._call(lambda hub: events.notify_and_call_entry_points(started), self.hub)
        while self.should_run:
            time.sleep(self.calculate_sleep_time())
            hub = self.hub
            if hub is None or not self.should_run or self._meter.look() is None:
                break  # the hub, or its thread, has ended
            now = time.monotonic()
            for entry in self.monitoring_functions():
                if now - entry.last >= entry.period:
                    entry.last = now
                    self._call(entry.function, hub)
            del hub
        self.should_run = False

    def _call(self, function: Callable[[Any], Any], hub: Any) -> None:
        try:
            function(hub)
        except Exception:
            if not sys.is_finalizing():
                traceback.print_exc()

    # -- greenlets that do not let others run

    def ignore_current_greenlet_blocking(self) -> None:
        """The current greenlet is not reported."""
        self._ignored.add(getcurrent())

    def monitor_current_greenlet_blocking(self) -> None:
        """The current greenlet is reported again."""
        self._ignored.discard(getcurrent())

    def monitor_blocking(self, hub: Any) -> Optional[Tuple[Any, List[str]]]:
        """Report the greenlet that runs if it has done so for longer than config.max_blocking_time:
        once. The greenlet and the lines, or None."""
        seconds, meter = self._meter.look(), self._meter
        greenlet, frame, switches = meter.running, meter.frame, meter.switches
        if (not seconds or seconds < config.max_blocking_time or greenlet is None or
            switches == self._reported or greenlet in self._ignored):
            return None
        self._reported = switches
        lines = self._report(hub, greenlet, frame, seconds)
        del frame
        if config.print_blocking_reports:
            stream = hub.exception_stream
            if stream:
                stream.write("\n".join(lines) + "\n")
        events.notify(events.EventLoopBlocked(greenlet, seconds, lines, hub=hub))
        return greenlet, lines

    def _report(self, hub: Any, greenlet: Any, frame: Any, seconds: float) -> List[str]:
        if frame is None:  # a main greenlet: its thread's own state
            frame = sys._current_frames().get(getattr(hub, "thread_ident", None) or 0)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        lines = ["=" * 80,
                 "%s : Greenlet %r appears to be blocked: it has let nobody run for %.3f s" %
                 (when, greenlet, seconds), "    Reported by %r" % (self,), "Blocked Stack:"]
        lines += ("".join(traceback.format_stack(frame)).splitlines() if frame is not None
                  else ["    (not known)"])
        lines.append("Info:")
        util.format_greenlets(lines, False, None, greenlet)
        return lines

    # -- memory

    def can_monitor_memory_usage(self) -> bool:
        """Is the memory of the process known?"""
        return _memory() is not None

    def install_monitor_memory_usage(self) -> None:
        """Look at the memory every config.memory_monitor_period seconds, at least 2."""
        self.add_monitoring_function(self.monitor_memory_usage,
                                     max(config.memory_monitor_period, MIN_MEMORY_MONITOR_PERIOD))

    def monitor_memory_usage(self, _hub: Any) -> Any:
        """Send an event if the memory has passed config.max_memory_usage, has grown since, or is
        below it again. The event, or None."""
        limit, used = config.max_memory_usage, _memory()
        if not limit or used is None:
            return None
        usage, info = used
        event: Any = None
        if usage > limit:
            if self._peak is None or usage > self._peak:
                self._peak = usage
                event = events.MemoryUsageThresholdExceeded(usage, limit, info)
        elif self._peak is not None:
            event = events.MemoryUsageUnderThreshold(usage, limit, info, self._peak)
            self._peak = None
        if event is not None:
            events.notify(event)
        return event


def _memory() -> Optional[Tuple[int, Any]]:
    """Bytes that the process alone uses, and more about it: psutil's answer if it is installed,
    else what /proc says of resident memory."""
    try:
        import psutil  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        pass
    else:
        info = psutil.Process().memory_full_info()
        return info.uss, info
    try:
        with open("/proc/self/statm") as file:
            pages = file.read().split()
    except OSError:
        return None
    size = os.sysconf("SC_PAGE_SIZE")
    return int(pages[1]) * size, _MemoryInfo(int(pages[1]) * size, int(pages[0]) * size)


_all: "weakref.WeakSet[PeriodicMonitoringThread]" = weakref.WeakSet()


def start(hub: Any) -> PeriodicMonitoringThread:
    """A monitor for the hub of the current thread."""
    monitor = PeriodicMonitoringThread(hub)
    _all.add(monitor)
    return monitor


def _in_child() -> None:
    """The thread that forked is the only one in the child: the monitor of its hub begins
    anew, others have ended."""
    for monitor in list(_all):
        if monitor.should_run and monitor._meter.here():
            monitor.pid = os.getpid()
            _bine.start_real_thread(monitor._run)
        else:
            monitor.should_run = False


os.register_at_fork(after_in_child=_in_child)
