"""`celery worker -P gevent`, on Redis and on RabbitMQ."""

import os
import signal
import sys
import tempfile
import time

import pytest

from programs import Program, port, wait_for

TASKS = '''
import os, random, time
from celery import Celery, current_task

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BACKEND"])
app.conf.update(worker_prefetch_multiplier=4, task_default_queue=os.environ["QUEUE"],
                broker_connection_retry_on_startup=True)

inside = 0

@app.task(bind=True)
def who(self, number):
    """The id that the task takes for its own, before and after it waited, and how many tasks
    waited at the same time."""
    global inside
    before = self.request.id
    inside += 1
    together = inside
    time.sleep(random.uniform(0.05, 0.3))
    inside -= 1
    return number, before, self.request.id, current_task.request.id, os.getpid(), together

@app.task
def nap(seconds):
    time.sleep(seconds)
    return seconds

@app.task
def mark(path, seconds):
    open(path + ".began", "w").close()
    time.sleep(seconds)
    open(path + ".done", "w").close()

@app.task(time_limit=1)
def limited():
    time.sleep(30)
'''


class Worker(Program):
    """A worker and its application; `tasks` is the module, imported here as a client does."""

    def __init__(self, broker):
        redis = "redis://127.0.0.1:%d" % port("redis")
        broker = (redis + "/1" if broker == "redis"
                  else "amqp://guest:guest@127.0.0.1:%d//" % port("rabbitmq"))
        folder = tempfile.mkdtemp(prefix="bine-celery-")
        settings = {"BROKER": broker, "BACKEND": redis + "/2", "QUEUE": "q%d" % os.getpid()}
        with open(os.path.join(folder, "tasks.py"), "w") as file:
            file.write(TASKS)
        os.environ.update(settings)
        sys.path.insert(0, folder)
        import tasks

        self.tasks = tasks
        super().__init__("celery", "-A", "tasks", "worker", "-P", "gevent", "-c", "100", "-l",
                         "info", "-n", "w%d@localhost" % os.getpid(), cwd=folder, env=settings)
        try:
            wait_for(lambda: " ready." in self.output() or self.process.poll() is not None)
            assert self.process.poll() is None, self.output()
        except BaseException:
            print(self.output())
            self.end()
            raise

    @property
    def control(self):
        return self.tasks.app.control


def five_hundred(broker):
    with Worker(broker) as worker:
        pids, most = set(), 0
        asked = [worker.tasks.who.delay(number) for number in range(500)]
        for number, result in enumerate(asked):
            answer, before, after, current, pid, together = result.get(timeout=60)
            assert (answer, before, after, current) == (number, result.id, result.id, result.id)
            pids.add(pid)
            most = max(most, together)
        assert pids == {worker.pid} and most > 1, (pids, most)


@pytest.mark.seconds(120)
def test_five_hundred_tasks_on_redis_know_themselves():
    five_hundred("redis")


@pytest.mark.seconds(120)
def test_five_hundred_tasks_on_rabbitmq_know_themselves():
    five_hundred("rabbitmq")


@pytest.mark.seconds(120)
def test_a_time_limit_ends_a_task_and_nothing_else():
    from celery.exceptions import TimeLimitExceeded

    with Worker("redis") as worker:
        limited, other = worker.tasks.limited.delay(), worker.tasks.nap.delay(2)
        with pytest.raises(TimeLimitExceeded):
            limited.get(timeout=20)
        assert other.get(timeout=20) == 2


@pytest.mark.seconds(120)
def test_revoke_with_terminate_ends_a_running_task():
    from celery.exceptions import TaskRevokedError

    with Worker("redis") as worker:
        path = os.path.join(worker.folder, "revoked")
        task = worker.tasks.mark.delay(path, 4)
        wait_for(lambda: os.path.exists(path + ".began"))
        worker.control.revoke(task.id, terminate=True)
        with pytest.raises(TaskRevokedError):
            task.get(timeout=20)
        time.sleep(4)
        assert not os.path.exists(path + ".done")
        assert worker.tasks.nap.delay(0).get(timeout=20) == 0


@pytest.mark.seconds(120)
def test_the_pool_grows_and_shrinks():
    with Worker("redis") as worker:
        name = ["w%d@localhost" % os.getpid()]

        def size():
            return worker.control.inspect(name).stats()[name[0]]["pool"]["max-concurrency"]

        assert size() == 100
        worker.control.pool_grow(20, destination=name, reply=True)
        assert size() == 120
        worker.control.pool_shrink(70, destination=name, reply=True)
        assert size() == 50
        assert [task.get(timeout=20)
                for task in [worker.tasks.nap.delay(0.1) for _ in range(100)]] == [0.1] * 100


@pytest.mark.seconds(120)
def test_a_warm_stop_finishes_what_has_begun():
    with Worker("redis") as worker:
        paths = [os.path.join(worker.folder, "warm%d" % number) for number in range(20)]
        for path in paths:
            worker.tasks.mark.delay(path, 2)
        wait_for(lambda: all(os.path.exists(path + ".began") for path in paths))
        worker.signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        assert all(os.path.exists(path + ".done") for path in paths)


@pytest.mark.seconds(120)
def test_a_cold_stop_does_not_wait():
    with Worker("redis") as worker:
        path = os.path.join(worker.folder, "cold")
        worker.tasks.mark.delay(path, 60)
        wait_for(lambda: os.path.exists(path + ".began"))
        worker.signal(signal.SIGQUIT)
        worker.wait(20)
        assert not os.path.exists(path + ".done")
