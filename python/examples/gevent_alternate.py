"""alternate.py by gevent's names. Run it with:   python -m bine.gevent gevent_alternate.py"""

import gevent


def f(n):
    for i in range(n):
        print(gevent.getcurrent(), i)
        gevent.sleep(0)


gevent.joinall([gevent.spawn(f, 5), gevent.spawn(f, 5), gevent.spawn(f, 5)])
