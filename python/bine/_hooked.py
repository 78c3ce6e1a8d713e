"""Queues whose class overrides _put, _get or another hook: the calls of the queue types in
_bine come here for them.

The items lie where the hooks put them. Who waits, the limit and the unfinished tasks are here, in
the queue's `_hooks`. Any thread may use a queue: the hooks are called by one greenlet at a time,
which has the queue's lock. They may use the queue, and they may wait.
"""

from __future__ import annotations

import collections
import heapq
import os
import weakref
from queue import Empty, Full

from ._bine import Event, LifoQueue, PriorityQueue, RLock, ShutDown, Timeout

TYPE_CHECKING = False  # typing is not imported for these
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Deque, NoReturn, Optional, Type

_never = Event()
_wait = object()


def _refuse(reason: Type[Exception]) -> NoReturn:
    """A call that may not wait found nothing: a loop of such calls must let others run."""
    _never.wait(0)
    raise reason


class _Line:
    """Those who wait for the same thing, first come, first served. Each of its operations is one of
    a deque: no lock is needed."""

    def __init__(self) -> None:
        self.events: Deque[Event] = collections.deque()

    def wake(self) -> None:
        try:
            self.events.popleft().set()
        except IndexError:
            pass

    def wake_all(self) -> None:
        while self.events:
            self.wake()

    def enter(self, again: Optional[Event] = None) -> Event:
        """An event to wait for. `again`: it was woken, but the next one who came
        had been quicker."""
        event = again or Event()
        event.clear()
        (self.events.appendleft if again else self.events.append)(event)
        return event

    def leave(self, event: Event) -> None:
        """The one who waits for the event gives up."""
        try:
            self.events.remove(event)
        except ValueError:
            self.wake()  # the wake was for whoever waits


class State:
    """What a queue with hooks has beside its items."""

    def __init__(self, maxsize: Optional[int]) -> None:
        self.maxsize = maxsize if maxsize is not None and maxsize > 0 else None
        self.forget_others()
        self.shut = False
        self.unfinished = 0
        self.done = Event()
        self.done.set()
        _states.add(self)

    def forget_others(self) -> None:
        """Nobody waits, and nobody has the lock."""
        self.lock = RLock()
        self.getters, self.putters = _Line(), _Line()


_states: weakref.WeakSet[State] = weakref.WeakSet()


def _forked() -> None:
    for state in list(_states):
        state.forget_others()


os.register_at_fork(after_in_child=_forked)


def init(queue: Any, maxsize: Optional[int] = None, items: Collection[Any] = (),
         unfinished_tasks: Optional[int] = None) -> None:
    """queue.__init__, after its `_hooks` became State(maxsize)."""
    if items:
        items = list(items)
        queue._init(maxsize, items)
    else:
        queue._init(maxsize)
    unfinished = unfinished_tasks or len(items)
    if unfinished:
        queue._hooks.unfinished = unfinished
        queue._hooks.done.clear()


# -- what the hooks do that a class does not override


def hook_init(queue: Any, maxsize: Optional[int], items: Collection[Any] = ()) -> None:
    queue.queue = queue._create_queue(items)


def hook_create_queue(queue: Any, items: Collection[Any] = ()) -> Any:
    if isinstance(queue, PriorityQueue):
        made = list(items)
        heapq.heapify(made)
        return made
    return list(items) if isinstance(queue, LifoQueue) else collections.deque(items)


def hook_qsize(queue: Any) -> int:
    return len(queue.queue)


def hook_put(queue: Any, item: Any) -> None:
    if isinstance(queue, PriorityQueue):
        heapq.heappush(queue.queue, item)
    else:
        queue.queue.append(item)
    queue._hooks.unfinished += 1
    queue._hooks.done.clear()


def hook_get(queue: Any) -> Any:
    if isinstance(queue, PriorityQueue):
        return heapq.heappop(queue.queue)
    return queue.queue.pop() if isinstance(queue, LifoQueue) else queue.queue.popleft()


def hook_peek(queue: Any) -> Any:
    return queue.queue[-1 if isinstance(queue, LifoQueue) else 0]


# -- the methods


def full(queue: Any) -> bool:
    state = queue._hooks
    with state.lock:
        return state.maxsize is not None and queue.qsize() >= state.maxsize


def _go_on(queue: Any) -> None:
    """There may be an item, or room, for somebody who waits."""
    state = queue._hooks
    if state.getters.events and queue.qsize():
        state.getters.wake()
    if state.putters.events and not full(queue):
        state.putters.wake()


def _exchange(queue: Any, line: _Line, attempt: Callable[[], Any], block: bool,
              timeout: Optional[float], otherwise: Type[Exception]) -> Any:
    """What attempt() returns, which is called with the lock until that is not `_wait`; or
    `otherwise` is raised, after `timeout` seconds."""
    lock, timer = queue._hooks.lock, None
    event: Any = None
    try:
        while True:
            with lock:
                result = attempt()
                if result is not _wait:
                    _go_on(queue)
                    return result
                if block:
                    event = line.enter(event)
            if not block:
                _refuse(otherwise)
            if timer is None:
                timer = Timeout.start_new(timeout, otherwise)
            event.wait()
    except BaseException:
        if event is not None:
            line.leave(event)
        raise
    finally:
        if timer is not None:
            timer.cancel()


def put(queue: Any, item: Any, block: bool = True, timeout: Optional[float] = None) -> None:
    state = queue._hooks

    def attempt() -> Any:
        if state.shut:
            raise ShutDown
        return _wait if full(queue) else queue._put(item)

    _exchange(queue, state.putters, attempt, block, timeout, Full)


def _take(queue: Any, method: Callable[[], Any], block: bool, timeout: Optional[float]) -> Any:
    state = queue._hooks

    def attempt() -> Any:
        if queue.qsize():
            return method()
        if state.shut:
            raise ShutDown
        return _wait

    return _exchange(queue, state.getters, attempt, block, timeout, Empty)


def get(queue: Any, block: bool = True, timeout: Optional[float] = None) -> Any:
    return _take(queue, queue._get, block, timeout)


def peek(queue: Any, block: bool = True, timeout: Optional[float] = None) -> Any:
    return _take(queue, queue._peek, block, timeout)


def qsize(queue: Any) -> int:
    with queue._hooks.lock:
        size: int = queue._qsize()
        return size


def task_done(queue: Any) -> None:
    state = queue._hooks
    with state.lock:
        if state.unfinished <= 0:
            raise ValueError("task_done() called too many times")
        state.unfinished -= 1
        if state.unfinished == 0:
            state.done.set()


def join(queue: Any, timeout: Optional[float] = None) -> bool:
    state: State = queue._hooks
    return state.done.wait(timeout)


def shutdown(queue: Any, immediate: bool = False) -> None:
    state = queue._hooks
    with state.lock:
        state.shut = True
        if immediate:
            while queue.qsize():
                queue._get()
                if state.unfinished:
                    task_done(queue)
    state.getters.wake_all()
    state.putters.wake_all()
