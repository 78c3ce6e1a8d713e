"""The hub, as far as programs name it (gevent.hub's names)."""

import sys
import time

from ._bine import (Greenlet, GreenletExit, LoopExit, _hub, _root, _set_hub, _throw_into_main,
                    _wait_for_switch, getcurrent, poller_name, sleep, thread_ident, wait)
from .exceptions import InvalidSwitchError
from .greenlet import spawn_raw

__all__ = [
    "Hub", "LoopExit", "Waiter", "get_hub", "getcurrent", "kill", "reinit", "set_default_hub_class",
    "set_hub", "signal_handler", "sleep", "spawn_raw",
]


def _settings():
    """gevent.config if the program has imported gevent's package, whose import makes some calls
    cooperative; else None."""
    module = sys.modules.get("bine.gevent._config")
    return getattr(module, "config", None)


class Hub(Greenlet):
    """What programs find as the hub of an OS thread. Bine's greenlets need no hub to switch to:
    this is the greenlet that calls the callbacks of hub.loop, and keeps what a thread has one of.

    Hub(loop=None, default=None): loop, an object to be hub.loop. Each thread has one
    that get_hub() makes."""

    # The thread's event loop; None once the hub is destroyed. In a slot, as each use of a watcher
    # begins with it, and a property is a call.
    __slots__ = ("loop",)

    NOT_ERROR = (GreenletExit, SystemExit)
    SYSTEM_ERROR = (KeyboardInterrupt, SystemExit, SystemError)

    threadpool_size = 10
    periodic_monitoring_thread = None
    _format_context = None
    name = ""
    dead = False
    _loops = {}  # of destroyed hubs, by thread: what their successors take over

    def __init__(self, loop=None, default=None):
        Greenlet.__init__(self)
        self.thread_ident = thread_ident()
        self.main_hub = _root() is _main
        self._threadpool = self._resolver = None
        if loop is None or isinstance(loop, (bool, str, list, tuple)):
            loop = self._loops.pop(self.thread_ident, None)
            # The latter is of a thread that has ended, whose identity this one has got.
            if loop is None or loop.destroyed:
                loop = self.loop_class(default=default)
        self.loop = loop
        settings = _settings()
        if settings is not None and settings.monitor_thread:
            self.start_periodic_monitoring_thread()

    def __repr__(self):
        state = ("destroyed" if self.dead else self.loop._format() if self.loop is not None
                 else poller_name())
        return "<%s %r at 0x%x %s thread_ident=0x%x>" % (type(self).__name__, self.name, id(self),
                                                         state, self.thread_ident)

    def __bool__(self):
        return not self.dead

    # ---- the loop --------------------------------------------------------------------------------

    @property
    def loop_class(self):
        """The type of `loop`."""
        from ._loop import loop

        return loop

    def __setattr__(self, name, value):
        """A loop that is assigned is the thread's from then on, and callbacks of the one before are
        not called any more. AttributeError: it is none."""
        if name == "loop" and value is not None:
            before = getattr(self, "loop", None)
            value.error_handler = self
            value._host = self
            if before is not None and before is not value:
                before._host = None
        super().__setattr__(name, value)

    @property
    def parent(self):
        """The thread's main greenlet."""
        return _root()

    @property
    def backend(self):
        """Which poller the thread uses."""
        return poller_name()

    def _run(self):
        served = None
        # It ends when the loop is destroyed, and goes on with another one that was assigned.
        while self.loop is not None and self.loop is not served:
            served = self.loop
            served._serve()

    run = _run

    def switch(self, *unused):
        """Wait until somebody switches to the current greenlet, by its switch() or throw(): what
        was passed is returned. LoopExit if nobody can."""
        return _wait_for_switch()

    def throw(self, *error):
        """What is thrown into the hub is raised in the thread's main greenlet."""
        self.handle_system_error(*_three(*error))

    def kill(self, exception=GreenletExit, block=True, timeout=None):
        """Nothing happens: destroy() ends a hub."""

    def wait(self, watcher):
        """Wait until the event of `watcher`, which must not be started, happens. InvalidSwitchError
        if somebody else switches to the caller meanwhile."""
        waiter = Waiter(self)
        watcher.start(waiter.switch, waiter)
        try:
            result = waiter.get()
            if result is not waiter:
                raise InvalidSwitchError("Invalid switch into %s: %r (expected %r)" %
                                         (getcurrent(), result, waiter))
        finally:
            watcher.stop()

    def cancel_wait(self, watcher, error, close_watcher=False):
        """Soon raise `error` in the greenlet that waits for `watcher` (None: nothing happens), and
        close that if close_watcher."""
        if watcher is None:
            return
        if watcher.callback is not None:
            self.loop.run_callback(self._cancel_wait, watcher, error, close_watcher)
        elif close_watcher:
            watcher.close()

    def cancel_waits_close_and_then(self, watchers, exc_kind, exc_arg, then, *then_args):
        """Soon raise exc_kind(exc_arg) in those who wait for the watchers, close these, and
        call then(*then_args)."""
        self.loop.run_callback(self._cancel_waits_then,
                               [one for one in watchers if one is not None], exc_kind, exc_arg,
                               then, then_args)

    def _cancel_waits_then(self, watchers, exc_kind, exc_arg, then, then_args):
        for watcher in watchers:
            self._cancel_wait(watcher, exc_kind(exc_arg), True)
        then(*then_args)

    def _cancel_wait(self, watcher, error, close_watcher):
        waits = getattr(watcher.callback, "__self__", None) if watcher.active else None
        if close_watcher:
            watcher.close()
        if waits is not None:
            waits.throw(error)

    def join(self, timeout=None):
        """Wait until neither another greenlet nor an active watcher with `ref` is left, or
        none that can ever go on; True if so, or if loop.break_() was called. False if the
        timeout (seconds) passed."""
        try:
            return wait(timeout=timeout)
        except LoopExit as error:
            from ._loop import Broken

            if not isinstance(error, Broken):
                raise
            return True

    def destroy(self, destroy_loop=None):
        """The hub is of no use any more; get_hub() makes a new one. Its threads end. destroy_loop:
        its loop's watchers are stopped; the next hub of the thread has a new loop. Else it takes
        over this one, as it does by default in the main thread."""
        if self.dead:
            return
        self.dead = True
        loop, self.loop = self.loop, None
        if self._resolver is not None:
            self._resolver.close()
        if self._threadpool is not None:
            self._threadpool.kill()
        self._resolver = self._threadpool = None
        if self.periodic_monitoring_thread is not None:
            self.periodic_monitoring_thread.kill()
            self.periodic_monitoring_thread = None
        if loop is not None:
            if destroy_loop is None:
                destroy_loop = not loop.default
            if destroy_loop:
                loop.destroy()
            else:
                loop._host = None
                self._loops[self.thread_ident] = loop
        if _hub() is self:
            _set_hub(None)

    # ---- what a thread has one of ----------------------------------------------------------------

    @property
    def threadpool_class(self):
        """The type of `threadpool`: gevent.config's. A subclass may name its own."""
        from .threadpool import ThreadPool

        settings = _settings()
        return settings.threadpool if settings else ThreadPool

    @property
    def resolver_class(self):
        """The type of `resolver`: gevent.config's. A subclass may name its own."""
        from .gevent._config import config

        return config.resolver

    @property
    def threadpool(self):
        """The pool of OS threads that gevent's functions use."""
        if self._threadpool is None:
            self._threadpool = self.threadpool_class(self.threadpool_size, hub=self)
        return self._threadpool

    @threadpool.setter
    def threadpool(self, pool):
        self._threadpool = pool

    @threadpool.deleter
    def threadpool(self):
        self._threadpool = None

    @property
    def resolver(self):
        """What gevent's functions look names up with."""
        if self._resolver is None:
            self._resolver = self.resolver_class(hub=self)
        return self._resolver

    @resolver.setter
    def resolver(self, resolver):
        self._resolver = resolver

    @resolver.deleter
    def resolver(self):
        self._resolver = None

    def start_periodic_monitoring_thread(self):
        """Have a thread look after this one, as gevent.config says; once."""
        if self.periodic_monitoring_thread is None:
            from .gevent import _monitor

            self.periodic_monitoring_thread = _monitor.start(self)
        return self.periodic_monitoring_thread

    @property
    def exception_stream(self):
        """Where tracebacks of failed greenlets go: standard error as it is now."""
        return sys.stderr

    def handle_error(self, context, type, value, tb):
        """Called when `context` (a greenlet, a watcher; None: nobody who could be asked for it)
        failed. Override it to be told; this one prints what is an error, and raises it in the main
        greenlet if there is no context or it is one of SYSTEM_ERROR."""
        if value is None or not issubclass(type, self.NOT_ERROR):
            self.print_exception(context, type, value, tb)
        if context is None or issubclass(type, self.SYSTEM_ERROR):
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
            import traceback  # brings dataclasses and inspect with it from CPython 3.14 on

            traceback.print_exception(t, v, tb, file=stream)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if context is not None:
            stream.write("%s %s failed with %s\n\n" % (when, self._text_of(context),
                                                       getattr(t, "__name__", t)))

    @property
    def format_context(self):
        """The function that makes text of the context in a report: gevent.config's as a
        rule. It can be set."""
        settings = _settings()
        return self._format_context or (settings.format_context if settings else repr)

    @format_context.setter
    def format_context(self, function):
        self._format_context = function

    def _text_of(self, context):
        if isinstance(context, str):
            return context
        try:
            return self.format_context(context)
        except Exception:  # the report itself comes first
            return repr(context)


def _three(exception=GreenletExit, value=None, tb=None):
    """The arguments of throw() as a type, an instance and a traceback."""
    if isinstance(exception, BaseException):
        return type(exception), exception, tb
    if not isinstance(value, BaseException):
        value = exception() if value is None else exception(value)
    return type(value), value, tb


_main = _root()
_hub_class = Hub


def set_default_hub_class(hubtype):
    """From now on get_hub() makes hubs of that type, for threads that have none."""
    global _hub_class
    _hub_class = hubtype


def get_hub(*args, **kwargs):
    """The calling thread's hub, made if need be, with these arguments. Does not switch."""
    hub = _hub()
    if hub is None:
        hub = _hub_class(*args, **kwargs)
        _set_hub(hub)
    return hub


def set_hub(hub):
    """Make it the calling thread's hub; None: the next get_hub() makes one."""
    _set_hub(hub)


def kill(greenlet, exception=GreenletExit):
    """Raise the exception in the greenlet soon; does not wait."""
    greenlet.kill(exception, block=False)


def reinit(hub=None):
    """After fork, in the child. Nothing to do: the runtime has done it."""


class signal_handler:
    """Call handler(*args, **kwargs) in a new greenlet when the signal arrives; cancel() ends that.
    What it raises is raised in the main greenlet.

    Of the main thread only (ValueError). `ref`: it keeps hub.join() waiting; False at first."""

    greenlet_class = None  # the type that calls the handler; None: Greenlet

    def __init__(self, signalnum, handler, *args, **kwargs):
        if not callable(handler):
            raise TypeError("signal handler must be callable.")
        self.hub = get_hub()
        self.handler, self.args, self.kwargs = handler, args, kwargs
        self.watcher = self.hub.loop.signal(signalnum, ref=False)
        self.watcher.start(self._start)

    @property
    def ref(self):
        return self.watcher.ref

    @ref.setter
    def ref(self, value):
        self.watcher.ref = value

    def _start(self):
        (self.greenlet_class or Greenlet).spawn(self.handle)

    def handle(self):
        """One arrival of the signal."""
        try:
            self.handler(*self.args, **self.kwargs)
        except BaseException:
            get_hub().handle_error(None, *sys.exc_info())

    def cancel(self):
        self.watcher.stop()


_nothing = object()


class Waiter:
    """One greenlet waits in get() for what another, or a callback of the loop, passes to switch()
    or throw(). What is passed before is kept."""

    __slots__ = ("hub", "greenlet", "value", "_exception")

    def __init__(self, hub=None):
        self.hub = hub if hub is not None else get_hub()
        self.greenlet = None
        self.clear()

    def clear(self):
        """Forget what was passed."""
        self.value = None
        self._exception = _nothing

    def __repr__(self):
        state = "" if self.greenlet is None else " greenlet=%r" % (self.greenlet,)
        if self._exception is not _nothing:
            state += (" value=%r" % (self.value,) if self._exception is None
                      else " exc_info=%r" % (self.exc_info,))
        return "<%s at 0x%x%s>" % (type(self).__name__, id(self), state)

    def ready(self):
        """True if something was passed."""
        return self._exception is not _nothing

    def successful(self):
        """True if a value was passed."""
        return self._exception is None

    @property
    def exc_info(self):
        """What was passed to throw(), as three; None if nothing was."""
        return None if self._exception in (None, _nothing) else self._exception

    def switch(self, value=None):
        """Pass a value. The caller goes on; the greenlet that waits in get() runs soon."""
        if self.greenlet is None:
            self.value, self._exception = value, None
        else:
            self.greenlet._hand(value)

    def switch_args(self, *args):
        """Pass the tuple of arguments."""
        self.switch(args)

    def throw(self, *error):
        """Raise an exception in get(): the arguments of a `raise`, up to three."""
        if self.greenlet is None:
            self._exception = _three(*error)
        else:
            self.greenlet.throw(*error)

    def get(self):
        """Wait for what is passed and return it, or raise it. Of one greenlet at a time."""
        if self._exception is not _nothing:
            if self._exception is None:
                return self.value
            raise self._exception[1].with_traceback(self._exception[2])
        if self.greenlet is not None:
            raise AssertionError("This Waiter is already used by %r" % (self.greenlet,))
        self.greenlet = getcurrent()
        try:
            return self.hub.switch()
        finally:
            self.greenlet = None

    def __call__(self, source):
        """As a link: pass on how `source` ended."""
        if source.exception is None:
            self.switch(source.value)
        else:
            self.throw(source.exception)
