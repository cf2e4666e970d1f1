"""Secrets of endpoints, and the signatures that receivers check (Standard Webhooks, `v1`).

A secret is made here, shown once, and kept sealed (AES-256-GCM) with the server's own. After it was rotated the one
before signs as well for a day, so that a receiver may change over when it likes: a receiver takes any signature that is
right.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct
from standardwebhooks import Webhook

from sfa.web.secret import Secret

PURPOSE = "webhook-secret"
PREFIX = "whsec_"
SECRET_BYTES, NONCE_BYTES = 32, 12
BOTH_MS = 24 * 3600 * 1000
BEFORE_MAX = 3  # secrets of earlier rotations within a day


class Earlier(Struct, frozen=True, array_like=True):
    """A secret that still signs until then (ms)."""

    secret: str
    until: int


class Unreadable(Exception):
    """It was sealed with another secret of the server."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


class Seals:
    """What keeps secrets of endpoints from whoever reads the database alone."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def seal(self, endpoint: str, text: str) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._secret.derive(PURPOSE)).encrypt(nonce, text.encode(), endpoint.encode())

    def open(self, endpoint: str, sealed: bytes) -> str:
        """Raises `Unreadable`."""
        cipher = AESGCM(self._secret.derive(PURPOSE))
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], endpoint.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unreadable from None

    def seal_earlier(self, endpoint: str, earlier: Sequence[Earlier]) -> bytes:
        return self.seal(endpoint, msgspec.json.encode(earlier).decode())

    def open_earlier(self, endpoint: str, sealed: bytes | None, now_ms: int) -> list[Earlier]:
        """Those that still sign; raises `Unreadable`."""
        if sealed is None:
            return []
        found = msgspec.json.decode(self.open(endpoint, sealed), type=list[Earlier])
        return [each for each in found if each.until > now_ms]


def headers(event: str, body: bytes, now_ms: int, keys: Sequence[str]) -> dict[str, str]:
    """The three headers, signed with each of the secrets, the newest first."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    text = body.decode()
    return {
        "webhook-id": event,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": " ".join(Webhook(key).sign(event, at, text) for key in keys),
    }
