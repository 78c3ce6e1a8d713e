"""Where greenlets were spawned (Greenlet.spawning_stack). Nothing is noted before
track() asks for it."""

from types import CodeType
from typing import Optional

from . import _bine


class Frame:
    """What a frame said when a greenlet was spawned: enough for traceback.print_stack()."""

    __slots__ = ("f_code", "f_lineno", "f_back")

    f_globals = f_locals = property(lambda self: {})

    def __init__(self, f_code: CodeType, f_lineno: int, f_back: "Optional[Frame]") -> None:
        self.f_code, self.f_lineno, self.f_back = f_code, f_lineno, f_back

    def __repr__(self) -> str:
        return "<frame of %s, line %d of %s>" % (self.f_code.co_name, self.f_lineno,
                                                 self.f_code.co_filename)


def track(wanted: bool) -> None:
    """From now on note for each new greenlet the innermost frames of its spawner,
    `spawning_stack_limit` of its class at most; False: no more."""
    _bine.track_spawning(wanted)
