"""Who gets a proposal, as people change it: an address that is another one, or is gone, has no link any more.

Whoever has an old link had it as somebody who is not meant now. Mails that wait for that address are dropped, and what
the row said of it begins anew. With the first signature on what the buyer has it is settled who signs; who signed at
all stays in the company's records (`proposal_signatures`), also when the person is erased. Before that signature a
change of signers is told on the timeline.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Text, and_, cast, or_, select, update

from sfa.core.erasing import NAME, blanked
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.looking import load_below
from sfa.db.tables import (
    ROWS,
    history,
    mail_outbox,
    proposal_answers,
    proposal_links,
    proposal_signatures,
    proposal_versions,
)
from sfa.db.writes import Door, Origin

ENTITY, QUESTIONS, PROPOSALS = "proposal_recipients", "proposal_questions", "proposals"
RECIPIENTS_MAX = 50
CHANGED, ERASED = "recipient_changed", "erased"
SIGNER, WITH_BUYER = "signer", ("sent", "viewed")
PERSON = frozenset({"contact_key", "name", "email", "role", "position"})
UNSENT: dict[str, Any] = {"state": "new", "problem": None, "mailed_at": None, "answered_at": None}
UNOPENED: dict[str, Any] = {"opened_at": None, "last_opened_at": None, "opens": 0}
DECLINED = "declined"  # a version, and the mail about it
_L, _M, _S = proposal_links.c, mail_outbox.c, proposal_signatures.c
_A, _V = proposal_answers.c, proposal_versions.c


def check_free(door: Door, cell: Cell, values: Mapping[str, Any] | None) -> None:
    """Who signs is settled by the first signature on what the buyer has: nobody signs in the belief that others sign as
    well, or in an order, and then they do not. None is a deletion. Who only reads comes and goes."""
    after = {**cell.row, **values} if values is not None else None
    if happened(cell.row if cell.exists else None, after) is not None:
        check_unsigned(door, (after or cell.row)["proposal_key"])


def check_new(door: Door, cell: Cell) -> None:
    if cell.row["role"] == SIGNER:
        check_unsigned(door, cell.row["proposal_key"])


def check_unsigned(door: Door, proposal: str) -> None:
    """Refuses `proposal_locked` while a version that the buyer may still accept has a signature, also where the next
    one is drafted already; the proposal's row is locked."""
    there = and_(_V.proposal_key == _S.proposal_key, _V.version == _S.version)
    query = select(_S.version).join(proposal_versions, there).where(_S.proposal_key == proposal)
    if door.connection.execute(query.where(_V.status.in_(WITH_BUYER)).limit(1)).first() is not None:
        raise Refused("proposal_locked", "somebody has signed: withdraw it, or send the next version", key=proposal)


def happened(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str | None:
    """To the signers of a proposal, by a row that was one and is another now; None where they are the same."""
    was, now = (row is not None and row.get("role", SIGNER) == SIGNER for row in (before, after))
    if was != now:
        return "added" if now else "removed"
    if not was or before is None or after is None:
        return None
    return "changed" if any(before[field] != after[field] for field in PERSON) else None


def follow(door: Door, cell: Cell, before: Mapping[str, Any] | None, origin: Origin, *, is_new: bool = False) -> None:
    """After a change or a deletion; the proposal's row is locked. `is_new` also of a row that was deleted before."""
    if cell.exists:
        _check_count(door, cell.row["proposal_key"])
    what = happened(None if is_new else before or cell.row, cell.row if cell.exists else None)
    if what is not None:
        _note(door, cell, what, origin)
    moved = before is not None and before["email"] != cell.row["email"]
    if not (cell.gone or moved):
        return
    _end(door, (cell.key,), CHANGED, origin)
    if moved and cell.exists and cell.row["state"] in ("mailed", "bounced", "opened"):
        begun = {field: value for field, value in (UNSENT | UNOPENED).items() if cell.row[field] != value}
        door.put(cell, begun, origin, "follow")


def _note(door: Door, cell: Cell, what: str, origin: Origin) -> None:
    """Of what the buyer has. No name and no address: those of a person who is erased later would stay."""
    proposal = cell.row["proposal_key"]
    query = select(_V.version).where(_V.proposal_key == proposal, _V.status.in_(WITH_BUYER))
    version = door.connection.execute(query.order_by(_V.version.desc()).limit(1)).scalar()
    if version is None:
        return
    detail = {"key": cell.key, "role": cell.row["role"], "position": cell.row["position"], "what": what}
    by, kind = origin.author_key, timeline.RECIPIENTS
    timeline.note(door.connection, proposal, version, door.now_ms, kind, user_key=by, detail=detail)


def _check_count(door: Door, proposal: str) -> None:
    """A proposal is for a few people; a thousand mails at once are somebody's mistake, or worse."""
    load_below(door, ENTITY, (proposal,))
    found = sum(cell.exists for cell in door.alike(ENTITY, ("proposal_key",), (proposal,)))
    if found > RECIPIENTS_MAX:
        text = f"a proposal has at most {RECIPIENTS_MAX} recipients"
        raise Refused("proposal_too_long", text, what="recipients", found=found, most=RECIPIENTS_MAX)


def forget(door: Door, people: Iterable[str], origin: Origin) -> tuple[list[Cell], set[str]]:
    """Of erased persons the names and addresses in whatever was to be sent to them, and in what they asked; -> the rows
    that were blanked, and keys of those whose history still says them. What they signed stays."""
    connection, wanted = door.connection, sorted(set(people))
    table, said = ROWS[ENTITY].c, cast(history.c.changes, Text)
    named = or_(*(said.contains(f'"{key}"', autoescape=True) for key in wanted))
    now = set(connection.execute(select(table.key).where(table.contact_key.in_(wanted))).scalars())
    once = connection.execute(select(history.c.key).where(history.c.entity == ENTITY, named)).scalars()
    keys = {*now, *once}
    signed = set(connection.execute(select(_S.recipient_key).where(_S.recipient_key.in_(sorted(keys)))).scalars())
    proposals = door.peek(ENTITY, "proposal_key", keys - signed)
    door.load("deals", door.peek(PROPOSALS, "deal_key", proposals), "share")
    door.load(PROPOSALS, proposals)
    door.load(ENTITY, keys - signed)
    cells = [door.cell(ENTITY, key) for key in sorted(now - signed)]
    for cell in cells:
        was_gone = cell.gone
        door.put(cell, blanked(ENTITY, cell.row), origin, "erase", verbatim=())
        cell.gone = was_gone
        if not was_gone:
            door.delete(cell, origin, "erase")
    _end(door, [cell.key for cell in cells], ERASED, origin)
    asked = [cell for cell in door.load_where(QUESTIONS, "recipient_key", now - signed) if cell.rev]
    for cell in asked:
        was_gone = cell.gone
        door.put(cell, blanked(QUESTIONS, cell.row), origin, "erase", verbatim=())
        cell.gone = was_gone
    answered = _forget_answers(door, keys - signed, origin)
    return [*cells, *asked, *answered], keys - signed


def _forget_answers(door: Door, keys: Collection[str], origin: Origin) -> list[Cell]:
    """Of who declined without ever signing: name and reason where they are no evidence. The proposals, which are
    locked, say who ended them by the timeline alone; -> those whose history still says it."""
    connection, these = door.connection, _A.recipient_key.in_(sorted(keys))
    found = connection.execute(select(_A.proposal_key, _A.version).where(these)).all()
    connection.execute(update(proposal_answers).where(these).values(by=NAME, reason=None))
    told = []
    for key, version in found:
        this = (_V.proposal_key == key, _V.version == version, _V.status == DECLINED)
        connection.execute(update(proposal_versions).where(*this).values(cause=None))
        mails = (_M.proposal_key == key, _M.version == version, _M.kind == DECLINED)
        connection.execute(update(mail_outbox).where(*mails).values(about={}))
        cell = door.cell(PROPOSALS, key)
        outcome = cell.row["outcome"]
        if outcome and outcome["version"] == version and (outcome["by"], outcome["reason"]) != (NAME, None):
            was_gone = cell.gone
            door.put(cell, {"outcome": {**outcome, "by": NAME, "reason": None}}, origin, "erase", verbatim=())
            cell.gone = was_gone
        told.append(cell)
    return told


def _end(door: Door, keys: Iterable[str], code: str, origin: Origin) -> None:
    """Links of these recipients open nothing, and nothing more is mailed; of an erased one no address is kept."""
    wanted = sorted(keys)
    if not wanted:
        return
    living = (_L.recipient_key.in_(wanted), _L.revoked_at.is_(None))
    revoked = {"revoked_at": door.now_ms, "revoked_by": origin.author_key}
    door.connection.execute(update(proposal_links).where(*living).values(**revoked))
    waits = (_M.recipient_key.in_(wanted), _M.state == "queued")
    door.connection.execute(update(mail_outbox).where(*waits).values(state="dropped", code=code))
    if code == ERASED:
        blank = {"to_address": "", "problem": None}
        door.connection.execute(update(mail_outbox).where(_M.recipient_key.in_(wanted)).values(**blank))
