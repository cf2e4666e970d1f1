"""Chances beside the truth of a simulated company: right on average, near the oracle, and moving the right way."""

from datetime import date

import numpy as np
import pytest
from msgspec import structs

from bench.engine.company_deals import calibration_error_of_truth, expected_loss, judged
from forecasting.engine.truth.company import Company, company, quarters
from forecasting.engine.truth.growth import grow
from forecasting.engine.values import AMOUNT, EXPECTED, STAGE, Changes, Deals, as_known
from forecasting.engine.winrate import Model, chances, fit, reasons, similar

pytestmark = pytest.mark.xdist_group("chances beside the truth")  # what is learnt is learnt once

DAY = date(2025, 3, 17).toordinal()
Learnt = tuple[Company, Deals, Model]


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    of = company(100, arrivals=2.0)
    deals = grow(of).deals
    model = fit(deals, DAY, quarters(of.fiscal_month, of.opened_on, of.until))
    assert isinstance(model, Model)
    return of, deals, model


def one_deal(of: Company, stage: int, age: int, owner: int, pushes: int = 0) -> Deals:
    """One open deal that has come as far as the stage, a week in each, the last change a week ago or at its age."""
    opened = DAY - age
    moves = [(opened + n * age // (stage + 1), STAGE, float(n)) for n in range(stage + 1)]
    pushed = [(opened + 1 + n, EXPECTED, float(DAY + 30 + n)) for n in range(pushes + 1)]
    rows = sorted([*moves, (opened, AMOUNT, float(np.median(of.price))), *pushed])
    told = Changes(
        np.zeros(len(rows), dtype=np.int64),
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
    )
    return Deals(
        until=DAY,
        keys=("one",),
        opened_on=np.array([opened]),
        ended_on=np.array([0]),
        won=np.array([False]),
        amount=np.array([float(np.median(of.price))]),
        features={"owner": (of.reps[owner],), "product": (of.products[0],), "team": ("team-0",)},
        stages=of.stages,
        changes=told,
    )


def chance(model: Model, deals: Deals, days: int = 90) -> float:
    return float(chances(model, deals, np.array([DAY, DAY + days])).win[0, 0])


def test_chances_are_near_the_oracle_and_right_on_average(learnt: Learnt) -> None:
    of, deals, model = learnt
    for within, seen in judged(of, deals, DAY, model).items():
        assert expected_loss(seen.said, seen.true) < 1.05 * expected_loss(seen.true, seen.true), within
        base = np.full(len(seen.true), seen.true.mean())
        assert expected_loss(seen.said, seen.true) < 0.95 * expected_loss(base, seen.true), within
        assert calibration_error_of_truth(seen.said, seen.true) < 0.05, within


def test_what_is_true_says_far_more_of_who_is_won_than_what_is_not(learnt: Learnt) -> None:
    _, _, model = learnt
    assert "no_signal" not in model.said
    lean = {
        name: float(np.std(win - lose))
        for name, win, lose in zip(model.win.names, model.win.effects, model.lose.effects, strict=True)
    }
    assert {"stage", "is:owner", "is:product"} <= set(model.scheme.blocks)
    assert lean.get("is:team", 0.0) < 0.3 * min(lean[name] for name in ("stage", "is:owner", "is:product"))


def test_a_later_stage_raises_the_chance(learnt: Learnt) -> None:
    of, _, model = learnt
    found = [chance(model, one_deal(of, stage, 40, 0)) for stage in range(4)]
    assert found == sorted(found)
    assert found[3] > 1.5 * found[0]


def test_a_better_seller_raises_the_chance_in_the_order_of_the_truth(learnt: Learnt) -> None:
    of, _, model = learnt
    best, worst = int(np.argmax(of.rep_win)), int(np.argmin(of.rep_win))
    assert chance(model, one_deal(of, 2, 40, best)) > chance(model, one_deal(of, 2, 40, worst))


def test_an_old_deal_has_less_chance_than_a_young_one_in_its_stage(learnt: Learnt) -> None:
    of, _, model = learnt
    assert chance(model, one_deal(of, 3, 400, 0)) < 0.4 * chance(model, one_deal(of, 3, 40, 0))


def test_more_time_never_lowers_the_chance_to_be_won_or_lost(learnt: Learnt) -> None:
    of, deals, model = learnt
    said = chances(model, as_known(deals, DAY), np.array([DAY, DAY + 30, DAY + 90, DAY + 500]))
    assert (said.win >= 0).all()
    assert (said.lose >= 0).all()
    assert (said.win.sum(1) > 0).all()
    assert chance(model, one_deal(of, 2, 40, 0), 120) > chance(model, one_deal(of, 2, 40, 0), 20)


def test_the_amount_of_a_won_deal_is_what_was_said_times_what_is_usual(learnt: Learnt) -> None:
    of, _, model = learnt
    assert model.amounts.ratio == pytest.approx(of.closing_ratio, abs=0.03)
    assert model.amounts.spread == pytest.approx(of.closing_spread, abs=0.04)
    said = chances(model, one_deal(of, 2, 40, 0), np.array([DAY, DAY + 30]))
    assert said.amount[0] == pytest.approx(np.median(of.price) * model.amounts.ratio)


def test_without_stages_and_features_there_is_no_signal_and_nobody_stands_out(learnt: Learnt) -> None:
    of, deals, _ = learnt
    told = deals.changes
    kept = (told.kind == STAGE) & (told.value == 0)
    bare = structs.replace(
        deals,
        features={},
        changes=Changes(told.deal[kept], told.day[kept], told.kind[kept], told.value[kept]),
    )
    model = fit(bare, DAY, quarters(of.fiscal_month, of.opened_on, of.until))
    assert isinstance(model, Model)
    assert "no_signal" in model.said
    known = as_known(bare, DAY)
    said = chances(model, known, np.array([DAY, DAY + 60]))
    opened = known.opened_on[known.is_open]
    for day in np.unique(opened):
        assert np.ptp(said.win[opened == day, 0]) < 1e-12


def test_reasons_name_what_moves_the_chance_and_which_way(learnt: Learnt) -> None:
    of, deals, model = learnt
    known = as_known(deals, DAY)
    told = reasons(model, known, DAY + 90, most=10)
    said = chances(model, known, np.array([DAY, DAY + 90])).win[:, 0]
    best, worst = of.reps[int(np.argmax(of.rep_win))], of.reps[int(np.argmin(of.rep_win))]
    seen = {best: 0, worst: 0}
    for n, of_deal in enumerate(told):
        for reason in of_deal:
            assert reason.chance == said[n]
            if reason.code == "owner" and reason.value in seen:
                seen[reason.value] += 1
                assert (reason.chance > reason.without) == (reason.value == best)
    assert min(seen.values()) > 0
    first = next(reason for of_deal in told for reason in of_deal if reason.code == "owner")
    assert first.words.startswith(f"owner {first.value} ")


def test_similar_deals_that_had_come_far_were_won_more_often(learnt: Learnt) -> None:
    _, deals, model = learnt
    known = as_known(deals, DAY)
    found = similar(model, known)
    said = chances(model, known, np.array([DAY, DAY + 600])).win[:, 0]
    shares = np.array([one.won / one.deals if one.deals >= 10 else np.nan for one in found])
    kept = np.isfinite(shares)
    assert kept.mean() > 0.7
    assert np.corrcoef(shares[kept], said[kept])[0, 1] > 0.5
    assert all((one.days is None) == (one.deals == 0) and one.won <= one.deals <= 50 for one in found)
