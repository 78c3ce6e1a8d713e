"""Objects of Bine that several OS threads use. Nothing is patched here: threads are real ones."""

import gc
import threading
import time

import bine
import bine.event
import bine.lock
import bine.pool
import bine.queue
import bine.threadpool
from helpers import raises


def in_thread(function, *args):
    """Run the function in an OS thread while this thread's greenlets run: its result, or its
    exception is raised. None of them may take 20 s."""
    box = []

    def run():
        try:
            box.append((function(*args), None))
        except BaseException as error:
            box.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    for _ in range(4000):
        if not thread.is_alive():
            break
        bine.sleep(0.005)
    assert box, "still running"
    if box[0][1] is not None:
        raise box[0][1]
    return box[0][0]


def in_thread_alone(function, *args):
    """The same, while this thread does not run its greenlets at all."""
    box = []
    thread = threading.Thread(target=lambda: box.append(function(*args)), daemon=True)
    thread.start()
    thread.join(20)
    assert box, "it waits for this thread"
    return box[0]


def test_hazard_40_kill_from_another_thread():
    for kill in (
        lambda g: g.kill(),
        lambda g: g.kill(block=False),
        lambda g: g.kill(timeout=10),
        lambda g: g.throw(),
        lambda g: bine.killall([g]),
        lambda g: bine.killall([g], block=False),
        lambda g: bine.kill(g),
    ):
        g = bine.spawn(bine.sleep, 100)
        bine.sleep(0)
        in_thread(kill, g)
        g.join(20)
        assert g.dead and isinstance(g.value, bine.GreenletExit)
        new, started = bine.Greenlet(bine.sleep, 100), bine.spawn_later(100, bine.sleep, 100)
        in_thread(kill, new)
        in_thread(kill, started)
        bine.joinall([new, started], timeout=20)
        assert new.dead and started.dead


def test_hazard_40_an_exception_thrown_from_another_thread_arrives():
    caught = []

    def work():
        try:
            bine.sleep(100)
        except ValueError as error:
            caught.append((str(error), threading.get_ident()))
        return "done"

    g = bine.spawn(work)
    bine.sleep(0)
    in_thread(g.throw, ValueError, "from afar")
    assert g.get(timeout=20) == "done" and caught == [("from afar", threading.get_ident())]
    main = bine.getcurrent()
    thread = threading.Thread(target=lambda: main.throw(KeyError("root")))
    thread.start()
    assert raises(KeyError, bine.sleep, 20).args == ("root",)
    thread.join()


def test_hazard_40_another_threads_greenlet_is_waited_for():
    def fails():
        bine.sleep(0.01)
        raise ValueError("mine")

    for wait in (
        lambda g: g.join(),
        lambda g: g.join(timeout=20),
        lambda g: g.get() if g.args else None,
        lambda g: bine.joinall([g]),
        lambda g: bine.wait([g], timeout=20),
        lambda g: list(bine.iwait([g, g])),
    ):
        g = bine.spawn(lambda x: bine.sleep(0.02) or x, "value")
        in_thread(wait, g)
        assert g.ready() and g.value == "value"
    g = bine.spawn(bine.sleep, 100)
    assert raises(bine.Timeout, in_thread, lambda: g.get(timeout=0.01))
    assert in_thread(lambda: g.join(0.01) or g.ready()) is False
    assert in_thread(lambda: bine.wait([g], timeout=0.01)) == []
    g.kill()
    assert in_thread(lambda: raises(ValueError, bine.spawn(fails).get)).args == ("mine",)
    # The pools' members, too.
    pool = bine.pool.Pool(2)
    members = [pool.spawn(bine.sleep, 0.02) for _ in range(2)]
    assert in_thread(pool.join) is True and all(g.dead for g in members)
    members = [pool.spawn(bine.sleep, 100) for _ in range(2)]
    bine.sleep(0)
    in_thread(pool.kill)
    assert all(g.dead for g in members) and len(pool) == 0 and pool.free_count() == 2


def test_hazard_40_links_and_starts_across_threads():
    main, idents = threading.get_ident(), []
    g = bine.Greenlet(lambda: idents.append(threading.get_ident()))
    called = bine.event.Event()
    in_thread(lambda: (g.start(), g.link(lambda source: called.set())))
    g.join(20)
    assert idents == [main] and called.wait(20)
    in_thread(g.start)  # no effect
    timer = bine.Timeout(0.05)
    timer.start()
    in_thread(timer.cancel)
    bine.sleep(0.1)
    assert not timer.pending


def test_hazard_40_the_greenlets_of_an_ended_thread_count_as_killed():
    made, called = [], []

    def thread():
        parked, later, new = (bine.spawn(bine.sleep, 100), bine.spawn_later(100, bine.sleep),
                              bine.Greenlet(lambda: "ran"))
        bine.sleep(0.01)
        timer = bine.Timeout(100)
        timer.start()
        parked.rawlink(called.append)
        made.extend((parked, later, new, bine.getcurrent(), timer))

    worker = threading.Thread(target=thread)
    worker.start()
    while len(made) < 5:
        bine.sleep(0.001)
    parked, later, new, face, timer = made
    for g in parked, later, face:
        g.join(20)
        assert g.ready() and g.dead and not g
        g.kill()
        g.throw(ValueError)
    worker.join()  # as CPython has it: the OS thread may still be ending
    while not called:
        bine.sleep(0.001)
    assert isinstance(parked.value, bine.GreenletExit) and called == [parked]
    assert bine.joinall([parked, later, face], timeout=20) == [parked, later, face]
    assert not bine.Timeout(1).pending and timer.cancel() is None
    new.start()  # it had not begun: it is this thread's now
    assert new.get(timeout=20) == "ran"
    # Other threads take the record of the thread that has ended; its greenlets are not theirs.
    in_thread(lambda: parked.kill() or bine.sleep(0))


def test_hazard_57_what_is_free_is_taken_on_any_thread():
    semaphore, bounded, lock = (bine.lock.Semaphore(1), bine.lock.BoundedSemaphore(2),
                                bine.lock.RLock())
    event, result = bine.event.Event(), bine.event.AsyncResult()

    def use():
        for one in semaphore, bounded, lock:
            assert one.acquire()
            one.release()
            with one:
                assert one.acquire(blocking=False) is (one is not semaphore)
                if one is not semaphore:
                    one.release()
        assert (semaphore.wait() == 1 and
                bine.wait([semaphore, bounded, lock]) == [semaphore, bounded, lock])
        event.set()
        result.set("value")
        assert event.wait() and result.get() == "value"
        event.clear()
        return "used"

    assert (in_thread_alone(use) == "used" and not event.is_set() and
            result.get(block=False) == "value")


def test_hazard_57_a_queue_takes_word_of_other_threads():
    queue, joined = bine.queue.JoinableQueue(), []
    waiter = bine.spawn(lambda: [queue.get() for _ in range(3)])
    in_thread(lambda: (queue.put(1), queue.put_nowait(2), queue.put(3, timeout=0)))
    assert waiter.get(timeout=20) == [1, 2, 3] and queue.unfinished_tasks == 3
    joiner = bine.spawn(lambda: joined.append(queue.join()))

    def finish():
        for left in 2, 1, 0:
            queue.task_done()
            assert queue.unfinished_tasks == left
        raises(ValueError, queue.task_done)

    in_thread(finish)
    joiner.join(20)
    assert joined == [True]
    raises(ValueError, queue.task_done)
    getter = bine.spawn(queue.get)
    bine.sleep(0)
    in_thread(queue.shutdown)
    raises(bine.queue.ShutDown, getter.get, timeout=20)
    raises(bine.queue.ShutDown, in_thread, lambda: queue.put(4))


def test_hazard_57_a_waiter_depends_on_the_releaser_only():
    for make in (lambda: bine.lock.Semaphore(0), lambda: bine.lock.BoundedSemaphore(1),
                 bine.lock.RLock):
        lock, order = make(), []
        if not isinstance(lock, bine.lock.Semaphore) or lock.counter:
            lock.acquire()

        def other(lock=lock, order=order):
            lock.acquire()
            order.append(threading.get_ident())
            lock.release()
            return True

        threads = [threading.Thread(target=other, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        assert not order and lock.locked()
        lock.release()
        for thread in threads:  # this thread does not run its greenlets meanwhile
            thread.join(20)
        assert len(set(order)) == 3 and not lock.locked()
        # And a greenlet here waits for a thread there.
        assert in_thread_alone(lock.acquire)
        if isinstance(lock, bine.lock.RLock):
            assert raises(RuntimeError, lock.release) and not lock.acquire(timeout=0.01)
        else:
            g = bine.spawn(lock.acquire)
            bine.sleep(0)
            in_thread_alone(lock.release)
            assert g.get(timeout=20) is True


def test_hazard_57_events_wake_all_threads():
    event, result, woken = bine.event.Event(), bine.event.AsyncResult(), []
    waits = [lambda: woken.append(event.wait(20)), lambda: woken.append(result.get(timeout=20)),
             lambda: woken.append(len(bine.wait([event, result], timeout=20)))]
    threads = [threading.Thread(target=wait, daemon=True) for wait in waits * 2]
    greenlets = [bine.spawn(wait) for wait in waits]
    for thread in threads:
        thread.start()
    bine.sleep(0.05)
    assert woken == []
    in_thread_alone(lambda: (event.set(), result.set("value")))
    for thread in threads:
        thread.join(20)
    bine.joinall(greenlets, timeout=20)
    assert sorted(map(str, woken)) == ["2"] * 3 + ["True"] * 3 + ["value"] * 3


def test_hazard_57_a_waiter_whose_thread_ends_gets_nothing():
    semaphore, event = bine.lock.Semaphore(0), bine.event.Event()

    def thread():
        # Its greenlets wait for both when the thread ends, and one was given a
        # permit that it never used.
        bine.spawn(semaphore.acquire)
        bine.spawn(event.wait)
        bine.sleep(0.01)
        semaphore.release()
        return True

    assert in_thread_alone(thread)
    for _ in range(1000):
        if semaphore.counter:
            break
        time.sleep(0.01)
    assert semaphore.counter == 1 and semaphore.acquire(timeout=5)
    event.set()
    semaphore.release()
    assert semaphore.counter == 1
    gc.collect()


def test_hazard_57_permits_are_neither_lost_nor_made():
    """Threads and greenlets hand permits around while waits end early."""
    semaphore, inside, most = bine.lock.Semaphore(2), [], []

    def work(turns):
        got = 0
        for i in range(turns):
            if semaphore.acquire(timeout=0.0005 if i % 3 == 0 else None):
                inside.append(1)
                most.append(len(inside))
                bine.sleep(0.0001 if i % 2 else 0)
                inside.pop()
                semaphore.release()
                got += 1
        return got

    def thread():
        bine.joinall([bine.spawn(work, 60) for _ in range(3)], raise_error=True)

    threads = [threading.Thread(target=thread) for _ in range(3)]
    for one in threads:
        one.start()
    bine.joinall([bine.spawn(work, 60) for _ in range(3)], raise_error=True)
    for one in threads:
        while one.is_alive():
            bine.sleep(0.001)
    assert semaphore.counter == 2 and max(most) <= 2


def test_hazard_62_a_thread_pool_is_used_from_its_own_workers():
    one, two = bine.threadpool.ThreadPool(1), bine.threadpool.ThreadPool(1)
    main, spawned = threading.get_ident(), []

    def task():
        spawned.append(two.spawn(lambda: "Hi"))
        return "returned"

    assert one.spawn(task).get(timeout=20) == "returned"
    assert two.join(20) is True and len(two) == 0 and spawned[0].get(timeout=20) == "Hi"

    def waits():
        return two.spawn(lambda: threading.get_ident() != main).get(timeout=20), two.join(20)

    assert one.spawn(waits).get(timeout=20) == (True, True)
    # Its own pool: spawn is for later, apply runs at once, join would wait for itself.
    again = one.spawn(lambda: one.spawn(lambda: "later")).get(timeout=20)
    assert again.get(timeout=20) == "later"
    assert one.spawn(lambda: one.apply(lambda: "now")).get(timeout=20) == "now"
    assert one.spawn(lambda: one.map(lambda x: x + 1, []) == []).get(timeout=20)
    raises(RuntimeError, one.spawn(one.join).get, timeout=20)
    raises(RuntimeError, one.spawn(one.kill).get, timeout=20)
    assert one.spawn(lambda: one.join(0.01)).get(timeout=20) is False
    assert one.join(20)


def test_hazard_62_a_thread_pool_is_used_from_other_threads():
    pool = bine.threadpool.ThreadPool(2)
    main = threading.get_ident()

    def use():
        assert pool.spawn(lambda: threading.get_ident() != main).get(timeout=20)
        assert pool.apply(lambda: threading.get_ident()) == threading.get_ident()
        assert pool.map(lambda x: x * 2, range(5)) == [0, 2, 4, 6, 8]
        assert sorted(pool.imap_unordered(lambda x: x * 2, range(5))) == [0, 2, 4, 6, 8]
        assert pool.apply_async(lambda: 7).get(timeout=20) == 7
        pool.spawn(time.sleep, 0.05)
        assert pool.join(20)
        pool.kill()
        return len(pool)

    assert in_thread(use) == 0
    executor = bine.threadpool.ThreadPoolExecutor(1)
    assert in_thread(lambda: executor.submit(lambda: "done").result(20)) == "done"
    future = executor.submit(lambda: executor.submit(lambda: "inner"))
    assert future.result(20).result(20) == "inner"
    done = []
    executor.submit(lambda: time.sleep(0.05) or done.append(1))
    executor.shutdown()
    assert done == [1]
    # Of a thread that has ended.
    for _ in range(5):
        lost = in_thread(lambda: bine.threadpool.ThreadPool(1))
        assert (lost.spawn(lambda: "found").get(timeout=20) == "found" and
                lost.apply(lambda: "found") == "found")
