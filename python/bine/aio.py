"""A bridge between greenlets and asyncio, in one OS thread.

    def greenlet():                                     # waits for a coroutine
        page = bine.aio.wait(fetch(session, url), timeout=5)

    async def coroutine():                              # waits for greenlets
        rows = await bine.aio.to_greenlet(query, "SELECT ...")
        await bine.aio.future(event)

wait() has the coroutine run by an event loop that a greenlet of this thread drives; it is started
when it is first needed, and is the same for all greenlets of the thread. Libraries of asyncio
(aiohttp and others) keep to that loop: make their sessions and pools in a coroutine that wait()
runs. A program may as well have its own loop, by asyncio.run() in any greenlet: future() and
to_greenlet() work in the coroutines of every loop.

Cancellation crosses in both directions. A Timeout or a kill that strikes a greenlet in wait()
cancels the task, and is raised when the task has ended. A task that is cancelled while it awaits a
greenlet kills it, and CancelledError is raised when the greenlet has ended; asyncio.shield() leaves
it alone. A coroutine begins with the contextvars of the greenlet that waits for it, and a greenlet
with those of the task that awaits it.
"""

import asyncio
import atexit
import contextvars
import os
import selectors
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple, TypeVar

from . import monkey
from ._bine import (AsyncResult, Event, Greenlet, GreenletExit, getcurrent, set_hidden,
                    sleep, thread_ident)

__all__ = ["close", "future", "loop", "new_event_loop", "to_greenlet", "wait"]

T = TypeVar("T")


class _Wake(BaseException):
    """Thrown into the greenlet that drives a loop, while it waits for descriptors:
    there is something to do."""


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type,unused-ignore]
    """Waits until a descriptor is ready or wake() is called. A wake costs no system call, unlike
    the pipe that asyncio has for it."""

    def __init__(self) -> None:
        super().__init__()
        self._sleeper: Optional[Greenlet] = None

    def select(self, timeout: Optional[float] = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        self._sleeper = here = getcurrent()
        try:
            ready = super().select(timeout)
        except _Wake:
            return []
        finally:
            woken, self._sleeper = self._sleeper is not here, None
        if woken:
            # It came too late for that wait, and must not strike a callback's.
            try:
                sleep(0)
            except _Wake:
                pass
        return ready

    def wake(self) -> None:
        """End a select() that waits. In the same thread."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            sleeper.throw(_Wake)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._waits = _Selector()
        self._home = Greenlet()  # never started: it stands for the thread
        super().__init__(self._waits)

    def post(self, callback: Callable[..., Any], *args: Any,
             context: Optional[contextvars.Context] = None) -> None:
        """Call it in the loop, from any greenlet of this thread, or from another thread."""
        if self._home._is_here() and not self.get_debug():
            self.call_soon(callback, *args, context=context)
            self._waits.wake()
        else:
            self.call_soon_threadsafe(callback, *args, context=context)

    def abandon(self) -> None:
        """Free the descriptors of a loop that nobody runs any more, although asyncio takes
        it for one that runs."""
        self._thread_id = None
        self.close()


def _post(loop: Any, callback: Callable[..., Any], *args: Any,
          context: Optional[contextvars.Context] = None) -> None:
    (loop.post if isinstance(loop, _Loop)
     else loop.call_soon_threadsafe)(callback, *args, context=context)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop that greenlets of its thread wake without a system call: for
    asyncio.Runner(loop_factory=...). Other loops work as well."""
    monkey._patch("socket", "select", "dns")
    return _Loop()


# -- the loop of this thread


def _drive(loop: _Loop) -> None:
    asyncio.set_event_loop(loop)
    set_hidden(True)  # it waits for work for ever: bine.wait() does not wait for it
    try:
        loop.run_forever()
    except GreenletExit:
        pass
    finally:
        set_hidden(False)
        try:
            _cancel_all(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            _cancel_all(loop)
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_all(loop: _Loop) -> None:
    """Cancel the tasks, those of wait() calls too whose start has only been posted,
    and wait for their end."""
    while True:
        loop.call_soon(loop.stop)
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class _Thread:
    """What a thread has: its loop, and the greenlet that drives it."""

    def __init__(self) -> None:
        self.ident = thread_ident()
        self.loop: Any = new_event_loop()
        self.driver = Greenlet.spawn(_drive, self.loop)
        self.driver.name = "asyncio"
        self.driver.rawlink(self.ended)

    def ended(self, driver: Greenlet) -> None:
        """The driver has ended, or its thread has, in which case the driver has closed nothing."""
        if self not in _left_behind and not self.loop.is_closed():
            self.loop.abandon()
        if _threads.get(self.ident) is self:
            del _threads[self.ident]


_threads: Dict[int, _Thread] = {}  # by the OS thread's identity
_left_behind: List[_Thread] = []  # a parent's, in its child


def loop() -> asyncio.AbstractEventLoop:
    """The event loop that runs what this thread's greenlets wait for. Started when it is first
    asked for, and anew after close()."""
    ident = thread_ident()
    thread = _threads.get(ident)
    if thread is None or thread.driver.ready() or thread.loop.is_closed():
        thread = _threads[ident] = _Thread()
    running: asyncio.AbstractEventLoop = thread.loop
    return running


def close(timeout: Optional[float] = None) -> None:
    """Cancel all tasks of this thread's loop, wait for their end (`timeout` seconds at most), and
    close the loop. Switches."""
    thread = _threads.pop(thread_ident(), None)
    if thread is not None:
        thread.driver.kill(timeout=timeout)


def _in_child() -> None:
    # The parent still uses the loops' descriptors: nothing of them may be closed or changed here.
    _left_behind.extend(_threads.values())
    _threads.clear()


os.register_at_fork(after_in_child=_in_child)
atexit.register(close, 1.0)


# -- a greenlet waits for a coroutine


async def _outcome(awaitable: Awaitable[T]) -> Tuple[Optional[T], Optional[BaseException]]:
    """What it ends with. SystemExit and KeyboardInterrupt are for the greenlet that waits:
    they would end the loop."""
    try:
        return await awaitable, None
    except (SystemExit, KeyboardInterrupt) as exception:
        return None, exception


def _drop(awaitable: Awaitable[Any]) -> None:
    """Nobody awaits it any more. Python would warn of a coroutine that has not begun."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()


class _Waiting:
    """One wait()."""

    def __init__(self, loop: Any, awaitable: Awaitable[Any]) -> None:
        self.loop, self.awaitable = loop, awaitable
        self.task: Optional["asyncio.Task[Any]"] = None
        self.cancelled = False
        self.result = AsyncResult()

    def start(self) -> None:
        if self.cancelled:
            _drop(self.awaitable)
            self.result.set((None, asyncio.CancelledError()))
            return
        self.task = self.loop.create_task(_outcome(self.awaitable))
        self.task.add_done_callback(self.done)

    def done(self, task: "asyncio.Task[Any]") -> None:
        if task.cancelled():
            _drop(self.awaitable)
            self.result.set((None, asyncio.CancelledError()))
        elif task.exception() is not None:
            self.result.set((None, task.exception()))
        else:
            self.result.set(task.result())

    def cancel(self) -> None:
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()


def wait(awaitable: Awaitable[T], timeout: Any = None,
         loop: Optional[asyncio.AbstractEventLoop] = None) -> T:
    """The result of a coroutine, or of another awaitable, which an event loop runs while
    this greenlet waits.

    `timeout`: seconds or a Timeout; bine.Timeout is raised when it has passed, and the task is
    cancelled. `loop`: None for loop(), or one that runs, in any thread. What the coroutine raises
    is raised here; asyncio.CancelledError if somebody else cancelled it. RuntimeError in the
    greenlet that drives the loop: a coroutine awaits. Switches."""
    chosen: Any = _own_loop() if loop is None else loop
    if asyncio._get_running_loop() is chosen:
        _drop(awaitable)
        raise RuntimeError(
            "wait() would keep the loop from running, which this greenlet drives: await it")
    waiting = _Waiting(chosen, awaitable)
    _post(chosen, waiting.start, context=contextvars.copy_context())
    try:
        value, exception = waiting.result.get(timeout=timeout)
    except BaseException:
        _post(chosen, waiting.cancel)
        waiting.result.wait()
        raise
    if exception is not None:
        try:
            raise exception
        finally:
            del exception  # it refers to this frame
    result: T = value
    return result


_own_loop = loop


# -- a coroutine waits for greenlets


class _Future(asyncio.Future):  # type: ignore[type-arg]
    """Settled when a greenlet or an event is. cancel() kills the greenlet, and its
    end cancels the future."""

    _greenlet: Optional[Greenlet] = None
    _cancelling = False
    _unwrap = False

    def cancel(self, *args: Any, **kwargs: Any) -> bool:
        if self.done():
            return False
        if self._greenlet is None or self._greenlet.ready():
            return super().cancel(*args, **kwargs)
        self._cancelling = True
        self._greenlet.kill(block=False)
        return True

    def settle(self, source: Any) -> None:
        if self.done():
            return
        exception = getattr(source, "exception", None)
        value = getattr(source, "value", True) if not isinstance(source, Event) else True
        if self._cancelling and (isinstance(value, GreenletExit) or exception is not None):
            super().cancel()
        elif exception is not None:
            self._fail(exception)
        elif self._unwrap and isinstance(value, tuple):
            value, exception = value
            self.set_result(value) if exception is None else self._fail(exception)
        else:
            self.set_result(value)

    def _fail(self, exception: BaseException) -> None:
        if isinstance(exception, StopIteration):
            failure = RuntimeError("a greenlet raised StopIteration")
            failure.__cause__ = exception
            exception = failure
        self.set_exception(exception)


def _watch(object: Any, unwrap: bool) -> "asyncio.Future[Any]":
    loop = asyncio.get_running_loop()
    future = _Future(loop=loop)
    future._greenlet = object if isinstance(object, Greenlet) else None
    future._unwrap = unwrap

    def ready(source: Any) -> None:
        try:
            _post(loop, future.settle, object)
        except RuntimeError:
            pass  # the loop has been closed: nobody awaits any more

    object.rawlink(ready)
    future.add_done_callback(lambda future: object.unlink(ready))
    return future


def future(object: Any) -> "asyncio.Future[Any]":
    """A future of the running loop for a greenlet (its value, or what it raised), an AsyncResult
    (likewise) or an Event (True when it is set).

    A task that is cancelled while it awaits the future of a greenlet kills the greenlet. TypeError
    for other objects: to_greenlet(queue.get) waits for those. RuntimeError if no loop runs in this
    greenlet. Does not switch."""
    if not isinstance(object, (Greenlet, AsyncResult, Event)):
        raise TypeError("neither a greenlet nor an event nor a result: %r" % (object,))
    return _watch(object, False)


def _run(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs), None
    except GreenletExit:
        raise
    except BaseException as exception:  # the task is told, and nobody else
        return None, exception


def to_greenlet(function: Callable[..., T], *args: Any, **kwargs: Any) -> "asyncio.Future[T]":
    """A future for function(*args, **kwargs), which runs in a new greenlet of this thread, where it
    may block: as asyncio.to_thread(), without a thread.

    A task that is cancelled while it awaits kills the greenlet. RuntimeError if no loop runs in
    this greenlet. Does not switch."""
    asyncio.get_running_loop()
    return _watch(Greenlet.spawn(_run, function, args, kwargs), True)
