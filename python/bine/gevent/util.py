"""Looking at greenlets, and small helpers (gevent.util).

print_run_info() tells where each thread and each greenlet is, and what each greenlet waits for. A
greenlet that never lets others run is found by assert_switches() in tests, and by the monitor
thread (hub.start_periodic_monitoring_thread()) in production.
"""

import functools
import gc
import pprint
import sys
import threading
import time
import traceback
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Iterable, List, Optional, Type, Union

from .. import _bine
from .._bine import Greenlet, getcurrent

__all__ = ["GreenletTree", "assert_switches", "format_run_info", "print_run_info", "wrap_errors"]

_LINE = "*" * 80
_STACK_LIMIT = 20
_DEFAULT: Any = object()


class wrap_errors:
    """A function as `func`, but exceptions of the kinds `errors` (a class or a tuple) are
    returned, not raised."""

    def __init__(self, errors: Any, func: Callable[..., Any]) -> None:
        self._errors, self._func = errors, func
        functools.update_wrapper(self, func, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._func(*args, **kwargs)
        except self._errors as error:
            return error

    def __str__(self) -> str:
        return str(self._func)

    def __repr__(self) -> str:
        return repr(self._func)

    def __getattr__(self, name: str) -> Any:
        if name == "_func":
            raise AttributeError(name)
        return getattr(self._func, name)


def print_run_info(thread_stacks: bool = True, greenlet_stacks: bool = True, limit: Any = _DEFAULT,
                   file: Any = None) -> None:
    """Print what format_run_info() tells to `file` (None: standard error as it is now)."""
    lines = format_run_info(thread_stacks=thread_stacks,
                            greenlet_stacks=greenlet_stacks, limit=limit)
    stream = sys.stderr if file is None else file
    for line in lines:
        print(line, file=stream)


def format_run_info(thread_stacks: bool = True, greenlet_stacks: bool = True, limit: Any = _DEFAULT,
                    current_thread_ident: Optional[int] = None) -> List[str]:
    """Lines about all threads, the greenlets of all threads, and what each greenlet of
    this thread waits for.

    `thread_stacks`, `greenlet_stacks`: their stacks as well, at most `limit` frames of each (20;
    None: all). `current_thread_ident`: which thread to mark as the current one (None: the
    caller's). Does not switch."""
    limit = _STACK_LIMIT if limit is _DEFAULT else limit
    lines: List[str] = []
    _format_threads(lines, thread_stacks, limit,
                    threading.get_ident() if current_thread_ident is None else current_thread_ident)
    format_greenlets(lines, greenlet_stacks, limit, getcurrent())
    lines += [_LINE, "* Who waits for what", _LINE] + _bine.dump().splitlines()
    return lines


def dump_stacks(*args: Any, **kwargs: Any) -> List[str]:
    """format_run_info() by its old name."""
    return format_run_info(*args, **kwargs)


def _stack(frame: Optional[FrameType], limit: Optional[int]) -> List[str]:
    """The frames with the innermost last, at most `limit` of those."""
    if frame is None:
        return []
    return "".join(traceback.format_list(traceback.extract_stack(frame, None if limit is None
                                                                 else max(limit, 0)))).splitlines()


def _format_threads(lines: List[str], stacks: bool, limit: Optional[int], current: int) -> None:
    lines += [_LINE, "* Threads", _LINE]
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        lines.append("Thread 0x%x (%s)%s" % (ident, names.get(ident, "?"),
                                             " (CURRENT)" if ident == current else ""))
        if stacks:
            lines += _stack(frame, limit)
        lines.append("")


def format_greenlets(lines: List[str], stacks: bool, limit: Optional[int], current: Any) -> None:
    """Add the trees of all greenlets to the lines. On a thread that has no greenlets as well, if
    stacks are not asked for."""
    lines += [_LINE, "* Greenlets", _LINE]
    details = dict(GreenletTree.DEFAULT_DETAILS, running_stacks=stacks, spawning_stacks=stacks,
                   running_stack_limit=limit)
    for tree in GreenletTree._forest(current):
        lines += tree.format_lines(details=details)


def frame_of(greenlet: Any) -> Optional[FrameType]:
    """Where a greenlet is: the frame that it runs or waits in, None if it has not begun or has
    ended, and for a main greenlet of another thread."""
    if greenlet is getcurrent():
        return sys._getframe(1)
    frame: Optional[FrameType] = greenlet.gr_frame
    return frame


class GreenletTree:
    """A greenlet and those that it spawned: `greenlet`, and the trees of the
    latter, `child_trees`."""

    # What format(details=True) shows: where each is (at most so many frames; None: all), where it
    # was spawned, spawn_tree_locals.
    DEFAULT_DETAILS: Dict[str, Any] = {"running_stacks": True, "running_stack_limit": None,
                                       "spawning_stacks": True, "locals": True}

    def __init__(self, greenlet: Any) -> None:
        self.greenlet = greenlet
        self.child_trees: List["GreenletTree"] = []
        self.is_current_tree = False

    def add_child(self, tree: "GreenletTree") -> None:
        """Add the tree of a greenlet that this one spawned. One that is there
        already is not added again."""
        if tree is not self and tree not in self.child_trees:
            self.child_trees.append(tree)

    @property
    def root(self) -> Any:
        """The greenlet at the top."""
        return self.greenlet

    @classmethod
    def forest(cls) -> List["GreenletTree"]:
        """The trees of all greenlets that live, of all threads: each tree begins with a main
        greenlet, or with one whose spawner has ended. Asks the garbage collector for all objects,
        which takes a moment in a large program."""
        return cls._forest(getcurrent())

    @classmethod
    def _forest(cls, current: Any) -> List["GreenletTree"]:
        living = [found
                  for found in gc.get_objects() if isinstance(found, Greenlet) and _lives(found)]
        if not any(found is current for found in living):
            living.append(current)
        trees = {id(found): cls(found)
                 for found in sorted(living, key=lambda found: found.minimal_ident)}
        roots = []
        for tree in trees.values():
            spawner = _spawner(tree.greenlet)
            above = None if spawner is None else trees.get(id(spawner))
            if above is None:
                roots.append(tree)
            else:
                above.add_child(tree)
        for tree in roots:
            tree.is_current_tree = any(found.greenlet is current for found in tree._all())
        return roots

    @classmethod
    def current_tree(cls) -> "GreenletTree":
        """The tree that the current greenlet is in."""
        for tree in cls.forest():
            if tree.is_current_tree:
                return tree
        raise AssertionError("the current greenlet is in no tree")

    def _all(self) -> Iterable["GreenletTree"]:
        yield self
        for child in self.child_trees:
            yield from child._all()

    def format_lines(self, details: Union[bool, Dict[str, Any]] = True) -> List[str]:
        """The tree as lines. `details`: False: names only; a dict as DEFAULT_DETAILS, with
        what differs from it."""
        chosen: Dict[str, Any] = {}
        if details:
            chosen = dict(self.DEFAULT_DETAILS, **(details if isinstance(details, dict) else {}))
        lines: List[str] = []
        self._render(lines, "", "", chosen)
        return lines

    def format(self, details: Union[bool, Dict[str, Any]] = True) -> str:
        """format_lines() as one text."""
        return "\n".join(self.format_lines(details))

    def __str__(self) -> str:
        return self.format(details=False)

    def _render(self, lines: List[str], head: str, rest: str, details: Dict[str, Any]) -> None:
        lines.append(head + repr(self.greenlet))
        for line in self._details(details):
            lines.append((rest + " :    " + line).rstrip())
        for child in self.child_trees:
            below = rest + (" |   " if child is not self.child_trees[-1] else "     ")
            child._render(lines, rest + " +--- ", below, details)

    def _details(self, details: Dict[str, Any]) -> List[str]:
        lines: List[str] = []
        if details.get("running_stacks"):
            waits = _bine.waits_for(self.greenlet)
            if waits:
                lines.append("Waits: " + waits)
            lines += _titled("Running:",
                             _stack(frame_of(self.greenlet), details.get("running_stack_limit")))
        if details.get("spawning_stacks"):
            lines += _titled("Spawned at:",
                             _stack_of_spawn(getattr(self.greenlet, "spawning_stack", None)))
        shared = getattr(self.greenlet, "spawn_tree_locals", None)
        if details.get("locals") and shared and not self._inherited(shared):
            lines += _titled("Spawn Tree Locals", pprint.pformat(shared).splitlines())
        return lines

    def _inherited(self, shared: Any) -> bool:
        return getattr(_spawner(self.greenlet), "spawn_tree_locals", None) is shared


def _spawner(greenlet: Any) -> Any:
    reference = greenlet.spawning_greenlet
    return reference() if callable(reference) else None


def _lives(greenlet: Any) -> bool:
    return not greenlet.ready() and (bool(greenlet) or greenlet.started)


def _titled(title: str, lines: List[str]) -> List[str]:
    return [title] + ["  " + line for line in lines] if lines else []


def _stack_of_spawn(stack: Any) -> List[str]:
    """spawning_stack is a frame, or what stands for one."""
    if not stack:
        return []
    return "".join(traceback.format_stack(stack)).splitlines()


class _FailedToSwitch(AssertionError):
    """The block of assert_switches() did not let others run."""


class Meter:
    """How long the greenlets of one thread have run without letting others run, as far as look() is
    called often enough. Any thread."""

    def __init__(self) -> None:
        self._home = Greenlet()  # never started: it stands for the thread
        self.switches = 0
        self.running: Any = None
        self.frame: Any = None
        self._since = time.perf_counter()
        self.look()

    def here(self) -> bool:
        """Is it the current thread?"""
        return self._home._is_here()

    def look(self) -> Optional[float]:
        """Seconds that the greenlet `running`, which is in `frame`, has run in a piece. 0 if all
        wait; None if the thread has ended."""
        seen, now = _bine.look(self._home), time.perf_counter()
        if seen is None:
            return None
        switches, self.running, self.frame = seen
        if switches != self.switches or self.running is None:
            self.switches, self._since = switches, now
        return now - self._since


class _Watch:
    """The longest time that the current thread's greenlets run in a piece, found from a real thread
    beside, which looks every `period` seconds."""

    def __init__(self, period: Optional[float]) -> None:
        self.longest, self.ended = 0.0, False
        self.meter = Meter()
        self.began = self.meter.switches
        if period is not None:
            self.period = max(period, 0.001)
            _bine.start_real_thread(self._run)

    def _run(self) -> None:
        while not self.ended:
            time.sleep(self.period)
            self._look()

    def _look(self) -> None:
        if not self.ended:
            self.longest = max(self.longest, self.meter.look() or 0.0)

    def end(self) -> bool:
        """Did any greenlet let others run since the beginning?"""
        self._look()
        self.ended = True
        return self.meter.switches != self.began


class assert_switches:
    """A block (or a function) that must let other greenlets run, else AssertionError.

    `max_blocking_time`: seconds that it may run in a piece; a block that is over sooner need
    not switch at all. None: it has to switch at least once. A wait, or a sleep(0), lets others
    run, whether there are any or not. `hub_only` means nothing: Bine has no hub that is
    switched to. With max_blocking_time an OS thread looks from beside meanwhile; one that is
    kept from running sees less."""

    def __init__(self, max_blocking_time: Optional[float] = None, hub_only: bool = False) -> None:
        self.max_blocking_time, self.hub_only = max_blocking_time, hub_only
        self._watch: Optional[_Watch] = None

    def __enter__(self) -> "assert_switches":
        self._watch = _Watch(None if self.max_blocking_time is None else self.max_blocking_time / 4)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 tb: Optional[TracebackType]) -> None:
        watch, self._watch = self._watch, None
        if watch is None:
            return
        switched = watch.end()
        if kind is not None:
            return
        if self.max_blocking_time is None:
            if not switched:
                raise _FailedToSwitch("%r did not let others run, in %.4f seconds" %
                                      (getcurrent(), watch.longest))
        elif watch.longest > self.max_blocking_time:
            raise _FailedToSwitch("%r let nobody run for %.4f seconds (max_blocking_time: %.4f)" % (
                getcurrent(), watch.longest, self.max_blocking_time))

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            with assert_switches(self.max_blocking_time, self.hub_only):
                return function(*args, **kwargs)

        return checked


def clear_stack_frames(frame: Optional[FrameType]) -> None:
    """Clear the locals of the frame and of its callers, as far as these do not run any more."""
    while frame is not None:
        try:
            frame.clear()
        except RuntimeError:
            pass
        frame = frame.f_back


def is_idle_threadpool_worker(frame: Any) -> bool:
    """gevent asks this of the frames of threads; threads of Bine's pools have no frame
    while they are idle."""
    return False
