"""gevent.monkey: what it patches, what it says about it, its events and its command line."""

import os
import subprocess
import sys
import tempfile
import warnings

from helpers import raises


def _gevent():
    import bine.gevent

    bine.gevent.install()
    import gevent

    return gevent


def _saved():
    """monkey.saved without the one object that is replaced up to CPython 3.11."""
    from gevent import monkey

    return {name: items for name, items in monkey.saved.items() if name != "faulthandler"}


def _run(program, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(program)
        script.flush()
        done = subprocess.run([sys.executable, "-m", "bine.gevent", "-m",
                               "gevent.monkey", *options, script.name, "an argument"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.stdout.decode()


def test_gevents_modules_are_in_sys_modules_as_soon_as_they_are_imported():
    assert "gevent.monkey" not in sys.modules
    gevent = _gevent()
    for name in ("event", "exceptions", "greenlet", "hub", "os", "timeout"):
        assert (sys.modules["gevent." + name] is getattr(gevent, name) is
                sys.modules["bine.gevent." + name]), name
    import bine.gevent.monkey  # by its own name

    assert sys.modules["gevent.monkey"] is gevent.monkey is bine.gevent.monkey
    from gevent import queue  # by gevent's

    assert sys.modules["bine.gevent.queue"] is queue is gevent.queue
    for name in ("socket select ssl subprocess os selectors time signal thread threading builtins "
                 "contextvars".split()):
        module = __import__("gevent." + name, fromlist=["*"])
        assert type(module) is type(sys) and sys.modules["gevent." + name] is module, name


def test_a_module_that_fails_to_import_is_known_under_neither_name():
    _gevent()
    import bine.gevent

    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "broken.py"), "w") as file:
            file.write("import sys\nassert sys.modules['gevent.broken'] is "
                       "sys.modules['bine.gevent.broken']\n1 / 0\n")
        bine.gevent.__path__.append(folder)
        for name in ("gevent.broken", "bine.gevent.broken"):
            raises(ZeroDivisionError, __import__, name)
            assert not {"gevent.broken", "bine.gevent.broken"} & set(sys.modules)
        raises(ModuleNotFoundError, __import__, "gevent.nothing")


def test_the_version_is_one_of_gevents():
    gevent = _gevent()
    assert (gevent.__version__ == "26.9.0" and gevent.version_info[0] == 26 and
            gevent.version_info.major == 26)
    assert gevent.version_info >= (26, 9)


def test_names_of_the_package_are_in_its_dict():
    gevent = _gevent()
    for name in gevent.__all__ + ["__version__", "version_info"]:
        assert name in vars(gevent), name
    assert not hasattr(type(gevent), "__getattr__") and "__getattr__" not in vars(gevent)


def test_saved_names_what_is_patched():
    _gevent()
    from gevent import monkey
    import select
    import socket
    import threading
    import time

    assert _saved() == {}
    monkey.patch_time()
    assert _saved() == {"time": {"sleep": time.sleep}}
    assert monkey.is_module_patched("time") and not monkey.is_module_patched("socket")
    assert monkey.patch_all() is True
    assert (monkey.saved["socket"]["socket"] is socket.socket and
            monkey.saved["select"]["poll"] is select.poll)
    assert monkey.saved["threading"]["Thread"] is threading.Thread
    assert set(monkey.saved) >= {"os", "_thread", "threading", "time", "socket", "select",
                                 "selectors", "ssl", "subprocess", "signal", "queue"}
    for name in _saved():
        assert monkey.is_module_patched(name), name
    for name in ("sys", "builtins", "contextvars", "no_such_module"):
        assert not monkey.is_module_patched(name), name
    assert (monkey.is_object_patched("threading", "local") and
            monkey.is_object_patched("socket", "socket"))
    assert not monkey.is_object_patched("socket", "timeout")


def test_importing_gevents_modules_does_not_count_as_patching():
    _gevent()
    from gevent import monkey, os, select, socket, ssl, subprocess, time  # noqa: F401

    for name in ("os", "select", "socket", "ssl", "subprocess", "time"):
        assert not monkey.is_module_patched(name), name
    assert not monkey.is_anything_patched()


def test_the_original_get_ident_is_the_os_threads():
    gevent = _gevent()
    from gevent import monkey
    import _thread
    import threading

    before = _thread.get_ident()
    monkey.patch_all()
    for module in ("_thread", "threading"):
        original = monkey.get_original(module, "get_ident")
        assert gevent.spawn(original).get() == original() == before
    assert gevent.spawn(_thread.get_ident).get() != before
    assert monkey.get_original("threading", ["Thread", "get_ident"])[0] is threading.Thread
    raises(AttributeError, monkey.get_original, "threading", "nothing")


def test_patch_all_tells_its_subscribers():
    _gevent()
    from gevent import events, monkey
    import os as real_os

    heard = []
    events.subscribers.append(heard.append)
    monkey.patch_all(sys=True, mylib_futures=3)
    assert [type(event).__name__ for event in (heard[0], heard[-2], heard[-1])] == [
        "GeventWillPatchAllEvent", "GeventDidPatchBuiltinModulesEvent", "GeventDidPatchAllEvent"]
    for event in (heard[0], heard[-2], heard[-1]):
        assert event.patch_all_kwargs == {"mylib_futures": 3}
        assert (event.patch_all_arguments["sys"] is True and
                event.patch_all_arguments["thread"] is True)
        assert set(event.patch_all_arguments) == {
            "socket", "dns", "time", "select", "thread", "os", "ssl", "subprocess", "sys",
            "aggressive", "Event", "builtins", "signal", "queue", "contextvars"}
    will = [event for event in heard if isinstance(event, events.GeventWillPatchModuleEvent)]
    assert [event.module_name for event in will] == [
        "os", "_thread", "threading", "_threading_local", "time", "socket", "select", "selectors",
        "ssl", "subprocess", "signal", "queue"]
    assert (will[0].target is real_os and will[0].source is sys.modules["gevent.os"] and
            "fork" in will[0].target_item_names)
    did = [event.module_name
           for event in heard if isinstance(event, events.GeventDidPatchModuleEvent)]
    assert did == [event.module_name for event in will]
    assert ("fork" in vars(sys.modules["gevent.os"]) and
            all(event.target is sys.modules[event.module_name] for event in will))


def test_a_subscriber_keeps_patch_all_from_patching():
    _gevent()
    from gevent import events, monkey

    def refuse(event):
        if isinstance(event, events.GeventWillPatchAllEvent):
            raise events.DoNotPatch

    events.subscribers.append(refuse)
    assert monkey.patch_all() is False and not monkey.is_anything_patched() and _saved() == {}
    events.subscribers.remove(refuse)
    assert monkey.patch_all() is True and monkey.is_module_patched("threading")


def test_a_subscriber_keeps_threads_as_they_are():
    gevent = _gevent()
    from gevent import events, monkey
    import threading

    def refuse(event):
        if isinstance(event, events.GeventWillPatchModuleEvent) and event.module_name == "_thread":
            raise events.DoNotPatch

    events.subscribers.append(refuse)
    assert monkey.patch_all() is True
    assert (not monkey.is_module_patched("threading") and monkey.is_module_patched("queue") and
            monkey.is_module_patched("time"))
    thread = threading.Thread(target=lambda: natives.append(threading.get_native_id()))
    natives = [threading.get_native_id()]
    thread.start()
    thread.join()
    assert natives[0] != natives[1] and gevent.getcurrent()


def test_patch_all_twice():
    _gevent()
    from gevent import events, monkey

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert monkey.patch_all(thread=False)
        assert not monkey.is_module_patched("threading") and monkey.is_module_patched("queue")
        heard = []
        events.subscribers.append(heard.append)
        assert not monkey.patch_all(thread=False) and not heard and not seen
        assert monkey.patch_all(time=False)
    assert ([warning.category for warning in seen] == [monkey.MonkeyPatchWarning] and
            seen[0].filename == __file__)
    assert issubclass(monkey.MonkeyPatchWarning, RuntimeWarning)
    assert monkey.is_module_patched("threading") and monkey.is_module_patched("time")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert not monkey.patch_all() and not seen  # the union of both


def test_plugins_of_installed_packages_are_called():
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "plugin-1.dist-info"))
        with open(os.path.join(folder, "plugin-1.dist-info", "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
        groups = ("will_patch_all", "will_patch_module", "did_patch_module", "did_patch_builtins",
                  "did_patch_all")
        with open(os.path.join(folder, "plugin-1.dist-info", "entry_points.txt"), "w") as file:
            file.write("".join("[gevent.plugins.monkey.%s]\nit = a_plugin:%s\n" % (group, group)
                               for group in groups))
        with open(os.path.join(folder, "a_plugin.py"), "w") as file:
            file.write("calls = []\n" + "".join("def %s(event): calls.append((%r, event))\n" %
                                                (group, group) for group in groups))
        sys.path.insert(0, folder)
        _gevent()
        from gevent import monkey
        import a_plugin

        monkey.patch_all(subprocess=False)
        names = [name for name, event in a_plugin.calls]
        assert names[:3] == ["will_patch_all", "will_patch_module", "did_patch_module"], names
        assert (names[-2:] == ["did_patch_builtins", "did_patch_all"] and
                names.count("will_patch_module") == names.count("did_patch_module") == 11)


def test_the_files_of_installed_packages_are_read_once_for_all_events():
    from importlib import metadata

    _gevent()
    from gevent import events, monkey

    real, calls = metadata.entry_points, []
    metadata.entry_points = lambda *args, **kwargs: (calls.append(1), real(*args, **kwargs))[1]
    sent = []
    events.subscribers.append(sent.append)
    monkey.patch_all()
    assert len(calls) == 1 and len(sent) > 20
    sys.path.append("/nowhere")  # it might have packages
    monkey.patch_all(time=False, extra=True)
    assert len(calls) == 2


def test_patch_module_replaces_attributes_of_any_module():
    _gevent()
    from gevent import events, monkey
    import types

    theirs, ours, said = types.ModuleType("theirs"), types.ModuleType("ours"), []
    sys.modules["theirs"] = theirs
    theirs.work, theirs.play = "their work", "their play"
    ours.__implements__, ours.work, ours.play = ["work"], "our work", "our play"
    ours._gevent_will_monkey_patch = lambda target, items, warn: said.append(
        ("will", target, list(items), target.work))
    ours._gevent_did_monkey_patch = lambda target, items, warn: said.append(
        ("did", target, list(items), target.work))
    events.subscribers.append(said.append)
    assert monkey.patch_module(theirs, ours) is True
    assert (theirs.work, theirs.play) == ("our work", "their play")
    assert (said[0] == ("will", theirs, ["work"], "their work") and
            said[2] == ("did", theirs, ["work"], "our work"))
    assert [type(event) for event in said[1::2]] == [events.GeventWillPatchModuleEvent,
                                                     events.GeventDidPatchModuleEvent]
    assert (monkey.saved["theirs"] == {"work": "their work"} and
            monkey.get_original("theirs", "work") == "their work")
    assert monkey.patch_module(theirs, ours, items=["play"]) is True and theirs.play == "our play"

    def refuse(event):
        raise events.DoNotPatch

    events.subscribers.append(refuse)
    theirs.work = "new work"
    assert monkey.patch_module(theirs, ours) is False and theirs.work == "new work"
    raises(AttributeError, monkey.patch_module, theirs, types.ModuleType("empty"))
    monkey.remove_item(theirs, "play")
    assert not hasattr(theirs, "play") and monkey.get_original("theirs", "play") == "their play"


_says = """
import sys
from gevent import monkey
print(sys.argv[1:], __name__,
      [name for name in ("socket", "time", "threading", "os") if monkey.is_module_patched(name)])
"""


def test_a_program_is_run_with_everything_patched():
    assert _run(_says) == "['an argument'] __main__ ['socket', 'time', 'threading', 'os']\n"
    assert _run(_says, "--no-socket", "--no-ssl",
                "--no-thread") == "['an argument'] __main__ ['time', 'os']\n"
    assert _run(_says, "--time") == "['an argument'] __main__ ['time']\n"
    assert "patch_all(thread=False)\n['an argument']" in _run(_says, "--verbose", "--no-thread")
    for option in ("--no-frob", "--frob", "-x"):
        assert ("cannot patch: " + option in _run(_says, option) and
                "__main__" not in _run(_says, option))
    assert _run(_says, "--help").startswith("usage: python -m gevent.monkey")


def test_a_module_is_run_with_everything_patched():
    for option in ("--module", "-m"):
        out = subprocess.check_output(
            [sys.executable, "-m", "bine.gevent.monkey", option, "timeit", "-n1", "-r1",
             "from gevent import monkey; print(monkey.is_module_patched('time'))"], timeout=60)
        assert out.startswith(b"True\n"), out


def _queues_are_cooperative():
    import queue
    import threading
    import time

    import gevent

    for name in ("Queue", "LifoQueue", "PriorityQueue", "SimpleQueue"):
        items = getattr(queue, name)()
        gevent.spawn(items.put, name)
        assert items.get(timeout=10) == name
        full = queue.Queue(1)
        full.put(1)
        gevent.spawn(full.get)
        full.put(2, timeout=10)
        # From a real thread, while greenlets run.
        natives, ran = [], []

        def give():
            natives.append(threading.get_native_id())
            while not ran:
                time.sleep(0.001)
            items.put("from afar")

        thread = threading.Thread(target=give)
        thread.start()
        gevent.spawn(ran.append, 1)
        assert items.get(timeout=10) == "from afar" and natives != [threading.get_native_id()]
        thread.join()


def test_queues_are_cooperative_without_threads():
    gevent = _gevent()
    from gevent import monkey

    monkey.patch_all(thread=False)
    _queues_are_cooperative()
    # and so are they off the main greenlet
    gevent.spawn(_queues_are_cooperative).get()
    assert not monkey.is_module_patched("threading") and monkey.is_object_patched("queue", "Queue")


def test_patch_queue_leaves_threads():
    gevent = _gevent()
    from gevent import monkey

    monkey.patch_queue()
    gevent.spawn(_queues_are_cooperative).get()
    assert (monkey.is_module_patched("queue") and not monkey.is_module_patched("threading") and
            not monkey.is_module_patched("time"))


def test_queues_can_be_left_out():
    _gevent()
    from gevent import monkey

    monkey.patch_all(thread=False, queue=False)
    assert not monkey.is_module_patched("queue")


def test_the_original_of_start_new_thread_starts_an_os_thread():
    gevent = _gevent()
    import _thread
    import threading

    from gevent import monkey

    monkey.patch_all()
    done, told, start = gevent.event.Event(), [], monkey.get_original("_thread", "start_new_thread")

    def run(word, other):
        told.append((word, other, threading.get_native_id() != main,
                     monkey.get_original("_thread", "get_ident")()))
        done.set()
        raise SystemExit

    main = threading.get_native_id()
    ident = start(run, ("a word",), {"other": 2})
    assert (done.wait(10) and told == [("a word", 2, True, ident)] and
            ident != monkey.get_original("_thread", "get_ident")())
    assert monkey.get_original("threading",
                               "_start_new_thread") is start is not _thread.start_new_thread
    for arguments in (("no function", ()), (run, [1]), (run, (), [])):
        raises(TypeError, start, *arguments)
