"""gevent.resolver: each kind on a name server of the test's own."""

import importlib
import struct
import threading

import pytest

import bine
from bine.gevent import config, socket
from helpers import raises

KINDS = ("bine", "thread", "blocking", "dnspython", "ares")
PACKAGES = {"dnspython": "dns", "ares": "pycares"}


def resolver(kind):
    if kind in PACKAGES:
        pytest.importorskip(PACKAGES[kind])
    return importlib.import_module("bine.gevent.resolver." + kind).Resolver()


def installed():
    return [kind for kind in KINDS if kind not in PACKAGES or _there(PACKAGES[kind])]


def _there(package):
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


class NameServer:
    """On a port of its own, in a thread: answers of A and PTR after `delay` seconds;
    NXDOMAIN for the rest."""

    def __init__(self, delay=0.0, answers=True):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.delay, self.answers, self.asked = delay, answers, []
        bine.spawn(self.serve)

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            if self.answers:
                bine.spawn_later(self.delay, self.answer, question, peer)

    def answer(self, question, peer):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, kind = ".".join(labels), struct.unpack(">H", question[at + 1:at + 3])[0]
        self.asked.append((name, kind))
        data = b""
        if name.startswith("host") and kind == 1:
            data = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + socket.inet_aton("10.0.0.%d" % n)
                            for n in (1, 2))
        elif name == "1.0.0.10.in-addr.arpa" and kind == 12:
            data = b"\xc0\x0c\0\x0c\0\1\0\0\0\1\0\x0e\x05host1\x07example\0"
            data = data.replace(b"\0\x0e\x05", b"\0\x0f\x05")
        known = data or name.startswith("host")
        header = question[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1,
                                            2 if kind == 1 and data else 1 if data else 0, 0, 0)
        self.socket.sendto(header + question[12:at + 5] + data, peer)


def test_what_needs_no_question_is_answered_as_by_socket():
    for kind in installed():
        r = resolver(kind)
        for host, port, args in (("127.0.0.1", 80, ()), ("::1", "http", ()), (None, 0, ()),
                                 ("127.0.0.1", "80", (socket.AF_INET, socket.SOCK_STREAM)),
                                 (b"127.0.0.1", None, ())):
            assert r.getaddrinfo(host, port,
                                 *args) == socket.getaddrinfo(host, port, *args), (kind, host)
        assert (r.gethostbyname("127.0.0.1") == "127.0.0.1" and
                r.gethostbyname_ex("127.0.0.1") == ("127.0.0.1", [], ["127.0.0.1"]))
        assert r.getnameinfo(("127.0.0.1", 80),
                             socket.NI_NUMERICHOST) == socket.getnameinfo(("127.0.0.1", 80),
                                                                          socket.NI_NUMERICHOST)
        assert (r.gethostbyname("localhost") == "127.0.0.1" and
                r.gethostbyaddr("127.0.0.1")[0] == socket.gethostbyaddr("127.0.0.1")[0])
        assert ("127.0.0.1",
                80) in [entry[4]
                        for entry in r.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)]
        assert r.getnameinfo(("127.0.0.1", 80), 0)[1] == "http"
        r.close()


def test_errors_are_sockets():
    for kind in installed():
        r = resolver(kind)
        assert raises(socket.gaierror, r.getaddrinfo, "127.0.0.1", "no such service")
        assert raises(socket.gaierror, r.getaddrinfo, "1.2.3.4.5", 80, 0, 0, 0,
                      socket.AI_NUMERICHOST).errno == socket.EAI_NONAME
        assert (raises((TypeError, OSError), r.gethostbyname, 3) and
                raises((UnicodeError, OSError), r.gethostbyname, "x" * 70 + "ü"))
        assert raises((TypeError, socket.gaierror), r.getnameinfo, ("127.0.0.1", 80, 0, 0, 0), 0)
        r.close()


def ask_own_server(kind):
    server = NameServer(delay=0.1)
    if kind == "dnspython":
        config.resolver_nameservers = "127.0.0.1"
        r = resolver(kind)
        r.resolver.port = server.port
    else:
        config.ares_servers, config.ares_udp_port = ["127.0.0.1"], server.port
        r = resolver(kind)
    many = [bine.spawn(r.gethostbyname_ex, "host%d.example" % n) for n in range(5)]
    bine.joinall(many, raise_error=True)
    assert all(sorted(g.value[2]) == ["10.0.0.1", "10.0.0.2"] for g in many), many
    assert {name for name, _ in server.asked} == {"host%d.example" % n for n in range(5)}
    assert r.gethostbyname("host1.example") in ("10.0.0.1", "10.0.0.2")
    found = r.getaddrinfo("host1.example", 80, socket.AF_INET, socket.SOCK_STREAM)
    assert sorted(entry[4] for entry in found) == [("10.0.0.1", 80), ("10.0.0.2", 80)]
    assert (r.gethostbyaddr("10.0.0.1")[0] == "host1.example" and
            r.getnameinfo(("10.0.0.1", 80), 0) == ("host1.example", "http"))
    assert raises(socket.gaierror, r.gethostbyname,
                  "nothing.example").errno in (socket.EAI_NONAME, socket.EAI_NODATA)
    assert raises(socket.gaierror, r.getaddrinfo, "host1.example", 80,
                  socket.AF_INET6).errno in (socket.EAI_NONAME, socket.EAI_NODATA)
    assert raises(socket.herror, r.gethostbyaddr, "10.0.0.9")
    r.close()


def test_dnspython_asks_the_name_servers_while_others_run():
    ask_own_server("dnspython")


def test_ares_asks_the_name_servers_while_others_run():
    ask_own_server("ares")


def test_a_name_server_that_does_not_answer_is_a_temporary_failure():
    server = NameServer(answers=False)
    for kind in ("dnspython", "ares"):
        if kind not in installed():
            continue
        config.resolver_nameservers, config.resolver_timeout = ["127.0.0.1"], 0.3
        config.ares_udp_port, config.ares_tries = server.port, 1
        r = resolver(kind)
        if kind == "dnspython":
            r.resolver.port = server.port
        assert raises(socket.gaierror, r.gethostbyname,
                      "host1.example").errno == socket.EAI_AGAIN, kind
        with bine.Timeout(0.02, False):
            r.gethostbyname("host2.example")
            raise AssertionError("nobody answered")
        r.close()


def test_a_blocking_look_up_lets_nobody_run():
    r, steps = resolver("blocking"), []
    bine.spawn(steps.append, "ran")
    r.getaddrinfo("localhost", 80)
    assert steps == []
    bine.sleep(0)
    assert steps == ["ran"]


def test_hosts_is_read_again_when_it_has_changed():
    import os
    import tempfile

    from bine.gevent.resolver._hosts import Hosts

    path = os.path.join(tempfile.mkdtemp(), "hosts")
    hosts = Hosts(path)
    assert hosts.by_name("a") is None
    with open(path, "w") as file:
        file.write("# nothing\n10.1.2.3 A a.example # x\n::5 a\nnonsense b\n10.0.0.1\n")
    assert hosts.by_name("A.") == ("a", ["a.example"],
                                   [(socket.AF_INET, "10.1.2.3"), (socket.AF_INET6, "::5")])
    assert (hosts.by_address("10.1.2.3")[0] == "a" and hosts.by_name("b") is None and
            hosts.by_address("10.0.0.1") is None)


def test_threads_of_their_own_may_ask():
    r, found = resolver("bine"), []
    thread = threading.Thread(target=lambda: found.append(r.gethostbyname("localhost")))
    thread.start()
    thread.join()
    assert found == ["127.0.0.1"] and "Resolver" in repr(r)
