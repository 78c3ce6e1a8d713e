"""All public names of gevent's: gevent_names.txt has them, gevent_names.py says how it was made."""

import os
import re

from gevent_names import listed
from helpers import ROOT

HERE = os.path.dirname(os.path.abspath(__file__))

# What docs/gevent.md says is missing.
_RESOLVER = "EAI_FAMILY_MSG EAI_NONAME_MSG HOSTNAME_ENCODING fixup_gaierror"
MISSING = {
    "gevent.Timeout()": "timer",
    "gevent.backdoor.BackdoorServer()": "stderr",
    "gevent.core.loop()": "ptr",
    "gevent.hub.Hub()": "ident_registry switch_out",
    "gevent.pywsgi.Input()": "chunk_length",
    "gevent.queue.Channel()": "getters putters",
    "gevent.resolver.ares.Resolver": _RESOLVER + " cares_class",
    "gevent.resolver_ares.Resolver": _RESOLVER + " cares_class",
    "gevent.resolver.blocking.Resolver()": "method",
    "gevent.resolver.dnspython.Resolver()": _RESOLVER,
    "gevent.select.poll()": "fds loop",
    "gevent.socket.create_connection()": "closed hub ref",
    "gevent.subprocess.Popen()": "pipe_cloexec",
    "gevent.thread.allocate_lock()": "counter hub linkcount rawlink ready unlink wait",
    "gevent.threadpool.ThreadPool()": "fork_watcher pid",
    "gevent.threadpool.ThreadPoolExecutor.submit()": "asyncresult",
    "gevent.util.assert_switches()": "hub tracer",
}


def names_of_gevent():
    with open(os.path.join(HERE, "gevent_names.txt")) as lines:
        return {label: names.split() for label, names in (line.split(": ") for line in lines)}


def test_each_public_name_is_there_or_said_to_be_missing():
    lister, wrong = listed("bine.gevent"), []
    for label, names in names_of_gevent().items():
        if label not in lister.found:
            if not label.startswith(tuple("gevent." + name for name in lister.not_imported)):
                wrong.append(label)
            continue
        value, ours = lister.found[label]  # what it had then, and what dir() does not tell
        there = {name for name in names if name in ours or hasattr(value, name)}
        missing = set(MISSING.get(label, "").split())
        wrong += ["%s has no %s" % (label, name) for name in sorted(set(names) - there - missing)]
        wrong += ["%s has %s, said to be missing" % (label, name)
                  for name in sorted(there & missing)]
    assert not wrong, wrong
    assert len(lister.found) > 100
    # Without dnspython, pycares.
    assert set(lister.not_imported) <= {"resolver.dnspython", "ares", "resolver_ares",
                                        "resolver.ares", "resolver.cares"}


def test_what_is_missing_stands_in_the_documentation():
    with open(os.path.join(ROOT, "docs", "gevent.md")) as page:
        words = set(re.findall(r"\w+", page.read()))
    assert [name for names in MISSING.values() for name in names.split() if name not in words] == []
