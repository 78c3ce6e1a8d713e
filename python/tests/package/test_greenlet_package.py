"""PyPI's greenlet inside Bine's greenlets, and what is built on it: SQLAlchemy's asyncio,
celery's identities."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest

import bine

greenlet = pytest.importorskip("greenlet", reason="no greenlet: tools/test-python installs it")

PATCHED = True


def all_values(function, count):
    greenlets = [bine.spawn(function, n) for n in range(count)]
    bine.joinall(greenlets, timeout=60, raise_error=True)
    return [g.get(timeout=0) for g in greenlets]


def hand_over(me):
    """Both sides wait in calls of libc between their switches."""

    def inner():
        for n in range(5):
            time.sleep(0.001)
            me.switch(n)
        return "end"

    inside = greenlet.greenlet(inner)
    got = []
    while not inside.dead:
        got.append(inside.switch())
        time.sleep(0.0005)
    return got


def nested(depth):
    time.sleep(0.0005)
    if not depth:
        raise KeyError(depth)
    try:
        greenlet.greenlet(nested).switch(depth - 1)
    except KeyError as error:
        raise KeyError(depth) from error


def depth_of_causes(error):
    return 1 + depth_of_causes(error.__cause__) if error.__cause__ else 1


def test_hazard_43_several_of_ours_use_the_package_at_once():
    assert all_values(lambda n: hand_over(greenlet.getcurrent()), 8) == [[0, 1, 2, 3, 4, "end"]] * 8


def test_hazard_43_exceptions_cross_its_switches():
    def run(n):
        with pytest.raises(KeyError) as caught:
            nested(n)
        return depth_of_causes(caught.value)

    assert all_values(run, 8) == [n + 1 for n in range(8)]


def test_hazard_43_each_of_ours_is_a_main_greenlet_of_its_own():
    mains = all_values(lambda n: (bine.sleep(0.001), greenlet.getcurrent())[1], 10)
    mains.append(greenlet.getcurrent())
    assert len(set(map(id, mains))) == 11
    assert all(main.parent is None for main in mains)


@pytest.mark.skipif(
    greenlet.__version__ < "2",
    reason="1.x goes by the thread state, which greenlets take over from each other")
def test_hazard_43_what_one_leaves_is_not_found_by_the_next():
    def leave(n):
        main = greenlet.getcurrent()
        inside = greenlet.greenlet(lambda: main.switch(n))
        inside.switch()
        return inside, weakref.ref(main)

    inside, main = bine.spawn(leave, 1).get()
    # In a list: the package gives a thread's last reference away that the garbage
    # collector does not see.
    again = bine.spawn(lambda: [greenlet.getcurrent()]).get()
    assert again[0] is not main()
    with pytest.raises(greenlet.error):
        inside.switch()
    del inside
    gc.collect()
    bine.sleep(0)
    assert main() is None or main().dead


def test_hazard_43_those_that_wait_are_collected_while_others_run():
    def run(n):
        main = greenlet.getcurrent()
        for _ in range(10):
            waiting = greenlet.greenlet(lambda: (time.sleep(0), main.switch(n), time.sleep(0)))
            assert waiting.switch() == n
            cycle = [waiting]
            cycle.append(cycle)
            del waiting, cycle
            gc.collect(0)
        return greenlet.getcurrent() is main

    assert all_values(run, 6) == [True] * 6
    gc.collect()


def test_hazard_43_so_it_is_in_threads():
    results = []

    def run():
        results.append(hand_over(greenlet.getcurrent()))

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[0, 1, 2, 3, 4, "end"]] * 5


def test_hazard_43_a_kill_reaches_one_that_waits_inside():
    def run():
        greenlet.greenlet(lambda: time.sleep(60)).switch()

    running = bine.spawn(run)
    bine.sleep(0.01)
    running.kill()
    assert isinstance(running.value, bine.GreenletExit)


def test_hazard_43_celery_tells_its_tasks_apart():
    threads = pytest.importorskip("celery.utils.threads",
                                  reason="no celery: tools/test-python installs it")
    stack, identity = threads._LocalStack(), threads.Local()
    stack.__ident_func__ = identity.__ident_func__ = greenlet.getcurrent

    def task(n):
        stack.push(n)
        identity.request = n
        bine.sleep(0.002 * (n % 5))
        seen = stack.top, identity.request
        stack.pop()
        return seen

    assert all_values(task, 20) == [(n, n) for n in range(20)]


def test_hazard_43_sqlalchemy_asyncio_in_many_at_once():
    aio = pytest.importorskip("sqlalchemy.ext.asyncio",
                              reason="no SQLAlchemy: tools/test-python installs it")
    pytest.importorskip("aiosqlite", reason="no aiosqlite: tools/test-python installs it")
    from sqlalchemy import text

    async def ask(n):
        engine = aio.create_async_engine("sqlite+aiosqlite://")
        async with engine.connect() as connection:
            values = [(await connection.execute(text("select :a + :b"), {"a": n, "b": i})).scalar()
                      for i in range(5)]
        await engine.dispose()
        return sum(values)

    assert all_values(lambda n: asyncio.run(ask(n)), 6) == [5 * n + 10 for n in range(6)]


def test_the_package_is_put_aside_until_the_program_imports_it():
    program = """
import sys
import bine
assert not [name for name in sys.modules if name.split(".")[0] == "greenlet"], "bine imports it"
spec_before = __import__("importlib.util").util.find_spec("greenlet")
assert spec_before is not None and "greenlet" not in sys.modules
running = bine.spawn(bine.sleep, 60)
bine.sleep(0)
running.kill()

def run():
    import greenlet
    from greenlet import _greenlet
    assert greenlet.GreenletExit is bine.GreenletExit is _greenlet.GreenletExit
    assert (greenlet.__spec__.name == "greenlet" and greenlet.__file__ and
            _greenlet is sys.modules["greenlet._greenlet"])
    return greenlet.getcurrent(), greenlet.greenlet(lambda: 5).switch()

one, other = bine.spawn(run).get(), bine.spawn(run).get()
import greenlet
assert one[1] == other[1] == 5 and len({id(one[0]), id(other[0]), id(greenlet.getcurrent())}) == 3
print("done")
"""
    imported_before = "import greenlet, sys; greenlet.getcurrent(); import bine\n" + program[
        program.index("def run"):]
    for source in (program, imported_before):
        done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        assert done.stdout == b"done\n", done.stdout.decode()


def test_greenlet_exit_is_the_same():
    assert greenlet.GreenletExit is bine.GreenletExit

    def run():
        try:
            bine.sleep(60)
        except greenlet.GreenletExit:
            return "caught"

    running = bine.spawn(run)
    bine.sleep(0)
    running.kill()
    assert running.value == "caught"


def test_a_kill_passes_through_the_packages_greenlets():
    left = []

    def inner(depth):
        try:
            if depth:
                greenlet.greenlet(inner).switch(depth - 1)
            time.sleep(60)
        finally:
            left.append(depth)

    def run():
        greenlet.greenlet(inner).switch(3)
        left.append("went on")

    running = bine.spawn(run)
    bine.sleep(0.01)
    running.kill()
    assert (left == [0, 1, 2, 3] and isinstance(running.value, bine.GreenletExit) and
            running.successful())


def test_bines_greenlets_are_the_packages_in_gevents_place():
    program = """
import abc, sys
early = %r
if early:
    import greenlet
import bine.gevent
bine.gevent.install()
import gevent, greenlet
assert isinstance(gevent.getcurrent(), greenlet.greenlet)
assert isinstance(gevent.spawn(int), greenlet.greenlet)
assert issubclass(gevent.Greenlet, greenlet.greenlet) and not isinstance(5, greenlet.greenlet)
assert isinstance(greenlet.getcurrent(), greenlet.greenlet)
class Own(greenlet.greenlet):
    def __init__(self, run):
        greenlet.greenlet.__init__(self, run)
class Abstract(greenlet.greenlet, abc.ABC):
    pass
inside = Own(lambda a: greenlet.getcurrent().parent.switch(a + 1) + 5)
assert isinstance(inside, greenlet.greenlet) and isinstance(inside, Own)
assert not isinstance(gevent.getcurrent(), Own)
assert not isinstance(greenlet.getcurrent(), Own) and not isinstance(inside, gevent.Greenlet)
assert inside.switch(1) == 2 and inside.switch(3) == 8 and inside.dead
assert greenlet.greenlet(lambda: greenlet.getcurrent()).switch() is not greenlet.getcurrent()
assert repr(greenlet.greenlet) == "<class 'greenlet.greenlet'>" and Abstract(int).switch() == 0
from greenlet import greenlet as kind
bine.gevent.install()
assert kind is greenlet.greenlet
assert gevent.spawn(lambda: greenlet.greenlet(int).switch()).get() == 0
"""
    for early in False, True:
        subprocess.run([sys.executable, "-c", program % early], check=True, timeout=60)
    subprocess.run([sys.executable, "-c",
                    "import bine, greenlet; assert type(greenlet.greenlet) is type"],
                   check=True, timeout=60)
