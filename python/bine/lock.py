"""Semaphores and locks (gevent.lock's names)."""

from ._bine import BoundedSemaphore, RLock, Semaphore

__all__ = ["BoundedSemaphore", "DummySemaphore", "RLock", "Semaphore"]


class DummySemaphore:
    """A semaphore without a limit: never blocks."""

    counter = 1

    def __init__(self, value=None):
        pass

    def __str__(self):
        return "<DummySemaphore>"

    def locked(self):
        return False

    def ready(self):
        return True

    def release(self):
        pass

    def rawlink(self, callback):
        pass

    def unlink(self, callback):
        pass

    def wait(self, timeout=None):
        return 1

    def acquire(self, blocking=True, timeout=None):
        return True

    def __enter__(self):
        return self

    def __exit__(self, typ, value, traceback):
        pass
