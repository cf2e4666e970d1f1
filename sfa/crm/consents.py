"""Whether somebody may be contacted, read off the consents of that person: default deny."""

from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.core.consent import Verdict, may_contact
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.core.rules import check_values
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS, redirects

_CONTACTS, _CONSENTS = ROWS["contacts"], ROWS["consents"]


class Answer(Struct, frozen=True):
    """`preferred_channel` is what the person likes best; it allows nothing."""

    key: str
    purpose: str
    channel: str
    as_of: int
    verdict: Verdict
    preferred_channel: str | None


def seen_contact(connection: Connection, caller: str, key: str) -> tuple[str, str | None]:
    """-> (the contact that the key leads to, its preferred channel); `not_found` where the caller sees none."""
    held = listed(connection, person(connection, caller).held or ())
    if not is_key(key):
        raise Refused("not_found")
    leads = select(redirects.c.survivor_key).where(redirects.c.entity == "contacts", redirects.c.loser_key == key)
    survivor = connection.execute(leads).scalar() or key
    query = select(_CONTACTS.c.key, _CONTACTS.c.preferred_channel)
    query = query.where(_CONTACTS.c.key == survivor, lies_in(_CONTACTS.c.buckets, "held"))
    found = connection.execute(query, {"held": held}).first()
    if found is None:
        raise Refused("not_found")
    return found[0], found[1]


def answer(connection: Connection, caller: str, key: str, purpose: str, channel: str, as_of: int) -> Answer:
    check_values("consents", {"purpose": purpose, "channel": channel})
    contact, preferred = seen_contact(connection, caller, key)
    columns = (_CONSENTS.c[c] for c in ("purpose", "channel", "granted", "decided_at", "created_at"))
    query = select(_CONSENTS.c.key, *columns).where(_CONSENTS.c.contact_key == contact, ~_CONSENTS.c.gone)
    rows = [(row["key"], dict(row)) for row in connection.execute(query).mappings()]
    return Answer(contact, purpose, channel, as_of, may_contact(rows, purpose, channel, as_of), preferred)
