"""gevent.events where zope.event and zope.interface are installed, as gevent's own installation brings them."""

import pytest

pytest.importorskip("zope.interface", reason="zope.interface is not installed")
pytest.importorskip("zope.event", reason="zope.event is not installed")


def test_interfaces_are_zopes_and_subscribers_are_shared():
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
