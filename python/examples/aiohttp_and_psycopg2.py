"""aiohttp and psycopg2 in one program and one OS thread: a library of asyncio and a blocking C
driver, neither of them changed.

    python aiohttp_and_psycopg2.py "host=127.0.0.1 user=bine dbname=postgres"
        http://127.0.0.1:8000/1

A greenlet asks the database, then has aiohttp fetch a page with what it got; a coroutine
fetches pages, and has greenlets store their lengths. 20 of each run at once, each on a
query that takes 0.1 s.
"""

import sys
import time

import aiohttp
import bine
import psycopg2
from bine import aio, monkey

monkey.patch_all()


def query(dsn, statement, *arguments):
    """Blocks, as psycopg2 does: the greenlet that calls it."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchone()[0]
    finally:
        connection.close()


async def fetch(session, url):
    async with session.get(url) as response:
        return len(await response.read())


def greenlet(dsn, session, url, number):
    """A greenlet that waits for a coroutine."""
    found = query(dsn, "SELECT %s FROM pg_sleep(0.1)", number)
    return found, aio.wait(fetch(session, url), timeout=20)


async def coroutine(dsn, session, url):
    """A coroutine that waits for a greenlet."""
    length = await fetch(session, url)
    return await aio.to_greenlet(query, dsn, "SELECT %s FROM pg_sleep(0.1)", length)


async def open_session():
    return aiohttp.ClientSession()


def main(dsn, url):
    begin = time.monotonic()
    session = aio.wait(open_session())
    greenlets = [bine.spawn(greenlet, dsn, session, url, number) for number in range(20)]
    coroutines = [bine.spawn(aio.wait, coroutine(dsn, session, url)) for _ in range(20)]
    bine.joinall(greenlets + coroutines, raise_error=True)
    aio.wait(session.close())
    print("greenlets", sorted(g.value for g in greenlets))
    print("coroutines", [g.value for g in coroutines])
    print("%.1f s" % (time.monotonic() - begin))


if __name__ == "__main__":
    main(*sys.argv[1:])
