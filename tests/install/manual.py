#!/usr/bin/env python3
"""Every exported function has a page of the manual, and mandoc finds nothing wrong with the pages.

Arguments: the source directory, the directory that the pages were written to, then
the shared libraries.
"""

import pathlib
import re
import shutil
import subprocess
import sys

from declarations import exported

failures = 0


def check(name: str, wrong: list[str]) -> None:
    global failures
    if not wrong:
        print("ok", name)
        return
    failures += 1
    print(f"FAIL {name}: {'; '.join(wrong[:10])}")


def main() -> int:
    top, built, *libraries = sys.argv[1:]
    pages = sorted([*pathlib.Path(built).glob("man[37]/*"),
                    *pathlib.Path(top, "docs/man").glob("bine.[17]")])
    text = {page.name: page.read_text() for page in pages}
    alias = {name: match[1] for name, content in text.items()
             if (match := re.match(r"\.so man3/(\S+)\n", content))}
    functions = [name for library in libraries
                 for name in exported(library) if name.startswith("bine_")]

    def page_of(name: str) -> str:
        return text.get(alias.get(f"{name}.3", f"{name}.3"), "")

    check("every_function_has_a_page_that_shows_how_it_is_called",
          [name for name in functions if not re.search(rf"^\.Fo {name}$", page_of(name), re.M)])
    check("every_function_is_named_by_its_page",
          [name for name in functions if not re.search(rf"^\.Nm {name}\b", page_of(name), re.M)])
    check("other_names_lead_to_pages", [f"{name}: {target}" for name, target in alias.items()
                                        if target not in text or target in alias])
    check("pages_refer_to_pages_that_exist", [
        f"{page}: {name}({section})" for page, content in text.items()
        for name, section in re.findall(r"^\.(?:Xr|It Xr|Pq Xr) (bine\w*) (\d)", content, re.M)
        if f"{name}.{section}" not in text])
    if not shutil.which("mandoc"):
        print("skip mandoc_finds_nothing: no mandoc here")
        return 1 if failures else 0
    real = [str(page) for page in pages if page.name not in alias]
    found = subprocess.run(["mandoc", "-Tlint", *real], stdout=subprocess.PIPE, text=True,
                           check=False).stdout.splitlines()
    # Whether other packages' pages are installed says nothing about these; those of Bine
    # were looked at above.
    check("mandoc_finds_nothing",
          [line for line in found if "referenced manual not found" not in line])
    return 1 if failures else 0


sys.exit(main())
