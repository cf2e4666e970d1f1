"""Calls, overrides, coverage and what changed as files: the figures of the JSON, each with its currency."""

import csv
import io
from typing import Any

from forecasting.answers import PeriodTold
from forecasting.calls import Call, Calls
from forecasting.changes import Change, ChangedDeal, ChangePage
from forecasting.said_tables import calls_table, changes_table, instant
from sfa.core.money import format_minor
from sfa.web.sheets import Table, as_csv, as_xlsx
from tests.crm.desk import Desk
from tests.forecasting.review import call
from tests.forecasting.test_overrides import ANA, NORTH, revert, said
from tests.forecasting.test_sheets import cells

TODAY = "2026-01-05"


def told(desk: Desk, as_: str, path: str, **asked: Any) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The JSON, and the lines of the CSV of the same question; the XLSX has as many."""
    answers = [
        desk.ask(as_, "GET", f"/api/forecast/{path}", params={**asked, **form})
        for form in ({}, {"format": "csv"}, {"format": "xlsx"})
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
    lines = read(answers[1].text)
    assert answers[1].headers["content-disposition"] == f'attachment; filename="forecast-{path}-{TODAY}.csv"'
    assert len(cells(answers[2].content)) == len(lines) + 1
    found: dict[str, Any] = answers[0].json()
    return found, lines


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def amount(minor: int | None, currency: str = "EUR") -> str:
    return "" if minor is None else format_minor(minor, currency)


def test_calls_are_a_file_each_in_the_currency_in_which_it_was_named(desk: Desk) -> None:
    phone = desk.office.phone("ana")
    based = {"commit": 1_00, "likely": "much"}
    assert call(phone, "c-eur", 300_000, likely_minor=400_050, note="=1+1", based_on=based).outcome == "applied"
    assert call(phone, "c-yen", 300_000, currency="JPY", due_on="2026-01-12").outcome == "applied"
    found, lines = told(desk, "ana", "calls", period="q1")
    assert [(row["key"], row["commit"], row["currency"]) for row in lines] == [
        ("c-yen", "300000", "JPY"),
        ("c-eur", "3000.00", "EUR"),
    ]
    for item, row in zip(found["items"], lines, strict=True):
        for name in ("commit", "likely", "best_case"):
            assert row[name] == amount(item[f"{name}_minor"], item["currency"])
        assert (row["node"], row["status"], row["due_on"]) == (item["node"], item["status"], item["due_on"])
        assert row["called_at"] == instant(item["called_at"]) == "2026-01-05T08:00:00.000Z"
    assert (lines[1]["note"], lines[1]["based_on_commit"], lines[1]["based_on_likely"]) == ("'=1+1", "1.00", "")


def test_overrides_are_a_file_with_everything_that_was_set_in_their_place(desk: Desk) -> None:
    first = said(desk, "mia", NORTH, amount=600_000)
    said(desk, "mia", NORTH, amount=650_000, rev=first["rev"], note="more")
    own = said(desk, "ana", ANA, amount=1)
    assert revert(desk, "ana", ANA, own["rev"]).status_code == 200
    found, lines = told(desk, "mia", "overrides", period="q1")
    rows = iter(lines)
    for item in found["items"]:
        one, history = item["override"], item["history"]
        row = next(rows)
        assert (row["row"], row["key"], row["node"], row["status"]) == (
            "override",
            one["key"],
            one["node"],
            one["status"],
        )
        assert (row["amount"], row["based_on"]) == (amount(one["amount_minor"]), amount(one["based_on_minor"]))
        assert (row["delta"], row["ended_at"]) == (amount(one["delta_minor"]), instant(one["ended_at"]) or "")
        for was, row in zip(history, rows, strict=False):
            assert (row["row"], row["rev"], row["number"]) == ("setting", str(was["rev"]), str(was["number"]))
            assert (row["amount"], row["currency"]) == (amount(was["amount_minor"]), was["currency"])
            assert (row["at"], row["author_key"], row["note"]) == (
                instant(was["at"]),
                was["author_key"],
                was["note"] or "",
            )
    assert [row["row"] for row in lines].count("setting") == sum(len(item["history"]) for item in found["items"]) == 4


def test_coverage_is_a_file_too(desk: Desk) -> None:
    quota = {"period_key": "q1", "measure": "revenue", "currency": "EUR", "target": 900_000, "user_key": "ana"}
    desk.office.put(("quotas", "qa", quota))
    base = desk.office.rev("quotas", "qa")
    assert desk.office.phone("root").do("quota.approve", "quotas", "qa", base=base).outcome == "applied"
    found, lines = told(desk, "fay", "coverage", period="q1", node=NORTH)
    assert [row["node"] for row in lines] == [item["node"] for item in found["items"]]
    for item, row in zip(found["items"], lines, strict=True):
        figures = item["figures"]
        for name in ("target", "closed", "open", "weighted", "slipped", "gap"):
            assert row[name] == amount(figures[f"{name}_minor"])
        assert row["coverage_bp"] == ("" if figures["coverage_bp"] is None else str(figures["coverage_bp"]))
        assert (row["code"], row["currency"]) == (figures["code"] or "", "EUR")
        for view, held in figures["views"].items():
            assert (row[view], row[f"{view}_gap"]) == (amount(held["amount_minor"]), amount(held["gap_minor"]))
    by_node = {row["node"]: row for row in lines}
    assert (by_node[ANA]["target"], by_node[ANA]["quota_keys"]) == ("9000.00", "qa")


def test_what_changed_is_a_file_with_a_line_for_each_field(desk: Desk) -> None:
    desk.office.phone("ana").edit("deals", "deal-a", amount_minor=510_000, close_on="2026-02-10")
    desk.office.phone("ana").edit("deals", "deal-a", currency="JPY")
    found, lines = told(desk, "ana", "changes", since=TODAY, node=ANA)
    (item,) = found["items"]
    assert item["currency"] == "JPY"
    said_ = [(row["rev"], row["field"], row["before"], row["after"]) for row in lines]
    assert said_[0] == (str(item["changes"][0]["rev"]), "currency", "EUR", "JPY")
    (raised,) = (row for row in lines if row["field"] == "amount_minor" and row["kind"] == "update")
    assert (raised["amount_before"], raised["amount_after"], raised["currency"]) == ("5000.00", "5100.00", "EUR")
    assert len(lines) >= sum(max(1, len(change["fields"])) for change in item["changes"])


def test_who_sees_no_json_gets_no_file_and_other_forms_are_refused_r30(desk: Desk) -> None:
    for path in ("coverage", "changes", "calls", "overrides"):
        answer = desk.ask("ana", "GET", f"/api/forecast/{path}", params={"period": "q1", "format": "pdf"})
        assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid"), path
    for path in ("coverage", "changes"):
        asked = {"period": "q1", "node": "user:bob", "format": "csv"}
        answer = desk.ask("ana", "GET", f"/api/forecast/{path}", params=asked)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    _, lines = told(desk, "bob", "calls", period="q1")
    assert lines == []


# -- without a database -----------------------------------------------------------------------------------------------


def change(rev: int, kind: str = "update", **fields: list[Any]) -> Change:
    return Change(rev, kind, 1, 2, "ana", "Ana", None, fields)


def changed(*changes: Change, currency: str | None = "EUR") -> Table:
    deal = ChangedDeal("d", "-D", None, "ana", currency, False, list(changes))
    period = PeriodTold("q1", "Q1", "quarter", "2026-01-01", "2026-04-01")
    page = ChangePage(since=TODAY, zone="UTC", period=period, node="company", items=[deal], hidden=0, partial=False,
                      next=None)  # fmt: skip
    return changes_table(page, TODAY)


def test_an_amount_whose_currency_changed_with_it_is_told_in_both() -> None:
    table = changed(
        change(5, amount_minor=[1_000, 2_000]),
        change(4, amount_minor=[100_050, 1_000], currency=["EUR", "JPY"]),
        change(3, amount_minor=[None, 100_050], currency=[None, "EUR"]),
        change(2, "delete"),
        currency="JPY",
    )
    lines = read(as_csv(table))
    assert [
        (r["rev"], r["amount_before"], r["amount_after"], r["currency"]) for r in lines if "amount" in r["field"]
    ] == [
        ("5", "1000", "2000", "JPY"),
        ("4", "1000.50", "", "EUR"),
        ("4", "", "1000", "JPY"),
        ("3", "", "1000.50", "EUR"),
    ]
    assert (lines[-1]["kind"], lines[-1]["field"], lines[-1]["currency"]) == ("delete", "", "")
    assert {line["name"] for line in lines} == {"'-D"}
    columns = [column.name for column in table.columns]
    places = [columns.index(name) for name in ("amount_before", "amount_after")]
    assert [[str(row[place]) for place in places] for row in cells(as_xlsx(table))[2:4]] == [
        ["1000.50", ""],
        ["", "1000"],
    ]


def test_a_currency_that_nobody_knows_leaves_its_amounts_empty_and_the_others_as_they_are() -> None:
    def made(key: str, currency: str) -> Call:
        return Call(key=key, rev=1, period_key="q1", node=ANA, author_key="ana", due_on=None, commit_minor=-5,
                    likely_minor=None, best_case_minor=10**17, currency=currency, note=None, based_on=None,
                    called_at=None, status="late")  # fmt: skip

    page = Calls(period_key="q1", lock=None, yours=[], items=[made("a", "XQX"), made("b", "KWD")], next=None)
    table = calls_table(page, TODAY)
    odd, known = read(as_csv(table))
    assert (odd["commit"], odd["best_case"], odd["currency"]) == ("", "", "XQX")
    assert (known["commit"], known["best_case"], known["currency"]) == ("-0.005", "100000000000000.000", "KWD")
    assert as_xlsx(table) == as_xlsx(table)


def test_an_instant_is_a_text_to_the_millisecond_in_whatever_year() -> None:
    assert instant(1_767_600_000_001) == "2026-01-05T08:00:00.001Z"
    assert instant(0) == "1970-01-01T00:00:00.000Z"
    assert (instant(None), instant(10**17)) == (None, str(10**17))
