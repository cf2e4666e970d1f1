"""The four models whose plain mean is the forecast: ETS, Theta, CES and ARIMA, by `statsforecast`.

A season longer than two years of months (weeks, days) is taken out of the series first and given back afterwards.
ETS and Theta choose between sums and products themselves; CES and ARIMA know sums only, so a positive series goes to
them as logarithms. What each model says is held to what the history leaves possible (`_held`): one that runs away does
not take the mean with it. A model that cannot be fitted is left out of the mean, and its row is NaN.

How wrong the mean was is tried at earlier origins with what was known there: the form of each model (which trend, which
season, which orders) is kept and its parameters are fitted again; of ARIMA the coefficients are kept as well, since to
fit them again costs more than all the rest. Nothing here is random.
"""

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from msgspec import Struct

from forecasting.engine.series.seasons import is_seasonal, season_of
from forecasting.engine.values import Floats

NAMES = ("ets", "theta", "ces", "arima")
LONGEST_SEASON = 24  # ETS holds one state for each step of a season: longer seasons are taken out beforehand
ARIMA_TRIED = 12  # orders that the stepwise search tries; more cost time and gained nothing
LARGEST_LOG = 700.0  # the exponential of more is no number
NORMAL_80 = 1.2815515655446004


class Fitted(Struct, frozen=True, eq=False):
    """`points` (models, horizon), `past` (models, origins, horizon): what would have been said at each origin.

    `spread` (horizon,) is one standard deviation as ARIMA sees it: of logarithms where `logs`, else of values; NaN
    where there is no ARIMA.
    """

    points: Floats
    past: Floats
    spread: Floats


Form = dict[str, Any]
Model = Callable[[Floats, int, int, Form | None], tuple[Floats, Form]]


def fit_models(values: Floats, season: int, horizon: int, origins: Iterable[int], *, logs: bool) -> Fitted:
    """`values` are whole (no gaps); each origin is how many of them were known."""
    known = tuple(origins)
    points = np.full((len(NAMES), horizon), np.nan)
    past = np.full((len(NAMES), len(known), horizon), np.nan)
    spread = np.full(horizon, np.nan)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for row, name in enumerate(NAMES):
            form = _tried(_MODELS[name], values, season, horizon, None, logs, points[row])
            if form is None:
                continue
            if "spread" in form:
                spread[:] = form["spread"]
            for at, count in enumerate(known):
                _tried(_MODELS[name], values[:count], season, horizon, form, logs, past[row, at])
    return Fitted(points, past, spread)


def _tried(
    model: Model, values: Floats, season: int, horizon: int, form: Form | None, logs: bool, into: Floats
) -> Form | None:
    """Fills `into` where the model can be fitted; the library says that it cannot by exceptions of every kind."""
    shape = season_of(values, season) if season > LONGEST_SEASON else None
    flat = values if shape is None else shape.taken_from(values)
    as_logs = logs and model in (_ces, _arima) and flat.min() > 0
    try:
        said, found = model(np.log(flat) if as_logs else flat, 1 if season > LONGEST_SEASON else season, horizon, form)
    except MemoryError:  # a run says so; it is no fault of the series
        raise
    except Exception:
        return None
    said = np.exp(np.minimum(said, LARGEST_LOG)) if as_logs else said
    said = said if shape is None else shape.given_to(said, len(values))
    if not np.isfinite(said).all():
        return None
    into[:] = _held(said, values)
    return found


def _held(said: Floats, values: Floats) -> Floats:
    """Not further from what has been than what has been is wide."""
    low, high = float(values.min()), float(values.max())
    return np.clip(said, low - (high - low), high + (high - low))


def _ets(values: Floats, season: int, horizon: int, form: Form | None) -> tuple[Floats, Form]:
    """The season is chosen with a damped trend, then the trend for that season: two thirds of the work for the same."""
    from statsforecast.models import AutoETS

    if form is not None:
        model = AutoETS(season_length=season, **form).fit(values)
        return np.asarray(model.predict(horizon)["mean"], dtype=np.float64), form
    error = "M" if values.min() > 0 else "A"  # of the two kinds of errors points differ little
    model = AutoETS(season_length=season, model=f"{error}AZ", damped=True).fit(values)
    other = AutoETS(season_length=season, model=f"{error}Z{model.model_['components'][2]}", damped=False).fit(values)
    model = min(model, other, key=lambda one: float(one.model_["aicc"]))
    _, trend, repeats, damped = model.model_["components"]
    form = {"model": error + trend + repeats, "damped": damped == "D"}
    return np.asarray(model.predict(horizon)["mean"], dtype=np.float64), form


def _theta(values: Floats, season: int, horizon: int, form: Form | None) -> tuple[Floats, Form]:
    from statsforecast.models import AutoTheta

    model = AutoTheta(season_length=season, **(form or {})).fit(values)
    said = np.asarray(model.predict(horizon)["mean"], dtype=np.float64)
    return said, {"model": model.model_["modeltype"]}


def _ces(values: Floats, season: int, horizon: int, form: Form | None) -> tuple[Floats, Form]:
    from statsforecast.models import AutoCES

    model = AutoCES(season_length=season, **(form or {})).fit(values)
    return np.asarray(model.predict(horizon)["mean"], dtype=np.float64), {"model": model.model_["seasontype"]}


def _arima(values: Floats, season: int, horizon: int, form: Form | None) -> tuple[Floats, Form]:
    from statsforecast.models import AutoARIMA

    if form is not None:
        return np.asarray(form["model"].forward(values, horizon)["mean"], dtype=np.float64), form
    model = AutoARIMA(
        season_length=season
        if is_seasonal(values, season)
        else 1,  # without one, its terms only cost accuracy and time
        approximation=True,
        nmodels=ARIMA_TRIED,
        max_order=4,
        max_p=3,
        max_q=3,
        max_P=1,
        max_Q=1,
        start_p=1,
        start_q=1,
    ).fit(values)
    said = model.predict(horizon, level=[80])
    spread = (np.asarray(said["hi-80"]) - np.asarray(said["mean"])) / NORMAL_80
    return np.asarray(said["mean"], dtype=np.float64), {"model": model, "spread": spread}


_MODELS: dict[str, Model] = {"ets": _ets, "theta": _theta, "ces": _ces, "arima": _arima}
