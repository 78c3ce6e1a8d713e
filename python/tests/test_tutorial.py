"""What the pages show of Python happens, as tests/examples/sessions.py says."""

import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "examples"))


@pytest.mark.seconds(300)
def test_the_tutorial():
    import sessions

    assert sessions.main(os.path.join(ROOT, "docs", "tutorial-python.md"), "python") == 0
