"""locust, alone and as a master with two workers, against nginx."""

import json
import os
import re
import signal
import urllib.request

import pytest

from programs import Program, free_port, port, wait_for

USERS = '''
from locust import HttpUser, between, task

class Visitor(HttpUser):
    wait_time = between(0.01, 0.05)

    @task(3)
    def page(self):
        with self.client.get("/1", catch_response=True) as answer:
            if not answer.text.startswith("page 1"):
                answer.failure("another page")

    @task
    def nowhere(self):
        with self.client.get("/nowhere", catch_response=True) as answer:
            if answer.status_code == 404:
                answer.success()
'''
FILES = {"locustfile.py": USERS}


def report(folder):
    """{name: statistics} of the run's JSON file."""
    with open(os.path.join(folder, "report.json")) as file:
        return {row["name"]: row for row in json.load(file)}


def check(statistics, users):
    assert (statistics["/1"]["num_requests"] > users and
            statistics["/1"]["num_failures"] == 0), statistics["/1"]
    assert statistics["/nowhere"]["num_failures"] == 0


@pytest.mark.seconds(90)
def test_locust_alone():
    with Program("locust", "--headless", "-u", 100, "-r", 50, "-t", "10s",
                 "-H", "http://127.0.0.1:%d" % port("http"), "--json-file", "report",
                 files=FILES) as locust:
        assert locust.wait(60) == 0, locust.output()
        assert "Traceback" not in locust.output(), locust.output()
        check(report(locust.folder), 100)


@pytest.mark.seconds(90)
def test_locusts_web_page_starts_and_stops_a_run():
    web = free_port()
    address = "http://127.0.0.1:%d" % web
    with Program("locust", "--web-port", web, "--web-host", "127.0.0.1", "-H",
                 "http://127.0.0.1:%d" % port("http"), files=FILES, port=web) as locust:
        assert b"locust" in urllib.request.urlopen(address + "/", timeout=20).read().lower()
        started = urllib.request.urlopen(
            address + "/swarm",
            data=b"user_count=20&spawn_rate=20&host=http://127.0.0.1:%d" % port("http"), timeout=20)
        assert json.load(started)["success"]

        def statistics():
            return json.load(urllib.request.urlopen(address + "/stats/requests", timeout=20))

        wait_for(lambda: statistics()["user_count"] == 20 and
                 statistics()["stats"][0]["num_requests"] > 100)
        urllib.request.urlopen(address + "/stop", data=b"", timeout=20).read()
        wait_for(lambda: statistics()["state"] == "stopped")
        locust.signal(signal.SIGTERM)
        locust.wait(30)
        assert "Traceback" not in locust.output(), locust.output()


@pytest.mark.seconds(120)
def test_a_master_and_two_workers_one_of_which_dies():
    at = free_port()
    with Program("locust", "--master", "--headless", "-u", 60, "-r", 60, "-t", "20s",
                 "--expect-workers", 2, "--master-bind-host", "127.0.0.1",
                 "--master-bind-port", at, "-H", "http://127.0.0.1:%d" % port("http"),
                 "--json-file", "report", files=FILES) as master:
        workers = [Program("locust", "--worker", "--master-host", "127.0.0.1", "--master-port", at,
                           cwd=master.folder) for _ in range(2)]
        try:
            wait_for(lambda: "All users spawned" in master.output(), 40)
            os.kill(workers[1].pid, signal.SIGKILL)
            assert master.wait(60) == 0, master.output()
            assert workers[0].wait(30) == 0, workers[0].output()
            assert re.search(r"missing|failed to send heartbeat", master.output()), master.output()
            check(report(master.folder), 60)
        finally:
            for worker in workers:
                worker.end()
                print(worker.output()[-2000:])
