"""Real OS threads for what no patch can make cooperative (gevent.threadpool's names)."""

from concurrent.futures import Future, TimeoutError
from concurrent.futures import ThreadPoolExecutor as _Executor

from ._bine import Greenlet, Semaphore, offload
from .event import Event
from .pool import Group

__all__ = ["ThreadPool", "ThreadPoolExecutor"]


class ThreadPool(Group):
    """Runs functions on OS threads, at most ``maxsize`` at a time, while only the caller's greenlet waits.

    What it spawns are AsyncResult-like greenlets. A function that runs cannot be interrupted: kill takes effect when it
    has returned.
    """

    def __init__(self, maxsize=10, hub=None, idle_task_timeout=-1):
        Group.__init__(self)
        self._maxsize = maxsize
        self._room = Semaphore(maxsize)

    maxsize = property(lambda self: self._maxsize)
    size = property(lambda self: self._maxsize - self._room.counter)

    def _work(self, function, args, kwargs):
        with self._room:
            return offload(function, args, kwargs)

    def spawn(self, function, *args, **kwargs):
        """The result of function(*args, **kwargs), run on an OS thread: get() waits for it."""
        greenlet = Greenlet(self._work, function, args, kwargs)
        self.start(greenlet)
        return greenlet

    def apply(self, func, args=None, kwds=None):
        return self._work(func, args or (), kwds or {})

    def kill(self, exception=None, block=True, timeout=None):
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
                future.set_result(self._threads_pool.apply(fn, args, kwargs))
            except BaseException as exception:
                future.set_exception(exception)

        Greenlet.spawn(run)
        return future

    def shutdown(self, wait=True, **kwargs):
        self._shutdown = True
        if wait:
            self._threads_pool.join()
