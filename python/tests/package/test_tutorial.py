"""What the pages show of Python happens, as tests/examples/sessions.py says."""

import os
import sys

import pytest

from helpers import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "examples"))


@pytest.mark.seconds(300)
def test_the_tutorial():
    repeat("tutorial-python.md")


@pytest.mark.seconds(300)
def test_the_cookbook():
    repeat("cookbook")


def repeat(place):
    import sessions

    # No session in Python wants PostgreSQL; with it only those would run.
    os.environ.pop("BINE_POSTGRES_PORT", None)
    assert sessions.main(os.path.join(ROOT, "docs", place), "python") == 0
