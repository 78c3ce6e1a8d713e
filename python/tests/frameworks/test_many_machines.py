"""The examples of docs/many-machines.md: several processes, one of which is killed, and nothing is
lost. (locust's workers: test_locust.py)"""

import concurrent.futures
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import urllib.request

import pytest

from programs import Program, free_port, port, wait_for

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples",
                        "many_machines")


def copy():
    return shutil.copytree(EXAMPLES, tempfile.mkdtemp(prefix="bine-machines-"), dirs_exist_ok=True)


def three_workers(broker):
    folder, workers = copy(), []
    settings = {"BROKER": broker, "BACKEND": "redis://127.0.0.1:%d/6" % port("redis")}
    os.environ.update(settings)
    sys.path.insert(0, folder)
    import tasks

    try:
        for number in range(3):
            workers.append(Program("celery", "-A", "tasks", "worker", "-P", "gevent", "-c", "10",
                                   "-l", "info", "-n", "m%d-%d@localhost" % (os.getpid(), number),
                                   cwd=folder, env=settings))
        wait_for(lambda: all(" ready." in worker.output() for worker in workers), 60)
        asked = [tasks.square.delay(number) for number in range(300)]
        wait_for(lambda: sum(result.ready() for result in asked[:60]) > 20)
        os.kill(workers[0].pid, signal.SIGKILL)
        assert [result.get(timeout=90)
                for result in asked] == [number * number for number in range(300)]
    finally:
        for worker in workers:
            worker.end()


@pytest.mark.seconds(180)
def test_a_celery_worker_dies_and_rabbitmq_gives_its_tasks_to_others():
    three_workers("amqp://guest:guest@127.0.0.1:%d//" % port("rabbitmq"))


@pytest.mark.seconds(180)
def test_a_celery_worker_dies_and_redis_gives_its_tasks_to_others():
    three_workers("redis://127.0.0.1:%d/5" % port("redis"))


@pytest.mark.seconds(120)
def test_a_gunicorn_behind_nginx_dies_and_no_request_is_lost():
    folder, ports = copy(), [free_port() for _ in range(3)]
    configuration = os.path.join(folder, "nginx.conf")
    with open(configuration) as file:
        text = file.read()
    for example, real in zip(("8000", "8001", "8002"), ports):
        text = text.replace("127.0.0.1:" + example, "127.0.0.1:%d" % real)
    with open(configuration, "w") as file:
        file.write("user root;\n" * (os.geteuid() == 0) + text)
    stop = False

    def client(number):
        pids = set()
        while not stop:
            with urllib.request.urlopen("http://127.0.0.1:%d/" % ports[0], timeout=30) as answer:
                assert answer.status == 200
                pids.add(answer.read())
        return pids

    machines = [Program("gunicorn", "-k", "gevent", "-w", "2", "-b", "127.0.0.1:%d" % at,
                        "pages:application", cwd=folder, port=at) for at in ports[1:]]
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    try:
        with Program(nginx, "-p", folder, "-c", configuration, cwd=folder,
                     port=ports[0]), concurrent.futures.ThreadPoolExecutor(20) as pool:
            clients = [pool.submit(client, number) for number in range(20)]
            try:
                time.sleep(3)
                # The master and its workers: the machine is gone.
                os.killpg(machines[0].pid, signal.SIGKILL)
                time.sleep(3)
            finally:
                stop = True
            pids = {int(pid) for one in clients for pid in one.result(60)}
        for machine in machines:  # both have answered
            assert pids & {int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)",
                                                          machine.output())}, pids
    finally:
        for machine in machines:
            machine.end()
            print(machine.output()[-1500:])
