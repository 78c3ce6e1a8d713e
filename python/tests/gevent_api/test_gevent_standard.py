"""gevent's modules with the standard library's names, and what gevent adds to them. Nothing is
patched but what their import does."""

import os
import select
import selectors
import signal
import socket
import ssl
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

import bine
from bine.gevent import os as gos
from bine.gevent import selectors as gselectors
from bine.gevent import socket as gsocket
from bine.gevent import ssl as gssl
from helpers import raises


# -- gevent.os


def test_what_is_the_standard_librarys_is_the_same_object():
    import threading

    from bine.gevent import (contextvars, select as gselect, signal as gsignal,
                             subprocess as gsubprocess)
    from bine.gevent import threading as gthreading, time as gtime

    pairs = ((gsocket.socket, socket.socket), (gsocket.timeout, socket.timeout),
             (gsocket.create_connection, socket.create_connection),
             (gssl.SSLContext, ssl.SSLContext), (gssl.SSLSocket, ssl.SSLSocket),
             (gselect.select, select.select), (gselect.epoll, select.epoll),
             (gsubprocess.Popen, subprocess.Popen),
             (gsubprocess.run, subprocess.run), (gos.fork, os.fork), (gos.waitpid, os.waitpid),
             (gos.path, os.path), (gsignal.signal, signal.signal), (gtime.sleep, time.sleep),
             (gthreading.Thread, threading.Thread),
             (contextvars.ContextVar, sys.modules["contextvars"].ContextVar))
    for ours, theirs in pairs:
        assert ours is theirs, theirs


def test_nothing_is_added_to_the_standard_librarys_modules():
    code = ("import importlib, sys\nnames = %r\n"
            "before = {n: set(vars(importlib.import_module(n))) for n in names}\n"
            "for n in names: importlib.import_module('bine.gevent.' + n)\n"
            "added = {n: set(vars(sys.modules[n])) - before[n] - {'__warningregistry__'} for n in "
            "names}\nassert not any(added.values()), added\n")
    names = ["socket", "ssl", "select", "selectors", "subprocess", "os", "signal", "time",
             "threading", "contextvars", "builtins"]
    assert subprocess.run([sys.executable, "-c", code % names]).returncode == 0


def test_nb_read_and_nb_write_wait_in_their_greenlet_only():
    for blocking in (True, False):
        r, w = os.pipe()
        if not blocking:
            assert (gos.make_nonblocking(r) is True and not gos.make_nonblocking(r) and
                    gos.make_nonblocking(w))
        steps = []
        reader = bine.spawn(lambda: steps.append(gos.nb_read(r, 10)))
        bine.sleep(0.01)
        steps.append("others ran")
        assert gos.nb_write(w, b"hello") == 5
        reader.get(timeout=10)
        assert steps == ["others ran", b"hello"] and gos.nb_read(r, 0) == b""
        sent, data = [], b"x" * 200000

        def writer():
            while sum(sent) < len(data):
                sent.append(gos.nb_write(w, data[sum(sent):]))
            os.close(w)

        g = bine.spawn(writer)
        got = iter(lambda: gos.nb_read(r, 65536), b"")
        assert sum(map(len, got)) == 200000 and g.get() is None
        os.close(r)
    for call in (lambda: gos.nb_read(r, 1), lambda: gos.nb_write(w, b"x"),
                 lambda: gos.make_nonblocking(9999)):
        assert raises(OSError, call).errno == 9
    assert raises(OSError, gos.nb_read, 0, -1).errno == 22


def test_tp_read_and_tp_write_block_a_thread_of_the_pool():
    r, w = os.pipe()
    reader = bine.spawn(gos.tp_read, r, 10)
    bine.sleep(0.02)
    assert gos.tp_write(w, b"abc") == 3 and reader.get(timeout=10) == b"abc"
    assert raises(OSError, gos.tp_read, 9999, 1).errno == 9


def test_closing_a_descriptor_wakes_those_who_wait_for_it():
    r, w = os.pipe()
    waiters = [bine.spawn(gos.nb_read, r, 1), bine.spawn(gsocket.wait_read, r),
               bine.spawn(gsocket.wait_readwrite, r, 10)]
    bine.sleep(0.02)
    os.close(r)
    bine.joinall(waiters, timeout=10)
    assert [g.exception.errno for g in waiters] == [9, 9, 9], waiters


def test_a_failing_import_race_tells_each_failure():
    # Two greenlets that fail one after the other are both told, also the first time.
    code = ("import bine, os\nfrom bine.gevent import os as gos\nr, w = os.pipe()\n"
            "gs = [bine.spawn(gos.nb_read, r, 1) for _ in range(3)]\nbine.sleep(0.01)\n"
            "os.close(r)\nbine.joinall(gs)\n")
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE)
    assert (done.stderr.count(b"failed with OSError") == 3 and
            b"circular" not in done.stderr), done.stderr.decode()


def test_fork_and_watch_calls_back_with_the_status():
    ended = []
    children = []
    for code in (0, 3):
        pid = gos.fork_and_watch(ended.append)
        if pid == 0:
            os._exit(code)
        children.append(pid)
    pid = gos.fork_and_watch(ended.append)
    if pid == 0:
        time.sleep(60)
    children.append(pid)
    os.kill(pid, signal.SIGTERM)
    while len(ended) < 3:
        bine.sleep(0.01)
    status = {child.pid: child.rstatus for child in ended}
    assert (status == {children[0]: 0, children[1]: 3 << 8, children[2]: signal.SIGTERM} and
            all(child.rpid == child.pid for child in ended))
    assert [os.waitpid(pid, 0) for pid in children] == [(pid, status[pid]) for pid in children]


def test_children_that_nobody_waits_for_do_not_pile_up():
    gos._KEEP = 3
    ended = []
    for _ in range(8):
        pid = gos.fork_and_watch(ended.append)
        if pid == 0:
            os._exit(0)
    while len(ended) < 8:
        bine.sleep(0.01)
    left = 0
    while True:
        try:
            left += os.waitpid(-1, os.WNOHANG)[0] > 0
        except ChildProcessError:
            break
    assert left == 3


def test_forkpty_and_watch():
    ended = []
    pid, terminal = gos.forkpty_and_watch(ended.append)
    if pid == 0:
        os.write(1, b"hello")
        os._exit(4)
    assert gos.nb_read(terminal, 5) == b"hello"
    while not ended:
        bine.sleep(0.01)
    assert ended[0].rstatus == 4 << 8 and gos.fork_gevent.__doc__
    os.waitpid(pid, 0)


# -- gevent.socket


def test_wait_read_and_its_like_time_out():
    r, w = os.pipe()
    wait = gsocket.wait_read
    assert (str(raises(socket.timeout, wait, r, 0.01)) == "timed out" and
            raises(socket.timeout, wait, r, 0))
    assert (raises(bine.Timeout, wait, r, 0.01, None).seconds == 0.01 and
            wait(r, 0.01, False) is None)
    assert (raises(KeyError, wait, r, 0.01, KeyError) and
            raises(ValueError, wait, r, timeout=0.01, timeout_exc=ValueError("x")))
    assert (gsocket.wait_write(w) is None and
            gsocket.wait_write(w, timeout=1, event=None) is None and
            gsocket.wait_readwrite(w, 1) is None)
    assert raises(OSError, gsocket.wait_read, 9999).errno == 9
    waiter = bine.spawn(gsocket.wait_read, r, -1)
    bine.sleep(0.01)
    assert not waiter.ready()
    os.write(w, b"x")
    assert waiter.get(timeout=10) is None
    os.close(w)
    os.read(r, 1)
    assert gsocket.wait_read(r) is None, "the end can be read"


def test_a_timeout_of_the_callers_or_a_kill_ends_a_wait():
    r, w = os.pipe()
    with bine.Timeout(0.02, False):
        gsocket.wait_read(r)
        raise AssertionError("nobody wrote")
    waiter = bine.spawn(gsocket.wait_read, r)
    bine.sleep(0.01)
    waiter.kill(KeyError("ended"))
    assert isinstance(waiter.exception, KeyError)


def test_waiting_for_a_watcher_and_cancelling_that():
    r, w = os.pipe()
    hub = bine.get_hub()
    for error, kind in ((gsocket.cancel_wait_ex, gsocket.cancel_wait_ex), (KeyError, KeyError),
                        (KeyError("x"), KeyError)):
        watcher = hub.loop.io(r, 1)
        waiter = bine.spawn(gsocket.wait, watcher)
        bine.sleep(0.01)
        gsocket.cancel_wait(watcher, error)
        waiter.join(10)
        assert type(waiter.exception) is kind and not watcher.active
    watcher = hub.loop.io(r, 1)
    assert (raises(socket.timeout, gsocket.wait, watcher, 0.01) and
            raises(bine.Timeout, gsocket.wait, watcher, 0.01, None))
    assert raises(KeyError, gsocket.wait, watcher, 0.01, KeyError)
    waiter = bine.spawn(gsocket.wait, watcher, -1)
    bine.sleep(0.01)
    os.write(w, b"x")
    assert waiter.get(timeout=10) is None
    gsocket.cancel_wait(watcher)


def test_sockets_are_cooperative_once_the_module_is_imported():
    listener = gsocket.create_server(("127.0.0.1", 0))

    def client():
        with gsocket.create_connection(listener.getsockname()) as s:
            s.sendall(b"hello")

    g = bine.spawn(client)
    peer = listener.accept()[0]
    assert peer.recv(10) == b"hello" and g.get() is None
    error = gsocket.cancel_wait_ex()
    assert error.errno == 9 and isinstance(error, OSError)


# -- the others


def test_gevent_selector():
    a, b = socket.socketpair()
    for kind in (gselectors.GeventSelector, gselectors.DefaultSelector):
        with kind() as selector:
            assert isinstance(selector, selectors.BaseSelector)
            selector.register(a, selectors.EVENT_READ, "data")
            assert selector.select(0) == [] and selector.select(0.01) == []
            bine.spawn_later(0.01, b.send, b"x")
            (key, events), = selector.select(10)
            assert key.data == "data" and events == selectors.EVENT_READ
            a.recv(1)
    assert kind(hub=bine.get_hub()).close() is None


def test_select_lets_others_run():
    from bine.gevent import select as gselect

    r, w = os.pipe()
    bine.spawn_later(0.01, os.write, w, b"x")
    assert gselect.select([r], [], [], 10)[0] == [r]
    poll = gselect.poll()
    poll.register(r)
    assert poll.poll(10)[0][0] == r


def test_wrap_socket_is_there_in_every_version():
    if not shutil.which("openssl"):
        pytest.skip("no openssl, which makes the certificate")
    key, certificate = [os.path.join(tempfile.mkdtemp(), name)
                        for name in ("key.pem", "certificate.pem")]
    command = ("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout %s "
               "-out %s" % (key, certificate))
    subprocess.run(command.split(), check=True, stderr=subprocess.DEVNULL)
    a, b = socket.socketpair()
    server = bine.spawn(gssl.wrap_socket, a, key, certificate, True)
    client = gssl.wrap_socket(b)
    assert isinstance(client, ssl.SSLSocket) and client.getpeercert(True)
    server.get().sendall(b"hello")
    assert client.recv(10) == b"hello"
    assert (raises(ValueError, gssl.wrap_socket, a, server_side=True) and
            raises(ValueError, gssl.wrap_socket, a, keyfile=key))


def test_popen_can_be_linked_and_waited_for():
    from bine.gevent import subprocess as gsubprocess

    ended = []
    process = gsubprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    process.rawlink(ended.append)
    assert bine.wait([process], timeout=30) == [process] and process.result.get(timeout=10) == 3
    bine.sleep(0.01)
    assert ended == [process] and gsubprocess.check_output(["echo", "x"]) == b"x\n"
    quiet = gsubprocess.Popen(["true"])
    quiet.rawlink(ended.append)
    quiet.unlink(ended.append)
    quiet.wait()
    bine.sleep(0.01)
    assert ended == [process]


def test_locks_and_threads_of_gevent_thread_are_cooperative_without_patching():
    from bine.gevent import thread

    lock, steps = thread.allocate_lock(), []
    assert (isinstance(lock, thread.LockType) and lock.acquire() and lock.locked() and
            "locked" in repr(lock))

    def other():
        steps.append("waits")
        with lock:
            steps.append("has it")
            thread.exit()

    ident = thread.start_new_thread(other, ())
    bine.sleep(0.01)
    assert (steps == ["waits"] and ident != thread.get_ident() and not lock.acquire(False) and
            not lock.acquire(timeout=0.01))
    lock.release()
    bine.sleep(0.01)
    assert steps == ["waits", "has it"] and not lock.locked()
    assert (raises(RuntimeError, lock.release) and raises(ValueError, lock.acquire, False, 1) and
            raises(ValueError, lock.acquire, True, -2))


def test_the_main_native_thread():
    import threading

    from bine.gevent import threading as gthreading

    assert (bine.spawn(gthreading.main_native_thread).get() is threading.main_thread() and
            gthreading.getcurrent is bine.getcurrent)


def test_patching_makes_gevent_thread_the_standard_librarys():
    import _thread

    from bine import monkey
    from bine.gevent import thread

    assert thread.allocate_lock is not _thread.allocate_lock
    monkey.patch_thread()
    for name in ("allocate_lock", "LockType", "start_new_thread", "get_ident", "exit"):
        assert getattr(thread, name) is getattr(_thread, name), name


def test_tracers_find_and_replace_what_imap_makes():
    import bine.gevent
    from bine.gevent import pool

    assert (bine.gevent._imap.IMap is pool.IMap and
            bine.gevent._imap.IMapUnordered is pool.IMapUnordered)
    assert bine.gevent._imap.Greenlet is pool.Greenlet is bine.Greenlet
