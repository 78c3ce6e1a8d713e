"""dramatiq and huey, on Redis and RabbitMQ, with their gevent workers."""

import os
import signal
import sys
import tempfile

import pytest

from programs import Program, port, wait_for

ACTORS = '''
import os, time
import dramatiq
from dramatiq.brokers.%(kind)s import %(broker)s
from dramatiq.middleware import CurrentMessage

dramatiq.set_broker(%(broker)s(url=os.environ["BROKER"]))
dramatiq.get_broker().add_middleware(CurrentMessage())
inside = 0

@dramatiq.actor(queue_name=os.environ["QUEUE"], max_retries=0)
def note(path, seconds):
    """Wait, then write down which message this is and how many were under way."""
    global inside
    inside += 1
    before, together = CurrentMessage.get_current_message().message_id, inside
    time.sleep(seconds)
    inside -= 1
    with open(path + ".part", "w") as file:
        after = CurrentMessage.get_current_message().message_id
        file.write("%%s %%s %%d %%d" %% (before, after, together, os.getpid()))
    os.rename(path + ".part", path)

@dramatiq.actor(queue_name=os.environ["QUEUE"], max_retries=0, time_limit=1000)
def limited(path):
    open(path + ".began", "w").close()
    try:
        time.sleep(30)
    finally:
        open(path, "w").close()
'''


def dramatiq_worker(kind):
    folder = tempfile.mkdtemp(prefix="bine-dramatiq-")
    address = ("redis://127.0.0.1:%d/3" % port("redis") if kind == "redis"
               else "amqp://guest:guest@127.0.0.1:%d/" % port("rabbitmq"))
    settings = {"BROKER": address, "QUEUE": "d%d" % os.getpid()}
    os.environ.update(settings)
    with open(os.path.join(folder, "actors.py"), "w") as file:
        file.write(ACTORS % {"kind": kind,
                             "broker": "RedisBroker" if kind == "redis" else "RabbitmqBroker"})
    sys.path.insert(0, folder)
    return Program("dramatiq-gevent", "actors", "--processes", "1", "--threads", "64",
                   cwd=folder, env=settings)


def two_hundred(kind):
    with dramatiq_worker(kind) as worker:
        from actors import note

        paths = [os.path.join(worker.folder, "note%d" % number) for number in range(200)]
        sent = [note.send(path, 0.1) for path in paths]
        wait_for(lambda: all(map(os.path.exists, paths)), 60)
        most, pids = 0, set()
        for path, message in zip(paths, sent):
            before, after, together, pid = open(path).read().split()
            assert before == after == message.message_id
            most = max(most, int(together))
            pids.add(pid)
        assert most > 1 and len(pids) == 1, (most, pids)


@pytest.mark.seconds(120)
def test_dramatiq_on_redis():
    two_hundred("redis")


@pytest.mark.seconds(120)
def test_dramatiq_on_rabbitmq():
    two_hundred("rabbitmq")


@pytest.mark.seconds(120)
def test_dramatiq_ends_what_takes_too_long_and_stops_when_told():
    with dramatiq_worker("redis") as worker:
        from actors import limited, note

        path, other = os.path.join(worker.folder, "limited"), os.path.join(worker.folder, "other")
        limited.send(path)
        note.send(other, 2)
        wait_for(lambda: os.path.exists(path) and os.path.exists(other))
        assert "TimeLimitExceeded" in worker.output()
        worker.signal(signal.SIGTERM)
        assert worker.wait(30) == 0


JOBS = '''
from gevent import monkey; monkey.patch_all()
import os, time
from huey import RedisHuey

huey = RedisHuey("jobs" + os.environ["QUEUE"], url=os.environ["BROKER"])
inside = 0

@huey.task()
def nap(number):
    global inside
    inside += 1
    together = inside
    time.sleep(0.2)
    inside -= 1
    return number, together

@huey.task(context=True, retries=2)
def fails_once(path, task=None):
    if not os.path.exists(path):
        open(path, "w").close()
        raise ValueError("the first time")
    with open(path + ".part", "w") as file:
        file.write(str(task.retries))
    os.rename(path + ".part", path + ".again")
'''


@pytest.mark.seconds(120)
def test_huey():
    folder = tempfile.mkdtemp(prefix="bine-huey-")
    settings = {"BROKER": "redis://127.0.0.1:%d/4" % port("redis"), "QUEUE": str(os.getpid())}
    os.environ.update(settings)
    with open(os.path.join(folder, "jobs.py"), "w") as file:
        file.write(JOBS)
    sys.path.insert(0, folder)
    with Program("huey_consumer", "jobs.huey", "-k", "greenlet", "-w", "50", cwd=folder,
                 env=settings) as consumer:
        import jobs

        answers = [result.get(blocking=True, timeout=60)
                   for result in [jobs.nap(number) for number in range(100)]]
        assert [answer[0] for answer in answers] == list(range(100))
        assert max(answer[1] for answer in answers) > 1
        once = os.path.join(folder, "once")
        jobs.fails_once(once)
        wait_for(lambda: os.path.exists(once + ".again"))
        assert open(once + ".again").read() == "1"
        consumer.signal(signal.SIGINT)
        consumer.wait(20)
