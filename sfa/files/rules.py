"""What the headers of an upload say, and whether content is what was declared: pure.

Everything here refuses with a code of the catalogue and touches neither database nor disk.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from sfa.core.errors import Refused
from sfa.core.ids import is_key

TUS_VERSION = "1.0.0"
OFFSET_TYPE = "application/offset+octet-stream"
CHECKSUMS = ("sha1", "sha256", "md5")
METADATA_CHARS_MAX = 4_000
DIGITS_MAX = 15
SAME_TYPE = {
    "image/jpg": "image/jpeg",
    "image/heic": "image/heif",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
}
TYPES = (
    *("image/jpeg", "image/png", "image/webp", "image/gif", "image/heif", "application/pdf"),
    *("text/plain", "text/csv", "audio/mp4", "audio/mpeg", "video/mp4"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Declared(Struct, frozen=True):
    """What an upload says of itself: for which attachment it is, which content comes, and as what."""

    attachment: str
    sha256: str
    media_type: str


class Checksum(Struct, frozen=True):
    """Of the body of one request."""

    algorithm: str
    digest: bytes

    def check(self, found: bytes) -> None:
        if found != self.digest:
            raise Refused("upload_checksum")

    def start(self) -> Any:
        return hashlib.new(self.algorithm, usedforsecurity=False)


class Content(Struct, frozen=True):
    """What was found when all bytes were there."""

    sha256: str
    size: int
    media_type: str
    width: int | None = None
    height: int | None = None


def number(text: str | None, name: str) -> int:
    """A header that is a whole number of bytes."""
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX):
        raise Refused("upload_invalid", f"{name} must be a number of bytes", header=name)
    return int(text)


def metadata(text: str) -> dict[str, str]:
    """`Upload-Metadata`: pairs of a key and a base64 value, separated by commas; a value may be missing."""
    if len(text) > METADATA_CHARS_MAX:
        raise _wrong("it is too long")
    found: dict[str, str] = {}
    for pair in text.split(","):
        key, _, value = pair.strip().partition(" ")
        if not key or not key.isascii() or key in found:
            raise _wrong("a key is missing or there twice")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode("utf-8")
        except ValueError as error:  # not base64, not UTF-8, or not even ASCII
            raise _wrong(f"{key[:50]} is not UTF-8 in base64") from error
    return found


def _wrong(text: str) -> Refused:
    return Refused("upload_invalid", f"Upload-Metadata: {text}", header="Upload-Metadata")


def declared(said: Mapping[str, str]) -> Declared:
    """The three values that every upload must bring. `filetype` and `filename` are the names that clients use."""
    key, sha256, kind = said.get("attachment", ""), said.get("sha256", "").lower(), said.get("filetype", "")
    if not is_key(key):
        raise _wrong("`attachment` is the key of the attachment that the bytes are of")
    if not _SHA256.fullmatch(sha256):
        raise _wrong("`sha256` is the digest of the whole file in hexadecimal")
    if not kind:
        raise _wrong("`filetype` is the media type, as image/jpeg")
    return Declared(key, sha256, canonical(kind))


def checksum(text: str | None) -> Checksum | None:
    """`Upload-Checksum: sha1 <base64>`."""
    if text is None:
        return None
    algorithm, _, value = text.strip().partition(" ")
    if algorithm not in CHECKSUMS:
        raise Refused("upload_invalid", f"Upload-Checksum: one of {', '.join(CHECKSUMS)}", header="Upload-Checksum")
    try:
        digest = base64.b64decode(value.strip(), validate=True)
    except ValueError as error:
        raise Refused("upload_invalid", "Upload-Checksum is not base64", header="Upload-Checksum") from error
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise Refused("upload_invalid", f"Upload-Checksum is no {algorithm}", header="Upload-Checksum")
    return Checksum(algorithm, digest)


def canonical(media_type: str) -> str:
    """A media type without parameters, in the one name that is used here."""
    bare = media_type.partition(";")[0].strip().lower()
    return SAME_TYPE.get(bare, bare)


def check_type(found: str | None, wanted: str, allowed: Collection[str]) -> str:
    """The type that the content has. Refuses what is not taken, and what was declared as something else."""
    if found is None or found not in allowed:
        raise Refused("file_type_refused", f"the content is {found or 'of no known kind'}", found=found)
    if found != canonical(wanted):
        raise Refused("file_type_refused", f"declared as {wanted[:100]}, the content is {found}", found=found)
    return found


def differs(row: Mapping[str, Any], content: Content) -> Refused | None:
    """Why content cannot be that of an attachment row; None where it is."""
    if row["sha256"] != content.sha256 or row["size"] != content.size:
        return Refused("file_differs", "the attachment declares another SHA-256 or size", attachment=row["name"])
    if canonical(row["media_type"]) != content.media_type:
        told = f"the attachment is declared as {row['media_type']}, the content is {content.media_type}"
        return Refused("file_type_refused", told, found=content.media_type)
    return None


def told(content: Content) -> dict[str, Any]:
    """The fields that the server sets on an attachment whose bytes are there."""
    return {"stored": True, "sniffed_type": content.media_type, "width": content.width, "height": content.height}
