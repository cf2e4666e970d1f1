"""What the company's people read of buyers: who opened what and for how long, what was asked, what waits for an answer.

Only of proposals that the caller sees. What a scanner or a colleague did is told by its reason, and counts nothing.
"""

from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from proposals.buyer import questions
from proposals.buyer.people import RECENT
from proposals.buyer.questions import ENTITY, Question
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm import edits
from sfa.crm.online import person
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, proposal_opens, proposal_versions
from sfa.db.writes import Door

PAGE_DEFAULT, PAGE_MAX = 50, 200
_PROPOSALS, _DEALS = ROWS["proposals"], ROWS["deals"]
_O, _V, _Q, _P, _D = proposal_opens.c, proposal_versions.c, ROWS[ENTITY].c, _PROPOSALS.c, _DEALS.c


class Part(Struct, frozen=True):
    """`key` of a section, or `@summary`, `@prices` and the like, which have no title."""

    key: str
    title: str | None
    seconds: int


class Opener(Struct, frozen=True, kw_only=True):
    """Who looked at a version: a recipient, or (null) whoever a link was handed to. `opens` counts the times (R51),
    `seconds` all that somebody looked; `left_out` {reason: sessions} what does not count."""

    version: int
    recipient_key: str | None
    name: str | None
    opens: int
    first_at: int | None
    last_at: int | None
    seconds: int
    parts: list[Part]
    devices: list[str]
    left_out: dict[str, int]


class Opens(Struct, frozen=True):
    """By version, the newest first, then by who opened it first."""

    items: list[Opener]


class Questions(Struct, frozen=True):
    items: list[Question]


class Waiting(Struct, frozen=True, kw_only=True):
    """A question that nobody has answered, of a proposal that the caller may answer for."""

    key: str
    rev: int
    proposal_key: str
    deal_key: str
    title: str
    number: str | None
    version: int
    recipient_key: str | None
    place: str | None
    asked_by: str
    asked_at: int
    text: str


class WaitingQuestions(Struct, frozen=True):
    """A page, the one that waits longest first. `next` is null on the last one."""

    items: list[Waiting]
    next: str | None


class _Section(Struct, frozen=True):
    key: str
    title: str


class _Sections(Struct, frozen=True):
    sections: tuple[_Section, ...] = ()


def opens_of(connection: Connection, user: str, now_ms: int, key: str) -> Opens:
    _check_sees(connection, user, now_ms, key)
    query = select(proposal_opens).where(_O.proposal_key == key).order_by(_O.version.desc(), _O.began_at, _O.session)
    grouped: dict[tuple[int, str | None], list[Any]] = {}
    for row in connection.execute(query).mappings():
        grouped.setdefault((row["version"], row["recipient_key"]), []).append(row)
    titles = _titles(connection, key, {version for version, _ in grouped})
    names = _names(connection, {recipient for _, recipient in grouped if recipient is not None})
    return Opens([_opener(*who, rows, names, titles.get(who[0], {})) for who, rows in grouped.items()])


def questions_of(connection: Connection, user: str, now_ms: int, key: str) -> Questions:
    """Of all versions, the oldest first."""
    _check_sees(connection, user, now_ms, key)
    return Questions(questions.of_proposal(connection, key))


def waiting(connection: Connection, user: str, after: str | None, limit: int) -> WaitingQuestions:
    """Questions about deals that the caller owns, or whose owner is one of his people."""
    if not 1 <= limit <= PAGE_MAX:
        raise Refused("request_invalid", f"a page has 1 to {PAGE_MAX} rows")
    who = person(connection, user)
    books = sorted(bucket.removeprefix("book:") for bucket in who.held or () if bucket.startswith("book:"))
    names = ("key", "rev", "proposal_key", "version", "recipient_key", "place", "asked_by", "asked_at", "text")
    query = (
        select(*(_Q[name] for name in names), _P.deal_key, _P.title, _P.number)
        .join(_PROPOSALS, _P.key == _Q.proposal_key)
        .join(_DEALS, _D.key == _P.deal_key)
        .where(~_Q.gone, ~_P.gone, ~_D.gone, _Q.answered_at.is_(None), among(_D.owner_key, "owners"))
    )
    if after is not None:
        at, name = _place(after)
        query = query.where((_Q.asked_at > at) | ((_Q.asked_at == at) & (_Q.key > name)))
    rows = connection.execute(
        query.order_by(_Q.asked_at, _Q.key).limit(limit + 1), {"owners": listed(connection, books)}
    )
    found = [Waiting(**row) for row in rows.mappings()]
    last = found[limit - 1] if len(found) > limit else None
    return WaitingQuestions(found[:limit], f"{last.asked_at}.{last.key}" if last is not None else None)


def _check_sees(connection: Connection, user: str, now_ms: int, key: str) -> None:
    who, door = person(connection, user), Door(connection, now_ms)
    cell = door.cell("proposals", key, "none") if is_key(key) else None
    if cell is None or not cell.exists or not edits.is_visible(door, who, cell):
        raise Refused("not_found")


def _opener(
    version: int, recipient: str | None, rows: list[Any], names: dict[str, str], titles: dict[str, str]
) -> Opener:
    """`rows` in the order in which sessions began."""
    people = [row for row in rows if row["counted"] or row["why_not"] == RECENT]
    counted = [row["began_at"] for row in rows if row["counted"]]
    seconds: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for row in people:
        for part, spent in row["sections"].items():
            seconds[part] = seconds.get(part, 0) + spent
    for row in rows:
        if not row["counted"]:
            left_out[row["why_not"]] = left_out.get(row["why_not"], 0) + 1
    order = {part: place for place, part in enumerate(titles)}
    ranked = sorted(seconds, key=lambda part: (order.get(part, len(order)), part))
    return Opener(
        version=version,
        recipient_key=recipient,
        name=names.get(recipient or ""),
        opens=len(counted),
        first_at=min(counted, default=None),
        last_at=max((row["last_at"] for row in people), default=None),
        seconds=sum(row["seconds"] for row in people),
        parts=[Part(part, titles.get(part), seconds[part]) for part in ranked],
        devices=sorted({row["device"] for row in people if row["device"]}),
        left_out=dict(sorted(left_out.items())),
    )


def _titles(connection: Connection, key: str, versions: set[int]) -> dict[int, dict[str, str]]:
    """version -> the titles of its sections, in their order."""
    query = select(_V.version, _V.document).where(_V.proposal_key == key, _V.version.in_(sorted(versions)))
    found = {version: msgspec.json.decode(body, type=_Sections) for version, body in connection.execute(query)}
    return {version: {one.key: one.title for one in told.sections} for version, told in found.items()}


def _names(connection: Connection, keys: set[str]) -> dict[str, str]:
    table = ROWS["proposal_recipients"].c
    query = select(table.key, table.name).where(table.key.in_(sorted(keys)))
    return {row.key: row.name for row in connection.execute(query)}


def _place(after: str) -> tuple[int, str]:
    at, _, key = after.partition(".")
    if not (at.isascii() and at.isdecimal() and len(at) <= 15 and is_key(key)):
        raise Refused("request_invalid", "`after` is the `next` of another page")
    return int(at), key
