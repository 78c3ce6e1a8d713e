#!/usr/bin/env python3
"""The documentation is true, as far as a machine can tell:
docs.py DOCS BUILD INCLUDE CC... [-- CXX...]

 - Every program on a page compiles without a warning and prints what the page says. A page's
   program is its ```c block with a main; what it prints is the ```text block that follows. Spaces
   at line ends do not count. Other ```c blocks compile, unless they leave something out (a line of
   three dots). ```cpp blocks are programs in C++. A block that is the text of a file of examples/,
   or a piece of one, is left to sessions.py.
 - Every bine_ name that a page mentions exists: in the public headers, or, on pages about the
   inside, anywhere in the sources.
 - Every link of a page leads to a file, and to a heading in it. Every file of the sources that
   a page names exists.
 - The map, docs/README.md, leads to every page. docs/environment.md names every variable
   that the sources read.
 - The reference can be made from the headers, and explains every public function.
 - The cookbook's programs have fewer than 120 lines each.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

DOCS, BUILD, INCLUDE, COMPILER = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
CXX = []
if "--" in COMPILER:
    COMPILER, CXX = COMPILER[:COMPILER.index("--")], COMPILER[COMPILER.index("--") + 1:]
PROGRAM = re.compile(r"```(c|cpp)\n(.*?)```\s*(?:```text\n(.*?)```)?", re.S)


ROOT = DOCS.parent
# Of these pages the subject is the inside.
INSIDE = {"debugging", "inspect", "design", "hazards", "limits", "performance", "python",
          "python-compatibility", "CONTRIBUTING", "glossary", "NOTES"}


def pages():
    # The landing page of the site has the links of the site, which tools/docs looks at.
    found = [page for page in sorted(DOCS.rglob("*.md")) if DOCS / "site" not in page.parents]
    return found + [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "bench" / "NOTES.md"]


def lines(text):
    return [line.rstrip() for line in text.strip().splitlines()]


def of_http():
    """The flags to link with libbine-http."""
    for name in "http", "tls":
        place = f"{BUILD}/src/{name}"
        yield from (f"-L{place}", f"-lbine-{name}", f"-Wl,-rpath,{place}")


def run(compiler, source, wanted, directory):
    path = os.path.join(directory, "example.cpp" if compiler is CXX else "example.c")
    program = os.path.join(directory, "example")
    pathlib.Path(path).write_text(source)
    built = subprocess.run(
        [*compiler, "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-I", INCLUDE, path,
         "-o", program, *(of_http() if "bine/http.h" in source else ()), "-L", BUILD, "-lbine",
         f"-Wl,-rpath,{BUILD}", "-pthread"],
        capture_output=True, text=True)
    if built.returncode:
        return "does not compile: " + built.stderr
    try:
        wrapper = os.environ.get("BINE_TEST_WRAPPER", "").split()
        ran = subprocess.run([*wrapper, program], capture_output=True, text=True,
                             timeout=30 * int(os.environ.get("BINE_TEST_SLOWER", "1")))
    except subprocess.TimeoutExpired:
        return "does not end"
    if ran.returncode:
        return f"exit status {ran.returncode}: {ran.stderr}"
    if wanted is not None and lines(ran.stdout) != lines(wanted):
        return f"prints {ran.stdout!r}"
    return None


def compiles(source, directory):
    """A piece of a program: functions as they are, statements in a function's body."""
    headers = ("#include <bine.h>\n#include <bine/tls.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
               "#include <string.h>\n")
    if not re.search(r"^\w.*\)\n\{", source, re.M):
        source = "void piece(void)\n{\n" + source + "}\n"
    path = os.path.join(directory, "piece.c")
    pathlib.Path(path).write_text(headers + source)
    built = subprocess.run([*COMPILER, "-Wall", "-Werror", "-Wno-unused", "-fsyntax-only", "-I",
                            INCLUDE, path],
                           capture_output=True, text=True)
    return "does not compile: " + built.stderr if built.returncode else None


def names_in(*directories):
    """Every bine_ identifier in the sources there, comments aside."""
    found = set()
    for directory in directories:
        for path in [*directory.rglob("*.[chS]"), *directory.rglob("*.hpp")]:
            found |= set(re.findall(r"\bbine_\w+",
                                    re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)))
    return found


def unknown_names(text, known):
    """The names of a page that do not exist. A name that ends in _ stands for all that begin so;
    `_rest` behind a name for one that shares its beginning."""
    for word in set(re.findall(r"\bbine_\w+", text)):
        if (word not in known and
            not (word.endswith("_") and any(name.startswith(word) for name in known))):
            yield word
    for line in text.splitlines():
        for cell in line.split(" | ") if line.startswith("|") else ():
            base = None
            for word in re.findall(r"`(bine_\w+|_\w+)\b", cell):
                if word.startswith("bine_"):
                    base = word
                elif base and not any(base[:end] + word in known
                                      for end in range(len("bine"), len(base) + 1)):
                    yield f"{base} ... {word}"


def headings(page):
    """The anchors of a page, as forges make them of its headings."""
    for heading in re.findall(r"^#+ (.*)", page.read_text(), re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def lost_links(page, text):
    """What a page leads to or names, and is not there. Words in capitals stand for names of
    the reader's choice."""
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"\w+:", target):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (heading and heading not in headings(file)):
            yield target
    for path in re.findall(
            r"(?<![\w/.-])((?:src|include|python|tests|tools|bench|examples|packaging)"
            r"/[\w./*-]*[\w*])",
            prose):
        if not re.search(r"[A-Z]{4}", path) and not list(ROOT.glob(path)):
            yield path


def variables():
    """The variables of the environment that the sources read."""
    for path in [*(ROOT / "src").rglob("*.c"), *(ROOT / "python" / "ext").rglob("*.c"),
                 *(ROOT / "python" / "bine").rglob("*.py")]:
        text = path.read_text()
        yield from re.findall(
            r'getenv\("(BINE_\w+)"\)|environ(?:\.get\(|\[)"(BINE_\w+)"|Setting\[.*\]\("(\w+)"',
            text)


def reference(directory, public):
    """What is wrong with the reference that is made from the headers."""
    tool = [sys.executable, str(ROOT / "tools" / "reference")]
    checked = subprocess.run([*tool, "--check"], capture_output=True, text=True)
    if checked.returncode:
        return checked.stdout + checked.stderr
    subprocess.run([*tool, directory], check=True, capture_output=True)
    text = "\n".join(page.read_text() for page in pathlib.Path(directory).rglob("*.md"))
    functions = set()
    for header in pathlib.Path(INCLUDE).rglob("*.h"):
        functions |= set(re.findall(r"BINE_API [^;(]*?\b(bine_\w+)\(", header.read_text()))
    missing = sorted(name for name in functions if f"{name}(" not in text)
    return f"misses {missing}" if missing or len(functions) < 100 else None


def main():
    passed = failed = skipped = 0
    public = names_in(pathlib.Path(INCLUDE))
    examples = {path.read_text() for path in (ROOT / "examples").rglob("*.c*")}
    figures = set(re.findall(r"\bbine_\w+",
                             (ROOT / "packaging" / "grafana" / "bine.json").read_text()))
    public |= figures  # of bine_metrics, as a dashboard asks for them
    everything = public | names_in(ROOT / "src", ROOT / "python")

    def count(name, trouble):
        nonlocal passed, failed
        passed, failed = passed + (not trouble), failed + bool(trouble)
        print(f"FAIL {name}: {trouble}" if trouble else f"ok {name}")

    with tempfile.TemporaryDirectory() as directory:
        for page in pages():
            text = page.read_text()
            name = str(page.relative_to(ROOT).with_suffix(""))
            for number, (language, source, wanted) in enumerate(PROGRAM.findall(text)):
                if any(source in example for example in examples):
                    continue
                if ("bine/http.h" in source and
                    not os.path.exists(f"{BUILD}/src/http/libbine-http.so")):
                    continue  # not built: it needs libraries that are not here
                if language == "cpp" and not CXX:
                    skipped += 1
                    print(f"skip {name}_{number}: no C++ compiler")
                elif "int main(" in source and "bine" in source:
                    count(f"{name}_{number}", run(CXX if language == "cpp" else COMPILER, source,
                                                  wanted or None, directory))
                elif not re.search(r"^\s*\.\.\.$", source, re.M):
                    count(f"{name}_{number}", compiles(source, directory))
            unknown = sorted(unknown_names(text, everything if page.stem in INSIDE else public))
            count(f"{name}_names", f"no such thing as {unknown}" if unknown else None)
            lost = sorted(set(lost_links(page, text)))
            count(f"{name}_links", f"leads nowhere: {lost}" if lost else None)
        mapped = set(re.findall(r"\]\(([^)#]+)", (DOCS / "README.md").read_text()))
        away = sorted({str(page.relative_to(DOCS))
                       for page in [*DOCS.glob("*.md"), *DOCS.glob("*/README.md")]} - mapped -
                      {"README.md"})
        count("map", f"does not lead to {away}" if away else None)
        text = (DOCS / "environment.md").read_text()
        # `GEVENTARES_SERVERS`, `_TIMEOUT` ...
        short = {"GEVENTARES" + word for word in re.findall(r"`(_[A-Z_]+)`", text)}
        unnamed = sorted({name for found in variables()
                          for name in found if name and name not in text} - short)
        count("environment", f"docs/environment.md does not name {unnamed}" if unnamed else None)
        count("reference", reference(directory, public))
        long = [path.name for path in (ROOT / "examples" / "cookbook").glob("*.c*")
                if path.read_text().count("\n") >= 120]
        count("cookbook", f"120 lines or more: {long}" if long else None)
    print(f"# {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


sys.exit(main())
