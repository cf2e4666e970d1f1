"""Keys made from the names that other systems use, so that the same file finds its own rows again.

Promises: equal names give equal keys and different names different ones, in every run and on every machine; the key is
one of `sfa.core.ids` and can be read by people ("account-Gekko_.26_Co"). Does not do: find a row that was given its
external id under another key (`load` does).
"""

import hashlib
import re

from sfa.core.ids import KEY_CHARACTERS_MAX, check_key

PREFIX_CHARACTERS_MAX = 12
DIGEST_CHARACTERS = 16
_OTHER = re.compile(r"[^A-Za-z0-9\-]")


def external_key(prefix: str, external_id: str) -> str:
    """`prefix-name`, with a blank as "_" and any other character as "." and its UTF-8 bytes in upper-case hex. A name
    too long for that ends in ".x" and a digest, which no spelt-out name contains."""
    if len(prefix) > PREFIX_CHARACTERS_MAX:
        raise ValueError(f"the prefix {prefix!r} leaves too little of a key")
    key = f"{prefix}-{_OTHER.sub(_spelt, external_id)}"
    if len(key) > KEY_CHARACTERS_MAX:
        digest = hashlib.sha256(external_id.encode()).hexdigest()[:DIGEST_CHARACTERS]
        key = f"{key[: KEY_CHARACTERS_MAX - DIGEST_CHARACTERS - 2]}.x{digest}"
    return check_key(key)


def _spelt(match: re.Match[str]) -> str:
    character = match.group()
    return "_" if character == " " else "".join(f".{byte:02X}" for byte in character.encode())
