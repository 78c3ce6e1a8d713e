"""One measurement per call:   programs.py RUNTIME WORK [PORT]     prints one figure.

RUNTIME: bine, gevent, asyncio, uvloop. WORK: switch, spawn, queue, memory (nanoseconds, or bytes per parked greenlet); server (an echo server
on PORT until its standard input ends).
"""

import sys
import time


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


# -- bine and gevent: the same programs


def greenlets(work, g):
    if work == "switch":
        n = 200000

        def loop():
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
    if work == "memory":
        n = 10000
        g.joinall([g.spawn(g.sleep, 0.001) for _ in range(10)])
        before = resident()
        parked = [g.spawn(g.sleep, 1000) for _ in range(n)]
        g.sleep(0.01)
        figure = (resident() - before) / n
        assert not parked[0].dead
        import os

        print("%.1f" % figure, flush=True)
        os._exit(0)


def nothing():
    pass


def serve_greenlets(port, g):
    import socket

    def echo(connection):
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


async def asynchronous(work):
    import asyncio

    if work == "switch":
        n = 100000

        async def loop():
            for _ in range(n):
                await asyncio.sleep(0)

        begin = time.perf_counter()
        await asyncio.gather(loop(), loop())
        return (time.perf_counter() - begin) / (2 * n) * 1e9
    if work == "spawn":
        n = 50000

        async def coroutine():
            pass

        begin = time.perf_counter()
        for _ in range(n):
            await asyncio.ensure_future(coroutine())
        return (time.perf_counter() - begin) / n * 1e9
    if work == "queue":
        n, queue = 100000, asyncio.Queue()
        begin = time.perf_counter()
        for i in range(n):
            await queue.put(i)
            await queue.get()
        return (time.perf_counter() - begin) / n * 1e9
    if work == "memory":
        n = 10000
        before = resident()
        parked = [asyncio.ensure_future(asyncio.sleep(1000)) for _ in range(n)]
        await asyncio.sleep(0.01)
        figure = (resident() - before) / n
        for task in parked:
            task.cancel()
        return figure


async def serve_streams(port):
    import asyncio

    async def echo(reader, writer):
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


def main():
    runtime, work = sys.argv[1:3]
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    if runtime in ("bine", "gevent"):
        if runtime == "bine":
            from bine import monkey

            monkey.patch_all()
            import bine as g
            import bine.queue
        else:
            from gevent import monkey

            monkey.patch_all()
            import gevent as g
            import gevent.queue
        figure = serve_greenlets(port, g) if work == "server" else greenlets(work, g)
    else:
        import asyncio

        if runtime == "uvloop":
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        figure = asyncio.run(serve_streams(port) if work == "server" else asynchronous(work))
    print("%.1f" % figure)


if __name__ == "__main__":
    main()
