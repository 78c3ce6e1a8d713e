#!/usr/bin/env python3
"""The cookbook's servers of plain TCP, as cookbook.py has the other programs:
cookbook_servers.py EXAMPLES [NAME...]"""
import collections
import contextlib
import signal
import socket
import sys
import threading
import time

from programs import LIMIT, SLOWER, Client, Program, main, peer, until


# ---- chat ----------------------------------------------------------------------------------------


def chatter(port, name, **options):
    client = Client(port, **options)
    client.say(name)
    return client


def heard(client, text):
    line = client.line()
    while text not in line:
        assert line, f"the end before {text!r}"
        line = client.line()


def met(one, other):
    """The server may read the two names in either order, and tells the one who came first."""
    until(lambda: one.holds("has come") or other.holds("has come"), "that two have come")


def chat_evicts_who_does_not_read():
    with Program("chat", 0, 20) as server:
        ann = chatter(server.port, "Ann")
        slow = chatter(server.port, "Slow", receive_buffer=4096)  # never read
        met(ann, slow)
        bob = chatter(server.port, "Bob")
        heard(ann, "Bob has come")
        gone = threading.Thread(target=heard, args=(ann, "Slow has gone"))
        gone.start()
        sent = 0
        while gone.is_alive() and sent < 100000:
            bob.say("x" * 400)
            sent += 1
        gone.join()
        bob.say("the others talk on")
        heard(ann, "Bob: the others talk on")
        server.end(signal.SIGTERM)


def chat_survives_clients_that_leave_and_a_lack_of_descriptors():
    with Program("chat", 0, files=20) as server:
        many = [Client(server.port) for _ in range(60)]
        first = many[0]
        first.say("First\x1b[31m")
        second = many[1]
        second.say("Second")
        met(first, second)
        for client in many[2:]:
            client.close(reset=True)
        last = chatter(server.port, "Last")
        heard(first, "Last has come")
        first.say("welcome")
        heard(last, "First?[31m: welcome")
        second.close(reset=True)
        heard(first, "Second has gone")
        server.end(signal.SIGTERM)


# ---- graceful ------------------------------------------------------------------------------------


def graceful_drains_at_sigterm():
    with Program("graceful", 0) as server:
        busy, idle, first = Client(server.port), Client(server.port), Client(server.port)
        first.say("1")
        assert first.line() == "done"
        busy.say(str(1000 * SLOWER))
        time.sleep(0.2 * SLOWER)
        server.send(signal.SIGTERM)
        assert idle.line() == "" and first.line() == ""
        until(lambda: refused(server.port), "the end of accepting")
        assert busy.line() == "done" and busy.line() == ""
        assert "drained" in server.end()


def graceful_ends_at_once(second, first=signal.SIGTERM):
    with Program("graceful", 0) as server:
        busy = Client(server.port)
        busy.say("60000")
        time.sleep(0.2 * SLOWER)
        server.send(first)
        until(lambda: refused(server.port), "the end of accepting")
        assert "cut short" in server.end(second, status=1)
        assert busy.line() == ""


def refused(port):
    with socket.socket() as probe:
        probe.settimeout(LIMIT)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def graceful_ends_at_once_at_a_second_sigterm():
    graceful_ends_at_once(signal.SIGTERM)


def graceful_ends_at_once_at_sighup():
    graceful_ends_at_once(signal.SIGHUP)


def graceful_gives_up_after_the_time_of_grace():
    with Program("graceful", 0, 0.2) as server:
        busy = Client(server.port)
        busy.say("60000")
        time.sleep(0.2 * SLOWER)
        assert "cut short" in server.end(signal.SIGTERM, status=1)


def graceful_serves_beside_slow_and_leaving_clients_and_without_descriptors():
    with Program("graceful", 0, files=24) as server:
        slow = Client(server.port, receive_buffer=4096)
        slow.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:  # answers that nobody reads, until the server reads no more
                slow.socket.send(b"0\n" * 10000)
        leaving = [Client(server.port) for _ in range(60)]
        for client in leaving:
            client.say("10")
        for client in leaving:
            client.close(reset=True)
        other = Client(server.port)
        other.say("1")
        assert other.line() == "done"
        server.send(signal.SIGTERM)
        server.end(signal.SIGHUP, status=1)


# ---- proxy ---------------------------------------------------------------------------------------


def backward(connection, number):
    """Reads to the end of what comes, then answers it backward."""
    text = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.sendall(text[::-1])


def proxy_passes_bytes_and_ends_on():
    with peer(backward) as target, Program("proxy", 0, f"localhost:{target}") as proxy:
        clients = [Client(proxy.port) for _ in range(40)]
        for number, client in reversed(list(enumerate(clients))):
            client.socket.sendall(b"%d " % number * 5000)
            client.socket.shutdown(socket.SHUT_WR)
        for number, client in enumerate(clients):
            assert client.stream.read() == (b"%d " % number * 5000)[::-1]
        assert proxy.end(signal.SIGTERM) == ""


def reverses(client):
    with contextlib.suppress(OSError):
        client.socket.sendall(b"123")
        client.socket.shutdown(socket.SHUT_WR)
        return client.stream.read() == b"321"
    return False


def proxy_survives_a_lack_of_descriptors_and_a_target_that_is_not_there():
    with peer(backward) as target, Program("proxy", 0, f"127.0.0.1:{target}", files=20) as proxy:
        first = Client(proxy.port)
        time.sleep(0.1 * SLOWER)  # it has its connection to the target
        many = [Client(proxy.port) for _ in range(60)]
        for client in many:
            client.close(reset=True)
        # Refused, as long as those who have left hold descriptors.
        until(lambda: reverses(Client(proxy.port)), "an answer")
        assert reverses(first)
    with Program("proxy", 0, "127.0.0.1:1") as proxy:
        for _ in range(3):
            assert Client(proxy.port).line() == ""
        assert proxy.end(signal.SIGTERM).count("127.0.0.1:1: Connection refused") == 3


def proxy_closes_what_is_idle_and_not_what_is_busy_in_one_direction():
    def slowly(connection, number):
        for _ in range(15):
            time.sleep(0.1 * SLOWER)
            connection.sendall(b"x")
        connection.recv(1)

    with peer(slowly) as target, Program("proxy", 0, f"127.0.0.1:{target}", 1 * SLOWER) as proxy:
        client = Client(proxy.port)
        assert client.stream.read() == b"x" * 15  # then it is idle
    with peer(lambda connection, number: time.sleep(100)) as target, \
            Program("proxy", 0, f"127.0.0.1:{target}", 0.3 * SLOWER) as proxy:
        client = Client(proxy.port)
        with contextlib.suppress(OSError):
            while True:  # the target reads nothing
                client.socket.sendall(b"x" * 100000)


def proxy_gives_grace_at_sigterm():
    with peer(backward) as target:
        for grace, status in (LIMIT, 0), (0.2, 1):
            with Program("proxy", 0, f"127.0.0.1:{target}", 300, grace) as proxy:
                client = Client(proxy.port)
                client.socket.sendall(b"12")
                time.sleep(0.1 * SLOWER)
                proxy.send(signal.SIGTERM)
                until(lambda: refused(proxy.port), "the end of accepting")
                if status == 0:
                    client.socket.sendall(b"3")
                    client.socket.shutdown(socket.SHUT_WR)
                    assert client.stream.read() == b"321"
                proxy.end(status=status)


# ---- rate_limit ----------------------------------------------------------------------------------


def rate_limit_refuses_one_client_however_often_it_connects():
    with Program("rate_limit", 0, 0.001, 3) as server:
        clients = [Client(server.port) for _ in range(5)]
        for client in clients:
            client.say("a request")
        lines = collections.Counter(client.line() for client in clients)
        assert lines["done"] == 3 and sum(lines.values()) == 5, lines
        assert set(lines) == {"done", "too many: try again in 1000 s"} or SLOWER > 1, lines
        server.end(signal.SIGTERM)


def rate_limit_refills():
    with Program("rate_limit", 0, 5, 1) as server:
        client = Client(server.port)
        for _ in range(2):
            client.say("a request")
            while client.line() != "done":
                time.sleep(0.05)
                client.say("again")


def rate_limit_serves_beside_slow_and_leaving_clients_and_without_descriptors():
    with Program("rate_limit", 0, 1000, 1000, files=24) as server:
        slow = Client(server.port, receive_buffer=4096)
        slow.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:  # answers that nobody reads
                slow.socket.send(b"x\n" * 10000)
        leaving = [Client(server.port) for _ in range(60)]
        for client in leaving:
            client.say("x")
            client.close(reset=True)
        other = Client(server.port)
        other.say("x")
        assert other.line() in ("done", "too many: try again in 1 s")
        server.end(signal.SIGTERM)


PROGRAMS = {name: name for name in ("chat", "graceful", "proxy", "rate_limit")}
sys.exit(main(globals(), PROGRAMS))
