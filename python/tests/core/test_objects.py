"""Events, locks, queues, pools: gevent's semantics on libbine's objects."""

import time

import bine
from bine.event import AsyncResult, Event
from bine.lock import BoundedSemaphore, DummySemaphore, RLock, Semaphore
from bine.pool import Group, Pool, PoolFull
from bine.queue import Channel, Empty, Full, JoinableQueue, LifoQueue, PriorityQueue, Queue
from helpers import Overlap, raises


def test_event():
    event = Event()
    gs = [bine.spawn(event.wait) for _ in range(3)]
    assert event.wait(0.01) is False
    event.set()
    assert [g.get() for g in gs] == [True] * 3 and event.is_set() and event.ready()
    event.clear()
    assert event.wait(0) is False
    seen = []
    event.rawlink(seen.append)
    event.set()
    bine.sleep(0.01)
    assert seen == [event]


def test_event_set_by_an_os_thread():
    from bine._bine import offload

    event = Event()
    g = bine.spawn(event.wait, 5)
    bine.sleep(0)
    offload(event.set, ())
    assert g.get() is True


def test_async_result():
    result = AsyncResult()
    raises(bine.Timeout, result.get, timeout=0.01)
    raises(bine.Timeout, result.get_nowait)
    g = bine.spawn(result.get)
    bine.sleep(0)
    result.set("value")
    assert (g.get() == "value" and result.get() == "value" and result.value == "value" and
            result.successful())
    result = AsyncResult()
    result.set_exception(ValueError("x"))
    assert (str(raises(ValueError, result.get)) == "x" and not result.successful() and
            result.wait() is None)
    assert result.exc_info[0] is ValueError


def test_semaphore_is_fifo_and_hands_over():
    semaphore, order = Semaphore(1), []

    def work(n):
        with semaphore:
            order.append(n)
            bine.sleep(0)

    bine.joinall([bine.spawn(work, n) for n in range(10)])
    assert order == list(range(10)) and semaphore.counter == 1
    assert (semaphore.acquire(timeout=0.01) and not semaphore.acquire(timeout=0.01) and
            not semaphore.acquire(blocking=False))
    assert semaphore.locked()
    bounded = BoundedSemaphore(1)
    raises(ValueError, bounded.release)
    raises(ValueError, Semaphore, -1)
    assert DummySemaphore().acquire()


def test_rlock():
    lock = RLock()
    with lock:
        with lock:
            g = bine.spawn(lock.acquire)
            bine.sleep(0.001)
            assert not g.dead
    assert g.get() is True
    raises(RuntimeError, lock.release)


def test_a_killed_waiter_loses_nothing():
    semaphore, queue = Semaphore(0), Queue()
    first, second = bine.spawn(semaphore.acquire), bine.spawn(semaphore.acquire)
    bine.sleep(0)
    semaphore.release()
    first.kill()
    semaphore.release()
    bine.sleep(0.001)
    assert second.dead
    getter = bine.spawn(queue.get)
    bine.sleep(0)
    getter.kill()
    queue.put("item")
    assert queue.get(timeout=1) == "item"


def test_queue():
    queue = Queue(2)
    assert queue.maxsize == 2 and bool(queue) and len(queue) == 0 and queue.empty()
    queue.put(1)
    queue.put(2)
    assert queue.full()
    raises(Full, queue.put_nowait, 3)
    raises(Full, queue.put, 3, timeout=0.01)
    assert queue.peek() == 1 and queue.get() == 1 and queue.get() == 2
    raises(Empty, queue.get_nowait)
    raises(Empty, queue.get, timeout=0.01)
    raises(Empty, queue.peek_nowait)
    assert list(Queue(items=[1, 2, StopIteration])) == [1, 2]

    def producer():
        for i in range(100):
            queue.put(i)
        queue.put(StopIteration)

    bine.spawn(producer)
    assert list(queue) == list(range(100))


def test_lifo_priority_joinable_channel():
    queue = LifoQueue()
    for i in range(3):
        queue.put(i)
    assert [queue.get() for _ in range(3)] == [2, 1, 0]
    queue = PriorityQueue()
    for i in (3, 1, 2):
        queue.put((i, "x"))
    assert [queue.get()[0] for _ in range(3)] == [1, 2, 3]
    queue.put(1)
    raises(TypeError, queue.put, "not comparable")

    queue = JoinableQueue()
    done = []

    def worker():
        while True:
            item = queue.get()
            bine.sleep(0.001)
            done.append(item)
            queue.task_done()

    workers = [bine.spawn(worker) for _ in range(3)]
    for i in range(10):
        queue.put(i)
    assert queue.unfinished_tasks == 10
    queue.join()
    assert sorted(done) == list(range(10))
    raises(ValueError, queue.task_done)
    bine.killall(workers)

    channel = Channel()
    putter = bine.spawn(channel.put, "x")
    bine.sleep(0.001)
    assert not putter.dead and channel.get() == "x"
    putter.join(1)
    assert putter.dead
    raises(Full, channel.put, 1, timeout=0.01)
    raises(Empty, channel.get, timeout=0.01)


def test_pool():
    pool = Pool(2)
    active, most = [0], [0]

    def work(x):
        active[0] += 1
        most[0] = max(most[0], active[0])
        bine.sleep(0.002)
        active[0] -= 1
        return x * x

    assert pool.map(work, range(10)) == [x * x for x in range(10)] and most[0] == 2
    assert sorted(pool.imap_unordered(work, range(5))) == [0, 1, 4, 9, 16]
    assert list(pool.imap(work, range(5))) == [0, 1, 4, 9, 16]
    assert list(pool.imap(lambda a, b: a + b, [1, 2], [3, 4])) == [4, 6]
    assert pool.apply(work, (3,)) == 9 and pool.apply_async(work, (4,)).get() == 16
    assert pool.map_async(work, [5]).get() == [25]
    assert pool.free_count() == 2
    a, b = pool.spawn(bine.sleep, 5), pool.spawn(bine.sleep, 5)
    assert pool.full() and len(pool) == 2 and a in pool
    raises(PoolFull, pool.add, bine.Greenlet(lambda: 0), False)
    pool.kill()
    assert a.dead and b.dead and pool.free_count() == 2 and pool.join(1)
    import sys

    sys.stderr = open("/dev/null", "w")
    raises(ZeroDivisionError, pool.map, lambda x: 1 / x, [1, 0])


def test_group():
    group = Group()
    seen = []
    for i in range(5):
        group.spawn(seen.append, i)
    group.join()
    assert seen == list(range(5)) and len(group) == 0
    group.spawn(bine.sleep, 100)
    group.kill()
    assert len(group) == 0


def test_threadpool_runs_on_real_threads():
    import threading

    from bine.threadpool import ThreadPool, ThreadPoolExecutor

    pool = ThreadPool(3)
    overlap = Overlap()

    def there():
        with overlap:
            time.sleep(0.2)
        return threading.get_ident()

    real = [pool.spawn(there) for _ in range(3)]
    ticks = 0
    while not all(result.ready() for result in real):
        bine.sleep(0.01)
        ticks += 1
    assert overlap.most == 3 and ticks > 5
    assert all(result.value != threading.get_ident() for result in real)
    assert raises(ZeroDivisionError, pool.apply, lambda: 1 / 0)
    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(lambda x: x + 1, range(4))) == [1, 2, 3, 4]


def test_killing_a_pool_leaves_no_map_waiting_for_those_that_never_began():
    for size in (1, 3, None):
        pool = Pool(size)
        result = pool.map_async(bine.sleep, [0.05] * 12)
        bine.sleep(0.01)
        pool.kill()
        bine.sleep(0)
        while not result.ready():
            pool.kill()
            bine.sleep(0.001)
        assert len(result.get()) == 12


def test_events_results_and_semaphores_are_used_from_any_thread():
    import threading

    from bine.threadpool import ThreadPool

    pool = ThreadPool(3)
    # Who waits in another OS thread, who acts here, and the other way round.
    for there in (True, False):
        event, result, semaphore = Event(), AsyncResult(), Semaphore(0)

        def waits():
            assert semaphore.acquire(timeout=0.01) is False and event.wait(0.01) is False
            assert raises(bine.Timeout, result.get, timeout=0.01)
            with bine.Timeout(0.01, False):
                event.wait()
                raise AssertionError
            return (event.wait(50), result.get(timeout=50), semaphore.acquire(timeout=50),
                    threading.get_ident())

        def acts():
            event.set()
            result.set("from afar")
            semaphore.release()

        waiter = pool.spawn(waits) if there else bine.spawn(waits)
        bine.sleep(0.1)
        if there:
            acts()
        else:
            pool.apply(acts)
        *seen, thread = waiter.get(timeout=50)
        assert seen == [True, "from afar", True] and (thread != threading.get_ident()) is there
        assert semaphore.counter == 0

    failing = AsyncResult()
    failing.set_exception(KeyError("far"))
    assert raises(KeyError, pool.apply, failing.get)
    # what is waited for in another thread is killed there, and nothing is lost
    semaphore = Semaphore(0)

    def killed():
        greenlet = bine.spawn(semaphore.acquire)
        bine.sleep(0.01)
        greenlet.kill()
        return greenlet.dead

    assert pool.apply(killed)
    semaphore.release()
    assert semaphore.acquire(timeout=50) and not semaphore.acquire(blocking=False)


def test_an_object_belongs_to_the_thread_that_waits_first():
    from bine.threadpool import ThreadPool

    event, result = ThreadPool(1).apply(lambda: (Event(), AsyncResult()))
    waiter = bine.spawn(lambda: (event.wait(50), result.get(timeout=50)))
    bine.sleep(0)
    event.set()
    result.set(5)
    assert waiter.get(timeout=50) == (True, 5)
    early = Event()
    early.set()
    assert early.is_set() and early.wait() and "set" in repr(early)
    early.clear()
    assert not early.is_set() and early.wait(0.001) is False
    early.set()
    assert bine.wait([early], timeout=50) == [early]


def test_a_group_kills_each_only_once():
    struck = []

    def undead():
        while True:
            try:
                bine.sleep(100)
            except bine.GreenletExit:
                struck.append(1)
                if len(struck) == 3:
                    raise

    greenlet = bine.spawn(undead)
    bine.sleep(0)
    group = Group([greenlet])
    group.killone(greenlet, block=False)
    bine.sleep(0)
    group.killone(greenlet)
    group.kill(block=False)
    group.kill(timeout=0.01)
    assert struck == [1] and len(group) == 1
    greenlet.kill(timeout=0.01)
    greenlet.kill()
    assert len(struck) == 3 and len(group) == 0


def test_killing_what_has_not_begun_calls_no_link_at_once():
    group = Group()
    for _ in range(2):
        group.spawn(bine.sleep, 100)
    group.kill(block=False)
    assert len(group) == 2
    bine.sleep(0)
    assert len(group) == 0


def test_a_link_may_unlink_the_next():
    result, seen = AsyncResult(), []

    def first(source):
        seen.append(1)
        source.unlink(second)

    def second(source):
        seen.append(2)

    result.rawlink(first)
    result.rawlink(second)
    result.set()
    bine.sleep(0.001)
    assert seen == [1]
