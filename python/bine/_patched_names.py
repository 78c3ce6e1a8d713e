"""Which names of the standard library become cooperative with which family of libc calls: the names
that gevent replaces."""

from typing import Dict, Tuple

# Module -> (families, names). A name that this CPython does not have is left out
# where the table is used.
NAMES: Dict[str, Tuple[Tuple[str, ...], Tuple[str, ...]]] = {
    "os": (("process",), ("close", "fork", "forkpty", "posix_spawn", "posix_spawnp", "waitpid")),
    "_thread": (("thread",), ("LockType", "_local", "allocate_lock", "exit", "get_ident",
                              "stack_size", "start_new_thread", "start_joinable_thread")),
    "threading": (("thread",), ("Event", "Lock", "Thread", "Timer", "_CRLock", "_DummyThread",
                                "_allocate_lock", "_set_sentinel", "_shutdown", "_start_new_thread",
                                "_start_joinable_thread", "get_ident", "local")),
    "_threading_local": (("thread",), ("local",)),
    "time": (("time",), ("sleep",)),
    "socket": (("socket",), ("SocketType", "create_connection", "fromfd", "getaddrinfo", "getfqdn",
                             "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo",
                             "socket", "socketpair")),
    "select": (("select",), ("epoll", "poll", "select")),
    "selectors": (("select",),
                  ("DefaultSelector", "EpollSelector", "PollSelector", "SelectSelector")),
    "ssl": (("socket",), ("SSLContext", "SSLSocket", "get_server_certificate", "wrap_socket")),
    "subprocess": (("process",),
                   ("CompletedProcess", "Popen", "call", "check_call", "check_output", "run")),
    "signal": (("signal",), ("getsignal", "set_wakeup_fd", "signal")),
    "queue": (("semaphore",), ("LifoQueue", "PriorityQueue", "Queue", "SimpleQueue")),
}
