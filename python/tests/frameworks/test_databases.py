"""What makes databases cooperative under gevent, and SQLAlchemy's asyncio, on PostgreSQL."""

import pytest

from programs import port


def dsn():
    return "host=127.0.0.1 port=%d user=bine dbname=postgres" % port("postgres")


@pytest.mark.seconds(60)
def test_psycogreen_and_a_wait_callback():
    from gevent import monkey

    monkey.patch_all()
    import gevent
    import psycopg2
    import psycopg2.extensions
    from psycogreen.gevent import patch_psycopg

    patch_psycopg()
    assert psycopg2.extensions.get_wait_callback() is not None
    inside = [0, 0]

    def ask(number):
        with psycopg2.connect(dsn()) as connection, connection.cursor() as cursor:
            inside[0] += 1
            inside[1] = max(inside)
            cursor.execute("select pg_sleep(0.3), %s", (number,))
            inside[0] -= 1
            return cursor.fetchone()[1]

    assert [job.get()
            for job in [gevent.spawn(ask, number) for number in range(20)]] == list(range(20))
    assert inside[1] > 1
    with pytest.raises(gevent.Timeout):
        with gevent.Timeout(0.3):
            psycopg2.connect(dsn()).cursor().execute("select pg_sleep(20)")
    assert ask(7) == 7


@pytest.mark.seconds(60)
def test_a_pool_of_ten_connections_serves_two_hundred_queries():
    from gevent import monkey

    monkey.patch_all()
    import gevent
    import sqlalchemy

    engine = sqlalchemy.create_engine("postgresql+psycopg2://bine@127.0.0.1:%d/postgres" %
                                      port("postgres"), pool_size=10, max_overflow=0)

    def ask(number):
        with engine.connect() as connection:
            return connection.execute(sqlalchemy.text("select "
                                                      ":n + 0 * length(pg_sleep(0.02)::text)"),
                                      {"n": number}).scalar()

    assert [job.get()
            for job in [gevent.spawn(ask, number) for number in range(200)]] == list(range(200))
    assert engine.pool.checkedout() == 0


@pytest.mark.seconds(120)
def test_sqlalchemy_asyncio_in_forty_greenlets_waits_inside_run_sync():
    from gevent import monkey

    monkey.patch_all()
    import asyncio

    import gevent
    import sqlalchemy
    from sqlalchemy.ext.asyncio import create_async_engine

    address = "postgresql+psycopg://bine@127.0.0.1:%d/postgres" % port("postgres")

    def query(connection, number):
        gevent.sleep(0.02)  # a wait of the greenlet in the midst of SQLAlchemy's own greenlet
        first = connection.execute(sqlalchemy.text("select %d + 0 * length(pg_sleep(0.02)::text)" %
                                                   number)).scalar()
        gevent.sleep(0.02)
        return first + connection.execute(sqlalchemy.text("select 1000")).scalar()

    async def session(number):
        engine = create_async_engine(address, poolclass=sqlalchemy.NullPool)
        async with engine.connect() as connection:
            answer = await connection.run_sync(query, number)
        await engine.dispose()
        return answer

    def run(number):
        return asyncio.run(session(number))

    jobs = [gevent.spawn(run, number) for number in range(40)]
    assert [job.get() for job in jobs] == [1000 + number for number in range(40)]
