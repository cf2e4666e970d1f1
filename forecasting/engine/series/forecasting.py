"""Forecasts of series, one or many: points, calibrated ranges at any level, and how wrong earlier ones were.

Each series goes its own way by what it is (`kinds`): the plain mean of four models, or a rule for the short and the
intermittent, and the answer says which. Ranges are learnt from the whole batch (`calibration`), so what is asked
together should be of one company and one length of step. Whoever asks for a single series may hand in what a batch has
`learned`; without it, the usual holds, which the few errors of the series itself can move only a little.

Same input, same bytes: nothing is random. Values are floating numbers of any unit; the answer has the same.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct, structs
from numpy.typing import ArrayLike

from forecasting.engine.series import kinds, models, simple
from forecasting.engine.series.calibration import Learned, Past, learn, reach, widths
from forecasting.engine.values import Floats, Ints

AVERAGE = "average"
FEW_MODELS, RANGE_UNKNOWN = "few_models", "range_unknown"  # notes
ORIGINS = 3  # earlier forecasts that are tried, half a horizon apart
RULE_ORIGINS = 12  # of rules, which cost nothing
PARAMETERS = 8  # that a model typically has: for how much better a form fits what it was chosen by
LEAST_LOG = 0.01  # of the mean: a value below it is too near to zero for logarithms
WIDEST_LOG = 5.0  # half a range, in logarithms: a factor of about 150
SMALLEST = 1e-9  # unit of a series that repeats itself


class NoForecast(Struct, frozen=True):
    """Why there is none: `no_history`, `too_many_gaps`."""

    code: str


class SeriesForecast(Struct, frozen=True, eq=False):
    """Arrays have one position for each step ahead.

    `method` is `average`, `constant`, `too_short` or `intermittent`; `notes` say what was done to the series (`kinds`)
    or is missing (`few_models`: not all of the four could be fitted; `range_unknown`: there was no second value).
    `models` is what each one says. `errors` is what came less what would have been said, (origins, steps), NaN beyond
    the end; `origins` how many steps before the end, the latest first.
    """

    points: Floats
    width: Floats
    curve: Floats
    logs: bool
    floor: float | None
    method: str
    notes: tuple[str, ...]
    models: Mapping[str, Floats]
    errors: Floats
    origins: Ints

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """The range that holds a share `level` (above 0, below 1) of what comes."""
        if not 0 < level < 1:
            raise ValueError(f"a level lies between 0 and 1, not {level}")
        found = self.quantiles([(1 - level) / 2, (1 + level) / 2])
        return found[0], found[1]

    def quantiles(self, probabilities: ArrayLike) -> Floats:
        """(probabilities, steps); they never cross."""
        asked = np.asarray(probabilities, dtype=np.float64).reshape(-1, 1)
        if not ((asked > 0) & (asked < 1)).all():
            raise ValueError("probabilities lie between 0 and 1")
        off = np.sign(asked - 0.5) * reach(self.curve, np.abs(2 * asked - 1)) * self.width
        found = self.points * np.exp(np.clip(off, -WIDEST_LOG, WIDEST_LOG)) if self.logs else self.points + off
        return found if self.floor is None else np.maximum(found, self.floor)


class Batch(Struct, frozen=True, eq=False):
    """`learned` by models and by rules, to hand in when one of the series is asked for alone."""

    forecasts: tuple[SeriesForecast | NoForecast, ...]
    learned: Mapping[str, Learned]


class _Run(Struct, frozen=True, eq=False):
    """A forecast before its ranges."""

    forecast: SeriesForecast
    past: Past
    unit: Floats
    stretch: float


def forecast_series(
    values: ArrayLike,
    season: int,
    horizon: int,
    *,
    non_negative: bool = False,
    learned: Mapping[str, Learned] | None = None,
) -> SeriesForecast | NoForecast:
    """Of one series; see `forecast_many`."""
    return forecast_many([values], season, horizon, non_negative=non_negative, learned=learned).forecasts[0]


def forecast_many(
    series: Sequence[ArrayLike],
    season: int,
    horizon: int,
    *,
    non_negative: bool = False,
    learned: Mapping[str, Learned] | None = None,
) -> Batch:
    """Of series with `season` steps each (12 of months, 4 of quarters, 1 of none), the oldest value first.

    Gaps are NaN. `non_negative` keeps points and ranges from going below zero. `learned` of an earlier batch is used
    instead of what this one tells.
    """
    if season < 1 or horizon < 1:
        raise ValueError(f"a season of {season} and a horizon of {horizon}: both have at least one step")
    runs = [_run(values, season, horizon, 0.0 if non_negative else None) for values in series]
    if learned is None:
        learned = {
            pool: learn([run.past for run in runs if isinstance(run, _Run) and _pool(run) == pool])
            for pool in (AVERAGE, "rule")
        }
    return Batch(
        tuple(run if isinstance(run, NoForecast) else _ranged(run, learned[_pool(run)]) for run in runs), learned
    )


def _pool(run: _Run) -> str:
    return AVERAGE if run.forecast.method == AVERAGE else "rule"


def _ranged(run: _Run, learned: Learned) -> SeriesForecast:
    width = widths(run.past, learned) * run.unit * run.stretch
    return structs.replace(run.forecast, width=np.maximum.accumulate(width), curve=learned.curve)


def _run(values: ArrayLike, season: int, horizon: int, floor: float | None) -> _Run | NoForecast:
    part = kinds.known(values)
    if isinstance(part, str):
        return NoForecast(part)
    kind = kinds.kind_of(part.values)
    notes = part.notes
    if kind == kinds.REGULAR and 1 < season and len(part.values) < 2 * season:
        season, notes = 1, (*notes, kinds.SEASON_TOO_SHORT)
    ahead = horizon + part.behind
    run = _averaged(part.values, season, ahead, notes) if kind == kinds.REGULAR else None
    if run is None:
        kind = kinds.TOO_SHORT if kind == kinds.REGULAR else kind
        run = _ruled(kind, part.values, season, ahead, notes)
    return _cut(run, part.behind, floor)


def _averaged(values: Floats, season: int, horizon: int, notes: tuple[str, ...]) -> _Run | None:
    """The plain mean of the models; None where not one of them could be fitted."""
    count = len(values)
    logs = bool(values.min() > LEAST_LOG * values.mean())
    origins = _origins(count, max(2 * season + 2, kinds.LEAST), horizon)
    fitted = models.fit_models(values, season, horizon, count - origins, logs=logs)
    there = np.isfinite(fitted.points).all(axis=1)
    if not there.any():
        return None
    if not there.all():
        notes = (*notes, FEW_MODELS)
    points = fitted.points[there].mean(axis=0)
    past = np.full((len(origins), horizon), np.nan)
    for at in range(len(origins)):
        whole = np.isfinite(fitted.past[:, at]).all(axis=1)
        if whole.any():
            past[at] = fitted.past[whole, at].mean(axis=0)
    unit = _unit(np.log(values) if logs else values, season, fitted.spread)
    said = {models.NAMES[row]: fitted.points[row] for row in np.flatnonzero(there)}
    forecast = structs.replace(_forecast(points, logs, AVERAGE, notes), models=said)
    stretch = np.sqrt((count + PARAMETERS) / (count - PARAMETERS))
    return _tried(forecast, values, past, origins, unit, float(stretch))


def _ruled(kind: str, values: Floats, season: int, horizon: int, notes: tuple[str, ...]) -> _Run:
    count = len(values)
    points = simple.say(kind, values, season, horizon)
    origins = np.arange(1, min(count - 1, RULE_ORIGINS) + 1, dtype=np.int64)
    rows = [simple.say(kind, values[: count - back], season, horizon) for back in origins]
    past = np.array(rows, dtype=np.float64).reshape(len(origins), horizon)
    if count < 2:
        unit, notes = np.full(horizon, float(np.abs(values).mean())), (*notes, RANGE_UNKNOWN)
    elif kind == kinds.INTERMITTENT:
        unit = np.full(horizon, float(np.abs(values - values.mean()).mean()))
    else:
        unit = _unit(values, season if season < count else 1, np.full(horizon, np.nan))
    stretch = np.sqrt((count + 1) / (count - 1)) if count > 1 else 1.0
    return _tried(_forecast(points, False, kind, notes), values, past, origins, unit, float(stretch))


def _tried(forecast: SeriesForecast, values: Floats, past: Floats, origins: Ints, unit: Floats, stretch: float) -> _Run:
    """With the errors of what would have been said at each origin, and their sizes in units."""
    came = np.full(past.shape, np.nan)
    for at, back in enumerate(origins):
        part = values[len(values) - back : len(values) - back + past.shape[1]]
        came[at, : len(part)] = part
    off = np.log(came / np.maximum(past, SMALLEST * came)) if forecast.logs else came - past
    least = SMALLEST * (1.0 if forecast.logs else max(float(np.abs(values).max()), SMALLEST))
    unit = np.maximum(unit, least)
    return _Run(structs.replace(forecast, errors=came - past, origins=origins), Past(np.abs(off) / unit), unit, stretch)


def _cut(run: _Run, behind: int, floor: float | None) -> _Run:
    """Without the steps that lie behind already, and not below the floor."""
    told = run.forecast
    points = told.points[behind:]
    said = {name: points_of[behind:] for name, points_of in told.models.items()}
    if floor is not None:
        points = np.maximum(points, floor)
        said = {name: np.maximum(points_of, floor) for name, points_of in said.items()}
    told = structs.replace(told, points=points, models=said, floor=floor, errors=told.errors[:, behind:])
    return _Run(told, Past(run.past.scores[:, behind:]), run.unit[behind:], run.stretch)


def _forecast(points: Floats, logs: bool, method: str, notes: tuple[str, ...]) -> SeriesForecast:
    nothing = np.zeros(0)
    return SeriesForecast(points, nothing, nothing, logs, None, method, notes, {}, nothing, np.zeros(0, np.int64))


def _origins(count: int, least: int, horizon: int) -> Ints:
    """Steps before the end: a whole horizon, then half a horizon further each; less where the series is short."""
    half = max(horizon // 2, 1)
    backs = [horizon + half * turn for turn in range(ORIGINS)]
    found = [back for back in backs if count - back >= least]
    if not found and count > least:
        found = [count - least]
    return np.array(found, dtype=np.int64)


def _unit(values: Floats, season: int, spread: Floats) -> Floats:
    """How much a series moves, by steps: between what ARIMA expects and the mean change over one season."""
    lag = season if season < len(values) else 1
    change = float(np.abs(values[lag:] - values[:-lag]).mean())
    if np.isfinite(spread).all():
        return np.asarray(np.sqrt(np.maximum.accumulate(np.maximum(spread, 0.0)) * change), dtype=np.float64)
    return np.asarray(change * np.sqrt(np.arange(1, len(spread) + 1) / lag), dtype=np.float64)
