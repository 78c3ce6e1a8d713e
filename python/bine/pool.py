"""Groups of greenlets, and pools with a limit (gevent.pool's names)."""

from functools import partial

from ._bine import Greenlet, GreenletExit, Semaphore, Timeout, getcurrent
from .event import Event
from .greenlet import joinall
from .lock import DummySemaphore
from .queue import Full, Queue

__all__ = ["Group", "Pool", "PoolFull"]


class PoolFull(Full):
    """The pool had no room in time."""


class _Failure:
    def __init__(self, exception):
        self.exception = exception


class IMapUnordered(Greenlet):
    """The greenlet that feeds an imap_unordered, and its iterator."""

    def __init__(self, function, iterable, spawn, maxsize=None):
        Greenlet.__init__(self)
        self._function = function
        self._iterable = iterable
        self._spawn = spawn
        self.queue = Queue()  # what is there to be taken
        self._room = Semaphore(maxsize) if maxsize else None
        self._count = 0

    def _run(self):
        try:
            for item in self._iterable:
                if self._room is not None:
                    self._room.acquire()
                index = self._count
                self._count += 1
                greenlet = self._spawn(self._call, item)
                # By a link, so that one that is killed before it begins has a result, too.
                greenlet.rawlink(partial(self._ended, index))
        except BaseException as exception:  # of the iterable: told in its place
            self._count += 1
            self.queue.put((self._count - 1, _Failure(exception)))
        self.finished = True
        self.queue.put(None)

    def _call(self, item):
        return self._function(*item) if self._star else self._function(item)

    def _ended(self, index, greenlet):
        self.queue.put((index,
                        greenlet.value if greenlet.successful() else _Failure(greenlet.exception)))

    _star = False

    def _next(self):
        """The next (index, result), or StopIteration when all have come."""
        while True:
            if self.finished and self._returned == self._count:
                raise StopIteration
            pair = self.queue.get()
            if pair is not None:
                self._returned += 1
                if self._room is not None:
                    self._room.release()
                return pair

    _returned = 0
    finished = False

    def __iter__(self):
        return self

    def next(self):
        """The next result, as next() of it."""
        return self.__next__()

    def __next__(self):
        result = self._next()[1]
        if isinstance(result, _Failure):
            raise result.exception
        return result


class IMap(IMapUnordered):
    """The same in the order of the iterable."""

    def __init__(self, *args, **kwargs):
        IMapUnordered.__init__(self, *args, **kwargs)
        self._early = {}
        self._index = 0

    def __next__(self):
        while self._index not in self._early:
            index, result = self._next_or_missing()
            self._early[index] = result
        result = self._early.pop(self._index)
        self._index += 1
        if isinstance(result, _Failure):
            raise result.exception
        return result

    def _next_or_missing(self):
        return self._next()


class Group:
    """A collection of greenlets that are joined and killed together; those that end leave it."""

    greenlet_class = Greenlet

    def __init__(self, *args):
        if len(args) > 1:
            raise TypeError("Group() takes at most one iterable of greenlets")
        self.greenlets = set(*args)
        self.dying = set()  # killed already, but not dead yet: a kill strikes each only once
        self._empty_event = Event()
        self._empty_event.set()
        for greenlet in list(self.greenlets):
            greenlet.rawlink(self._discard)
        if self.greenlets:
            self._empty_event.clear()

    def __repr__(self):
        return "<%s at 0x%x %s>" % (self.__class__.__name__, id(self), self.greenlets)

    def __len__(self):
        return len(self.greenlets)

    def __contains__(self, item):
        return item in self.greenlets

    def __iter__(self):
        return iter(list(self.greenlets))

    def add(self, greenlet):
        """Begin to track the greenlet."""
        self.greenlets.add(greenlet)
        self._note_emptiness()
        greenlet.rawlink(self._discard)

    def _discard(self, greenlet):
        """True if it was in the group. Greenlets of several threads may leave at the same time."""
        try:
            self.greenlets.remove(greenlet)
        except KeyError:
            return False
        self.dying.discard(greenlet)
        if not self.greenlets:
            self._note_emptiness()
        return True

    def _note_emptiness(self):
        empty = None
        while empty is not (not self.greenlets):  # another thread may add or remove one meanwhile
            empty = not self.greenlets
            (self._empty_event.set if empty else self._empty_event.clear)()

    def discard(self, greenlet):
        """Stop tracking the greenlet."""
        greenlet.unlink(self._discard)
        self._discard(greenlet)

    def start(self, greenlet):
        """Add an unstarted greenlet and start it."""
        self.add(greenlet)
        greenlet.start()

    def spawn(self, *args, **kwargs):
        """Begin a new greenlet with the given arguments and track it."""
        greenlet = self.greenlet_class(*args, **kwargs)
        self.start(greenlet)
        return greenlet

    def join(self, timeout=None, raise_error=False):
        """Wait until the group is empty; True if it is."""
        greenlets = list(self.greenlets) if raise_error else ()
        result = self._empty_event.wait(timeout=timeout)
        for greenlet in greenlets:
            if greenlet.exception is not None:
                raise greenlet.exception
        return result

    def kill(self, exception=GreenletExit, block=True, timeout=None):
        """Kill all of them, each once; new ones that appear meanwhile too."""
        timer = Timeout.start_new(timeout)
        try:
            while self.greenlets:
                for greenlet in list(self.greenlets):
                    self._kill_once(greenlet, exception)
                if not block:
                    break
                joinall(list(self.greenlets))
                for greenlet in list(self.greenlets):
                    if greenlet.dead:
                        self._discard(greenlet)
        except Timeout as raised:
            if raised is not timer:
                raise
        finally:
            timer.cancel()

    def _kill_once(self, greenlet, exception):
        if greenlet not in self.dying:
            self.dying.add(greenlet)
            greenlet.kill(exception, block=False)

    def killone(self, greenlet, exception=GreenletExit, block=True, timeout=None):
        """Kill this one if it is in the group and was not killed before."""
        if greenlet in self.greenlets and greenlet not in self.dying:
            self._kill_once(greenlet, exception)
            if block:
                greenlet.join(timeout)

    def full(self):
        return False

    def wait_available(self, timeout=None):
        pass

    # -- functions on iterables

    def apply(self, func, args=None, kwds=None):
        """Run func(*args, **kwds) in the group and return its result; directly if called
        from within the group."""
        if self._apply_directly():
            return func(*(args or ()), **(kwds or {}))
        return self.spawn(func, *(args or ()), **(kwds or {})).get()

    def _apply_directly(self):
        return getcurrent() in self

    def apply_async(self, func, args=None, kwds=None, callback=None):
        """The greenlet that runs func(*args, **kwds); callback(result) when it succeeded."""
        if self.full():
            # It must not block here: a greenlet outside waits for the room.
            return Greenlet.spawn(self.apply_cb, func, args, kwds, callback)
        greenlet = self.spawn(func, *(args or ()), **(kwds or {}))
        if callback is not None:
            greenlet.link_value(lambda source: callback(source.value))
        return greenlet

    def apply_cb(self, func, args=None, kwds=None, callback=None):
        """apply(), then callback(result) in a new greenlet."""
        result = self.apply(func, args, kwds)
        if callback is not None:
            Greenlet.spawn(callback, result)
        return result

    def map(self, func, iterable):
        """list(map(func, iterable)), at the same time."""
        return list(self.imap(func, iterable))

    def map_cb(self, func, iterable, callback=None):
        """map(), then callback(list) in a new greenlet."""
        result = self.map(func, iterable)
        if callback is not None:
            Greenlet.spawn(callback, result)
        return result

    def map_async(self, func, iterable, callback=None):
        """The greenlet that does map(); callback(list) at its end."""

        def run():
            result = self.map(func, iterable)
            if callback is not None:
                callback(result)
            return result

        return Greenlet.spawn(run)

    def imap(self, func, *iterables, **kwargs):
        """An iterator over the results, in order; at most ``maxsize`` of them wait to be taken."""
        return self._imap(IMap, func, iterables, **kwargs)

    def imap_unordered(self, func, *iterables, **kwargs):
        """The same in the order in which they end."""
        return self._imap(IMapUnordered, func, iterables, **kwargs)

    def _imap(self, kind, func, iterables, maxsize=None):
        single = len(iterables) == 1
        iteration = kind(func, iterables[0] if single else zip(*iterables), self.spawn, maxsize)
        iteration._star = not single
        iteration.start()
        return iteration


class Pool(Group):
    """A group that spawns at most ``size`` greenlets at a time; None: no limit."""

    def __init__(self, size=None, greenlet_class=None):
        if size is not None and size < 0:
            raise ValueError("size must not be negative: %r" % (size,))
        Group.__init__(self)
        self.size = size
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class
        self._semaphore = DummySemaphore() if size is None else Semaphore(size)

    def wait_available(self, timeout=None):
        """Wait until a greenlet can be spawned; how many could be."""
        return self._semaphore.wait(timeout=timeout)

    def full(self):
        """True if no greenlet can be spawned now."""
        return self.free_count() <= 0

    def free_count(self):
        """How many greenlets can be spawned now."""
        return self._semaphore.counter

    def start(self, greenlet, blocking=True, timeout=None):
        self.add(greenlet, blocking, timeout)
        greenlet.start()

    def add(self, greenlet, blocking=True, timeout=None):
        """Begin to track the greenlet, waiting for room; PoolFull if there is none in time."""
        if not self._semaphore.acquire(blocking=blocking, timeout=timeout):
            raise PoolFull()
        try:
            Group.add(self, greenlet)
        except BaseException:
            self._semaphore.release()
            raise

    def _discard(self, greenlet):
        if Group._discard(self, greenlet):
            self._semaphore.release()

    def _apply_directly(self):
        return Group._apply_directly(self) or self.full() and getcurrent() in self
