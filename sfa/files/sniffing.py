"""What content is, read from the content: media type and, of images, width and height as they are shown.

puremagic knows the signatures. Office documents are told apart by what is inside the archive, text by being text. An
image that its own decoder cannot open is of no known kind.
"""

import warnings
import zipfile
from pathlib import Path
from typing import NamedTuple

import puremagic
from PIL import Image

from sfa.files.rules import canonical

HEAD_BYTES = 64 << 10
DECODED = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF"}
EXIF_ORIENTATION, ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)
OFFICE = {
    "word/document.xml": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xl/workbook.xml": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ppt/presentation.xml": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
ALLOWED_CONTROLS = {9, 10, 12, 13}


class Seen(NamedTuple):
    media_type: str | None
    width: int | None = None
    height: int | None = None


def sniff(path: Path, wanted: str) -> Seen:
    """What the file is. `wanted` only decides between the names that fit alike: plain text or CSV."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    wanted = canonical(wanted)
    if wanted in ("text/plain", "text/csv") and is_text(head):
        return Seen(wanted)
    if head.startswith(b"PK\x03\x04"):
        return Seen(_office(path))
    found = _signature(head, wanted)
    if found in DECODED:
        return _measured(path, found)
    return Seen(found)


def is_text(head: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut off."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3 or len(head) < HEAD_BYTES:
            return False
    return not any(byte < 32 and byte not in ALLOWED_CONTROLS for byte in head)


def _signature(head: bytes, wanted: str) -> str | None:
    try:
        found = [match for match in puremagic.magic_string(head) if match.mime_type]
    except puremagic.PureError:
        return None
    if not found:
        return None
    best = max(match.confidence for match in found)
    kinds = [canonical(match.mime_type) for match in found if match.confidence == best]
    return wanted if wanted in kinds else kinds[0]


def _office(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "application/zip"
    return next((kind for name, kind in OFFICE.items() if name in names), "application/zip")


def _measured(path: Path, media_type: str) -> Seen:
    """By the header alone: nothing is decoded."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=[DECODED[media_type]]) as image:
                width, height = image.size
                notes = image.getexif() if media_type != "image/png" else {}  # of a PNG they would be decoded
                turned = notes.get(EXIF_ORIENTATION) in ON_ITS_SIDE
    except Exception:  # a decoder may fail in any way on hostile bytes
        return Seen(None)
    return Seen(media_type, height, width) if turned else Seen(media_type, width, height)
