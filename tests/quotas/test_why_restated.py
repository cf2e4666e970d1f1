"""Why a closed figure would be another one today, in one word that is right in the common cases (R2, R10, R17)."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sfa.quotas.restating import UNTOUCHED, WHYS, Quota, Since
from tests.crm.desk import opened
from tests.office import Office
from tests.quotas.books import Q1, Q2, at, close, quota, sides, until, visited, whys, win
from tests.quotas.ledger import line, write
from tests.quotas.test_restating import MONEY, VISITS, part, why

DOCS = Path(__file__).parents[2] / "docs"
MARGIN, PIECES = Quota("margin"), Quota("quantity")
NUT = ("unit_costs", "c-nut", {"product_key": "nut", "amount_minor": 5, "currency": "EUR", "valid_from": "2025-01-01"})


def closed(office: Office) -> None:
    """Ana won `w`, two kilos of nuts without a cost, `x` without lines and `y`, ten pumps. The quarter is closed."""
    office.put(
        ("fiscal_periods", "q1", Q1),
        ("fiscal_periods", "q2", Q2),
        ("products", "nut", {"name": "Nut", "unit": "kg"}),
        ("accounts", "beta", {"name": "Beta", "territory_key": "t-south"}),
        quota("margin", "margin", user_key="ana"),
        quota("kilos", "quantity", user_key="ana", unit="kg"),
        quota("pieces", "quantity", user_key="ana", unit="piece"),
        quota("new", "new_accounts", user_key="ana"),
        quota("north", territory_key="t-north"),
        quota("south", territory_key="t-south"),
        quota("visits", "total_contacts", user_key="ana"),
    )
    ana = office.phone("ana")
    for key in ("w", "x", "y"):
        win(ana, key, 500_000)
    write(office, line("l-w", "w", "2", "nut"), line("l-y", "y", "10"))
    until(office, "2026-03-31 21:30")  # 23:30 in Madrid, 22:30 in London
    visited(ana, "v", office.clock.now_ms())
    assert ana.do("visit.submit", "visits", "v", base=3).outcome == "applied"
    until(office, "2026-04-02 08:00")
    assert close(office).outcome == "applied"
    office.clock.advance(1000)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ([NUT], {"margin": "changed_cost"}),
        ([("unit_costs", "c-pump", {"amount_minor": 1})], {"margin": "changed_cost"}),
        ([line("l-x", "x", "3", "nut")], {"kilos": "changed_amount"}),
        ([line("l-x", "x", "3")], {"pieces": "changed_amount", "margin": "changed_cost"}),
        ([("deal_lines", "l-y", {"quantity": "11"})], {"pieces": "changed_amount", "margin": "changed_cost"}),
        ([("products", "nut", {"unit": "piece"})], {"kilos": "rule_changed", "pieces": "rule_changed"}),
        (
            [("credit_rules", "late", {"event": "invoiced", "valid_from": "2025-01-01"})],
            dict.fromkeys(("margin", "kilos", "pieces", "new", "north"), "rule_changed"),
        ),
        ([("stages", "won", {"kind": "open"})], dict.fromkeys(("margin", "kilos", "pieces", "north"), "rule_changed")),
        ([("organisations", "org", {"zone": "Asia/Tokyo"})], {"visits": "rule_changed"}),
        (
            [("deals", key, {"account_key": "beta"}) for key in ("w", "x", "y")],
            {"new": "changed_customer", "north": "changed_customer", "south": "changed_customer"},
        ),
        ([("visits", "v", {"account_key": "beta"})], {}),
    ],
)
def test_what_somebody_changed_is_what_is_told(
    office: Office, changes: list[tuple[str, str, dict[str, Any]]], word: dict[str, str]
) -> None:
    """R2, R17: `other` is for what nobody can name."""
    closed(office)
    write(office, *changes) if changes[0][0] in ("stages", "visits") else office.put(*changes)
    with opened(office) as desk:
        for key in ("margin", "kilos", "pieces", "new", "north", "south", "visits"):
            told = {why for _, why, _, _ in whys(desk, key)}
            sides(desk, key)
            if key in word:
                assert told == {word[key]}, key
            assert "other" not in told, key


def test_a_line_that_was_deleted_is_another_quantity_and_another_cost(office: Office) -> None:
    """R17."""
    closed(office)
    office.delete("deal_lines", "l-y")
    office.delete("deal_lines", "l-w")
    with opened(office) as desk:
        assert whys(desk, "kilos") == [("removed", "changed_amount", "w", -2_000_000)]
        assert whys(desk, "pieces") == [("removed", "changed_amount", "y", -10_000_000)]
        assert {why for _, why, _, _ in whys(desk, "margin")} <= {"changed_cost"}


def test_a_visit_whose_check_in_was_amended_into_another_period_is_dated_otherwise(office: Office) -> None:
    """R1, R14: it is missed where it was, and late nowhere."""
    closed(office)
    office.put(quota("visits-2", "total_contacts", "q2", user_key="ana"))
    times = {"checked_in_at": at("2026-04-01 09:00"), "checked_out_at": at("2026-04-01 10:00")}
    ana = office.phone("ana")
    assert ana.do("visit.amend", "visits", "v", set={"values": times, "reason": "wrong day"}).outcome == "applied"
    with opened(office) as desk:
        assert whys(desk, "visits") == [("removed", "dated_otherwise", "v", -1)]
        until(office, "2026-07-02 08:00")
        assert close(office, period="q2").outcome == "applied"
        office.clock.advance(1000)
        desk.forget_tokens()
        back = {"checked_in_at": at("2026-03-01 09:00"), "checked_out_at": at("2026-03-01 10:00")}
        assert ana.do("visit.amend", "visits", "v", set={"values": back, "reason": "it was"}).outcome == "applied"
        assert whys(desk, "visits-2") == [("removed", "dated_otherwise", "v", -1)]
        assert sides(desk, "visits") == (1, 1, 0)


@pytest.mark.parametrize(
    ("since", "quota", "word"),
    [
        (Since(lines=True), MARGIN, "changed_cost"),
        (Since(lines=True), PIECES, "changed_amount"),
        (UNTOUCHED, replace(MARGIN, costs_changed=True), "changed_cost"),
        (UNTOUCHED, replace(MONEY, company_rules_changed=True), "rule_changed"),
        (UNTOUCHED, replace(MONEY, members_changed=True, company_rules_changed=True), "membership_changed"),
        (Since(fields=frozenset({"account_key"})), MONEY, "changed_customer"),
        (Since(fields=frozenset({"account_key", "owner_key"})), MONEY, "changed_owner"),
    ],
)
def test_the_first_word_that_fits_is_said_of_what_is_gone_and_of_what_is_new(
    since: Since, quota: Quota, word: str
) -> None:
    assert why([part()], [], since, quota) == [("removed", word)]
    assert why([], [part()], since, quota) == [("added", word)]


def test_a_visit_of_another_time_is_dated_otherwise_and_one_that_comes_late_is_late() -> None:
    visit, timed = part("v1", value=1, entity="visits"), frozenset({"checked_in_at"})
    assert why([], [visit], Since(fields=timed), VISITS) == [("added", "dated_otherwise")]
    assert why([], [visit], Since(fields=timed | {"status"}), VISITS) == [("added", "late")]


def test_the_documentation_lists_every_word() -> None:
    text = (DOCS / "closing.md").read_text(encoding="utf-8")
    listed = {row.split("`")[1] for row in text.partition("| `why` | what happened")[2].splitlines() if "| `" in row}
    assert listed == set(WHYS)
