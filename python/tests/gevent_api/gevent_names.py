"""Lists the public names of gevent: one line for each module, class and kind of object, with
the names that it has.

    python gevent_names.py [PACKAGE]        PACKAGE: gevent, or bine.gevent

gevent_names.txt beside it is what this printed for the gevent that docs/gevent.md names, on CPython
3.11 with pycares. test_gevent_all_names.py compares it with ours.
"""

import importlib
import os
import sys
import tempfile

MODULES = (
    "ares backdoor baseserver builtins contextvars core event events exceptions fileobject "
    "greenlet hub local lock monkey os pool pywsgi queue resolver "
    "resolver.ares resolver.blocking resolver.cares resolver.dnspython resolver.thread "
    "resolver_ares resolver_thread select selectors server signal socket ssl "
    "subprocess thread threading threadpool time timeout util").split()
# Their names are the standard library's, of which some differ from version to version,
# and what gevent adds.
STANDARD = ("builtins contextvars os select selectors signal socket ssl subprocess thread "
            "threading time".split())


def public(names):
    # Exceptions have this from CPython 3.11 on.
    return sorted(name for name in names if not name.startswith("_") and name != "add_note")


class Lister:
    def __init__(self, package):
        self.package = package
        self.gevent = importlib.import_module(package)
        self.found = {}  # label: (object, its names)
        self.not_imported = []

    def module(self, name):
        return importlib.import_module(self.package + "." + name)

    def modules(self):
        self.found["gevent"] = self.gevent, self.gevent.__all__
        for name in MODULES:
            try:
                module = self.module(name)
            except ImportError:
                self.not_imported.append(name)
                continue
            names = (getattr(module, "__extensions__", []) if name in STANDARD
                     else getattr(module, "__all__", []))
            self.found["gevent." + name] = module, names
            for each in names:
                kind = getattr(module, each)
                if isinstance(kind, type) and name != "exceptions":
                    self.found["gevent.%s.%s" % (name, each)] = kind, dir(kind)

    def instance(self, name, make, *arguments):
        """What make(*arguments) has, under gevent.NAME()."""
        value = make(*arguments)
        self.found["gevent.%s()" % name] = value, dir(value)
        return value

    def objects(self):
        hub = self.instance("hub.Hub", self.gevent.get_hub)
        loop = self.instance("core.loop", lambda: hub.loop)
        watchers = {"io": (0, 1), "timer": (1,), "async_": (), "signal": (10,), "fork": (),
                    "prepare": (), "check": (), "idle": (), "stat": ("/tmp",)}
        for kind, arguments in watchers.items():
            self.instance("hub.loop." + kind, getattr(loop, kind), *arguments)
        loop.install_sigchld()
        self.instance("hub.loop.child", loop.child, 1)
        self.instance("hub.loop.run_callback", loop.run_callback, int)
        self.instance("Greenlet", self.gevent.Greenlet, int)
        self.instance("Timeout", self.gevent.Timeout, 3)
        self.instance("signal_handler", self.gevent.signal_handler, 12, int)
        for module in "event", "lock", "queue":
            for kind in self.module(module).__all__:
                if (isinstance(getattr(self.module(module), kind), type) and
                    not kind.endswith(("Empty", "Full", "ShutDown"))):
                    self.instance(module + "." + kind, getattr(self.module(module), kind))
        self.instance("config", lambda: self.gevent.config)
        self.instance("hub.Waiter", self.module("hub").Waiter)
        self.instance("local.local", self.module("local").local)
        self.instance("thread.allocate_lock", self.module("thread").allocate_lock)

    def pools(self):
        pool, threads, hub = self.module("pool"), self.module("threadpool"), self.gevent.get_hub()
        self.instance("pool.Pool", pool.Pool, 3)
        self.instance("pool.Group", pool.Group)
        self.instance("pool.Pool.imap", pool.Pool(2).imap, len, ["a"])
        self.instance("pool.Pool.imap_unordered", pool.Pool(2).imap_unordered, len, ["a"])
        self.instance("threadpool.ThreadPool.spawn",
                      self.instance("threadpool.ThreadPool", threads.ThreadPool, 2).spawn, int)
        self.instance("threadpool.ThreadPoolExecutor.submit",
                      self.instance("threadpool.ThreadPoolExecutor", threads.ThreadPoolExecutor,
                                    2).submit, int)
        self.instance("threadpool.ThreadResult", threads.ThreadResult, int, hub, int)

    def servers(self):
        server, pywsgi, address = self.module("server"), self.module("pywsgi"), ("127.0.0.1", 0)
        self.instance("server.StreamServer", server.StreamServer, address, int)
        self.instance("server.DatagramServer", server.DatagramServer, address, int)
        self.instance("backdoor.BackdoorServer", self.module("backdoor").BackdoorServer, address)
        lister = self

        class Handler(pywsgi.WSGIHandler):
            def get_environ(self):
                environ = pywsgi.WSGIHandler.get_environ(self)
                lister.instance("pywsgi.WSGIHandler", lambda: self)
                lister.instance("pywsgi.Input", lambda: environ["wsgi.input"])
                return environ

        def application(environ, start_response):
            start_response("200 OK", [])
            return [b""]

        started = pywsgi.WSGIServer(address, application, handler_class=Handler, log=None)
        started.start()
        self.instance("pywsgi.WSGIServer", lambda: started)
        client = self.instance("socket.create_connection", self.module("socket").create_connection,
                               ("127.0.0.1", started.server_port))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while client.recv(1000):
            pass
        client.close()
        started.stop()

    def files_and_processes(self):
        files, select = self.module("fileobject"), self.module("select")
        for kind in "FileObjectPosix", "FileObjectThread", "FileObjectBlock":
            with tempfile.TemporaryFile() as file:
                self.instance("fileobject." + kind, getattr(files, kind),
                              os.dup(file.fileno()), "rb")
        self.instance("select.poll", select.poll)
        self.instance("selectors.DefaultSelector", self.module("selectors").DefaultSelector)
        self.instance("subprocess.Popen", self.module("subprocess").Popen, ["true"]).wait()

    def tools(self):
        util = self.module("util")
        self.instance("util.GreenletTree", util.GreenletTree.current_tree)

        def asserted():
            with util.assert_switches() as switches:
                self.gevent.sleep(0)
            return switches

        self.instance("util.assert_switches", asserted)
        for name in {"resolver.thread", "resolver.dnspython",
                     "resolver.blocking"} - set(self.not_imported):
            self.instance(name + ".Resolver", self.module(name).Resolver)
        for name in {"ares", "resolver.cares"} - set(self.not_imported):
            self.instance(name + ".channel", self.module(name).channel,
                          self.gevent.get_hub().loop).destroy()
        self.instance("get_hub().start_periodic_monitoring_thread",
                      self.gevent.get_hub().start_periodic_monitoring_thread)


def listed(package):
    """A Lister that has looked."""
    lister = Lister(package)
    for part in (lister.modules, lister.objects, lister.pools, lister.servers,
                 lister.files_and_processes, lister.tools):
        part()
    return lister


if __name__ == "__main__":
    found = listed(sys.argv[1] if len(sys.argv) > 1 else "gevent").found
    for label, (_, names) in sorted(found.items()):
        if public(names) and label + "()" not in found:  # an object has the names of its class
            print("%s: %s" % (label, " ".join(public(names))))
    sys.stdout.flush()
    os._exit(0)  # gevent's threads would be waited for
