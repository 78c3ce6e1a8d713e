"""What gevent's locks, queues, pools and locals have beside waiting: links, counters,
items, limits that change."""

import collections
import concurrent.futures
import copy
import gc
import threading
import time
import weakref

import bine
from bine.event import AsyncResult, Event
from bine.local import all_local_dicts_for_greenlet, local
from bine.lock import BoundedSemaphore, DummySemaphore, RLock, Semaphore
from bine.pool import Group, Pool
from bine.queue import JoinableQueue, LifoQueue, PriorityQueue, Queue
from bine.threadpool import ThreadPool, ThreadPoolExecutor

from helpers import raises

PATCHED = True


def nothing(*unused):
    pass


def test_links_of_a_semaphore_are_called_once_when_there_is_a_permit():
    semaphore, called = Semaphore(0), []
    semaphore.rawlink(called.append)
    semaphore.rawlink(nothing)
    assert semaphore.linkcount() == 2
    semaphore.unlink(nothing)
    semaphore.unlink(nothing)
    assert semaphore.linkcount() == 1 and called == []
    semaphore.release()
    assert called == []  # in another greenlet
    bine.sleep(0)
    assert called == [semaphore] and semaphore.linkcount() == 0 and semaphore.counter == 1
    semaphore.acquire()
    semaphore.release()
    bine.sleep(0)
    assert called == [semaphore]
    semaphore.rawlink(called.append)  # there is one now
    bine.sleep(0)
    assert called == [semaphore] * 2
    raises(TypeError, semaphore.rawlink, 5)


def test_links_of_a_semaphore_come_after_those_who_wait_for_it():
    semaphore, called = Semaphore(0), []
    waiting = bine.spawn(semaphore.acquire)
    bine.sleep(0)
    semaphore.rawlink(called.append)
    semaphore.release()
    assert waiting.get() and semaphore.counter == 0
    bine.sleep(0)
    assert called == []
    # Takes the one permit: the link after it waits.
    semaphore.rawlink(lambda source: source.acquire())
    semaphore.rawlink(called.append)
    semaphore.release()
    bine.sleep(0)
    assert called == [semaphore] and semaphore.counter == 0 and semaphore.linkcount() == 1
    semaphore.release()
    bine.sleep(0)
    assert called == [semaphore] * 2


def test_a_link_that_fails_does_not_keep_the_others_from_being_called():
    semaphore, called = Semaphore(0), []
    semaphore.rawlink(lambda source: 1 / 0)
    semaphore.rawlink(called.append)
    semaphore.release()
    bine.sleep(0)
    assert called == [semaphore]


def test_a_semaphore_that_its_links_refer_to_is_freed():
    semaphore = Semaphore(0)
    semaphore.rawlink(lambda source: semaphore)  # noqa: F821 (which is deleted below)
    seen = weakref.ref(semaphore)
    del semaphore
    gc.collect()
    assert seen() is None


def test_the_counter_of_a_semaphore_can_be_set():
    semaphore = Semaphore(0)
    waiting = [bine.spawn(semaphore.acquire) for _ in range(3)]
    bine.sleep(0)
    semaphore.counter = 5
    bine.joinall(waiting)
    assert semaphore.counter == 2 and not semaphore.locked()
    semaphore.counter = 0
    assert semaphore.locked()
    raises(ValueError, setattr, semaphore, "counter", -1)
    raises(TypeError, setattr, semaphore, "counter", "5")
    raises(ValueError, setattr, semaphore, "counter", 2 ** 40)
    assert semaphore.hub is bine.get_hub() and BoundedSemaphore(3)._initial_value == 3


def test_an_rlock_serves_a_condition():
    lock = RLock()
    condition = threading.Condition(lock)
    woken = []

    def waits():
        with condition, lock:  # twice
            condition.wait()
            woken.append(lock._count)

    waiting = bine.spawn(waits)
    bine.sleep(0)
    assert not lock.locked() and lock._owner is None
    with condition:
        condition.notify()
    waiting.get()
    assert woken == [2] and not lock.locked()
    raises(RuntimeError, lock._release_save)
    with lock:
        assert lock._is_owned() and lock._owner is bine.getcurrent()
        state = lock._release_save()
        assert not lock.locked()
        lock._acquire_restore(state)
        assert lock._count == 1


def test_an_rlock_is_used_from_another_thread():
    lock, order, tried = RLock(), [], Event()
    lock.acquire()

    def elsewhere():
        order.append(lock.acquire(blocking=False))
        tried.set()
        with lock:
            order.append("elsewhere")

    greenlet = bine.spawn(ThreadPool(1).apply, elsewhere)
    tried.wait()
    order.append("here")
    lock.release()
    greenlet.get()
    assert order == [False, "here", "elsewhere"]


def test_arguments_by_name_and_by_place():
    result, event, semaphore = AsyncResult(), Event(), bine.lock.Semaphore(1)
    result.set(value=1)
    assert (result.get(timeout=0, block=True) == result.get(False, 0) == result.wait(0) ==
            result.result(timeout=0) == 1)
    assert event.wait(timeout=0) is event.wait(0) is False
    assert semaphore.acquire(timeout=0, blocking=True) and not semaphore.acquire(False)
    for wrong in (
        lambda: result.get(1, 0, 0), lambda: result.get(True, block=True),
        lambda: result.get(now=True), lambda: event.wait(0, timeout=0),
        lambda: event.wait(block=False), lambda: result.set(1, 2),
        lambda: semaphore.acquire(wait=1),
    ):
        raises(TypeError, wrong)

    class Undecided:
        def __bool__(self):
            raise LookupError

    for method in (result.get, semaphore.acquire):
        raises(LookupError, method, Undecided())


def test_seconds_that_no_long_holds_are_for_ever():
    event = Event()
    event.set()
    assert (event.wait(2 ** 70) and bine.lock.Semaphore(1).acquire(timeout=2 ** 70) and
            bine.lock.RLock().acquire(timeout=2 ** 70))


def test_events_count_their_links():
    for waited in (Event(), AsyncResult()):
        assert waited.linkcount() == 0
        waited.rawlink(nothing)
        assert waited.linkcount() == 1
        waited.unlink(nothing)
        assert waited.linkcount() == 0


def test_the_semaphore_of_a_pool_is_never_none():
    unlimited = Pool()
    assert (isinstance(unlimited._semaphore, DummySemaphore) and unlimited.free_count() == 1 and
            not unlimited.full())
    assert unlimited.wait_available() == 1 and unlimited.map(abs, [-1, -2]) == [1, 2]
    limited = Pool(2)
    assert limited._semaphore.counter == limited.free_count() == 2
    limited._semaphore.counter = 3  # celery grows its pool so
    greenlets = [limited.spawn(bine.sleep, 0) for _ in range(3)]
    assert limited.full()
    bine.joinall(greenlets)
    assert Pool(0).full() and Pool(0).free_count() == 0


def test_the_results_of_an_imap_lie_in_its_queue():
    for pool in (Pool(2), Group(), ThreadPool(2)):
        results = pool.imap(abs, [-1, -2, -3])
        assert isinstance(results.queue, Queue) and not results.finished
        assert list(results) == [1, 2, 3] and results.finished


def test_the_items_of_a_queue():
    assert (Queue(items=[1, 2]).queue == collections.deque([1, 2]) and
            JoinableQueue(items=[1]).queue == collections.deque([1]))
    assert (LifoQueue(items=[3, 1]).queue == [3, 1] and
            sorted(PriorityQueue(items=[3, 1]).queue) == [1, 3])
    queue = Queue()
    raises(AttributeError, setattr, queue, "queue", [])
    assert queue.hub is bine.get_hub() and Queue[int].__args__ == (int,)

    class Own(Queue):
        def _put(self, item):
            super()._put(item * 2)

    own = Own()
    own.put(1)
    assert own.queue == collections.deque([2]) and own.queue is own.queue
    assert own.copy().qsize() == 1


def test_the_items_of_a_queue_are_seen_by_other_threads():
    queue = Queue(items=[1, 2])
    items, hub, copied = ThreadPool(1).apply(lambda: (queue.queue, queue.hub, queue.copy()))
    assert items == copied.queue == collections.deque([1, 2]) and isinstance(hub, bine.hub.Hub)


def test_a_copy_of_a_queue():
    for kind in (Queue, JoinableQueue, LifoQueue, PriorityQueue):
        queue = kind(5, [3, 1, 2])
        other = queue.copy()
        assert type(other) is kind and other.maxsize == 5
        assert [other.get() for _ in range(3)] == [queue.get() for _ in range(3)]
        assert (queue.empty() and other.empty() and
                other.unfinished_tasks == queue.unfinished_tasks == 3)


def test_the_limit_of_a_thread_pool_changes():
    pool, gate, inside = ThreadPool(1), threading.Event(), []

    def task(n):
        inside.append(n)
        gate.wait()
        return n

    tasks = [pool.spawn(task, n) for n in range(4)]
    while len(inside) < 1:
        bine.sleep(0.01)
    bine.sleep(0.05)
    assert inside == [0] and pool.size == 1 and len(pool) == 4 and pool.task_queue.qsize() == 3
    pool.maxsize = 3
    while len(inside) < 3:
        bine.sleep(0.01)
    assert pool.maxsize == pool.size == 3 and pool.task_queue.qsize() == 1
    pool.maxsize = 1  # those that run go on
    assert pool.size == 3
    gate.set()
    assert [task.get() for task in tasks] == [0, 1, 2, 3]
    assert pool.size == 0 and pool.apply(abs, (-5,)) == 5
    raises(ValueError, setattr, pool, "maxsize", -1)
    raises(TypeError, setattr, pool, "maxsize", "1")
    raises(ValueError, setattr, pool, "size", -1)
    raises(ValueError, setattr, pool, "size", 2)
    pool.size = 1
    pool.adjust()
    assert pool.hub is bine.get_hub() and "maxsize=1" in repr(pool)


def test_an_executor_that_was_killed_takes_no_more_tasks():
    executor = ThreadPoolExecutor(2)
    future = executor.submit(lambda: (time.sleep(0.01), 5)[1])
    executor.kill()
    assert future.done() and future.result() == 5
    raises(RuntimeError, executor.submit, nothing)


def test_waiting_for_futures():
    executor = ThreadPoolExecutor(2)
    future = executor.submit(abs, -1)
    assert bine.wait([future], timeout=10) == [future]
    foreign = concurrent.futures.Future()
    bine.spawn_later(0.01, foreign.set_result, 7)
    assert bine.wait([foreign], timeout=10) == [foreign]
    never = concurrent.futures.Future()
    assert bine.wait([never], timeout=0.01) == []
    with bine.iwait([never, foreign]) as ready:
        assert next(ready) is foreign


def test_waiting_for_whatever_has_rawlink_and_unlink():
    semaphore = Semaphore(0)

    class Linked:
        rawlink, unlink = semaphore.rawlink, semaphore.unlink

    linked = Linked()
    bine.spawn_later(0.01, semaphore.release)
    assert bine.wait([linked], timeout=10) == [linked] and semaphore.linkcount() == 0
    semaphore.acquire()
    assert bine.wait([linked], timeout=0.01) == [] and semaphore.linkcount() == 0


def test_what_locals_keep_for_a_greenlet():
    one, other = local(), local()
    one.x = 1
    assert all_local_dicts_for_greenlet(bine.getcurrent()) == [((local, id(one)), {"x": 1})]

    def run():
        one.y, other.z = 2, 3
        return sorted(tuple(kept.items())
                      for _, kept in all_local_dicts_for_greenlet(bine.getcurrent()))

    assert bine.spawn(run).get() == [(("y", 2),), (("z", 3),)]
    raises(ValueError, all_local_dicts_for_greenlet, bine.spawn(nothing))
    again = copy.copy(one)
    again.x = 5
    assert one.x == 1 and not hasattr(other, "x")


def test_locals_need_not_be_hashable_and_may_be_equal():
    class Always(local):
        def __eq__(self, other):
            return True

    class Later(local):
        def __init__(self, name):
            self.name = name

        def __hash__(self):
            return hash(self.name)

        def __eq__(self, other):
            return self.name == other.name

    mine = [Always(), Always(), Later("a"), Later("a")]
    mine[0].x, mine[1].x = 1, 2
    kept = all_local_dicts_for_greenlet(bine.getcurrent())
    assert [values for _, values in kept] == [{"x": 1}, {"x": 2}, {"name": "a"}, {"name": "a"}]
