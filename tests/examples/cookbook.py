#!/usr/bin/env python3
"""The cookbook's programs but the servers of plain TCP, in the situations that programs get into:
cookbook.py EXAMPLES [NAME...]

Slow peers, peers that leave in the middle, too few descriptors, a reader of standard output that
leaves, SIGTERM. NAME: the tests whose names begin so; without one all but those of `connections`,
which needs PostgreSQL (libraries/servers.py)."""
import collections
import contextlib
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

from programs import LIMIT, SLOWER, Client, Program, main, peer, run, until


# ---- fetch_all -----------------------------------------------------------------------------------


class Pages:
    """/flaky is refused twice, /reset hangs up in the middle, /hang never answers,
    /missing is not there."""

    def __init__(self):
        self.asked = collections.Counter()

    def __call__(self, connection, number):
        path = connection.recv(65536).split()[1].decode()
        self.asked[path] += 1
        if path.startswith("/hang"):
            connection.recv(1)
            return
        if path.startswith("/reset"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        status = ("404 Not Found" if path == "/missing" else
                  "503 Not Now" if path.startswith("/flaky") and self.asked[path] <= 2
                  else "200 OK")
        connection.sendall(f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 5\r\n\r\n"
                           f"hello".encode())


def fetch_all_tries_again_what_may_pass():
    pages = Pages()
    with peer(pages) as port:
        here = f"http://127.0.0.1:{port}"
        urls = [f"{here}/{'flaky' if i % 5 == 0 else 'page'}/{i}" for i in range(200)]
        shown = run("fetch_all", LIMIT, *urls)
        assert shown.endswith("200 of 200\n"), shown[-300:]
        assert all(pages.asked[f"/flaky/{i}"] == 3 for i in range(0, 200, 5)), pages.asked
        shown = run("fetch_all", LIMIT, f"{here}/missing", f"{here}/reset",
                    "file:///etc/passwd", status=1)
        assert re.search(r"/missing: 5 bytes, 1 tries, refused by the server", shown), shown
        assert pages.asked["/reset"] == 4, shown
        assert "file:///etc/passwd: 0 bytes, 1 tries, Unsupported protocol" in shown, shown


def fetch_all_keeps_to_its_deadline():
    with peer(Pages()) as port:
        urls = [f"http://127.0.0.1:{port}/{name}" for name in ["hang", "page"] * 10]
        # The limit is less than the patience for one try.
        shown = run("fetch_all", min(SLOWER, 8), *urls, status=1)
        assert ("10 of 20" in shown and
                shown.count("/hang: 0 bytes, 1 tries, out of time") == 10), shown


def fetch_all_tells_what_came_until_sigterm():
    pages = Pages()
    with peer(pages) as port:
        with Program("fetch_all", 1000,
                     *[f"http://127.0.0.1:{port}/{name}" for name in ["page", "hang"] * 10],
                     serves=False) as program:
            until(lambda: pages.asked["/hang"] == 10 and pages.asked["/page"] == 10, "the requests")
            time.sleep(0.2 * SLOWER)
            assert "10 of 20" in program.end(signal.SIGTERM, status=1)


def fetch_all_survives_a_lack_of_descriptors():
    with peer(Pages()) as port:
        with Program("fetch_all", LIMIT, *[f"http://127.0.0.1:{port}/page/{i}" for i in range(60)],
                     files=24, serves=False) as program:
            output, errors = (text.decode() for text in program.process.communicate(timeout=LIMIT))
        assert program.process.returncode in (0, 1), (program.process.returncode, output, errors)
        came = int(re.search(r"(\d+) of 60\n$", output)[1])
        assert (came > 0 and output.count(", here\n") == came and
                output.count("/page/") == 60), output


# ---- connections ---------------------------------------------------------------------------------


def database():
    return f"host=127.0.0.1 port={os.environ['BINE_POSTGRES_PORT']} user=bine dbname=postgres"


def connections_are_few_for_many_queries():
    begin = time.monotonic()
    assert "40 of 40, 0 failed" in run("connections", database(), 4, 40, "select pg_sleep(0.05)")
    assert time.monotonic() - begin >= 0.5  # ten after another
    few = ("select 1 / (case when count(*) <= 4 then 1 else 0 end) from pg_stat_activity where "
           "application_name = 'few'")
    assert "100 of 100" in run("connections", database() + " application_name=few", 4, 100, few)


def connections_that_break_are_replaced():
    fails = "select pg_terminate_backend(pg_backend_pid())"
    assert "0 of 5, 5 failed" in run("connections", database(), 2, 5, fails, status=1)
    # Every other query ends its connection.
    run("connections", database(), 1, 1, "create sequence if not exists turns")
    turns = (
        "select case when nextval('turns') % 2 = 0 then pg_terminate_backend(pg_backend_pid()) end")
    assert "5 of 10, 5 failed" in run("connections", database(), 1, 10, turns, status=1)


def connections_give_nobody_the_answer_to_another_question():
    run("connections", database(), 1, 1, "create sequence if not exists late")
    # The first question is too late, and with it those that wait for the connection; its
    # answer would be an error.
    late = "select 1 / case when nextval('late') = 1 then (select 0 from pg_sleep(3)) else 1 end"
    shown = run("connections", database(), 1, 210, late, status=1)
    assert re.search(r"^[1-9]\d* of 210", shown, re.M) and "division" not in shown, shown[-500:]


def connections_have_time_limits():
    shown = run("connections", database(), 2, 4, "select pg_sleep(60)", status=1)
    assert "0 of 4, 4 failed" in shown and shown.count("too late") == 4, shown
    with peer(lambda connection, number: time.sleep(100)) as silent:
        shown = run("connections", f"host=127.0.0.1 port={silent} user=x", 1, 2,
                    "select 1", status=1)
        assert "0 of 2, 2 failed" in shown, shown


def connections_end_by_sigterm():
    with Program("connections", database(), 2, 100, "select pg_sleep(1.5)",
                 serves=False) as program:
        time.sleep(0.5 * SLOWER)
        assert "of 100" in program.end(signal.SIGTERM, status=1)


def connections_survive_a_lack_of_descriptors():
    shown = run("connections", database(), 50, 100, "select pg_sleep(0.2)", files=20, status=1)
    assert (re.search(r"^[1-9]\d* of 100", shown, re.M) and
            re.search("Too many open files|no connection", shown)), shown[-500:]


# ---- pipeline ------------------------------------------------------------------------------------


def checksum(text):
    total = 5381
    for byte in text.encode():
        total = (total * 33 + byte) & 0xFFFFFFFF
    return f"{total:08x} {text}"


def pipeline_prints_each_line_once():
    lines = [f"line {i} " + "x" * (i % 50) for i in range(2000)]
    with Program("pipeline", serves=False, stdin=subprocess.PIPE) as program:
        output, errors = program.process.communicate(
            "".join(line + "\n" for line in lines).encode(), timeout=LIMIT)
    assert program.process.returncode == 0, errors
    assert sorted(output.decode().splitlines()) == sorted(map(checksum, lines))


def pipeline_ends_when_its_reader_has_left():
    with Program("pipeline", serves=False, stdin=subprocess.PIPE) as program:
        program.process.stdout.close()
        program.process.stdin.write(b"a line\n" * 10)
        program.process.stdin.flush()
        assert program.process.wait(LIMIT) == 1
        assert b"Broken pipe" in program.process.stderr.read()
        program.close_input()
        program.process.stdout = None


def pipeline_prints_what_it_has_read_at_sigterm():
    with Program("pipeline", serves=False, stdin=subprocess.PIPE) as program:
        program.process.stdin.write(b"one\ntwo\n")
        program.process.stdin.flush()
        shown = {program.process.stdout.readline() for _ in range(2)}
        assert shown == {(checksum(text) + "\n").encode() for text in ("one", "two")}
        program.send(signal.SIGTERM)
        assert program.process.wait(LIMIT) == 0
        program.close_input()


def pipeline_does_not_read_ahead_of_a_slow_reader():
    source, sink = os.pipe()
    with Program("pipeline", serves=False, stdin=source) as program:
        os.close(source)
        os.set_blocking(sink, False)
        written, still = 0, time.monotonic()
        with contextlib.suppress(BlockingIOError):
            while time.monotonic() - still < 1 * SLOWER and written < 10 << 20:
                try:
                    written += os.write(sink, b"x" * 999 + b"\n")
                    still = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.01)
        assert written < 2 << 20, written
        os.close(sink)
        assert len(program.end()) == (written // 1000 +
                                      (written % 1000 > 0)) * 9 + written + (written % 1000 > 0)


# ---- supervisor ----------------------------------------------------------------------------------


def supervisor_begins_again_what_ended():
    with Program("supervisor", serves=False) as program:
        shown = iter(program.process.stdout.readline, b"")
        lines = [next(shown).decode().strip()]
        while lines[-1] != "flaky runs":
            lines.append(next(shown).decode().strip())
        assert (lines == ["steady runs"] + ["flaky ended: Input/output error"] * 3 +
                ["flaky runs"]), lines
        assert program.end(signal.SIGTERM) == "steady cleans up\nsupervisor: stopped\n"


def supervisor_gives_up():
    shown = run("supervisor", 100, status=1)
    assert shown.count("flaky ended: Input/output error") == 6, shown
    assert shown.endswith("flaky ended too often\nsteady cleans up\nsupervisor: gave up\n"), shown


# ---- hubs ----------------------------------------------------------------------------------------


def hubs_count_all_primes():
    shown = run("hubs", 200000)
    assert "17984 primes among 200000 numbers" in shown, shown
    assert sum(map(int, re.findall(r"hub \d: (\d+) jobs", shown))) == 20, shown


def hubs_stop_between_jobs_at_sigterm():
    with Program("hubs", 900000000, serves=False) as program:
        time.sleep(0.5 * SLOWER)
        shown = program.end(signal.SIGTERM, status=1)
    primes, numbers = map(int, re.search(r"(\d+) primes among (\d+) numbers", shown).groups())
    jobs = sum(map(int, re.findall(r"hub \d: (\d+) jobs", shown)))
    assert 0 < numbers == jobs * 10000 and primes > 0, shown


# ---- udp -----------------------------------------------------------------------------------------


def udp_lines_arrive_in_spite_of_losses():
    lines = [f"line {i}" for i in range(300)]
    with Program("udp_receive", 0, 30) as receiver:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"?", ("127.0.0.1", receiver.port))
        with Program("udp_send", receiver.port, 30, LIMIT, serves=False,
                     stdin=subprocess.PIPE) as sender:
            output, _ = sender.process.communicate("".join(line + "\n" for line in lines).encode(),
                                                   timeout=LIMIT)
            assert sender.process.returncode == 0 and output == b"300 sent, 0 lost\n", output
        assert receiver.end(signal.SIGTERM).splitlines() == lines


def udp_send_gives_up_and_ends_by_sigterm():
    # They never answer.
    nobody, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    nobody.bind(("127.0.0.1", 0))
    other.bind(("127.0.0.1", 0))
    with Program("udp_send", other.getsockname()[1], 0, 0.5, serves=False,
                 stdin=subprocess.PIPE) as sender:
        output, _ = sender.process.communicate(b"a\nb\n", timeout=LIMIT)
        assert sender.process.returncode == 1 and output == b"0 sent, 2 lost\n", output
    with Program("udp_send", nobody.getsockname()[1], 0, 1000, serves=False,
                 stdin=subprocess.PIPE) as sender:
        sender.process.stdin.write(b"a\n")
        sender.process.stdin.flush()
        nobody.settimeout(LIMIT)
        assert nobody.recv(100) == b"\0\0\0\0a"
        sender.send(signal.SIGTERM)
        assert sender.process.wait(LIMIT) == 1
        sender.close_input()


# ---- tls_echo ------------------------------------------------------------------------------------


def certificate(directory):
    path = os.path.join(directory, "both.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    path + ".key", "-out", path, "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with open(path + ".key") as key, open(path, "a") as both:
        both.write(key.read())
    return path


def tls_echo_answers_beside_clients_that_are_slow_or_leave():
    with tempfile.TemporaryDirectory() as directory:
        trusted = certificate(directory)
        with Program("tls_echo", "serve", "127.0.0.1:0", trusted, files=24) as server:
            # No handshake, and too few descriptors.
            silent = [Client(server.port) for _ in range(25)]
            silent[0].close(reset=True)
            assert silent[-1].line() == ""  # it has been put out, after those before it
            shown = run("tls_echo", "ask", f"localhost:{server.port}", trusted, "one", "two")
            assert shown == "one\ntwo\n", shown
            context = ssl.create_default_context(cafile=trusted)
            greedy = context.wrap_socket(Client(server.port, receive_buffer=4096).socket.dup(),
                                         server_hostname="localhost")
            greedy.settimeout(LIMIT)
            # Never reads: put out when it has not done so for a while.
            with contextlib.suppress(OSError):
                while True:
                    greedy.sendall(b"x" * 9999 + b"\n")
            left = context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), LIMIT),
                                       server_hostname="localhost")
            left.sendall(b"half a li")
            left.close()
            shown = run("tls_echo", "ask", f"localhost:{server.port}", trusted, "three")
            assert shown == "three\n", shown
            server.end(signal.SIGTERM)


def tls_echo_says_why_it_does_not_trust():
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as other:
        with Program("tls_echo", "serve", "127.0.0.1:0", certificate(directory)) as server:
            shown = run("tls_echo", "ask", f"localhost:{server.port}", certificate(other),
                        "one", status=1)
            assert "certificate" in shown, shown
            shown = run("tls_echo", "ask", f"127.0.0.1:{server.port}",
                        os.path.join(directory, "both.pem"), "one", status=1)
            assert "mismatch" in shown, shown
    with peer(lambda connection, number: time.sleep(100)) as silent:
        shown = run("tls_echo", "ask", f"localhost:{silent}", "/nonexistent.pem", "one", status=1)
        assert "tls_echo: " in shown, shown


# ---- gather --------------------------------------------------------------------------------------


def clock(connection, number):
    connection.recv(100)
    connection.sendall(b"noon\n")


def gather_prints_answers_and_reasons():
    with peer(clock) as good, peer(lambda c, n: time.sleep(100)) as silent, peer(
            lambda c, n: None) as leaving:
        addresses = [f"127.0.0.1:{port}" for port in (good, silent, leaving, 1)] + ["nonsense"]
        shown = run("gather", 0.5 * SLOWER, *addresses, status=1)
    assert (f"{addresses[0]}: noon\n" in shown and
            f"{addresses[1]}: reading: Connection timed out" in shown), shown
    assert re.search(f"{addresses[2]}: (it hung up|reading: Connection reset|sending: )",
                     shown), shown
    assert f"{addresses[3]}: connecting: Connection refused" in shown, shown
    assert "nonsense: connecting: Invalid argument" in shown and shown.endswith("1 of 5\n"), shown


def gather_ends_by_sigterm_and_survives_a_lack_of_descriptors():
    with peer(lambda connection, number: time.sleep(100)) as silent:
        with Program("gather", 1000, f"127.0.0.1:{silent}", serves=False) as program:
            time.sleep(0.3 * SLOWER)
            assert program.end(signal.SIGTERM, status=1) == "0 of 1\n"
    with peer(clock) as good:
        shown = run("gather", LIMIT, *[f"127.0.0.1:{good}"] * 60, files=24, status=1)
        assert "connecting: Too many open files" in shown and ": noon" in shown, shown


# ---- retry ---------------------------------------------------------------------------------------


def retry_asks_again_after_what_may_pass():
    def flaky(connection, number):
        line = connection.makefile("rb").readline()
        if number == 0:
            # A reset.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif number == 1:
            connection.recv(1)  # never an answer: the time limit of one try
        elif number == 2:
            connection.sendall(b"half a line")
        else:
            connection.sendall(line.upper())

    with peer(flaky) as port:
        shown = run("retry", LIMIT, f"127.0.0.1:{port}", "hello")
    reasons = re.findall(r"try \d: (.*)", shown)
    assert reasons[0] in ("Connection reset by peer", "Broken pipe"), shown
    assert (reasons[1:] == ["Connection timed out", "No data available"] and
            "HELLO\n" in shown), shown


def retry_gives_up():
    shown = run("retry", LIMIT, "127.0.0.1:1", "hello", status=1)
    assert shown.count(": Connection refused") == 5 and "try 5" not in shown, shown
    assert "usage" in run("retry", LIMIT, "nonsense", "hello", status=2)
    shown = run("retry", LIMIT, "name.invalid:1", "hello", status=1)
    assert "try 2" not in shown or "temporarily" in shown, shown


def retry_keeps_to_its_deadline_and_ends_by_sigterm():
    asked = threading.Event()

    def silent(connection, number):
        connection.makefile("rb").readline()
        asked.set()
        connection.recv(1)

    with peer(silent) as port:
        shown = run("retry", 0.3, f"127.0.0.1:{port}", "hello", status=1)
        assert shown == "retry: Connection timed out\n", shown
        asked.clear()
        with Program("retry", 1000, f"127.0.0.1:{port}", "hello", serves=False) as program:
            assert asked.wait(LIMIT), "it has not asked"
            shown = program.end(signal.SIGTERM, status=1)
            assert "retry: Operation canceled\n" in shown, shown


# ---- threads -------------------------------------------------------------------------------------


def threads_answer_each_number():
    with Program("threads", serves=False, stdin=subprocess.PIPE) as program:
        output, _ = program.process.communicate(b"".join(b"%d\n" % n for n in range(2000)),
                                                timeout=LIMIT)
        assert program.process.returncode == 0
    lines = output.decode().splitlines()
    assert len(lines) == 2000 and {"0: 0", "3: 1", "100: 25", "1999: 302"} <= set(lines), lines[:10]


def threads_end_by_sigterm_while_the_thread_waits_for_input():
    with Program("threads", serves=False, stdin=subprocess.PIPE) as program:
        program.process.stdin.write(b"100\n")
        program.process.stdin.flush()
        assert program.process.stdout.readline() == b"100: 25\n"
        program.send(signal.SIGTERM)
        assert program.process.wait(LIMIT) == 0
        program.close_input()


def threads_survive_a_reader_that_leaves():
    with Program("threads", serves=False, stdin=subprocess.PIPE) as program:
        program.process.stdout.close()
        program.process.stdin.write(b"5\n" * 10)
        program.process.stdin.close()
        assert program.process.wait(LIMIT) == 1
        program.process.stdin = program.process.stdout = None


PROGRAMS = {name: name for name in ("connections", "fetch_all", "gather", "hubs", "pipeline",
                                    "retry", "supervisor", "threads", "tls_echo")}
PROGRAMS["udp"] = "udp_send"
sys.exit(main(globals(), PROGRAMS))
