"""The hub, as far as programs name it (gevent.hub's names)."""

import signal as _signal
import sys
import time
import traceback

from ._bine import Greenlet, GreenletExit, LoopExit, _throw_into_main, getcurrent, poller_name, sleep, wait

__all__ = ["Hub", "LoopExit", "Waiter", "get_hub", "getcurrent", "kill", "reinit", "signal_handler", "sleep", "spawn_raw"]


class Hub:
    """What stands for the event loop of this thread. Bine has no hub greenlet: this only answers questions."""

    NOT_ERROR = (GreenletExit, SystemExit)
    SYSTEM_ERROR = (KeyboardInterrupt, SystemExit, SystemError)

    def __init__(self):
        self._threadpool = None

    def __repr__(self):
        return "<Hub at 0x%x poller=%s>" % (id(self), poller_name())

    @property
    def threadpool(self):
        if self._threadpool is None:
            from .threadpool import ThreadPool

            self._threadpool = ThreadPool(10)
        return self._threadpool

    @property
    def exception_stream(self):
        """Where tracebacks of failed greenlets go: standard error as it is now."""
        return sys.stderr

    def handle_error(self, context, type, value, tb):
        """Called when `context` (a greenlet; None: nobody who could be asked for it) failed. Override it to be told; this one prints what is an
        error, and raises it in the main greenlet if there is no context."""
        if value is None or not issubclass(type, self.NOT_ERROR):
            self.print_exception(context, type, value, tb)
        if context is None:
            self.handle_system_error(type, value, tb)

    def handle_system_error(self, type, value, tb=None):
        """Raise the exception in the main greenlet, at its next wait."""
        if value is None:
            value = type()
        _throw_into_main(value if tb is None else value.with_traceback(tb))

    def print_exception(self, context, t, v, tb):
        """The traceback, then the context and what it failed with."""
        stream = self.exception_stream
        if not stream:
            return
        if v is None:
            stream.write("%s\n" % (t,))
        else:
            traceback.print_exception(t, v, tb, file=stream)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if context is not None:
            stream.write("%s %s failed with %s\n\n" % (when, context, getattr(t, "__name__", t)))

    def switch(self):
        """Wait for an exception: something else than the hub has to wake the caller."""
        from .event import Event

        while True:
            Event().wait()

    def join(self, timeout=None):
        """Wait until no other greenlet is left, or none that can ever go on; True if so, False if the timeout (seconds) passed."""
        return wait(timeout=timeout)


_hub = None


def get_hub(*args, **kwargs):
    global _hub
    if _hub is None:
        _hub = Hub()
    return _hub


def kill(greenlet, exception=GreenletExit):
    """Raise the exception in the greenlet soon; does not wait."""
    greenlet.kill(exception, block=False)


def reinit(hub=None):
    """After fork, in the child. Nothing to do: the runtime has done it."""


def spawn_raw(function, *args, **kwargs):
    return Greenlet.spawn(function, *args, **kwargs)


class signal_handler:
    """Call handler(*args, **kwargs) in a new greenlet when the signal arrives; cancel() ends that. What it raises is raised in the main greenlet."""

    def __init__(self, signalnum, handler, *args, **kwargs):
        if not callable(handler):
            raise TypeError("signal handler must be callable.")
        self._signal = signalnum
        self.handler, self.args, self.kwargs = handler, args, kwargs
        self._previous = _signal.signal(signalnum, lambda *unused: Greenlet.spawn(self.handle))

    def handle(self):
        """One arrival of the signal."""
        try:
            self.handler(*self.args, **self.kwargs)
        except BaseException:
            get_hub().handle_error(None, *sys.exc_info())

    def cancel(self):
        if self._signal is not None:
            _signal.signal(self._signal, self._previous)
            self._signal = None


class Waiter:
    """One greenlet waits in get() for what another passes to switch() or throw()."""

    def __init__(self, hub=None):
        from .event import AsyncResult

        self._result = AsyncResult()

    def clear(self):
        self.__init__()

    def ready(self):
        return self._result.ready()

    def successful(self):
        return self._result.successful()

    def switch(self, value=None):
        self._result.set(value)

    def throw(self, *args):
        self._result.set_exception(args[1] if len(args) > 1 and args[1] is not None else args[0])

    def get(self):
        return self._result.get()

    def __call__(self, source):
        self._result(source)
