"""The ledger of commission: the door keeps what a rebuild makes, and rows are added and never changed (R41)."""

from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, select, update

from sfa.core.errors import Refused
from sfa.db.commissions import SETTINGS_LOCK, people, rebuild, verify
from sfa.db.earnings import Lack, Unit, earned, read_assigned, read_world
from sfa.db.tables import commission_entries
from tests.builders import NOW, put_rows
from tests.office import Office
from tests.quotas.ledger import Q1, Q2, Row, at, line, quota, rate, shares, won, write

TIERS = [{"from_minor": 0, "rate_bp": 500}, {"from_minor": 100_00, "rate_bp": 1_000}]
OF_QUOTA = [{"from_bp": 0, "rate_bp": 500}, {"from_bp": 10_000, "rate_bp": 600}, {"from_bp": 12_500, "rate_bp": 700}]


def plan(key: str = "plan", **values: Any) -> Row:
    said: dict[str, Any] = {"name": key, "tiers": TIERS, "currency": "EUR", "valid_from": "2025-01-01"}
    return "commission_plans", key, {**said, **values}


def has(user: str = "ana", plan_key: str = "plan", **values: Any) -> Row:
    said = {"user_key": user, "plan_key": plan_key, "valid_from": "2025-01-01"}
    return "commission_assignments", f"{user}.{plan_key}", {**said, **values}


def ledger(office: Office, user: str = "ana", plan_key: str = "plan") -> list[dict[str, Any]]:
    e = commission_entries
    query = select(e).where(e.c.user_key == user, e.c.plan_key == plan_key)
    return office.all(query.order_by(e.c.written_at, e.c.period_key, e.c.number))


def told(office: Office, user: str = "ana", plan_key: str = "plan") -> list[tuple[Any, ...]]:
    rows = ledger(office, user, plan_key)
    return [(r["period_key"], r["kind"], r["deal_key"], r["rate_bp"], r["amount_minor"]) for r in rows]


def sums(office: Office, user: str = "ana", plan_key: str = "plan") -> dict[tuple[str, str | None], int]:
    found: dict[tuple[str, str | None], int] = {}
    for row in ledger(office, user, plan_key):
        place = (row["period_key"], row["deal_key"])
        found[place] = found.get(place, 0) + row["amount_minor"]
    return {place: amount for place, amount in found.items() if amount}


class Anew(Exception):
    """What a ledger made anew says; the transaction that made it is undone."""


def check(office: Office) -> None:
    """The ledger lacks nothing, and a rebuild of nothing at all says the same of each period and deal."""
    assert office.database.read(verify) == []
    assert office.database.write(rebuild, NOW) == 0
    pairs = {(r["user_key"], r["plan_key"]) for r in office.all(select(commission_entries))}
    before = {pair: sums(office, *pair) for pair in pairs}
    rows = office.all(select(commission_entries))

    def anew(connection: Connection) -> dict[Any, Any]:
        connection.execute(delete(commission_entries))
        rebuild(connection, NOW)
        after: dict[Any, dict[Any, int]] = {pair: {} for pair in pairs}
        for r in connection.execute(select(commission_entries)).mappings():
            found, place = after[r["user_key"], r["plan_key"]], (r["period_key"], r["deal_key"])
            found[place] = found.get(place, 0) + r["amount_minor"]
        raise Anew({pair: {place: a for place, a in found.items() if a} for pair, found in after.items()})

    with pytest.raises(Anew) as made:
        office.database.write(anew)
    assert made.value.args == (before,)
    assert office.all(select(commission_entries)) == rows


def reopened(deal: str, day: str, on: str, **values: Any) -> Row:
    said = {"stage_key": "won", "closed_at": at(day), "signed_at": None, "invoiced_at": None, "lost_reason": None}
    said |= {"reopened_at": at(on), "owner_key": "ana", "amount_minor": 100_00, "currency": "EUR"}
    closing = {**said, "splits": [], "overlays": [], **values}
    return "deals", deal, {"stage_key": "offer", "closed_at": None, "closings": [closing]}


# -- what a transaction appends ---------------------------------------------------------------------------------------


def test_r41_a_deal_that_is_won_accrues_in_the_same_transaction(office: Office) -> None:
    write(office, Q1, plan(), has())
    assert ledger(office) == []
    phone = office.phone("ana")
    assert phone.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={}).outcome == "applied"
    assert told(office) == [
        ("Q1", "accrual", "deal-a", 500, 5_00),
        ("Q1", "accrual", "deal-a", 1_000, 490_00),
    ]
    first = ledger(office)[0]
    assert (first["basis_minor"], first["currency"], first["reason"], first["n"]) == (100_00, "EUR", "won", 1)
    phone.edit("deals", "deal-a", name="More pumps")
    assert len(ledger(office)) == 2
    check(office)


def test_r34_what_is_too_large_once_it_is_converted_is_listed_and_stops_no_deal(office: Office) -> None:
    write(office, Q1, plan(), has(), rate("USD", "EUR", "1000000", "2026-01-01"))
    write(office, won("big", "2026-01-10", 9_000_000_000_000_000, currency="USD"), won("a", "2026-01-11", 50_00))
    assert told(office) == [("Q1", "accrual", "a", 500, 2_50)]

    def lacks(connection: Connection) -> list[Lack]:
        world = read_world(connection, read_assigned(connection, ["ana"]))
        unit = Unit("ana", "plan", "Q1")
        return earned(connection, world, [unit])[unit].lacks

    assert office.database.read(lacks) == [Lack("amount_too_large", "big", 1, "EUR")]
    check(office)


def test_r55_a_row_in_another_currency_than_its_plan_s_is_found_and_taken_back(office: Office) -> None:
    write(office, Q1, plan(), has(), won("a", "2026-01-10", 50_00))
    office.database.write(lambda c: c.execute(update(commission_entries).values(currency="USD")))
    found = office.database.read(verify)
    assert sorted((f.amount_minor, f.currency) for f in found) == [(-2_50, "USD"), (2_50, "EUR")]
    assert office.database.write(rebuild, NOW) == 2
    assert office.database.read(verify) == []


def test_r41_whole_amount_tiers_lift_what_stands_by_rows_of_their_own(office: Office) -> None:
    write(office, Q1, plan(mode="whole"), has(), won("a", "2026-01-10", 60_00))
    write(office, won("b", "2026-01-20", 60_00))
    assert told(office) == [
        ("Q1", "accrual", "a", 500, 3_00),
        ("Q1", "accrual", "b", 1_000, 6_00),
        ("Q1", "tier", "a", 500, -3_00),
        ("Q1", "tier", "a", 1_000, 6_00),
    ]
    check(office)


def test_r41_r21_a_reopening_takes_back_at_the_original_rate_in_its_own_period(office: Office) -> None:
    write(office, Q1, Q2, plan(), has(), won("a", "2026-01-10", 100_00), won("b", "2026-02-10", 50_00))
    write(office, reopened("b", "2026-02-10", "2026-04-20", amount_minor=50_00))
    assert sums(office) == {("Q1", "a"): 5_00, ("Q1", "b"): 5_00, ("Q2", "b"): -5_00}
    back = ledger(office)[-1]
    assert (back["kind"], back["rate_bp"], back["at"]) == ("reversal", 1_000, at("2026-04-20"))
    paid = next(r for r in ledger(office) if r["deal_key"] == "b" and r["kind"] == "accrual")
    assert (back["reverses_period"], back["reverses"]) == ("Q1", paid["number"])
    check(office)
    write(office, won("b", "2026-05-01", 70_00))
    assert sums(office)["Q2", "b"] == -5_00 + 3_50
    check(office)


def test_r41_a_plan_that_counts_anew_re_rates_the_original_period_in_that_of_the_reversal(office: Office) -> None:
    write(office, Q1, Q2, plan(retier=True), has(), won("a", "2026-01-10", 100_00), won("b", "2026-02-10", 50_00))
    write(office, reopened("a", "2026-01-10", "2026-04-20"))
    assert sums(office) == {("Q1", "a"): 5_00, ("Q1", "b"): 5_00, ("Q2", "a"): -5_00, ("Q2", "b"): -2_50}
    assert {r["reason"] for r in ledger(office) if (r["period_key"], r["deal_key"]) == ("Q2", "b")} == {"retier"}
    check(office)


def test_r17_a_corrected_amount_and_other_splits_are_adjustments(office: Office) -> None:
    write(office, Q1, plan(), has(), has("bob"), won("a", "2026-01-10", 100_00))
    before = ledger(office)
    write(office, ("deals", "a", {"amount_minor": 80_00}))
    write(office, ("deals", "a", {"splits": shares(ana=5_000, bob=5_000)}))
    assert ledger(office)[:1] == before
    assert told(office)[1:] == [("Q1", "adjustment", "a", 500, -1_00), ("Q1", "adjustment", "a", 500, -2_00)]
    assert sums(office, "bob") == {("Q1", "a"): 2_00}
    office.delete("deals", "a")
    assert sums(office) == sums(office, "bob") == {}
    check(office)


def test_r16_overlay_credit_is_paid_by_plans_that_count_it_and_by_no_others(office: Office) -> None:
    write(office, Q1, plan(), plan("beside", overlay=True), has(), has("bob"), has("bob", "beside"))
    write(office, won("a", "2026-01-10", 100_00, overlays=shares(bob=5_000)))
    assert sums(office, "bob") == {}
    assert sums(office, "bob", "beside") == {("Q1", "a"): 2_50}
    assert ledger(office, "bob", "beside")[0]["overlay"] is True
    check(office)


def test_r41_accelerators_count_from_the_persons_own_approved_quota(office: Office) -> None:
    tiers = plan(of_quota=True, tiers=OF_QUOTA)
    write(office, Q1, tiers, has(), won("a", "2026-01-10", 150_000_00))
    assert ledger(office) == []
    write(office, quota("q", target=100_000_00))
    assert ledger(office) == []  # a draft binds nobody
    version = {"number": 1, "target": 100_000_00, "currency": "EUR", "valid_from": "2026-01-01"}
    version |= {"quota_key": "q", "approved_by": "mia", "approved_at": NOW}
    write(office, ("quotas", "q", {"approvals": 1, "status": "approved"}), ("quota_versions", "v1", version))
    assert sum(sums(office).values()) == 8_250_00
    check(office)
    write(office, ("quota_versions", "v2", {**version, "number": 2, "target": 200_000_00}))
    assert sum(sums(office).values()) == 7_500_00
    check(office)


def test_r34_a_rate_that_is_missing_accrues_nothing_until_it_comes(office: Office) -> None:
    write(office, Q1, plan(), has(), won("a", "2026-01-10", 100_00, currency="USD"))
    assert ledger(office) == []
    write(office, rate("USD", "EUR", "0.5", "2026-01-09"))
    assert sums(office) == {("Q1", "a"): 2_50}
    write(office, rate("USD", "EUR", "0.8", "2026-01-10"))
    assert sums(office) == {("Q1", "a"): 4_00}
    office.delete("rates", "r-USD-EUR-2026-01-10")
    assert sums(office) == {("Q1", "a"): 2_50}
    check(office)


def test_r34_a_margin_plan_accrues_when_the_cost_is_known(office: Office) -> None:
    write(office, Q1, plan(measure="margin"), has(), won("a", "2026-01-10", 200_00))
    assert ledger(office) == []
    write(office, line("l", "a", "2"))
    assert sums(office) == {("Q1", "a"): 4_00}  # 200 less twice 60
    write(office, ("unit_costs", "c-pump", {"amount_minor": 90_00}))
    assert sums(office) == {("Q1", "a"): 1_00}
    check(office)


def test_a_cap_withholds_by_a_row_of_the_whole_period(office: Office) -> None:
    write(office, Q1, Q2, plan(cap_minor=4_00), has(), won("a", "2026-01-10", 100_00))
    assert told(office)[-1] == ("Q1", "cap", None, None, -1_00)
    write(office, reopened("a", "2026-01-10", "2026-04-20"))
    assert sums(office) == {("Q1", "a"): 5_00, ("Q1", None): -1_00, ("Q2", "a"): -5_00, ("Q2", None): 1_00}
    check(office)


def test_only_days_of_plan_and_assignment_count_and_what_is_dated_otherwise_is_taken_back(office: Office) -> None:
    write(office, Q1, plan(valid_from="2026-01-10"), has(valid_from="2026-01-20", valid_to="2026-02-01"))
    write(office, *(won(f"d{day}", f"2026-01-{day}", 10_00) for day in ("09", "19", "20", "31")))
    assert sums(office) == {("Q1", "d20"): 50, ("Q1", "d31"): 50}
    write(office, ("commission_assignments", "ana.plan", {"valid_from": "2026-01-15", "valid_to": "2026-01-31"}))
    assert sums(office) == {("Q1", "d19"): 50, ("Q1", "d20"): 50}
    check(office)
    office.delete("commission_assignments", "ana.plan")
    assert sums(office) == {}
    assert len(ledger(office)) == 6
    check(office)


def test_periods_that_come_later_are_those_of_the_calendar_or_take_over(office: Office) -> None:
    write(office, plan(), has(), won("a", "2026-01-10"))
    assert sums(office) == {("FY2026.Q1", "a"): 5_00}
    write(office, Q1)
    assert sums(office) == {("Q1", "a"): 5_00}
    write(office, ("organisations", "org", {"zone": "UTC"}))
    assert sums(office) == {("Q1", "a"): 5_00}
    check(office)


# -- rights of the rows themselves ------------------------------------------------------------------------------------


def test_a_plan_that_paid_somebody_keeps_its_terms(office: Office) -> None:
    office.put(plan(), has())
    office.put(plan(tiers=[{"from_minor": 0, "rate_bp": 700}]))
    write(office, won("a", "2026-01-10", 100_00))
    assert sums(office) == {("FY2026.Q1", "a"): 7_00}
    for values in ({"mode": "whole"}, {"draw_minor": 1}, {"valid_to": "2026-01-10"}, {"tiers": TIERS}):
        with pytest.raises(Refused) as refused:
            office.put(("commission_plans", "plan", values))
        assert refused.value.code == "plan_kept", values
    with pytest.raises(Refused, match="plan"):
        office.delete("commission_plans", "plan")
    office.put(("commission_plans", "plan", {"name": "Sales", "valid_to": "2026-01-11"}))
    office.put(("commission_plans", "plan", {"valid_to": "2026-06-01"}))
    assert len(ledger(office)) == 1


def test_nobody_is_paid_by_two_plans_of_a_measure_on_one_day(office: Office) -> None:
    office.put(plan(), plan("other"), plan("margin", measure="margin"), plan("beside", overlay=True))
    office.put(has(valid_to="2026-02-01"), has("ana", "margin"), has("ana", "beside"), has("bob", "other"))
    with pytest.raises(Refused) as refused:
        office.put(has("ana", "other", valid_from="2026-01-31"))
    assert (refused.value.code, refused.value.details["on"]) == ("plan_overlap", "2026-01-31")
    office.put(has("ana", "other", valid_from="2026-02-01"))
    for change in (
        ("commission_assignments", "ana.plan", {"valid_to": None}),
        ("commission_plans", "margin", {"measure": "revenue"}),
        ("commission_plans", "beside", {"overlay": False}),
    ):
        with pytest.raises(Refused) as refused:
            office.put(change)
        assert refused.value.code == "plan_overlap", change
    office.put(
        plan("late", valid_from="2027-01-01"), ("commission_assignments", "ana.other", {"valid_to": "2027-01-01"})
    )
    office.put(has("ana", "late"))  # neither pays on a day on which the other does


# -- any history ------------------------------------------------------------------------------------------------------


def _turn(random: Random, office: Office) -> list[Row]:
    deal, day = f"d{random.randrange(4)}", f"2026-{random.choice(('01', '02', '04', '05'))}-{random.randint(10, 28)}"
    match random.randrange(8):
        case 0:
            return [reopened(deal, "2026-01-15", f"2026-04-{random.randint(10, 28)}", amount_minor=70_00)]
        case 1:
            return [("deals", deal, {"amount_minor": random.choice((1, 333, 150_00))})]
        case 2:
            return [("deals", deal, {"splits": shares(ana=6_667, bob=3_333)})]
        case 3:
            user = random.choice(("ana", "bob"))
            day_ = f"2026-01-{random.randint(10, 28)}"
            return [("commission_assignments", f"{user}.plan", {"valid_from": day_})]
        case 4:
            return [rate("USD", "EUR", f"0.{random.randint(1, 9)}", day)]
        case 5:
            return [("deal_lines", f"l-{deal}", {"deal_key": deal, "product_key": "pump", "quantity": "1"})]
        case _:
            currency = random.choice(("EUR", "EUR", "USD"))
            return [won(deal, day, random.choice((99, 70_00, 101_00)), currency=currency, closings=[])]


@pytest.mark.parametrize("seed", range(6))
def test_r41_any_history_leaves_the_ledger_that_a_rebuild_makes(office: Office, seed: int) -> None:
    random = Random(seed)
    values: dict[str, Any] = {"mode": random.choice(("bands", "whole")), "retier": random.random() < 0.5}
    values |= {"cap_minor": random.choice((None, 9_00)), "measure": random.choice(("revenue", "revenue", "margin"))}
    write(office, Q1, Q2, plan(**values), has(), has("bob"), *(won(f"d{n}", "2026-01-15", 70_00) for n in range(4)))
    for _ in range(12):
        before = office.all(select(commission_entries))
        write(office, *_turn(random, office))
        after = office.all(select(commission_entries))
        assert [row for row in before if row not in after] == []  # nothing that was written is ever changed
    check(office)


# -- cost, and making anew --------------------------------------------------------------------------------------------


def test_a_rebuild_appends_what_is_missing_once(office: Office) -> None:
    write(office, plan(), has(), has("bob"), won("a", "2026-01-10"), won("b", "2026-01-11", owner_key="bob"))
    office.database.write(lambda c: c.execute(delete(commission_entries).where(commission_entries.c.user_key == "bob")))
    (lacking,) = office.database.read(verify)
    assert (lacking.user_key, lacking.period_key, lacking.amount_minor) == ("bob", "FY2026.Q1", 5_00)
    assert office.database.read(people) == ["ana", "bob"]
    assert office.database.write(rebuild, NOW, ["ana"]) == 0
    assert office.database.write(rebuild, NOW) == 1
    assert office.database.read(verify) == []


def test_r41_a_refused_unit_of_a_push_pays_nobody_and_the_same_push_again_pays_once(office: Office) -> None:
    write(office, plan(), has())
    phone = office.phone("ana")
    unit = {"id": "u", "size": 2}
    refused = phone.push(
        phone.mutation("deal.win", "deals", "deal-a", set={}, unit=unit),
        phone.mutation("deal.win", "deals", "no-such", set={}, unit=unit),
    )
    assert {receipt.outcome for receipt in refused.receipts} == {"refused"}
    assert ledger(office) == []
    wins = phone.mutation("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={})
    for _ in range(2):  # the answer was lost
        assert [receipt.outcome for receipt in phone.push(wins).receipts] == ["applied"]
    assert len(ledger(office)) == 2


def test_r41_a_pushed_plan_is_judged_as_one_of_a_screen(office: Office) -> None:
    fay = office.phone("fay")
    terms = {**plan()[2], "tiers": [{"from_minor": 5, "rate_bp": 500}]}
    assert fay.do("create", "commission_plans", "plan", set=terms).code == "tiers_invalid"
    assert fay.do("create", "commission_plans", "plan", set=plan()[2]).outcome == "applied"
    two = [fay.mutation("create", "commission_assignments", key, set=has()[2]) for key in ("first", "second")]
    assert [(receipt.outcome, receipt.code) for receipt in fay.push(*two).receipts] == [
        ("applied", None),
        ("refused", "plan_overlap"),
    ]
    write(office, won("a", "2026-01-10"))
    assert fay.edit("commission_plans", "plan", mode="whole").code == "plan_kept"
    assert fay.edit("commission_assignments", "first", user_key="bob").code == "field_read_only"
    assert office.phone("ana").edit("commission_plans", "plan", name="Mine").code == "not_permitted"


def test_a_transaction_without_anything_of_this_asks_nothing_of_the_ledger(office: Office) -> None:
    write(office, plan(), has())
    heard: list[str] = []

    def asked(*rows: Row) -> int:
        heard.clear()

        def work(connection: Connection) -> None:
            event.listen(connection, "before_cursor_execute", lambda *args: heard.append(args[2]))
            put_rows(connection, list(rows))

        office.database.write(work)
        return len([sql for sql in heard if "commission" in sql or str(SETTINGS_LOCK) in sql])

    deal = {"name": "New", "owner_key": "bob", "account_key": "acme", "stage_key": "lead"}
    assert asked(("contacts", "c9", {"account_key": "acme", "name": "C"}), ("deals", "d9", deal)) == 0
    write(office, Q1)
    assert asked(("quotas", "q9", {**quota("q9")[2], "user_key": None, "team_key": "north"})) == 0
