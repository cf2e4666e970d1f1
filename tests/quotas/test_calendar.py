"""R31: calendars as rows, and the periods that a job makes of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.app.jobs import JOBS
from sfa.core.calendars import calendars_of, days_of, rows_of, year_of, years_from
from sfa.core.errors import Refused
from sfa.core.periods import CalendarKind
from sfa.db.database import Database
from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.conftest import ANAS

MONTHS: dict[str, Any] = {
    "kind": "months",
    "start_month": 1,
    "named_by": "end",
    "year_end": "last",
    "end_weekday": 6,
    "since_year": None,
}
calendars = st.builds(
    lambda **said: {**MONTHS, **said},
    kind=st.sampled_from([kind.value for kind in CalendarKind]),
    start_month=st.integers(1, 12),
    year_end=st.sampled_from(["last", "nearest"]),
    end_weekday=st.integers(1, 7),
)


@given(calendars, st.integers(1950, 2150))
def test_the_rows_of_a_year_tile_it_and_children_lie_in_their_parents(row: dict[str, Any], year: int) -> None:
    """R31: of every kind of calendar."""
    rows = rows_of(calendars_of([row]), year)
    for key, made in rows.items():
        assert year_of(key) == year
        assert days_of(calendars_of([row]), key) == (made["start_on"], made["end_on"])
        children = [child for child in rows.values() if child["parent_key"] == key]
        edges = [day for child in children for day in (child["start_on"], child["end_on"])]
        assert made["kind"] == "month" or edges[0] == made["start_on"]
        assert made["kind"] == "month" or edges[-1] == made["end_on"]
        assert edges[1:-1:2] == edges[2::2]


@pytest.mark.parametrize(
    "rows",
    [
        [{**MONTHS, "since_year": 2027}],
        [MONTHS, {**MONTHS, "kind": "4-4-5"}],
        [MONTHS, *[{**MONTHS, "kind": kind, "since_year": 2027} for kind in ("4-4-5", "5-4-4")]],
    ],
)
def test_calendars_that_do_not_fit_together_are_refused(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused, match="calendar_invalid"):
        calendars_of(rows)


def test_the_years_ahead_follow_each_other_over_a_change() -> None:
    """R31."""
    changed = [{**MONTHS, "start_month": 4, "since_year": 2027}, MONTHS]
    found = list(years_from(calendars_of(changed), "2026-01-05", 3))
    assert [(year.name, year.start_on, year.end_on) for year in found] == [
        ("FY2026", "2026-01-01", "2026-04-01"),
        ("FY2027", "2026-04-01", "2027-04-01"),
        ("FY2028", "2027-04-01", "2028-04-01"),
    ]


def run(office: Office) -> str:
    database: Database = office.database
    return database.write(JOBS["make_periods"].work, office.clock.now_ms())


def calendar(office: Office, key: str = "calendar", user: str = "fay", **said: Any) -> Any:
    if office.find("fiscal_calendars", key) is None:
        return office.phone(user).do("create", "fiscal_calendars", key, set=said)
    return office.phone(user).edit("fiscal_calendars", key, **said)


def test_the_job_makes_the_periods_of_three_years_once(office: Office) -> None:
    """R31: with the keys of their names."""
    assert run(office) == "no calendar"
    assert calendar(office).outcome == "applied"
    assert run(office) == "51 written, 0 deleted, 0 kept"
    assert run(office) == "0 written, 0 deleted, 0 kept"
    periods = {row["key"]: row for row in office.rows("fiscal_periods")}
    assert sorted({key[:6] for key in periods}) == ["FY2026", "FY2027", "FY2028"]
    assert {f: periods["FY2026.P02"][f] for f in ("name", "kind", "start_on", "end_on", "parent_key")} == {
        "name": "FY2026.P02",
        "kind": "month",
        "start_on": "2026-02-01",
        "end_on": "2026-03-01",
        "parent_key": "FY2026.Q1",
    }


def test_a_changed_calendar_moves_what_nothing_names_and_keeps_old_names(office: Office) -> None:
    """R31: it begins with a new year."""
    calendar(office)
    run(office)
    office.put(("fiscal_periods", "FY2026.Q1", {"name": "First quarter"}))
    assert calendar(office, "weeks", kind="13-periods", since_year=2027).outcome == "applied"
    # FY2026 ends on the last Saturday of the year, so its last quarter and month do, too.
    assert run(office).endswith("0 deleted, 0 kept")
    periods = {row["key"]: row for row in office.rows("fiscal_periods")}
    assert periods["FY2026.Q1"]["name"] == "First quarter"
    assert periods["FY2026"]["end_on"] == periods["FY2027"]["start_on"]
    assert periods["FY2027.P13"]["parent_key"] == "FY2027.Q4"
    assert office.phone("fay").do("delete", "fiscal_calendars", "weeks", base=1).outcome == "applied"
    assert run(office) == "37 written, 2 deleted, 0 kept"
    assert periods.keys() - {row["key"] for row in office.rows("fiscal_periods")} == {"FY2027.P13", "FY2028.P13"}


def test_a_calendar_that_would_move_a_period_in_use_is_refused(office: Office) -> None:
    """R31: a quota of a month holds it, and what encloses it may still move."""
    calendar(office)
    run(office)
    office.put(("quotas", "q-1", {**ANAS, "period_key": "FY2026.Q2"}))
    receipt = calendar(office, "b", start_month=4, since_year=2027)
    assert (receipt.code, receipt.details) == ("period_in_use", {"periods": ["FY2026.Q2"]})
    assert calendar(office, start_month=2).code == "period_in_use"
    assert calendar(office, "b", start_month=7, since_year=2027).outcome == "applied", "April to June stay"
    run(office)
    assert office.row("fiscal_periods", "FY2026.Q2")["start_on"] == "2026-04-01"
    assert office.row("fiscal_periods", "FY2026.Q3")["gone"]


@pytest.mark.parametrize("said", [{"since_year": 2030}, {"kind": "4-4-5"}, {"since_year": 2027, "start_month": 13}])
def test_a_calendar_that_does_not_fit_is_refused_when_it_is_written(office: Office, said: dict[str, Any]) -> None:
    """R31."""
    if "since_year" in said and len(said) == 1:
        assert calendar(office, **said).code == "calendar_invalid", "the first one reaches back"
        return
    calendar(office)
    assert calendar(office, "second", **said).code in ("calendar_invalid", "field_invalid")
    assert len(office.rows("fiscal_calendars")) == 1


def test_the_first_calendar_stays_while_another_follows_it(office: Office) -> None:
    calendar(office)
    calendar(office, "b", kind="4-4-5", since_year=2027)
    assert office.phone("fay").do("delete", "fiscal_calendars", "calendar", base=1).code == "calendar_invalid"


def test_a_period_in_use_is_neither_changed_nor_deleted(planned: Office, desk: Desk) -> None:
    """R31: but for its name; one that nothing names is free."""
    for said in ({"start_on": "2026-01-02"}, {"kind": "quarter"}):
        told = desk.ask("fay", "PATCH", "/api/fiscal_periods/FY2026", json={"row": said})
        assert (told.status_code, told.json()["code"]) == (422, "period_in_use")
    assert planned.phone("fay").do("delete", "fiscal_periods", "FY2026", base=1).code == "period_in_use"
    assert planned.phone("fay").edit("fiscal_periods", "FY2026", name="Year of the pump").outcome == "applied"
    assert planned.phone("fay").edit("fiscal_periods", "FY2026.Q1", end_on="2026-03-31").outcome == "applied"
    assert planned.phone("fay").do("delete", "fiscal_periods", "FY2026.Q2", base=1).outcome == "applied"


def test_a_closed_period_is_in_use(planned: Office) -> None:
    """R2, R31."""
    row = {"period_key": "FY2026.Q1", "number": 1, "closed_at": planned.clock.now_ms(), "closed_by": "fay"}
    planned.put_server_row("period_closings", "c-1", row)
    assert planned.phone("fay").do("delete", "fiscal_periods", "FY2026.Q1", base=1).code == "period_in_use"


def test_a_day_is_told_with_its_year_quarter_and_month(planned: Office, desk: Desk) -> None:
    """R31, R32: today is the organisation's."""
    told = desk.get("ana", "/api/fiscal-calendar?on=2026-06-30").json()
    assert told["zone"] == "Europe/Madrid"
    assert told["quarter"] == {
        "name": "FY2026.Q2",
        "start_on": "2026-04-01",
        "end_on": "2026-07-01",
        "key": "FY2026.Q2",
    }
    assert (told["year"]["key"], told["month"]["name"], told["month"]["key"]) == ("FY2026", "FY2026.P06", None)
    planned.clock.advance(15 * 3600 * 1000 + 1_800_000)  # 23:30 UTC
    desk.forget_tokens()
    assert desk.get("ana", "/api/fiscal-calendar").json()["on"] == "2026-01-06"
    for day, code in (("2026-02-30", "field_invalid"), ("2300-01-01", "period_unknown")):
        assert desk.get("ana", f"/api/fiscal-calendar?on={day}").json()["code"] == code
