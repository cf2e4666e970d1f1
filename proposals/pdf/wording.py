"""Text as it can be set: only characters that a bundled font has, and no word so long that lines cannot be broken.

PDF/A and PDF/UA forbid text without a glyph, so what no font has is shown as the sign for that, U+FFFD. Words of
hundreds of characters get places where a line may break, which are not seen: the engine tries each place of a word
that has none, and takes minutes.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from proposals.pdf.engine import font_files

UNKNOWN = "\ufffd"
BREAK = "\u200b"
NEVER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff]")
UNSEEN = re.compile("[\u00ad\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
LONG = re.compile(r"[^\s\u200b-]{200,}")
LONG_IN_MUCH = re.compile(r"[^\s\u200b-]{40,}")
MUCH = 2_000  # characters of one text
STEP = 20
AS_WRITTEN = frozenset(("style", "title"))


def written(text: str) -> str:
    """Without what is no character: halves of pairs, controls, places that Unicode keeps free."""
    return NEVER.sub(UNKNOWN, text)


def mend(root: Any, missing: frozenset[int] = frozenset()) -> None:
    """Changes the texts below the element `root`; `missing` are code points that were found to have no glyph."""
    covered = _covered() - missing if missing else _covered()
    for element in root.iter():
        if not isinstance(element.tag, str) or element.tag in AS_WRITTEN:
            text = None
        else:
            text = element.text
        if text:
            element.text = _mended(text, covered)
        if element.tail:
            element.tail = _mended(element.tail, covered)


def _mended(text: str, covered: frozenset[int]) -> str:
    if len(text) > 40:
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
