"""gevent.config and gevent.events."""

import os
import sys

from bine.gevent import _config, config, events
from helpers import raises


def fresh(**environment):
    """Settings that nobody has read yet, in that environment."""
    for name in list(os.environ):
        if name.startswith("GEVENT"):
            del os.environ[name]
    os.environ.update(environment)
    return _config.Config()


def test_defaults():
    settings = fresh()
    assert (settings.max_blocking_time, settings.monitor_thread, settings.max_memory_usage,
            settings.memory_monitor_period) == (0.1, False, None, 5.0)
    assert (settings.print_blocking_reports is True and settings.track_greenlet_tree is True and
            settings.disable_watch_children is False)
    assert (settings.resolver_nameservers is None and settings.resolver_timeout is None and
            settings.threadpool_idle_task_timeout == 5.0)
    assert settings.format_context({1: 2}) == "{1: 2}" and isinstance(config, _config.Config)


def test_the_environment_is_read_when_a_setting_is_first_asked_for():
    settings = fresh(GEVENT_MAX_BLOCKING_TIME="0.5", GEVENT_MONITOR_THREAD_ENABLE="on",
                     GEVENT_MONITOR_MEMORY_MAX="10mb",
                     GEVENT_RESOLVER_NAMESERVERS="1.2.3.4, 5.6.7.8", GEVENTARES_TRIES="7",
                     GEVENT_RESOLVER="nothing,block", GEVENT_FILE="thread")
    assert (settings.max_blocking_time == 0.5 and settings.monitor_thread is True and
            settings.max_memory_usage == 10 << 20)
    assert settings.resolver_nameservers == ["1.2.3.4", "5.6.7.8"] and settings.ares_tries == "7"
    assert (settings.resolver.__module__ == "bine.gevent.resolver.blocking" and
            settings.fileobject.__name__ == "FileObjectThread")
    os.environ["GEVENT_MAX_BLOCKING_TIME"] = "7"
    assert settings.max_blocking_time == 0.5
    settings.max_blocking_time = 2
    assert settings.max_blocking_time == 2.0


def test_what_makes_no_sense_is_refused_by_name():
    for key, text, name, kind in (
            ("GEVENT_MAX_BLOCKING_TIME", "x", "max_blocking_time", ValueError),
            ("GEVENT_MAX_BLOCKING_TIME", "-1", "max_blocking_time", ValueError),
            ("GEVENT_MAX_BLOCKING_TIME", "nan", "max_blocking_time", ValueError),
            ("GEVENT_MONITOR_THREAD_ENABLE", "maybe", "monitor_thread", ValueError),
            ("GEVENT_MONITOR_MEMORY_MAX", "10tb", "max_memory_usage", ValueError),
            ("GEVENT_MONITOR_MEMORY_MAX", "0", "max_memory_usage", ValueError),
            ("GEVENT_RESOLVER", "nothing", "resolver", ImportError),
            ("GEVENT_LOOP", "os.nothing", "loop", ImportError)):
        settings = fresh(**{key: text})
        for attempt in (lambda: getattr(settings, name), lambda: setattr(settings, name, text)):
            error = str(raises(kind, attempt))
            assert name in error and key in error, error
    assert raises(TypeError, setattr, settings, "threadpool", 3)


def test_classes_are_named_or_given():
    settings = fresh()
    for value in ("os.path.join", os.path.join, ["nothing.at.all", "os.path.join"],
                  ("block", "thread")):
        settings.threadpool = value if value != ("block", "thread") else [os.path.join]
        assert settings.threadpool is os.path.join
    settings.resolver = ["dnspython-is-not-called-so", "thread"]
    assert settings.resolver.__module__ == "bine.gevent.resolver.thread"
    settings.monitor_thread = "yes"
    assert settings.monitor_thread is True
    settings.something_else = 1


def test_every_setting_is_documented():
    for name, setting in config.settings.items():
        assert setting.name == name and setting.__doc__ and setting.environment_key, name
    assert len(config.settings) == 24


def test_events_reach_subscribers_in_order():
    seen = []
    events.subscribers.extend([lambda event: seen.append(("first", event)),
                               lambda event: seen.append(("second", event))])
    event = events.EventLoopBlocked("greenlet", 0.5, ["line"], hub="hub")
    events.notify(event)
    assert seen == [("first", event), ("second", event)]
    assert events.IEventLoopBlocked.providedBy(event) and not events.IEventLoopBlocked.providedBy(3)
    assert (event.greenlet, event.blocking_time, event.info,
            event.hub) == ("greenlet", 0.5, ["line"], "hub")


def test_events_of_patching():
    event = events.GeventWillPatchAllEvent({"socket": True, "dns": False}, {"mine": 1})
    assert (event.patch_all_arguments == {"socket": True, "dns": False} and
            event.patch_all_kwargs == {"mine": 1})
    assert (event.will_patch_module("socket") and not event.will_patch_module("dns") and
            not event.will_patch_module("nothing"))
    event.patch_all_arguments["socket"] = False
    assert event.will_patch_module("socket")
    assert (events.IGeventWillPatchAllEvent.providedBy(event) and
            events.IGeventPatchEvent.providedBy(event))
    module = events.GeventWillPatchModuleEvent("os", os, os, ["fork"])
    assert (module.module_name, module.source, module.target,
            module.target_item_names) == ("os", os, os, ["fork"])
    assert (issubclass(events.GeventDidPatchModuleEvent, events.GeventPatchEvent) and
            not issubclass(events.DoNotPatch, Exception))
    memory = events.MemoryUsageUnderThreshold(1, 2, None, 5)
    assert (memory.max_memory_usage == 5 and
            repr(memory) == "<MemoryUsageUnderThreshold used=1 max=2 details=None>")
    for name in events.__all__:
        assert getattr(events, name) is not None


def test_entry_points_of_installed_packages_are_called_before_subscribers():
    import tempfile

    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "heard_of_it.py"), "w") as module:
        module.write("seen = []\ndef hear(event):\n    seen.append(('plugin', event))\n")
    os.mkdir(os.path.join(folder, "heard-1.dist-info"))
    with open(os.path.join(folder, "heard-1.dist-info", "METADATA"), "w") as text:
        text.write("Metadata-Version: 2.1\nName: heard\nVersion: 1\n")
    with open(os.path.join(folder, "heard-1.dist-info", "entry_points.txt"), "w") as text:
        text.write("[gevent.plugins.monkey.will_patch_all]\nhear = heard_of_it:hear\n")
    sys.path.insert(0, folder)
    import heard_of_it

    events.subscribers.append(lambda event: heard_of_it.seen.append(("subscriber", event)))
    event = events.GeventWillPatchAllEvent({}, {})
    events.notify_and_call_entry_points(event)
    assert heard_of_it.seen == [("plugin", event), ("subscriber", event)]


def test_stacks_of_spawners_are_noted_when_somebody_says_so():
    import subprocess

    code = ("import bine, traceback\nfrom bine.gevent import config, util\n%s\n"
            "def spawner():\n    return bine.spawn(bine.sleep, 60)\ng = spawner()\nbine.sleep(0)\n"
            "print(g.spawning_stack is not None, 'in spawn' 'er' in "
            "util.GreenletTree.current_tree().format())\n")
    for variable, line, noted in ((None, "", False), ("1", "", True), ("0", "", False),
                                  (None, "config.track_greenlet_tree = True", True),
                                  ("1", "config.track_greenlet_tree = False", False)):
        environment = dict(os.environ)
        if variable:
            environment["GEVENT_TRACK_GREENLET_TREE"] = variable
        done = subprocess.run([sys.executable, "-c", code % line], stdout=subprocess.PIPE,
                              env=environment, universal_newlines=True)
        assert done.stdout == "%s %s\n" % (noted, noted), (variable, line, done)


def test_a_process_ends_while_its_monitor_thread_begins():
    import subprocess

    code = ("import bine\nfrom bine.gevent import config\nbine.sleep(0)\n"
            "config.monitor_thread = True\n")
    assert [subprocess.run([sys.executable, "-c", code]).returncode for _ in range(12)] == [0] * 12
