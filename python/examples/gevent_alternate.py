"""Programs one and two as gevent's users write them. Run it with:   python -m bine.gevent gevent_alternate.py"""

import gevent


def f(n):
    for i in range(n):
        print(gevent.getcurrent(), i)
        gevent.sleep(0)


gevent.joinall([gevent.spawn(f, 5), gevent.spawn(f, 5), gevent.spawn(f, 5)])
