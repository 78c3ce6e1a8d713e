"""bine.util: what a log and a report say of greenlets."""

import io
import logging

import bine
from bine.util import GreenletFilter, print_run_info


def logger(name=""):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(GreenletFilter(name))
    handler.setFormatter(logging.Formatter("%(greenlet)s: %(message)s"))
    log = logging.getLogger("bine.test")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    return log, stream


def test_a_log_names_the_greenlet():
    log, stream = logger()

    def work(number):
        bine.getcurrent().name = "worker %d" % number
        log.info("before")
        bine.sleep(0)
        log.info("after")

    bine.joinall([bine.spawn(work, number) for number in (1, 2)], raise_error=True)
    log.info("end")
    lines = stream.getvalue().splitlines()
    assert lines[:4] == ["worker 1: before", "worker 2: before", "worker 1: after",
                         "worker 2: after"]
    assert lines[4] == bine.getcurrent().name + ": end"


def test_the_filter_chooses_loggers_like_those_of_logging():
    log, stream = logger("bine.other")
    log.info("not shown")
    logging.getLogger("bine.test").info("neither")
    assert stream.getvalue() == ""


def test_a_report_shows_who_waits():
    waiter = bine.spawn(bine.sleep, 1000)
    bine.sleep(0)
    text = io.StringIO()
    print_run_info(file=text)
    waiter.kill()
    assert "Who waits for what" in text.getvalue() and "parked in sleep" in text.getvalue()
