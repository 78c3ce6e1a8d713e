"""Waits that look as if they were none: loops that only try, calls that wait for a peer, signals between two looks."""

import threading

PATCHED = True


def test_hazard_52_a_program_that_never_calls_bine_lets_others_run():
    # Its greenlets are threads of threading alone. The one that tries has the GIL all the time.
    lock = threading.Lock()
    lock.acquire()

    def tries():
        while not lock.acquire(False):
            pass

    thread = threading.Thread(target=tries)
    thread.start()
    thread.join(0)
    lock.release()
    thread.join()
