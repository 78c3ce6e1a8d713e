"""Drivers from PyPI on real servers, whose question a kill or a Timeout cuts short: the next one on
that connection gets its own answer or the driver's error, and never the answer that comes late.
tests/libraries/servers.py starts the servers."""

import bine
from helpers import raises, until
from test_drivers import port

PATCHED = True

# -- one class per driver: ask(text, seconds) -> text, so many seconds later. Where there is no
# server, there is no driver either: port skips.


class Psycopg2:
    def __init__(self):
        number = port("POSTGRES")
        import psycopg2

        self.failure = psycopg2.Error
        self.connection = psycopg2.connect(host="127.0.0.1", port=number, user="bine",
                                           dbname="postgres")
        self.cursor = self.connection.cursor()

    def ask(self, text, seconds):
        self.cursor.execute("SELECT %s FROM pg_sleep(%s)", (text, seconds))
        return self.cursor.fetchone()[0]


class Psycopg:
    def __init__(self):
        number = port("POSTGRES")
        import psycopg

        self.failure = psycopg.Error
        self.connection = psycopg.connect("host=127.0.0.1 port=%d user=bine dbname=postgres" %
                                          number)

    def ask(self, text, seconds):
        return self.connection.execute("SELECT %s FROM pg_sleep(%s)", (text, seconds)).fetchone()[0]


class Mysqlclient:
    def __init__(self):
        number = port("MARIADB")
        import MySQLdb

        self.open(MySQLdb, number)

    def open(self, module, number):
        self.failure = module.Error
        self.connection = module.connect(host="127.0.0.1", port=number, user="root", password="")

    def ask(self, text, seconds):
        cursor = self.connection.cursor()
        cursor.execute("SELECT %s, SLEEP(%s)", (text, seconds))
        return cursor.fetchone()[0]


class Pymysql(Mysqlclient):
    def __init__(self):
        number = port("MARIADB")
        import pymysql

        self.open(pymysql, number)


class Redis:
    def __init__(self):
        number = port("REDIS")
        import redis

        self.failure = redis.RedisError
        self.client = redis.Redis(port=number)

    def ask(self, text, seconds):
        if seconds:
            self.client.blpop("nothing", timeout=seconds)
        return self.client.echo(text).decode()


def kill(driver):
    greenlet = bine.spawn(driver.ask, "old", 1)
    bine.sleep(0.3)
    greenlet.kill()
    assert isinstance(greenlet.value, bine.GreenletExit)


def time_out(driver):
    assert bine.with_timeout(0.3, driver.ask, "old", 1, timeout_value="late") == "late"


def next_answers(cut, driver):
    """What two questions after the cut are answered: a text, or the driver's error."""
    assert driver.ask("first", 0) == "first"
    cut(driver)
    answers = []
    for text in "second", "third":
        try:
            answers.append(driver.ask(text, 0))
        except driver.failure as error:
            answers.append(error)
    return answers


def check(kind):
    """The answers after a kill and after a Timeout, none of which is another question's."""
    all_answers = next_answers(kill, kind()) + next_answers(time_out, kind())
    for number, answer in enumerate(all_answers):
        assert not isinstance(answer, str) or answer == ("second", "third")[number % 2], all_answers
    return all_answers


def all_failed(answers):
    return not any(isinstance(answer, str) for answer in answers)


def test_hazard_124_psycopg2_loses_the_connection():
    port("POSTGRES")
    import psycopg2

    answers = check(Psycopg2)
    assert all_failed(answers) and isinstance(answers[0], psycopg2.OperationalError), answers
    driver = Psycopg2()
    kill(driver)
    raises(psycopg2.OperationalError, driver.connection.rollback)
    assert driver.connection.closed == 2


def test_hazard_124_psycopg2_with_autocommit_loses_it_too():
    driver = Psycopg2()
    driver.connection.autocommit = True
    assert all_failed(next_answers(kill, driver)) and driver.connection.closed == 2


def test_hazard_124_psycopg2_loses_it_in_the_midst_of_copy():
    import io

    driver = Psycopg2()
    driver.connection.autocommit = True
    greenlet = bine.spawn(driver.cursor.copy_expert,
                          "COPY (SELECT 'old' FROM pg_sleep(1)) TO STDOUT", io.StringIO())
    bine.sleep(0.3)
    greenlet.kill()
    raises(driver.failure, driver.ask, "new", 0)


def test_psycopg2_with_a_wait_callback_closes_the_connection():
    port("POSTGRES")
    import bine.gevent

    bine.gevent.install()
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()
    assert all_failed(check(Psycopg2))
    driver = Psycopg2()
    kill(driver)
    assert driver.connection.closed == 2


def test_a_pool_of_psycopg2_that_is_told_to_close_the_connection():
    """docs/python-compatibility.md's recipe."""
    import contextlib

    number = port("POSTGRES")
    import psycopg2.pool

    pool = psycopg2.pool.SimpleConnectionPool(1, 1, host="127.0.0.1", port=number, user="bine",
                                              dbname="postgres")

    @contextlib.contextmanager
    def connection():
        borrowed, whole = pool.getconn(), False
        try:
            yield borrowed
            whole = True
        finally:
            pool.putconn(borrowed, close=not whole)

    def ask(text, seconds):
        with connection() as own, own.cursor() as cursor:
            cursor.execute("SELECT %s FROM pg_sleep(%s)", (text, seconds))
            return cursor.fetchone()[0]

    assert ask("first", 0) == "first"
    assert bine.with_timeout(0.3, ask, "old", 1, timeout_value="late") == "late"
    assert ask("second", 0) == "second"
    greenlet = bine.spawn(ask, "old", 1)
    until(lambda: not pool._pool)
    bine.sleep(0.1)
    greenlet.kill()
    assert ask("third", 0) == "third"


def test_sqlalchemys_pool_replaces_the_connection():
    number = port("POSTGRES")
    import sqlalchemy

    engine = sqlalchemy.create_engine("postgresql+psycopg2://bine@127.0.0.1:%d/postgres" % number,
                                      pool_size=1, max_overflow=0)

    def ask(text, seconds):
        with engine.connect() as connection:
            return connection.execute(sqlalchemy.text("SELECT '%s' FROM pg_sleep(%s)" %
                                                      (text, seconds))).scalar()

    for text in "first", "second", "third":
        assert ask(text, 0) == text
        assert bine.with_timeout(0.3, ask, "old", 1, timeout_value="late") == "late"
        assert ask(text, 0) == text
        greenlet = bine.spawn(ask, "old", 1)
        bine.sleep(0.3)
        greenlet.kill()


def test_psycopg_3_refuses_the_next_question():
    assert all_failed(check(Psycopg))


def test_mysqlclient_loses_the_connection():
    assert all_failed(check(Mysqlclient))


def test_pymysql_closes_the_connection():
    assert all_failed(check(Pymysql))


def test_redis_connects_again():
    assert check(Redis) == ["second", "third"] * 2
