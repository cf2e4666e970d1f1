import numpy as np

from forecasting.engine.ageing import learn_ageing
from forecasting.engine.period import calendar_of, plain_chances, shifted
from forecasting.engine.truth.company import company
from forecasting.engine.truth.growth import grow
from forecasting.engine.values import STAGE, Changes, Deals, as_known


def test_a_day_moves_to_its_place_in_an_earlier_quarter() -> None:
    starts = np.array([100, 190, 281, 373, 465])
    assert shifted(starts, 372, 1) == 280  # the eve of a quarter to the eve of the one before
    assert shifted(starts, 464, 1) == 372
    assert shifted(starts, 400, 2) == 217
    assert shifted(starts, 120, 1) == 0


def test_a_deal_that_stands_further_on_is_likelier_to_be_won_in_the_quarter() -> None:
    deals = grow(company(31, arrivals=1.5)).deals
    day = deals.until - 200
    known, edges = as_known(deals, day), np.array([day, day + 90], dtype=np.int64)
    told = known.changes
    on = np.where(told.kind == STAGE, float(len(known.stages) - 1), told.value)
    moved = Deals(**{name: getattr(known, name) for name in known.__struct_fields__} | {
        "changes": Changes(told.deal, told.day, told.kind, on)
    })  # fmt: skip
    ageing = learn_ageing(known, calendar_of(None, known, day + 90))
    now, further = plain_chances(known, edges, ageing), plain_chances(moved, edges, ageing)
    assert now is not None
    assert further is not None
    assert further.win.sum() > 1.3 * now.win.sum()
    assert plain_chances(known, edges, None) is None
