"""What figures are made of, written through the door in a word or two: deals that end, visits, quotas, rates."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from sfa.core.days import day_start_ms
from sfa.db.tables import ROWS, credited, credited_quantities
from sfa.db.writes import Door, Origin
from sfa.quotas import engine
from sfa.quotas.engine import Contribution, Figure, QuotaRow
from tests.office import Office

ZONE = "Europe/Madrid"
HOUR = 3_600_000
Row = tuple[str, str, dict[str, Any]]


def at(day: str, hour: int = 12) -> int:
    """An instant of a local day of the company."""
    return day_start_ms(day, ZONE) + hour * HOUR


def write(office: Office, *rows: Row, kind: str = "update") -> None:
    """Rows as commands and imports write them: past the rights, through the door, in one transaction."""

    def work(connection: Connection) -> None:
        now = office.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
        for entity, key, values in rows:
            door.put(door.cell(entity, key), values, origin, kind)
        door.flush()

    office.database.write(work)


def period(name: str, start_on: str, end_on: str, kind: str = "quarter") -> Row:
    return "fiscal_periods", name, {"name": name, "kind": kind, "start_on": start_on, "end_on": end_on}


Q1, Q2 = period("Q1", "2026-01-01", "2026-04-01"), period("Q2", "2026-04-01", "2026-07-01")
JANUARY, FEBRUARY = (
    period("P01", "2026-01-01", "2026-02-01", "month"),
    period("P02", "2026-02-01", "2026-03-01", "month"),
)


def quota(key: str, measure: str = "revenue", period_key: str = "Q1", **values: Any) -> Row:
    """One of Ana unless it says whose."""
    said: dict[str, Any] = {"measure": measure, "period_key": period_key, "target": 1_000_00}
    if measure in ("revenue", "margin"):
        said["currency"] = "EUR"
    if not values.keys() & {"user_key", "team_key", "territory_key"}:
        said["user_key"] = "ana"
    return "quotas", key, said | values


def won(key: str, day: str, amount_minor: int | None = 100_00, **values: Any) -> Row:
    said = {"name": key, "owner_key": "ana", "account_key": "acme", "stage_key": "won", "closed_at": at(day)}
    money = {"amount_minor": amount_minor, "currency": "EUR" if amount_minor is not None else None}
    return "deals", key, {**said, **money, **values}


def line(key: str, deal_key: str, quantity: str = "1", product_key: str = "pump") -> Row:
    return "deal_lines", key, {"deal_key": deal_key, "product_key": product_key, "quantity": quantity}


def visit(key: str, day: str, hour: int = 12, **values: Any) -> Row:
    said = {"account_key": "acme", "owner_key": "ana", "status": "completed", "checked_in_at": at(day, hour)}
    return "visits", key, {**said, "verdict": "in_range", **values}


def shares(**parts: int) -> list[dict[str, Any]]:
    return [{"user_key": user, "share_bp": bp} for user, bp in parts.items()]


def rate(base: str, quote: str, text: str, day: str) -> Row:
    key = f"r-{base}-{quote}-{day}"
    return "rates", key, {"base_currency": base, "quote_currency": quote, "rate": text, "valid_from": day}


# -- what figures say -------------------------------------------------------------------------------------------------


def figures(office: Office, as_of: int | None = None) -> dict[str, Figure]:
    return office.database.read(lambda c: engine.figures(c, engine.read_quotas(c), as_of))


def values(office: Office, as_of: int | None = None) -> dict[str, int | None]:
    return {key: figure.value for key, figure in figures(office, as_of).items()}


def contributions(office: Office, key: str, as_of: int | None = None, *, left_out: bool = False) -> list[Contribution]:
    def work(connection: Connection) -> list[Contribution]:
        (row,) = engine.read_quotas(connection, ROWS["quotas"].c.key == key)
        return list(engine.contributions(connection, row, as_of, left_out=left_out))

    return office.database.read(work)


def check_explained(office: Office, as_of: int | None = None) -> dict[str, Figure]:
    """Every figure is the exact sum of its contributions, and says how many of each reason it leaves out (R10)."""

    def work(connection: Connection) -> tuple[list[QuotaRow], dict[str, list[Contribution]]]:
        rows = engine.read_quotas(connection)
        explained: dict[str, list[Contribution]] = {row.key: [] for row in rows}
        for part in engine.contributions_of(connection, rows, as_of, left_out=True):
            explained[part.quota_key].append(part)
        return rows, explained

    found = figures(office, as_of)
    rows, explained = office.database.read(work)
    for row in rows:
        figure, parts = found[row.key], explained[row.key]
        counted = [part for part in parts if part.counted]
        if figure.value is not None:
            assert figure.value == sum(part.value for part in counted), row.key
        left = [part.reason for part in parts if not part.counted]
        assert figure.left_out == {reason: left.count(reason) for reason in sorted(set(left))}, row.key
        assert [part.place for part in parts] == sorted(part.place for part in parts), row.key
        assert len({part.place[1:] for part in parts}) == len(parts), row.key
        assert (figure.value is None) == any(part.reason == "rate_missing" for part in parts)
    return found


def stored(office: Office) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of credits and of credited quantities, in order."""
    credits_ = office.all(select(credited).order_by(*credited.primary_key.columns))
    return credits_, office.all(select(credited_quantities).order_by(*credited_quantities.primary_key.columns))


def sums(parts: Iterable[Contribution]) -> dict[str, int]:
    """user -> what his facts add."""
    found: dict[str, int] = {}
    for part in parts:
        found[part.user_key] = found.get(part.user_key, 0) + part.value
    return found
