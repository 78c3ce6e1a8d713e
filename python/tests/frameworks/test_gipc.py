"""gipc: child processes and pipes, on hub.loop.child, hub.wait and gevent's os."""

from loops import run

PROGRAM = '''
import gevent, gipc, os, signal, time

def doubles(reader, writer):
    while True:
        message = reader.get()
        if message == "end":
            break
        gevent.sleep(0.001)
        writer.put((os.getpid(), message * 2))

def adds(handle):
    handle.put(handle.get() + 1)

def fails():
    raise SystemExit(5)

if __name__ == "__main__":
    beats = []
    beat = gevent.spawn(lambda: [gevent.sleep(0.01) or beats.append(1) for _ in range(10000)])
    with gipc.pipe() as (there, send), gipc.pipe() as (receive, back):
        child = gipc.start_process(doubles, args=(there, back))
        for number in range(100):
            send.put(number)
            pid, answer = receive.get(timeout=gevent.Timeout(10))
            assert pid == child.pid and answer == 2 * number
        big = "x" * 1000000
        send.put(big)
        assert receive.get()[1] == 2 * big
        send.put("end")
        child.join(timeout=10)
        assert child.exitcode == 0
    with gipc.pipe(duplex=True) as (here, there):
        child = gipc.start_process(adds, args=(there,))
        here.put(41)
        assert here.get() == 42
        child.join(timeout=10)
        assert child.exitcode == 0
    children = [gipc.start_process(time.sleep, args=(60,)) for _ in range(3)]
    gevent.sleep(0.2)
    for child in children:
        child.terminate()
    for child in children:
        child.join(timeout=10)
    assert [child.exitcode for child in children] == [-signal.SIGTERM] * 3
    child = gipc.start_process(fails)
    child.join(timeout=10)
    assert child.exitcode == 5 and not child.is_alive()
    assert len(beats) > 5
    beat.kill()
    print("done")
'''


def test_processes_and_pipes():
    run(PROGRAM)
