"""What people wrote, made safe to print: plain names and texts of a little Markdown.

Promises: no HTML, script or picture of a writer reaches the page; links lead to https, mailto or tel only; controls
that turn the order of characters around are left out, so that a name cannot disguise an amount.
"""

import re
import unicodedata

from markdown_it import MarkdownIt
from markupsafe import Markup

_CONTROLS = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff\\ufffe\\uffff]"
)
_LINK = re.compile(r"^(https://|mailto:|tel:)", re.IGNORECASE)


def clean(text: str) -> str:
    """Without controls, of bidirectional order too; line ends are one newline."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


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
    """A name inside a line: isolated, so that its direction stays its own."""
    cleaned = clean(text)
    if not cleaned:
        return Markup("")
    return Markup('<bdi dir="{}">{}</bdi>').format(direction(cleaned), cleaned)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 40})
    parser.disable(["image", "html_block", "html_inline", "fence", "code", "reference"])
    parser.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


def rich(text: str) -> Markup:
    """Blocks of HTML for a text of Markdown."""
    return Markup(_PARSER.render(clean(text)))
