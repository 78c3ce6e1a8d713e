"""Monkey patching under gevent's name (gevent.monkey): the calls and flags of bine.monkey, which
does it, and gevent's events and plugins around them.

No object is replaced, so `saved` has, for each name that gevent would replace, the object that is
there. The functions of `api` do replace attributes, of whichever modules a program gives them.
"""

from ...monkey import is_anything_patched, is_module_patched, is_object_patched, saved
from . import api
from ._errors import MonkeyPatchWarning
from ._main import main
from ._patch import (patch_all, patch_builtins, patch_contextvars, patch_dns, patch_os, patch_queue,
                     patch_select, patch_selectors, patch_signal, patch_socket, patch_ssl,
                     patch_subprocess, patch_sys, patch_thread, patch_time)
from .api import get_original, patch_item, patch_module, remove_item

__all__ = [
    "MonkeyPatchWarning", "api", "get_original", "is_anything_patched", "is_module_patched",
    "is_object_patched", "main", "patch_all", "patch_builtins", "patch_contextvars", "patch_dns",
    "patch_item", "patch_module", "patch_os", "patch_queue", "patch_select", "patch_selectors",
    "patch_signal", "patch_socket", "patch_ssl", "patch_subprocess", "patch_sys", "patch_thread",
    "patch_time", "remove_item", "saved",
]
