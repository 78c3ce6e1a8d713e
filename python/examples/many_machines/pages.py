"""An application that runs on several machines:

    gunicorn -k gevent -w 2 -b 127.0.0.1:8001 pages:application
"""

import os
import time


def application(environ, start_response):
    """Wait as a query would, then say which process this is."""
    time.sleep(0.05)
    body = b"%d\n" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
