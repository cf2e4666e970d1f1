"""Whole runs judged by what came: what the figures of docs/outlook.md are of."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from bench.engine.company_ranges import PEOPLE, RUN, figures, judge
from bench.engine.opportunity_data import read_deals
from bench.engine.opportunity_revenue import HORIZONS, question_from, walk, wape
from forecasting.outlook.looking import SAID
from forecasting.outlook.values import PIPELINE, Answer, Question
from forecasting.outlook.work import answer
from tests.forecasting.outlook.asked import question_of

DATA = os.environ.get("SFA_SAMPLE_DATA")


def told(question: Question, *, single: bool = False, draws: int = 400) -> Answer:
    return answer(question, lambda *_: None, single=single, draws=draws, horizons=())


def test_ranges_of_small_companies_hold_about_as_often_as_they_say() -> None:
    seen = [judge(seed) for seed in range(12)]
    whole, people = figures(seen, RUN), figures(seen, PEOPLE)
    assert 6 <= round(float(whole["held_%"]) * 12 / 100) <= 12
    assert float(whole["WAPE"]) < 0.4
    assert people["ranges"] == 72
    assert 65 <= float(people["held_%"]) <= 95


@pytest.mark.slow
def test_ranges_of_many_small_companies_hold() -> None:
    """Four standard errors about 80 %; the bench takes ten times as many and asks for 78.5 to 81.5 %."""
    seen = [judge(seed) for seed in range(500)]
    assert 73 <= float(figures(seen, RUN)["held_%"]) <= 87
    assert 73 <= float(figures(seen, PEOPLE)["held_%"]) <= 87
    assert abs(float(figures(seen, RUN)["bias_%"])) < 5


def test_means_and_ranges_are_the_same_whether_single_deals_are_told_or_not() -> None:
    question = question_of(5, reps=4, arrivals=0.5, years=2)
    with_deals, without = told(question, single=True), told(question)
    assert with_deals.deals
    assert not without.deals
    for one, other in zip(with_deals.nodes, without.nodes, strict=True):
        assert [period.range for period in one.periods] == [period.range for period in other.periods]


def test_a_run_sees_nothing_of_later_days() -> None:
    question = question_of(5, reps=4, arrivals=0.5, years=2)
    earlier = question.until - 200
    ahead = [span.key for span in question.spans if span.start <= earlier < span.end]
    early = structs.replace(
        question,
        until=earlier,
        ahead=ahead,
        parts=[],
        calls=[],
        quotas=[],
    )
    known = structs.replace(early, credits=[credit for credit in question.credits if credit.day <= earlier])
    assert told(early) == told(known)


@pytest.mark.skipif(not DATA, reason="SFA_SAMPLE_DATA names no folder")
def test_the_next_month_and_quarter_of_the_public_opportunities_are_seen_without_a_hand_switch() -> None:
    """One day in four weeks; the bench takes every one."""
    walked = walk(read_deals(Path(str(DATA))), every=28)
    for horizon, asked in HORIZONS.items():
        origins = walked[horizon]
        actual = np.array([one.actual for one in origins])
        alone = np.array([one.views[SAID.index(PIPELINE)] for one in origins])
        assert wape(actual, np.array([one.mean for one in origins])) <= asked
        assert wape(actual, alone) > asked  # the pipeline alone does not do it
        assert all(one.low <= one.mean <= one.high for one in origins)


@pytest.mark.skipif(not DATA, reason="SFA_SAMPLE_DATA names no folder")
def test_days_that_are_no_period_add_up_over_managers_and_people() -> None:
    said = told(question_from(read_deals(Path(str(DATA))), date(2017, 6, 30).toordinal()))
    company = said.nodes[0]
    offices = [node for node in said.nodes if len(node.above) == 1]
    for n, period in enumerate(company.periods):
        below = [node.periods[n].range for node in offices]
        assert period.range is not None
        assert period.range.mean_minor == sum(one.mean_minor for one in below if one is not None)
    assert [period.period_key for period in company.periods] == ["30", "90"]
