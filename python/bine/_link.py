"""What Greenlet.link() makes of a callback: it is called in a greenlet of its own."""

from ._bine import Greenlet


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
