"""Pools of OS threads (gevent.threadpool)."""

from ..threadpool import ThreadPool, ThreadPoolExecutor

__all__ = ["ThreadPool", "ThreadPoolExecutor"]
