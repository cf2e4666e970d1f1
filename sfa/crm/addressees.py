"""Who gets a proposal, as people change it: an address that is another one, or is gone, has no link any more.

Whoever has an old link had it as somebody who is not meant now. Mails that wait for that address are dropped, and what
the row said of it begins anew. Once somebody has signed what the buyer has, the signers stay who they are: he agreed to
sign with those. Before that a change of them is told on the timeline. Who signed at all stays in the company's records
(`proposal_signatures`), also when the person is erased.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Text, and_, cast, or_, select, update

from sfa.core.erasing import blanked
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.looking import load_below
from sfa.db.tables import ROWS, history, mail_outbox, proposal_links, proposal_signatures, proposal_versions
from sfa.db.writes import Door, Origin

ENTITY, QUESTIONS, PROPOSALS = "proposal_recipients", "proposal_questions", "proposals"
RECIPIENTS_MAX = 50
CHANGED, ERASED = "recipient_changed", "erased"
PERSON = frozenset({"contact_key", "name", "email", "role", "position"})
UNSENT: dict[str, Any] = {"state": "new", "problem": None, "mailed_at": None, "answered_at": None}
UNOPENED: dict[str, Any] = {"opened_at": None, "last_opened_at": None, "opens": 0}
SIGNER, ADDED, REMOVED, CHANGED_TO = "signer", "added", "removed", "changed"
WITH_BUYER, ACCEPTED = ("sent", "viewed"), "accepted"  # of a version
_L, _M, _S, _V = proposal_links.c, mail_outbox.c, proposal_signatures.c, proposal_versions.c
Values = Mapping[str, Any]


def check_free(door: Door, cell: Cell, values: Values | None) -> None:
    """Nobody becomes a signer, or is none any more, or another one, once somebody has signed what the buyer has; who
    signed what was accepted stays as he is. None is a deletion. The proposal's row is locked, as by who signs."""
    before = cell.row if cell.exists else None
    after = None if values is None else {**cell.row, **values}
    if happened(before, after) is not None:
        _check_unsigned(door, cell.key, (after or cell.row)["proposal_key"])


def check_new(door: Door, cell: Cell) -> None:
    if cell.row["role"] == SIGNER:
        _check_unsigned(door, cell.key, cell.row["proposal_key"])


def happened(before: Values | None, after: Values | None) -> str | None:
    """To the signers of a proposal, by a row that was one and is another now; None where the signers are the same."""
    was = before is not None and before["role"] == SIGNER
    now = after is not None and after.get("role", SIGNER) == SIGNER
    if was and now and before is not None and after is not None:
        return CHANGED_TO if any(before[field] != after[field] for field in PERSON) else None
    if was == now:
        return None
    return ADDED if now else REMOVED


def _check_unsigned(door: Door, recipient: str, proposal: str) -> None:
    """By what was signed: rows of a proposal and its recipients say other things while it is revised."""
    there = and_(_V.proposal_key == _S.proposal_key, _V.version == _S.version)
    stays = or_(_V.status.in_(WITH_BUYER), and_(_V.status == ACCEPTED, _S.recipient_key == recipient))
    query = select(_V.status).join(proposal_signatures, there).where(_S.proposal_key == proposal, stays).limit(1)
    status = door.connection.execute(query).scalar()
    if status == ACCEPTED:
        raise Refused("proposal_locked", "this person has signed what was accepted", key=recipient, status=status)
    if status is not None:
        text = "somebody has signed already: withdraw the proposal, or revise it and send it anew"
        raise Refused("proposal_locked", text, key=recipient, status=status)


def _note(door: Door, cell: Cell, what: str, origin: Origin) -> None:
    """Of what the buyer has. No name and no address: those of an erased person would stay."""
    proposal = cell.row["proposal_key"]
    query = select(_V.version).where(_V.proposal_key == proposal, _V.status.in_(WITH_BUYER))
    version = door.connection.execute(query.order_by(_V.version.desc()).limit(1)).scalar()
    if version is None:
        return
    detail = {"key": cell.key, "role": cell.row["role"], "position": cell.row["position"], "what": what}
    by, kind = origin.author_key, timeline.RECIPIENTS
    timeline.note(door.connection, proposal, version, door.now_ms, kind, user_key=by, detail=detail)


def follow(door: Door, cell: Cell, before: Values | None, origin: Origin, *, is_new: bool = False) -> None:
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
    return [*cells, *asked], keys - signed


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
