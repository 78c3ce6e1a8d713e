"""The module greenlet where PyPI's is not installed. The programs are those of that
package's users."""

import importlib.util
import sys

from helpers import raises


def _greenlet():
    import bine.gevent

    # PyPI's may be there.
    sys.path[:] = [path for path in sys.path if not path.endswith("site-packages")]
    sys.meta_path[:] = [finder
                        for finder in sys.meta_path if type(finder).__module__ != "bine._package"]
    sys.modules.pop("greenlet", None)
    bine.gevent.install()
    import greenlet

    assert greenlet is bine.gevent._greenlet
    return greenlet


def test_it_is_found_only_where_there_is_no_other():
    import bine

    if importlib.util.find_spec("greenlet"):
        import bine.gevent

        bine.gevent.install()
        import greenlet

        assert (greenlet is not sys.modules.get("bine.gevent._greenlet") and
                greenlet.GreenletExit is bine.GreenletExit)
    else:
        raises(ModuleNotFoundError, __import__, "greenlet")  # gevent has not been put in place
    assert _greenlet().GreenletExit is bine.GreenletExit


def test_values_go_to_and_fro():
    module = _greenlet()
    main = module.getcurrent()

    def run(first, named):
        assert module.getcurrent() is inner and (first, named) == (1, 2)
        assert inner.parent is main
        got = []
        for n in range(3):
            got.append(other.switch(n))
        return got

    def echo(n):
        while True:
            n = inner.switch(n * 10)

    inner, other = module.greenlet(run), module.greenlet(echo)
    assert not inner and not inner.dead
    assert inner.switch(1, named=2) == [0, 10, 20]
    assert inner.dead and not inner and other and not other.dead
    assert module.getcurrent() is main and inner.switch("dead") == "dead"


def test_a_greenlet_that_ends_goes_on_in_its_parent():
    module = _greenlet()
    outer = module.greenlet(lambda: "outer " + module.greenlet(lambda: "inner").switch())
    assert outer.switch() == "outer inner"
    asked = module.greenlet(lambda *args, **kwargs: (args, kwargs))
    assert asked.switch(1, 2, x=3) == ((1, 2), {"x": 3})

    def fails():
        raise KeyError("inner")

    def catches():
        try:
            module.greenlet(fails).switch()
        except KeyError as error:
            return str(error)

    assert module.greenlet(catches).switch() == "'inner'"
    raises(KeyError, module.greenlet(fails).switch)


def test_throw():
    module = _greenlet()

    def waits():
        try:
            back.switch("waits")
        except KeyError:
            return "caught"

    def drive():
        one = module.greenlet(waits)
        assert one.switch() == "waits" and one.gr_frame is not None
        assert one.throw(KeyError("thrown")) == "caught" and one.dead
        two = module.greenlet(waits)
        two.switch()
        assert isinstance(two.throw(), module.GreenletExit) and two.dead
        three = module.greenlet(waits)
        raises(ZeroDivisionError, three.throw, ZeroDivisionError)  # it never began
        assert three.dead
        return "driven"

    back = module.greenlet(drive)
    assert back.switch() == "driven"


def test_other_greenlets_run_meanwhile_and_kills_reach_the_outer_one():
    module = _greenlet()
    import bine

    ran = []
    bine.spawn(ran.append, "another")
    assert (module.greenlet(lambda: (bine.sleep(0.01), "slept")[1]).switch() == "slept" and
            ran == ["another"])

    def run():
        module.greenlet(lambda: bine.sleep(60)).switch()

    running = bine.spawn(run)
    bine.sleep(0)
    running.kill()
    assert isinstance(running.value, bine.GreenletExit)
    with bine.Timeout(0.01, False):
        run()


def test_the_current_one():
    module = _greenlet()
    import bine

    assert (isinstance(module.getcurrent(), module.greenlet) and
            isinstance(bine.spawn(len, "x"), module.greenlet))
    assert not isinstance(5, module.greenlet) and module.getcurrent() is bine.getcurrent()
    seen = module.greenlet(module.getcurrent).switch()
    assert isinstance(seen, module.greenlet) and seen.dead
    assert bine.spawn(module.getcurrent).get() is not module.getcurrent()

    class Own(module.greenlet):
        def run(self, x):
            return self, x

    own = Own()
    assert own.switch(5) == (own, 5) and not isinstance(bine.getcurrent(), Own)


def test_names_that_it_does_not_have():
    module = _greenlet()
    raises(AttributeError, lambda: module.GREENLET_USE_GC)
    assert module.settrace(None) is None and module.gettrace() is None
