"""bine.aio: greenlets wait for coroutines, coroutines for greenlets."""

import asyncio
import contextvars
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

import bine
import bine.event
import bine.queue
from bine import aio
from helpers import raises, raising

variable = contextvars.ContextVar("variable", default="nothing")


async def add(a, b):
    await asyncio.sleep(0.01)
    return a + b


async def fail(error):
    await asyncio.sleep(0)
    raise error


# -- a greenlet waits for a coroutine


def test_a_greenlet_waits_for_a_coroutine_while_others_run():
    steps = []
    ticker = bine.spawn(lambda: [(bine.sleep(0.002), steps.append("tick")) for _ in range(3)])
    assert aio.wait(add(1, 2)) == 3
    assert "tick" in steps
    ticker.join()
    many = [bine.spawn(aio.wait, add(n, 1)) for n in range(100)]
    bine.joinall(many, raise_error=True)
    assert [g.value for g in many] == list(range(1, 101))
    assert aio.loop() is aio.loop() and aio.loop().is_running()


def test_what_a_coroutine_raises_is_raised_in_the_greenlet():
    for error in (KeyError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()):
        assert (raises(type(error), aio.wait, fail(error)) is error or
                isinstance(error, asyncio.CancelledError))
    assert aio.wait(add(1, 1)) == 2, "the loop goes on"


def test_other_awaitables():
    async def later():
        return asyncio.ensure_future(add(2, 3))

    assert aio.wait(aio.wait(later())) == 5
    assert raises(TypeError, aio.wait, 3)


def test_a_timeout_cancels_the_task_and_waits_for_its_cleanup():
    steps = []

    async def slow():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0.02)
            steps.append("cleaned up")
            raise

    assert raises(bine.Timeout, aio.wait, slow(), timeout=0.02).seconds == 0.02
    assert steps == ["cleaned up"]
    with bine.Timeout(0.02, False):
        aio.wait(slow())
        raise AssertionError("it sleeps for 30 s")
    with raising(KeyError):
        with bine.Timeout(0.02, KeyError):
            aio.wait(slow())
    timeout = bine.Timeout.start_new(0.02)
    assert raises(bine.Timeout, aio.wait, slow(), timeout) is timeout and len(steps) == 4


def test_a_kill_cancels_the_task():
    steps = []

    async def slow():
        try:
            await asyncio.sleep(30)
        finally:
            steps.append("cancelled")

    g = bine.spawn(aio.wait, slow())
    bine.sleep(0.01)
    g.kill()
    assert steps == ["cancelled"] and isinstance(g.value, bine.GreenletExit)
    # Before it begins, as well; and a coroutine that goes on in spite of it does not keep the
    # kill from the greenlet.
    g = bine.spawn(aio.wait, add(1, 1))
    bine.sleep(0)
    g.kill()
    assert isinstance(g.value, bine.GreenletExit)

    async def stubborn():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return 5

    g = bine.spawn(aio.wait, stubborn())
    bine.sleep(0.01)
    g.kill(KeyError("x"))
    assert isinstance(g.exception, KeyError)


def test_a_second_kill_does_not_wait_for_the_task():
    async def very_stubborn():
        for _ in range(3):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                pass

    g = bine.spawn(aio.wait, very_stubborn())
    bine.sleep(0.01)
    g.kill(timeout=0.02)
    assert not g.ready()
    g.kill(timeout=10)
    assert g.ready()


def test_wait_in_the_greenlet_that_drives_the_loop_is_refused():
    async def wrong():
        return raises(RuntimeError, aio.wait, add(1, 1), loop=asyncio.get_running_loop())

    assert "await" in str(aio.wait(wrong())) and "await" in str(asyncio.run(wrong()))


def test_a_coroutine_begins_with_the_greenlets_context():
    async def look():
        found = variable.get()
        variable.set("coroutine")
        return found

    def greenlet(value):
        variable.set(value)
        return aio.wait(look()), variable.get()

    gs = [bine.spawn(greenlet, n) for n in range(3)]
    assert [g.get() for g in gs] == [(n, n) for n in range(3)] and variable.get() == "nothing"


def test_a_coroutine_of_another_loop_or_thread():
    loops = []

    def drive():
        loop = asyncio.new_event_loop()
        loops.append(loop)
        loop.run_forever()

    threading.Thread(target=drive, daemon=True).start()
    while not loops or not loops[0].is_running():
        time.sleep(0.001)
    assert aio.wait(add(1, 2), loop=loops[0]) == 3
    assert raises(bine.Timeout, aio.wait, asyncio.sleep(30), 0.02, loops[0])
    loops[0].call_soon_threadsafe(loops[0].stop)


def test_uvloops_loop_in_a_greenlet():
    uvloop = pytest.importorskip("uvloop")
    from bine import monkey

    monkey.patch_all()
    loop = uvloop.new_event_loop()
    bine.spawn(loop.run_forever)
    bine.sleep(0.01)
    assert (aio.wait(add(1, 2), loop=loop) == 3 and
            aio.wait(aio_to(time.sleep, 0.01), loop=loop) is None)
    assert raises(bine.Timeout, aio.wait, asyncio.sleep(30), 0.02, loop)
    loop.stop()


def test_every_thread_has_a_loop_of_its_own():
    found = []

    def other():
        found.append((aio.wait(add(3, 4)), aio.loop()))
        aio.close()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found[0][0] == 7 and found[0][1] is not aio.loop()


# -- a coroutine waits for greenlets


def test_a_coroutine_awaits_a_greenlet_an_event_and_a_result():
    event, result = bine.event.Event(), bine.event.AsyncResult()

    async def main():
        g = bine.spawn(lambda: bine.sleep(0.01) or "value")
        bine.spawn_later(0.01, event.set)
        bine.spawn_later(0.01, result.set, "result")
        return await asyncio.gather(aio.future(g), aio.future(event), aio.future(result), add(1, 1))

    for run in (aio.wait, asyncio.run):
        assert run(main()) == ["value", True, "result", 2]
    assert (raises(TypeError, aio.wait, at_once(aio.future, 3)) and
            raises(RuntimeError, aio.future, event))
    assert raises(RuntimeError, aio.to_greenlet, add, 1, 2)


async def at_once(function, *args):
    return function(*args)


def test_a_coroutine_waits_for_a_queue_and_whatever_blocks():
    queue = bine.queue.Queue()

    async def main():
        bine.spawn_later(0.01, queue.put, "item")
        item, slept = await asyncio.gather(aio.to_greenlet(queue.get, timeout=10),
                                           aio.to_greenlet(bine.sleep, 0.01))
        try:
            await aio.to_greenlet(queue.get, timeout=0.01)
        except bine.queue.Empty:
            return item, slept

    assert aio.wait(main()) == ("item", None) and asyncio.run(main()) == ("item", None)


def test_the_loop_goes_on_while_a_greenlet_blocks():
    async def main():
        ticks = 0
        blocked = asyncio.ensure_future(aio.to_greenlet(bine.sleep, 0.2))
        while not blocked.done():
            await asyncio.sleep(0.002)
            ticks += 1
        return ticks

    assert aio.wait(main()) >= 5 and asyncio.run(main()) >= 5


def test_what_a_greenlet_raises_is_raised_in_the_coroutine():
    def broken():
        raise KeyError("x")

    async def main(make):
        try:
            await make()
        except KeyError as error:
            return str(error)

    assert aio.wait(main(lambda: aio.to_greenlet(broken))) == "'x'"
    assert aio.wait(main(lambda: aio.future(bine.spawn(broken)))) == "'x'"
    result = bine.event.AsyncResult()
    result.set_exception(KeyError("x"))
    assert aio.wait(main(lambda: aio.future(result))) == "'x'"

    def stop():
        raise StopIteration

    assert isinstance(raises(RuntimeError, aio.wait, aio_to(stop)).__cause__, StopIteration)


async def aio_to(function, *args):
    return await aio.to_greenlet(function, *args)


def test_cancelling_the_task_kills_the_greenlet_and_waits_for_its_cleanup():
    steps = []

    def sleeper():
        try:
            bine.sleep(30)
        finally:
            bine.sleep(0.01)
            steps.append("cleaned up")

    async def main(make):
        try:
            await asyncio.wait_for(make(), 0.02)
        except asyncio.TimeoutError:
            return list(steps)

    for make in (lambda: aio.to_greenlet(sleeper), lambda: aio.future(bine.spawn(sleeper))):
        for run in (aio.wait, asyncio.run):
            steps.clear()
            assert run(main(make)) == ["cleaned up"]


def test_shield_leaves_the_greenlet_alone_and_an_event_has_nobody_to_kill():
    g, event = bine.spawn(lambda: bine.sleep(0.05) or "value"), bine.event.Event()

    async def main():
        for awaitable in (asyncio.shield(aio.future(g)), aio.future(event)):
            try:
                await asyncio.wait_for(awaitable, 0.01)
            except asyncio.TimeoutError:
                pass
        return await aio.future(g)

    assert aio.wait(main()) == "value" and not event.is_set()


def test_a_timeout_crosses_both_bridges():
    steps = []

    def innermost():
        try:
            bine.sleep(30)
        finally:
            steps.append("greenlet")

    async def middle():
        try:
            await aio.to_greenlet(innermost)
        finally:
            steps.append("coroutine")

    assert (raises(bine.Timeout, aio.wait, middle(), timeout=0.02) and
            steps == ["greenlet", "coroutine"])


def test_a_greenlet_begins_with_the_tasks_context():
    def look():
        found = variable.get()
        variable.set("greenlet")
        return found

    async def task(value):
        variable.set(value)
        return await aio.to_greenlet(look), variable.get()

    async def main():
        return await asyncio.gather(*[task(n) for n in range(3)])

    assert aio.wait(main()) == [(n, n) for n in range(3)]


# -- the loop


def test_wakes_do_not_strike_what_blocks_in_a_callback():
    # A coroutine that blocks its loop's greenlet, while other greenlets post to the loop.
    async def blocks():
        for _ in range(20):
            bine.sleep(0.001)
            await asyncio.sleep(0)
        return "done"

    g = bine.spawn(aio.wait, blocks())
    bine.joinall([bine.spawn(aio.wait, add(n, 1)) for n in range(50)], raise_error=True)
    assert g.get() == "done"


def test_close_ends_tasks_and_a_new_loop_begins():
    steps = []

    async def forever():
        try:
            await asyncio.sleep(1000)
        finally:
            steps.append("ended")

    g = bine.spawn(aio.wait, forever())
    bine.sleep(0.01)
    old = aio.loop()
    aio.close()
    assert (steps == ["ended"] and old.is_closed() and
            isinstance(g.exception, asyncio.CancelledError))
    assert aio.wait(add(1, 2)) == 3 and aio.loop() is not old
    aio.close()
    aio.close()


def test_close_ends_a_wait_that_begins_at_the_same_time():
    aio.wait(add(1, 2))
    g = bine.spawn(aio.wait, add(3, 4))
    bine.spawn(aio.close)
    with bine.Timeout(20):
        g.join()
    assert isinstance(g.exception, asyncio.CancelledError)


def test_threads_that_end_leave_no_loops():
    def run():
        thread = threading.Thread(target=aio.wait, args=(add(1, 2),))
        thread.start()
        thread.join()

    run()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        run()
    with bine.Timeout(20):
        # join() does not wait for all of a thread's end.
        while len(os.listdir("/proc/self/fd")) > before:
            bine.sleep(0.01)


def test_the_loop_keeps_nobody_waiting():
    assert aio.wait(add(1, 2)) == 3
    assert bine.wait(timeout=5) is True


def test_debug_mode_and_runners():
    aio.loop().set_debug(True)
    assert aio.wait(add(1, 2)) == 3 and aio.wait(aio_to(int, "3")) == 3
    loop = aio.new_event_loop()
    assert loop.run_until_complete(aio_to(int, "3")) == 3
    loop.close()


def test_loops_serve_sockets():
    async def main():
        async def serve(reader, writer):
            writer.write(await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()

        def client(n):
            with socket.create_connection(address) as s:
                s.sendall(b"line %d\n" % n)
                return s.makefile("rb").readline()

        lines = await asyncio.gather(*[aio.to_greenlet(client, n) for n in range(10)])
        server.close()
        return lines

    assert aio.wait(main()) == [b"line %d\n" % n for n in range(10)] == asyncio.run(main())


def test_a_child_has_a_loop_of_its_own():
    assert aio.wait(add(1, 2)) == 3
    pid = os.fork()
    if pid == 0:
        os._exit(0 if aio.wait(add(2, 3)) == 5 else 1)
    assert os.waitpid(pid, 0)[1] == 0 and aio.wait(add(1, 2)) == 3


def test_the_interpreter_ends_with_a_loop_and_tasks():
    code = ("import asyncio, bine\nfrom bine import aio\n"
            "async def slow():\n    try: await asyncio.sleep(100)\n    finally: print('cleanup')\n"
            "bine.spawn(aio.wait, slow())\nbine.sleep(0.05)\n")
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=50)
    assert (done.returncode == 0 and done.stdout == b"cleanup\n" and
            b"never retrieved" not in done.stderr), done
