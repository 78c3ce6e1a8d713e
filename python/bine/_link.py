"""What Greenlet.link() makes of a callback: it is called in a greenlet of its own. And what is
waited for in place of objects that are not Bine's."""

import os
import select
import sys
from typing import Any, Callable, Union

from ._bine import Event, Greenlet, sleep, wait_fd


class SpawnedLink:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[Any], Any]) -> None:
        if not callable(callback):
            raise TypeError("Expected callable: %r" % (callback,))
        self.callback = callback

    def __call__(self, source: Any) -> None:
        Greenlet.spawn(self.callback, source)

    # Links compare by their callbacks, so that unlink(callback) finds them.
    def __eq__(self, other: object) -> bool:
        return bool(self.callback == getattr(other, "callback", other))

    def __hash__(self) -> int:
        return hash(self.callback)

    def __repr__(self) -> str:
        return "<%s of %r>" % (self.__class__.__name__, self.callback)


class SuccessSpawnedLink(SpawnedLink):
    __slots__ = ()

    def __call__(self, source: Any) -> None:
        if source.successful():
            Greenlet.spawn(self.callback, source)


class FailureSpawnedLink(SpawnedLink):
    __slots__ = ()

    def __call__(self, source: Any) -> None:
        if not source.successful():
            Greenlet.spawn(self.callback, source)


def end_of(popen: Any) -> int:
    """Wait for the end of the process of a subprocess.Popen, and return its exit status; it
    switches. popen.wait() would hold a lock of the Popen meanwhile, which blocks the thread of the
    next who calls it where threads are not patched, and waitpid() where processes are not."""
    try:
        if popen.returncode is None:
            _wait_for(popen.pid)
    except ProcessLookupError:
        pass  # another has waited for it, and is about to tell popen
    while popen.poll() is None:
        sleep(0)
    code: int = popen.returncode
    return code


def _wait_for(pid: int) -> None:
    """Wait until a child has ended, which is not reaped. ProcessLookupError if there is none."""
    opened = getattr(os, "pidfd_open", None)
    try:
        descriptor = opened(pid) if opened else -1
    except ProcessLookupError:
        raise
    except OSError:  # the kernel has none, or the process has no descriptor left
        descriptor = -1
    if descriptor < 0:
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            raise ProcessLookupError from None
        return
    try:
        wait_fd(descriptor, select.POLLIN)
    finally:
        os.close(descriptor)


class StandIn:
    """wait(), iwait() and joinall() wait for `ready` in place of an object that has rawlink() or
    add_done_callback(), or is a subprocess.Popen."""

    __slots__ = ("ready", "_object", "_callback")

    def __init__(self, object: Any) -> None:
        subprocess = sys.modules.get("subprocess")
        self._callback: Any = None
        self.ready: Union[Event, Greenlet]
        if callable(getattr(object, "rawlink", None)):
            self._object = object
            self.ready = event = Event()
            self._callback = lambda *unused: event.set()
            object.rawlink(self._callback)
        elif callable(getattr(object, "add_done_callback", None)):  # concurrent.futures' and alike
            self._object = object
            self.ready = event = Event()
            self._callback = lambda *unused: event.set()
            object.add_done_callback(self._callback)
        elif subprocess is not None and isinstance(object, subprocess.Popen):
            self.ready = Greenlet.spawn(end_of, object)
        else:
            raise TypeError("cannot wait for %r" % (object,))

    def close(self) -> None:
        if isinstance(self.ready, Greenlet):
            self.ready.kill(block=False)
        elif callable(getattr(self._object, "unlink", None)):
            self._object.unlink(self._callback)
