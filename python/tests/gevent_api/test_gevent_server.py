"""gevent.server and gevent.baseserver: streams, datagrams, TLS, pools, and ends of servers."""

import errno
import gc
import os
import resource
import socket
import ssl
import tempfile

import bine
from bine.gevent.baseserver import BaseServer, parse_address
from bine.gevent.server import DatagramServer, StreamServer
from bine.pool import Pool
from helpers import raises
from http_helpers import certificate, errors_to, eventually, read_all

PATCHED = True


def echo(sock, address):
    while True:
        data = sock.recv(4096)
        if not data:
            break
        sock.sendall(data)


def ask(address, data=b"ping"):
    with socket.create_connection(address, 20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return read_all(client)


def knock(address):
    return ask(address, b"")


def test_addresses_are_parsed_as_gevent_does():
    inet, inet6, unix = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
    for address, expected in ((("h", 1), (inet, ("h", 1))), (("::1", 1), (inet6, ("::1", 1))),
                              (("", 1), (inet6, ("", 1))), (1, (inet6, ("", 1))),
                              ("1", (inet6, ("", 1))), ("127.0.0.1:80", (inet, ("127.0.0.1", 80))),
                              ("[::1]:80", (inet6, ("::1", 80))), (":80", (inet, ("", 80))),
                              ("/run/x", (unix, "/run/x")), ("unix:x", (unix, "x"))):
        assert parse_address(address) == expected, address
    raises(ValueError, parse_address, "nothing")
    for address in (b"x", None, 1.5, object()):
        raises(TypeError, parse_address, address)


def test_a_stream_server_serves_and_says_what_it_is():
    served = StreamServer(("127.0.0.1", 0), echo)
    assert (served.started, served.closed, served.address,
            served.family) == (False, True, ("127.0.0.1", 0), socket.AF_INET)
    served.init_socket()
    assert (served.started, served.closed) == (False, False) and served.server_port != 0
    with served:
        served.start()
        assert (served.started, served.closed, served.server_host) == (True, False, "127.0.0.1")
        assert [bine.spawn(ask, served.address, b"%d" % i).get()
                for i in range(20)] == [b"%d" % i for i in range(20)]
        assert ("fileno=%d address=127.0.0.1:%d handle=<function echo" %
                (served.socket.fileno(), served.server_port) in repr(served))
        served.start_accepting()  # a no-op
        assert ask(served.address) == b"ping"
    assert (served.started, served.closed) == (False, True)
    raises(ConnectionRefusedError, ask, served.address)
    served.start()  # on the same port
    assert ask(served.address) == b"ping"
    served.stop()


def test_sockets_of_all_kinds_are_served():
    listening = socket.create_server(("127.0.0.1", 0))
    with tempfile.TemporaryDirectory() as folder:
        bound = socket.socket(socket.AF_UNIX)
        bound.bind(folder + "/bound")
        bound.listen()
        for listener in (listening, bound, folder + "/path", ("::1", 0), ("", 0)):
            with StreamServer(listener, echo) as served:
                try:
                    served.start()
                except OSError as error:
                    assert (listener == ("::1", 0) and
                            error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)), error
                    continue
                with socket.socket(served.family) as client:
                    client.connect(served.address)
                    client.sendall(b"x")
                    assert client.recv(10) == b"x"
        assert os.listdir(folder) == ["bound"]  # a path that the server made is gone with it


def test_a_unix_path_that_nobody_listens_on_is_taken_over_and_no_other():
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/path"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        with StreamServer(path, echo) as first:
            first.start()
            error = raises(OSError, StreamServer(path, echo).start)
            assert error.errno == errno.EADDRINUSE and path in str(error)
            with open(folder + "/file", "w"):
                pass
            raises(OSError, StreamServer(folder + "/file", echo).start)
            assert os.path.exists(folder + "/file")


def test_an_address_in_use_is_named():
    listener = socket.create_server(("127.0.0.1", 0))
    error = raises(OSError, StreamServer(listener.getsockname(), echo).start)
    assert error.errno == errno.EADDRINUSE and str(listener.getsockname()[1]) in str(error)


def test_ways_to_spawn():
    def where(sock, address):
        sock.sendall(type(bine.getcurrent()).__name__.encode())

    class Own(bine.Greenlet):
        pass

    calls = []

    def counted(function, *args):
        calls.append(len(args))
        return bine.spawn(function, *args)

    for spawn, name in (("default", b"Greenlet"), ("raw", b"Greenlet"), (None, b"Greenlet"),
                        (3, b"Greenlet"), (Pool(2, greenlet_class=Own), b"Own"),
                        (counted, b"Greenlet"), (Own.spawn, b"Own")):
        with StreamServer(("127.0.0.1", 0), where, spawn=spawn) as served:
            served.start()
            assert knock(served.address) == name, spawn
    assert len(calls) == 1
    raises(TypeError, StreamServer, ("127.0.0.1", 0), echo, spawn="bogus")
    raises(ValueError, StreamServer, ("127.0.0.1", 0), echo, spawn=-1)
    raises(TypeError, StreamServer, ("127.0.0.1", 0))


def test_a_full_pool_leaves_connections_in_the_queue():
    gate, inside = bine.event.Event(), []

    def handle(sock, address):
        inside.append(address)
        gate.wait()
        sock.sendall(b"done")

    with StreamServer(("127.0.0.1", 0), handle, spawn=2) as served:
        served.start()
        assert not served.full()
        asking = [bine.spawn(knock, served.address) for _ in range(6)]
        eventually(lambda: len(inside) == 2)
        bine.sleep(0.05)
        assert len(inside) == 2 and served.full() and served.pool.free_count() == 0
        gate.set()
        assert [greenlet.get() for greenlet in asking] == [b"done"] * 6


def test_full_of_ones_own_stops_accepting_until_it_is_started_again():
    class Choosy(StreamServer):
        busy = False

        def full(self):
            return self.busy

    with Choosy(("127.0.0.1", 0), echo) as served:
        served.start()
        assert ask(served.address) == b"ping"
        served.busy = True
        assert ask(served.address) == b"ping"  # accept was waiting already
        asking = bine.spawn(ask, served.address)
        bine.sleep(0.05)
        assert not asking.ready()
        served.busy = False
        served.start_accepting()
        assert asking.get() == b"ping"


def test_a_handler_that_fails_costs_its_connection_only():
    def handle(sock, address):
        raise RuntimeError("in the handler")

    for spawn in ("default", None, 5):
        with errors_to() as reported, StreamServer(("127.0.0.1", 0), handle, spawn=spawn) as served:
            served.start()
            assert knock(served.address) == b""
            assert knock(served.address) == b""
            eventually(lambda: str(reported).count("RuntimeError: in the handler") == 2)


def test_the_socket_is_closed_when_the_handler_returns():
    kept = []

    def handle(sock, address):
        kept.append(sock)

    with StreamServer(("127.0.0.1", 0), handle) as served:
        served.start()
        assert knock(served.address) == b""
        assert kept[0].fileno() == -1


def test_errors_of_spawn_pause_the_server_longer_each_time():
    failures = [0]

    def spawn(*args):
        failures[0] += 1
        if failures[0] < 4:
            raise MemoryError("no room")
        return bine.spawn(*args)

    with errors_to() as reported, StreamServer(("127.0.0.1", 0), echo, spawn=spawn) as served:
        served.start()
        assert [knock(served.address) for _ in range(3)] == [b""] * 3
        assert served.delay == served.min_delay * 8
        assert ask(served.address) == b"ping" and served.delay == served.min_delay
        eventually(lambda: str(reported).count("MemoryError: no room") == 3)


def test_out_of_descriptors_the_server_says_so_pauses_and_goes_on():
    with errors_to() as reported, StreamServer(("127.0.0.1", 0), echo) as served:
        served.start()
        clients = [socket.socket() for _ in range(3)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        try:
            taken = []
            while True:
                try:
                    taken.append(os.dup(0))
                except OSError:
                    break
            for client in clients:
                client.connect(served.address)
                client.sendall(b"x")
            eventually(lambda: "Too many open files" in str(reported))
            eventually(lambda: served.delay > served.min_delay)
            assert not served.closed
        finally:
            for descriptor in taken:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for client in clients:
            client.settimeout(20)
            assert client.recv(1) == b"x"
        eventually(lambda: served.delay == served.min_delay)
    assert str(reported).count("Too many open files") < 20


def test_a_handler_in_the_accepting_greenlet_may_end_by_any_exception():
    class Odd(BaseException):
        pass

    for kind in (ValueError, bine.GreenletExit, bine.Timeout, Odd):
        failures = [kind("of the handler")]

        def handle(sock, address):
            if failures:
                raise failures.pop()
            sock.sendall(b"ok")

        with errors_to(), StreamServer(("127.0.0.1", 0), handle, spawn=None) as served:
            served.start()
            assert [knock(served.address) for _ in range(3)] == [b"", b"ok", b"ok"], kind


def test_a_server_goes_on_when_somebody_kills_the_greenlet_that_accepts():
    def greenlets():
        return [found for found in gc.get_objects() if isinstance(found, bine.Greenlet) and
                found not in (bine.getcurrent(), bine.get_hub())]

    before = greenlets()
    for spawn in ("default", None, 1):
        with StreamServer(("127.0.0.1", 0), lambda sock, address: sock.sendall(b"ok"),
                          spawn=spawn) as served:
            served.start()
            bine.sleep(0)
            bine.killall([found for found in greenlets() if found not in before], timeout=20)
            assert served.started and knock(served.address) == b"ok"
    # A pool that is full when the connection has been accepted.
    pool = Pool(1)
    with StreamServer(("127.0.0.1", 0), lambda sock, address: sock.sendall(b"ok"),
                      spawn=pool) as served:
        served.start()
        bine.sleep(0)
        occupant = pool.spawn(bine.sleep, 60)
        with socket.create_connection(served.address, 20) as client:
            eventually(lambda: not served._reading)
            bine.killall([found for found in greenlets()
                          if found not in before and found is not occupant], timeout=20)
            occupant.kill()
            assert client.recv(1) == b"" and knock(served.address) == b"ok"


def test_a_listener_that_is_closed_by_somebody_ends_the_server():
    with errors_to() as reported:
        served = StreamServer(("127.0.0.1", 0), echo)
        served.start()
        bine.sleep(0)
        waiting = bine.spawn(served.serve_forever)
        bine.sleep(0)
        served.socket.close()
        waiting.get(timeout=20)
    assert served.closed and "Bad file descriptor" in str(reported)


def test_serve_forever_ends_with_stop_and_with_errors():
    served = StreamServer(("127.0.0.1", 0), echo)
    serving = bine.spawn(served.serve_forever)
    eventually(lambda: served.started)
    assert ask(served.address) == b"ping"
    served.stop()
    serving.get(timeout=20)
    served = StreamServer(("127.0.0.1", 0), echo)
    serving = bine.spawn(served.serve_forever)
    eventually(lambda: served.started)
    serving.kill()
    assert served.closed


def test_stop_waits_for_the_pool_and_then_kills():
    ended = []

    def handle(sock, address):
        try:
            bine.sleep(float(sock.recv(10)))
            ended.append("slept")
        except bine.GreenletExit:
            ended.append("killed")

    for seconds, timeout, expected in (("0.05", 20, "slept"), ("100", 0.05, "killed")):
        served = StreamServer(("127.0.0.1", 0), handle, spawn=5)
        served.start()
        asking = bine.spawn(ask, served.address, seconds.encode())
        eventually(lambda: served.pool.free_count() == 4)
        served.stop(timeout)
        assert ended.pop() == expected and served.pool.free_count() == 5
        asking.get()
    assert served.stop_timeout == 1


def test_close_leaves_handlers_alone():
    gate = bine.event.Event()

    def handle(sock, address):
        gate.wait()
        sock.sendall(b"late")

    served = StreamServer(("127.0.0.1", 0), handle, spawn=5)
    served.start()
    asking = bine.spawn(knock, served.address)
    eventually(lambda: served.pool.free_count() == 4)
    served.close()
    assert served.closed and not asking.ready()
    gate.set()
    assert asking.get() == b"late"


def test_a_connection_that_was_accepted_before_close_finds_its_listener():
    listener = socket.create_server(("127.0.0.1", 0))
    name, names = listener.getsockname(), []

    def handle(sock, address):
        names.append(listener.getsockname())  # as gunicorn's worker does first

    served = StreamServer(listener, handle)
    served.max_accept = 1
    clients = [socket.create_connection(name) for _ in range(3)]
    served.start()
    while not served._unbegun and not names:
        bine.sleep(0)
    served.close()
    assert names and set(names) == {name}, names
    for client in clients:
        client.close()


def test_a_server_may_stop_itself_in_a_handler():
    for spawn in ("default", None):
        served = StreamServer(("127.0.0.1", 0), lambda sock, address: served.close(), spawn=spawn)
        serving = bine.spawn(served.serve_forever)
        eventually(lambda: served.started)
        assert knock(served.address) == b""
        serving.get(timeout=20)


def test_a_handler_is_changed_while_the_server_runs():
    with StreamServer(("127.0.0.1", 0), echo) as served:
        served.start()
        assert ask(served.address) == b"ping"
        served.set_handle(lambda sock, address: sock.sendall(b"new"))
        assert knock(served.address) == b"new"


def test_subclasses_have_a_method_instead_of_a_function():
    class Upper(StreamServer):
        def handle(self, sock, address):
            sock.sendall(sock.recv(100).upper())

    with Upper(("127.0.0.1", 0)) as served:
        served.start()
        assert ask(served.address) == b"PING" and "handle" not in repr(served)

    class Lines(BaseServer):
        """One that reads from a queue."""

        def __init__(self, queue, handle):
            self.queue = queue
            BaseServer.__init__(self, 0, handle)

        def do_read(self):
            item = self.queue.get()
            return None if item is None else (item,)

    got, queue = [], bine.queue.Queue()
    with Lines(queue, got.append) as served:
        served.start()
        for item in (1, None, 2):
            queue.put(item)
        eventually(lambda: got == [1, 2])


def test_max_accept_lets_others_run():
    ran = []
    for most in (1, 100):
        with StreamServer(("127.0.0.1", 0), lambda sock, address: ran.append(address)) as served:
            served.max_accept = most
            served.init_socket()
            clients = [socket.create_connection(served.address) for _ in range(5)]
            served.start()
            steps = []
            while len(ran) < 5:
                steps.append(len(ran))
                bine.sleep(0)
            for client in clients:
                client.close()
            ran.clear()
        assert most != 1 or len(set(steps)) >= 4, steps


def test_datagrams():
    with tempfile.TemporaryDirectory() as folder:
        for listener in (("127.0.0.1", 0), folder + "/server"):
            served = DatagramServer(listener,
                                    lambda data, address: served.sendto(data.upper(), address))
            with served:
                served.start()
                with socket.socket(served.family, socket.SOCK_DGRAM) as client:
                    client.settimeout(20)
                    if served.family == socket.AF_UNIX:
                        client.bind(folder + "/client")
                    for data in (b"one", b"", b"x" * 20000):
                        client.sendto(data, served.address)
                        assert client.recv(65536) == data.upper()
            assert served.closed
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    got = bine.event.AsyncResult()
    with DatagramServer(bound, lambda data, address: got.set(data), spawn=2) as served:
        served.start()
        bound.sendto(b"self", served.address)
        assert got.get(timeout=20) == b"self"


def test_a_datagram_handler_that_fails_does_not_end_the_server():
    def handle(data, address):
        if data == b"bad":
            raise RuntimeError("bad datagram")
        served.sendto(data, address)

    served = DatagramServer(("127.0.0.1", 0), handle)
    with errors_to() as reported, served, socket.socket(socket.AF_INET,
                                                        socket.SOCK_DGRAM) as client:
        served.start()
        client.settimeout(20)
        client.sendto(b"bad", served.address)
        client.sendto(b"good", served.address)
        assert client.recv(10) == b"good"
        eventually(lambda: "bad datagram" in str(reported))


def test_tls_serves_and_survives_what_is_not_tls():
    with tempfile.TemporaryDirectory() as folder:
        certfile, keyfile = certificate(folder)
        trust = ssl.create_default_context(cafile=certfile)
        with errors_to() as reported, StreamServer(("127.0.0.1", 0), echo, certfile=certfile,
                                                   keyfile=keyfile) as served:
            served.start()
            assert served.ssl_enabled
            for rubbish in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" + os.urandom(600),
                            b"\0" * 100, b"", b"\x16\x03"):
                with socket.create_connection(served.address, 20) as client:
                    client.sendall(rubbish)
                    client.shutdown(socket.SHUT_WR)
                    read_all(client)
            with trust.wrap_socket(socket.create_connection(served.address, 20),
                                   server_hostname="localhost") as client:
                client.sendall(b"secret")
                assert client.recv(100) == b"secret"
        lines = str(reported).splitlines()
        assert (len(lines) >= 4 and
                all("TLS handshake with ('127.0.0.1', " in line for line in lines)), lines
        raises(OSError, StreamServer, ("127.0.0.1", 0), echo, certfile=folder + "/none",
               keyfile=keyfile)
        raises(ValueError, StreamServer, ("127.0.0.1", 0), echo, keyfile=keyfile)


def test_a_slow_handshake_is_cut_off_and_holds_up_nobody():
    with tempfile.TemporaryDirectory() as folder:
        certfile, keyfile = certificate(folder)
        with errors_to() as reported, StreamServer(("127.0.0.1", 0), echo, certfile=certfile,
                                                   keyfile=keyfile) as served:
            served.handshake_timeout = 0.2
            served.start()
            with socket.create_connection(served.address, 20) as client:
                client.sendall(b"\x16\x03\x01")
                assert read_all(client) == b""
        assert "more than 0.2 s" in str(reported)


def test_nothing_is_left_of_connections_and_servers():
    def living():
        return sum(isinstance(thing, bine.Greenlet) and not thing.dead
                   for thing in gc.get_objects())

    for round in range(4):
        gc.collect()
        if round == 1:  # the runtime has its own descriptors, and the hub its greenlet, by now
            before = len(os.listdir("/proc/self/fd")), living()
        with StreamServer(("127.0.0.1", 0), echo, spawn=10) as served:
            served.start()
            for i in range(300):
                assert ask(served.address) == b"ping"
        eventually(lambda: round == 0 or living() <= before[1])
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before[0]
