"""gevent's rules for queues that are subclassed, and for a Timeout as the argument of a call."""

import time

import bine
import bine.event
import bine.lock
import bine.pool
import bine.queue
from bine import Timeout
from helpers import raises, raising

PATCHED = True


# -- hooks of subclasses


def hooked(base):
    class Unique(base):
        def _init(self, maxsize, items=()):
            self.queue, self.seen = [], set()
            for item in items:
                self._put(item)

        def _put(self, item):
            if item not in self.seen:
                self.seen.add(item)
                self.queue.append(item)

        def _get(self):
            return self.queue.pop(0)

        def _peek(self):
            return self.queue[0]

        def _qsize(self):
            return len(self.queue)

    return Unique


def test_hazard_69_hooks_of_queue_subclasses_are_called():
    for base in (bine.queue.Queue, bine.queue.LifoQueue, bine.queue.PriorityQueue,
                 bine.queue.JoinableQueue, bine.queue.SimpleQueue):
        queue = hooked(base)()
        for item in (2, 2, 1):
            queue.put(item)
        assert queue.qsize() == len(queue) == 2 and not queue.empty() and not queue.full() and queue
        assert queue.peek() == 2 and [queue.get(), queue.get_nowait()] == [2, 1]
        assert (raises(bine.queue.Empty, queue.get, False) and
                raises(bine.queue.Empty, queue.get, timeout=0.01))
        assert hooked(base)(None, [3, 3, 4]).qsize() == 2


def test_hazard_69_one_hook_is_enough():
    class Counts(bine.queue.Queue):
        taken = 0

        def _get(self):
            self.taken += 1
            return super()._get()

    class Loud(bine.queue.PriorityQueue):
        def _put(self, item):
            bine.queue.PriorityQueue._put(self, -item)

    class Stack(bine.queue.LifoQueue):
        def _qsize(self):
            return super()._qsize()

    queue = Counts(items=[1, 2])
    assert [queue.get(), queue.get(timeout=1)] == [1, 2] and queue.taken == 2
    queue = Loud()
    for n in (1, 3, 2):
        queue.put(n)
    assert queue.peek() == -3 and [queue.get() for _ in range(3)] == [-3, -2, -1]
    queue = Stack()
    for n in (1, 2):
        queue.put_nowait(n)
    assert queue.peek_nowait() == 2 and [queue.get(), queue.get()] == [2, 1]


def test_hazard_69_queues_with_hooks_wait_and_wake():
    queue = hooked(bine.queue.Queue)(2)
    assert queue.maxsize == 2
    order = []
    getters = [bine.spawn(lambda n: order.append((n, queue.get())), n) for n in range(3)]
    bine.sleep(0)
    putters = [bine.spawn(queue.put, n) for n in range(6)]
    bine.joinall(getters, timeout=5, raise_error=True)
    assert sorted(item for _, item in order) == [0, 1, 2] and len(queue) == 2
    assert (raises(bine.queue.Full, queue.put, 9, timeout=0.01) and
            raises(bine.queue.Full, queue.put_nowait, 9))
    assert [queue.get() for _ in range(3)] == [3, 4, 5]
    bine.joinall(putters, timeout=5, raise_error=True)
    # A getter that is killed after it was woken loses nothing.
    first, second = bine.spawn(queue.get), bine.spawn(queue.get)
    bine.sleep(0)
    queue.put("item")
    first.kill(block=False)
    first.join()
    item = "item"
    if first.value == item:  # the wake came first
        item = "another"
        queue.put(item)
    assert second.get(timeout=5) == item
    # And iteration, shutting down.
    queue.put(StopIteration)
    assert list(queue) == []
    waiting = bine.spawn(raises, bine.queue.ShutDown, queue.get)
    bine.sleep(0)
    queue.shutdown()
    assert (waiting.get(timeout=5) and raises(bine.queue.ShutDown, queue.put, 1) and
            queue.is_shutdown)


def test_hazard_69_queues_with_hooks_count_tasks():
    class Logs(bine.queue.JoinableQueue):
        def _put(self, item):
            super()._put(item)

    queue = Logs()
    queue.put(1)
    assert queue.unfinished_tasks == 1 and queue.join(timeout=0.01) is False
    waiting = bine.spawn(queue.join)
    assert queue.get() == 1
    queue.task_done()
    assert waiting.get(timeout=5) is True and raises(ValueError, queue.task_done)


# -- a Timeout as the argument of a call


def full_queue():
    queue = bine.queue.Queue(1)
    queue.put(1)
    return queue


def taken_rlock():
    lock = bine.lock.RLock()
    bine.spawn(lambda: (lock.acquire(), bine.sleep(30)))
    bine.sleep(0)
    return lock


def joined_queue():
    queue = bine.queue.JoinableQueue()
    queue.put(1)
    return queue


def stubborn():
    def sleeps():
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                bine.sleep(30)
            except bine.GreenletExit:
                pass

    g = bine.spawn(sleeps)
    bine.sleep(0)
    return g


def with_members(group, *members):
    for member in members:
        group.add(member)
    return group


def sleeper():
    return bine.spawn(bine.sleep, 30)


class Hooked(bine.queue.Queue):
    def _get(self):
        return super()._get()


# The call, and what it gives when its time is up; RAISES: it raises.
RAISES = object()
CALLS = {
    "Queue.get": (lambda t: bine.queue.Queue().get(timeout=t), RAISES),
    "Queue.peek": (lambda t: bine.queue.Queue().peek(timeout=t), RAISES),
    "Queue.put": (lambda t: full_queue().put(2, timeout=t), RAISES),
    "hooked get": (lambda t: Hooked().get(timeout=t), RAISES),
    "Channel.get": (lambda t: bine.queue.Channel().get(timeout=t), RAISES),
    "Channel.put": (lambda t: bine.queue.Channel().put(2, timeout=t), RAISES),
    "Queue.join": (lambda t: joined_queue().join(timeout=t), False),
    "Event.wait": (lambda t: bine.event.Event().wait(t), False),
    "AsyncResult.get": (lambda t: bine.event.AsyncResult().get(timeout=t), RAISES),
    "AsyncResult.result": (lambda t: bine.event.AsyncResult().result(t), RAISES),
    "AsyncResult.wait": (lambda t: bine.event.AsyncResult().wait(t), None),
    "Semaphore.acquire": (lambda t: bine.lock.Semaphore(0).acquire(timeout=t), False),
    "Semaphore.wait": (lambda t: bine.lock.Semaphore(0).wait(t), 0),
    "RLock.acquire": (lambda t: taken_rlock().acquire(timeout=t), False),
    "Greenlet.join": (lambda t: sleeper().join(t), None),
    "Greenlet.get": (lambda t: sleeper().get(timeout=t), RAISES),
    "Greenlet.kill": (lambda t: stubborn().kill(timeout=t), None),
    "killall": (lambda t: bine.killall([stubborn()], timeout=t), RAISES),
    "Group.join": (lambda t: with_members(bine.pool.Group(), sleeper()).join(timeout=t), False),
    "Group.kill": (lambda t: with_members(bine.pool.Group(), stubborn()).kill(timeout=t), None),
    "Pool.wait_available": (lambda t: with_members(bine.pool.Pool(1),
                                                   sleeper()).wait_available(timeout=t), 0),
    "with_timeout": (lambda t: bine.with_timeout(t, bine.sleep, 30), RAISES),
    # gevent takes only numbers here.
    "joinall": (lambda t: bine.joinall([sleeper()], timeout=t), []),
    "wait": (lambda t: bine.wait([bine.event.Event()], timeout=t), []),
    "iwait": (lambda t: list(bine.iwait([bine.event.Event()], timeout=t)), []),
    "wait for all": (lambda t: sleeper() and bine.wait(timeout=t), False),
}


def test_hazard_69_a_timeout_object_as_timeout():
    for name, (call, value) in CALLS.items():
        for make in (lambda: Timeout(0.01), lambda: Timeout(0.01, False),
                     lambda: Timeout(0.01, "why"), lambda: Timeout.start_new(0.01)):
            timeout = make()
            try:
                result = call(timeout)
            except Timeout as raised:
                assert raised is timeout and value is RAISES, (name, raised)
            else:
                assert value is not RAISES and result == value, (name, result)
            assert not timeout.pending, name


def test_hazard_69_a_timeout_with_an_exception_of_its_own():
    for name, (call, _) in CALLS.items():
        mine = RuntimeError("mine")
        for exception in (mine, KeyError):
            timeout = Timeout(0.01, exception)
            raised = raises((RuntimeError, KeyError), call, timeout)
            assert raised is mine or exception is KeyError, name
            assert not timeout.pending, name


def test_hazard_69_a_timeout_object_that_was_not_needed_goes_on():
    queue = bine.queue.Queue()
    queue.put(1)
    with raising(Timeout):
        with Timeout(0.05) as timeout:
            assert queue.get(timeout=timeout) == 1 and timeout.pending
            bine.sleep(5)


def test_hazard_69_a_put_that_was_cut_short_leaves_nothing_in_the_channel():
    channel = bine.queue.Channel()
    g = bine.spawn(channel.put, "of the killed")
    bine.sleep(0)
    g.kill()
    bine.spawn(channel.put, "of the living")
    assert channel.get(timeout=5) == "of the living"
