"""Real drivers from PyPI on real servers: tests/libraries/servers.py starts these
(tools/test-python does it).

For each: slow queries take the time of one; a heartbeat goes on while the server stalls; a kill in
mid-query leaves the process healthy.
"""

import os
import socket
import time

import pytest

import bine
from helpers import ROOT, longest_gap, raises

PATCHED = True
SERVERS = "BINE_POSTGRES_PORT" in os.environ


def port(name):
    if not SERVERS:
        pytest.skip("no servers: run by tools/test-python")
    return int(os.environ["BINE_%s_PORT" % name])


class Proxy:
    """To a server on loopback; holds the answers of each connection back once, after their first
    byte, for `stall` seconds."""

    def __init__(self, upstream, stall):
        self.upstream, self.stall = upstream, stall
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.greenlet = bine.spawn(self.serve)

    def serve(self):
        while True:
            client = self.listener.accept()[0]
            server = socket.create_connection(("127.0.0.1", self.upstream))
            bine.spawn(self.pump, client, server, 0)
            bine.spawn(self.pump, server, client, self.stall)

    @staticmethod
    def pump(source, target, stall):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if stall:
                    target.sendall(data[:1])
                    bine.sleep(stall)
                    target.sendall(data[1:])
                    stall = 0
                else:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


# -- one function per driver: ask(port, slow) -> the answer, 42


def ask_psycopg2(number, slow):
    import psycopg2

    connection = psycopg2.connect(host="127.0.0.1", port=number, user="bine", dbname="postgres")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 42 FROM pg_sleep(%s)", (0.3 if slow else 0,))
            return cursor.fetchone()[0]
    finally:
        connection.close()


def ask_psycopg(number, slow):
    import psycopg

    with psycopg.connect("host=127.0.0.1 port=%d user=bine dbname=postgres" % number) as connection:
        return connection.execute("SELECT 42 FROM pg_sleep(%s)",
                                  (0.3 if slow else 0,)).fetchone()[0]


def ask_mysqlclient(number, slow):
    import MySQLdb

    return _ask_mysql(MySQLdb, number, slow)


def ask_pymysql(number, slow):
    import pymysql

    return _ask_mysql(pymysql, number, slow)


def _ask_mysql(module, number, slow):
    connection = module.connect(host="127.0.0.1", port=number, user="root", password="")
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 42, SLEEP(%s)", (0.3 if slow else 0,))
        return cursor.fetchone()[0]
    finally:
        connection.close()


def ask_redis(number, slow):
    import redis

    client = redis.Redis(port=number)
    if slow:
        client.blpop("nothing", timeout=0.3)
    answer = int(client.echo("42"))
    client.close()
    return answer


def _check_page(text):
    return 42 if text.startswith("page 1\n") and len(text) == 7000 else text[:100]


def ask_pycurl(number, slow):
    import io

    import pycurl

    page, curl = io.BytesIO(), pycurl.Curl()
    curl.setopt(pycurl.URL, "http://127.0.0.1:%d/1" % number)
    curl.setopt(pycurl.WRITEDATA, page)
    curl.setopt(pycurl.PROXY, "")
    curl.perform()
    curl.close()
    return _check_page(page.getvalue().decode())


def ask_requests(number, slow):
    import requests

    session = requests.Session()
    session.trust_env = False
    return _check_page(session.get("http://127.0.0.1:%d/1" % number).text)


def ask_requests_https(number, slow):
    import requests

    session = requests.Session()
    session.trust_env = False
    return _check_page(session.get("https://127.0.0.1:%d/1" % number,
                                   verify=os.environ["BINE_CERTIFICATE"]).text)


def ask_httpx(number, slow):
    import httpx

    with httpx.Client(trust_env=False) as client:
        return _check_page(client.get("http://127.0.0.1:%d/1" % number).text)


def ask_urllib3(number, slow):
    import urllib3

    with urllib3.PoolManager() as manager:
        return _check_page(manager.request("GET", "http://127.0.0.1:%d/1" % number).data.decode())


def ask_aiohttp(number, slow):
    import asyncio

    import aiohttp

    async def main():
        async with aiohttp.ClientSession() as session:
            async with session.get("http://127.0.0.1:%d/1" % number) as response:
                return _check_page(await response.text())

    return asyncio.run(main())


def check(server, ask, server_can_be_slow=True):
    number = port(server)
    assert ask(number, False) == 42  # imports, and what the driver does once

    # slow queries take the time of one
    proxy = None if server_can_be_slow else Proxy(number, 0.3)
    durations = []

    def slow():
        begin = time.monotonic()
        answer = ask(proxy.port if proxy else number, True)
        durations.append(time.monotonic() - begin)
        return answer

    begin = time.monotonic()
    gs = [bine.spawn(slow) for _ in range(10)]
    assert [g.get(timeout=60) for g in gs] == [42] * 10
    taken = time.monotonic() - begin  # as long as all of them together, did they come one by one
    assert taken >= 0.3 and min(durations) >= 0.25 and taken < sum(durations) / 3, (taken,
                                                                                    durations)

    # a heartbeat goes on while the server stalls in the middle of an answer
    def stalled():
        assert ask(Proxy(number, 0.5).port, False) == 42

    assert longest_gap(stalled) < 0.25

    # a kill, and a timeout, in mid-query
    g = bine.spawn(ask, Proxy(number, 100).port, False)
    h = bine.spawn(lambda: bine.with_timeout(0.1, ask, Proxy(number, 100).port, False,
                                             timeout_value="late"))
    bine.sleep(0.1)
    g.kill(timeout=30)
    assert g.dead and not isinstance(g.value, int), (g.value, g.exception)
    assert h.get(timeout=30) == "late"

    # the driver's error does not come before the timeout, even where nothing but an
    # `except` clause looks
    def late():
        timeout = bine.Timeout.start_new(0.1)
        try:
            return ask(Proxy(number, 100).port, False)
        except Exception as error:
            return error
        except bine.Timeout as raised:
            return "late" if raised is timeout else raised
        finally:
            timeout.cancel()

    assert bine.spawn(late).get(timeout=30) == "late"
    assert bine.spawn(ask, number, False).get(timeout=30) == 42


def test_psycopg2():
    check("POSTGRES", ask_psycopg2)


def test_hazard_49_several_cut_in_one_turn_all_raise_what_was_thrown():
    number, seen = port("POSTGRES"), []
    import psycopg2

    def ask():
        connection = psycopg2.connect(host="127.0.0.1", port=number, user="bine", dbname="postgres")
        try:
            connection.cursor().execute("SELECT pg_sleep(30)")
        except BaseException as error:
            seen.append((type(error), type(error.__context__)))
            raise

    for _ in range(2):
        greenlets = [bine.spawn(ask) for _ in range(5)]
        bine.sleep(0.5)
        bine.killall(greenlets, timeout=10)
        with bine.Timeout(20):
            greenlets = [bine.spawn(lambda: bine.with_timeout(0.5, ask)) for _ in range(5)]
            assert all(type(raises(bine.Timeout, greenlet.get)) is bine.Timeout
                       for greenlet in greenlets)
    assert (len(seen) == 20 and
            {raised for raised, _ in seen} == {bine.GreenletExit, bine.Timeout}), seen
    assert all(issubclass(context, psycopg2.Error) for _, context in seen), seen


def test_psycopg_3_in_c():
    os.environ["PSYCOPG_IMPL"] = "binary"
    check("POSTGRES", ask_psycopg)


def test_psycopg_3_in_python():
    os.environ["PSYCOPG_IMPL"] = "python"
    check("POSTGRES", ask_psycopg)


def test_mysqlclient():
    check("MARIADB", ask_mysqlclient)


def test_pymysql():
    check("MARIADB", ask_pymysql)


def test_redis():
    check("REDIS", ask_redis)


def test_pycurl():
    check("HTTP", ask_pycurl, False)


def test_requests():
    check("HTTP", ask_requests, False)


def test_requests_over_https():
    check("HTTPS", ask_requests_https, False)


def test_httpx():
    check("HTTP", ask_httpx, False)


def test_urllib3():
    check("HTTP", ask_urllib3, False)


def test_aiohttp_in_each_greenlets_own_loop():
    check("HTTP", ask_aiohttp, False)


def test_aiohttp_and_psycopg2_in_one_thread():
    import subprocess
    import sys

    program = os.path.join(ROOT, "python", "examples", "aiohttp_and_psycopg2.py")
    dsn = "host=127.0.0.1 port=%d user=bine dbname=postgres" % port("POSTGRES")
    done = subprocess.run([sys.executable, program, dsn, "http://127.0.0.1:%d/1" % port("HTTP")],
                          stdout=subprocess.PIPE, universal_newlines=True, timeout=50)
    greenlets, coroutines, seconds = done.stdout.splitlines()
    assert (greenlets == "greenlets %r" % [(n, 7000) for n in range(20)] and
            coroutines == "coroutines %r" % ([7000] * 20))
    assert float(seconds.split()[0]) < 4, ("40 queries of 0.1 s, one after the other, take 4 s: " +
                                           seconds)


def test_sqlite3_waits_for_another_process():
    import sqlite3
    import subprocess
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "db")
        sqlite3.connect(path).execute("CREATE TABLE t (n)")
        holder = subprocess.Popen(
            [sys.executable, "-c",
             "import sqlite3, sys, time\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
             "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); time.sleep(0.4); "
             "c.execute('COMMIT')", path], stdout=subprocess.PIPE)
        holder.stdout.readline()
        ticks = []
        ticker = bine.spawn(lambda: [(ticks.append(1), bine.sleep(0.005)) for _ in range(10000)])

        def insert(n):
            connection = sqlite3.connect(path, timeout=20)
            with connection:
                connection.execute("INSERT INTO t VALUES (?)", (n,))
            connection.close()

        bine.joinall([bine.spawn(insert, n) for n in range(5)], raise_error=True)
        assert (len(ticks) > 20 and
                sqlite3.connect(path).execute("SELECT count(*) FROM t").fetchone() == (5,))
        ticker.kill()
        holder.wait()
