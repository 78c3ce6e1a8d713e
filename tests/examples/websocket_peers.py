#!/usr/bin/env python3
"""The examples of websockets against Python's websockets: our client with its server, its client
with our server. Usage: websocket_peers.py EXAMPLES

Exit status 77: the examples were not built, or the module is missing."""
import asyncio
import os
import re
import subprocess
import sys

EXAMPLES = sys.argv[1]
SLOWER = int(os.environ.get("BINE_TEST_SLOWER", "1"))
WRAPPER = os.environ.get("BINE_TEST_WRAPPER", "").split()
try:
    import websockets
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve
except ImportError:
    websockets = None


def program(name, *arguments):
    return [*WRAPPER, os.path.join(EXAMPLES, name), *arguments]


async def client_talks_to_their_server():
    heard = []

    async def echo(websocket):
        await websocket.ping()
        async for message in websocket:
            heard.append(message)
            await websocket.send(message.upper())

    async with serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(*program("websocket_client",
                                                               f"ws://127.0.0.1:{port}/"),
                                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                                      stderr=subprocess.PIPE)
        lines = ["hello", "", "ü" * 1000, "x" * 60000]
        for line in lines:
            client.stdin.write((line + "\n").encode())
            answer = await asyncio.wait_for(client.stdout.readline(), 20 * SLOWER)
            assert answer.decode() == line.upper() + "\n", answer[:100]
        out, err = await asyncio.wait_for(client.communicate(b""), 20 * SLOWER)
    assert client.returncode == 0 and b"closed with 1000" in err, (client.returncode, err)
    assert heard == lines, heard
    assert out == b"", out[:200]


async def client_says_what_their_server_refuses():
    async def refuse(connection, request):
        return connection.respond(403, "no\n")

    async with serve(lambda websocket: None, "127.0.0.1", 0, process_request=refuse) as server:
        port = server.sockets[0].getsockname()[1]
        client = await asyncio.create_subprocess_exec(
            *program("websocket_client", f"ws://127.0.0.1:{port}/"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _, err = await asyncio.wait_for(client.communicate(), 20 * SLOWER)
    assert client.returncode == 1 and b"(status 403)" in err, (client.returncode, err)


async def their_client_talks_to_our_server():
    server = subprocess.Popen(program("websocket", "0"), stdout=subprocess.PIPE, text=True)
    try:
        port = re.search(r"127\.0\.0\.1:(\d+)", server.stdout.readline())[1]
        async with connect(f"ws://127.0.0.1:{port}/echo") as websocket:
            for message in ("hello", "", b"\0\1\2", "ü" * 1000, b"x" * 300000,
                            ["in ", "fragments"]):
                await websocket.send(message)
                answer = await asyncio.wait_for(websocket.recv(), 20 * SLOWER)
                assert answer == ("".join(message) if isinstance(message, list)
                                  else message), message[:20]
            await asyncio.wait_for(await websocket.ping(), 20 * SLOWER)
        assert websocket.close_code == 1000, websocket.close_code
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def main():
    if not os.path.exists(os.path.join(EXAMPLES, "websocket_client")) or not websockets:
        print("skip websockets: no Python module of that name" if not websockets
              else "skip websockets: the examples were not built")
        return 77
    passed = failed = 0
    for test in (client_talks_to_their_server, client_says_what_their_server_refuses,
                 their_client_talks_to_our_server):
        try:
            asyncio.run(test())
            print(f"ok {test.__name__}")
            passed += 1
        except Exception as why:  # one test's trouble is not the next one's
            print(f"FAIL {test.__name__}: {type(why).__name__}: {why}")
            failed += 1
    print(f"# {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
