"""What buyers ask about a version, and what they are answered.

Anybody with a link may ask, also when the version is over: then it is how a new one is asked for. A question is a row
that devices get like any other; the proposal's row is locked while one is added, so limits hold and twice is once.
"""

import hashlib
import unicodedata
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from proposals import store
from proposals.buyer import links
from proposals.buyer.links import STAFF, Link
from proposals.delivery import outbox
from sfa.core.errors import Refused
from sfa.crm.about import lock_first
from sfa.db import outgoing
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.proposal_timeline import Visitor
from sfa.db.tables import ROWS
from sfa.db.writes import Door, Origin

ENTITY = "proposal_questions"
NAME_MAX, TEXT_MAX = 200, 4_000
QUESTIONS_MAX = 50  # of a proposal
OPEN_MAX = 10  # of one person that nobody has answered yet
AGAIN_MS = 60_000
# What turns the direction of what follows: a name or a text shall read as it was typed.
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_USERS = ROWS["users"]
_Q, _U = ROWS[ENTITY].c, _USERS.c


class Question(Struct, frozen=True, kw_only=True):
    """As the page and the company's people see it: `answered_by` is the name of who answered."""

    key: str
    version: int
    recipient_key: str | None
    place: str | None
    asked_by: str
    asked_at: int
    text: str
    answer: str | None
    answered_at: int | None
    answered_by: str | None


class Asked(Struct, frozen=True):
    """`again`: the same was asked a moment ago, and is there once."""

    key: str
    again: bool


class _Keyed(Struct, frozen=True):
    key: str


class _Places(Struct, frozen=True):
    """What of a document can be asked about; nothing else of it is decoded."""

    sections: tuple[_Keyed, ...] = ()
    items: tuple[_Keyed, ...] = ()


def ask(
    connection: Connection, now_ms: int, link: Link, name: str, text: str, place: str | None, visitor: Visitor
) -> Asked:
    """Refuses `question_invalid` (nothing said, too long, a place that the document has not), `question_limit` and, by
    a staff link, `not_permitted`."""
    if link.kind == STAFF:
        raise Refused("not_permitted", "this link shows the page and answers nothing")
    name, text = cleaned(name, lines=False), cleaned(text)
    door, origin = Door(connection, now_ms), Origin(author_key=None, at=now_ms, stored_at=now_ms)
    lock_first(door, "proposals", link.proposal_key)
    proposal = door.cell("proposals", link.proposal_key)
    if not proposal.exists:
        raise Refused("not_found")
    links.check_open(connection, link, now_ms)
    name = name or _recipient(door, link).get("name", "")
    _check(connection, link, name, text, place)
    asked = [cell for cell in door.load_where(ENTITY, "proposal_key", (link.proposal_key,)) if cell.exists]
    mine = [cell for cell in asked if cell.row["recipient_key"] == link.recipient_key]
    for cell in mine:
        if _is_same(cell.row, link, text, place, now_ms):
            return Asked(cell.key, True)
    waiting = sum(cell.row["answered_at"] is None for cell in mine)
    if len(asked) >= QUESTIONS_MAX or waiting >= OPEN_MAX:
        raise Refused("question_limit", f"{waiting} of these wait for an answer", waiting=waiting)
    key = _key(link, now_ms, len(asked), text)
    said = {"proposal_key": link.proposal_key, "version": link.version, "recipient_key": link.recipient_key}
    said |= {"place": place, "asked_by": name, "asked_at": now_ms, "text": text}
    door.put(door.cell(ENTITY, key), said, origin, "ask")
    door.flush()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    detail = {"question": key, "sha256": sha256, "name": name, "link_key": link.link_key}
    at = (connection, link.proposal_key, link.version, now_ms)
    timeline.note(*at, timeline.ASKED, recipient_key=link.recipient_key, visitor=visitor, detail=detail)
    data = {"proposal_key": link.proposal_key, "deal_key": proposal.row["deal_key"], "version": link.version}
    data |= {"number": proposal.row["number"], "question_key": key, "recipient_key": link.recipient_key}
    outgoing.emit(connection, "proposal.question", f"ev-{key}", now_ms, data)
    _mail_owner(door, proposal, link.version, key, now_ms)
    return Asked(key, False)


def of_version(connection: Connection, proposal_key: str, version: int) -> list[Question]:
    """The oldest first."""
    return _read(connection, _Q.proposal_key == proposal_key, _Q.version == version)


def of_proposal(connection: Connection, proposal_key: str) -> list[Question]:
    """Of all its versions, the oldest first."""
    return _read(connection, _Q.proposal_key == proposal_key)


def cleaned(text: str, *, lines: bool = True) -> str:
    """As it can be kept and shown (pure): no control characters, halves of characters or turns of direction; lines end
    alike, and a name has one."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = [c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in TURNS)]
    found = "".join(kept)
    return found.strip() if lines else " ".join(found.split())


def _check(connection: Connection, link: Link, name: str, text: str, place: str | None) -> None:
    for field, said, most in (("name", name, NAME_MAX), ("text", text, TEXT_MAX)):
        if not 1 <= len(said) <= most:
            raise Refused("question_invalid", f"a {field} has 1 to {most} characters", field=field)
    if place is None:
        return
    found = msgspec.json.decode(store.body_of(connection, link.proposal_key, link.version), type=_Places)
    if place not in {one.key for one in (*found.sections, *found.items)}:
        raise Refused("question_invalid", "the proposal has no such place", field="place")


def _is_same(row: dict[str, Any], link: Link, text: str, place: str | None, now_ms: int) -> bool:
    said = (row["version"], row["text"], row["place"])
    return said == (link.version, text, place) and row["asked_at"] > now_ms - AGAIN_MS


def _recipient(door: Door, link: Link) -> dict[str, Any]:
    return door.cell("proposal_recipients", link.recipient_key, "none").row if link.recipient_key else {}


def _key(link: Link, now_ms: int, place: int, text: str) -> str:
    """One that no device can have made by chance, and that is the same where a transaction is tried again."""
    said = msgspec.json.encode([link.link_key, now_ms, place, text])
    return f"q-{hashlib.sha256(said).hexdigest()[:40]}"


def _mail_owner(door: Door, proposal: Cell, version: int, key: str, now_ms: int) -> None:
    """Whoever has the deal by now answers."""
    deal = door.cell("deals", proposal.row["deal_key"])
    owner = door.cell("users", deal.row["owner_key"], "none")
    if owner.exists and owner.row["active"]:
        outbox.queue(
            door.connection,
            now_ms,
            kind="question",
            proposal_key=proposal.key,
            version=version,
            user_key=owner.key,
            to=owner.row["email"],
            language=proposal.row["language"],
            about={"question_key": key},
        )


def _read(connection: Connection, *where: Any) -> list[Question]:
    names = [name for name in Question.__struct_fields__ if name != "answered_by"]
    query = select(*(_Q[name] for name in names), _U.name.label("answered_by"))
    joined = query.join(_USERS, _U.key == _Q.answered_by, isouter=True)
    rows = connection.execute(joined.where(~_Q.gone, *where).order_by(_Q.asked_at, _Q.key))
    return [Question(**row) for row in rows.mappings()]
