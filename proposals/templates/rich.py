"""What people wrote, made safe to print: plain names, and texts of a little Markdown.

Promises: no HTML, script or picture of a writer reaches the page; links lead to https, mailto or tel only; controls
that turn the order of characters around are left out, so that a name cannot disguise an amount; headings never skip a
level; nothing that was written is lost, but a text that nests deeper than `NESTING_MAX` is printed as it was typed.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

NESTING_MAX = 12  # tokens inside tokens; a list in a list is four
WORD_MAX, PIECE = 80, 40  # longer words get places where they may break, every so many characters
LEVEL_MAX = 6
BREAK_HERE = "\u200b"
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ue000-\uf8ff\U000e0000-\U0010ffff]"
)
_LONG = re.compile(rf"\S{{{WORD_MAX},}}")
_LINK = re.compile(r"^(https://|mailto:|tel:)", re.IGNORECASE)


def clean(text: str) -> str:
    """Without controls, of bidirectional order too, and without private characters; line ends are one newline. Words
    that fill more than a line may break anywhere."""
    kept = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _LONG.sub(_with_breaks, kept)


def _with_breaks(found: re.Match[str]) -> str:
    word = found.group()
    return BREAK_HERE.join(word[start : start + PIECE] for start in range(0, len(word), PIECE))


def direction(text: str) -> str:
    """`rtl` or `ltr`, by the first letter that has one."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def plain(text: str) -> Markup:
    """A name inside a line: what runs from right to left is isolated, so that its direction stays its own."""
    cleaned = clean(text)
    if any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in set(cleaned)):
        return Markup('<bdi dir="{}">{}</bdi>').format(direction(cleaned), cleaned)
    return escape(cleaned)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 100})
    parser.disable(["image", "html_block", "html_inline", "fence", "code", "reference"])
    parser.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


@lru_cache(maxsize=256)
def rich(text: str, top: int | None = None) -> Markup:
    """Blocks of HTML for a text of Markdown. Its headings begin at level `top`; without one they are bold lines."""
    cleaned = clean(text)
    if not cleaned.strip():
        return Markup("")
    tokens = _PARSER.parse(cleaned)
    if any(_depth(token) > NESTING_MAX for token in tokens):
        return _as_typed(cleaned)
    _set_headings(tokens, top)
    _set_directions(tokens)
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {}))


def _depth(token: Token) -> int:
    return token.level + max((child.level for child in token.children or ()), default=0)


def _as_typed(text: str) -> Markup:
    rows = (row.strip() for row in text.split("\n"))
    return Markup("").join(Markup('<p dir="{}">{}</p>\n').format(direction(row), row) for row in rows if row)


def _set_headings(tokens: Sequence[Token], top: int | None) -> None:
    """A heading stands at most one level below the one before it, whatever the writer counted."""
    before, levels = 0, [0]
    for token in tokens:
        if token.type not in ("heading_open", "heading_close"):
            continue
        if top is None:
            token.tag = "p"
            if token.type == "heading_open":
                token.attrSet("class", "strong")
            continue
        if token.type == "heading_open":
            written = int(token.tag[1])
            while len(levels) > 1 and levels[-1] >= written:
                levels.pop()
            levels.append(written)
            before = min(top + len(levels) - 2, LEVEL_MAX)
        token.tag = f"h{before}"


def _set_directions(tokens: Sequence[Token]) -> None:
    """Blocks that begin with a letter that runs from right to left run so."""
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        begins = following if token.type in ("paragraph_open", "heading_open") else None
        if begins is not None and direction(begins.content) == "rtl":
            token.attrSet("dir", "rtl")
