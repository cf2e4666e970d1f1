"""Attainment on both databases: the worked examples, whom a fact counts for and when, and what is left out."""

from typing import Any

from sqlalchemy import Connection, event

from sfa.quotas import engine
from tests.office import Office
from tests.quotas.ledger import (
    FEBRUARY,
    JANUARY,
    Q1,
    Q2,
    at,
    check_explained,
    contributions,
    figures,
    line,
    quota,
    rate,
    shares,
    sums,
    values,
    visit,
    won,
    write,
)


def test_r34_each_deal_is_converted_at_the_rate_of_the_day_on_which_it_was_closed(office: Office) -> None:
    """1 USD = 1.39 AUD from 1 January, 1.42 from 1 February."""
    write(office, rate("USD", "AUD", "1.39", "2026-01-01"), rate("USD", "AUD", "1.42", "2026-02-01"), JANUARY, FEBRUARY)
    write(office, quota("jan", period_key="P01", currency="USD"), quota("feb", period_key="P02", currency="USD"))
    aud: dict[str, Any] = {"amount_minor": 1_390_00, "currency": "AUD"}
    write(office, won("a", "2026-01-31", **aud), won("b", "2026-02-01", **aud))
    assert values(office) == {"jan": 1_000_00, "feb": 978_87}
    check_explained(office)
    (part,) = contributions(office, "feb")
    assert (part.rate, part.rate_on, part.inverse) == ("1.42", "2026-02-01", True)
    assert (part.amount_minor, part.currency, part.value) == (1_390_00, "AUD", 978_87)


def test_r34_a_missing_rate_gives_no_figure_and_names_what_is_missing(office: Office) -> None:
    write(office, Q1, quota("q"), won("a", "2026-01-10"), won("b", "2026-01-20", currency="JPY"))
    (figure,) = check_explained(office).values()
    assert (figure.value, figure.code, figure.pct_bp, figure.pct_code) == (None, "rate_missing", None, "not_computable")
    (missing,) = figure.missing
    assert (missing.from_currency, missing.to_currency, missing.on) == ("JPY", "EUR", "2026-01-20")
    write(office, rate("EUR", "JPY", "160", "2026-01-01"))
    assert values(office) == {"q": 100_00 + 62_50}  # 10,000 yen: yen have no cents


def test_r33_minor_units_are_those_of_each_currency(office: Office) -> None:
    """Yen have no decimals and Kuwaiti dinars three; halves are rounded up, losses alike."""
    write(office, rate("EUR", "JPY", "160", "2026-01-01"), rate("KWD", "EUR", "3", "2026-01-01"), JANUARY)
    write(office, quota("eur", period_key="P01"), quota("yen", period_key="P01", currency="JPY", user_key="bob"))
    write(office, won("a", "2026-01-10", 1_000, currency="JPY"), won("b", "2026-01-11", 1_005, currency="KWD"))
    write(office, won("c", "2026-01-12", -1_005, currency="KWD"), won("d", "2026-01-13", 5, currency="KWD"))
    write(office, won("e", "2026-01-14", 1_00, owner_key="bob"))
    found = {part.row_key: part.value for part in contributions(office, "eur")}
    assert found == {"a": 6_25, "b": 3_02, "c": -3_02, "d": 2}  # 3.015 and 0.015, away from zero
    assert values(office) == {"eur": 6_27, "yen": 160}
    check_explained(office)


def test_r16_ten_thousand_split_in_half_is_five_thousand_each_and_not_doubled(office: Office) -> None:
    """Revenue 10,000, cost 7,000: each 5,000 / 3,500 / 1,500; the team 10,000 / 7,000 / 3,000."""
    write(office, Q1, ("unit_costs", "c-pump", {"amount_minor": 700_00}))
    people: list[dict[str, Any]] = [{"user_key": "ana"}, {"user_key": "bob"}, {"team_key": "north"}]
    for who in people:
        (key,) = who.values()
        write(office, quota(f"r-{key}", **who), quota(f"m-{key}", "margin", **who))
    write(office, won("a", "2026-01-10", 10_000_00, splits=shares(ana=5_000, bob=5_000)), line("l", "a", "10"))
    found = values(office)
    assert {key: found[f"r-{key}"] for key in ("ana", "bob", "north")} == {
        "ana": 5_000_00,
        "bob": 5_000_00,
        "north": 10_000_00,
    }
    assert {key: found[f"m-{key}"] for key in ("ana", "bob", "north")} == {
        "ana": 1_500_00,
        "bob": 1_500_00,
        "north": 3_000_00,
    }
    check_explained(office)
    assert [(p.amount_minor, p.cost_minor) for p in contributions(office, "m-north")] == [(5_000_00, 3_500_00)] * 2


def test_r16_overlay_credit_counts_in_overlay_quotas_only(office: Office) -> None:
    write(office, Q1, quota("own", user_key="cleo"), quota("over", user_key="cleo", overlay=True))
    write(office, quota("all", team_key="all-sales"))
    write(office, won("a", "2026-01-10", 999, overlays=shares(cleo=5_000)))
    assert values(office) == {"own": 0, "over": 500, "all": 999}
    check_explained(office)


def test_r18_a_rep_who_moves_on_day_forty_counts_for_each_team_on_his_own_days(office: Office) -> None:
    write(office, Q1, *(quota(team, team_key=team) for team in ("north", "south", "all-sales")), quota("ana"))
    write(office, won("a", "2026-02-08", 100_00), won("b", "2026-02-09", 10_00), won("c", "2026-03-31", 1_00))
    write(office, ("team_members", "m-ana", {"valid_to": "2026-02-09"}))
    write(office, ("team_members", "m-ana-2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-02-09"}))
    assert values(office) == {"north": 100_00, "south": 11_00, "all-sales": 111_00, "ana": 111_00}
    check_explained(office)


def test_r18_a_leaver_keeps_past_credit_and_vanishes_from_later_periods(office: Office) -> None:
    write(office, Q1, Q2, quota("n1", team_key="north"), quota("n2", period_key="Q2", team_key="north"))
    write(office, won("a", "2026-03-31"), won("b", "2026-04-01", 7_00))
    write(office, ("team_members", "m-ana", {"valid_to": "2026-04-01"}), ("users", "ana", {"active": False}))
    assert values(office) == {"n1": 100_00, "n2": 0}
    check_explained(office)


def test_a_person_of_two_teams_counts_once_above_them(office: Office) -> None:
    write(office, Q1, *(quota(team, team_key=team) for team in ("north", "south", "all-sales")))
    write(office, ("team_members", "m-2", {"team_key": "south", "user_key": "ana", "valid_from": "2025-01-01"}))
    write(office, won("a", "2026-01-10"))
    assert values(office) == {"north": 100_00, "south": 100_00, "all-sales": 100_00}


def test_r32_the_local_day_decides_the_period(office: Office) -> None:
    write(office, Q1, Q2, quota("q1"), quota("q2", period_key="Q2"))
    midnight = at("2026-04-01", 0)  # 22:00 UTC of 31 March
    write(
        office, won("a", "2026-03-31", 1_00, closed_at=midnight - 1), won("b", "2026-04-01", 2_00, closed_at=midnight)
    )
    assert values(office) == {"q1": 1_00, "q2": 2_00}


def test_r1_a_visit_counts_at_its_corrected_event_time(office: Office) -> None:
    write(
        office, Q1, Q2, *(quota(f"{m}-{q}", m, q) for m in ("total_contacts", "unique_contacts") for q in ("Q1", "Q2"))
    )
    write(office, visit("v", "2026-04-01", submitted=True), visit("w", "2026-04-02", contact_key="carl"))
    correction = {"visit_key": "v", "author_key": "ana", "amended_at": at("2026-04-03"), "reason": "wrong day"}
    for ordinal, day in enumerate(("2026-04-05", "2026-03-31"), 1):
        moved = {**correction, "ordinal": ordinal, "field": "checked_in_at", "old": None, "new": at(day)}
        write(office, ("visit_amendments", f"am{ordinal}", moved))
    assert values(office) == dict.fromkeys(("total_contacts-Q1", "total_contacts-Q2", "unique_contacts-Q1"), 1) | {
        "unique_contacts-Q2": 1
    }
    check_explained(office)


def test_r3_two_contacts_that_were_merged_are_one_person(office: Office) -> None:
    write(office, ("contacts", "carl2", {"account_key": "acme", "name": "Carlo"}), Q1, quota("u", "unique_contacts"))
    write(office, quota("t", "total_contacts"))
    write(office, visit("v1", "2026-01-10", contact_key="carl"), visit("v2", "2026-01-11", contact_key="carl2"))
    write(office, visit("v3", "2026-01-12", submitted=True))
    amended = {"visit_key": "v3", "author_key": "ana", "amended_at": at("2026-01-13"), "ordinal": 1, "reason": "r"}
    write(office, ("visit_amendments", "am", {**amended, "field": "contact_key", "old": None, "new": "carl2"}))
    assert values(office) == {"u": 2, "t": 3}
    assert office.phone("ana").do("contact.merge", "contacts", "carl2", set={"into": "carl"}).outcome == "applied"
    assert values(office) == {"u": 1, "t": 3}
    check_explained(office)
    assert [p.reason for p in contributions(office, "u", left_out=True)] == ["visited", "repeated", "repeated"]


def test_r4_each_quota_says_which_visits_count_and_lists_what_it_leaves_out(office: Office) -> None:
    strict: dict[str, Any] = {"counts_unverified": False, "counts_out_of_range": False}
    write(office, Q1, quota("open", "total_contacts"), quota("strict", "total_contacts", **strict))
    write(office, quota("all", "total_contacts", counts_no_show=True, counts_cancelled=True))
    planned: dict[str, Any] = {"checked_in_at": None, "verdict": None, "planned_at": at("2026-02-01")}
    write(
        office,
        visit("v1", "2026-01-10"),
        visit("v2", "2026-01-11", verdict="unverifiable"),
        visit("v3", "2026-01-12", verdict=None),
        visit("v4", "2026-01-13", verdict="out_of_range"),
        visit("v5", "2026-01-14", **planned, status="no_show"),
        visit("v6", "2026-01-15", **planned, status="cancelled"),
        visit("v7", "2026-01-16", status="checked_in"),
        visit("v8", "2026-01-17", **planned, status="planned"),
    )
    found = check_explained(office)
    assert {key: figure.value for key, figure in found.items()} == {"open": 4, "strict": 1, "all": 6}
    assert found["strict"].left_out == {
        "cancelled": 1,
        "no_show": 1,
        "out_of_range": 1,
        "still_open": 1,
        "unverified": 2,
    }
    assert {p.row_key: p.reason for p in contributions(office, "all") if p.reason != "visited"} == {
        "v5": "no_show",
        "v6": "cancelled",
    }


def test_r11_contacts_of_a_tier_or_a_type_and_quantities_of_a_product_or_a_unit(office: Office) -> None:
    write(office, Q1, ("accounts", "acme", {"tier": "A"}), ("products", "hose", {"name": "Hose", "unit": "metre"}))
    write(office, quota("tier", "total_contacts", account_tier="B"), quota("type", "total_contacts", visit_type="demo"))
    write(office, quota("pumps", "quantity", product_key="pump"), quota("metres", "quantity", unit="metre"))
    write(office, visit("v1", "2026-01-10"), visit("v2", "2026-01-11", account_key="zeta", visit_type="demo"))
    write(office, won("a", "2026-01-10", splits=shares(ana=5_000, bob=5_000)))
    write(office, line("l1", "a", "3"), line("l2", "a", "2.5", "hose"), line("l3", "a", "0.5"))
    assert values(office) == {"tier": 0, "type": 1, "pumps": 1_750_000, "metres": 1_250_000}
    write(office, ("accounts", "zeta", {"tier": "B"}))
    assert values(office)["tier"] == 1
    check_explained(office)


def test_r11_a_customer_is_new_where_its_first_standing_credit_lies_for_the_owner_of_that_deal(office: Office) -> None:
    write(
        office,
        Q1,
        Q2,
        *(quota(f"{u}-{q}", "new_accounts", q, user_key=u) for u in ("ana", "bob") for q in ("Q1", "Q2")),
    )
    write(
        office,
        quota("north", "new_accounts", team_key="north"),
        quota("place", "new_accounts", territory_key="t-north"),
    )
    write(office, won("a", "2026-03-01", splits=shares(ana=1_000, bob=9_000)), won("b", "2026-04-10", owner_key="bob"))
    assert values(office) == {"ana-Q1": 1, "ana-Q2": 0, "bob-Q1": 0, "bob-Q2": 0, "north": 1, "place": 1}
    ended = {"stage_key": "won", "closed_at": at("2026-03-01"), "reopened_at": at("2026-03-20"), "owner_key": "ana"}
    ended |= {"amount_minor": 100_00, "currency": "EUR", "splits": shares(ana=1_000, bob=9_000), "overlays": []}
    write(office, ("deals", "a", {"stage_key": "offer", "closed_at": None, "closings": [ended]}))
    assert values(office) == {"ana-Q1": 0, "ana-Q2": 0, "bob-Q1": 0, "bob-Q2": 1, "north": 0, "place": 0}
    check_explained(office)
    assert values(office, at("2026-03-10"))["ana-Q1"] == 1  # nobody had reopened it then


def test_r3_a_merged_customer_is_new_once_also_as_of_before_its_deal_was_reopened(office: Office) -> None:
    """Reversed credits go on naming the customer of their time."""
    office.put(("accounts", "dup", {"name": "Acme again", "territory_key": "t-north"}))
    write(office, Q1, quota("new", "new_accounts", team_key="north"))
    write(office, won("a", "2026-01-10", account_key="dup"), won("b", "2026-01-12"))
    ended = {"stage_key": "won", "closed_at": at("2026-01-10"), "reopened_at": at("2026-01-20"), "owner_key": "ana"}
    ended |= {"amount_minor": 100_00, "currency": "EUR", "splits": [], "overlays": []}
    write(office, ("deals", "a", {"stage_key": "offer", "closed_at": None, "closings": [ended]}))
    assert (values(office)["new"], values(office, at("2026-01-15"))["new"]) == (1, 2)
    dirk = office.phone("dirk")
    merged = dirk.do("account.merge", "accounts", "dup", base=office.rev("accounts", "dup"), set={"into": "acme"})
    assert merged.outcome == "applied"
    assert (values(office)["new"], values(office, at("2026-01-15"))["new"]) == (1, 1)
    check_explained(office, at("2026-01-15"))
    dirk.do("account.unmerge", "accounts", "acme", set={"loser": "dup"})
    assert values(office, at("2026-01-15"))["new"] == 2


def test_r34_a_reopening_takes_back_what_the_credit_was_worth(office: Office) -> None:
    """At the rate of the day on which it was won, whatever a dollar is worth on the day of the reopening."""
    write(office, rate("USD", "EUR", "0.90", "2026-01-01"), rate("USD", "EUR", "0.80", "2026-04-01"))
    write(office, Q1, Q2, quota("q1"), quota("q2", period_key="Q2"))
    write(office, won("a", "2026-03-30", 100_00, currency="USD"))
    closing = {"stage_key": "won", "closed_at": at("2026-03-30"), "signed_at": None, "invoiced_at": None}
    closing |= {"reopened_at": at("2026-04-10"), "owner_key": "ana", "amount_minor": 100_00, "currency": "USD"}
    closing |= {"splits": [], "overlays": [], "lost_reason": None}
    write(office, ("deals", "a", {"stage_key": "offer", "closed_at": None, "closings": [closing]}))
    assert values(office) == {"q1": 90_00, "q2": -90_00}
    (taken_back,) = contributions(office, "q2")
    assert (taken_back.rate, taken_back.rate_on) == ("0.90", "2026-01-01")
    check_explained(office)


def test_r21_a_reopening_takes_credit_back_in_the_period_in_which_it_happens(office: Office) -> None:
    write(office, Q1, Q2, quota("q1"), quota("q2", period_key="Q2"), won("a", "2026-03-30", 100_00))
    closing = {"stage_key": "won", "closed_at": at("2026-03-30"), "signed_at": None, "invoiced_at": None}
    closing |= {"reopened_at": at("2026-04-10"), "owner_key": "ana", "amount_minor": 100_00, "currency": "EUR"}
    closing |= {"splits": [], "overlays": [], "lost_reason": None}
    write(office, ("deals", "a", {"stage_key": "offer", "closed_at": None, "closings": [closing]}))
    assert values(office) == {"q1": 100_00, "q2": -100_00}
    write(office, won("a", "2026-06-30", 120_00))
    assert values(office) == {"q1": 100_00, "q2": 20_00}
    check_explained(office)
    assert [(p.ordinal, p.reversal, p.value, p.reason) for p in contributions(office, "q2")] == [
        (1, True, -100_00, "reopened"),
        (2, False, 120_00, "won"),
    ]


def test_r5_the_version_in_force_is_used_and_named(office: Office) -> None:
    write(
        office,
        Q1,
        quota("q", approvals=2, status="approved", target=999),
        quota("draft", target=5),
        won("a", "2026-01-10", 50),
    )
    for number, (target, day) in enumerate(((100, "2026-01-15"), (200, "2026-03-01")), 1):
        said = {"quota_key": "q", "number": number, "target": target, "currency": "EUR", "valid_from": day}
        write(office, ("quota_versions", f"v{number}", {**said, "approved_by": "mia", "approved_at": at(day)}))
    seen = {day: figures(office, at(day))["q"] for day in ("2026-01-11", "2026-02-28", "2026-03-01")}
    assert {day: (f.version, f.target, f.pct_bp) for day, f in seen.items()} == {
        "2026-01-11": (1, 100, 5_000),  # none is that old: the first one
        "2026-02-28": (1, 100, 5_000),
        "2026-03-01": (2, 200, 2_500),
    }
    assert figures(office)["q"].version == 2
    assert (figures(office)["draft"].version, figures(office)["draft"].target) == (0, 5)


def test_r7_a_target_of_zero_or_less_has_no_percentage(office: Office) -> None:
    write(office, Q1, quota("zero", target=0), quota("less", target=-5), won("a", "2026-01-10"))
    for figure in figures(office).values():
        assert (figure.value, figure.pct_bp, figure.pct_code) == (100_00, None, "not_computable")


def test_a_territory_quota_counts_by_the_territory_of_the_customer_when_it_was_credited(office: Office) -> None:
    write(office, Q1, ("territories", "t-top", {"name": "Top"}))
    write(office, ("territory_edges", "te-top", {"territory_key": "t-top", "valid_from": "2025-01-01"}))
    write(office, ("territory_edges", "te-north", {"parent_key": "t-top"}))
    write(office, *(quota(f"r-{t}", territory_key=t) for t in ("t-north", "t-south", "t-top")))
    write(office, *(quota(f"c-{t}", "total_contacts", territory_key=t) for t in ("t-north", "t-south", "t-top")))
    write(office, won("a", "2026-01-10"), won("none", "2026-01-11", account_key=None), visit("v", "2026-01-12"))
    assert values(office) == {
        "r-t-north": 100_00,
        "r-t-south": 0,
        "r-t-top": 100_00,
        "c-t-north": 1,
        "c-t-south": 0,
        "c-t-top": 1,
    }
    write(office, ("accounts", "acme", {"territory_key": "t-south"}), ("deals", "a", {"amount_minor": 90_00}))
    found = values(office)
    assert (found["r-t-north"], found["r-t-south"], found["c-t-south"]) == (90_00, 0, 1)
    check_explained(office)


def test_r12_what_happened_from_the_instant_on_does_not_count_and_the_same_instant_gives_the_same(
    office: Office,
) -> None:
    write(office, Q1, quota("q"), quota("c", "total_contacts"), won("a", "2026-01-10"), visit("v", "2026-01-10"))
    noon = at("2026-01-10")
    assert values(office, noon) == {"q": 0, "c": 0}
    assert values(office, noon + 1) == {"q": 100_00, "c": 1}
    assert figures(office, noon + 1) == figures(office, noon + 1)
    check_explained(office, noon + 1)


def test_a_margin_without_a_cost_and_a_deal_without_an_amount_are_left_out_and_said(office: Office) -> None:
    write(office, Q1, quota("m", "margin"), quota("r"), won("a", "2026-01-10"), won("b", "2026-01-11", None))
    found = check_explained(office)
    assert (found["m"].value, found["m"].left_out) == (0, {"amount_missing": 1, "cost_missing": 1})
    assert (found["r"].value, found["r"].left_out) == (100_00, {"amount_missing": 1})


def test_sums_over_what_a_64_bit_integer_holds_are_exact(office: Office) -> None:
    write(office, Q1, quota("n", "quantity", team_key="north"))
    for key in "abcdefghi":
        write(office, won(key, "2026-01-10"), line(f"l-{key}", key, "999999999999.999999"))
    assert values(office) == {"n": 9 * 999_999_999_999_999_999}
    check_explained(office)
    write(office, won("j", "2026-01-10"), line("l-j", "j", "999999999999.999999"))
    assert (figures(office)["n"].value, figures(office)["n"].code) == (None, "figure_too_large")


def test_a_hundred_quotas_take_as_many_statements_as_one(office: Office) -> None:
    write(office, Q1, won("a", "2026-01-10"), *(quota(f"q{n}") for n in range(100)))
    heard: list[str] = []

    def count(connection: Connection, size: int) -> int:
        heard.clear()
        engine.figures(connection, engine.read_quotas(connection)[:size], None)
        return len(heard)

    def work(connection: Connection) -> tuple[int, int]:
        event.listen(connection, "before_cursor_execute", lambda *args: heard.append(args[2]))
        return count(connection, 1), count(connection, 100)

    one, hundred = office.database.read(work)
    assert one == hundred


def test_sums_of_people_are_seen_in_the_explanation(office: Office) -> None:
    write(
        office, Q1, quota("north", team_key="north"), won("a", "2026-01-10", 10_00, splits=shares(ana=2_500, bob=7_500))
    )
    assert sums(contributions(office, "north")) == {"ana": 2_50, "bob": 7_50}
