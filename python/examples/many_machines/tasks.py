"""Tasks that survive the death of a worker:   celery -A tasks worker -P gevent -c 100

A worker acknowledges a task when it is done, not when it takes it. If the worker dies, the broker
gives the task to another one: RabbitMQ as soon as the connection breaks, Redis after
`visibility_timeout`. So a task may run twice: what it does must be harmless the second time.
"""

import os
import time

from celery import Celery

app = Celery("tasks", broker=os.environ.get("BROKER", "amqp://guest:guest@127.0.0.1//"),
             backend=os.environ.get("BACKEND", "redis://127.0.0.1/1"))
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 10} if app.conf.broker_url.startswith("redis")
    else {},
)


@app.task
def square(number: int) -> int:
    """Wait as a query would, and answer."""
    time.sleep(0.2)
    return number * number
