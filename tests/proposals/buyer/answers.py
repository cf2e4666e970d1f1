"""Buyers of the proposals of `tests.proposals.selling`: who gets a link, and what they answer by it."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw
from sqlalchemy import Connection, select

from proposals import store
from proposals.buyer import answering, choosing, consent, links
from proposals.buyer.answering import Acceptance, Answered, Decline, Standing
from proposals.buyer.links import Link
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from sfa.db import proposal_timeline as timeline
from sfa.db.database import Database
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import commission_entries, credited, proposal_answers, proposal_signatures, webhook_events
from sfa.db.tables import proposal_versions as versions_table
from tests.office import Office
from tests.proposals.selling import offered, order

KEY = b"k" * 32
VISITOR = Visitor("192.0.2.7", "A browser")


def recipient(key: str, name: str, *, proposal: str = "p1", role: str = "signer", position: int = 0) -> Any:
    values = {"proposal_key": proposal, "name": name, "email": f"{key}@buyer.example"}
    return ("proposal_recipients", key, {**values, "role": role, "position": position})


def sent(office: Office, *people: Any, key: str = "p1", **said: Any) -> None:
    """A proposal that was sent to these people, by default to Carla, who signs."""
    ana = offered(office, key, **said)
    office.put(*(people or (recipient("carla", "Carla Ruiz", proposal=key),)))
    receipt = order(ana, "send", key)
    assert receipt.outcome == "applied", receipt


def link(
    office: Office, recipient_key: str | None = "carla", *, key: str = "p1", version: int = 1, **said: Any
) -> Link:
    """The link that a mail brought, made now."""
    name = f"link-{key}-{version}-{recipient_key or said.pop('name', 'hand')}"
    made = Link(link_key=name, proposal_key=key, version=version, recipient_key=recipient_key, made_at=0, **said)
    kept = {one.link_key for one in office.database.read(links.of_version, key, version)}
    if name not in kept:
        office.database.write(links.make, KEY, made)
    return made


def acceptance(office: Office, by: Link, choices: Choices | None = None, **said: Any) -> Acceptance:
    """As a browser sends it that shows what stands, with these options."""
    return office.database.read(shown, by, choices or Choices(), said)


def shown(connection: Connection, by: Link, choices: Choices, said: dict[str, Any]) -> Acceptance:
    document = store.document_of(connection, by.proposal_key, by.version)
    offer = store.offer_of(connection, by.proposal_key, by.version)
    try:
        chosen = choosing.chosen(document, offer, choices)
    except Refused:  # what a browser sends that makes its own choices
        chosen = document
    values: dict[str, Any] = {
        "link": by,
        "name": "Carla Ruiz",
        "method": "typed",
        "consent_digest": consent.digest_of(consent.consent_of(chosen)),
        "digest": store.version_of(connection, by.proposal_key, by.version).digest,
        "total_minor": chosen.priced.total_minor,
        "choices": choices,
        "visitor": VISITOR,
    }
    return Acceptance(**{**values, **said})


def accept(office: Office, by: Link, choices: Choices | None = None, **said: Any) -> Answered:
    return office.database.write(answering.accept, office.clock.now_ms(), acceptance(office, by, choices, **said))


def decline(office: Office, by: Link, reason: str = "Too dear", name: str = "Carla Ruiz") -> Answered:
    asked = Decline(link=by, name=name, reason=reason, visitor=VISITOR)
    return office.database.write(answering.decline, office.clock.now_ms(), asked)


def standing(office: Office, by: Link) -> Standing:
    return office.database.read(answering.standing, office.clock.now_ms(), by)


def refused(work: Any, *args: Any, **kwargs: Any) -> str:
    """The code by which it is refused."""
    try:
        found = work(*args, **kwargs)
    except Refused as refusal:
        return refusal.code
    raise AssertionError(f"it was not refused: {found}")


def drawing(*, size: tuple[int, int] = (400, 120), strokes: int = 3, kind: str = "PNG") -> bytes:
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    for n in range(strokes):
        pen.line((20, 20 + 20 * n, 200, 60 + 10 * n), fill=(0, 0, 128, 255), width=3)
    made = BytesIO()
    picture.save(made, kind)
    return made.getvalue()


def events(office: Office, key: str = "p1") -> list[str]:
    """The kinds of the timeline, whose chain holds."""
    found = office.database.read(timeline.events_of, key)
    assert timeline.broken_at(key, found) is None
    return [event.kind for event in found]


def told(office: Office, *prefixes: str) -> list[str]:
    """Webhook events of these kinds."""
    rows = office.all(select(webhook_events.c.kind).order_by(webhook_events.c.kind))
    return [row["kind"] for row in rows if row["kind"].startswith(prefixes or ("proposal.", "deal."))]


def answers(office: Office) -> list[dict[str, Any]]:
    return office.all(select(proposal_answers).order_by(proposal_answers.c.proposal_key, proposal_answers.c.version))


def signatures(office: Office) -> list[dict[str, Any]]:
    return office.all(select(proposal_signatures).order_by(proposal_signatures.c.ordinal))


def statuses(office: Office, key: str = "p1") -> list[str]:
    v = versions_table.c
    return [row["status"] for row in office.all(select(v.status).where(v.proposal_key == key).order_by(v.version))]


def earned(office: Office) -> list[tuple[int, str, bool, int]]:
    c = credited.c
    rows = office.all(select(c.n, c.user_key, c.reversal, c.amount_minor).order_by(c.n, c.reversal, c.user_key))
    return [(row["n"], row["user_key"], row["reversal"], row["amount_minor"]) for row in rows]


def commissions(database: Database) -> list[dict[str, Any]]:
    return database.read(lambda c: [dict(row) for row in c.execute(select(commission_entries)).mappings()])
