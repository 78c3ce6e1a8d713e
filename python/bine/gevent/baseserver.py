"""What servers have in common (gevent.baseserver): a listener, a greenlet that accepts, a
way to spawn handlers.

    class Echo(BaseServer): ...        see gevent.server for the servers of streams and of datagrams

One greenlet for each started server waits in `do_read` and passes what it gave to `do_handle`.
While the pool is full it waits for room instead, so that connections stay in the kernel's queue,
where another process may take them.
"""

import errno
import sys
from typing import Any, Callable, Optional, Tuple

from .. import monkey
from .._bine import Event, Greenlet, GreenletExit, getcurrent, sleep
from ..exceptions import BlockingSwitchOutError
from ..hub import get_hub, spawn_raw
from ..pool import Pool

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10

__all__ = ["BaseServer"]


def _family_of(host: str) -> Tuple[int, str]:
    if host.startswith("[") and host.endswith("]"):
        return AF_INET6, host[1:-1]
    return AF_INET, host


def parse_address(address: Any) -> Tuple[int, Any]:
    """(family, address) for what a server may be told to listen on.

    (host, port) is IPv6 if the host has a colon or is empty; "host:port" and "[host]:port" are
    taken apart; a number, or a string that is one, is a port on all interfaces. "unix:PATH" and a
    string with a slash are paths of Unix sockets, which gevent does not take. ValueError for a
    string that is none of these, TypeError for other objects.
    """
    if isinstance(address, tuple):
        host = address[0]
        return (AF_INET6 if not host or ":" in host else AF_INET), address
    if isinstance(address, str) and not address.isdigit():
        if address.startswith("unix:"):
            return AF_UNIX, address[len("unix:"):]
        if "/" in address:
            return AF_UNIX, address
        host, _, port = address.rpartition(":")
        family, host = _family_of(host)
        try:
            return family, (host, int(port))
        except ValueError as error:
            raise ValueError("Failed to parse address %r: %s" % (address, error)) from None
    if isinstance(address, (str, int)):
        return AF_INET6, ("", int(address))
    raise TypeError("Expected tuple or string, got %s" % type(address))


class BaseServer:
    """A server without a protocol: subclasses say what is read and how a listener is made.

    listener: a socket that is bound (and listens, if it is one of streams), or an address for
    parse_address. handle: called for each connection in a greenlet of its own; or the subclass has
    a method of that name. What it was called with is closed when it returns. spawn: "default" (a
    Greenlet each), "raw", a number (the size of a Pool), a Pool or anything with spawn() and
    full(), a function that is called like gevent.spawn, or None: in the greenlet that accepts,
    which accepts no other connection meanwhile.

    A server belongs to the OS thread that started it. Leaving a ``with`` block stops it.
    """

    #: How long the server pauses after an error of accept or spawn, in seconds; twice as long after
    #: each further one, up to max_delay.
    min_delay = 0.01
    max_delay = 1
    #: How many connections are accepted before other greenlets run. 1 where several processes
    #: accept on one socket.
    max_accept = 100
    #: How many seconds stop() gives to the handlers in the pool.
    stop_timeout: Optional[float] = 1
    #: Errors of the listener that end the server.
    fatal_errors = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)

    pool: Any = None
    socket: Any
    handle: Callable[..., Any]
    _spawn: Optional[Callable[..., Any]]
    _acceptor: Optional[Greenlet]
    _reading: bool  # the greenlet that accepts waits, and runs no handler
    _unbegun: int  # handlers that were spawned and have not run yet
    _made_path: Optional[str] = None

    def __init__(self, listener: Any, handle: Optional[Callable[..., Any]] = None,
                 spawn: Any = "default") -> None:
        self._acceptor, self._reading, self._unbegun = None, False, 0
        self._stop_event = Event()
        self._stop_event.set()
        self._handle: Optional[Callable[..., Any]] = None
        self.family: int = 0
        self.address: Any = None
        self.loop = get_hub().loop
        self.delay = self.min_delay
        try:
            self.set_listener(listener)
            self.set_spawn(spawn)
            self.set_handle(handle)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "BaseServer":
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    # -- what it is made of

    def set_listener(self, listener: Any) -> None:
        """Take a bound socket, or the address to bind when the server starts. ValueError,
        TypeError: it is no address."""
        if hasattr(listener, "accept"):
            self.family = listener.family
            self.address = listener.getsockname()
            self.socket = listener
        else:
            self.family, self.address = parse_address(listener)

    def set_spawn(self, spawn: Any) -> None:
        """Choose how handlers are run: see the class. TypeError: nothing that can be called."""
        self.pool = None
        if isinstance(spawn, int) and not isinstance(spawn, bool):
            spawn = Pool(spawn)
        if spawn == "default":
            self._spawn = Greenlet.spawn
        elif spawn == "raw":
            self._spawn = spawn_raw
        elif hasattr(spawn, "spawn"):
            self.pool = spawn
            self._spawn = spawn.spawn
        elif spawn is None or callable(spawn):
            self._spawn = spawn
        else:
            raise TypeError("spawn must be 'default', 'raw', None, a number, a pool or a function, "
                            "not %r" % (spawn,))
        if hasattr(spawn, "full"):
            self.full = spawn.full  # type: ignore[method-assign]

    def set_handle(self, handle: Optional[Callable[..., Any]]) -> None:
        """Set the function for connections that come from now on. TypeError: neither it nor a
        method `handle` is there."""
        if handle is not None:
            self.handle = handle
        if not hasattr(self, "handle"):
            raise TypeError("'handle' must be provided")
        self._handle = self.handle

    # -- accepting

    def full(self) -> bool:
        """True while no further handler may be spawned."""
        return False

    def start_accepting(self) -> None:
        """Spawn the greenlet that accepts; a no-op if there is one."""
        if self._acceptor is None:
            self._acceptor = Greenlet(self._accept_for_ever)
            self._acceptor.start()

    def stop_accepting(self) -> None:
        """End the greenlet that accepts. A connection that it has accepted by now is
        handled all the same."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None and acceptor is not getcurrent() and self._reading:
            acceptor.kill(block=False)

    def _accept_for_ever(self) -> None:
        me, accepted = getcurrent(), 0
        while self._acceptor is me:
            try:
                self._reading = True
                if self.full():
                    if not self._wait_for_room():
                        return
                    continue
                arguments = self.do_read()
            except GreenletExit:
                self._go_on_if_killed(me)
                return
            except get_hub().SYSTEM_ERROR:
                raise
            except BaseException as error:
                if self._acceptor is not me:
                    return  # stop_accepting, then the socket was closed
                if self.is_fatal_error(error):
                    self._failed(self, error)
                    self.close()
                    return
                self._failed(self, error)
                self._back_off()
                continue
            finally:
                self._reading = False
            if arguments is None:
                continue
            if self._begin(arguments):
                accepted += 1
                if accepted >= self.max_accept:
                    accepted = 0
                    sleep(0)

    def _begin(self, arguments: Tuple[Any, ...]) -> bool:
        """Handle what was read. False, after a pause, if no handler could be spawned."""
        try:
            self.do_handle(*arguments)
        except BaseException as error:
            self.do_close(*arguments)
            if isinstance(error, GreenletExit):
                self._go_on_if_killed(getcurrent())
            if not isinstance(error, Exception):
                raise
            self._failed((arguments[1:], self), error)
            self._back_off()
            return False
        self.delay = self.min_delay
        return True

    def _go_on_if_killed(self, me: Greenlet) -> None:
        """Let another greenlet accept if `me` was killed by somebody else than stop_accepting, as
        by a killall of all greenlets."""
        if self._acceptor is me:
            self._acceptor = None
            self.start_accepting()

    def _wait_for_room(self) -> bool:
        if self.pool is not None and hasattr(self.pool, "wait_available"):
            self.pool.wait_available()
            return True
        # A full() of the program's own: it calls start_accepting() when there is room.
        self.stop_accepting()
        return False

    def _failed(self, context: Any, error: BaseException) -> None:
        """Report the error. A report that fails, as without a descriptor to read a source file by,
        does not end the server."""
        try:
            get_hub().handle_error(context, type(error), error, error.__traceback__)
        except Exception as another:
            _note("%s failed with %r (and the report of it with %r)" % (context, error, another))

    def _back_off(self) -> None:
        delay = self.delay
        self.delay = min(self.max_delay, delay * 2)
        sleep(delay)

    def do_read(self) -> Optional[Tuple[Any, ...]]:
        """Wait for something to handle; the arguments for `handle`, or None to try
        again. Subclasses have it."""
        raise NotImplementedError()

    def do_handle(self, *arguments: Any) -> None:
        """Call the handler as `spawn` says, and do_close when it has returned or failed."""
        spawn, handle = self._spawn, self._handle
        if spawn is None:
            self._unbegun += 1
            try:
                self._run_handler(handle, self.do_close, arguments)
            except get_hub().SYSTEM_ERROR:
                raise
            except BaseException as error:
                # A Timeout or GreenletExit ends the handler, not the greenlet that accepts.
                self._failed(self, error)
        else:
            spawn(self._run_handler, handle, self.do_close, arguments)
            self._unbegun += 1

    def _run_handler(self, handle: Any, close: Callable[..., Any],
                     arguments: Tuple[Any, ...]) -> Any:
        self._unbegun -= 1
        try:
            return handle(*arguments)
        finally:
            close(*arguments)

    def do_close(self, *arguments: Any) -> None:
        """Called with the handler's arguments when it is done."""

    def is_fatal_error(self, ex: BaseException) -> bool:
        """True if the listener can be used no more."""
        return isinstance(ex, OSError) and ex.errno in self.fatal_errors

    # -- where it listens

    @property
    def server_host(self) -> Optional[str]:
        """The IP address that the server is bound to."""
        return self.address[0] if isinstance(self.address, tuple) else None

    @property
    def server_port(self) -> Optional[int]:
        """The port that the server is bound to."""
        return self.address[1] if isinstance(self.address, tuple) else None

    def init_socket(self) -> None:
        """Called by start(): make, bind and listen on a socket if there is only an address yet."""

    # -- its life

    @property
    def started(self) -> bool:
        """True from start() to stop() or close()."""
        return not self._stop_event.is_set()

    @property
    def closed(self) -> bool:
        """True if there is no listening socket, before start() and after close()."""
        return "socket" not in self.__dict__

    def start(self) -> None:
        """Begin to accept, after binding the address if one was given. OSError: it cannot be
        bound. Does not switch."""
        monkey._patch("socket", "dns", "select")
        # It imports modules, which it could not do any more when the server runs
        # out of descriptors.
        get_hub()
        self.init_socket()
        self._stop_event.clear()
        self._unbegun = 0
        try:
            self.start_accepting()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop accepting and close the listening socket. Handlers go on. May switch:
        handlers of connections that were accepted begin before the socket is closed, as
        gunicorn's ask it for its name."""
        self._stop_event.set()
        acceptor = self._acceptor
        self.stop_accepting()
        listener = self.__dict__.pop("socket", None)
        self.__dict__.pop("_socket", None)
        if listener is not None:
            try:
                self._let_begin(acceptor)
            finally:
                listener.close()
        path, self._made_path = self._made_path, None
        if path is not None:
            self._remove(path)

    def _let_begin(self, acceptor: Optional[Greenlet]) -> None:
        if acceptor is None or acceptor is getcurrent():
            return
        try:
            if self._spawn is not None:
                acceptor.join(timeout=1)
            for _ in range(3):
                if self._unbegun > 0:
                    sleep(0)
        except BlockingSwitchOutError:
            pass

    @staticmethod
    def _remove(path: str) -> None:
        import os

        try:
            os.unlink(path)
        except OSError:
            pass

    def stop(self, timeout: Optional[float] = None) -> None:
        """close(), then wait for the handlers in the pool, `timeout` seconds (stop_timeout if
        None), and kill those that are left.

        Handlers that run in no pool go on until they end by themselves.
        """
        self.close()
        if timeout is None:
            timeout = self.stop_timeout
        if self.pool is not None and hasattr(self.pool, "join"):
            self.pool.join(timeout=timeout)
            if hasattr(self.pool, "kill"):
                self.pool.kill(block=True, timeout=1)

    def serve_forever(self, stop_timeout: Optional[float] = None) -> None:
        """start() if need be, and wait until the server is stopped. What ends the wait otherwise,
        as KeyboardInterrupt, stops the server."""
        if not self.started:
            self.start()
        try:
            self._stop_event.wait()
        finally:
            Greenlet.spawn(self.stop, timeout=stop_timeout).join()

    # -- what it looks like

    def _formatinfo(self) -> str:
        parts = []
        listener = self.__dict__.get("socket")
        if listener is not None:
            try:
                parts.append("fileno=%s" % listener.fileno())
            except Exception as error:
                parts.append("fileno=%r" % (error,))
        address = self.address
        if isinstance(address, tuple) and len(address) >= 2:
            address = "%s:%s" % address[:2]
        if address is not None:
            parts.append("address=%s" % (address,))
        handle = self.__dict__.get("handle")
        if handle is not None:
            owner = getattr(handle, "__self__", None)
            parts.append("handle=%s" %
                         ("<bound method of the server>" if owner is self else repr(handle)))
        return " ".join(parts)

    def __repr__(self) -> str:
        return "<%s at %s %s>" % (type(self).__name__, hex(id(self)), self._formatinfo())

    def __str__(self) -> str:
        return "<%s %s>" % (type(self).__name__, self._formatinfo())


def _note(line: str, stream: Any = None) -> None:
    """One line for the people who run the server: never an error of its own."""
    try:
        (sys.stderr if stream is None else stream).write(line + "\n")
    except Exception:
        pass


