"""Pools of OS threads (gevent.threadpool)."""

from ..threadpool import ThreadPool, ThreadPoolExecutor, ThreadResult

__all__ = ["ThreadPool", "ThreadPoolExecutor", "ThreadResult"]
