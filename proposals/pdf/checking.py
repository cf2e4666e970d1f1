"""What HTML may be printed at all, decided before the engine sees it: written strictly, of known elements, bounded.

Promises: one pass over the text, without recursion. What passes is nested exactly as it is written, so that no parser
can find more in it: every tag is closed by its own, every `<` begins a tag, comments are none. That is how templates
write and how nobody has to guess what a browser would make of the rest. `links_checked` looks at what was laid out, as
a style can make links too.
"""

import re
from typing import Any, NoReturn

from sfa.core.errors import Refused

CHARACTERS_MAX = 8_000_000
DEPTH_MAX = 64
TABLES_MAX = 3  # inside one another
TAGS_MAX = 100_000
ROWS_MAX = 5_000
SPAN_MAX = 1_000
SIDE_MAX = 3_000.0  # CSS pixels: A2 and a little
_HTML = """html head title meta style body main article section nav aside header footer address div p span a b strong i
    em u s small sub sup mark del ins q cite abbr bdi bdo code kbd pre time data wbr br hr h1 h2 h3 h4 h5 h6 blockquote
    ul ol li dl dt dd table caption colgroup col thead tbody tfoot tr th td figure figcaption img"""
_SVG = """svg g path rect circle ellipse line polyline polygon text tspan title desc defs lineargradient radialgradient
    stop clippath"""
HTML, SVG = frozenset(_HTML.split()), frozenset(_SVG.split())
VOID = frozenset(("meta", "br", "hr", "img", "col", "wbr"))
LINK = re.compile(r"(?:https://|mailto:|tel:|#)", re.IGNORECASE)
STYLE = re.compile(r"<style(?: [^<>]*)?>[^<]*</style>", re.IGNORECASE)
TAG = re.compile(
    r"<(?:(?P<type>!doctype html)|(?P<end>/)?(?P<name>[a-z][a-z0-9]*)"
    r"""(?P<rest>(?:\s+[a-z_:][a-z0-9_:.-]*(?:="[^"<]*+"|='[^'<]*+'|=[^\s"'=<>`]++)?)*+)\s*(?P<empty>/)?)>""",
    re.IGNORECASE,
)
SPAN = re.compile(r"""\s(?:col|row|)span=["']?(\d+)""", re.IGNORECASE)
JSON_MAX = 16 * 1024 * 1024


def check(html: str, document_json: bytes) -> None:
    """Refuses `pdf_refused` with a `reason`: `size`, `markup`, `element`, `depth`, `rows`."""
    if len(html) > CHARACTERS_MAX or len(document_json) > JSON_MAX:
        _refuse("size", f"the HTML of a document has at most {CHARACTERS_MAX} characters, its JSON {JSON_MAX} bytes")
    opened: list[str] = []
    tags = rows = 0
    found = html.find("<")
    while found >= 0:
        tag = TAG.match(html, found)
        if tag is None:
            _refuse("markup", f"no tag that is written strictly: {html[found : found + 60]!r}")
        name, end = (tag["name"] or "").lower(), tag.end()
        tags, rows = tags + 1, rows + (name == "tr" and not tag["end"])
        if tags > TAGS_MAX or rows > ROWS_MAX:
            _refuse("rows", f"a document has at most {TAGS_MAX} tags and {ROWS_MAX} rows of tables")
        if tag["end"]:
            if not opened or opened.pop() != name:
                _refuse("markup", f"</{name}> closes nothing that is open there")
        elif name == "style" and "svg" not in opened:
            end = _end_of_style(html, found)
        elif name:
            _opened(tag, name, opened)
        found = html.find("<", end)
    if opened:
        _refuse("markup", f"<{opened[-1]}> is never closed")


def _end_of_style(html: str, begin: int) -> int:
    style = STYLE.match(html, begin)
    if style is None:
        _refuse("markup", "a style ends with </style> and has no < before")
    return style.end()


def _opened(tag: re.Match[str], name: str, opened: list[str]) -> None:
    drawn = "svg" in opened or name == "svg"
    if name not in (SVG if drawn else HTML):
        _refuse("element", f"<{name}> is never printed", element=name)
    if any(int(number[:9]) > SPAN_MAX for number in SPAN.findall(tag["rest"])):
        _refuse("depth", f"a cell spans at most {SPAN_MAX} others")
    if name in VOID or (tag["empty"] and drawn):
        return
    opened.append(name)
    if len(opened) > DEPTH_MAX or opened.count("table") > TABLES_MAX:
        _refuse("depth", f"elements are nested at most {DEPTH_MAX} deep, tables {TABLES_MAX}")


def links_checked(pages: list[Any]) -> None:
    """Links of pages as they were laid out lead to https, mail, a telephone or elsewhere in the document; pages are of
    a size that paper has. Refuses `pdf_refused`: `link`, `page`."""
    for page in pages:
        if not (0 < page.width <= SIDE_MAX and 0 < page.height <= SIDE_MAX):
            _refuse("page", "a page is as large as paper, A2 at most")
        for kind, target, _rectangle, _box in page.links:
            if kind == "attachment" or (kind == "external" and not LINK.match(target)):
                _refuse("link", f"links lead to https, mailto or tel only: {str(target)[:100]}")


def _refuse(reason: str, text: str, **details: Any) -> NoReturn:
    raise Refused("pdf_refused", text, reason=reason, **details)
