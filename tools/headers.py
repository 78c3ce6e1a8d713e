"""Reads the public headers: their comments, and the declarations that the comments speak of.
tools/reference and tools/manual use it."""
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "bine"
COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
NAME = re.compile(r"\b(?:BINE_NORETURN\s+)?[\w\s\*]*?\*?\b(bine_\w+)\s*\(")


def prose(comment: str) -> str:
    """A comment's text without its stars and rulers."""
    lines = [re.sub(r"^\s*\*( |$)", "", line.rstrip()) for line in comment.strip().splitlines()]
    text = "\n".join(lines).strip()
    ruler = re.fullmatch(r"-+ (.*?) -+", text)
    return f"## {ruler[1]}" if ruler else text


def blocks(source: str) -> Iterator[tuple[str, str]]:
    """(kind, text) in order: 'text' for comments between declarations, 'code' for what
    stands between them."""
    at = 0
    for match in COMMENT.finditer(source):
        line_start = source.rfind("\n", 0, match.start()) + 1
        if source[line_start:match.start()].strip():
            continue  # behind a declaration, or inside one: part of the code
        if depth(source[:match.start()]):
            continue
        yield "code", source[at:match.start()]
        yield "text", prose(match[1])
        at = match.end()
    yield "code", source[at:]


def depth(source: str) -> int:
    """How many braces are open, those of extern "C" not counted: inside a struct
    comments belong to it."""
    bare = COMMENT.sub("", source)
    return bare.count("{") - bare.count("}")


def declarations(code: str) -> str:
    """Code without preprocessor scaffolding."""
    code = re.sub(r"#(ifndef|define) BINE_\w+_H\b.*|#include .*|#endif.*|#ifdef "
                  r"__cplusplus|#else|BINE_BEGIN|BINE_END", "", code)
    return re.sub(r"\bBINE_API ", "", code).strip("\n ")


class Declaration(NamedTuple):
    kind: str  # 'function', 'macro', 'type' or 'other'
    name: str
    code: str  # as it stands, without BINE_API
    remark: str  # the comment behind it on its line, '' if there is none


# One declaration, from the beginning of its line. The body of a struct or of an inline function
# ends with a brace in the first column.
ONE = re.compile(
    r"^(?P<directive>#(?:[^\n\\]|\\\n|\\.)*)\n"
    r"|^(?P<body>(?:typedef |struct |enum |static )[^;{}]*\{.*?^\}[^\n;]*;?)[^\n]*\n"
    r"|^(?P<plain>[a-zA-Z_][^;{}]*;)(?:[ \t]*/\*(?P<remark>.*?)\*/)?",
    re.S | re.M)


def split(code: str) -> Iterator[Declaration]:
    """The declarations in a piece of code of blocks()."""
    code = re.sub(r"^#(?:ifndef|define) BINE_\w+_H\b.*|^BINE_(?:BEGIN|END)$", "", code, flags=re.M)
    for match in ONE.finditer(code):
        text = next(part for part in (match["directive"], match["body"], match["plain"])
                    if part is not None)
        yield Declaration(*classify(text), text.replace("BINE_API ", ""),
                          prose(match["remark"] or ""))


def classify(text: str) -> tuple[str, str]:
    define = re.match(r"#define (\w+)", text)
    if define:
        return "macro", define[1]
    function = re.match(r"BINE_API\s[^;(]*?\b(bine_\w+)\s*\(", text)
    if function:
        return "function", function[1]
    bare = COMMENT.sub("", text)
    function_type = re.match(r"typedef [^({]*?\b(bine_\w+)\s*\(", bare)
    if function_type:
        return "type", function_type[1]
    name = re.search(r"\b(bine_\w+);$", bare) or re.match(r"(?:enum|struct) (bine_\w+)", bare)
    if name and re.match(r"typedef|enum|struct", bare):
        return "type", name[1]
    return ("type" if bare.startswith("enum {") else "other"), ""


def opening(source: str) -> Optional[str]:
    """The text of the comment with which a header begins."""
    return next((text for kind, text in blocks(source) if kind == "text"), None)
