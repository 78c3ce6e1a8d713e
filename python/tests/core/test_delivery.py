"""An exception that is thrown into a greenlet, or whose Timeout is due, is raised exactly once, by
a wait that then has not succeeded."""

import multiprocessing
import os
import queue
import random
import select
import socket
import subprocess
import sys
import threading
import time

import bine
import bine.event
import bine.lock
import bine.queue
from helpers import raises

PATCHED = True
SEEDS = 12


class Hit(BaseException):
    """What the injector throws; `number` tells them apart."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def nap(dice):
    """A short time in which others run; often none."""
    time.sleep(dice.choice((0, 0, 0.0001, 0.0005)))


# ---- objects: each kind has a use, in which exceptions may come anywhere, and says what must
# hold in the end


class Locked:
    """`inside` is a critical section: never entered twice, and free in the end."""

    def __init__(self, make, within=False):
        self.lock, self.within, self.inside = make(), within, 0

    def section(self, dice):
        assert self.inside == 0, "two are inside"
        self.inside += 1
        try:
            nap(dice)
        finally:
            self.inside -= 1

    def use(self, dice):
        if self.within:
            with self.lock:
                self.section(dice)
            return
        self.lock.acquire()
        try:
            self.section(dice)
        finally:
            self.lock.release()

    def check(self):
        assert bine.spawn(self.lock.acquire, True, 2).get(), "locked for ever"


class Waited(Locked):
    """The condition of `section`'s lock: a wait that fails holds the lock again."""

    def use(self, dice):
        with self.lock:
            self.lock.notify()
            self.lock.wait(0.001)
            self.section(dice)

    def check(self):
        assert bine.spawn(self.lock.acquire).get(timeout=2), "locked for ever"


class Pooled:
    """Items that are taken and put back: none is lost, none doubled."""

    def __init__(self, make):
        self.queue = make()
        self.out = set()
        for item in range(2):
            self.queue.put(item)

    def use(self, dice):
        item = self.queue.get()
        assert item not in self.out, "doubled"
        self.out.add(item)
        try:
            nap(dice)
        finally:
            self.out.remove(item)
            self.queue.put(item)

    def check(self):
        assert sorted(self.queue.get(timeout=2) for _ in range(2)) == [0, 1] and self.queue.empty()


class Streamed:
    """Bytes of a stream: each is read by one reader or by none."""

    def __init__(self):
        self.a, self.b = socket.socketpair()
        self.sent = self.read = 0

    def take(self):
        return self.b.recv(1)

    def use(self, dice):
        if dice.random() < 0.5 or self.sent == self.read:
            self.a.send(b"x")
            self.sent += 1
        got = self.take()
        self.read += len(got)
        nap(dice)

    def check(self):
        self.a.close()
        rest = b""
        while more := self.b.recv(1000):
            rest += more
        self.b.close()
        assert self.read + len(rest) == self.sent, (self.read, len(rest), self.sent)


class Selected(Streamed):
    def take(self):
        select.select([self.b], [], [])
        return super().take() if select.select([self.b], [], [], 0)[0] else b""


class Piped(Streamed):
    def __init__(self):
        super().__init__()
        self.out, self.into = os.pipe()

    def use(self, dice):
        os.write(self.into, b"x")
        self.sent += 1
        self.read += len(os.read(self.out, 1))
        nap(dice)

    def check(self):
        os.close(self.into)
        rest = os.read(self.out, 1 << 16)
        os.close(self.out)
        self.a.close()
        self.b.close()
        assert self.read + len(rest) == self.sent


class Counted:
    """Only the exceptions are counted."""

    def __init__(self, use):
        self.use = use

    def check(self):
        pass


def joins(dice):
    bine.spawn(time.sleep, dice.choice((0, 0.0002))).get()


def waits_for_event(dice):
    event = threading.Event()
    bine.spawn(event.set)
    event.wait()
    nap(dice)


def waits_for_result(dice):
    result = bine.event.AsyncResult()
    bine.spawn(result.set, 1)
    assert result.get() == 1
    nap(dice)


KINDS = {
    "Lock": lambda: Locked(threading.Lock),
    "with Lock": lambda: Locked(threading.Lock, within=True),
    "RLock": lambda: Locked(threading.RLock),
    "with RLock": lambda: Locked(threading.RLock, within=True),
    "Semaphore": lambda: Locked(lambda: threading.Semaphore(1)),
    "Condition": lambda: Waited(threading.Condition),
    "Queue": lambda: Pooled(queue.Queue),
    "SimpleQueue": lambda: Pooled(queue.SimpleQueue),
    "multiprocessing.Lock": lambda: Locked(multiprocessing.Lock),
    "multiprocessing.RLock": lambda: Locked(multiprocessing.RLock),
    "bine.lock.Semaphore": lambda: Locked(lambda: bine.lock.Semaphore(1)),
    "bine.lock.RLock": lambda: Locked(bine.lock.RLock),
    "bine.queue.Queue": lambda: Pooled(bine.queue.Queue),
    "socket": Streamed,
    "select": Selected,
    "pipe": Piped,
    "sleep": lambda: Counted(lambda dice: time.sleep(dice.choice((0, 0.0005)))),
    "bine.sleep": lambda: Counted(lambda dice: bine.sleep(dice.choice((0, 0.0005)))),
    "Event": lambda: Counted(waits_for_event),
    "AsyncResult": lambda: Counted(waits_for_result),
    "join": lambda: Counted(joins),
}


class Victim:
    def __init__(self, thing, dice):
        self.thing, self.dice, self.seen, self.thrown = thing, dice, [], 0
        self.began = self.stop = False
        self.greenlet = bine.spawn(self.run)

    def run(self):
        self.began = True
        while not self.stop:
            try:
                self.thing.use(self.dice)
            except Hit as hit:
                self.seen.append(hit.number)
            except RuntimeError as error:  # threading.Condition: its lock could not be taken again
                assert isinstance(error.__context__, Hit), error
                self.seen.append(error.__context__.number)

    def hit(self):
        """Nothing but the last one may be on its way: two at once are one for a greenlet."""
        if self.began and self.seen == list(range(self.thrown)):
            self.greenlet.throw(Hit(self.thrown))
            self.thrown += 1


def model(kind, seed):
    dice = random.Random("%s %d" % (kind, seed))
    thing = KINDS[kind]()
    victims = [Victim(thing, dice) for _ in range(3)]
    for _ in range(25):
        dice.choice((lambda: bine.sleep(0), lambda: time.sleep(0.0001),
                     lambda: bine.sleep(0.0003)))()
        for victim in dice.sample(victims, dice.randrange(3)):
            victim.hit()
    for victim in victims:
        victim.stop = True
    helper = bine.spawn(help_out, thing, victims)
    for victim in victims:
        victim.greenlet.get(timeout=10)
        # What came too late for the last wait is nobody's.
        assert victim.seen in (list(range(victim.thrown)),
                               list(range(victim.thrown - 1))), (victim.seen, victim.thrown)
    helper.kill()
    thing.check()


def help_out(thing, victims):
    """Readers that wait for bytes which never come."""
    while isinstance(thing, Streamed) and not all(victim.greenlet.dead for victim in victims):
        if not isinstance(thing, Piped):
            thing.a.send(b"x")
            thing.sent += 1
        bine.sleep(0.001)


def run_model(kinds, seeds=range(SEEDS)):
    for kind in kinds:
        for seed in seeds:
            try:
                bine.spawn(model, kind, seed).get(timeout=30)
            except BaseException:
                print("%s, seed %d" % (kind, seed))
                raise


def test_hazard_42_a_timeout_that_outlives_its_greenlet_strikes_nobody():
    left = []

    def leaves():
        left.append(bine.Timeout.start_new(0.1))

    def innocent():
        for _ in range(4):
            time.sleep(0.1)

    def busy_when_due():
        bine.Timeout.start_new(0)
        os.sched_yield()

    bine.joinall([bine.spawn(leaves) for _ in range(5)])
    bine.joinall([bine.spawn(innocent) for _ in range(5)], raise_error=True)
    assert not any(timeout.pending for timeout in left)
    bine.joinall([bine.spawn(busy_when_due) for _ in range(5)])
    bine.joinall([bine.spawn(innocent) for _ in range(5)], raise_error=True)
    # It is still a Timeout like any other: cancelled by somebody else, and started again.
    bine.spawn(leaves).join()
    assert left[-1].pending
    left[-1].cancel()
    assert not left[-1].pending
    left[-1].start()
    raises(bine.Timeout, time.sleep, 20)


def test_hazard_42_timeouts_of_carriers_that_are_gone():
    # More greenlets than carriers are kept, and threads, whose carriers all end.
    def leaves():
        bine.Timeout.start_new(0.5)
        time.sleep(0.01)

    def more_than_one():
        leaves()
        leaves()

    bine.joinall([bine.spawn(leaves) for _ in range(1500)])
    threads = [threading.Thread(target=more_than_one) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used_again = [bytearray(200) for _ in range(10000)]
    time.sleep(1)
    assert not any(map(any, used_again))
    assert bine.spawn(lambda: 3).get() == 3


class Late(BaseException):
    pass


def thrown_when_woken(then):
    """Run `then` in a greenlet that was woken, and into which Late was thrown before it ran."""
    lock = threading.Lock()
    lock.acquire()

    def wait():
        lock.acquire()
        return then()

    greenlet = bine.spawn(wait)
    bine.sleep(0)
    lock.release()
    greenlet.throw(Late())
    return greenlet


def test_hazard_46_a_kill_of_a_greenlet_that_is_ready_is_for_its_next_wait():
    a, b = socket.socketpair()
    full, items, locked = socket.socketpair(), queue.Queue(), threading.Lock()
    locked.acquire()
    full[0].setblocking(False)
    try:
        while True:
            full[0].send(bytes(100000))
    except BlockingIOError:
        full[0].setblocking(True)
    waits = {
        "lock": locked.acquire,
        "lock with a limit": lambda: locked.acquire(timeout=30),
        "sleep": lambda: time.sleep(30),
        "recv": lambda: a.recv(1),
        "send": lambda: full[0].send(b"x"),
        "accept": lambda: socket.create_server(("127.0.0.1", 0)).accept(),
        "select": lambda: select.select([a], [], [], 30),
        "queue": items.get,
        "SimpleQueue": queue.SimpleQueue().get,
        "event": lambda: threading.Event().wait(30),
        "process": lambda: subprocess.run(["sleep", "30"]),
        "bine.sleep": lambda: bine.sleep(30),
        "bine.Event": lambda: bine.event.Event().wait(30),
    }
    waits["thread"] = lambda: (thread := threading.Thread(target=locked.acquire,
                                                          daemon=True)).start() or thread.join()
    for name, wait in waits.items():
        greenlet = thrown_when_woken(wait)
        began = time.monotonic()
        greenlet.join(20)
        assert isinstance(greenlet.exception, Late), (name, greenlet.exception)
        assert time.monotonic() - began < 15, name


def test_hazard_46_a_timeout_that_is_due_while_others_run_is_for_the_next_wait():
    lock = threading.Lock()
    pair = list(socket.socketpair())

    def locked():
        with lock:
            time.sleep(0)

    def sent():
        pair[1].send(b"x")
        pair[0].recv(1)

    stop = []

    def noise():
        while not stop:
            time.sleep(0)

    others = [bine.spawn(noise) for _ in range(3)]
    for between in (lambda: bine.sleep(0), lambda: time.sleep(0), locked, sent, os.sched_yield,
                    bine.idle, lambda: None):
        end = time.monotonic() + 0.05
        pair[:] = socket.socketpair()  # without what a cut call has left

        def waits():
            raised = None
            try:
                with bine.Timeout(0.02):
                    while time.monotonic() < end:
                        between()
                    pair[0].recv(1)
            except bine.Timeout as timeout:
                raised = timeout
            return raised

        assert bine.spawn(waits).get(timeout=20) is not None
    stop.append(True)
    bine.joinall(others)


def test_hazard_46_a_pool_that_was_given_work_can_be_killed():
    import bine.pool

    jobs = bine.queue.Queue()
    a, b = socket.socketpair()

    def work():
        while True:
            jobs.get()
            a.recv(1)

    pool = bine.pool.Pool(5)
    for _ in range(5):
        pool.spawn(work)
    bine.sleep(0.01)
    for _ in range(5):
        jobs.put("job")
    pool.kill(timeout=20)
    assert len(pool) == 0


def test_hazard_48_the_identity_is_a_greenlets_own_while_an_exception_is_pending():
    main = threading.get_ident()
    held = threading.RLock()
    held.acquire()

    def look():
        return (threading.get_ident() != main,
                threading.current_thread() is not threading.main_thread(),
                held.acquire(blocking=False))

    assert thrown_when_woken(look).get(timeout=20) == (True, True, False)


def test_hazard_48_locks_entered_while_an_exception_is_pending_are_left():
    import io
    import logging
    import sqlite3

    lock = threading.RLock()
    condition = threading.Condition()
    handler = logging.StreamHandler(io.StringIO())
    logger = logging.getLogger("bine.test")
    logger.propagate = False
    logger.addHandler(handler)
    handler.format = lambda record: (time.sleep(0.001), "text")[1]

    def with_lock():
        with lock:
            time.sleep(30)

    def with_condition():
        with condition:
            condition.wait()

    def with_database():
        connection = sqlite3.connect(":memory:")
        try:
            time.sleep(30)
        finally:
            connection.execute("select 1")

    for then in with_lock, with_condition, lambda: logger.warning("x"), with_database:
        greenlet = thrown_when_woken(then)
        greenlet.join(20)
        assert (greenlet.dead and
                (greenlet.successful() or isinstance(greenlet.exception, Late))), greenlet.exception
    last = bine.spawn(logger.warning, "y")
    last.join(20)
    assert last.successful()
    assert (bine.spawn(lock.acquire, timeout=1).get() and
            bine.spawn(condition.acquire, timeout=1).get())


def test_hazard_47_a_wait_succeeds_or_raises_interpreters_locks():
    run_model(("Lock", "with Lock", "RLock", "with RLock", "Semaphore", "Condition", "Event"))


def test_hazard_47_a_wait_succeeds_or_raises_queues():
    run_model(("Queue", "SimpleQueue", "bine.queue.Queue", "bine.lock.Semaphore",
               "bine.lock.RLock"))


def test_hazard_47_a_wait_succeeds_or_raises_locks_of_processes():
    run_model(("multiprocessing.Lock", "multiprocessing.RLock"))


def test_hazard_47_a_wait_succeeds_or_raises_calls():
    run_model(("socket", "select", "pipe", "sleep", "bine.sleep", "AsyncResult", "join"))


def test_hazard_47_a_wait_succeeds_or_raises_in_any_order():
    code = """
import sys
sys.path[:0] = %r
from bine import _bine, monkey
import test_delivery
monkey.patch_all()
_bine.simulate(%d)
test_delivery.run_model([kind for kind in test_delivery.KINDS if "multi" not in kind], [%d])
print(_bine.poller_name())
"""
    for seed in range(1, SEEDS):
        assert subprocess.check_output([sys.executable, "-c", code % (sys.path, seed, seed)],
                                       timeout=60) == b"sim\n"


def test_hazard_47_a_lock_that_the_interpreter_must_have_is_waited_for():
    out, into = os.pipe()
    writer = os.fdopen(into, "wb")
    wrote = []

    def fill():
        writer.write(bytes(200000))
        writer.flush()

    def write():
        wrote.append(writer.write(b"x"))  # waits for the buffer's lock, and is not to be broken off
        wrote.append("and goes on")
        bine.sleep(20)

    filler, greenlet = bine.spawn(fill), bine.spawn(write)
    bine.sleep(0.01)
    greenlet.throw(Hit(0))
    bine.sleep(0.01)
    assert not greenlet.dead and not wrote
    read = 0
    while read < 200000:
        read += len(os.read(out, 65536))
    filler.get(timeout=20)
    raises(Hit, greenlet.get, timeout=20)
    assert wrote == [1, "and goes on"]


def test_hazard_47_what_came_with_the_lock_is_for_the_next_wait():
    lock = threading.Lock()
    got = []

    def waits():
        lock.acquire()
        got.append("lock")
        bine.sleep(1)

    lock.acquire()
    greenlet = bine.spawn(waits)
    bine.sleep(0)
    greenlet.throw(Hit(0))  # it is ready, with EINTR ...
    lock.release()  # ... and gets the lock
    raises(Hit, greenlet.get, timeout=10)
    assert got == ["lock"] and lock.locked()
