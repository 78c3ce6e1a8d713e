"""Builds of CPython without a GIL: what an import says there. What sys answers there is
simulated, on any build."""

import subprocess
import sys

_program = """
import sys, warnings
answers, options = %r, %r
sys._xoptions.update(options)
sys._is_gil_enabled = lambda: answers.pop(0) if len(answers) > 1 else answers[0]
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    try:
        import bine
    except ImportError as error:
        print("ImportError", "GIL" in str(error), "bine._bine" in sys.modules)
    else:
        import bine.event
        print([(w.category.__name__, "GIL" in str(w.message), w.filename) for w in said],
              bine.spawn(lambda: 5).get())
"""


def imported(answers, **options):
    command = [sys.executable, "-c", _program % (answers, options)]
    return subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True,
                          check=True).stdout.strip()


def test_an_import_that_turns_the_gil_on_says_so_once():
    assert imported([False, True]) == "[('RuntimeWarning', True, '<string>')] 5"


def test_an_import_with_the_gil_says_nothing():
    assert imported([True]) == "[] 5"


def test_an_import_is_refused_where_the_gil_is_kept_off():
    assert imported([False], gil="0") == "ImportError True False"
    assert imported([False]) == "ImportError True True"  # however that came about
