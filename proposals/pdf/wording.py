"""Text as it can be set: only characters that a bundled font has, and in pieces that lines can be broken in.

PDF/A and PDF/UA forbid text without a glyph, so what no font has is shown as the sign for that, U+FFFD. The engine's
time grows with the square of a text: it looks at all that is left of it for each line. So long texts become several,
long words get places where a line may break, which are not seen, and runs of blanks become one.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from proposals.pdf.engine import font_files
from sfa.core.errors import Refused

UNKNOWN = "\ufffd"
BREAK = "\u200b"
NEVER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff]")
UNSEEN = re.compile("[\u00ad\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
LONG = re.compile(r"[^\s\u200b-]{200,}")
LONG_IN_MUCH = re.compile(r"[^\s\u200b-]{40,}")
MUCH = 2_000  # characters of one text
STEP = 20
PIECE = 400
TEXT_MAX = 100_000
BLANKS = re.compile(r"[ \t\r\n]{40,}")
AS_WRITTEN = frozenset(("style", "title"))


def written(text: str) -> str:
    """Without what is no character: halves of pairs, controls, places that Unicode keeps free."""
    return NEVER.sub(UNKNOWN, text)


def mend(root: Any, missing: frozenset[int] = frozenset()) -> None:
    """Changes the texts below the element `root`; `missing` are code points that were found to have no glyph. Refuses
    `pdf_refused` for a text of more than `TEXT_MAX` characters."""
    covered = _covered() - missing if missing else _covered()
    _without_empty_rows(root)
    for element in list(root.iter()):
        if isinstance(element.tag, str) and element.tag not in AS_WRITTEN and element.text:
            element.text, *others = _pieces(_mended(element.text, covered))
            _insert(element, 0, others)
        children = list(element)
        for place in range(len(children) - 1, -1, -1):
            child = children[place]
            if child.tail:
                child.tail, *others = _pieces(_mended(child.tail, covered))
                _insert(element, list(element).index(child) + 1 if others else 0, others)


def _without_empty_rows(root: Any) -> None:
    """PDF/UA has no groups of rows without a row."""
    for table in list(root.iter("table")):
        for group in table.findall("tbody") + table.findall("thead") + table.findall("tfoot"):
            if group.find("tr") is None:
                table.remove(group)


def _insert(parent: Any, place: int, texts: list[str]) -> None:
    for text in reversed(texts):
        piece = parent.makeelement("span", {})
        piece.text = text
        parent.insert(place, piece)


def _pieces(text: str) -> list[str]:
    """The text, cut behind blanks or breaks into parts of about `PIECE` characters; never none."""
    if len(text) <= 2 * PIECE:
        return [text]
    if len(text) > TEXT_MAX:
        raise Refused("pdf_refused", f"one text has at most {TEXT_MAX} characters", reason="text")
    pieces, begin = [], 0
    while len(text) - begin > 2 * PIECE:
        behind = max(text.rfind(" ", begin, begin + PIECE), text.rfind(BREAK, begin, begin + PIECE))
        end = behind + 1 if behind > begin else begin + PIECE
        pieces.append(text[begin:end])
        begin = end
    return [*pieces, text[begin:]]


def _mended(text: str, covered: frozenset[int]) -> str:
    if len(text) > 40:
        text = BLANKS.sub(" ", text)
        text = (LONG_IN_MUCH if len(text) > MUCH else LONG).sub(_broken, text)
    if text.isascii():
        return text
    unknown = {ord(character) for character in text} - covered
    return text.translate(dict.fromkeys(unknown, UNKNOWN)) if unknown else text


def _broken(word: re.Match[str]) -> str:
    return BREAK.join(_steps(word[0]))


def _steps(word: str) -> Iterator[str]:
    """Parts of about `STEP` characters; marks stay with what they are on."""
    begin = 0
    while begin < len(word):
        end = begin + STEP
        while end < len(word) and end < begin + 2 * STEP and _joins(word[end - 1], word[end]):
            end += 1
        yield word[begin:end]
        begin = end


def _joins(before: str, after: str) -> bool:
    return unicodedata.combining(after) > 0 or after in "\u200d\ufe0e\ufe0f" or before == "\u200d"


@cache
def _covered() -> frozenset[int]:
    """Code points that some bundled font has, with those that are never seen."""
    fonts = import_module("fontTools.ttLib")
    found = set(range(0x20)) | {ord(character) for character in map(chr, range(0x10000)) if UNSEEN.match(character)}
    found |= set(range(0xE0100, 0xE01F0))
    for path in font_files():
        with fonts.TTFont(path, lazy=True) as font:
            found |= font.getBestCmap().keys()
    return frozenset(found)
