"""What Greenlet.link() makes of a callback: it is called in a greenlet of its own. And what is waited for in place of objects that are not Bine's."""

import sys

from ._bine import Event, Greenlet


class SpawnedLink:
    __slots__ = ("callback",)

    def __init__(self, callback):
        if not callable(callback):
            raise TypeError("Expected callable: %r" % (callback,))
        self.callback = callback

    def __call__(self, source):
        Greenlet.spawn(self.callback, source)

    # Links compare by their callbacks, so that unlink(callback) finds them.
    def __eq__(self, other):
        return self.callback == getattr(other, "callback", other)

    def __hash__(self):
        return hash(self.callback)

    def __repr__(self):
        return "<%s of %r>" % (self.__class__.__name__, self.callback)


class SuccessSpawnedLink(SpawnedLink):
    __slots__ = ()

    def __call__(self, source):
        if source.successful():
            Greenlet.spawn(self.callback, source)


class FailureSpawnedLink(SpawnedLink):
    __slots__ = ()

    def __call__(self, source):
        if not source.successful():
            Greenlet.spawn(self.callback, source)


class StandIn:
    """wait(), iwait() and joinall() wait for `ready` in place of an object that has rawlink() or add_done_callback(), or is a subprocess.Popen."""

    __slots__ = ("ready", "_object", "_callback")

    def __init__(self, object):
        subprocess = sys.modules.get("subprocess")
        self._callback = None
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
            self.ready = Greenlet.spawn(object.wait)
        else:
            raise TypeError("cannot wait for %r" % (object,))

    def close(self):
        if self._callback is None:
            self.ready.kill(block=False)
        elif callable(getattr(self._object, "unlink", None)):
            self._object.unlink(self._callback)
