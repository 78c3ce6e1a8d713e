"""What gevent cannot do: docs/why-bine-if-you-have-gevent.md has a line for each of these.

C drivers on real servers are in test_drivers.py, SQLAlchemy's asyncio in many greenlets in
test_greenlet_package.py.
"""

import asyncio
import concurrent.futures
import ctypes
import multiprocessing
import os
import select
import socket
import ssl  # before patching, as nobody may with gevent
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import weakref

import pytest

import bine
import bine.event
from helpers import at_once, longest_gap, raises

PATCHED = True

HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def http_server(delay):
    """A server on loopback whose answers take `delay` seconds. Its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    def answer(connection):
        connection.recv(65536)
        bine.sleep(delay)
        connection.sendall(HTTP)
        connection.close()

    def serve():
        while True:
            bine.spawn(answer, listener.accept()[0])

    bine.spawn(serve)
    return listener.getsockname()[1]


def test_patching_after_the_imports():
    # ssl, socket and urllib.request were imported before everything was patched.
    number = http_server(0.1)

    def fetch():
        assert urllib.request.urlopen("http://127.0.0.1:%d/" % number).read() == b"ok"

    assert at_once([fetch] * 10) and ssl.SSLContext and socket.socket.__module__ == "socket"


def test_a_c_library_that_blocks_is_cooperative():
    # Called with the GIL held, as an extension does that forgets to release it.
    library = ctypes.PyDLL(None)
    r, w = os.pipe()
    bine.spawn_later(0.5, os.write, w, b"x")
    buffer = ctypes.create_string_buffer(1)

    def read():
        library.read(r, buffer, 1)
        bine.spawn_later(0.5, os.write, w, b"x")

    assert longest_gap(read) < 0.4


def test_asyncio_run_in_each_greenlet():
    async def main(n):
        await asyncio.sleep(0.05)
        return n

    assert at_once([lambda n=n: asyncio.run(main(n)) for n in range(20)])


def test_asyncio_to_thread_under_patching():
    if sys.version_info < (3, 9):
        pytest.skip("asyncio.to_thread is of 3.9")

    async def main():
        return await asyncio.gather(*[asyncio.to_thread(lambda n=n: time.sleep(0.05) or n)
                                      for n in range(5)])

    assert asyncio.run(main()) == list(range(5))
    g = bine.spawn(asyncio.run, main())
    assert g.get(timeout=30) == list(range(5))


def test_epoll_is_there_and_cooperative():
    r, w = os.pipe()
    poller = select.epoll()
    poller.register(r, select.EPOLLIN)
    bine.spawn_later(0.02, os.write, w, b"x")
    assert poller.poll(30) == [(r, select.EPOLLIN)]
    assert longest_gap(lambda: os.read(r, 1) and poller.poll(0.5) or os.write(w, b"x")) < 0.4


def square(n):
    return n * n


def test_multiprocessing_in_all_start_methods():
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "program.py"), "w") as file:
        file.write("import bine, multiprocessing, sys\nfrom bine import monkey\n"
                   "monkey.patch_all()\n"
                   "def square(n):\n    return n * n\n"
                   "if __name__ == '__main__':\n    multiprocessing.set_start_method(sys.argv[1])\n"
                   "    with multiprocessing.Pool(2) as pool:\n"
                   "        ticks = bine.spawn(lambda: [bine.sleep(0.001) for _ in range(20)])\n"
                   "        assert pool.map(square, range(10)) == [n * n for n in range(10)]\n"
                   "        ticks.get()\n    print('done')\n")
    for method in multiprocessing.get_all_start_methods():
        done = subprocess.run([sys.executable, os.path.join(folder, "program.py"), method],
                              stdout=subprocess.PIPE, timeout=50)
        assert done.stdout == b"done\n" and done.returncode == 0, method


def test_a_fork_beside_executors():
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]
        pid = os.fork()
        if pid == 0:
            with concurrent.futures.ThreadPoolExecutor(4) as childs:
                os._exit(0 if list(childs.map(square, range(4))) == [0, 1, 4, 9] else 1)
        assert os.waitpid(pid, 0)[1] == 0 and pool.submit(square, 5).result() == 25


def test_a_finalizer_that_takes_locks_at_any_moment():
    # urllib3 closes its pools by weakref.finalize, wherever the garbage collector runs.
    lock, closed = threading.Lock(), []

    class Pool:
        def __init__(self):
            self.me = self
            weakref.finalize(self, self.close, closed)

        @staticmethod
        def close(closed):
            with lock:
                bine.sleep(0)
                closed.append(1)

    def churn():
        for _ in range(300):
            Pool()
            if _ % 50 == 0:
                bine.sleep(0)

    import gc

    gc.set_threshold(20)
    bine.joinall([bine.spawn(churn) for _ in range(5)], raise_error=True)
    gc.collect()
    assert len(closed) == 1500


def test_several_greenlets_wait_on_one_socket():
    a, b = socket.socketpair()
    readers = [bine.spawn(a.recv, 1) for _ in range(5)]
    bine.sleep(0.01)
    b.sendall(b"abcde")
    bine.joinall(readers, timeout=30, raise_error=True)
    assert sorted(g.value for g in readers) == [b"a", b"b", b"c", b"d", b"e"]


def test_closing_a_descriptor_under_select_and_recv():
    a, b = socket.socketpair()
    waiting = [bine.spawn(select.select, [a], [], [], 0.2), bine.spawn(a.recv, 1)]
    bine.sleep(0.01)
    os.close(a.fileno())
    bine.joinall(waiting, timeout=30)
    assert all(g.ready() for g in waiting) and isinstance(waiting[1].exception, OSError)
    a.detach()


def test_native_threads_wake_greenlets():
    from bine import monkey
    from bine._bine import start_real_thread

    event, result = bine.event.Event(), bine.event.AsyncResult()
    start_real_thread(lambda: (monkey.get_original("time", "sleep")(0.02), event.set(),
                               result.set(5)))
    assert event.wait(30) and result.get(timeout=30) == 5


def test_plain_pyzmq_that_blocks():
    zmq = pytest.importorskip("zmq")
    context = zmq.Context()
    server, client = context.socket(zmq.REP), context.socket(zmq.REQ)
    number = server.bind_to_random_port("tcp://127.0.0.1")
    client.connect("tcp://127.0.0.1:%d" % number)

    def serve():
        server.send(server.recv() + b"!")

    bine.spawn(serve)
    client.send(b"hello")
    assert client.recv() == b"hello!"
    client.close(0), server.close(0)


def test_faulthandler_sees_every_greenlet():
    def a_function_that_waits():
        bine.sleep(60)

    for _ in range(3):
        bine.spawn(a_function_that_waits)
    bine.sleep(0.01)
    import faulthandler

    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        assert file.read().count("in a_function_that_waits") == 3


def test_py_spy_sees_every_greenlet():
    import shutil

    spy = shutil.which("py-spy") or os.path.join(os.path.dirname(sys.executable), "py-spy")
    if not os.path.exists(spy):
        pytest.skip("py-spy is not installed")

    def a_function_that_waits():
        bine.sleep(60)

    for _ in range(3):
        bine.spawn(a_function_that_waits)
    bine.sleep(0.01)
    done = subprocess.run([spy, "dump", "--pid", str(os.getpid())], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip("py-spy may not look: %s" % done.stderr.decode()[:200])
    assert done.stdout.count(b"a_function_that_waits") == 3


def test_10000_threads_in_one_os_thread():
    go, ran = threading.Event(), []

    def run():
        go.wait()
        ran.append(threading.get_ident())

    threads = [threading.Thread(target=run) for _ in range(10000)]
    for thread in threads:
        thread.start()
    with open("/proc/self/status") as file:
        (count,) = [int(line.split()[1]) for line in file if line.startswith("Threads:")]
    go.set()
    for thread in threads:
        thread.join()
    assert len(set(ran)) > 1 and len(ran) == 10000 and count < 20, count


def test_a_timeout_ends_a_call_of_a_c_driver():
    library = ctypes.CDLL(None, use_errno=True)
    r, _ = os.pipe()
    buffer = ctypes.create_string_buffer(1)
    assert raises(bine.Timeout, bine.with_timeout, 0.05, library.read, r, buffer, 1)
