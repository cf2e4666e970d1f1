"""Who is reminded, and on which days: so many after an offer was sent, and so many before its last one (R47).

Days are those of the company's zone, and a reminder goes at `HOUR` of them, to the signer whose turn it is, until this
one has answered, wants no more, or there is nothing to decide. A server that was away catches up what is at most
`LATE_DAYS` old, and sends of several only the last. What is asked for twice is one mail; whether it may still go is
judged again when it leaves.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from proposals.delivery import opting, outbox
from proposals.lifecycle import WITH_BUYER
from sfa.core.days import local_day, plus_days, to_date, zone_of
from sfa.db import scope
from sfa.db.tables import ROWS, mail_outbox, proposal_signatures, proposal_versions

AFTER_DAYS, BEFORE_DAYS = (3, 10), 2
HOUR, LATE_DAYS = 9, 1
BATCH_MAX = 2_000  # proposals whose recipients are read at once
_V, _P, _T, _D = proposal_versions.c, ROWS["proposals"].c, ROWS["proposal_templates"].c, ROWS["deals"].c
_R, _S, _M = ROWS["proposal_recipients"].c, proposal_signatures.c, mail_outbox.c
Row = Mapping[str, Any]


class Due(Struct, frozen=True):
    """The reminder of this day: which one it is of this version, counted from 1."""

    day: str
    ordinal: int


def days_of(sent_on: str, valid_until: str, after: Sequence[int], before: int | None) -> list[str]:
    """The days on which a version is reminded of, in order: after the day it was sent, until its last day (pure)."""
    wanted = {plus_days(sent_on, count) for count in after}
    if before is not None:
        wanted.add(plus_days(valid_until, -before))
    return sorted(day for day in wanted if sent_on < day <= valid_until)


def due_on(days: Sequence[str], today: str) -> Due | None:
    """The last of these that has come and is not too old (pure)."""
    come = [(day, place) for place, day in enumerate(days, 1) if plus_days(today, -LATE_DAYS) <= day <= today]
    return Due(*come[-1]) if come else None


def begins_ms(day: str, zone: str) -> int:
    """`HOUR` of a day as the zone's clocks show it, also on days with 23 or 25 hours (pure)."""
    return int(datetime.combine(to_date(day), time(HOUR), zone_of(zone)).timestamp() * 1000)


def run(connection: Connection, now_ms: int) -> int:
    """One run, in one transaction; -> how many reminders were asked for."""
    zone = scope.zone(connection)
    today = local_day(now_ms, zone)
    if now_ms < begins_ms(today, zone):
        return 0
    found = [(row, due) for row in _open(connection, today) if (due := _due(row, zone, today)) is not None]
    count = 0
    for start in range(0, len(found), BATCH_MAX):
        count += _remind(connection, now_ms, found[start : start + BATCH_MAX])
    return count


def _due(row: Row, zone: str, today: str) -> Due | None:
    after = row["remind_after_days"] if row["remind_after_days"] is not None else AFTER_DAYS
    before = row["remind_before_days"] if row["with_template"] is not None else BEFORE_DAYS
    return due_on(days_of(local_day(row["sent_at"], zone), row["valid_until"], after, before), today)


def _open(connection: Connection, today: str) -> list[Row]:
    """What buyers have and may still answer, by proposal."""
    deals, proposals, templates = (ROWS[name] for name in ("deals", "proposals", "proposal_templates"))
    query = (
        select(_V.proposal_key, _V.version, _V.language, _V.sent_at, _V.valid_until)
        .add_columns(_T.remind_after_days, _T.remind_before_days, _T.key.label("with_template"))
        .join(proposals, _P.key == _V.proposal_key)
        .join(deals, _D.key == _P.deal_key)
        .outerjoin(templates, _T.key == _P.template_key)
        .where(_V.version == _P.version, _V.status.in_(WITH_BUYER), _P.status.in_(WITH_BUYER), ~_P.gone)
        .where(~_D.gone, _D.closed_at.is_(None), _V.valid_until >= today)
    )
    return [dict(row) for row in connection.execute(query.order_by(_V.proposal_key)).mappings()]


def _remind(connection: Connection, now_ms: int, found: Sequence[tuple[Row, Due]]) -> int:
    keys = [row["proposal_key"] for row, _ in found]
    turn = _turns(connection, keys)
    mailed = select(_M.proposal_key, _M.version, _M.recipient_key, _M.ordinal)
    mailed = mailed.where(_M.kind == outbox.REMINDER, _M.proposal_key.in_(keys))
    known = {tuple(row) for row in connection.execute(mailed)}
    no_mail = opting.withdrawn(
        connection, {each["contact_key"] for each in turn.values() if each["contact_key"]}, now_ms
    )
    count = 0
    for row, due in found:
        to = turn.get(row["proposal_key"])
        if to is None or not _is_asked(to) or to["contact_key"] in no_mail:
            continue
        if (row["proposal_key"], row["version"], to["key"], due.ordinal) in known:
            continue
        outbox.queue(
            connection,
            now_ms,
            kind=outbox.REMINDER,
            proposal_key=row["proposal_key"],
            version=row["version"],
            recipient_key=to["key"],
            to=to["email"],
            language=to["language"] or row["language"],
            ordinal=due.ordinal,
        )
        count += 1
    return count


def _is_asked(recipient: Row) -> bool:
    """Who got the mail and has not answered."""
    return recipient["state"] in ("mailed", "opened") and recipient["opted_out_at"] is None


def _turns(connection: Connection, keys: Iterable[str]) -> dict[str, Row]:
    """proposal -> the signer whose turn it is, of those where somebody is named who has not signed this version."""
    wanted = list(keys)
    names = ("key", "proposal_key", "contact_key", "email", "language", "state", "opted_out_at")
    signed = (_S.proposal_key == _R.proposal_key) & (_S.recipient_key == _R.key) & (_S.version == _P.version)
    query = (
        select(*(_R[name] for name in names))
        .join(ROWS["proposals"], _P.key == _R.proposal_key)
        .outerjoin(proposal_signatures, signed)
        .where(_R.proposal_key.in_(wanted), ~_R.gone, _R.role == "signer", _S.recipient_key.is_(None))
        .order_by(_R.proposal_key, _R.position, _R.key)
    )
    found: dict[str, Row] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(row["proposal_key"], dict(row))
    return found
