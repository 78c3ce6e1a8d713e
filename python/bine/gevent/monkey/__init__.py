"""Monkey patching (gevent.monkey): see bine.monkey."""

from ...monkey import (get_original, is_anything_patched, is_module_patched, is_object_patched, main, patch_all, patch_builtins,
                       patch_contextvars, patch_dns, patch_os, patch_queue, patch_select, patch_selectors, patch_signal, patch_socket,
                       patch_ssl, patch_subprocess, patch_sys, patch_thread, patch_time, saved)

__all__ = [
    "get_original", "is_anything_patched", "is_module_patched", "is_object_patched", "main", "patch_all", "patch_builtins", "patch_contextvars",
    "patch_dns", "patch_os", "patch_queue", "patch_select", "patch_selectors", "patch_signal", "patch_socket", "patch_ssl", "patch_subprocess",
    "patch_sys", "patch_thread", "patch_time", "saved",
]
