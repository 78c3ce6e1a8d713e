#!/usr/bin/env python3
"""The library's ELF notes name the probes, each with a semaphore:   probes.py LIBRARY"""

import re
import subprocess
import sys

ARGUMENTS = {"spawn": 3, "switch": 3, "park": 3, "wake": 3, "end": 3, "kill": 3}


def main():
    notes = subprocess.run(["readelf", "-nW", sys.argv[1]], stdout=subprocess.PIPE, check=True,
                           text=True).stdout
    found = re.findall(r"Provider: bine\s+Name: (\w+)\s+Location: (\w+), Base: \w+, Semaphore: "
                       r"(\w+)\s+Arguments: (.*)", notes)
    assert {name for name, *_ in found} == set(ARGUMENTS), found
    for name, location, semaphore, arguments in found:
        assert int(location, 16) and int(semaphore, 16), (name, location, semaphore)
        assert len(arguments.split()) == ARGUMENTS[name], (name, arguments)
    print("ok %d probes" % len(found))


main()
