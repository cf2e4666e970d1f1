"""The cursor: where a device stands, opaque to it and authenticated (S12).

It is bound to user, device, contract and server epoch, and holds position `c` in the feed, the clock `g` at which the
scope was last evaluated, and the buckets still being filled with the key reached in each; `early` is the last row that
was sent before its fill, until today's rows are through. What cannot be honoured is answered by a reset with a reason,
never by an error that leaves a phone stuck.
"""

import base64
import binascii
import hashlib
import hmac
import zlib

import msgspec
from msgspec import Struct

TAG_BYTES = 16
PLAIN_BYTES_MAX = 1_024  # a director holds thousands of buckets, whose names compress well
FILL_START = ("", "")


class Cursor(Struct, frozen=True, array_like=True):
    user: str
    device: str
    contract: int
    epoch: str
    c: int
    g: int
    fills: dict[str, tuple[str, str]]
    early: tuple[int, str, str] | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Cursor)


def _tag(secret: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=secret[:64], digest_size=TAG_BYTES, person=b"sync-cursor").digest()


def write(cursor: Cursor, secret: bytes) -> str:
    body = _encoder.encode(cursor)
    body = b"z" + zlib.compress(body, 1) if len(body) > PLAIN_BYTES_MAX else b"p" + body
    return base64.urlsafe_b64encode(_tag(secret, body) + body).decode()


def read(text: str, secret: bytes) -> Cursor | None:
    """The cursor, or None where this server did not make it."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(raw[:TAG_BYTES], _tag(secret, raw[TAG_BYTES:])):
        return None
    try:
        kind, body = raw[TAG_BYTES : TAG_BYTES + 1], raw[TAG_BYTES + 1 :]
        return _decoder.decode(zlib.decompress(body) if kind == b"z" else body)
    except (msgspec.MsgspecError, zlib.error):
        return None


def why_not(cursor: Cursor, user: str, device: str, contract: int, epoch: str) -> str | None:
    """The reason why an authentic cursor is of no use here, or None."""
    if (cursor.user, cursor.device) != (user, device):
        return "cursor_foreign"
    if cursor.epoch != epoch:
        return "epoch_changed"
    if cursor.contract != contract:
        return "contract_changed"
    return None
