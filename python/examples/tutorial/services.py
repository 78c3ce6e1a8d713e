"""Two services that run until Ctrl-C or SIGTERM, and clean up before the program ends."""

import signal

import bine
from bine.event import Event


def serve(name: str) -> None:
    try:
        bine.sleep(1000000)  # its work, until it is killed: then the sleep raises
    finally:
        print(name, "cleans up")


stop = Event()
for number in (signal.SIGINT, signal.SIGTERM):
    bine.signal_handler(number, stop.set)
services = [bine.spawn(serve, "the first"), bine.spawn(serve, "the second")]
print("running", flush=True)

stop.wait()
bine.killall(services)  # and waits until they have ended
print("ended")
