"""The P&L that is told of a deal, held to what the company counts of it (R37, R55): every kind, deal by deal."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Connection, event, text

from sfa.app import reconcile, reconcile_deals
from sfa.app.reconcile import Report
from sfa.app.reconcile_checks import Difference
from sfa.app.seed.write import seed
from sfa.core.days import start_of_ms
from sfa.db.database import Database
from sfa.profit.deal import pnl, reading
from sfa.profit.items import KINDS, Item
from tests.builders import DAY_MS
from tests.office import Office
from tests.profit.books import charge, leg, rate, visit
from tests.quotas.ledger import write

SINCE = {"valid_from": "2025-01-01"}
TIERS = [{"from_minor": 0, "rate_bp": 500}]
DEAL = {"name": "N", "owner_key": "ana", "account_key": "acme", "stage_key": "lead", "opened_on": "2026-01-01"}
COUNTED = sorted(kind for kind, about in KINDS.items() if about.counts)


@pytest.fixture
def rich(office: Office) -> Office:
    """A split deal of whose profit there is every kind, and others of the customer that share what names none."""
    rates = (rate("v", "visit_hour", 61_17), rate("w", "work_hour", 44_44), rate("k", "kilometre", 43))
    plan = {"name": "P", "currency": "EUR", "tiers": TIERS, **SINCE}
    span = {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    tiers = [{"from_minor": 0, "rate_bp": 100}]
    splits = [{"user_key": "ana", "share_bp": 3_333}, {"user_key": "bob", "share_bp": 6_667}]
    write(
        office,
        *rates,
        rate("c", "capital", 777),
        ("rates", "usd", {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.0937", **SINCE}),
        ("commission_plans", "plan", plan),
        *(("commission_assignments", f"c-{u}", {"plan_key": "plan", "user_key": u, **SINCE}) for u in ("ana", "bob")),
        ("rebate_agreements", "ra", {"account_key": "acme", "tiers": tiers, "currency": "EUR", **span}),
        ("deals", "deal-a", {"splits": splits, "payment_days": 50, "opened_on": "2026-01-01", "amount_minor": 270_01}),
        *(("deals", f"d{n}", {**DEAL, "amount_minor": 99_99 + n, "currency": c}) for n, c in enumerate(("USD", "EUR"))),
        ("deals", "bare", DEAL),
        *(
            ("deal_lines", f"l-{deal}", {"deal_key": deal, "product_key": "pump", "quantity": "1.5", **priced})
            for deal, priced in (("deal-a", {"unit_price_minor": 100_00}), ("d0", {"unit_price_minor": 33_33}))
        ),
    )
    for deal in ("deal-a", "d0"):
        assert office.phone("ana").do("deal.win", "deals", deal, base=office.rev("deals", deal)).code is None
    office.clock.advance(DAY_MS)
    spent = {"owner_key": "bob", "account_key": "acme", "spent_on": "2026-01-03"}
    write(
        office,
        *(charge(f"ch-{kind}", "deal-a", kind, 3_33, "2026-01-20") for kind in reconcile_kinds()),
        charge("back", "deal-a", "goods_return", 50_00, "2026-01-21", product_key="pump", quantity="0.5"),
        visit("v-own", "2026-01-04", 17, deal_key="deal-a"),
        visit("v-all", "2026-01-03", 23),
        leg("g-own", "2026-01-04", 1_237, visit_key="v-own"),
        leg("g-all", "2026-01-03", 2_111, visit_key="v-all"),
        ("work_entries", "k", {"owner_key": "ana", "account_key": "acme", "minutes": 95, "done_on": "2026-01-03"}),
        ("expenses", "meal", {**spent, "kind": "meal", "amount_minor": 10_01, "currency": "USD"}),
        ("expenses", "toll", {**spent, "kind": "other", "amount_minor": 7, "currency": "EUR", "deal_key": "deal-a"}),
        ("expenses", "sample", {**spent, "kind": "sample", "product_key": "pump", "visit_key": "v-all"}),
    )
    office.clock.advance(60 * DAY_MS)
    return office


def reconcile_kinds() -> Sequence[str]:
    return ("rebate", "freight", "samples", "co_op", "credit_note", "other")


def looked(office: Office, *, keeping: bool = False, every: bool = False) -> Report:
    found = office.database.read(lambda c: reconcile.report(c, office.clock.now_ms(), every=every))
    if keeping:
        office.database.write(reconcile.keep, found)
    return found


def of_deals(found: Report) -> list[Difference]:
    return [each for each in found.items if each.rule == "pnl_of_deals"]


def looked_at(found: Report) -> int:
    (looked_,) = (check.looked for check in found.checked if check.rule == "pnl_of_deals")
    return looked_


def test_where_all_is_right_every_kind_was_compared_and_nothing_differs(
    rich: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R37: also in the currency of a deal that is another one than the company's."""
    compared: dict[str, set[str]] = {}
    right = reconcile_deals._by_kind

    def noted(company: Any, shown: Any) -> Iterator[Any]:
        for kind, expected, found in right(company, shown):
            if expected:
                compared.setdefault(kind, set()).add(str(found))
            yield kind, expected, found

    monkeypatch.setattr(reconcile_deals, "_by_kind", noted)
    found = looked(rich)
    assert (found.found, found.items, looked_at(found)) == (0, [], 4)
    assert sorted(compared) == sorted([*COUNTED, "list+discount"])


# Written past the door: what the two ways of reckoning take for different things.
PLANTED: dict[str, tuple[str, set[tuple[str, str]]]] = {
    "a split whose credit is in another currency": (
        "UPDATE credits SET currency = 'USD' WHERE deal_key = 'deal-a' AND user_key = 'bob'",
        {("deal-a", "invoice"), ("deal-a", "list+discount"), ("deal-a", "rebate")},
    ),
    "goods whose cost has no currency": (
        "UPDATE credits SET cost_currency = NULL WHERE deal_key = 'd0'",
        {("d0", "goods")},
    ),
    "a capital rate of nothing": (
        "UPDATE cost_rates SET rate_bp = NULL, valid_from = '2026-01-02' WHERE key = 'c-later'",
        {("deal-a", "terms")},
    ),
    "a personal rate of an hour that says nothing": (
        "UPDATE cost_rates SET amount_minor = NULL WHERE key = 'v-ana'",
        {(deal, "visits") for deal in ("deal-a", "d0", "d1", "bare")},
    ),
    "a sample that names its customer no more": (
        "UPDATE expenses SET account_key = NULL WHERE key = 'sample'",
        {(deal, "samples") for deal in ("deal-a", "d0", "d1", "bare")},
    ),
    "a meal that names its customer no more": (
        "UPDATE expenses SET account_key = NULL, visit_key = 'v-all' WHERE key = 'meal'",
        {(deal, "expenses") for deal in ("deal-a", "d0", "d1", "bare")},
    ),
}


class Undone(Exception):
    """Takes back what was planted, with what was found of it."""


def test_each_row_that_is_edited_past_the_door_is_listed_deal_by_deal(rich: Office) -> None:
    """R55: one after the other, each taken back before the next."""
    rich.put(rate("c-later", "capital", 888, "2025-06-01"), rate("v-ana", "visit_hour", 61_17, user_key="ana"))
    assert looked(rich).found == 0

    def work(connection: Connection, statement: str) -> None:
        assert connection.execute(text(statement)).rowcount > 0, statement
        raise Undone(reconcile.report(connection, rich.clock.now_ms()))

    for what, (statement, wanted) in PLANTED.items():
        with pytest.raises(Undone) as undone:
            rich.database.write(work, statement)
        (found,) = undone.value.args
        listed = of_deals(found)
        assert {(each.row_key, each.detail["kind"]) for each in listed} == wanted, what
        assert all(each.expected != each.found for each in listed), what
    assert looked(rich).found == 0


@pytest.mark.parametrize("kind", COUNTED)
def test_a_kind_of_which_the_pnl_of_a_deal_loses_a_cent_is_listed_with_both_figures(
    rich: Office, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """R37: what is told of the deal is made wrong; the sums of the company stay right."""
    right: Callable[..., Iterator[Item]] = pnl.actual_items

    def wrong(sources: Any, as_of: int) -> Iterator[Item]:
        left = 1 if sources.deal_key == "deal-a" else 0
        for item in right(sources, as_of):
            if left and item.kind == kind and item.currency == "EUR" and item.amount_minor is not None:
                left = 0
                yield structs.replace(item, amount_minor=item.amount_minor - 1)
            else:
                yield item

    monkeypatch.setattr(pnl, "actual_items", wrong)
    (each,) = looked(rich).items
    assert (each.rule, each.entity, each.row_key) == ("pnl_of_deals", "deals", "deal-a")
    assert each.detail == {"kind": kind, "currency": "EUR"}
    assert int(each.expected or 0) - int(each.found or 0) == 1


def test_list_and_discounts_that_are_not_the_invoice_are_listed(rich: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """R38."""
    right: Callable[..., Iterator[Item]] = pnl.actual_items
    lost = lambda sources, as_of: (i for i in right(sources, as_of) if i.kind != "discount")  # noqa: E731 - of one test
    monkeypatch.setattr(pnl, "actual_items", lost)
    found = {each.row_key: each for each in looked(rich).items}
    assert {each.detail["kind"] for each in found.values()} == {"list+discount"}
    assert (found["deal-a"].expected, found["deal-a"].found) == ("27001", "15000")


def test_a_figure_that_one_side_cannot_compute_is_a_difference_and_both_are_none(
    rich: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R34."""
    right: Callable[..., Iterator[Item]] = pnl.actual_items

    def unknown(sources: Any, as_of: int) -> Iterator[Item]:
        for item in right(sources, as_of):
            yield structs.replace(item, amount_minor=None, code="x") if item.kind == "freight" else item

    rich.put(("organisations", "org", {"currency": "JPY"}))  # the deal is told in its own currency
    assert of_deals(looked(rich)) == []
    monkeypatch.setattr(pnl, "actual_items", unknown)
    (each,) = of_deals(looked(rich))
    assert (each.row_key, each.expected, each.found) == ("deal-a", "-333", None)


def test_a_rebate_on_a_family_of_lines_that_come_to_parts_of_a_cent_is_one_amount(rich: Office) -> None:
    """R38: 1.5 cents of pumps and 1.4 of valves share out 29 cents as they are, and not as 2 and 1."""
    span = {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    tiers = [{"from_minor": 0, "rate_bp": 5_000}]
    pumps = {"account_key": "acme", "family": "pumps", "tiers": tiers, "currency": "EUR", **span}
    rich.put(
        ("products", "pump", {"family": "pumps"}),
        ("products", "valve", {"name": "Valve", "family": "valves"}),
        ("deals", "tiny", {**DEAL, "amount_minor": 29, "currency": "EUR"}),
        ("rebate_agreements", "ra-pumps", pumps),
        *(
            ("deal_lines", f"t-{p}", {"deal_key": "tiny", "product_key": p, "quantity": q, "unit_price_minor": 1})
            for p, q in (("pump", "1.5"), ("valve", "1.4"))
        ),
    )
    assert rich.phone("ana").do("deal.win", "deals", "tiny", base=rich.rev("deals", "tiny")).code is None
    rich.clock.advance(DAY_MS)
    assert of_deals(looked(rich)) == []


def test_goods_that_come_to_more_than_money_can_be_are_computed_on_no_side(rich: Office) -> None:
    """R34: a return, and a sample."""
    rich.put(("unit_costs", "c-huge", {"product_key": "pump", "amount_minor": 1_000_000_000_000_000, "currency": "EUR",
                                       "valid_from": "2025-06-01"}))  # fmt: skip
    rich.put(charge("huge", "d1", "goods_return", 1, "2026-01-21", product_key="pump", quantity="500"))
    sample = {"owner_key": "ana", "deal_key": "d1", "account_key": "acme", "kind": "sample", "product_key": "pump"}
    rich.put(("expenses", "huge", {**sample, "quantity": "500", "spent_on": "2026-01-03"}))
    assert of_deals(looked(rich)) == []


def test_deals_that_changed_and_the_next_by_turns_are_looked_at_or_all(
    rich: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_deals, "SAMPLE", 1)
    assert looked_at(looked(rich, keeping=True)) == 4, "of no report before, everything has changed"
    seen = [looked(rich, keeping=True) for _ in range(5)]
    assert [found.deals_after for found in seen] == ["d0", "d1", "deal-a", "bare", "d0"]
    assert [looked_at(found) for found in seen] == [1, 1, 1, 1, 1]
    assert looked_at(looked(rich, every=True)) == 4
    since: dict[str, Callable[[], Any]] = {
        "deal-a": lambda: rich.put(("deal_lines", "l-deal-a", {"quantity": "2"})),
        "d1": lambda: rich.put(("work_entries", "k1", {"owner_key": "ana", "deal_key": "d1", "minutes": 1,
                                                       "account_key": "acme", "done_on": "2026-01-03"})),
        "bare": lambda: rich.put(("expenses", "e1", {"owner_key": "ana", "deal_key": "bare", "account_key": "acme",
                                                     "kind": "meal", "amount_minor": 1, "currency": "EUR",
                                                     "spent_on": "2026-01-03"})),
    }  # fmt: skip
    for deal, change in since.items():
        change()
        found = _keys_looked_at(rich, monkeypatch)
        assert deal in found
        assert len(found) <= 2, "what changed, and one by turns"
        looked(rich, keeping=True)
    rich.put(leg("g-new", "2026-01-03", 5, visit_key="v-all"))
    assert _keys_looked_at(rich, monkeypatch) == {"bare", "d0", "d1", "deal-a"}, "all of the customer"


def _keys_looked_at(office: Office, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    seen: set[str] = set()
    right = reading.read_deals

    def noted(connection: Connection, deals: Any, *said: Any) -> Any:
        seen.update(deals)
        return right(connection, deals, *said)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_deals", noted)
        looked(office)
    return seen


def test_no_more_changed_deals_are_looked_at_than_a_report_can_bear(
    rich: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile_deals, "SAMPLE", 1)
    monkeypatch.setattr(reconcile_deals, "CHANGED_MAX", 2)
    assert 2 <= looked_at(looked(rich)) <= 3


def test_a_batch_is_read_in_as_many_statements_whatever_is_in_it(rich: Office) -> None:
    """R55: none for a deal."""

    def statements() -> int:
        def count(connection: Connection) -> int:
            seen: list[str] = []
            note = lambda _c, _cursor, statement, *_: seen.append(statement)  # noqa: E731 - heard by the engine
            event.listen(connection, "before_cursor_execute", note)
            try:
                assert reconcile.report(connection, rich.clock.now_ms(), every=True).found == 0
            finally:
                event.remove(connection, "before_cursor_execute", note)
            return len(seen)

        return rich.database.read(count)

    before = statements()
    rich.put(*(("deals", f"more-{n:02}", {**DEAL, "amount_minor": n, "currency": "EUR"}) for n in range(40)))
    write(rich, *(visit(f"v-{n}", "2026-01-03", n + 1) for n in range(5)))
    assert statements() == before


def test_of_a_seeded_company_every_deal_is_what_the_company_counts(database: Database) -> None:
    """R37, R55: two years of business that another process made."""
    seed(database, reps=4, accounts=200, seed=8, today="2026-11-20", password_hash="x")
    found = database.read(lambda c: reconcile.report(c, start_of_ms("2026-11-21", "UTC"), every=True))
    assert of_deals(found) == []
    assert looked_at(found) > 100
