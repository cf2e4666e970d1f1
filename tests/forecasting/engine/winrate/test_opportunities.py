"""The public sales opportunities on one day: a small version of `bench.engine.opportunity_deals`."""

import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from bench.engine.opportunity_data import LAST_DAY, read_deals
from bench.engine.opportunity_deals import HORIZONS, walk_on
from forecasting.engine.scores import log_loss
from forecasting.engine.values import NEVER, Deals

DATA = os.environ.get("SFA_SAMPLE_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="SFA_SAMPLE_DATA names no folder with the public data sets")


@pytest.fixture(scope="module")
def opportunities() -> Deals:
    return read_deals(Path(DATA or "."))


def test_the_public_deals_are_read_as_their_readme_says(opportunities: Deals) -> None:
    assert len(opportunities) == 8300  # 8,800 without the 500 that were only prospected
    assert int(opportunities.won.sum()) == 4238
    assert int((opportunities.is_open).sum()) == 1589
    assert int(opportunities.ended_on.max()) == LAST_DAY
    assert "GTXPro" not in opportunities.features["product"]
    assert np.isfinite(opportunities.amount).all()
    assert ((opportunities.ended_on == NEVER) | (opportunities.ended_on >= opportunities.opened_on)).all()


def test_revenue_from_open_deals_is_near_and_a_model_knows_that_it_cannot_tell_who_wins(opportunities: Deals) -> None:
    asked, ended = walk_on(opportunities, [date(2017, 9, 30).toordinal()])
    for horizon, limit in HORIZONS.items():
        (day,) = asked[horizon]
        assert abs(day.said - day.actual) <= limit * day.actual
        assert abs(day.naive - day.actual) > day.actual
    (last,) = ended
    assert last.no_signal
    said = log_loss(last.chance, last.won).value
    base = log_loss(np.full(len(last.won), last.base), last.won).value
    assert said is not None
    assert base is not None
    assert said <= base + 0.002
