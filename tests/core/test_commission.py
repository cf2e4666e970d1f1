"""Commission as a pure rule (R41): worked examples, and what holds for any sequence of credits and reversals."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sfa.core.band_places import Tiers
from sfa.core.commission import (
    Booked,
    Earned,
    Entry,
    Terms,
    banded,
    due,
    entries_of,
    of_quota,
    reached,
)
from sfa.core.money import Rounding, apply_bp

QUOTA = 100_000_00
TIERS = of_quota([(0, 500), (10_000, 600), (12_500, 700)], QUOTA)
BANDS, WHOLE = Terms("bands", TIERS), Terms("whole", TIERS)


def sold(deal: str, at: int, amount: int, reversed_at: int | None = None, n: int = 1) -> Earned:
    return Earned(deal, n, at, "won", amount, reversed_at)


def said(entries: Sequence[Entry]) -> list[tuple[str, str | None, int | None, int]]:
    return [(e.kind, e.deal_key, e.rate_bp, e.amount_minor) for e in entries]


def total(entries: Sequence[Entry]) -> int:
    return sum(entry.amount_minor for entry in entries)


# -- worked examples --------------------------------------------------------------------------------------------------


def test_r41_bands_pay_each_part_at_its_rate_and_whole_pays_everything_at_the_rate_reached() -> None:
    """Quota 100k, 5 % to 100k, 6 % to 125k, 7 % above; sold 150k."""
    everything = [sold("a", 1, 150_000_00)]
    assert said(entries_of(BANDS, everything)) == [
        ("accrual", "a", 500, 5_000_00),
        ("accrual", "a", 600, 1_500_00),
        ("accrual", "a", 700, 1_750_00),
    ]
    assert total(entries_of(BANDS, everything)) == 8_250_00
    assert said(entries_of(WHOLE, everything)) == [("accrual", "a", 700, 10_500_00)]


def test_r41_crossing_a_tier_lifts_what_stands_already_by_rows_of_its_own() -> None:
    entries = entries_of(WHOLE, [sold("a", 1, 90_000_00), sold("b", 2, 60_000_00)])
    assert said(entries) == [
        ("accrual", "a", 500, 4_500_00),
        ("tier", "a", 500, -4_500_00),
        ("tier", "a", 700, 6_300_00),
        ("accrual", "b", 700, 4_200_00),
    ]
    assert total(entries) == 10_500_00


def test_a_tier_is_reached_by_what_it_begins_at_and_a_band_holds_what_lies_above_it() -> None:
    assert [reached(TIERS, at) for at in (-1, 0, 99_999_99, 100_000_00, 125_000_00)] == [0, 0, 0, 1, 2]
    assert total(entries_of(BANDS, [sold("a", 1, 100_000_00)])) == 5_000_00
    assert total(entries_of(WHOLE, [sold("a", 1, 100_000_00)])) == 6_000_00


def test_r41_r21_a_clawback_is_a_reversal_at_the_original_rates() -> None:
    entries = entries_of(BANDS, [sold("a", 1, 100_000_00), sold("b", 2, 50_000_00, reversed_at=99)])
    assert said(entries[1:]) == [
        ("accrual", "b", 600, 1_500_00),
        ("accrual", "b", 700, 1_750_00),
        ("reversal", "b", 600, -1_500_00),
        ("reversal", "b", 700, -1_750_00),
    ]
    assert [entry.at for entry in entries] == [1, 2, 2, 99, 99]


def test_r41_the_plan_says_whether_a_reversal_counts_the_tiers_of_its_period_anew() -> None:
    deals = [sold("a", 1, 100_000_00, reversed_at=99), sold("b", 2, 25_000_00)]
    kept = entries_of(BANDS, deals)
    assert [e.amount_minor for e in kept if e.deal_key == "b"] == [1_500_00]
    anew = entries_of(structs.replace(BANDS, retier=True), deals)
    assert [(e.kind, e.rate_bp, e.amount_minor, e.at) for e in anew if e.deal_key == "b"] == [
        ("accrual", 600, 1_500_00, 2),
        ("tier", 500, 1_250_00, 99),
        ("tier", 600, -1_500_00, 99),
    ]


def test_a_deal_that_is_won_twice_climbs_no_tier_twice() -> None:
    again = [sold("a", 1, 100_000_00, reversed_at=2), sold("a", 3, 100_000_00, n=2)]
    for terms in (BANDS, WHOLE):
        once = total(entries_of(terms, [sold("a", 1, 100_000_00)]))
        assert total(entries_of(terms, again)) == once


def test_a_cap_withholds_and_gives_back_before_a_reversal_takes() -> None:
    capped = structs.replace(BANDS, cap_minor=5_500_00)
    deals = [sold("a", 1, 100_000_00), sold("b", 2, 25_000_00)]
    assert said(entries_of(capped, deals))[-1] == ("cap", None, None, -1_000_00)
    back = entries_of(capped, [deals[0], sold("b", 2, 25_000_00, reversed_at=99)])
    assert said(back)[-1] == ("cap", None, None, 1_000_00)
    assert total(back) == 5_000_00


def test_what_is_of_negative_margin_takes_back_from_the_top() -> None:
    entries = entries_of(BANDS, [sold("a", 1, 110_000_00), sold("b", 2, -20_000_00)])
    assert said(entries)[2:] == [("accrual", "b", 500, -500_00), ("accrual", "b", 600, -600_00)]
    assert banded(TIERS, 0, -10_00) == {500: (-10_00, -50)}
    assert entries_of(BANDS, [sold("a", 1, 0)]) == []


# -- what always holds ------------------------------------------------------------------------------------------------

_rates = st.integers(0, 3_000)
tiers_: st.SearchStrategy[Tiers] = st.lists(st.tuples(st.integers(1, 3_000), _rates), max_size=3).flatmap(
    lambda more: _rates.map(lambda first: ((0, first), *sorted(dict(more).items())))
)
terms_ = st.builds(
    Terms,
    mode=st.sampled_from(("bands", "whole")),
    tiers=tiers_,
    cap_minor=st.none() | st.integers(0, 400),
    retier=st.booleans(),
)


@st.composite
def credits_(draw: st.DrawFn, least: int = -300) -> list[Earned]:
    found = []
    for place in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, 20))
        back = draw(st.none() | st.integers(at, 40))
        found.append(sold(f"d{place}", at, draw(st.integers(least, 3_000)), back))
    return found


@given(terms_, credits_())
def test_r41_every_end_that_was_taken_back_adds_up_to_nothing(terms: Terms, deals: list[Earned]) -> None:
    entries = entries_of(terms, deals)
    for deal in deals:
        if deal.reversed_at is not None:
            own = [e for e in entries if e.deal_key == deal.deal_key]
            assert sum(e.amount_minor for e in own) == 0
            assert sum(e.basis_minor or 0 for e in own) == 0
        assert all(e.kind != "reversal" for e in entries if e.deal_key == deal.deal_key and deal.reversed_at is None)
    cap = terms.cap_minor
    assert cap is None or total(entries) <= cap


@given(terms_, credits_())
def test_every_row_is_its_basis_at_its_rate(terms: Terms, deals: list[Earned]) -> None:
    """What a row that only moves a part differs by is at most the rounding of the two sides."""
    for entry in entries_of(terms, deals):
        if entry.basis_minor is None:
            assert entry.kind == "cap"
            continue
        assert entry.rate_bp is not None
        exact = apply_bp(entry.basis_minor, entry.rate_bp, Rounding.HALF_UP)
        assert abs(exact - entry.amount_minor) <= (0 if entry.kind in ("accrual", "reversal") else 1)


@given(terms_, credits_())
def test_r41_what_stands_after_reversals_that_count_anew_is_what_never_had_the_others(
    terms: Terms, deals: list[Earned]
) -> None:
    anew = structs.replace(terms, retier=True)
    standing = entries_of(anew, [deal for deal in deals if deal.reversed_at is None])
    assert total(entries_of(anew, deals)) == total(standing)


@given(terms_, credits_())
def test_r41_without_reversals_a_period_earns_what_the_plan_says_of_its_total(
    terms: Terms, deals: list[Earned]
) -> None:
    uncapped = structs.replace(terms, cap_minor=None)
    standing = [structs.replace(deal, reversed_at=None) for deal in deals]
    entries, amount = entries_of(uncapped, standing), sum(deal.amount_minor for deal in deals)
    if terms.mode == "whole":
        rate = terms.tiers[reached(terms.tiers, amount)][1]
        by_deal = [apply_bp(deal.amount_minor, rate, Rounding.HALF_UP) for deal in deals]
        assert total(entries) == sum(by_deal)
    else:
        exact = sum(basis * rate for rate, (basis, _) in banded(terms.tiers, 0, amount).items())
        assert abs(total(entries) * 10_000 - exact) <= 5_000 * max(len(entries), 1)
        assert sum(entry.basis_minor or 0 for entry in entries) == amount


# -- the ledger -------------------------------------------------------------------------------------------------------


def period_of(at: int) -> str:
    return f"P{at // 10}"


def keep(ledger: list[Booked], terms: Terms, deals: list[Earned]) -> list[Booked]:
    """One transaction: every credit of P0 and P1 as it stands, and the rows that are appended."""
    added: list[Booked] = []
    for origin in ("P0", "P1", "P2"):
        mine = [deal for deal in deals if period_of(deal.at) == origin]
        kept = [row for row in [*ledger, *added] if row.origin == origin]
        last: dict[str, int] = {}
        for row in [*ledger, *added]:
            last[row.period_key] = max(last.get(row.period_key, 0), row.number)
        wanted = [(period_of(entry.at), entry) for entry in entries_of(terms, mine)]
        added += due(origin, wanted, kept, last)
    return added


@st.composite
def stories(draw: st.DrawFn) -> list[list[Earned]]:
    """Deals as each of some transactions leaves them: won, reopened, corrected, shared out otherwise, gone."""
    deals: dict[str, Earned] = {}
    told = []
    for _ in range(draw(st.integers(1, 6))):
        key = draw(st.sampled_from("abcd"))
        found = deals.get(key)
        match draw(st.sampled_from(("win", "reopen", "correct", "move", "gone", "restore"))):
            case "reopen" if found is not None:
                deals[key] = structs.replace(found, reversed_at=draw(st.integers(found.at, 40)))
            case "restore" if found is not None:
                deals[key] = structs.replace(found, reversed_at=None)
            case "correct" if found is not None:
                deals[key] = structs.replace(found, amount_minor=draw(st.integers(-300, 3_000)))
            case "move" if found is not None:
                deals[key] = structs.replace(found, at=draw(st.integers(0, 29)))
            case "gone":
                deals.pop(key, None)
            case _:
                deals[key] = sold(key, draw(st.integers(0, 29)), draw(st.integers(-300, 3_000)))
        told.append(list(deals.values()))
    return told


@given(st.lists(terms_, min_size=1, max_size=2), stories())
def test_r41_the_ledger_balances_after_any_sequence_and_the_same_again_is_nothing(
    plans: list[Terms], told: list[list[Earned]]
) -> None:
    """Plans change on the way too: what follows is always what the rule says of what stands, by rows that are added."""
    ledger: list[Booked] = []
    for turn, deals in enumerate(told):
        terms = plans[min(turn * len(plans) // len(told), len(plans) - 1)]
        ledger += keep(ledger, terms, deals)
        assert keep(ledger, terms, deals) == []
    numbers = [(row.period_key, row.number) for row in ledger]
    assert len(set(numbers)) == len(numbers)
    by_period: dict[str, list[int]] = {}
    for period, number in numbers:
        by_period.setdefault(period, []).append(number)
    assert all(found == list(range(1, len(found) + 1)) for found in map(sorted, by_period.values()))
    final, terms = told[-1], plans[-1] if len(told) > 1 or len(plans) == 1 else plans[0]
    fresh = keep([], terms, final)

    def sums(rows: Sequence[Booked]) -> dict[tuple[str, str | None], int]:
        found: dict[tuple[str, str | None], int] = {}
        for row in rows:
            place = (row.period_key, row.entry.deal_key)
            found[place] = found.get(place, 0) + row.entry.amount_minor
        return {place: amount for place, amount in found.items() if amount}

    assert sums(ledger) == sums(fresh)
    for deal in final:
        if deal.reversed_at is not None:
            assert sum(row.entry.amount_minor for row in ledger if row.entry.deal_key == deal.deal_key) == 0


def test_a_reversal_names_the_row_that_it_takes_back() -> None:
    first = keep([], BANDS, [sold("a", 1, 150_000_00)])
    later = keep(first, BANDS, [sold("a", 1, 150_000_00, reversed_at=15)])
    assert [(row.period_key, row.number, row.reverses_period, row.reverses) for row in later] == [
        ("P1", 1, "P0", 1),
        ("P1", 2, "P0", 2),
        ("P1", 3, "P0", 3),
    ]
    assert [row.entry.amount_minor for row in later] == [-5_000_00, -1_500_00, -1_750_00]


def test_an_amount_that_is_corrected_is_an_adjustment() -> None:
    first = keep([], BANDS, [sold("a", 1, 100_00)])
    later = keep(first, BANDS, [sold("a", 1, 80_00)])
    assert [(row.entry.kind, row.entry.basis_minor, row.entry.amount_minor) for row in later] == [
        ("adjustment", -20_00, -1_00)
    ]


@pytest.mark.parametrize("mode", ["bands", "whole"])
def test_a_sale_that_arrives_late_takes_its_place_in_time(mode: str) -> None:
    terms = Terms(mode, TIERS)
    early, late = sold("a", 2, 90_000_00), sold("b", 1, 60_000_00)
    ledger = keep([], terms, [early])
    ledger += keep(ledger, terms, [early, late])
    assert sum(row.entry.amount_minor for row in ledger) == total(entries_of(terms, [late, early]))


# -- won again --------------------------------------------------------------------------------------------------------


NINE = Terms("bands", ((0, 500), (90_000, 1_000)))


def test_r41_deals_that_are_reopened_and_won_again_one_by_one_climb_no_band() -> None:
    once = [sold(f"d{n}", n, 10_000) for n in range(10)]
    again: list[Earned] = []
    for n, found in enumerate(once[:9]):
        at = 100 + 2 * n
        again += [structs.replace(found, reversed_at=at), sold(found.deal_key, at + 1, 10_000, n=2)]
    assert total(entries_of(NINE, once)) == 5_500
    assert total(entries_of(NINE, [*again, once[9]])) == 5_500


def test_r41_a_deal_that_is_reopened_and_won_at_one_instant_takes_its_own_place() -> None:
    """The end that is won sorts before the one that is reopened by its key; the reopening still comes first."""
    deals = [sold("b", 1, 90_000, reversed_at=5), sold("a", 5, 90_000), sold("b", 6, 90_000, n=2)]
    assert total(entries_of(NINE, deals)) == 4_500 + 9_000
    assert total(entries_of(NINE, deals[:2])) == 4_500


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=8),
    st.lists(st.integers(0, 7), max_size=12),
    st.sampled_from([(), ((300, 700),), ((100, 700), (500, 1_100))]),
)
def test_r41_whatever_is_reopened_and_won_again_what_stands_is_paid_as_one_total(
    sizes: list[int], again: list[int], tiers: tuple[tuple[int, int], ...]
) -> None:
    terms = Terms("bands", ((0, 300), *tiers))
    at, stands = 0, dict[str, Earned]()
    gone: list[Earned] = []
    for deal, size in enumerate(sizes):
        at += 1
        stands[f"d{deal}"] = sold(f"d{deal}", at, size)
    for place in again:
        found = stands[f"d{place % len(sizes)}"]
        at += 1
        gone.append(structs.replace(found, reversed_at=at))
        at += place % 2
        stands[found.deal_key] = structs.replace(found, at=at, n=found.n + 1)
    bases: dict[int | None, int] = {}
    for entry in entries_of(terms, [*gone, *stands.values()]):
        bases[entry.rate_bp] = bases.get(entry.rate_bp, 0) + (entry.basis_minor or 0)
    paid = banded(terms.tiers, 0, sum(sizes))
    assert {rate: basis for rate, basis in bases.items() if basis} == {rate: basis for rate, (basis, _) in paid.items()}
