"""After monkey.patch_all(): the standard library steps aside, whatever was imported before."""

import os
import pwd
import select
import selectors
import signal
import socket
import ssl  # noqa: F401  (imported before patching, on purpose)
import subprocess
import sys
import threading
import time

import bine
from bine import monkey
from helpers import Overlap, at_once, raises

PATCHED = True


def threads():
    """OS threads of this process; the kernel's own workers of io_uring ("iou-") are
    listed there, too."""
    names = [open("/proc/self/task/%s/comm" % task).read()
             for task in os.listdir("/proc/self/task")]
    return sum(1 for name in names if not name.startswith("iou-"))


def test_sleep_select_poll_and_sockets_step_aside():
    def selects():
        select.select([], [], [], 0.2)

    def polls():
        select.poll().poll(200)

    def epolls():
        with select.epoll() as epoll:
            epoll.poll(0.2)

    def receives():
        a, b = socket.socketpair()
        a.settimeout(0.2)
        raises(socket.timeout, a.recv, 1)
        a.close()
        b.close()

    def selectors_select():
        with selectors.DefaultSelector() as selector:
            selector.register(c, selectors.EVENT_READ)
            assert selector.select(0.2) == []

    c, d = socket.socketpair()
    assert at_once([lambda: time.sleep(0.2), selects, polls, epolls, receives,
                    selectors_select] * 3)
    assert threads() == 1


def test_threads_are_greenlets():
    seen, overlap = [], Overlap()

    def work(n):
        with overlap:
            time.sleep(0.1)
        seen.append((n, threading.get_ident(), threads()))

    all_threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for thread in all_threads:
        thread.start()
    for thread in all_threads:
        thread.join()
    assert (overlap.most == 10 and sorted(n for n, _, _ in seen) == list(range(10)) and
            len({ident for _, ident, _ in seen}) == 10)
    assert all(count == 1 for _, _, count in seen)


def test_locks_conditions_queues_and_futures():
    import queue
    from concurrent.futures import ThreadPoolExecutor

    lock, order = threading.Lock(), []

    def work(n):
        with lock:
            order.append(n)
            time.sleep(0.001)

    bine.joinall([bine.spawn(work, n) for n in range(10)], raise_error=True)
    assert sorted(order) == list(range(10))
    assert not lock.locked() and lock.acquire() and not lock.acquire(timeout=0.01)
    rlock = threading.RLock()
    with rlock:
        g = bine.spawn(rlock.acquire, timeout=0.01)
        assert g.get() is False
    condition, box = threading.Condition(), []

    def consumer():
        with condition:
            while not box:
                condition.wait()
            return box.pop()

    consumers = [bine.spawn(consumer) for _ in range(3)]
    bine.sleep(0.01)
    for i in range(3):
        with condition:
            box.append(i)
            condition.notify()
    assert sorted(g.get(timeout=5) for g in consumers) == [0, 1, 2]
    q = queue.Queue(1)
    g = bine.spawn(lambda: [q.get() for _ in range(5)])
    for i in range(5):
        q.put(i, timeout=5)
    assert g.get() == list(range(5))
    with ThreadPoolExecutor(4) as executor:
        assert sum(executor.map(lambda x: (time.sleep(0.01), x)[1], range(20))) == 190


def test_kill_and_timeout_raise_wherever_it_waits():
    import queue

    a, b = socket.socketpair()
    listener = socket.create_server(("127.0.0.1", 0))
    lock = threading.Lock()
    lock.acquire()

    def condition():
        waited_for = threading.Condition()
        with waited_for:
            waited_for.wait()

    def join():
        # A new thread each time: CPython takes a thread for ended when its join was interrupted.
        thread = threading.Thread(target=time.sleep, args=(5,), daemon=True)
        thread.start()
        thread.join()

    reading, writing = os.pipe()
    child = subprocess.Popen(["sleep", "60"])
    waits = {
        "recv": lambda: a.recv(1), "accept": listener.accept, "sleep": lambda: time.sleep(60),
        "lock": lock.acquire,
        "queue": queue.Queue().get, "select": lambda: select.select([a], [], []), "join": join,
        "read": lambda: os.read(reading, 1), "process": child.wait, "event": threading.Event().wait,
        "condition": condition,
    }
    for name, wait in waits.items():
        g = bine.spawn(wait)
        bine.sleep(0.005)
        assert not g.dead, name
        g.kill(timeout=5)
        assert g.dead and isinstance(g.value, bine.GreenletExit), (name, g.value, g.exception)

        def timed():
            with bine.Timeout(0.02):
                wait()

        g = bine.spawn(timed)
        raises(bine.Timeout, g.get, timeout=5)
        with bine.Timeout(0.02, False):
            wait()
            raise AssertionError(name)
    child.kill()
    child.wait()


def test_several_greenlets_wait_on_one_socket():
    a, b = socket.socketpair()
    gs = [bine.spawn(a.recv, 1) for _ in range(3)]
    bine.sleep(0.01)
    b.sendall(b"xyz")
    assert sorted(g.get(timeout=5) for g in gs) == [b"x", b"y", b"z"]


def test_subprocess_and_processes():
    assert at_once([lambda: subprocess.check_call(["sleep", "0.2"])] * 4)
    assert subprocess.check_output(["echo", "hello"]) == b"hello\n"
    raises(subprocess.TimeoutExpired, subprocess.run, ["sleep", "5"], timeout=0.05)
    assert at_once([lambda: os.system("sleep 0.2")] * 3)


def test_standard_input_lets_others_run():
    code = """
from bine import monkey; monkey.patch_all()
import bine, sys, time
def ticks():
    while True:
        time.sleep(0.001)
        seen.append(1)
seen = []
ticker = bine.spawn(ticks)
print(input(), flush=True)
count = len(seen)
print(sys.stdin.readline().strip(), len(seen) > count, flush=True)
count = len(seen)
print(sys.stdin.buffer.read(), len(seen) > count)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    for line, answer in ((b"one\n", b"one\n"), (b"two\n", b"two True\n")):
        time.sleep(0.1)
        child.stdin.write(line)
        child.stdin.flush()
        assert child.stdout.readline() == answer
    time.sleep(0.1)
    assert child.communicate(b"the rest")[0] == b"b'the rest' True\n" and child.returncode == 0


def test_asyncio_inside_greenlets():
    import asyncio

    overlap = Overlap()

    async def main(n):
        with overlap:
            await asyncio.sleep(0.2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"%d\n" % n)
        answer = await reader.readline()
        writer.close()
        return answer

    def serve():
        while True:
            connection, _ = listener.accept()
            bine.spawn(lambda c=connection: (c.sendall(c.recv(100)), c.close()))

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = bine.spawn(serve)
    gs = [bine.spawn(asyncio.run, main(n)) for n in range(5)]
    assert [g.get() for g in gs] == [b"%d\n" % n for n in range(5)] and overlap.most == 5
    server.kill()


def test_keyboard_interrupt_and_handlers_reach_the_main_greenlet():
    # Ignored where the tests run in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    busy = bine.spawn(lambda: [bine.sleep(0.001) for _ in range(100000)])
    timer = bine.spawn_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    raises(KeyboardInterrupt, time.sleep, 10)
    seen = []
    signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    a, b = socket.socketpair()
    bine.spawn_later(0.02, os.kill, os.getpid(), signal.SIGUSR1)
    bine.spawn_later(0.06, b.sendall, b"x")
    assert a.recv(1) == b"x" and seen == [signal.SIGUSR1]
    from bine.event import Event

    bine.spawn_later(0.02, os.kill, os.getpid(), signal.SIGINT)
    raises(KeyboardInterrupt, Event().wait, 10)
    busy.kill()
    timer.join()


def test_fork_in_a_greenlet():
    other = bine.spawn(bine.sleep, 100)

    def forks():
        child = os.fork()
        if child == 0:
            try:
                bine.joinall([bine.spawn(time.sleep, 0.01) for _ in range(3)], raise_error=True)
                subprocess.check_call(["true"])
                os._exit(7)
            except BaseException:
                import traceback

                traceback.print_exc()
            os._exit(1)
        return os.waitpid(child, 0)[1]

    bine.sleep(0)
    assert os.WEXITSTATUS(bine.spawn(forks).get(timeout=30)) == 7
    other.kill()


def _double(x):
    return 2 * x


def test_multiprocessing():
    import multiprocessing

    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            assert pool.map(_double, range(20)) == [2 * x for x in range(20)]


def test_starting_with_patched_families_only():
    monkey.unpatch_all()
    assert not monkey.is_module_patched("socket")
    monkey.patch_socket()
    assert monkey.is_module_patched("socket") and not monkey.is_module_patched("time")
    assert monkey.get_original("time", "sleep") is time.sleep
    assert monkey.get_original("time", ["sleep", "time"]) == [time.sleep, time.time]
    import faulthandler

    watch = monkey.get_original("faulthandler", "dump_traceback_later")
    assert ((watch is faulthandler.dump_traceback_later) == (sys.version_info >= (3, 12)) and
            watch.__self__ is faulthandler)
    assert monkey.get_original("faulthandler", ["enable"]) == [faulthandler.enable]


def test_output_of_an_exit_with_parked_greenlets():
    code = ("from bine import monkey; monkey.patch_all(); import bine, threading, time\n"
            "bine.spawn(bine.sleep, 100); bine.spawn(time.sleep, 100); bine.sleep(0)\n"
            "threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n"
            "bine.sleep(0)\nprint('done')")
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"done\n", b""), done


def test_disabled_by_the_environment():
    code = "from bine import monkey; monkey.patch_all(); print(monkey.is_anything_patched())"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          env=dict(os.environ, BINE_DISABLE="1"))
    assert done.stdout == b"False\n"


def test_command_line():
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write("import sys\nfrom gevent import monkey\nimport gevent\n"
                     "print(sys.argv[1:], gevent.spawn(lambda: 5).get())\n")
        script.flush()
        out = subprocess.check_output([sys.executable, "-m", "bine.gevent", script.name, "a", "b"])
        assert out == b"['a', 'b'] 5\n", out
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write("import sys\nfrom bine import monkey\n"
                     "print(sys.argv[1:], monkey.is_module_patched('socket'))\n")
        script.flush()
        out = subprocess.check_output([sys.executable, "-m", "bine.monkey", script.name, "a"])
        assert out == b"['a'] True\n", out
        out = subprocess.check_output([sys.executable, "-m", "bine.monkey", "--no-socket",
                                       "--no-ssl", script.name])
        assert out == b"[] False\n", out


def test_localhost_is_looked_up_without_the_offload_pool():
    monkey.patch_all()
    threads = len(os.listdir("/proc/self/task"))
    with socket.socket() as bound:
        bound.bind(("localhost", 0))
        assert bound.getsockname()[0] == "127.0.0.1"
    assert socket.getaddrinfo("LOCALHOST", 80, socket.AF_INET)[0][4] == ("127.0.0.1", 80)
    assert len(os.listdir("/proc/self/task")) == threads
    pwd.getpwnam("root")
    assert len(os.listdir("/proc/self/task")) > threads
