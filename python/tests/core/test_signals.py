"""Signals of Python: all greenlets of the main thread are the main thread for them."""

import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time

import bine
import bine.threadpool
from helpers import raises

PATCHED = True


def soon(number, seconds=0.1):
    """Have a signal sent by another process, as a terminal does."""
    return subprocess.Popen(["sh", "-c", "sleep %g; kill -%d %d" % (seconds, number, os.getpid())])


def compute(stop, seconds=20):
    """Without a call that waits."""
    end = time.monotonic() + seconds
    while not stop and time.monotonic() < end:
        pass
    return bool(stop)


def test_hazard_51_a_handler_runs_while_a_greenlet_computes():
    got = []

    def handler(number, frame):
        got.append((number, bine.getcurrent(), threading.get_ident(), frame.f_code.co_name))

    identities = []

    def computes():
        identities.append(threading.get_ident())
        return compute(got)

    signal.signal(signal.SIGUSR1, handler)
    for _ in range(3):
        del got[:], identities[:]
        sender = soon(signal.SIGUSR1)
        greenlet = bine.spawn(computes)
        assert greenlet.get() is True
        assert (got == [(signal.SIGUSR1, greenlet, identities[0], "compute")] and
                identities[0] != threading.main_thread().ident)
        sender.wait()


def test_hazard_51_what_a_handler_raises_ends_the_greenlet_that_computes():
    class Alarm(Exception):
        pass

    def handler(number, frame):
        raise Alarm

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    raises(Alarm, bine.spawn(compute, []).get)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    raises(Alarm, bine.spawn(time.sleep, 20).join)  # all wait: it is the main greenlet's
    assert bine.spawn(compute, [1]).get()


def test_hazard_51_keyboard_interrupt_ends_a_program_that_computes():
    code = """
from bine import monkey; monkey.patch_all()
import bine
def spin():
    while True: pass
print("go", flush=True)
%s
"""
    for wait in ("bine.spawn(spin).join()",
                 "import threading; t = threading.Thread(target=spin); t.start(); t.join()"):
        child = subprocess.Popen([sys.executable, "-c", code % wait], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        try:
            child.stdout.readline()
            time.sleep(0.3)
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=20)
        finally:
            child.kill()
        assert b"KeyboardInterrupt" in said


def at_once(*functions):
    """Call them from C, one right after the other: Python does not look at signals in between."""
    return list(map(functools.partial.__call__, map(functools.partial, functions)))


def test_hazard_51_a_signal_that_comes_right_before_a_park_is_for_the_greenlet_that_goes_on():
    got = []
    libc = ctypes.PyDLL(None)
    signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))

    strike = functools.partial(libc["raise"], int(signal.SIGUSR1))
    for _ in range(3):
        del got[:]
        greenlet = bine.spawn(compute, got, 5)
        at_once(strike, greenlet.join)  # the main greenlet's signal, in a greenlet that begins
        assert greenlet.get() is True

        del got[:]
        greenlet = bine.spawn(lambda: (bine.sleep(0), compute(got, 5))[1])
        bine.sleep(0)
        at_once(strike, greenlet.join)  # in one that goes on
        assert greenlet.get() is True

        del got[:]
        greenlet = bine.spawn(lambda: (bine.sleep(0), compute(got, 5))[1])
        # Another one's.
        bine.spawn(at_once, strike, functools.partial(bine.sleep, 0.001)).join(0.0001)
        assert greenlet.get() is True


def test_hazard_51_locks_keep_their_owners_however_signals_fall():
    """An identity that is asked for at any moment after the signal came is the greenlet's own."""
    lock = threading.RLock()
    got = []
    signal.signal(signal.SIGALRM, lambda number, frame: got.append(lock._is_owned()))
    end = time.monotonic() + 1.5
    signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)

    def locks(own):
        while time.monotonic() < end:
            for _ in range(100):
                assert threading.get_ident() == own
                with lock:
                    with lock:
                        pass
        bine.sleep(0)

    greenlets = [bine.spawn(lambda: locks(threading.get_ident())) for _ in range(2)]
    try:
        bine.joinall(greenlets, raise_error=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    assert lock.acquire(blocking=False) and len(got) > 20
    assert set(got) == {True, False}


def test_hazard_51_a_handler_may_take_a_lock_that_the_greenlet_holds():
    lock = threading.RLock()
    got = []

    def handler(number, frame):
        with lock:
            got.append(number)

    def computes():
        with lock:
            return compute(got)

    signal.signal(signal.SIGUSR1, handler)
    sender = soon(signal.SIGUSR1)
    assert bine.spawn(computes).get()
    sender.wait()


def test_hazard_51_functions_for_the_main_thread_only():
    import asyncio

    def handlers():
        got = []
        signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.05)
        assert got
        assert signal.set_wakeup_fd(-1) == -1
        signal.siginterrupt(signal.SIGUSR1, False)
        assert threading.get_ident() != threading.main_thread().ident

    def loop():
        got = []

        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.append, 1)
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.sleep(0.05)

        asyncio.run(main())
        assert got

    for function in handlers, loop:
        bine.spawn(function).get()
    # Another thread is none.
    pool = bine.threadpool.ThreadPool(1)
    raises(ValueError, pool.spawn(signal.signal, signal.SIGUSR1, signal.SIG_DFL).get)


def test_hazard_51_kill_reaches_a_lock_in_another_thread():
    def there():
        lock = threading.Lock()
        lock.acquire()
        greenlet = bine.spawn(lock.acquire)
        bine.sleep(0.01)
        greenlet.kill(timeout=10)
        return greenlet.dead

    assert bine.threadpool.ThreadPool(1).spawn(there).get() is True


def test_hazard_117_a_signal_that_the_program_uses_is_left_to_it():
    wanted = signal.SIGRTMAX - 2
    got = []
    old = signal.signal(wanted, lambda number, frame: got.append(number))
    assert old == signal.SIG_DFL
    os.kill(os.getpid(), wanted)
    bine.sleep(0.01)
    assert got == [wanted]
    lock = threading.Lock()
    lock.acquire()
    greenlet = bine.spawn(lock.acquire)
    bine.sleep(0)
    greenlet.kill(timeout=10)
    assert greenlet.dead and got == [wanted]


def test_hazard_117_all_signals_are_the_programs():
    """A program that sets each signal, as daemons do."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGRTMIN}:
        signal.signal(number, signal.SIG_DFL)
    lock = threading.Lock()
    lock.acquire()
    greenlet = bine.spawn(lock.acquire)
    bine.sleep(0)
    greenlet.kill(timeout=10)
    assert greenlet.dead


def test_hazard_117_the_kernel_does_not_hear_of_it():
    code = """
import signal, ctypes, sys
wanted = signal.SIGRTMAX - 2
before = "got" if len(sys.argv) > 1 else None
if before:
    signal.signal(wanted, lambda *_: print("got", flush=True))
from bine import monkey; monkey.patch_all()
import bine, os, time
os.kill(os.getpid(), wanted)
bine.sleep(0.05)
"""
    used = subprocess.run([sys.executable, "-c", code, "used"], stdout=subprocess.PIPE, timeout=30)
    assert (used.returncode, used.stdout) == (0, b"got\n")
    assert subprocess.run([sys.executable, "-c", code],
                          timeout=30).returncode == -(signal.SIGRTMAX - 2)


def test_hazard_51_what_a_handler_greenlet_raises_is_raised_in_the_main_one():
    for error in ValueError("from the handler"), SystemExit(3), KeyboardInterrupt():

        def handler():
            raise error

        watcher = bine.signal_handler(signal.SIGUSR1, handler)
        bine.spawn_later(0.05, os.kill, os.getpid(), signal.SIGUSR1)
        assert raises(type(error), bine.sleep, 10) is error
        watcher.cancel()


def blocked():
    """What the kernel blocks on this thread now."""
    with open("/proc/thread-self/status") as status:
        return [line.split()[1] for line in status if line.startswith("SigBlk")]


def test_each_greenlet_has_its_signal_mask_while_switches_are_traced():
    def own():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        mine = blocked()
        bine.Greenlet.settrace(lambda event, greenlets: None)
        for _ in range(3):
            bine.sleep(0)
            assert blocked() == mine != nothing
        bine.Greenlet.settrace(None)
        for _ in range(2):
            bine.sleep(0)
            assert blocked() == mine

    def other():
        for _ in range(6):
            seen.append(blocked())
            bine.sleep(0)

    seen, nothing = [], blocked()
    bine.joinall([bine.spawn(own), bine.spawn(other)], raise_error=True)
    assert seen == [nothing] * 6
