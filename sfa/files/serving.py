"""What a download says: which bytes of the file, under which name, as what; pure.

Nothing that a person uploaded runs in a browser: what is not an image or a PDF is offered for saving, and every answer
forbids guessing and scripts.
"""

import re
from typing import NamedTuple
from urllib.parse import quote

from sfa.core.errors import Refused

INLINE = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "application/pdf"})
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/]')
PROTECTED = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cache-control", "private, no-cache"),
    ("cross-origin-resource-policy", "same-origin"),
]


class Span(NamedTuple):
    """Bytes [start, end) of `size`; `is_part` where the answer is 206."""

    start: int
    end: int
    size: int
    is_part: bool


def span(header: str | None, size: int) -> Span:
    """What a Range header asks for. Several ranges, other units and nonsense are answered with the whole file, as HTTP
    allows; refuses `range_invalid` where the file has no such bytes."""
    found = _RANGE.match(header.strip()) if header is not None else None
    if found is None or found.group(1) == found.group(2) == "":
        return Span(0, size, size, False)
    first, last = found.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return Span(0, size, size, False)
    if start >= size or start >= end:
        raise Refused("range_invalid", f"the file has {size} bytes", size=size)
    return Span(start, end, size, True)


def wanted_span(asked_range: str | None, if_range: str | None, etag: str, size: int) -> Span:
    """With `If-Range` the part is given only while the file is the one that the client has the rest of."""
    return span(asked_range if if_range is None or if_range.strip() == etag else None, size)


def matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def disposition(name: str, media_type: str) -> str:
    """RFC 6266: a plain name for everybody and the true one in UTF-8."""
    how = "inline" if media_type in INLINE else "attachment"
    safe = _UNSAFE.sub("_", name).strip() or "file"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_").replace("%", "_")
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe='')}"


def content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
