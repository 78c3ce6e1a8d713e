"""Queues that several OS threads use, and greenlets in each. Nothing is patched here:
threads are real ones."""

import functools
import gc
import os
import random
import threading
import time
import weakref

import bine
import bine.queue
from helpers import raises
from test_threads import in_thread, in_thread_alone

KINDS = [bine.queue.Queue, bine.queue.LifoQueue, bine.queue.PriorityQueue, bine.queue.JoinableQueue]


class Hooked(bine.queue.Queue):
    """The hooks take a moment, in which the interpreter may run another thread."""

    def _put(self, item):
        time.sleep(0)
        super()._put(item)
        time.sleep(0)

    def _get(self):
        time.sleep(0)
        return super()._get()


class HookedPriority(bine.queue.PriorityQueue):
    def _put(self, item):
        super()._put(item)


ALL = KINDS + [Hooked, HookedPriority]


def for_each(*arguments):
    """A test that is run with each of these tuples of arguments."""

    def decorate(function):
        @functools.wraps(function)
        def test():
            for some in arguments:
                print(*some)
                function(*some)

        del test.__wrapped__  # pytest would look for fixtures
        return test

    return decorate


def soon(function, *args):
    return bine.spawn_later(0.02, function, *args)


def patience(condition):
    """Wait until it holds, while others run."""
    for _ in range(4000):
        if condition():
            return
        bine.sleep(0.005)
    raise AssertionError("it never comes true")


# -- waiting in a thread


@for_each(*((kind,) for kind in ALL + [bine.queue.Channel]))
def test_hazard_57_a_thread_waits_for_an_item_that_a_greenlet_puts(kind):
    queue = kind()
    soon(queue.put, 5)
    assert in_thread(queue.get) == 5
    soon(queue.put, 6)
    assert in_thread(lambda: queue.get(timeout=10)) == 6
    soon(queue.put, StopIteration)
    assert in_thread(lambda: list(queue)) == []
    assert (in_thread(raises, bine.queue.Empty, queue.get_nowait) and
            in_thread(lambda: raises(bine.queue.Empty, queue.get, timeout=0.01)))


@for_each(*((kind,) for kind in ALL))
def test_hazard_57_a_thread_waits_for_room_and_to_look_and_to_join(kind):
    queue = kind(1)
    soon(queue.put, 1)
    assert in_thread(queue.peek) == 1 and in_thread(queue.peek_nowait) == 1 and queue.qsize() == 1
    assert (in_thread(raises, bine.queue.Full, queue.put_nowait, 2) and
            in_thread(lambda: raises(bine.queue.Full, queue.put, 2, timeout=0.01)))
    soon(queue.get)
    in_thread(queue.put, 3)
    assert in_thread(lambda: queue.join(timeout=0.01)) is False and queue.unfinished_tasks == 2
    soon(lambda: (queue.task_done(), queue.get(), in_thread(queue.task_done)))
    assert in_thread(queue.join) is True and in_thread(raises, ValueError, queue.task_done)


@for_each(*((kind,) for kind in ALL))
def test_hazard_57_a_thread_needs_nobody_for_what_is_there(kind):
    queue = kind(2, [1])

    def use():
        queue.put(2)
        return sorted([queue.get(), queue.get_nowait()]), queue.empty()

    assert in_thread_alone(use) == ([1, 2], True)


@for_each(*((kind,) for kind in ALL))
def test_hazard_57_a_shutdown_ends_the_waits_of_all_threads(kind):
    queue = kind(1)
    soon(queue.shutdown)
    assert in_thread(raises, bine.queue.ShutDown, queue.get)
    assert (in_thread(raises, bine.queue.ShutDown, queue.put, 1) and
            in_thread(lambda: queue.is_shutdown))
    queue = kind(1, [1])
    soon(in_thread, lambda: queue.shutdown(immediate=True))
    assert in_thread(raises, bine.queue.ShutDown, queue.put, 2) and queue.empty() and queue.join(1)


@for_each(*((kind,) for kind in ALL + [bine.queue.Channel]))
def test_hazard_57_a_waiter_of_another_thread_is_killed_or_has_no_time_left(kind):
    queue = kind()

    def use():
        killed = [bine.spawn(queue.get) for _ in range(3)]
        bine.sleep(0.01)
        bine.killall(killed[:2])
        with bine.Timeout(0.01, False):
            queue.get()
        late = bine.Timeout(0.01)
        return raises(bine.Timeout, queue.get, timeout=late) is late, killed[2].get()

    soon(lambda: (bine.sleep(0.2), queue.put(1)))
    assert in_thread(use) == (True, 1)
    assert queue.qsize() == 0


@for_each(*((kind,) for kind in ALL))
def test_hazard_57_what_waits_in_a_thread_that_ends_takes_nothing(kind):
    queue = kind(1)

    def leave_behind():
        bine.spawn(queue.get)
        bine.spawn(queue.peek)
        bine.sleep(0.01)

    in_thread(leave_behind)
    queue.put(1)
    assert queue.get(timeout=10) == 1
    queue.put(2)

    def leave_putters():
        bine.spawn(queue.put, 3)
        bine.sleep(0.01)

    in_thread(leave_putters)
    assert queue.get() == 2 and queue.empty()
    queue.put(4)
    assert queue.get() == 4


@for_each(*((kind,) for kind in KINDS))
def test_hazard_57_what_a_thread_was_given_and_never_saw_is_there_again(kind):
    queue = kind()

    def leave_behind():
        bine.spawn(queue.get)
        bine.spawn(queue.get)
        bine.sleep(0.01)
        queue.put(1)
        queue.put(2)  # they were handed to the two, which never run

    in_thread(leave_behind)
    patience(lambda: queue.qsize() == 2)
    assert [queue.get(timeout=10), queue.get(timeout=10)] == [1, 2]
    queue = kind(1, [1])

    def leave_putter():
        bine.spawn(queue.put, 2)
        bine.sleep(0.01)
        assert queue.get() == 1  # its room goes to the putter, which never runs

    in_thread(leave_putter)
    patience(lambda: not isinstance(queue, bine.queue.PriorityQueue) or not queue.full())
    if queue.empty():
        queue.put(2)
    assert queue.get(timeout=10) == 2


@for_each(*((kind,) for kind in ALL + [bine.queue.Channel]))
def test_hazard_57_a_forked_child_has_the_queue_and_none_of_the_waiters(kind):
    queue = kind()
    thread = threading.Thread(target=lambda: [queue.get(), queue.get()], daemon=True)
    thread.start()
    waiting = bine.spawn(queue.get)
    bine.sleep(0.05)
    child = os.fork()
    if child == 0:
        try:
            taken = bine.spawn(queue.get)
            bine.sleep(0)
            queue.put(1)
            os._exit(0 if taken.get(timeout=5) == 1 and queue.qsize() == 0 else 1)
        finally:
            os._exit(2)
    for n in range(3):
        queue.put(n)
    waiting.join(10)
    patience(lambda: not thread.is_alive())
    assert os.waitpid(child, 0)[1] == 0


# -- nothing is lost, nothing comes twice


def putter(queue, numbers, chance):
    for number in numbers:
        while True:
            try:
                queue.put(number, timeout=chance.choice((None, None, 0.001, 0)))
                break
            except bine.queue.Full:
                bine.sleep(0)
        if chance.random() < 0.2:
            bine.sleep(0)


def getter(queue, got, chance, stop):
    while True:
        try:
            item = queue.get(timeout=chance.choice((None, 0.001, 0)))
        except bine.queue.Empty:
            bine.sleep(0)
            continue
        if item == stop:
            return
        got.append(item)
        if queue_counts(queue):
            queue.task_done()


def queue_counts(queue):
    return hasattr(queue, "task_done")


@for_each(*((kind, maxsize) for kind in ALL for maxsize in (0, 1, 3)), (bine.queue.Channel, 0))
def test_hazard_57_threads_and_greenlets_lose_and_double_nothing(kind, maxsize):
    queue, stop, got, threads, each = kind(maxsize) if maxsize else kind(), 1 << 30, [], 3, 60

    def one_thread(number):
        chance, mine = random.Random(number), [[] for _ in range(3)]
        got.extend(mine)
        getters = [bine.spawn(getter, queue, some, chance, stop) for some in mine]
        putters = [bine.spawn(putter, queue, range(first, 6 * each * threads, 3 * threads), chance)
                   for first in range(3 * number, 3 * number + 3)]
        # Some come in between, who wait and are killed.
        for _ in range(5):
            victims = ([bine.spawn(queue.put, -1) for _ in range(2)] if kind is bine.queue.Channel
                       else [])
            bine.killall(victims)
        bine.joinall(putters, raise_error=True)
        done.append(number)
        bine.joinall(getters, raise_error=True)

    done = []
    all_threads = [threading.Thread(target=one_thread, args=(n,), daemon=True)
                   for n in range(threads)]
    for thread in all_threads:
        thread.start()
    patience(lambda: len(done) == threads)
    if queue_counts(queue):
        queue.join(timeout=20)
    for _ in range(3 * threads):
        queue.put(stop)
    patience(lambda: not any(thread.is_alive() for thread in all_threads))
    everything = sorted(item for some in got for item in some if item >= 0)
    assert everything == list(range(6 * each * threads))
    if isinstance(queue, bine.queue.Queue):
        assert queue.qsize() == 0
    if kind in (bine.queue.Queue, bine.queue.JoinableQueue, Hooked):
        for some in got:
            for first in range(3 * threads):
                own = [item for item in some if item % (3 * threads) == first]
                assert own == sorted(own)


@for_each(*((kind,) for kind in KINDS + [Hooked]))
def test_hazard_57_getters_that_are_killed_take_nothing_along(kind):
    queue, got = kind(), []

    def use():
        for n in range(40):
            victim, other = bine.spawn(queue.get), bine.spawn(lambda: got.append(queue.get()))
            bine.sleep(0)
            queue.put(n)
            if n % 2:
                victim.kill()
            else:
                victim.kill(block=False)
            bine.sleep(0)
            if victim.successful() and not isinstance(victim.value, bine.GreenletExit):
                got.append(victim.value)
            other.join(0.01)
            if not other.ready():
                other.kill()
            while not queue.empty():
                got.append(queue.get())

    in_thread(use)
    assert sorted(got) == list(range(40))


# -- items that are compared


class Slow:
    """Comparing lets other threads and greenlets run."""

    def __init__(self, number, wait):
        self.number, self.wait = number, wait

    def __lt__(self, other):
        self.wait()
        return self.number < other.number


@for_each(*((wait, maxsize) for wait in (lambda: time.sleep(0), lambda: bine.sleep(0))
            for maxsize in (0, 2)))
def test_hazard_57_a_heap_stays_one_while_its_items_are_compared(wait, maxsize):
    queue, got = bine.queue.PriorityQueue(maxsize or None), []

    def one_thread(first):
        putters = [bine.spawn(lambda k: [queue.put(Slow(n, wait)) for n in range(k, 60, 6)], k)
                   for k in (first, first + 3)]
        getters = [bine.spawn(lambda: [got.append(queue.get().number) for _ in range(10)])
                   for _ in range(2)]
        bine.joinall(putters + getters, raise_error=True)
        done.append(first)

    done = []
    for first in range(3):
        threading.Thread(target=one_thread, args=(first,), daemon=True).start()
    patience(lambda: len(done) == 3)
    assert sorted(got) == list(range(60)) and queue.empty()
    numbers = random.Random(5).sample(range(100), 40)
    queue = bine.queue.PriorityQueue(items=[Slow(n, wait) for n in numbers])
    assert [queue.get().number for _ in range(40)] == sorted(numbers)


def test_hazard_57_a_comparison_that_raises_leaves_the_queue_as_it_was():
    queue = bine.queue.PriorityQueue(3, [3, 1, 2])
    assert raises(bine.queue.Full, queue.put_nowait, "text")
    waiting = bine.spawn(raises, TypeError, queue.put, "text")
    last = bine.spawn(queue.put, 0)
    bine.sleep(0)
    assert queue.get() == 1
    # The putter that had the room for an item that fits nowhere leaves it to the next.
    assert waiting.get(timeout=5) and last.get(timeout=5) is None
    assert [queue.get() for _ in range(3)] == [0, 2, 3] and queue.unfinished_tasks == 4

    class Sometimes(int):
        broken = False

        def __lt__(self, other):
            if Sometimes.broken:
                raise KeyError("broken")
            return int(self) < int(other)

    queue = bine.queue.PriorityQueue(items=[Sometimes(n) for n in (5, 3, 4, 1)])
    Sometimes.broken = True
    assert (raises(KeyError, queue.get) and raises(KeyError, queue.put, Sometimes(0)) and
            queue.qsize() == 4)
    Sometimes.broken = False
    assert [queue.get() for _ in range(4)] == [1, 3, 4, 5]


def test_hazard_57_equal_items_keep_their_order():
    class Same(list):
        def __lt__(self, other):
            return self[0] < other[0]

    queue = bine.queue.PriorityQueue()
    for n in range(50):
        queue.put(Same([n % 3, n]))
    assert [queue.get() for _ in range(50)] == sorted([n % 3, n] for n in range(50))


# -- memory


@for_each(*((kind,) for kind in ALL + [bine.queue.Channel]))
def test_a_queue_that_holds_itself_is_collected(kind):
    class Sub(kind):
        def __lt__(self, other):
            return False

    queue = Sub()
    queue.myself = queue
    if kind is not bine.queue.Channel:
        queue.put(queue)
        queue.put(queue)
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    assert gone() is None


def test_a_destructor_of_an_item_may_use_the_queue():
    queue = bine.queue.Queue()

    class Item:
        def __del__(self):
            ends.append(raises(bine.queue.ShutDown, queue.put, 1) is not None and queue.qsize())

    ends = []
    for _ in range(3):
        queue.put(Item())
    queue.shutdown(immediate=True)
    assert len(ends) == 3 and queue.empty() and queue.unfinished_tasks == 0
