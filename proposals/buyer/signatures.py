"""What counts as a signature: a typed name, or a drawing that is not empty, made anew by the server (pure).

A browser's picture is not kept: it is read within limits, whatever it says of itself, and written again as a PNG of two
colours that holds nothing but the strokes. Whatever is wrong is `signature_invalid` with one of `REASONS`.
"""

import struct
import unicodedata
from io import BytesIO
from typing import NoReturn

from PIL import Image

from sfa.core.errors import Refused

TYPED, DRAWN = "typed", "drawn"
NAME_MIN, NAME_MAX = 2, 200
DRAWING_BYTES_MAX = 200_000
KEPT_BYTES_MAX = 200_000  # as it is made anew
SIDE_MAX, SIDE_MIN = 2_000, 16
INK_MIN = 30  # pixels that are drawn: a dot is no signature
DARK = 160  # what is darker than this on white paper is ink
REASONS = {
    "name": "a name has 2 to 200 characters, two of them letters",
    "method": "a signature is typed or drawn",
    "drawing": "a drawn signature has a picture, a typed one none",
    "size": "the picture is larger than 200,000 bytes",
    "type": "the picture is no PNG that can be read",
    "dimensions": "the picture has 16 to 2,000 pixels each way",
    "empty": "nothing is drawn",
}
PNG = b"\x89PNG\r\n\x1a\n"


def name_of(typed: str) -> str:
    """As it is kept: one line, no more spaces than between words."""
    text = " ".join(unicodedata.normalize("NFC", typed).split())
    hidden = any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") or c in _TURNING for c in text)
    letters = sum(unicodedata.category(c).startswith("L") for c in text)
    if hidden or not NAME_MIN <= len(text) <= NAME_MAX or letters < NAME_MIN:
        _refuse("name")
    return text


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def picture_of(method: str, drawing: bytes | None) -> bytes | None:
    """The drawing as it is kept and printed; None for a name that was typed."""
    if method not in (TYPED, DRAWN):
        _refuse("method")
    if (drawing is not None) != (method == DRAWN):
        _refuse("drawing")
    return _strokes(drawing) if drawing is not None else None


def _strokes(drawing: bytes) -> bytes:
    """The same strokes: black where there was ink, clear elsewhere, cut to what is drawn."""
    if len(drawing) > DRAWING_BYTES_MAX:
        _refuse("size")
    ink = _ink(drawing)
    box = ink.getbbox()
    if box is None or ink.histogram()[255] < INK_MIN:
        _refuse("empty")
    kept = ink.crop(box).point([1] + 255 * [0]).convert("P")  # 0 is ink: the palette's first colour
    kept.putpalette((0, 0, 0, 0, 0, 0))
    made = BytesIO()
    kept.save(made, "PNG", bits=1, transparency=b"\xff\x00", optimize=True)
    if made.tell() > KEPT_BYTES_MAX:
        _refuse("size")
    return made.getvalue()


def _ink(drawing: bytes) -> Image.Image:
    """255 where something is drawn that is seen on white paper."""
    if not drawing.startswith(PNG):
        _refuse("type")
    if drawing[12:16] != b"IHDR" or len(drawing) < 24:
        _refuse("type")
    size = struct.unpack(">II", drawing[16:24])
    if not all(SIDE_MIN <= side <= SIDE_MAX for side in size):
        _refuse("dimensions")
    try:
        with Image.open(BytesIO(drawing), formats=("PNG",)) as opened:
            if opened.size != size:  # a second header
                _refuse("dimensions")
            seen = opened.convert("RGBA")
    except Refused:
        raise
    except Exception:  # a reader of foreign bytes fails in ways of its own
        _refuse("type")
    paper = Image.new("RGBA", seen.size, (255, 255, 255, 255))
    grey = Image.alpha_composite(paper, seen).convert("L")
    return grey.point([255 if value < DARK else 0 for value in range(256)])


def _refuse(reason: str) -> NoReturn:
    raise Refused("signature_invalid", REASONS[reason], reason=reason)
