"""Links to what was sent: whoever has the token sees the page, so tokens cannot be guessed and are kept nowhere.

A token has 128 bits. It is made of the link's key by the server's secret, so that a reminder can say it again, and the
database knows its digest alone. What was never given, what was revoked and what is over answer alike: with nothing.
"""

import base64
import binascii
import hmac
from hashlib import sha256

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from sfa.core.errors import Refused
from sfa.db.tables import proposal_links

PURPOSE = "proposal-link"  # what `Secret.derive` is asked for
TOKEN_BYTES = 16
BUYER, STAFF = "buyer", "staff"
NOBODYS = sha256(b"").digest()  # in the place of what no token has
_L = proposal_links.c


class Link(Struct, frozen=True, kw_only=True):
    """To one version, for one recipient, or (null) for whoever it was handed to. `made_by` had it made and was given
    it; null of a link that was mailed and that nobody of the company has seen."""

    link_key: str
    proposal_key: str
    version: int
    recipient_key: str | None = None
    kind: str = BUYER
    made_at: int
    ends_at: int | None = None
    made_by: str | None = None

    @property
    def signer(self) -> str:
        """Who signs by it, as `proposal_signatures` names it."""
        return self.recipient_key or f"link:{self.link_key}"


_COLUMNS = [_L[name] for name in Link.__struct_fields__]


def token_of(key: bytes, link_key: str) -> str:
    """22 characters of the URL alphabet; `key` is derived from the secret for `PURPOSE`."""
    return base64.urlsafe_b64encode(hmac.digest(key, link_key.encode(), "sha256")[:TOKEN_BYTES]).decode().rstrip("=")


def make(connection: Connection, key: bytes, link: Link, by: str | None = None) -> str:
    """-> its token. Whoever says it has the page until it is revoked."""
    token = token_of(key, link.link_key)
    said = {name: getattr(link, name) for name in Link.__struct_fields__}
    connection.execute(insert(proposal_links), {**said, "token_sha256": _digest(token), "made_by": by})
    return token


def found(connection: Connection, token: str, now_ms: int) -> Link | None:
    """One statement, whatever is said: how long it takes tells nobody whether that was ever a token."""
    digest = _digest(token) or NOBODYS
    row = connection.execute(select(*_COLUMNS).where(_L.token_sha256 == digest, *_living(now_ms))).mappings().first()
    return Link(**row) if row is not None else None


def check_open(connection: Connection, link: Link, now_ms: int) -> None:
    """Of who writes, under the proposal's lock: refuses `not_found` where it was revoked since it was looked up."""
    query = select(_L.link_key).where(_L.link_key == link.link_key, *_living(now_ms))
    if connection.execute(query).first() is None:
        raise Refused("not_found")


def of_version(connection: Connection, proposal_key: str, version: int) -> list[Link]:
    """Those that can be opened by a buyer, the oldest first."""
    query = select(*_COLUMNS).where(_L.proposal_key == proposal_key, _L.version == version, _L.kind == BUYER)
    ordered = query.where(_L.revoked_at.is_(None)).order_by(_L.made_at, _L.link_key)
    return [Link(**row) for row in connection.execute(ordered).mappings()]


def revoke(connection: Connection, proposal_key: str, recipient_key: str | None, at: int, by: str | None) -> int:
    """All of a recipient's, of whatever version, or (null) all that there are of the proposal; -> how many."""
    these = [_L.proposal_key == proposal_key, _L.revoked_at.is_(None)]
    if recipient_key is not None:
        these.append(_L.recipient_key == recipient_key)
    return connection.execute(update(proposal_links).where(*these).values(revoked_at=at, revoked_by=by)).rowcount


def _living(now_ms: int) -> tuple[ColumnElement[bool], ...]:
    return _L.revoked_at.is_(None), or_(_L.ends_at.is_(None), _L.ends_at > now_ms)


def _digest(token: str) -> bytes | None:
    """Of what a token says; None for what is none."""
    try:
        said = base64.b64decode(token.encode("ascii") + b"==", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    is_one = len(said) == TOKEN_BYTES and base64.urlsafe_b64encode(said).decode().rstrip("=") == token
    return sha256(said).digest() if is_one else None
