"""The event loop that gevent's programs see as hub.loop. Watchers of descriptors, timers and async_
are C (bine._bine); the rest is made of them here."""

import os
import signal as _signal
import sys
import threading

from . import _bine
from ._bine import (Greenlet, LoopExit, _moment, _throw_into_main, async_, callback, io,
                    poller_name, sleep, timer, wait, watcher)

__all__ = [
    "MAXPRI", "MINPRI", "READ", "WRITE", "async_", "callback", "check", "child", "fork", "idle",
    "io", "loop", "prepare", "signal", "stat", "timer", "watcher",
]

MINPRI, MAXPRI = -2, 2
READ, WRITE, TIMER, SIGNAL, CHILD, STAT = 1, 2, 0x100, 0x400, 0x800, 0x1000
IDLE, PREPARE, CHECK, EMBED, FORK, CLEANUP, ASYNC, CUSTOM = (
    0x2000, 0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x1000000)


EVBREAK_CANCEL, EVBREAK_ONE, EVBREAK_ALL = 0, 1, 2


class Broken(LoopExit):
    """Raised in the main greenlet by loop.break_(). Hub.join() takes it for its end."""


class prepare(_moment):
    """prepare(loop, ref=True, priority=None)

    A watcher that is called before the loop waits for events."""

    _moment = 0


class check(_moment):
    """check(loop, ref=True, priority=None)

    A watcher that is called after the loop has waited for events."""

    _moment = 1


class idle(_moment):
    """idle(loop, ref=True, priority=None)

    A watcher that is called whenever there is nothing else to do. While one is active the loop does
    not wait, and takes a whole processor."""

    _moment = 2


class signal(watcher):
    """signal(loop, signum, ref=True, priority=None)

    A watcher that is called when the signal arrives. Starting one takes Python's handler of the
    signal away until the last one is stopped; only the main thread may do that (ValueError)."""

    _watched = {}  # by number: the handler that was there, and the active watchers

    def __init__(self, loop, signum, ref=True, priority=None):
        if not 0 < signum < _signal.NSIG:
            raise ValueError("illegal signal number: %r" % (signum,))
        watcher.__init__(self, loop, ref, priority)
        self.signum = signum

    def _format(self):
        return " signum=%r" % (self.signum,)

    @classmethod
    def _arrived(cls, signum, frame):
        for one in list(cls._watched.get(signum, (None, ()))[1]):
            if one.loop._here:
                one._fire(SIGNAL)
            else:
                one.loop.run_callback_threadsafe(one._fire, SIGNAL)

    def _begin(self):
        there = self._watched.get(self.signum)
        if there is None:
            there = self._watched[self.signum] = (_signal.signal(self.signum, self._arrived), [])
        there[1].append(self)

    def _end(self):
        before, watchers = self._watched[self.signum]
        watchers.remove(self)
        if not watchers:
            del self._watched[self.signum]
            if _signal.getsignal(self.signum) == self._arrived:
                _signal.signal(self.signum, _signal.SIG_DFL if before is None else before)


class child(watcher):
    """child(loop, pid, trace=0, ref=True)

    A watcher that is called when the child process ends, with its status in `rstatus` (as
    os.waitpid's) and its pid in `rpid`. The child is reaped by that. With trace it is
    called when the child stops and goes on, too. pid 0: any child. If somebody else reaps
    the child it is not called."""

    def __init__(self, loop, pid, trace=0, ref=True):
        if pid < 0:
            raise ValueError("illegal pid: %r" % (pid,))
        watcher.__init__(self, loop, ref)
        self.pid, self.trace = pid, trace
        self.rpid, self.rstatus = 0, 0
        self._source = self._pidfd = None

    def _format(self):
        return " pid=%r rstatus=%r" % (self.pid, self.rstatus)

    def _open(self):
        """A descriptor that is readable when the child has ended; None where the kernel has none,
        or more than an end is of interest."""
        if self.pid and not self.trace and hasattr(os, "pidfd_open"):
            try:
                return os.pidfd_open(self.pid)
            except OSError:
                pass
        return None

    def _begin(self):
        self._pidfd = self._open()
        if self._pidfd is not None:
            self._source = io(self.loop, self._pidfd, READ, ref=False)
        else:
            self._source = signal(self.loop, _signal.SIGCHLD, ref=False)
            self.loop.run_callback(self._look)  # for one that has ended already
        self._source.start(self._look)

    def _look(self):
        flags = os.WNOHANG | (os.WUNTRACED | os.WCONTINUED if self.trace else 0)
        while self.active:
            try:
                pid, status = os.waitpid(self.pid or -1, flags)
            except ChildProcessError:
                break
            if pid == 0:
                return
            self.rpid, self.rstatus = pid, status
            self._fire(CHILD)
            if self.pid:
                if os.WIFEXITED(status) or os.WIFSIGNALED(status):
                    break
                return
        if self._pidfd is not None:
            self._source.stop()  # it stays readable

    def _end(self):
        self._source.close()
        self._source = None
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


class fork(watcher):
    """fork(loop, ref=True, priority=None)

    A watcher that is called in the child process after os.fork()."""

    _watched = []

    def _begin(self):
        fork._watched.append(self)

    def _end(self):
        fork._watched.remove(self)

    @staticmethod
    def _forked():
        for one in list(fork._watched):
            one._fire(FORK)


os.register_at_fork(after_in_child=fork._forked)


class stat(watcher):
    """stat(loop, path, interval=0.0, ref=True, priority=None)

    A watcher that is called when what os.stat(path) says has changed, or the file has come or gone.
    It looks each `interval` seconds; 0: each second. `attr` and `prev` are what it said now and
    before, None where there is no file."""

    def __init__(self, loop, path, interval=0.0, ref=True, priority=None):
        if not isinstance(path, (str, bytes)):
            raise TypeError("path must be a string, not %r" % (path,))
        if interval < 0:
            raise ValueError("interval must be positive or zero")
        watcher.__init__(self, loop, ref, priority)
        self.path, self.interval = path, interval
        self.attr = self.prev = None
        self._source = None

    def _format(self):
        return " path=%r interval=%r" % (self.path, self.interval)

    def _state(self):
        try:
            return os.stat(self.path)
        except OSError:
            return None

    def _begin(self):
        self.attr = self._state()
        interval = max(self.interval, 0.1) if self.interval else 1.0
        self._source = timer(self.loop, interval, interval, ref=False)
        self._source.start(Greenlet.spawn, self._look)  # os.stat may wait

    def _end(self):
        self._source.close()

    def _look(self):
        now = self._state()
        if not self.active or self._same(now, self.attr):
            return
        self.prev, self.attr = self.attr, now
        self._fire(STAT)

    @staticmethod
    def _same(one, other):
        if one is None or other is None:
            return one is other
        return all(getattr(one, name) == getattr(other, name)
                   for name in ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid",
                                "st_size", "st_mtime_ns", "st_ctime_ns"))


class loop(_bine.Loop):
    """loop(flags=None, default=None)

    The event loop of the calling thread. Bine turns it by itself: greenlets and descriptors need no
    loop. It calls the callbacks of watchers, in the greenlet of the thread's Hub, between two other
    greenlets. What a callback may not do is wait: BlockingSwitchOutError.

    Its methods are for its own thread but for run_callback_threadsafe() and async_'s send(). flags
    are accepted and mean nothing."""

    MINPRI, MAXPRI = MINPRI, MAXPRI
    WatcherType = watcher
    approx_timer_resolution = 1e-6
    origflags_int = 0
    sig_pending = sigfd = 0

    def __init__(self, flags=None, default=None):
        _bine.Loop.__init__(self, flags, default)
        self.default = (bool(default) if default is not None
                        else threading.get_native_id() == os.getpid())
        self.origflags = [] if flags is None else flags

    def __repr__(self):
        return "<%s at 0x%x %s>" % (type(self).__name__, id(self), self._format())

    def _format(self):
        if self.destroyed:
            return "destroyed"
        return "%s%s pending=%s ref=%s" % (self.backend, " default" if self.default else "",
                                           self.pendingcnt, self.activecnt)

    @property
    def backend(self):
        """Which poller the thread uses: "uring", "epoll", "sim"; "none" while it has not
        waited for a descriptor."""
        return poller_name()

    @property
    def backend_int(self):
        """libev's number for what is most alike."""
        return 0x80 if self.backend == "uring" else 0x04

    def fileno(self):
        """The descriptor of the poller: None, it is nobody else's business."""
        return None

    def signal(self, signum, ref=True, priority=None):
        """A watcher of a signal."""
        return signal(self, signum, ref, priority)

    def child(self, pid, trace=0, ref=True):
        """A watcher of a child process; pid 0: of all."""
        return child(self, pid, trace, ref)

    def fork(self, ref=True, priority=None):
        """A watcher of forks, called in the child process."""
        return fork(self, ref, priority)

    def prepare(self, ref=True, priority=None):
        """A watcher that is called before the loop waits."""
        return prepare(self, ref, priority)

    def check(self, ref=True, priority=None):
        """A watcher that is called after the loop has waited."""
        return check(self, ref, priority)

    def idle(self, ref=True, priority=None):
        """A watcher that is called when there is nothing else to do."""
        return idle(self, ref, priority)

    def stat(self, path, interval=0.0, ref=True, priority=None):
        """A watcher of what os.stat() says of a path."""
        return stat(self, path, interval, ref, priority)

    def install_sigchld(self):
        """Nothing to do: child watchers need no handler of SIGCHLD."""

    def reset_sigchld(self):
        """Nothing to do: see install_sigchld()."""

    def reinit(self):
        """Nothing to do in a child process: its watchers wait on by themselves."""

    def verify(self):
        """Nothing to do."""

    def run(self, nowait=False, once=False):
        """Let the others run: with nowait or once for one turn, else until nothing is left that
        could (as hub.join())."""
        if nowait or once:
            sleep(0)
        else:
            self._host.join() if self._host is not None else wait()

    def break_(self, how=EVBREAK_ONE):
        """Have run() and hub.join() return in the main greenlet. If that waits for something else,
        that wait raises LoopExit; if it runs, its next one does. EVBREAK_CANCEL: do nothing."""
        if how != EVBREAK_CANCEL:
            _throw_into_main(Broken("The event loop was told to break", self._host, []))

    @property
    def depth(self):
        """How many calls of run() are under way, as programs see it: 0 before the first turn
        of the loop, then 1."""
        return 1 if self.iteration else 0

    def handle_error(self, context, type, value, tb):
        """A callback failed; `context` is the watcher, or what run_callback() returned. Tells
        error_handler, which is the hub as a rule."""
        if self.error_handler is not None:
            self.error_handler.handle_error(context, type, value, tb)
        else:
            self._default_handle_error(context, type, value, tb)

    def _default_handle_error(self, context, type, value, tb):
        import traceback  # brings dataclasses and inspect with it from CPython 3.14 on

        traceback.print_exception(type, value, tb, file=sys.stderr)


setattr(loop, "async", loop.async_)  # a keyword by now
