"""Queues whose class overrides _put, _get or another hook: the calls of the queue types in _bine come here for them.

The items lie where the hooks put them. Who waits, the limit and the unfinished tasks are here, in the queue's `_hooks`.
"""

import collections
import heapq

from queue import Empty, Full

from ._bine import Event, LifoQueue, PriorityQueue, ShutDown, Timeout


_never = Event()


def _refuse(reason):
    """A call that may not wait found nothing: a loop of such calls must let others run."""
    _never.wait(0)
    raise reason


class _Line:
    """Those who wait for the same thing, first come, first served."""

    def __init__(self):
        self.events = collections.deque()

    def wake(self):
        if self.events:
            self.events.popleft().set()

    def wake_all(self):
        while self.events:
            self.wake()

    def wait_until(self, true):
        event, add = Event(), self.events.append
        while not true():
            event.clear()
            add(event)
            try:
                event.wait()
            except BaseException:
                if event in self.events:
                    self.events.remove(event)
                else:
                    self.wake()  # the wake was for whoever waits
                raise
            add = self.events.appendleft


class State:
    """What a queue with hooks has beside its items."""

    def __init__(self, maxsize):
        self.maxsize = maxsize if maxsize is not None and maxsize > 0 else None
        self.getters, self.putters = _Line(), _Line()
        self.shut = False
        self.unfinished = 0
        self.done = Event()
        self.done.set()


def init(queue, maxsize=None, items=(), unfinished_tasks=None):
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


def hook_init(queue, maxsize, items=()):
    queue.queue = queue._create_queue(items)


def hook_create_queue(queue, items=()):
    if isinstance(queue, PriorityQueue):
        made = list(items)
        heapq.heapify(made)
        return made
    return list(items) if isinstance(queue, LifoQueue) else collections.deque(items)


def hook_qsize(queue):
    return len(queue.queue)


def hook_put(queue, item):
    if isinstance(queue, PriorityQueue):
        heapq.heappush(queue.queue, item)
    else:
        queue.queue.append(item)
    queue._hooks.unfinished += 1
    queue._hooks.done.clear()


def hook_get(queue):
    if isinstance(queue, PriorityQueue):
        return heapq.heappop(queue.queue)
    return queue.queue.pop() if isinstance(queue, LifoQueue) else queue.queue.popleft()


def hook_peek(queue):
    return queue.queue[-1 if isinstance(queue, LifoQueue) else 0]


# -- the methods


def full(queue):
    maxsize = queue._hooks.maxsize
    return maxsize is not None and queue.qsize() >= maxsize


def _go_on(queue):
    """There may be an item, or room, for somebody who waits."""
    state = queue._hooks
    if state.getters.events and queue.qsize():
        state.getters.wake()
    if state.putters.events and not full(queue):
        state.putters.wake()


def _wait(line, true, timeout, otherwise):
    timer = Timeout.start_new(timeout, otherwise)
    try:
        line.wait_until(true)
    finally:
        timer.cancel()


def put(queue, item, block=True, timeout=None):
    state = queue._hooks
    if not state.shut and full(queue):
        if not block:
            _refuse(Full)
        _wait(state.putters, lambda: state.shut or not full(queue), timeout, Full)
    if state.shut:
        raise ShutDown
    queue._put(item)
    _go_on(queue)


def _take(queue, method, block, timeout):
    state = queue._hooks
    if not queue.qsize():
        if not state.shut:
            if not block:
                _refuse(Empty)
            _wait(state.getters, lambda: state.shut or queue.qsize(), timeout, Empty)
        if not queue.qsize():
            raise ShutDown
    result = method()
    _go_on(queue)
    return result


def get(queue, block=True, timeout=None):
    return _take(queue, queue._get, block, timeout)


def peek(queue, block=True, timeout=None):
    return _take(queue, queue._peek, block, timeout)


def qsize(queue):
    return queue._qsize()


def task_done(queue):
    state = queue._hooks
    if state.unfinished <= 0:
        raise ValueError("task_done() called too many times")
    state.unfinished -= 1
    if state.unfinished == 0:
        state.done.set()


def join(queue, timeout=None):
    return queue._hooks.done.wait(timeout)


def shutdown(queue, immediate=False):
    state = queue._hooks
    state.shut = True
    if immediate:
        while queue.qsize():
            queue._get()
            if state.unfinished:
                task_done(queue)
    state.getters.wake_all()
    state.putters.wake_all()
