"""The floor of chances: rates are found as near as their own uncertainty says, so that nobody can know them better."""

from datetime import date

import numpy as np
import pytest

from bench.engine.company_deals import calibration_error_of_truth, expected_loss
from bench.engine.company_floor import NOTHING, Places, lived, most_probable, posterior_chances, told
from forecasting.engine.truth.company import Company, calendar, company
from forecasting.engine.truth.growth import grow
from forecasting.engine.truth.oracle import true_chances
from forecasting.engine.values import Deals, Floats, as_known

DAY = date(2024, 9, 30).toordinal()


@pytest.fixture(scope="module")
def drawn() -> tuple[Company, Places, Floats, Deals]:
    """A company whose numbers are known, drawn from what they are drawn from."""
    of = company(5, arrivals=1.5)
    places = Places(len(of.reps), len(of.products), int(calendar(of, of.opened_on, DAY).quarter.max()) + 1)
    numbers = np.random.default_rng(5).normal(size=places.count)
    made = told(of, places, numbers)
    return made, places, numbers, grow(made).deals


def test_rates_are_found_and_off_by_as_much_as_they_are_said_to_be(
    drawn: tuple[Company, Places, Floats, Deals],
) -> None:
    of, places, numbers, deals = drawn
    found, spread = most_probable(of, lived(of, deals, DAY), places)
    known = slice(0, places.parts["shocks"].start)  # the shocks of the history are others than the numbers say
    off = (found - numbers)[known]
    assert 0.4 < np.mean(off**2 / np.diag(spread)[known]) < 1.8
    assert np.mean(off**2) < 0.6 * np.mean(numbers[known] ** 2)


def test_each_open_day_of_each_deal_is_there_once_and_each_end(drawn: tuple[Company, Places, Floats, Deals]) -> None:
    of, _, _, deals = drawn
    known, past = as_known(deals, DAY), lived(of, deals, DAY)
    end = np.where(known.is_open, DAY, known.ended_on)
    assert len(past.day) == int((end - known.opened_on).sum())
    assert [int((past.what == kind).sum()) for kind in (0, 1)] == [
        int((~known.is_open & known.won).sum()),
        int((~known.is_open & ~known.won).sum()),
    ]
    assert (past.what == NOTHING).mean() > 0.8


def test_the_floor_lies_between_the_oracle_and_who_knows_no_deal(drawn: tuple[Company, Places, Floats, Deals]) -> None:
    of, _, _, deals = drawn
    edges = np.array([DAY, DAY + 91])
    said, true = posterior_chances(of, deals, edges, draws=4)[:, 0], true_chances(of, deals, edges).win[:, 0]
    oracle, base = expected_loss(true, true), expected_loss(np.full(len(true), true.mean()), true)
    assert oracle < expected_loss(said, true) < oracle + 0.2 * (base - oracle)
    assert calibration_error_of_truth(said, true) < 0.05
