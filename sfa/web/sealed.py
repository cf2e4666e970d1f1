"""Places in a list, sealed (AES-256-GCM): a page says where the next one begins, which may be a row that the caller
does not see. So nobody can read a place, make one up, or use it for another list.
"""

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfa.core.errors import Refused
from sfa.web.secret import Secret

PURPOSE = "place-in-a-list"
NONCE_BYTES = 12
CHARACTERS_MAX = 4_000


class Places:
    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def seal(self, place: str, about: str) -> str:
        """`about` says whose place it is, and in which list."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self._secret.derive(PURPOSE)).encrypt(nonce, place.encode(), about.encode())
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def open(self, text: str, about: str) -> str:
        """Refuses what this server did not seal, or not for this list."""
        try:
            if len(text) > CHARACTERS_MAX:
                raise ValueError(text)
            data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            cipher = AESGCM(self._secret.derive(PURPOSE))
            return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], about.encode()).decode()
        except (ValueError, binascii.Error, InvalidTag):
            raise Refused("request_invalid", "`after` is the `next` of another page of the same list") from None
