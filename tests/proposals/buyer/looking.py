"""Buyers of the proposal of `tests.proposals.selling`: links to what was sent, and what their browsers say."""

from typing import Any

from sqlalchemy import Connection, select

from proposals.buyer import links, opens
from proposals.buyer.links import Link
from proposals.buyer.opens import Beat, Seen
from proposals.buyer.people import Marks
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import proposal_opens
from tests.office import Office, Phone
from tests.proposals.selling import offered, order

KEY = b"k" * 32
CHROME = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Mobile Safari/537.36"
)
RITA: dict[str, Any] = {"proposal_key": "p1", "name": "Rita", "email": "rita@acme.example", "language": "es"}


def sent(office: Office, key: str = "p1", **said: Any) -> Phone:
    """A proposal with one recipient, `rita-KEY`, as it was sent; -> Ana's phone."""
    ana = offered(office, key, **said)
    office.put(("proposal_recipients", f"rita-{key}", {**RITA, "proposal_key": key}))
    assert order(ana, "send", key).outcome == "applied"
    return ana


def link(
    office: Office, key: str = "p1", version: int = 1, recipient: str | None = "rita-p1", kind: str = links.BUYER
) -> Link:
    """A link to a version, made now."""

    def work(connection: Connection) -> Link:
        name = f"{kind}-{key}-{version}-{recipient}"
        made = Link(
            link_key=name,
            proposal_key=key,
            version=version,
            recipient_key=recipient,
            kind=kind,
            made_at=office.clock.now_ms(),
        )
        links.make(connection, KEY, made)
        return made

    return office.database.write(work)


def session(number: int = 1) -> str:
    return f"{number:022d}"


def look(office: Office, at: Link, number: int = 1, *, agent: str | None = CHROME, **said: Any) -> Seen:
    """A beat of a person who looked for five seconds and scrolled, unless `said` says something else."""
    marks = {name: said.pop(name) for name in ("staff", "prefetch") if name in said}
    values = {"session": session(number), "seconds": 5, "acted": True, **said}
    seen_by = Marks(visitor=Visitor("192.0.2.1", agent), **marks)
    return office.database.write(opens.seen, office.clock.now_ms(), at, Beat(**values), seen_by)


def sessions(office: Office) -> list[dict[str, Any]]:
    return office.all(select(proposal_opens).order_by(proposal_opens.c.link_key, proposal_opens.c.session))
