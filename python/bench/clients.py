"""What programs do with servers, on Bine, gevent, plain threads, and asyncio with uvloop:
interleaved rounds, medians, ratios.

    tests/libraries/servers.py postgres,redis,nginx python3 python/bench/clients.py [--rounds N]
        [--json FILE] [WORK...]

    redis      100 workers ask one Redis by redis-py, GET and SET by turns; commands/s
    requests   50 workers fetch a page of nginx by requests (asyncio: aiohttp); requests/s
    postgres   gunicorn with Flask, psycopg2 and a pool of 100 connections under wrk with 100
               connections (asyncio: uvicorn and psycopg); requests/s
    celery     1,000 tasks that add two numbers, by one worker with 100 at a time, on Redis; tasks/s

Bine, gevent and threads run the same code; asyncio has code of its own. A runtime whose packages
are not installed is left out.
"""

import argparse
import functools
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from measuring import Program, free_port, on, save, wrk

RUNTIMES = ("bine", "gevent", "threads", "uvloop")
WORKS = {"redis": "commands/s", "requests": "requests/s", "postgres": "requests/s",
         "celery": "tasks/s"}
NEEDS = {("redis", "uvloop"): "uvloop redis", ("requests", "uvloop"): "uvloop aiohttp",
         ("postgres", "uvloop"): "uvloop uvicorn psycopg psycopg_pool",
         ("postgres", "gevent"): "gevent flask gunicorn psycopg2 psycogreen",
         ("postgres", "bine"): "httptools flask gunicorn psycopg2"}
PACKAGES = {"redis": "redis", "requests": "requests", "postgres": "flask gunicorn psycopg2",
            "celery": "celery redis"}
TASKS = 1000
POSTGRES = "host=127.0.0.1 port=%s user=bine dbname=postgres"


# -- clients: each runs in a process of its own and prints how many operations it made in a second

def at_once(runtime: str, workers: int, work: Callable[[int], None]) -> float:
    """Call work(number) in so many workers of the runtime; the seconds until the last has ended."""
    if runtime == "threads":
        from threading import Thread

        jobs = [Thread(target=work, args=(number,)) for number in range(workers)]
        began = time.perf_counter()
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
    else:
        import gevent

        began = time.perf_counter()
        gevent.joinall([gevent.spawn(work, number) for number in range(workers)], raise_error=True)
    return time.perf_counter() - began


def redis_client(runtime: str, workers: int = 100, each: int = 300) -> float:
    if runtime == "uvloop":
        import asyncio

        import redis.asyncio
        import uvloop

        async def main() -> float:
            client = redis.asyncio.Redis(port=int(os.environ["BINE_REDIS_PORT"]),
                                         max_connections=workers)

            async def work(number: int) -> None:
                for turn in range(each // 2):
                    await client.set("key%d" % number, turn)
                    assert int(await client.get("key%d" % number)) == turn

            began = time.perf_counter()
            await asyncio.gather(*[work(number) for number in range(workers)])
            return time.perf_counter() - began

        seconds: float = uvloop.run(main())
        return workers * each / seconds
    import redis

    client = redis.Redis(port=int(os.environ["BINE_REDIS_PORT"]), max_connections=workers)

    def work(number: int) -> None:
        for turn in range(each // 2):
            client.set("key%d" % number, turn)
            assert int(client.get("key%d" % number)) == turn

    return workers * each / at_once(runtime, workers, work)


def requests_client(runtime: str, workers: int = 50, each: int = 60) -> float:
    url = "http://127.0.0.1:%s/1" % os.environ["BINE_HTTP_PORT"]
    if runtime == "uvloop":
        import asyncio

        import aiohttp
        import uvloop

        async def main() -> float:
            async def work() -> None:
                async with aiohttp.ClientSession() as session:
                    for _ in range(each):
                        async with session.get(url) as answer:
                            assert (await answer.read()).startswith(b"page 1")

            began = time.perf_counter()
            await asyncio.gather(*[work() for _ in range(workers)])
            return time.perf_counter() - began

        seconds: float = uvloop.run(main())
        return workers * each / seconds
    import requests

    def work(number: int) -> None:
        with requests.Session() as session:
            for _ in range(each):
                assert session.get(url).content.startswith(b"page 1")

    return workers * each / at_once(runtime, workers, work)


def client(runtime: str, work: str) -> None:
    if runtime in ("bine", "gevent"):
        if runtime == "bine":
            import bine.gevent

            bine.gevent.install()
        from gevent import monkey

        monkey.patch_all()
    print({"redis": redis_client, "requests": requests_client}[work](runtime))


# -- servers and workers: what gunicorn, uvicorn and celery import from here

def pages() -> Any:
    """The Flask application: one query for each request, from a pool of 100 connections."""
    import threading

    import flask
    import psycopg2.pool

    free = threading.BoundedSemaphore(100)  # the pool raises an error if it is empty
    pool = psycopg2.pool.ThreadedConnectionPool(100, 100,
                                                POSTGRES % os.environ["BINE_POSTGRES_PORT"])
    application = flask.Flask("bench")

    def page() -> str:
        with free:
            connection = pool.getconn()
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute("select 40 + %s", (2,))
                    return str(cursor.fetchone()[0])
            finally:
                pool.putconn(connection)

    application.add_url_rule("/", "page", page)
    return application


class AsyncPages:
    """The same page for uvicorn."""

    pool: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if self.pool is None:
            from psycopg_pool import AsyncConnectionPool

            self.pool = AsyncConnectionPool(POSTGRES % os.environ["BINE_POSTGRES_PORT"],
                                            min_size=100, max_size=100, open=False)
            await self.pool.open(wait=True)
        async with self.pool.connection() as connection, connection.cursor() as cursor:
            await cursor.execute("select 40 + %s", (2,))
            body = str((await cursor.fetchone())[0]).encode()
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"text/html"),
                                (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})


async_pages = AsyncPages()


@functools.lru_cache(None)
def worker() -> Any:
    """celery's application. The worker measures itself from its 100th task on. It does not wait for
    the last 100: celery on Redis sometimes lost one."""
    import redis
    from celery import Celery

    address = "redis://127.0.0.1:" + os.environ.get("BINE_REDIS_PORT", "0")
    application = Celery("bench", broker=address + "/8")
    application.conf.update(worker_prefetch_multiplier=4, broker_connection_retry_on_startup=True,
                            task_default_queue="bench", task_ignore_result=True)
    application.client = redis.Redis.from_url(address + "/9", socket_timeout=None)
    times: list[float] = []

    @application.task(name="add")  # type: ignore[untyped-decorator, unused-ignore]
    def add(a: int, b: int) -> int:
        times.append(time.perf_counter())
        if len(times) == TASKS - 100:
            application.client.rpush("rate", (TASKS - 200) / (times[-1] - times[99]))
        return a + b

    return application


def __getattr__(name: str) -> Any:
    if name == "celery_application":
        return worker()
    if name == "flask_application":
        # C drivers block gevent unless this is done.
        if os.environ.get("BENCH_RUNTIME") == "gevent":
            from psycogreen.gevent import patch_psycopg

            patch_psycopg()
        return pages()
    raise AttributeError(name)


def measure_postgres(runtime: str, seconds: int = 4) -> float:
    port = free_port()
    if runtime == "uvloop":
        command = on(runtime, "uvicorn", "--host", "127.0.0.1", "--port", str(port),
                     "--no-access-log", "--log-level", "error", "clients:async_pages")
    else:
        kind = (("-k", "gthread", "--threads", "100") if runtime == "threads"
                else ("-k", "gevent", "--worker-connections", "1000"))
        command = on(runtime, "gunicorn", *kind, "-b", "127.0.0.1:%d" % port, "--keep-alive", "60",
                     "clients:flask_application")
    with Program(command, runtime, port):
        wrk(port, 2, 100)
        return wrk(port, seconds, 100)[1]


def measure_celery(runtime: str) -> float:
    application = worker()
    application.control.purge()
    application.client.delete("rate")
    for number in range(TASKS):
        application.tasks["add"].delay(number, number)
    pool = "threads" if runtime == "threads" else "gevent"
    command = on(runtime, "celery", "-A", "clients:celery_application", "worker", "-P", pool, "-c",
                 "100", "--without-gossip", "--without-mingle")
    with Program(command, runtime):
        answer = application.client.blpop("rate", timeout=120)
    if answer is None:
        raise RuntimeError("%s's worker did not get to the end" % runtime)
    return float(answer[1])


def measure(work: str, runtime: str) -> float:
    if work == "postgres":
        return measure_postgres(runtime)
    if work == "celery":
        return measure_celery(runtime)
    out = subprocess.run([sys.executable, os.path.abspath(__file__), "--client", runtime, work],
                         stdout=subprocess.PIPE, timeout=300, check=True,
                         env=dict(os.environ, BINE_GEVENT="off"))
    return float(out.stdout.split()[-1])


def possible(work: str, runtime: str) -> bool:
    """Can this be measured here?"""
    if (work, runtime) == ("celery", "uvloop"):
        return False
    needed = (NEEDS.get((work, runtime)) or
              PACKAGES[work] + (" gevent" if runtime == "gevent" else "")).split()
    missing = [package for package in needed if importlib.util.find_spec(package) is None]
    if missing:
        print("%s on %s is left out: %s is not installed" % (work, runtime, ", ".join(missing)))
    return not missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", metavar="WORK", help="some of: " + ", ".join(WORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--client", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        client(*options.client)
        return
    pairs = [(work, runtime) for work in options.works or WORKS
             for runtime in RUNTIMES if possible(work, runtime)]
    figures: dict[tuple[str, str], list[float]] = {}
    for _ in range(options.rounds):
        for work, runtime in pairs:
            figures.setdefault((work, runtime), []).append(measure(work, runtime))
    print("CPython %s, %d interleaved rounds: median (min - max), and Bine's ratio to it" %
          (sys.version.split()[0], options.rounds))
    for work, runtime in pairs:
        values = figures[work, runtime]
        median = statistics.median(values)
        mine = statistics.median(figures.get((work, "bine"), [median]))
        print("%-10s %-8s %10.0f %s  (%.0f - %.0f)   %.2f" %
              (work, runtime, median, WORKS[work], min(values), max(values), mine / median))
    if options.json:
        save(options.json,
             {(work, runtime, WORKS[work]): values for (work, runtime), values in figures.items()})


if __name__ == "__main__":
    main()
