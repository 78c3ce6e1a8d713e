"""A pool of connections, of any driver that follows PEP 249, for many greenlets."""

from bine import monkey

monkey.patch_all()

import contextlib
import sqlite3
from typing import Any, Callable, Iterator

from bine.pool import Pool
from bine.queue import LifoQueue


class Connections:
    def __init__(self, connect: Callable[[], Any], size: int) -> None:
        self.connect = connect
        self.idle: "LifoQueue[Any]" = LifoQueue()
        for _ in range(size):
            self.idle.put(None)  # a place: the connection is made when it is first needed

    @contextlib.contextmanager
    def borrow(self) -> Iterator[Any]:
        connection = self.idle.get()
        try:
            connection = connection or self.connect()
            yield connection
            connection.commit()
        except BaseException:  # a Timeout and a kill, too: the answer may still be under way
            if connection:
                connection.close()
            connection = None
            raise
        finally:
            self.idle.put(connection)


opened = 0


def connect() -> Any:
    global opened
    opened += 1
    return sqlite3.connect(":memory:")  # or psycopg2.connect(...), MySQLdb.connect(...)


connections = Connections(connect, 4)


def query(n: int) -> int:
    with connections.borrow() as connection:
        return int(connection.execute("select ? * 2", (n,)).fetchone()[0])


print(sum(Pool(100).map(query, range(100))), "by at most 4 connections:", opened <= 4)
