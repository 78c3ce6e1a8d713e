"""Real OS threads for what no patch can make cooperative (gevent.threadpool's names)."""

import threading
from concurrent.futures import Future, TimeoutError
from concurrent.futures import ThreadPoolExecutor as _Executor

from ._bine import Greenlet, Semaphore, offload
from .event import Event
from .pool import Group

__all__ = ["ThreadPool", "ThreadPoolExecutor"]

_worker = threading.local()  # in a thread that runs a task: `pools`, whose tasks they are


class ThreadPool(Group):
    """Runs functions on OS threads, at most ``maxsize`` at a time, while only the caller's greenlet waits.

    What it spawns are AsyncResult-like greenlets. A function that runs cannot be interrupted: kill takes effect when it
    has returned. Any thread may use the pool, its own workers among them: the greenlets belong to the thread that made the pool (to
    the caller's, once that has ended), so tasks begin when that thread waits.
    """

    def __init__(self, maxsize=10, hub=None, idle_task_timeout=-1):
        Group.__init__(self)
        self._maxsize = maxsize
        self._room = Semaphore(maxsize)
        self._home = Greenlet()  # never started: it stands for the thread

    maxsize = property(lambda self: self._maxsize)
    size = property(lambda self: self._maxsize - self._room.counter)

    def _work(self, function, args, kwargs):
        with self._room:
            return offload(self._call, (function, args, kwargs))

    def _call(self, function, args, kwargs):
        outer = getattr(_worker, "pools", ())
        _worker.pools = outer + (self,)
        try:
            return function(*args, **kwargs)
        finally:
            _worker.pools = outer

    def start(self, greenlet):
        """Add an unstarted greenlet and start it in the pool's thread."""
        greenlet._move_to(self._home)
        Group.start(self, greenlet)

    def spawn(self, function, *args, **kwargs):
        """The result of function(*args, **kwargs), run on an OS thread: get() waits for it."""
        greenlet = Greenlet(self._work, function, args, kwargs)
        self.start(greenlet)
        return greenlet

    def apply(self, func, args=None, kwds=None):
        """The result of func(*args, **kwds), run on an OS thread; on the caller's if that is not the pool's, as in gevent.

        A Timeout or a kill ends the wait at once; the function goes on."""
        if not self._home._is_here():
            return func(*(args or ()), **(kwds or {}))
        greenlet = Greenlet(self._outcome, func, args or (), kwds or {})
        self.start(greenlet)
        result, exception = greenlet.get()
        if exception is not None:
            raise exception
        return result

    def _outcome(self, function, args, kwargs):
        try:
            return self._work(function, args, kwargs), None
        except BaseException as exception:  # the caller of apply() is told, and nobody else
            return None, exception

    def join(self, timeout=None, raise_error=False):
        """Wait until no task is left; True if so. RuntimeError in a task of this pool without a timeout, which would wait for itself."""
        if timeout is None and self in getattr(_worker, "pools", ()):
            raise RuntimeError("a task cannot wait for the end of all tasks of its pool")
        return Group.join(self, timeout, raise_error)

    def kill(self, exception=None, block=True, timeout=None):
        """Wait until no task is left."""
        if block:
            self.join(timeout)


class _Future(Future):
    """Its waits park the greenlet, patched or not."""

    def __init__(self):
        Future.__init__(self)
        self._event = Event()
        self.add_done_callback(lambda future: future._event.set())

    def _wait(self, timeout):
        if not self.done() and not self._event.wait(timeout):
            raise TimeoutError()

    def result(self, timeout=None):
        self._wait(timeout)
        return Future.result(self, 0)

    def exception(self, timeout=None):
        self._wait(timeout)
        return Future.exception(self, 0)


class ThreadPoolExecutor(_Executor):
    """concurrent.futures.ThreadPoolExecutor whose workers are OS threads even when threads are patched to be greenlets."""

    def __init__(self, max_workers=10, *args, **kwargs):
        _Executor.__init__(self, max_workers, *args, **kwargs)
        self._threads_pool = ThreadPool(max_workers)

    def submit(self, fn, *args, **kwargs):
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = _Future()

        def run():
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(self._threads_pool._work(fn, args, kwargs))
            except BaseException as exception:
                future.set_exception(exception)

        self._threads_pool.start(Greenlet(run))
        return future

    def shutdown(self, wait=True, **kwargs):
        self._shutdown = True
        if wait:
            self._threads_pool.join()
