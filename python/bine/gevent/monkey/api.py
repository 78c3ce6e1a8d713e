"""Replacing attributes of Python modules (gevent.monkey.api), for programs and plugins that patch
modules of their own.

What patch_all() does needs none of this: see bine.monkey.
"""

import warnings
from types import ModuleType
from typing import Any, Callable, List, Optional, Sequence, Union

from ... import monkey as _bine
from ._errors import MonkeyPatchWarning

__all__ = ["get_original", "patch_item", "patch_module", "remove_item"]

_missing = object()


def get_original(mod_name: str, item_name: Union[str, Sequence[str]]) -> Any:
    """The object before patching, by the names of the module and the attribute; for a list of
    names a list of objects.

    It is what `saved` has, else the object that is there. AttributeError or ImportError if there is
    none. It does not switch.
    """
    return _bine.get_original(mod_name, item_name)


def patch_item(module: ModuleType, attr: str, newitem: Any) -> None:
    """Set module.attr, and keep the object that was there in `saved`, unless one is
    kept already."""
    olditem = getattr(module, attr, _missing)
    if olditem is not _missing:
        _bine.saved.setdefault(module.__name__, {}).setdefault(attr, olditem)
    setattr(module, attr, newitem)


def remove_item(module: ModuleType, attr: str) -> None:
    """Delete module.attr, and keep the object in `saved`. Nothing happens if there is none."""
    olditem = getattr(module, attr, _missing)
    if olditem is not _missing:
        _bine.saved.setdefault(module.__name__, {}).setdefault(attr, olditem)
        delattr(module, attr)


def patch_module(target_module: ModuleType, source_module: ModuleType,
                 items: Optional[List[str]] = None) -> bool:
    """Replace attributes of `target_module` by the attributes of the same names of `source_module`.

    The names are `items`, else source_module.__implements__ (AttributeError if there is neither).
    The source's functions `_gevent_will_monkey_patch(target_module, items, warn)` and
    `_gevent_did_monkey_patch` are called before and after if there are any, then the subscribers of
    GeventWillPatchModuleEvent and GeventDidPatchModuleEvent. False if one of them raised
    DoNotPatch, else True.
    """

    def replace(names: List[str]) -> None:
        for name in names:
            patch_item(target_module, name, getattr(source_module, name))

    return announced(target_module, source_module,
                     source_module.__implements__ if items is None else items, replace)


def announced(target: ModuleType, source: ModuleType, items: List[str],
              patch: Callable[[List[str]], None]) -> bool:
    """Call patch(items) between the hooks and events of `target`. False, without patching, if one
    of them raised DoNotPatch or left no item."""
    from .. import events

    def warn(message: str) -> None:
        warnings.warn(message, MonkeyPatchWarning, stacklevel=2)

    items, name = list(items), target.__name__
    try:
        _call_hook(source, "will", target, items, warn)
        event = events.GeventWillPatchModuleEvent(name, source, target, items)
        events.notify_and_call_entry_points(event)
    except events.DoNotPatch:
        return False
    if not event.target_item_names:
        return False
    patch(event.target_item_names)
    _call_hook(source, "did", target, event.target_item_names, warn)
    events.notify_and_call_entry_points(events.GeventDidPatchModuleEvent(name, source, target))
    return True


def _call_hook(source: ModuleType, when: str, target: ModuleType, items: List[str],
               warn: Callable[[str], None]) -> None:
    hook = getattr(source, "_gevent_%s_monkey_patch" % when, None)
    if hook is not None:
        hook(target, items, warn)
