"""Real OS threads for what no patch can make cooperative (gevent.threadpool's names)."""

import threading
from concurrent.futures import Future, TimeoutError
from concurrent.futures import ThreadPoolExecutor as _Executor

from ._bine import AsyncResult, Greenlet, Queue, Semaphore, getcurrent, offload
from .event import Event
from .pool import Group

__all__ = ["ThreadPool", "ThreadPoolExecutor", "ThreadResult"]

_worker = threading.local()  # in a thread that runs a task: `pools`, whose tasks they are


class _Room:
    """A semaphore whose limit changes: who is inside stays, and who waits comes in as
    soon as there is room."""

    def __init__(self, limit):
        self._permits, self._debt, self.used = Semaphore(limit), 0, 0

    def change(self, by):
        """Let that many more in, or fewer."""
        for _ in range(by):
            self._give()
        for _ in range(-by):
            if not self._permits.acquire(blocking=False):
                self._debt += 1

    def _give(self):
        if self._debt:
            self._debt -= 1
        else:
            self._permits.release()

    def __enter__(self):
        self._permits.acquire()
        self.used += 1

    def __exit__(self, *unused):
        self.used -= 1
        self._give()


class ThreadPool(Group):
    """Runs functions on OS threads, at most ``maxsize`` at a time, while only the
    caller's greenlet waits.

    spawn() returns an AsyncResult. A function that runs cannot be interrupted. Any thread may use
    the pool, its own workers among them: its greenlets belong to the thread that made the pool (to
    the caller's, once that has ended), so tasks begin when that thread waits.
    """

    manager = None  # gevent's greenlet that starts and ends threads; there is nothing for it to do

    def __init__(self, maxsize=10, hub=None, idle_task_timeout=-1):
        Group.__init__(self)
        self._maxsize = maxsize
        self._room = _Room(maxsize)
        self._hub = hub
        self._home = Greenlet()  # never started: it stands for the thread

    @property
    def maxsize(self):
        """The most tasks that run at a time. It can be set; tasks that run go on.
        ValueError if it is negative."""
        return self._maxsize

    @maxsize.setter
    def maxsize(self, maxsize):
        if not isinstance(maxsize, int):
            raise TypeError("maxsize must be integer: %r" % (maxsize,))
        if maxsize < 0:
            raise ValueError("maxsize must not be negative: %r" % (maxsize,))
        change, self._maxsize = maxsize - self._maxsize, maxsize
        self._room.change(change)

    @property
    def size(self):
        """How many tasks run: a thread is taken from those of the process for each. Setting it only
        checks the number, as there is nothing to start beforehand: ValueError if it is negative or
        greater than `maxsize`."""
        return self._room.used

    @size.setter
    def size(self, size):
        if size < 0:
            raise ValueError("Size of the pool cannot be negative: %r" % (size,))
        if size > self._maxsize:
            raise ValueError("Size of the pool cannot be bigger than maxsize: %r > %r" %
                             (size, self._maxsize))

    @property
    def hub(self):
        """The hub that the pool was made for: the calling thread's if none was given."""
        from .hub import get_hub

        return self._hub or get_hub()

    @property
    def task_queue(self):
        """A new queue of the tasks that have not begun: its qsize(), unfinished_tasks and empty()
        tell how many there are."""
        return Queue(items=[greenlet for greenlet in self.greenlets
                            if not getattr(greenlet, "_task_began", False)])

    def adjust(self):
        """Start or end threads to fit `maxsize`. Nothing to do: they come with the tasks, and go
        when they have been idle."""

    def __repr__(self):
        return "<%s at 0x%x tasks=%s size=%s maxsize=%s hub=%r>" % (
            self.__class__.__name__, id(self), len(self), self.size, self._maxsize, self.hub)

    def _work(self, function, args, kwargs):
        with self._room:
            getcurrent()._task_began = True
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
        """An AsyncResult of function(*args, **kwargs), run on an OS thread: get() waits for it, or
        raises what the function raised. That is reported as well."""
        greenlet, result = Greenlet(self._work, function, args, kwargs), AsyncResult()
        greenlet.rawlink(result)
        self.start(greenlet)
        return result

    def apply_async(self, func, args=None, kwds=None, callback=None):
        """The greenlet that waits for func(*args, **kwds), run on an OS thread;
        callback(result) when it succeeded."""
        return Greenlet.spawn(self.apply_cb, func, args, kwds, callback)

    def apply(self, func, args=None, kwds=None):
        """The result of func(*args, **kwds), run on an OS thread; on the caller's if that is not
        the pool's, as in gevent.

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
        """Wait until no task is left; True if so. RuntimeError in a task of this pool without a
        timeout, which would wait for itself."""
        if timeout is None and self in getattr(_worker, "pools", ()):
            raise RuntimeError("a task cannot wait for the end of all tasks of its pool")
        return Group.join(self, timeout, raise_error)

    def kill(self, exception=None, block=True, timeout=None):
        """Wait until no task is left."""
        if block:
            self.join(timeout)


class ThreadResult:
    """ThreadResult(receiver, hub, call_when_ready): the outcome of what an OS thread does for a
    hub's thread, where this is made.

    That other thread calls set() or handle_error(), once. Then the loop of `hub` calls
    call_when_ready() and receiver(self)."""

    def __init__(self, receiver, hub, call_when_ready):
        self.receiver, self.hub, self.context = receiver, hub, None
        self.value, self.exc_info = None, ()
        self._call_when_ready = call_when_ready
        self.async_watcher = hub.loop.async_()
        self.async_watcher.start(self._arrived)

    @property
    def exception(self):
        """What it failed with, or None."""
        return self.exc_info[1] if self.exc_info else None

    def successful(self):
        """Has it not failed?"""
        return self.exception is None

    def set(self, value):
        """It is this value. From any thread."""
        self.value = value
        self.async_watcher.send()

    def handle_error(self, context, exc_info):
        """It failed in `context`, with what sys.exc_info() was. From any thread.
        The hub reports it."""
        self.context, self.exc_info = context, exc_info
        self.async_watcher.send()

    def destroy_in_main_thread(self):
        """Nothing is to come any more. In the hub's thread only."""
        self.async_watcher.close()
        self.context = self.hub = self.receiver = self._call_when_ready = None

    def _arrived(self):
        hub, receiver, ready, context = self.hub, self.receiver, self._call_when_ready, self.context
        self.destroy_in_main_thread()
        ready()
        if self.exc_info:
            hub.handle_error(context, *self.exc_info)
        try:
            receiver(self)
        finally:
            self.value = None  # it is the receiver's
            if self.exc_info:
                self.exc_info = self.exc_info[:2] + (None,)


class _Future(Future):
    """Its waits park the greenlet, patched or not."""

    def __init__(self):
        Future.__init__(self)
        self._event = Event()
        self.add_done_callback(lambda future: future._event.set())

    def rawlink(self, callback):
        """Call callback(self) when the result is there. For wait()."""
        self.add_done_callback(callback)

    def unlink(self, callback):
        """Do not call it."""
        self._done_callbacks = [other for other in self._done_callbacks if other != callback]

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
    """concurrent.futures.ThreadPoolExecutor whose workers are OS threads even when threads are
    patched to be greenlets."""

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
        """No more tasks. `wait`: for the end of those that are there."""
        self._shutdown = True
        if wait:
            self._threads_pool.join()

    def kill(self, wait=True, **kwargs):
        """The same as shutdown(): a function that runs on a thread cannot be interrupted."""
        self.shutdown(wait, **kwargs)
