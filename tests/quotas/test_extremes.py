"""Absurd but valid rows: an amount beyond what can be kept, a day at an end of the calendar. Other figures stand."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from sfa.db.tables import closed_contributions, closed_figures
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.quotas.books import close, quarter, quota, told, until, win

TOO_LARGE = "figure_too_large"
RUPIAH = (
    "rates",
    "r-idr",
    {"base_currency": "EUR", "quote_currency": "IDR", "rate": "18000", "valid_from": "2026-01-01"},
)


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def attained(desk: Desk, key: str, user: str = "ana") -> dict[str, Any]:
    answer = desk.get(user, f"/api/quotas/{key}/attainment")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_deal_too_large_for_a_quotas_currency_makes_that_figure_not_computable_and_the_period_closes(
    desk: Desk,
) -> None:
    office = desk.office
    quarter(office)
    office.put(quota("q-idr", territory_key="t-north", currency="IDR", target=5), RUPIAH)
    win(office.phone("ana"), "won-a", 10**15)
    until(office, "2026-02-01 08:00")
    desk.forget_tokens()
    found = attained(desk, "q-idr")
    assert (found["value"], found["code"], found["missing"], found["pct_code"]) == (
        None,
        TOO_LARGE,
        [],
        "not_computable",
    )
    assert attained(desk, "q-ana")["value"] == 10**15
    (item,) = desk.get("ana", "/api/quotas/q-idr/contributions").json()["items"]
    assert (item["fact"]["value"], item["fact"]["reason"], item["fact"]["counted"]) == (0, TOO_LARGE, False)
    until(office, "2026-04-01 08:00")
    desk.forget_tokens()
    assert close(office).outcome == "applied"
    figures = {row["quota_key"]: (row["value"], row["code"]) for row in office.all(select(closed_figures))}
    assert (figures["q-idr"], figures["q-ana"]) == ((None, TOO_LARGE), (10**15, None))
    assert "q-idr" not in {row["quota_key"] for row in office.all(select(closed_contributions))}
    office.phone("mia").edit("deals", "won-a", amount_minor=100)
    again = told(desk, "q-idr")
    assert (again["closed"]["code"], again["restated"]["value"], again["delta"]) == (TOO_LARGE, 1_800_000, 1_800_000)
    assert [item["why"] for item in again["items"]] == ["changed_amount"]


def test_quantities_that_sum_to_too_much_make_the_figure_not_computable_and_the_period_closes(desk: Desk) -> None:
    office = desk.office
    quarter(office)
    office.put(quota("q-n", "quantity", user_key="ana", unit="piece", target=5), ("products", "pump", {"name": "Pump"}))
    for n in range(10):
        win(office.phone("ana"), f"won-{n}", 100)
        said = {"deal_key": f"won-{n}", "product_key": "pump", "quantity": "999999999999"}
        office.put(("deal_lines", f"l{n}", said))
    until(office, "2026-04-01 08:00")
    desk.forget_tokens()
    assert (attained(desk, "q-n")["value"], attained(desk, "q-n")["code"]) == (None, TOO_LARGE)
    assert close(office).outcome == "applied"
    (kept,) = [row for row in office.all(select(closed_figures)) if row["quota_key"] == "q-n"]
    assert (kept["value"], kept["code"]) == (None, TOO_LARGE)
    assert len([row for row in office.all(select(closed_contributions)) if row["quota_key"] == "q-n"]) == 10
    assert told(desk, "q-n")["restated"]["value"] is None


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(("day", "value"), [("0001-01-01", 45_000), ("9999-12-31", None)])
def test_a_rate_of_an_end_of_the_calendar_takes_no_figure_away(
    desk: Desk, zone: str, day: str, value: int | None
) -> None:
    office = desk.office
    quarter(office)
    (organisation,) = office.rows("organisations")
    office.put(("organisations", organisation["key"], {"zone": zone}))
    win(office.phone("ana"), "won-a", 50_000, currency="USD")
    win(office.phone("bob"), "won-b", 700)
    rate = {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.9", "valid_from": day}
    office.phone("fay").do("create", "rates", "r-edge", set=rate)
    until(office, "2026-02-01 08:00")
    desk.forget_tokens()
    found = attained(desk, "q-ana")
    assert (found["value"], found["code"]) == (value, None if value is not None else "rate_missing")
    assert attained(desk, "q-bob", "bob")["value"] == 700


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(("start_on", "end_on"), [("0001-01-01", "2027-01-01"), ("2026-01-01", "9999-12-31")])
def test_a_period_of_an_end_of_the_calendar_takes_no_figure_away(
    desk: Desk, zone: str, start_on: str, end_on: str
) -> None:
    office = desk.office
    quarter(office)
    (organisation,) = office.rows("organisations")
    office.put(("organisations", organisation["key"], {"zone": zone}))
    office.put(
        ("fiscal_periods", "ever", {"name": "Ever", "kind": "period", "start_on": start_on, "end_on": end_on}),
        quota("q-ever", period="ever", user_key="ana"),
    )
    win(office.phone("ana"), "won-a", 50_000)
    until(office, "2026-02-01 08:00")
    desk.forget_tokens()
    assert attained(desk, "q-ever")["value"] == 50_000
    assert attained(desk, "q-ana")["value"] == 50_000
    assert close(office, period="ever").code == "period_not_over"
