from datetime import date

import numpy as np
import pytest

from forecasting.engine.truth.company import PUSHES, Company, company, quarters
from forecasting.engine.truth.growth import Grown, grow
from forecasting.engine.truth.oracle import true_chances, true_revenue, true_win
from forecasting.engine.truth.people import human_calls
from forecasting.engine.values import AMOUNT, EXPECTED, NEVER, STAGE, Chances, Deals, Floats, as_known

DAY = date(2025, 3, 31).toordinal()
EDGES = np.array([DAY, DAY + 30, DAY + 91, DAY + 275])


def steady(seed: int = 5, **choices: float) -> Company:
    """A company without shocks, so that the law of large numbers holds in one history."""
    return company(seed, shock_spread=0.0, reps=8, **choices)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def large() -> Grown:
    return grow(steady(arrivals=18.0))


@pytest.fixture(scope="module")
def told(large: Grown) -> Chances:
    return true_chances(large.company, large.deals, EDGES)


@pytest.fixture(scope="module")
def small() -> Grown:
    return grow(company(7))


def outcomes(deals: Deals, keys: tuple[str, ...], after: int, until: int) -> tuple[Floats, Floats]:
    place = {key: n for n, key in enumerate(deals.keys)}
    at = np.array([place[key] for key in keys])
    within = (deals.ended_on[at] > after) & (deals.ended_on[at] <= until)
    return (within & deals.won[at]).astype(float), (within & ~deals.won[at]).astype(float)


def bytes_of(grown: Grown) -> bytes:
    deals = grown.deals
    columns = [deals.opened_on, deals.ended_on, deals.won, deals.amount, deals.changes.day, deals.changes.value]
    return b"".join(column.tobytes() for column in columns) + repr(deals.features).encode()


def test_the_same_seed_is_the_same_history_and_another_is_another(small: Grown) -> None:
    assert bytes_of(grow(company(7))) == bytes_of(small)
    assert bytes_of(grow(company(8))) != bytes_of(small)


def test_a_history_is_in_order_and_says_of_each_deal_how_it_began(small: Grown) -> None:
    deals, told = small.deals, small.deals.changes
    order = np.lexsort((told.day, told.deal))
    assert np.array_equal(order, np.arange(len(order)))
    starts = np.flatnonzero(np.diff(told.deal, prepend=-1))
    assert len(starts) == len(deals)
    assert np.array_equal(told.day[starts], deals.opened_on)
    for kind in (STAGE, AMOUNT, EXPECTED):
        of_kind = told.deal[(told.kind == kind) & (told.day == deals.opened_on[told.deal])]
        assert np.array_equal(of_kind, np.arange(len(deals)))
    ended = np.where(deals.is_open, deals.until, deals.ended_on)
    assert (told.day <= ended[told.deal]).all()
    assert (deals.ended_on[~deals.is_open] > deals.opened_on[~deals.is_open]).all()
    assert not deals.won[deals.ended_on == NEVER].any()
    stages = told.value[told.kind == STAGE]
    assert set(stages) == set(range(len(deals.stages)))
    assert as_known(deals, deals.until).amount == pytest.approx(deals.amount)


def test_what_the_oracle_says_happens_as_often_as_it_says(large: Grown, told: Chances) -> None:
    chances = told
    assert len(chances.keys) > 800
    for n in range(len(EDGES) - 1):
        won, lost = outcomes(large.deals, chances.keys, int(EDGES[n]), int(EDGES[n + 1]))
        for happened, said in ((won, chances.win[:, n]), (lost, chances.lose[:, n])):
            error = np.sqrt((said * (1 - said)).sum())
            assert abs(happened.sum() - said.sum()) < 3.5 * error
    won, _ = outcomes(large.deals, chances.keys, DAY, int(EDGES[-1]))
    said = chances.win.sum(axis=1)
    for part in np.array_split(np.argsort(said), 5):
        assert won[part].mean() == pytest.approx(said[part].mean(), abs=3.5 * np.sqrt(0.25 / len(part)))


def test_the_oracle_beats_whoever_knows_only_how_many_are_won(large: Grown, told: Chances) -> None:
    won, _ = outcomes(large.deals, told.keys, DAY, int(EDGES[-1]))

    def log_loss(said: Floats) -> float:
        return float(-np.mean(np.log(np.where(won == 1, said, 1 - said))))

    assert log_loss(told.win.sum(axis=1)) < 0.95 * log_loss(np.full(len(won), won.mean()))


def test_the_chance_to_win_moves_in_the_right_direction(small: Grown) -> None:
    """Further on is better, pushed is worse, very old is hopeless."""
    deals = small.deals
    known = as_known(deals, DAY)
    keys = true_chances(small.company, deals, EDGES).keys
    chances = dict(zip(keys, true_win(small.company, deals, DAY), strict=True))
    told = known.changes
    stage = np.zeros(len(known))
    stage[told.deal[told.kind == STAGE]] = told.value[told.kind == STAGE]
    young = {key: stage[n] for n, key in enumerate(known.keys) if key in chances and DAY - known.opened_on[n] < 120}
    by_stage = [np.mean([chances[key] for key, at in young.items() if at == level]) for level in range(4)]
    assert by_stage == sorted(by_stage)
    old = [chances[key] for n, key in enumerate(known.keys) if key in chances and DAY - known.opened_on[n] > 400]
    assert old
    assert max(old) < min(by_stage[1:])


def test_pushing_a_deal_lowers_its_chance() -> None:
    grown = grow(company(11, arrivals=0.6))
    known = as_known(grown.deals, DAY)
    before = true_win(grown.company, known, DAY)
    told = known.changes
    extra = np.flatnonzero(known.is_open)
    deal = np.concatenate([told.deal, extra])
    order = np.argsort(deal, kind="stable")
    pushed = type(told)(
        deal[order],
        np.concatenate([told.day, np.full(len(extra), DAY)])[order],
        np.concatenate([told.kind, np.full(len(extra), EXPECTED)])[order],
        np.concatenate([told.value, np.full(len(extra), DAY + 30.0)])[order],
    )
    columns = {name: getattr(known, name) for name in known.__struct_fields__} | {"changes": pushed}
    after = true_win(grown.company, Deals(**columns), DAY)
    assert (after <= before).all()
    pushes = np.bincount(told.deal[told.kind == EXPECTED], minlength=len(known))[known.is_open] - 1
    assert (pushes < PUSHES).sum() > 3
    assert np.array_equal(after < before, pushes < PUSHES)


def test_the_drawn_revenue_has_the_mean_that_the_exact_chances_have(small: Grown) -> None:
    from_open, later = true_revenue(small.company, small.deals, DAY, DAY + 91, 300, 1)
    chances = true_chances(small.company, small.deals, np.array([DAY, DAY + 91]))
    expected = float(chances.win[:, 0] @ chances.amount)
    assert from_open.mean() == pytest.approx(expected, abs=4 * from_open.std() / np.sqrt(300))
    assert later.min() >= 0
    again = true_revenue(small.company, small.deals, DAY, DAY + 91, 300, 1)
    assert np.array_equal(again[0], from_open)
    assert np.array_equal(again[1], later)


def test_the_oracle_sees_nothing_of_later_days(small: Grown) -> None:
    told = true_chances(small.company, small.deals, EDGES)
    known = true_chances(small.company, as_known(small.deals, DAY), EDGES)
    assert told.keys == known.keys
    assert np.array_equal(told.win, known.win)
    assert np.array_equal(told.amount, known.amount)


def test_chances_are_probabilities(small: Grown) -> None:
    chances = true_chances(small.company, small.deals, np.arange(DAY, DAY + 400, 7))
    assert (chances.win >= 0).all()
    assert (chances.lose >= 0).all()
    assert ((chances.win + chances.lose).sum(axis=1) <= 1 + 1e-12).all()


def test_people_call_too_much_and_are_surer_near_the_end(small: Grown) -> None:
    calls = human_calls(small)
    deals, starts = small.deals, small.calendar.starts
    wrong: dict[str, list[float]] = {"early": [], "late": []}
    for first in np.unique(calls.quarter_on):
        after = starts[np.searchsorted(starts, first) + 1]
        actual = deals.amount[deals.won & (deals.ended_on >= first) & (deals.ended_on < after)].sum()
        of_quarter = calls.quarter_on == first
        days = np.unique(calls.day[of_quarter])
        for when, day in (("early", days[0]), ("late", days[-1])):
            wrong[when].append(float(calls.amount[of_quarter & (calls.day == day)].sum() - actual) / actual)
    assert np.mean(wrong["early"][3:]) > 0
    assert np.mean(np.abs(wrong["late"])) < np.mean(np.abs(wrong["early"])) / 2


@pytest.mark.parametrize(("month", "first"), [(1, "2025-01-01"), (2, "2025-02-01"), (12, "2024-12-01")])
def test_quarters_begin_with_the_fiscal_year(month: int, first: str) -> None:
    starts = quarters(month, date(2025, 2, 10).toordinal(), date(2025, 12, 31).toordinal())
    assert date.fromordinal(int(starts[0])).isoformat() == first
    assert starts[-1] > date(2025, 12, 31).toordinal()
    assert set(np.diff(starts)) <= {89, 90, 91, 92}


def test_a_company_that_gets_no_deals_has_an_empty_history() -> None:
    grown = grow(company(3, arrivals=0.0))
    assert len(grown.deals) == 0
    assert true_chances(grown.company, grown.deals, EDGES).win.shape == (0, 3)
    from_open, later = true_revenue(grown.company, grown.deals, DAY, DAY + 91, 10, 1)
    assert not from_open.any()
    assert not later.any()
    assert not human_calls(grown).amount.any()
