"""The figures are OpenMetrics text, as Prometheus's own parser reads it."""

import json
import os
import re
import threading

import bine
import pytest


def parse(text):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    return {family.name: family for family in parser.text_string_to_metric_families(text)}


def of_hub(family, hub):
    (sample,) = [sample for sample in family.samples if sample.labels["hub"] == str(hub)]
    return sample.value


def test_the_text_is_open_metrics():
    hub = threading.get_native_id()
    greenlets = [bine.spawn(bine.sleep, 100) for _ in range(5)]
    bine.sleep(0)
    families = parse(bine.metrics())
    assert families["bine"].samples[0].labels["version"] == bine.__version__
    assert of_hub(families["bine_greenlets"], hub) >= 5
    assert of_hub(families["bine_timers"], hub) >= 5
    assert of_hub(families["bine_hub_asleep"], hub) == 0
    assert families["bine_switches"].type == "counter"
    before = of_hub(families["bine_switches"], hub)
    for _ in range(1000):
        bine.spawn(int)
        bine.sleep(0)
    assert of_hub(parse(bine.metrics())["bine_switches"], hub) >= before + 1000
    for greenlet in greenlets:
        greenlet.kill()


def test_each_thread_with_a_hub_is_there():
    seen = []

    def run():
        bine.sleep(0)
        seen.append((threading.get_native_id(), bine.metrics()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    ((hub, text),) = seen
    assert of_hub(parse(text)["bine_turns"], hub) >= 0


def test_the_dashboard_shows_figures_that_there_are():
    folder = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(folder, "..", "..", "..", "packaging", "grafana", "bine.json")
    with open(path) as file:
        dashboard = json.load(file)
    text = bine.metrics()
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert expressions
    for expression in expressions:
        for name in re.findall(r"\bbine_\w+", expression):
            assert re.search(r"^%s[{ ]" % name, text, re.M), name
