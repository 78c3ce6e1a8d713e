"""Every public function and method of the package, called from another OS thread than the one that
made the object. Each answers, hands over, or raises an error that says so, within a time limit; and
the owner goes on. A new public name fails here until it has its arguments in ARGUMENTS."""

import importlib
import inspect
import queue
import threading

import bine
import bine.event
import bine.hub
import bine.lock
import bine.pool
import bine.queue
import bine.threadpool
import pytest

MODULES = ("bine bine.event bine.lock bine.queue bine.pool bine.threadpool bine.greenlet "
           "bine.timeout bine.hub".split())
NAMES_OF_EXCEPTIONS = set(dir(BaseException))
REFUSALS = (OSError, RuntimeError, AssertionError, bine.Timeout, queue.Empty,
            queue.Full, ValueError)


def nothing(*unused):
    return None


class Source:
    """What link targets are called with."""

    value = exception = None

    def successful(self):
        return True


def new_greenlet():
    return bine.Greenlet(nothing)


def parked():
    g = bine.spawn(bine.sleep, 100)
    bine.sleep(0)
    return g


# The arguments of a call, by "Class.method", or by "method" for all classes. A callable makes them,
# in the thread that calls.
ARGUMENTS = {
    # greenlets
    "Greenlet.get": dict(timeout=0.05), "Greenlet.join": (0.05,), "kill": (), "throw": (),
    "ready": (), "successful": (), "link": (nothing,),
    "link_value": (nothing,), "link_exception": (nothing,), "rawlink": (nothing,),
    "unlink": (nothing,), "unlink_all": (), "has_links": (), "start": (), "start_later": (0,),
    "spawn": (nothing,), "spawn_later": (0, nothing), "linkcount": (), "adjust": (),
    "all_local_dicts_for_greenlet": lambda: (bine.getcurrent(),), "ThreadPoolExecutor.kill": (),
    "add_spawn_callback": (nothing,), "remove_spawn_callback": (nothing,), "settrace": (None,),
    "gettrace": (), "own_thread_refusal": (), "GreenletExit": (), "run": (),
    # timeouts
    "cancel": (), "close": (), "start_new": (0.5,),
    # events, locks, results of threads
    "ThreadResult.set": (1,), "set": (), "clear": (), "is_set": (), "isSet": (),
    "wait": (0.05,), "done": (), "cancelled": (), "get": dict(timeout=0.05), "get_nowait": (),
    "result": (0.05,), "set_result": (1,), "set_exception": (KeyError("set"),),
    "add_done_callback": (nothing,), "acquire": dict(timeout=0.05), "release": (), "locked": (),
    # queues
    "put": dict(item=1, timeout=0.05), "put_nowait": (1,), "peek": dict(timeout=0.05),
    "peek_nowait": (), "qsize": (), "empty": (), "full": (),
    "shutdown": (), "task_done": (), "join": (0.05,), "copy": (),
    # pools
    "add": lambda: (bine.spawn(nothing),), "discard": lambda: (bine.spawn(nothing),),
    "apply": (nothing,), "apply_async": (nothing,),
    "apply_cb": (nothing,), "map": (nothing, [1, 2]), "map_async": (nothing, [1, 2]),
    "map_cb": (nothing, [1, 2]), "imap": (nothing, [1, 2]), "imap_unordered": (nothing, [1, 2]),
    "killone": lambda: (bine.spawn(nothing),), "wait_available": (0.05,), "free_count": (),
    "Group.start": lambda: (new_greenlet(),), "Pool.start": lambda: (new_greenlet(),),
    "ThreadPool.start": lambda: (new_greenlet(),), "greenlet_class": (), "ThreadPool.kill": (),
    "submit": (nothing,), "ThreadPoolExecutor.map": (nothing, [1, 2]),
    # Of 3.14's.
    "ThreadPoolExecutor.BROKEN": (), "ThreadPoolExecutor.prepare_context": (nothing, ()),
    # the hub
    "handle_error": (None, bine.GreenletExit, None, None),
    "handle_system_error": (KeyError, KeyError("system")),
    "print_exception": (None, "text", None, None), "Hub.join": (0.05,),
    "Hub.wait": lambda: (bine.get_hub().loop.timer(0.01),),
    "cancel_wait": (None, KeyError("cancelled")),
    "cancel_waits_close_and_then": ([], KeyError, "cancelled", nothing), "switch_args": (),
    "set_hub": (None,), "set_default_hub_class": (bine.hub.Hub,),
    "switch": (), "Waiter.get": (), "Waiter.throw": (KeyError("thrown"),),
    # functions
    "fork": None, "metrics": (), "watchdog": (0.5,), "get_hub": (), "getcurrent": (),
    "getswitchinterval": (), "setswitchinterval": (0.005,), "idle": (), "reinit": (),
    "sleep": (0.01,), "spawn_raw": (nothing,), "with_timeout": (0.05, bine.sleep, 0.01),
    "kill()": lambda: (VICTIM[0],), "killall": lambda: ([VICTIM[0]],),
    "joinall": lambda: ([VICTIM[0]], 0.05), "iwait": lambda: ([VICTIM[0]], 0.05),
    "wait()": lambda: ([VICTIM[0]], 0.05),
}
VICTIM = []

MAKERS = {
    "Greenlet": (parked, new_greenlet), "Timeout": (lambda: bine.Timeout.start_new(100),),
    "Channel": (bine.queue.Channel,), "Event": (bine.event.Event,),
    "AsyncResult": (bine.event.AsyncResult,), "Hub": (bine.get_hub,), "Waiter": (bine.hub.Waiter,),
    "Semaphore": (bine.lock.Semaphore,), "BoundedSemaphore": (bine.lock.BoundedSemaphore,),
    "RLock": (bine.lock.RLock,), "DummySemaphore": (bine.lock.DummySemaphore,),
    "Pool": (lambda: bine.pool.Pool(2),), "Group": (bine.pool.Group,),
    "ThreadResult": (lambda: bine.threadpool.ThreadResult(nothing, bine.get_hub(), nothing),),
    "ThreadPool": (lambda: bine.threadpool.ThreadPool(2),),
    "ThreadPoolExecutor": (lambda: bine.threadpool.ThreadPoolExecutor(2),),
}
# Exceptions, and signal_handler, which CPython gives to the main thread only. Those of the methods
# wait for ever by design, or start threads.
NOT_CALLED = {
    "GreenletExit", "LoopExit", "signal_handler", "Hub.switch", "Greenlet.switch", "Waiter.get",
    "Hub.run", "Hub.destroy", "Hub.resolver", "Hub.start_periodic_monitoring_thread",
    "Greenlet.error", "Hub.error", "Channel.hub", "Channel.next", "Event.hub", "AsyncResult.hub",
    "ThreadResult.handle_error", "ThreadResult.destroy_in_main_thread",
}
# Their outcomes differ with the kind of queue, and with the thread:
# test_gevent_objects.py has them.
NOT_CALLED.update("%s.%s" % (kind, name)
                  for kind in ("Queue", "JoinableQueue", "LifoQueue", "PriorityQueue",
                               "SimpleQueue", "UnboundQueue") for name in ("queue", "hub"))


def public_names():
    """(module, name, object) of all that the modules export."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in (getattr(module, "__all__", None) or
                     [n for n in vars(module) if not n.startswith("_")]):
            thing = getattr(module, name)
            if not inspect.ismodule(thing):
                yield module_name, name, thing


# Objects that belong to no thread: each of their calls is served, or ends as it would in the
# thread that made them.
SERVED = (bine.queue.Queue, bine.queue.Channel, bine.event.Event, bine.event.AsyncResult,
          bine.lock.Semaphore, bine.lock.RLock)
# What calls of a new one, and of a queue that is full, come to.
OUTCOMES_OF_QUEUES = {
    "put": (None, queue.Full), "put_nowait": (None, queue.Full), "get": (queue.Empty, 1),
    "get_nowait": (queue.Empty, 1), "peek": (queue.Empty, 1), "peek_nowait": (queue.Empty, 1),
    "qsize": (0, 1), "empty": (True, False), "full": (False, True), "shutdown": (None, None),
    "task_done": (ValueError, None), "join": (True, False), "maxsize": (None, 1),
    "is_shutdown": (False, False), "unfinished_tasks": (0, 1), "copy": (0, 1),
}
OUTCOMES_OF_CHANNELS = {
    "put": queue.Full, "put_nowait": queue.Full, "get": queue.Empty, "get_nowait": queue.Empty,
    "qsize": 0, "empty": True, "full": True, "balance": 0, "maxsize": 0,
}


def from_another_thread(call):
    """What the call comes to in a real thread, while greenlets of this one run."""
    box = []

    def run():
        try:
            result = call()
            if isinstance(result, bine.queue.Queue):
                box.append(result.qsize())
            else:
                box.append(list(result) if hasattr(result, "__next__") else result)
        except BaseException as error:
            box.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    for _ in range(6000):
        if box:
            break
        bine.sleep(0.002)
    assert box, "it never returns"
    return box[0]


def arguments_for(*keys):
    for key in keys:
        if key in ARGUMENTS:
            given = ARGUMENTS[key]
            given = given() if callable(given) else given
            return ((), given) if isinstance(given, dict) else (given, {})
    raise AssertionError("%s: a new name needs its arguments in ARGUMENTS" % keys[0])


def check(name, call):
    VICTIM[:] = [parked()]
    outcome = from_another_thread(call)
    if (isinstance(outcome, BaseException) and
        not isinstance(outcome, REFUSALS + (KeyError, bine.GreenletExit))):
        raise AssertionError("%s: %r" % (name, outcome)) from outcome
    assert bine.spawn(lambda: 5).get(timeout=20) == 5, name
    VICTIM[0].kill()
    return type(outcome) if isinstance(outcome, Exception) else outcome


def test_hazard_40_every_function_from_another_thread():
    done = set()
    for module, name, thing in public_names():
        if inspect.isclass(thing) or thing in done or name in NOT_CALLED:
            continue
        done.add(thing)
        if ARGUMENTS.get(name, ()) is None:
            continue
        args, kwargs = arguments_for(name + "()", name)
        check(name, lambda: thing(*args, **kwargs))
    assert len(done) > 15


def makers_of(name, thing):
    if name in MAKERS:
        return MAKERS[name]
    if issubclass(thing, bine.queue.Queue):
        return (thing, lambda: thing(maxsize=1, items=[1]))
    raise AssertionError("%s: a new class needs a maker in MAKERS" % name)


@pytest.mark.seconds(120)
def test_hazard_40_every_method_from_another_thread():
    done = set()
    for module, name, thing in public_names():
        if (not inspect.isclass(thing) or name in NOT_CALLED or issubclass(thing, Exception) or
            thing in done):
            continue
        done.add(thing)
        for method in dir(thing):
            if (method.startswith("_") or method in NAMES_OF_EXCEPTIONS or
                "%s.%s" % (name, method) in NOT_CALLED):
                continue
            for make in makers_of(name, thing):
                made = make()
                if callable(getattr(thing, method)):
                    args, kwargs = arguments_for("%s.%s" % (name, method), method)
                    outcome = check("%s.%s" % (name, method),
                                    lambda: getattr(made, method)(*args, **kwargs))
                else:
                    outcome = check("%s.%s" % (name, method), lambda: getattr(made, method))
                if isinstance(made, SERVED):
                    assert (not isinstance(outcome, type) or
                            not issubclass(outcome, OSError)), (name, method, outcome)
                if isinstance(made, bine.queue.Queue):
                    assert outcome == OUTCOMES_OF_QUEUES[method][make is not thing], (name, method,
                                                                                      outcome)
                if isinstance(made, bine.queue.Channel):
                    assert outcome == OUTCOMES_OF_CHANNELS[method], (name, method, outcome)
                if isinstance(made, bine.Greenlet):
                    made.kill()
    assert len(done) > 18
