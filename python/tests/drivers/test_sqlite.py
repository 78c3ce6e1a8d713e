"""sqlite3's connections are used by all greenlets of a thread, as with gevent."""

import os
import sqlite3
import tempfile
import threading

import bine
import bine.threadpool
from helpers import raises

PATCHED = True


def new_connection(path=":memory:"):
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("create table numbers (n integer)")
    return connection


def add(connection, number):
    with connection:
        connection.execute("insert into numbers values (?)", (number,))


def numbers(connection):
    return [n for n, in connection.execute("select n from numbers order by n")]


def test_hazard_51_greenlets_share_a_connection():
    connection = new_connection()
    bine.joinall([bine.spawn(add, connection, n) for n in range(5)], raise_error=True)
    thread = threading.Thread(target=add, args=(connection, 5))
    thread.start()
    thread.join()
    assert numbers(connection) == bine.spawn(numbers, connection).get() == list(range(6))


def test_hazard_51_a_connection_outlives_the_greenlet_that_made_it():
    connection = bine.spawn(new_connection).get()
    bine.spawn(add, connection, 1).get()
    assert numbers(connection) == [1]
    connection.close()


def test_hazard_51_a_connection_is_refused_in_a_real_thread():
    connection = new_connection()
    pool = bine.threadpool.ThreadPool(1)
    assert "same thread" in str(raises(sqlite3.ProgrammingError, pool.apply, numbers,
                                       (connection,)))
    theirs = pool.apply(new_connection)
    assert "same thread" in str(raises(sqlite3.ProgrammingError, numbers, theirs))
    assert pool.apply(numbers, (theirs,)) == []
    pool.apply(theirs.close)


def test_hazard_51_greenlets_use_one_connection_to_a_file_at_once():
    with tempfile.TemporaryDirectory() as folder:
        connection = new_connection(os.path.join(folder, "numbers.db"))
        counts = []

        def work(first):
            for n in range(first, 40, 4):
                add(connection, n)
                counts.append(len(numbers(connection)))

        bine.joinall([bine.spawn(work, first) for first in range(4)], raise_error=True)
        assert numbers(connection) == list(range(40)) and max(counts) == 40
        connection.close()


def test_hazard_51_a_thread_still_has_an_identity_of_its_own():
    idents = {threading.get_ident()}
    bine.joinall([bine.spawn(lambda: idents.add(threading.get_ident())) for _ in range(3)])
    assert len(idents) == 4
