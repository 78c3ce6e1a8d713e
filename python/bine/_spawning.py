"""Where greenlets were spawned (Greenlet.spawning_stack). Nothing is noted before track() asks for it: it takes longer than a spawn."""

import sys
from types import CodeType, FrameType
from typing import Any, List, Optional, Tuple

from . import _bine


class Frame:
    """What a frame said when a greenlet was spawned: enough for traceback.print_stack()."""

    __slots__ = ("f_code", "f_lineno", "f_back")

    f_globals = f_locals = property(lambda self: {})

    def __init__(self, f_code: CodeType, f_lineno: int, f_back: "Optional[Frame]") -> None:
        self.f_code, self.f_lineno, self.f_back = f_code, f_lineno, f_back

    def __repr__(self) -> str:
        return "<frame of %s, line %d of %s>" % (self.f_code.co_name, self.f_lineno, self.f_code.co_filename)


def track(limit: int) -> None:
    """From now on note the `limit` innermost frames of the spawner for each new greenlet, and below them the spawner's own; 0: no more."""
    if not limit:
        return _bine.track_spawning(None)

    def capture(spawner: Any) -> Optional[Frame]:
        frames: List[Tuple[CodeType, int]] = []
        frame: Optional[FrameType] = sys._getframe(1)
        while frame is not None and len(frames) < limit:
            frames.append((frame.f_code, frame.f_lineno))
            frame = frame.f_back
        stack: Optional[Frame] = spawner.spawning_stack
        for code, line in reversed(frames):
            stack = Frame(code, line, stack)
        return stack

    _bine.track_spawning(capture)
