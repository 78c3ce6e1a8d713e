"""One measurement per call:   programs.py RUNTIME WORK [PORT]     prints one figure.

RUNTIME: bine, gevent, asyncio, uvloop. WORK: switch, spawn, queue (nanoseconds); memory,
memory_deep, memory_queue, memory_recv (bytes resident per parked greenlet: in sleep, in sleep below
four functions, in a queue's get, in a socket's recv); server (an echo server on PORT until its
standard input ends).
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False  # nothing more is imported before memory is measured
if TYPE_CHECKING:
    import socket
    from typing import Any


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


# -- bine and gevent: the same programs


def greenlets(work: str, g: Any) -> float:
    if work == "switch":
        n = 200000

        def loop() -> None:
            for _ in range(n):
                g.sleep(0)

        begin = time.perf_counter()
        g.joinall([g.spawn(loop), g.spawn(loop)])
        return (time.perf_counter() - begin) / (2 * n) * 1e9
    if work == "spawn":
        n = 50000
        begin = time.perf_counter()
        for _ in range(n):
            g.spawn(nothing).join()
        return (time.perf_counter() - begin) / n * 1e9
    if work == "queue":
        n, queue = 100000, g.queue.Queue()
        begin = time.perf_counter()
        for i in range(n):
            queue.put(i)
            queue.get()
        return (time.perf_counter() - begin) / n * 1e9
    if work.startswith("memory"):
        n, started = 10000, [0]
        queue = g.queue.Queue()
        connections: Any = iter(pairs(PAIRS)) if work == "memory_recv" else None

        def deep(levels: int) -> Any:
            if levels:
                return deep(levels - 1)
            started[0] += 1
            if work == "memory_queue":
                return queue.get()
            if work == "memory_recv":
                return next(connections)[0].recv(1)
            return g.sleep(1000)

        if connections:
            n = PAIRS
        levels = 3 if work == "memory_deep" else 0
        g.joinall([g.spawn(g.sleep, 0.001) for _ in range(10)])
        before = resident()
        parked = [g.spawn(g.sleep, 1000) if work == "memory" else g.spawn(deep, levels)
                  for _ in range(n)]
        # gevent starts only so many at a time: until all have come to where they wait.
        while work != "memory" and started[0] < n:
            g.sleep(0.1)
        g.sleep(2)
        figure = (resident() - before) / n
        assert not parked[0].dead
        import os

        print("%.1f" % figure, flush=True)
        os._exit(0)
    raise ValueError(work)


PAIRS = 450  # of sockets: within the usual limit of descriptors


def pairs(n: int) -> list[tuple[socket.socket, socket.socket]]:
    import socket

    return [socket.socketpair() for _ in range(n)]


def nothing() -> None:
    pass


def serve_greenlets(port: int, g: Any) -> None:
    import socket

    def echo(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            data = connection.recv(16384)
            if not data:
                connection.close()
                return
            connection.sendall(data)

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1000)
    print("ready", flush=True)
    while True:
        g.spawn(echo, listener.accept()[0])


# -- asyncio and uvloop


async def asynchronous(work: str) -> float:
    import asyncio

    if work == "switch":
        n = 100000

        async def loop() -> None:
            for _ in range(n):
                await asyncio.sleep(0)

        begin = time.perf_counter()
        await asyncio.gather(loop(), loop())
        return (time.perf_counter() - begin) / (2 * n) * 1e9
    if work == "spawn":
        n = 50000

        async def coroutine() -> None:
            pass

        begin = time.perf_counter()
        for _ in range(n):
            await asyncio.ensure_future(coroutine())
        return (time.perf_counter() - begin) / n * 1e9
    if work == "queue":
        n = 100000
        queue: asyncio.Queue[Any] = asyncio.Queue()
        begin = time.perf_counter()
        for i in range(n):
            await queue.put(i)
            await queue.get()
        return (time.perf_counter() - begin) / n * 1e9
    if work.startswith("memory"):
        n = 10000
        items: asyncio.Queue[Any] = asyncio.Queue()
        running = asyncio.get_running_loop()
        connections: Any = iter(pairs(PAIRS)) if work == "memory_recv" else None

        async def deep(levels: int) -> Any:
            if levels:
                return await deep(levels - 1)
            if work == "memory_queue":
                return await items.get()
            if work == "memory_recv":
                end = next(connections)[0]
                end.setblocking(False)
                return await running.sock_recv(end, 1)
            return await asyncio.sleep(1000)

        if connections:
            n = PAIRS
        levels = 3 if work == "memory_deep" else 0
        before = resident()
        parked = [asyncio.ensure_future(asyncio.sleep(1000) if work == "memory" else deep(levels))
                  for _ in range(n)]
        await asyncio.sleep(2)
        figure = (resident() - before) / n
        for task in parked:
            task.cancel()
        return figure
    raise ValueError(work)


async def serve_streams(port: int) -> None:
    import asyncio

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            data = await reader.read(16384)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=1000)
    print("ready", flush=True)
    await server.serve_forever()


def main() -> None:
    runtime, work = sys.argv[1:3]
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if runtime in ("bine", "gevent"):
        g: Any
        if runtime == "bine":
            import bine.monkey

            bine.monkey.patch_all()
            import bine.queue

            g = bine
        else:
            import gevent.monkey

            gevent.monkey.patch_all()
            import gevent.queue

            g = gevent
        if work == "server":
            serve_greenlets(port, g)
        figure = greenlets(work, g)
    else:
        import asyncio

        if runtime == "uvloop":
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        if work == "server":
            asyncio.run(serve_streams(port))
        figure = asyncio.run(asynchronous(work))
    print("%.1f" % figure)


if __name__ == "__main__":
    main()
