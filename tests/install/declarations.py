"""What the public headers declare and what the libraries export, for the tests of both."""

from __future__ import annotations

import glob
import os
import re
import subprocess

# The headers that belong to a library of their own; all others are libbine's.
OWN_HEADERS = {"libbine-tls": ["bine/tls.h"], "libbine-http": ["bine/http.h"]}
SCRIPTS = {"libbine": "src/bine.map", "libbine-tls": "src/tls/bine-tls.map",
           "libbine-http": "src/http/bine-http.map"}
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)\)")
VISIBLE = 'visibility("default")'


def run(*command: str, given: str = "") -> str:
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout


def preprocessed(include: str, language: str, headers: list[str]) -> dict[str, str]:
    """The text that each file below `include` has after preprocessing."""
    compiler = ["c++", "-std=c++17"] if language == "c++" else ["cc", "-std=gnu11"]
    source = "".join(f"#include <{header}>\n" for header in headers)
    texts: dict[str, str] = {}
    name = ""
    for line in run(*compiler, "-E", "-x", language, f"-I{include}", "-",
                    given=source).splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            name = marker.group(1)
        elif name.startswith(include):
            texts[name] = texts.get(name, "") + line + "\n"
    return texts


def statements(text: str) -> list[str]:
    """The declarations of a C header at its top level; what stands between braces is left out."""
    text = text.replace('extern "C" {', "").replace('extern "C"\n{', "")
    found, depth = [""], 0
    for piece in re.split(r"([{};])", text):
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
            # A function's body ends its declaration; a struct's or an initialiser's does not.
            if (depth == 0 and ")" in found[-1] and "=" not in found[-1] and
                "typedef" not in found[-1]):
                found.append("")
        elif depth == 0 and piece == ";":
            found.append("")
        elif depth == 0:
            found[-1] += piece
    return [statement.strip() for statement in found if statement.strip()]


def function_name(statement: str) -> str | None:
    """The function that a statement declares without defining it."""
    bare = ATTRIBUTE.sub("", statement)
    if "(" not in bare or re.match(r"\s*(typedef|static|_Static_assert|static_assert)\b", bare):
        return None
    match = re.search(r"(\w+)\s*\(", bare)
    return match.group(1) if match else None


def c_headers(include: str) -> list[str]:
    return [os.path.relpath(path, include)
            for path in sorted(glob.glob(f"{include}/**/*.h", recursive=True))]


def declared_in_c(include: str) -> dict[str, dict[str, str]]:
    """For each header the functions that it declares, with their declarations."""
    headers = c_headers(include)
    by_file: dict[str, dict[str, str]] = {}
    for path, text in preprocessed(include, "c", headers).items():
        functions = by_file[os.path.relpath(path, include)] = {}
        for statement in statements(text):
            name = function_name(statement)
            if name:
                functions[name] = statement
    return by_file


def library_name(path: str) -> str:
    return os.path.basename(path).split(".so")[0]


def declared_for(by_file: dict[str, dict[str, str]], library: str) -> dict[str, str]:
    """The functions of one library, with their declarations."""
    own = OWN_HEADERS.get(library)
    others = {header for headers in OWN_HEADERS.values() for header in headers}
    functions: dict[str, str] = {}
    for header, declared in by_file.items():
        if header in own if own else header not in others:
            functions |= declared
    return functions


def declared_in_cxx(include: str) -> set[str]:
    """The functions that C++ sees with BINE_API."""
    text = "".join(preprocessed(include, "c++", ["bine.hpp", "bine/tls.h", "bine/http.h"]).values())
    found = set()
    for declaration in re.findall(r"__attribute__\(\(" + re.escape(VISIBLE) + r"\)\)[^;{]*", text):
        name = function_name(declaration)
        if name:
            found.add(name)
    return found


def exported(library: str) -> dict[str, str]:
    """The symbols that a library defines for others, with their versions."""
    symbols = {}
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        kind, symbol = line.split()[-2:]
        name, _, version = symbol.partition("@@")
        if kind != "A":  # the name of a version itself
            symbols[name] = version
    return symbols


def in_script(path: str) -> dict[str, str]:
    symbols, node = {}, ""
    with open(path) as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    for line in text.splitlines():
        if line.endswith("{"):
            node = line[:-1].strip()
        elif re.match(r"\s+\w+;", line):
            symbols[line.strip(" ;")] = node
    return symbols
