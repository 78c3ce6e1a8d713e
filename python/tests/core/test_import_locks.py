"""Imports that switch, in greenlets and threads. Nothing is patched unless a test does so."""

import importlib
import os
import sys
import tempfile
import threading

import bine
from helpers import raises

NAPS = "import bine\nbine.sleep(0.02)\nvalue = 1\n"


def modules(**sources):
    """Make these modules importable: a source for each name."""
    directory = tempfile.mkdtemp()
    sys.path.insert(0, directory)
    for name, source in sources.items():
        with open(os.path.join(directory, name + ".py"), "w") as file:
            file.write(source)
    importlib.invalidate_caches()


def value(name):
    return importlib.import_module(name).value


def values(count, name):
    greenlets = [bine.spawn(value, name) for _ in range(count)]
    bine.joinall(greenlets, timeout=20, raise_error=True)
    return [g.value for g in greenlets]


def test_hazard_126_a_module_is_whole_for_every_greenlet():
    modules(naps=NAPS)
    assert values(5, "naps") == [1] * 5


def test_a_module_is_whole_for_every_greenlet_where_threads_are_patched():
    from bine import monkey
    monkey.patch_all()
    modules(naps=NAPS)
    assert values(5, "naps") == [1] * 5


def test_hazard_126_a_module_that_patches_while_it_is_imported():
    modules(patches="import bine\nfrom bine import monkey\nbine.sleep(0.01)\nmonkey.patch_all()\n"
                    "bine.sleep(0.01)\nvalue = 2\n")
    assert values(3, "patches") == [2] * 3


def test_the_main_greenlet_and_threads_beside_greenlets():
    modules(naps=NAPS)
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(value("naps"))) for _ in range(3)]
    greenlets = [bine.spawn(value, "naps") for _ in range(3)]
    for thread in threads:
        thread.start()
    assert value("naps") == 1
    bine.joinall(greenlets, timeout=20, raise_error=True)
    for thread in threads:
        thread.join(20)
    assert seen == [1] * 3 and [g.value for g in greenlets] == [1] * 3


def test_modules_that_import_each_other():
    modules(first="import bine\nbine.sleep(0.01)\nimport second\nvalue = 1\n",
            second="import bine\nbine.sleep(0.01)\nimport first\nvalue = 2\n")
    greenlets = [bine.spawn(value, name) for name in ("first", "second")]
    bine.joinall(greenlets, timeout=20)
    assert all(g.ready() for g in greenlets), "importlib breaks the circle, as between threads"
    assert value("first") == 1 and value("second") == 2


def test_hazard_126_a_module_that_fails_or_is_killed_is_imported_by_the_next():
    modules(fails="import bine, counter\nbine.sleep(0.01)\ncounter.value += 1\n"
                  "if counter.value == 1: raise OSError('first')\nvalue = 3\n",
            counter="value = 0\n", naps=NAPS)
    first, second = bine.spawn(value, "fails"), bine.spawn(value, "fails")
    bine.joinall([first, second], timeout=20)
    assert isinstance(first.exception, OSError) and second.value == 3
    first, second = bine.spawn(value, "naps"), bine.spawn(value, "naps")
    bine.sleep(0)
    first.kill()
    assert second.get(timeout=20) == 1


def test_hazard_126_a_wait_for_an_import_can_be_cut_short():
    modules(naps=NAPS)
    first = bine.spawn(value, "naps")
    bine.sleep(0)

    def hurry():
        with bine.Timeout(0.001):
            value("naps")

    raises(bine.Timeout, bine.spawn(hurry).get)
    waiter = bine.spawn(value, "naps")
    bine.sleep(0)
    waiter.kill()
    assert values(2, "naps") == [1] * 2 and first.get() == 1


def test_hazard_126_a_codec_is_found_by_coroutines_that_look_it_up_at_once():
    import asyncio
    import encodings

    from bine import aio
    modules(nap_codec=NAPS + "from encodings.utf_8 import getregentry\n")
    encodings.__path__.append(sys.path[0])

    async def main():
        return await asyncio.gather(*[aio.to_greenlet("x".encode, "nap_codec") for _ in range(3)])

    assert aio.wait(main()) == [b"x"] * 3
