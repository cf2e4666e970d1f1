"""A first quarter of 2026 whose calls are locked each Monday at 10:00 in Madrid, 09:00 UTC; now it is Monday 08:00."""

from datetime import UTC, datetime
from typing import Any

from sfa.db.tables import forecast_locks
from sfa.db.tables.rows import ROWS
from sync.protocol import Receipt
from tests.office import Office, Phone

ENTITY = "forecast_calls"
Q1 = ("fiscal_periods", "q1", {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"})
Q2 = ("fiscal_periods", "q2", {"name": "Q2", "kind": "quarter", "start_on": "2026-04-01", "end_on": "2026-07-01"})
POLICY: dict[str, Any] = {"name": "Mondays"}
MINUTE_MS, DAY_MS = 60_000, 86_400_000


def at(text: str) -> int:
    """Milliseconds of "2026-01-05 09:00", UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


LOCK_AT = at("2026-01-05 09:00")


def begun(office: Office, **policy: Any) -> Office:
    """The quarters, and a policy."""
    office.put(Q1, Q2, ("forecast_policies", "p", {**POLICY, **policy}))
    return office


def until(office: Office, text: str) -> None:
    """Let time go by."""
    office.clock.advance(at(text) - office.clock.now_ms())


def said(**values: Any) -> dict[str, Any]:
    """What a call says; `of` names a person or `team`."""
    return {"period_key": "q1", "commit_minor": 100_000, "currency": "EUR", **values}


def call(phone: Phone, key: str, commit: int = 100_000, made: str | None = None, **values: Any) -> Receipt:
    """A call from somebody's phone, of himself unless it is of a team; `made` earlier than it is sent."""
    about = {"user_key": phone.user} if "team_key" not in values else {}
    mutation = phone.mutation("create", ENTITY, key, base=0, set=said(commit_minor=commit, **{**about, **values}))
    if made is not None:
        mutation["at"] = at(made)
    (receipt,) = phone.push(mutation).receipts
    return receipt


def statuses(office: Office) -> dict[str, str]:
    return {row["key"]: row["status"] for row in office.rows(ENTITY)}


def locks(office: Office) -> set[tuple[str, str, int]]:
    """(period, day, instant) of every lock that has been noted."""
    return {(row["period_key"], row["due_on"], row["due_at"]) for row in office.all(forecast_locks.select())}


def refusals(office: Office) -> list[tuple[str, str, str]]:
    """(author, key, code) of what was refused and is kept."""
    table = ROWS["refusals"]
    return [(row["author_key"], row["row_key"], row["code"]) for row in office.all(table.select())]
