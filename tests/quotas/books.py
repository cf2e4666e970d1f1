"""A first quarter of 2026 with quotas, the work of reps in it, and the clock on which it is over.

The organisation's zone is Europe/Madrid: summer time begins on 29 March, so the quarter ends at 22:00 UTC on 31 March.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from sfa.db.tables import closed_contributions, closed_figures
from tests.crm.desk import Desk
from tests.office import Office, Phone

Q1 = {"name": "FY2026.Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}
Q2 = {"name": "FY2026.Q2", "kind": "quarter", "start_on": "2026-04-01", "end_on": "2026-07-01"}
RATES = {"r-jan": ("1.39", "2026-01-01"), "r-feb": ("1.42", "2026-02-01")}


def at(text: str) -> int:
    """Milliseconds of "2026-03-31 21:59", UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


ENDS_AT = at("2026-03-31 22:00")


def quota(key: str, measure: str = "revenue", period: str = "q1", **values: Any) -> tuple[str, str, dict[str, Any]]:
    said = {"period_key": period, "measure": measure, "target": 1_000_000, **values}
    if measure in ("revenue", "margin"):
        said.setdefault("currency", "EUR")
    return "quotas", key, said


def quarter(office: Office) -> None:
    """Two quarters, and quotas of Ana (money, contacts), Bob, and the team of both in the first."""
    office.put(
        ("fiscal_periods", "q1", Q1),
        ("fiscal_periods", "q2", Q2),
        quota("q-ana", user_key="ana"),
        quota("q-bob", user_key="bob"),
        quota("q-team", team_key="north"),
        quota("q-visits", "total_contacts", user_key="ana", target=10),
        quota("q-ana-2", period="q2", user_key="ana"),
    )


def until(office: Office, text: str) -> None:
    """Let time go by."""
    office.clock.advance(at(text) - office.clock.now_ms())


def win(phone: Phone, key: str, amount: int, currency: str = "EUR", **values: Any) -> None:
    """A deal of this person's, won now."""
    about = {"name": key, "owner_key": phone.user, "account_key": "acme", "stage_key": "lead"}
    deal = phone.mutation("create", "deals", key, set={**about, "amount_minor": amount, "currency": currency, **values})
    receipts = phone.push(deal, phone.mutation("deal.win", "deals", key, base=1)).receipts
    assert [receipt.outcome for receipt in receipts] == ["applied", "applied"]


def visited(phone: Phone, key: str, when: int, **head: Any) -> None:
    """A visit whose check-in and check-out the phone says happened at `when`, sent now."""
    made = phone.mutation("create", "visits", key, set={"account_key": "acme", "owner_key": phone.user})
    into = phone.mutation("visit.check_in", "visits", key, base=1)
    out = phone.mutation("visit.check_out", "visits", key, base=2)
    receipts = phone.push(*({**m, "at": when} for m in (made, into, out)), **head).receipts
    assert [receipt.outcome for receipt in receipts] == ["applied"] * 3


def close(office: Office, user: str = "fay", period: str = "q1", **arguments: Any) -> Any:
    """The command from somebody's phone; -> its receipt."""
    return office.phone(user).do("period.close", "fiscal_periods", period, set=arguments)


def told(desk: Desk, quota_key: str, user: str = "fay") -> dict[str, Any]:
    answer = desk.get(user, f"/api/quotas/{quota_key}/restatement")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def sides(desk: Desk, quota_key: str, user: str = "fay") -> tuple[int | None, int | None, int]:
    """(closed, restated, delta), which is the sum of everything listed."""
    found = told(desk, quota_key, user)
    assert found["delta"] == sum(item["delta"] for item in found["items"]) + found["hidden"]["delta"]
    return found["closed"]["value"], found["restated"]["value"], found["delta"]


def whys(desk: Desk, quota_key: str, user: str = "fay") -> list[tuple[str, str, str, int]]:
    items = told(desk, quota_key, user)["items"]
    return [(item["kind"], item["why"], item["row_key"], item["delta"]) for item in items]


def kept(office: Office) -> tuple[int, int]:
    """How many figures and contributions were frozen, of any closing."""
    tables = (closed_figures, closed_contributions)
    counts = (office.all(select(func.count().label("n")).select_from(table))[0]["n"] for table in tables)
    figures, contributions = counts
    return figures, contributions
