#!/usr/bin/env python3
"""No files of src/core call each other in a circle.

Argument: the static library. Each of its members is the object of one file. A circle is shown with
the functions and variables that close it.
"""

import subprocess
import sys
from collections import defaultdict

ROOMS = "src_core_"


def symbols_of(library: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """(the object that defines each symbol, the symbols that each object uses)"""
    defined, used = {}, defaultdict(set)
    names = subprocess.run(["nm", "-A", library], check=True, capture_output=True, text=True)
    for line in names.stdout.splitlines():
        where, _, rest = line.rpartition(":")
        member, fields = where.rpartition(":")[2], rest.split()
        if not member.startswith(ROOMS) or len(fields) < 2:
            continue
        kind, symbol = fields[-2:]
        if kind == "U":
            used[member].add(symbol)
        elif kind in "TDBRVWC":
            defined[symbol] = member
    return defined, used


def circles(calls: dict[str, set[str]]) -> list[set[str]]:
    """What reaches itself, in groups that reach each other."""
    reached = {}
    for start in calls:
        seen, left = set(), [start]
        while left:
            new = calls.get(left.pop(), set()) - seen
            seen |= new
            left += new
        reached[start] = seen
    found: list[set[str]] = []
    for start in calls:
        if start in reached[start] and not any(start in circle for circle in found):
            found.append({other for other in reached[start] if start in reached.get(other, ())})
    return found


def main() -> int:
    defined, used = symbols_of(sys.argv[1])
    assert len(used) > 20, "the library has no objects of src/core"
    calls = {member: {defined[symbol] for symbol in symbols if symbol in defined} - {member}
             for member, symbols in used.items()}
    found = circles(calls)
    for circle in found:
        print("these files call each other in a circle:", *sorted(circle))
        for member in sorted(circle):
            for symbol in sorted(used[member]):
                if defined.get(symbol) in circle - {member}:
                    print(f"  {member} -> {defined[symbol]}: {symbol}")
    return 1 if found else 0


sys.exit(main())
