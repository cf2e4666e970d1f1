"""Statements of commission at a screen: what a period pays, line by line, and who reads it (R41, R45)."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm.desk import Desk, opened
from tests.db.test_commissions import has, plan, reopened
from tests.office import Office
from tests.quotas.ledger import Q1, Q2, at, line, period, won, write

PATH = "/api/commission/statements"


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    write(office, Q1, Q2, plan(draw_minor=6_00), has(valid_from="2026-01-01"), has("bob"))
    write(office, plan("thin", measure="margin"), has("cleo", "thin"))
    write(office, won("a", "2026-01-10", 100_00), won("b", "2026-02-10", 50_00))
    write(office, won("c", "2026-01-12", 200_00, owner_key="cleo"), line("l", "c", "2"))
    with opened(office) as found:
        yield found


def of(desk: Desk, user: str = "ana", period_key: str = "Q1", as_: str = "") -> dict[str, Any]:
    answer = desk.get(as_ or user, f"{PATH}/{user}/{period_key}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_r41_a_statement_says_why_each_amount_is_there(desk: Desk) -> None:
    found = of(desk)
    assert (found["user_key"], found["period_key"], found["start_on"], found["partial"]) == (
        *("ana", "Q1", "2026-01-01"),
        False,
    )
    (paid,) = found["plans"]
    assert [(ln["number"], ln["kind"], ln["deal_key"], ln["amount_minor"]) for ln in paid["lines"]] == [
        (1, "accrual", "a", 5_00),
        (2, "accrual", "b", 5_00),
    ]
    assert paid["lines"][0]["text"] == "accrued 5 % of 100.00 EUR of deal a (won)"
    assert (paid["sums"], paid["payout"]["paid_minor"]) == ({"accrual": 10_00}, 10_00)
    assert sum(ln["amount_minor"] for ln in paid["lines"]) == paid["payout"]["earned_minor"]


def test_r41_r21_a_clawback_names_what_it_takes_back_and_a_draw_is_carried_on(desk: Desk, office: Office) -> None:
    write(office, reopened("b", "2026-02-10", "2026-04-20", amount_minor=50_00))
    assert of(desk)["plans"][0]["payout"]["paid_minor"] == 10_00  # what was stated stays stated
    (paid,) = of(desk, period_key="Q2")["plans"]
    (back,) = paid["lines"]
    assert (back["kind"], back["of_period"], back["of_number"], back["amount_minor"]) == ("reversal", "Q1", 2, -5_00)
    assert back["text"] == "taken back 10 % of 50.00 EUR of deal b as paid by number 2 of Q1 (reopened)"
    assert paid["payout"] == {
        "period_key": "Q2",
        "opening_minor": 0,
        "earned_minor": -5_00,
        "draw_minor": 6_00,
        "paid_minor": 6_00,
        "closing_minor": -11_00,
    }
    third = of(desk, period_key="FY2026.Q3")["plans"][0]["payout"]
    assert (third["opening_minor"], third["paid_minor"], third["closing_minor"]) == (-11_00, 6_00, -17_00)


def test_a_correction_of_a_period_that_has_ended_is_paid_when_it_was_written(desk: Desk, office: Office) -> None:
    before = of(desk, as_="fay")
    office.clock.advance(at("2026-04-20") - office.clock.now_ms())
    desk.forget_tokens()
    write(office, ("deals", "a", {"amount_minor": 40_00}), won("late", "2026-03-20", 100_00))
    assert of(desk, as_="fay") == before  # what was paid stays paid
    (paid,) = of(desk, period_key="Q2", as_="fay")["plans"]
    earned = paid["payout"]["earned_minor"]
    assert earned == sum(ln["amount_minor"] for ln in paid["lines"]) == sum(paid["sums"].values())
    assert {ln["period_key"] for ln in paid["lines"]} == {"Q1"}
    assert [(ln["deal_key"], ln["amount_minor"]) for ln in paid["lines"] if ln["deal_key"] == "a"] == [("a", -3_00)]
    assert paid["lines"][0]["text"].split(" of ")[-1].startswith("Q1 (")
    whole = 5_00 + 90_00 * 1_000 // 10_000  # 190 of the quarter in bands: 100 at 5 %, 90 at 10 %
    assert before["plans"][0]["payout"]["earned_minor"] + earned == whole


def test_a_plan_from_before_all_calendars_pays_as_well(desk: Desk, office: Office) -> None:
    write(office, plan("old", valid_from="0001-01-01", measure="revenue"), has("dirk", "old", valid_from="0001-01-01"))
    write(office, won("d", "2026-01-20", 10_00, owner_key="dirk"))
    (paid,) = of(desk, "dirk")["plans"]
    assert (paid["plan_key"], paid["payout"]["paid_minor"]) == ("old", 50)


def test_statements_are_read_by_the_person_the_managers_above_and_finance(desk: Desk) -> None:
    for who in ("ana", "mia", "dirk", "fay", "root"):
        assert of(desk, as_=who)["plans"][0]["payout"]["earned_minor"] == 10_00, who
    for who in ("bob", "cleo"):
        assert desk.get(who, f"{PATH}/ana/Q1").json()["code"] == "not_found"
    assert desk.get("mia", f"{PATH}/cleo/Q1").json()["code"] == "not_found"
    for path in ("ana/nowhere", "nobody/Q1", "%00/Q1", "ana/%00"):
        assert desk.get("fay", f"{PATH}/{path}").status_code == 404, path


def test_the_list_names_people_and_periods_up_to_today(desk: Desk, office: Office) -> None:
    def listed(as_: str, query: str = "") -> dict[str, list[str]]:
        items = desk.get(as_, f"{PATH}{query}").json()["items"]
        return {item["user_key"]: [span["key"] for span in item["periods"]] for item in items}

    assert listed("ana") == {"ana": ["Q1"]}
    assert listed("bob") == {"bob": ["Q1", "FY2025.Q4", "FY2025.Q3", "FY2025.Q2", "FY2025.Q1"]}
    assert listed("cleo").keys() == {"cleo"}
    assert listed("mia").keys() == {"ana", "bob"}
    assert listed("fay").keys() == {"ana", "bob", "cleo"}
    write(office, reopened("b", "2026-02-10", "2026-04-20", amount_minor=50_00))
    assert listed("ana") == {"ana": ["Q2", "Q1"]}  # what is booked already is told
    assert listed("fay", "?period=Q2") == {"ana": ["Q2"]}
    first = desk.get("fay", f"{PATH}?limit=2").json()
    assert ([i["user_key"] for i in first["items"]], first["next"]) == (["ana", "bob"], "bob")
    assert listed("fay", "?limit=2&after=bob").keys() == {"cleo"}
    for wrong in ("?limit=0", "?after=%00", "?period=%00"):
        assert desk.get("fay", f"{PATH}{wrong}").json()["code"] == "request_invalid", wrong


def test_r45_what_is_reckoned_from_the_margin_is_told_as_what_the_period_pays_and_no_more(
    desk: Desk, office: Office
) -> None:
    """What a deal pays, divided by the rate, is its margin: a manager could tell the unit cost too."""
    write(office, won("d", "2026-01-13", 300_00, owner_key="cleo"), line("m", "d", "3"))
    full = of(desk, "cleo", as_="fay")
    (all_,) = full["plans"]
    assert full["partial"] is False
    first = all_["lines"][0]
    assert (first["deal_key"], first["basis_minor"], first["rate_bp"]) == ("c", 80_00, 500)
    parts = [ln["amount_minor"] for ln in all_["lines"]]
    assert len(parts) > 1
    for who in ("cleo", "dirk", "root"):
        told = of(desk, "cleo", as_=who)
        (mine,) = told["plans"]
        if who == "dirk":
            assert (mine["partial"], mine["lines"]) == (False, all_["lines"])
            continue
        assert told["partial"] is mine["partial"] is True
        assert (mine["lines"], mine["sums"]) == ([], {})
        assert mine["payout"] == all_["payout"]
        assert mine["payout"]["earned_minor"] == sum(parts)
    text = desk.get("cleo", f"{PATH}/cleo/Q1?format=csv").text
    assert [row["kind"] for row in csv.DictReader(io.StringIO(text))] == ["opening", "draw", "paid", "closing"]
    assert "80.00" in desk.get("fay", f"{PATH}/cleo/Q1?format=csv").text


def test_r45_a_plan_on_margins_is_on_the_devices_of_who_sees_cost_alone(desk: Desk, office: Office) -> None:
    for who, known in (("cleo", {"plan"}), ("root", {"plan"}), ("fay", {"plan", "thin"})):
        phone = office.phone(who)
        phone.catch_up()
        assert {key for entity, key in phone.sees() if entity == "commission_plans"} == known, who
        listed = desk.get(who, "/api/commission_plans").json()["items"]
        assert {row["key"] for row in listed} == known, who
    wish = {"tiers": [{"from_minor": 0, "rate_bp": 1}], "currency": "EUR", "valid_from": "2026-01-01", "name": "Mine"}
    root, fay = office.phone("root"), office.phone("fay")
    assert root.do("create", "commission_plans", "r", set={**wish, "measure": "margin"}).outcome == "refused"
    assert root.do("create", "commission_plans", "r", set=wish).outcome == "applied"
    assert fay.edit("commission_plans", "r", measure="margin").code == "field_read_only"


def test_a_statement_is_a_file_too(desk: Desk) -> None:
    answer = desk.get("ana", f"{PATH}/ana/Q1?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["kind"], r["deal_key"], r["basis"], r["rate_percent"], r["amount"]) for r in rows] == [
        ("opening", "", "", "", "0.00"),
        ("accrual", "a", "100.00", "5.00", "5.00"),
        ("accrual", "b", "50.00", "10.00", "5.00"),
        ("draw", "", "", "", "0.00"),
        ("paid", "", "", "", "10.00"),
        ("closing", "", "", "", "0.00"),
    ]
    assert {r["on"] for r in rows} == {"", "2026-01-10", "2026-02-10"}
    assert desk.get("ana", f"{PATH}/ana/Q1?format=xml").json()["code"] == "request_invalid"


def test_no_cell_of_a_statement_is_a_formula(desk: Desk, office: Office) -> None:
    write(office, won("-1", "2026-03-01", 10_00), won("-2", "2026-03-02", None))
    found = list(csv.DictReader(io.StringIO(desk.get("ana", f"{PATH}/ana/Q1?format=csv").text)))
    assert {"'-1", "'-2"} <= {row["deal_key"] for row in found}
    assert not any(text.startswith(("=", "+", "-", "@")) for row in found for text in row.values())


def test_r34_a_statement_names_what_is_not_computable_yet(desk: Desk, office: Office) -> None:
    write(office, won("e", "2026-03-01", 10_00, currency="USD"), won("f", "2026-03-02", None))
    write(office, won("g", "2026-03-03", 10_00, owner_key="cleo"))
    assert of(desk)["plans"][0]["missing"] == [
        {"code": "amount_missing", "deal_key": "f", "n": 1, "detail": None},
        {"code": "rate_missing", "deal_key": "e", "n": 1, "detail": "USD to EUR on 2026-03-01"},
    ]
    assert of(desk, "cleo")["plans"][0]["missing"] == [
        {"code": "cost_missing", "deal_key": "g", "n": 1, "detail": None}
    ]
    assert "rate_missing" in desk.get("ana", f"{PATH}/ana/Q1?format=csv").text


def test_a_statement_tells_only_plans_of_its_kind_of_period(desk: Desk, office: Office) -> None:
    write(office, plan("monthly", period="month", overlay=True), has("ana", "monthly"))
    write(office, period("M1", "2026-01-01", "2026-02-01", "month"))
    write(office, won("o", "2026-01-20", 40_00, owner_key="bob", overlays=[{"user_key": "ana", "share_bp": 5_000}]))
    assert [p["plan_key"] for p in of(desk)["plans"]] == ["plan"]
    (paid,) = of(desk, period_key="M1")["plans"]
    assert (paid["plan_key"], paid["overlay"], paid["payout"]["paid_minor"]) == ("monthly", True, 1_00)
    assert paid["lines"][0]["at"] == at("2026-01-20")
    assert of(desk, period_key="FY2026")["plans"] == []


def test_the_same_ledger_gives_the_same_bytes(desk: Desk, office: Office) -> None:
    before = desk.get("ana", f"{PATH}/ana/Q1").content
    office.clock.advance(90 * 86_400_000)
    desk.forget_tokens()
    assert desk.get("ana", f"{PATH}/ana/Q1").content == before


def test_no_two_rows_of_a_file_have_one_name_where_some_are_of_a_period_that_had_ended(
    desk: Desk, office: Office
) -> None:
    """R41: period, plan and number are a row's place in the ledger, in every file."""
    office.clock.advance(at("2026-04-20") - office.clock.now_ms())
    desk.forget_tokens()
    write(office, won("late", "2026-03-20", 10_00), won("own", "2026-04-02", 10_00), won("too", "2026-04-03", 10_00))
    (paid,) = of(desk, period_key="Q2", as_="fay")["plans"]
    assert {ln["period_key"] for ln in paid["lines"]} == {"Q1", "Q2"}
    text = desk.get("fay", f"{PATH}/ana/Q2?format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["period_key"], r["number"], r["deal_key"]) for r in rows if r["number"]] == [
        (ln["period_key"], str(ln["number"]), ln["deal_key"]) for ln in paid["lines"]
    ]
    every = [*rows, *csv.DictReader(io.StringIO(desk.get("fay", f"{PATH}/ana/Q1?format=csv").text))]
    names = [(r["period_key"], r["plan_key"], r["number"]) for r in every if r["number"]]
    assert len(set(names)) == len(names) == 5
    assert [r["paid_in"] for r in rows] == ["Q2"] * len(rows)
    assert [r["period_key"] for r in rows if not r["number"]] == ["Q2"] * 4
