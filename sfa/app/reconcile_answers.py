"""The checks of the reconciliation report that look at what buyers answered: once, proved, the same money (R48, R55).

An accepted version names the end of its deal that it won. What was accepted, the deal's amount, what was credited at
that end and the deal's frozen quote are one amount: of the credits are made the commission (`commission_due`), the
P&L's invoice price (`pnl_of_deals`) and the forecast's closed money, so those are it as well. Whoever changes or
reopens a deal that was won says so with his name and the time: then it is held to its own credits (`credits_of_deals`,
`reversals_of_credits`), and not to what was accepted any more.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Text, and_, cast, func, or_, select

from proposals.lifecycle import ACCEPTED, DECLINED, EXPIRED
from sfa.app.reconcile_checks import Difference, Found, Look
from sfa.core.credits import credits_of_end, ends_of
from sfa.db import proposal_timeline as timeline
from sfa.db.credits import Settings, read_settings
from sfa.db.proposal_timeline import Event
from sfa.db.tables import (
    ROWS,
    credited,
    deal_quotes,
    history,
    proposal_answers,
    proposal_events,
    proposal_signatures,
    proposal_versions,
)

PART = 500
ANSWERED = (ACCEPTED, DECLINED, EXPIRED)
_A, _V, _E, _S = proposal_answers.c, proposal_versions.c, proposal_events.c, proposal_signatures.c
_P, _D, _H, _C, _Q = ROWS["proposals"].c, ROWS["deals"].c, history.c, credited.c, deal_quotes.c
MINE = ("proposal.accept", "deal.win", "deal.reopen", "deal.sign")  # what accepting itself writes of a deal
Place = tuple[str, int]


class _Priced(Struct, frozen=True):
    currency: str
    net_minor: int
    total_minor: int


class _Document(Struct, frozen=True):
    priced: _Priced


class _Accepted(Struct, frozen=True):
    document: _Document


class _Won(Struct, frozen=True):
    """What the timeline says of an acceptance."""

    digest: str
    end: int
    quote: int


class _Change(Struct, frozen=True):
    rev: int
    at: int
    kind: str
    author_key: str | None

    def is_mine(self, at: int) -> bool:
        """Whether accepting at that instant wrote it."""
        return self.at == at and self.kind in MINE and self.author_key is None


# -- once --------------------------------------------------------------------------------------------------------------


def answers_once(connection: Connection, _: Look) -> Found:
    """Of each version that was answered state, answer and proposal say the same; what was accepted was signed, and has
    the bytes that its digest names."""
    signed = select(func.count()).where(_S.proposal_key == _V.proposal_key, _S.version == _V.version).scalar_subquery()
    here = and_(_A.proposal_key == _V.proposal_key, _A.version == _V.version)
    columns = (_V.proposal_key, _V.version, _V.status, _A.kind, _A.digest, _A.document, signed.label("signed"))
    query = select(*columns, _P.outcome, _P.status.label("stands"))
    tables = proposal_versions.outerjoin(proposal_answers, here).outerjoin(ROWS["proposals"], _P.key == _V.proposal_key)
    answered = or_(_V.status.in_(ANSWERED), _A.kind.is_not(None))
    ordered = query.select_from(tables).where(answered).order_by(_V.proposal_key, _V.version)
    for part in connection.execute(ordered, execution_options={"yield_per": PART}).partitions(PART):
        yield len(part)
        for row in part:
            for expected, found, what in _contradictions(row):
                detail = {"version": row.version, "what": what}
                yield Difference("answers_once", "proposals", row.proposal_key, expected, found, detail)


def _contradictions(row: Any) -> Iterator[tuple[str | None, str | None, str]]:
    if row.status != row.kind:
        yield row.status, row.kind, "answer"
    said = row.outcome or {}
    if said.get("version") == row.version and said.get("kind") != row.kind:
        yield row.kind, said.get("kind"), "outcome"
    if row.kind != ACCEPTED:
        return
    if row.stands != ACCEPTED or said.get("kind") != ACCEPTED:
        yield ACCEPTED, row.stands, "proposal"
    if not row.signed:
        yield "1", "0", "signatures"
    made = sha256(bytes(row.document or b"")).hexdigest()
    if made != row.digest:
        yield row.digest, made, "digest"


def timelines_intact(connection: Connection, _: Look) -> Found:
    """Each timeline follows from its first event on, and says each end of a version once."""
    columns = [_E[name] for name in Event.__struct_fields__]
    query = select(_E.proposal_key, *columns).order_by(_E.proposal_key, _E.n)
    rows = connection.execute(query, execution_options={"yield_per": PART}).mappings()
    for key, group in groupby(rows, key=lambda row: row["proposal_key"]):
        events = [Event(**{name: row[name] for name in Event.__struct_fields__}) for row in group]
        yield len(events)
        broken = timeline.broken_at(key, events)
        if broken is not None:
            yield Difference("timelines_intact", "proposals", key, str(broken), None, {"what": "chain"})
        ends = [event.version for event in events if event.kind in ANSWERED]
        for version in sorted({version for version in ends if ends.count(version) > 1}):
            found = str(ends.count(version))
            yield Difference("timelines_intact", "proposals", key, "1", found, {"what": "ends", "version": version})


# -- the same money ----------------------------------------------------------------------------------------------------


def accepted_money(connection: Connection, _: Look) -> Found:
    """What was accepted is the deal's amount, what was credited for that end, and the quote (R55)."""
    columns = (_A.proposal_key, _A.version, _A.at, _A.net_minor, _A.total_minor, _A.document, _A.digest, _P.deal_key)
    joined = select(*columns).join(ROWS["proposals"], _P.key == _A.proposal_key).where(_A.kind == ACCEPTED)
    ordered = joined.order_by(_A.proposal_key, _A.version)
    for part in connection.execute(ordered, execution_options={"yield_per": PART}).partitions(PART):
        yield len(part)
        yield from _compared(connection, part)


def _compared(connection: Connection, part: Sequence[Any]) -> Iterator[Difference]:
    keys = sorted({row.deal_key for row in part})
    won, deals = _won(connection, part), _deals(connection, keys)
    earned, quoted, changed = _earned(connection, keys), _quoted(connection, keys), _changed(connection, keys)
    settings = read_settings(connection)
    for row in part:
        kept = msgspec.json.decode(bytes(row.document), type=_Accepted).document.priced
        expected = _money(kept.net_minor, kept.currency)
        said = won.get((row.proposal_key, row.version))
        found: dict[str, str | None] = {"answer": _money(row.net_minor, kept.currency)}
        if kept.total_minor != row.total_minor:
            found["total"] = None
        if said is None or said.digest != row.digest:
            found["timeline"] = None
        else:
            found["quote"] = quoted.get((row.deal_key, said.quote))
            found |= _of_deal(deals[row.deal_key], said.end, row.at, earned, changed.get(row.deal_key, ()), settings)
        for what, amount in found.items():
            if amount != expected:
                detail = {"version": row.version, "deal_key": row.deal_key, "what": what}
                yield Difference("accepted_money", "proposals", row.proposal_key, expected, amount, detail)


def _of_deal(
    deal: Mapping[str, Any],
    n: int,
    at: int,
    earned: Mapping[Place, str],
    changed: Sequence[_Change],
    settings: Settings,
) -> dict[str, str | None]:
    """What the deal says of the end that was accepted; nothing where somebody changed it since, or deleted the deal.
    Where credit comes with the invoice there is none yet."""
    mine = max((one.rev for one in changed if one.is_mine(at)), default=None)
    if deal["gone"] or any(one.at > at if mine is None else one.rev > mine for one in changed):
        return {}
    end = next((end for end in ends_of(deal) if end.n == n), None)
    if end is None:
        return {"deal": None}
    found: dict[str, str | None] = {"deal": _money(end.amount_minor, end.currency)}
    if credits_of_end(end, settings.won, settings.rules, settings.zone):
        found["credits"] = earned.get((deal["key"], n))
    return found


def _won(connection: Connection, part: Sequence[Any]) -> dict[Place, _Won]:
    keys = sorted({row.proposal_key for row in part})
    query = select(_E.proposal_key, _E.version, _E.detail)
    rows = connection.execute(query.where(_E.proposal_key.in_(keys), _E.kind == timeline.ACCEPTED))
    return {(key, version): msgspec.json.decode(bytes(detail), type=_Won) for key, version, detail in rows}


def _deals(connection: Connection, keys: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    rows = connection.execute(select(ROWS["deals"]).where(_D.key.in_(keys))).mappings()
    return {row["key"]: dict(row) for row in rows}


def _earned(connection: Connection, keys: Iterable[str]) -> dict[Place, str]:
    """(deal, end) -> what was credited for it, whether or not it was taken back since."""
    query = select(_C.deal_key, _C.n, func.sum(_C.amount_minor), func.max(_C.currency))
    own = query.where(_C.deal_key.in_(keys), ~_C.overlay, ~_C.reversal).group_by(_C.deal_key, _C.n)
    return {(key, n): _money(int(amount), currency) for key, n, amount, currency in connection.execute(own)}


def _quoted(connection: Connection, keys: Iterable[str]) -> dict[Place, str]:
    query = select(_Q.deal_key, _Q.number, _Q.amount_minor, _Q.currency).where(_Q.deal_key.in_(keys))
    return {(key, number): _money(amount, currency) for key, number, amount, currency in connection.execute(query)}


def _changed(connection: Connection, keys: Iterable[str]) -> dict[str, list[_Change]]:
    """deal -> when its amount, currency or end was changed."""
    text = cast(_H.changes, Text)
    named = or_(*(text.contains(f'"{field}"') for field in ("amount_minor", "currency", "stage_key", "signed_at")))
    query = select(_H.key, _H.rev, _H.stored_at, _H.kind, _H.author_key)
    found: dict[str, list[_Change]] = {}
    for key, *said in connection.execute(query.where(_H.entity == "deals", _H.key.in_(keys), named)):
        found.setdefault(key, []).append(_Change(*said))
    return found


def _money(amount: int | None, currency: str | None) -> str:
    return f"{amount} {currency}"
