"""What happens after a closing (R2, R5, R17, R18, R21, R34): the closed figure stays, what differs is listed."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from sfa.db.tables import closed_figures
from sfa.quotas.closed import closed_of
from tests.builders import DAY_MS
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.quotas.books import RATES, at, close, quarter, quota, sides, told, until, visited, whys, win

USD = ("quotas", "q-usd", quota("q-usd", user_key="ana", currency="USD")[2])


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


@pytest.fixture
def book(desk: Desk) -> Desk:
    """Ana has won 5,000.00 in January, Bob 700.00 in March, and the quarter was closed on the first of April."""
    office = desk.office
    quarter(office)
    win(office.phone("ana"), "won-a", 500_000)
    visited(office.phone("ana"), "v-1", office.clock.now_ms())
    until(office, "2026-03-10 10:00")
    win(office.phone("bob"), "won-b", 70_000)
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    until(office, "2026-04-03 08:00")
    desk.forget_tokens()
    return desk


def fields(book: Desk, key: str, **values: Any) -> None:
    assert book.office.phone("mia").edit("deals", key, **values).outcome == "applied"


def test_r2_an_untouched_period_has_no_difference(book: Desk) -> None:
    for key in ("q-ana", "q-bob", "q-team", "q-visits"):
        found = told(book, key)
        assert (found["delta"], found["count"], found["items"], found["next"]) == (0, 0, [], None)
        assert found["closed"]["value"] == found["restated"]["value"]


def test_r17_an_amount_that_is_changed_after_the_closing_is_a_restatement(book: Desk) -> None:
    fields(book, "won-a", amount_minor=450_000)
    assert sides(book, "q-ana") == (500_000, 450_000, -50_000)
    assert whys(book, "q-ana") == [("changed", "changed_amount", "won-a", -50_000)]
    (item,) = told(book, "q-ana")["items"]
    assert (item["before"]["amount_minor"], item["after"]["amount_minor"]) == (500_000, 450_000)
    assert sides(book, "q-team") == (570_000, 520_000, -50_000)


def test_r17_splits_that_are_changed_after_the_closing_are_a_restatement_of_both(book: Desk) -> None:
    fields(book, "won-a", splits=[{"user_key": "ana", "share_bp": 6_000}, {"user_key": "bob", "share_bp": 4_000}])
    assert sides(book, "q-ana") == (500_000, 300_000, -200_000)
    assert sides(book, "q-bob") == (70_000, 270_000, 200_000)
    assert whys(book, "q-ana") == [("changed", "changed_split", "won-a", -200_000)]
    assert whys(book, "q-bob") == [("added", "changed_split", "won-a", 200_000)]
    assert sides(book, "q-team") == (570_000, 570_000, 0), "the team won as much as before"
    assert [(kind, delta) for kind, _, _, delta in whys(book, "q-team")] == [("changed", -200_000), ("added", 200_000)]


def test_r18_a_membership_that_is_changed_backdated_restates_the_team_and_not_the_person(book: Desk) -> None:
    """Ana belonged to the South from the first of March on, it turns out, and Bob since the first of March too."""
    office = book.office
    office.put(
        ("team_members", "m-bob", {"valid_to": "2026-03-01"}),
        ("team_members", "m-bob-2", {"team_key": "south", "user_key": "bob", "valid_from": "2026-03-01"}),
    )
    assert sides(book, "q-team") == (570_000, 500_000, -70_000)
    assert whys(book, "q-team") == [("removed", "membership_changed", "won-b", -70_000)]
    assert sides(book, "q-bob") == (70_000, 70_000, 0)


def test_a_deal_that_is_given_to_somebody_else_is_a_restatement_of_both(book: Desk) -> None:
    fields(book, "won-b", owner_key="ana", splits=[{"user_key": "ana", "share_bp": 10_000}])
    assert whys(book, "q-bob") == [("removed", "changed_owner", "won-b", -70_000)]
    assert whys(book, "q-ana") == [("added", "changed_owner", "won-b", 70_000)]


def test_a_deal_that_is_deleted_is_told(book: Desk) -> None:
    book.office.delete("deals", "won-b")
    assert whys(book, "q-bob") == [("removed", "deleted", "won-b", -70_000)]


def test_r21_a_deal_reopened_in_the_next_period_is_reversed_there_and_restates_nothing(book: Desk) -> None:
    ana = book.office.phone("ana")
    assert ana.do("deal.reopen", "deals", "won-a", base=2, set={"stage_key": "offer"}).outcome == "applied"
    assert sides(book, "q-ana") == (500_000, 500_000, 0)
    assert told(book, "q-ana")["items"] == []
    assert told(book, "q-ana-2")["restated"]["value"] == -500_000
    until(book.office, "2026-04-20 08:00")
    book.forget_tokens()
    ana.edit("deals", "won-a", amount_minor=480_000)
    ana.do("deal.win", "deals", "won-a", base=book.office.rev("deals", "won-a"))
    assert told(book, "q-ana-2")["restated"]["value"] == -20_000, "reversed and won again, in another period"
    assert sides(book, "q-ana") == (500_000, 500_000, 0)
    until(book.office, "2026-07-01 08:00")
    assert close(book.office, period="q2").outcome == "applied"
    book.forget_tokens()
    assert sides(book, "q-ana-2") == (-20_000, -20_000, 0)


def test_r21_a_reopening_inside_the_period_that_arrives_after_the_closing_is_a_restatement(book: Desk) -> None:
    ana = book.office.phone("ana")
    reopen = ana.mutation("deal.reopen", "deals", "won-a", base=2, set={"stage_key": "offer"})
    (receipt,) = ana.push({**reopen, "at": at("2026-03-20 10:00")}).receipts
    assert receipt.outcome == "applied"
    assert sides(book, "q-ana") == (500_000, 0, -500_000)
    assert whys(book, "q-ana") == [("added", "reopened", "won-a", -500_000)]
    (item,) = told(book, "q-ana")["items"]
    assert (item["reversal"], item["ordinal"]) == (True, 1)


def test_r9_a_deal_that_is_signed_inside_the_period_is_credited_late(desk: Desk) -> None:
    """Credit comes with the signature; the phone that says so syncs after the closing."""
    office = desk.office
    quarter(office)
    office.put(("credit_rules", "signed", {"event": "signed", "valid_from": "2026-01-01"}))
    win(office.phone("ana"), "won-a", 500_000)
    until(office, "2026-04-01 08:00")
    close(office)
    assert sides(desk, "q-ana") == (0, 0, 0)
    office.phone("ana").do("deal.sign", "deals", "won-a", base=2, set={"at": at("2026-03-31 10:00")})
    assert sides(desk, "q-ana") == (0, 500_000, 500_000)
    assert whys(desk, "q-ana") == [("added", "late", "won-a", 500_000)]


def test_r3_visits_that_merging_makes_one_are_told_as_merged(desk: Desk) -> None:
    office = desk.office
    quarter(office)
    office.put(
        quota("q-unique", "unique_contacts", user_key="ana", target=5),
        ("contacts", "carl-2", {"account_key": "acme", "name": "Carl B."}),
    )
    ana = office.phone("ana")
    for key, contact in (("v-1", "carl"), ("v-2", "carl-2")):
        visited(ana, key, office.clock.now_ms())
        ana.edit("visits", key, contact_key=contact)
    until(office, "2026-04-01 08:00")
    close(office)
    assert ana.do("contact.merge", "contacts", "carl-2", set={"into": "carl"}).outcome == "applied"
    assert sides(desk, "q-unique") == (2, 1, -1)
    assert [(kind, why) for kind, why, *_ in whys(desk, "q-unique")] == [("removed", "merged")]


def test_r4_a_rule_of_the_quota_that_is_changed_is_told_as_such(book: Desk) -> None:
    office = book.office
    visited(office.phone("ana"), "v-2", at("2026-03-30 10:00"))
    office.put(("quotas", "q-visits", {"counts_unverified": False}))
    assert sides(book, "q-visits") == (1, 0, -1), "a visit without a place is unverifiable"
    assert whys(book, "q-visits") == [("removed", "rule_changed", "v-1", -1)]


def test_r5_another_target_is_no_difference_and_both_sides_name_theirs(book: Desk) -> None:
    book.office.put(("quotas", "q-ana", {"target": 2_000_000}))
    found = told(book, "q-ana")
    assert (found["delta"], found["closed"]["target"], found["restated"]["target"]) == (0, 1_000_000, 2_000_000)
    assert (found["closed"]["pct_bp"], found["restated"]["pct_bp"]) == (5_000, 2_500)


def test_r7_a_target_of_zero_has_no_percentage(desk: Desk) -> None:
    office = desk.office
    quarter(office)
    office.put(quota("q-zero", user_key="cleo", target=0))
    until(office, "2026-04-01 08:00")
    close(office)
    found = told(desk, "q-zero")
    assert (found["closed"]["pct_bp"], found["restated"]["pct_bp"], found["closed"]["value"]) == (None, None, 0)


def test_r34_a_rate_that_is_corrected_is_a_listed_restatement_with_both_rates(desk: Desk) -> None:
    """1 USD = 1.39 AUD from 1 January, 1.42 from 1 February: 1,390 AUD of 31 January are 1,000.00 USD, of 1 February
    978.87."""
    office = desk.office
    quarter(office)
    for key in ("q-ana", "q-team"):  # in euro, of which there is no rate
        office.delete("quotas", key)
    office.put(USD)
    for key, (rate, day) in RATES.items():
        values = {"base_currency": "USD", "quote_currency": "AUD", "rate": rate, "valid_from": day}
        office.phone("fay").do("create", "rates", key, set=values)
    until(office, "2026-01-31 22:30")  # 23:30 in Madrid
    win(office.phone("ana"), "aud-jan", 139_000, "AUD")
    until(office, "2026-01-31 23:00")
    win(office.phone("ana"), "aud-feb", 139_000, "AUD")
    until(office, "2026-04-01 08:00")
    assert close(office).outcome == "applied"
    assert sides(desk, "q-usd") == (100_000 + 97_887, 197_887, 0)
    office.phone("fay").edit("rates", "r-feb", rate="1.40")
    assert sides(desk, "q-usd") == (197_887, 100_000 + 99_286, 1_399)
    (item,) = told(desk, "q-usd")["items"]
    assert (item["why"], item["row_key"]) == ("rate_corrected", "aud-feb")
    assert (item["before"]["rate"], item["after"]["rate"]) == ("1.42", "1.40")
    assert (item["before"]["value"], item["after"]["value"]) == (97_887, 99_286)


def test_r34_a_missing_rate_refuses_the_closing_with_what_is_missing(desk: Desk) -> None:
    office = desk.office
    quarter(office)
    until(office, "2026-02-10 10:00")
    win(office.phone("ana"), "won-usd", 1_000, "USD")
    until(office, "2026-04-01 08:00")
    refused = close(office)
    gap = {"from_currency": "USD", "to_currency": "EUR", "on": "2026-02-10", "quotas": 2}
    assert (refused.code, refused.details) == ("rate_missing", {"missing": [gap], "more": 0})
    assert office.rows("period_closings") == []


def test_r34_closed_although_incomplete_it_says_so_and_the_rate_that_comes_is_told(desk: Desk) -> None:
    office = desk.office
    quarter(office)
    win(office.phone("ana"), "won-a", 500_000)
    until(office, "2026-02-10 10:00")
    win(office.phone("ana"), "won-usd", 1_000, "USD")
    until(office, "2026-04-01 08:00")
    assert close(office, incomplete=True).outcome == "applied"
    figures = {row["quota_key"]: (row["value"], row["code"]) for row in office.all(select(closed_figures))}
    assert (figures["q-ana"], figures["q-bob"]) == ((None, "rate_missing"), (0, None))
    assert told(desk, "q-ana")["restated"]["code"] == "rate_missing"
    summary = desk.get("fay", "/api/periods/q1/closing").json()
    assert (summary["closings"][0]["figures"], summary["closings"][0]["incomplete"]) == (4, 2)
    rate = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.25", "valid_from": "2026-01-01"}
    office.phone("fay").do("create", "rates", "eur-usd", set=rate)
    found = told(desk, "q-ana")
    assert (found["closed"]["value"], found["restated"]["value"]) == (None, 500_800)
    assert [(i["kind"], i["why"], i["delta"]) for i in found["items"]] == [("added", "rate_corrected", 800)]
    assert found["items"][0]["after"]["rate"] == "1.25"


def test_s13_records_that_the_caller_may_not_see_are_counted_and_summed_and_not_named(book: Desk) -> None:
    """Ana sees her team's figure, and of Bob's deal nothing."""
    office = book.office
    office.put(("accounts", "hidden", {"name": "Hidden", "territory_key": "t-south"}))
    fields(book, "won-b", amount_minor=90_000)
    office.put(("deals", "won-b", {"account_key": "hidden"}))
    fields(book, "won-a", amount_minor=510_000)
    found = told(book, "q-team", "ana")
    assert (found["delta"], found["count"]) == (30_000, 2)
    assert [item["row_key"] for item in found["items"]] == ["won-a"]
    assert found["hidden"] == {"why": "hidden", "count": 1, "delta": 20_000}
    assert "won-b" not in book.get("ana", "/api/quotas/q-team/restatement.csv").text
    assert book.get("cleo", "/api/quotas/q-team/restatement").status_code == 404, "another team's figure"
    assert book.get("ana", "/api/quotas/q-bob/closings").status_code == 404


def test_differences_come_in_pages_that_go_on(book: Desk) -> None:
    office = book.office
    for number in range(5):
        visited(office.phone("ana"), f"late-{number}", at("2026-03-30 10:00") + number * DAY_MS // 10)
    keys: list[str] = []
    path = "/api/quotas/q-visits/restatement?limit=2"
    following: str | None = ""
    while following is not None:
        page = book.get("fay", path + (f"&after={following}" if following else "")).json()
        assert (page["count"], page["delta"], len(page["items"]) <= 2) == (5, 5, True)
        keys += [item["row_key"] for item in page["items"]]
        following = page["next"]
    assert keys == [f"late-{number}" for number in range(5)]
    assert book.get("fay", "/api/quotas/q-visits/restatement?limit=0").status_code == 400


def test_the_list_comes_as_a_file(book: Desk) -> None:
    fields(book, "won-a", amount_minor=450_000)
    answer = book.get("fay", "/api/quotas/q-team/restatement.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert (line["kind"], line["why"], line["row_key"]) == ("changed", "changed_amount", "won-a")
    assert (line["before"], line["after"], line["delta"], line["currency"]) == ("500000", "450000", "-50000", "EUR")


def test_no_key_in_a_file_is_a_formula_and_a_difference_below_zero_is_a_number(desk: Desk) -> None:
    quarter(desk.office)
    win(desk.office.phone("ana"), "-1", 500_000)
    until(desk.office, "2026-04-01 08:00")
    close(desk.office)
    fields(desk, "-1", amount_minor=450_000)
    answer = desk.get("fay", "/api/quotas/q-ana/restatement.csv")
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert (line["row_key"], line["delta"]) == ("'-1", "-50000")


def test_the_period_says_how_many_differ_and_by_how_much_apart_for_people_and_teams(book: Desk) -> None:
    fields(book, "won-a", amount_minor=450_000)
    visited(book.office.phone("ana"), "v-late", at("2026-03-31 09:00"))
    book.office.put(quota("q-new", user_key="cleo"))
    found = book.get("fay", "/api/periods/q1/closing").json()
    assert (found["quotas"], found["differing"], found["unclosed"], found["partial"]) == (5, 3, 1, False)
    assert [(i["quota_key"], i["of"], i["delta"]) for i in found["items"]] == [
        ("q-ana", "user", -50_000),
        ("q-team", "team", -50_000),
        ("q-visits", "user", 1),
    ]
    sums = {(s["of"], s["measure"], s["unit"]): (s["closed"], s["restated"], s["delta"]) for s in found["sums"]}
    assert sums == {
        ("team", "revenue", "EUR"): (570_000, 520_000, -50_000),
        ("user", "revenue", "EUR"): (570_000, 520_000, -50_000),
        ("user", "total_contacts", None): (1, 2, 1),
    }
    page = book.get("fay", "/api/periods/q1/closing?limit=1&after=q-ana").json()
    assert ([i["quota_key"] for i in page["items"]], page["next"]) == (["q-team"], "q-team")


def test_r30_who_does_not_see_all_quotas_is_told_that_it_is_a_part(book: Desk) -> None:
    found = book.get("bob", "/api/periods/q1/closing").json()
    assert (found["quotas"], found["partial"]) == (2, True), "his own and his team's"
    assert book.get("bob", "/api/periods/nothing/closing").status_code == 404


def test_a_period_that_is_not_closed_says_so(book: Desk) -> None:
    found = told(book, "q-ana-2")
    assert (found["closed"], found["restated"]["value"], found["items"]) == (None, 0, [])
    assert book.get("fay", "/api/quotas/q-ana-2/closings").json()["items"] == []
    period = book.get("fay", "/api/periods/q2/closing").json()
    assert (period["closings"], period["quotas"], period["unclosed"], period["items"]) == ([], 1, 1, [])


def test_closed_figures_of_many_quotas_are_asked_in_one_set(book: Desk) -> None:
    found = book.office.database.read(closed_of, ["q-ana", "q-bob", "q-ana-2", "nothing"])
    assert {key: closed.value for key, closed in found.items()} == {"q-ana": 500_000, "q-bob": 70_000}


def test_r45_closed_margins_are_told_to_roles_that_see_cost_and_to_no_other(desk: Desk) -> None:
    office = desk.office
    quarter(office)
    office.put(quota("q-margin", "margin", team_key="all-sales", target=1), ("products", "pump", {"name": "Pump"}))
    ana = office.phone("ana")
    line = {"deal_key": "won-a", "product_key": "pump", "quantity": "10", "unit_price_minor": 10_000}
    about = {"name": "x", "owner_key": "ana", "account_key": "acme", "stage_key": "lead", "currency": "EUR"}
    ana.push(
        ana.mutation("create", "deals", "won-a", set={**about, "amount_minor": 100_000}),
        ana.mutation("create", "deal_lines", "l-1", set=line),
        ana.mutation("deal.win", "deals", "won-a", base=1),
    )
    until(office, "2026-04-01 08:00")
    assert close(office, "root").outcome == "applied"
    assert sides(desk, "q-margin", "dirk") == (40_000, 40_000, 0)
    office.put(("unit_costs", "c-pump", {"amount_minor": 7_000}))
    assert sides(desk, "q-margin") == (40_000, 30_000, -10_000)
    assert whys(desk, "q-margin") == [("changed", "changed_cost", "won-a", -10_000)]
    for path in ("restatement", "restatement.csv", "closings"):
        assert desk.get("root", f"/api/quotas/q-margin/{path}").json()["code"] == "not_permitted"
    told_root, told_fay = (desk.get(user, "/api/periods/q1/closing").json() for user in ("root", "fay"))
    assert [(t["quotas"], t["differing"], t["partial"]) for t in (told_root, told_fay)] == [(4, 0, True), (5, 1, False)]


def test_r2_a_live_figure_has_the_closed_one_beside_it(book: Desk) -> None:
    fields(book, "won-a", amount_minor=450_000)
    items = {item["key"]: item for item in book.get("ana", "/api/attainment").json()["items"]}
    assert items["q-ana"]["value"] == 450_000
    assert items["q-ana"]["closed"] == {"number": 1, "value": 500_000, "closed_at": at("2026-04-01 08:00")}
    assert items["q-ana-2"]["closed"] is None
