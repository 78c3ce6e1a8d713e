"""gevent.events beside the packages that gevent's own installation brings."""

import pytest


def test_interfaces_are_zopes_and_subscribers_are_shared():
    pytest.importorskip("zope.interface", reason="zope.interface is not installed")
    pytest.importorskip("zope.event", reason="zope.event is not installed")
    import zope.event
    import zope.interface

    from bine.gevent import events

    assert issubclass(type(events.IPeriodicMonitorThread), type(zope.interface.Interface))
    assert set(events.IPeriodicMonitorThread.names()) == {"add_monitoring_function"}
    event = events.EventLoopBlocked(None, 1.5, ["a line"])
    assert events.IEventLoopBlocked.providedBy(event)
    seen = []
    zope.event.subscribers.append(seen.append)
    events.notify(event)
    assert seen == [event] and events.subscribers is zope.event.subscribers


def test_the_plugins_that_an_installed_gevent_declares_for_itself_are_left_out():
    import os
    import sys
    import tempfile

    from bine.gevent import events, monkey

    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "other-1.dist-info"))
        with open(os.path.join(folder, "other-1.dist-info", "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
        with open(os.path.join(folder, "other-1.dist-info", "entry_points.txt"), "w") as file:
            file.write("[%s]\nits_own = gevent.monkey:_of_its_own\nanother = "
                       "gevent_other:called\n" % events.GeventWillPatchAllEvent.ENTRY_POINT_NAME)
        with open(os.path.join(folder, "gevent_other.py"), "w") as file:
            file.write("calls = []\ncalled = calls.append\n")
        sys.path.insert(0, folder)
        monkey.patch_all()
        import gevent_other

        assert len(gevent_other.calls) == 1
