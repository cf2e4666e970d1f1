"""Run-rate series (docs/outlook.md, Series): points and ranges of public competitions, beside the named baselines.

Only `split == train` is read by the engine; the last steps, `test`, judge it. Points: sMAPE and MASE by the rules of the
M4 competition, OWA against Naive2. Ranges: the share of steps that came within them. The halves of M1, M3 and the
tourism competition are asked for as one batch for each frequency, as the two samples of M4 are.
"""

import csv
import gzip
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.report import Report
from bench.subjects import Figures
from forecasting.engine import scores
from forecasting.engine.series import models, seasons
from forecasting.engine.series.forecasting import Batch, SeriesForecast, forecast_many
from forecasting.engine.values import Floats

WARM = 24  # values of a short series, so that loading a library counts for no series


class Judged(NamedTuple):
    key: str
    source: str
    season: int
    horizon: int
    train: Floats
    test: Floats


Said = Sequence[Floats]
Ranges = Sequence[tuple[Floats, Floats, Floats, Floats]]  # low and high at 80 %, low and high at 95 %


def measure(report: Report, data: Path) -> None:
    forecast_many([np.arange(WARM, dtype=np.float64) % 5 + 1], 4, 2)
    owas: list[tuple[list[Judged], Batch]] = []
    for name, source, season in (
        ("M4 monthly", "m4_sample", 12),
        ("M4 quarterly", "m4_sample", 4),
        ("M1, M3, tourism monthly", "m3_tourism_sample", 12),
        ("M1, M3, tourism quarterly", "m3_tourism_sample", 4),
    ):
        judged = [one for one in read(data / source) if one.season == season]
        start = time.process_time()
        batch = forecast_many([one.train for one in judged], season, max(one.horizon for one in judged))
        spent = time.process_time() - start
        owas.append((judged, batch))
        _points(report, f"series: points, {name}", judged, batch)
        _ranges(report, name, judged, batch)
        report.add("series: speed", name, {"series": len(judged), "cpu_s_per_1000": round(1000 * spent / len(judged))})
    both = [pair for judged, batch in owas[:2] for pair in zip(judged, batch.forecasts, strict=True)]
    every = [pair for judged, batch in owas for pair in zip(judged, batch.forecasts, strict=True)]
    _points_of(report, "series: points, M4 both", both)
    for source in ("M1", "M3", "Tourism"):
        _covered(report, f"{source} alone", [pair for pair in every if pair[0].source == source])
    _covered(report, "M4 and M3", [pair for pair in every if pair[0].source in ("M4", "M3")])
    _covered(report, "all together", every)


def read(folder: Path, most: int | None = None) -> list[Judged]:
    """The monthly and quarterly series of a sample; `most` of each frequency."""
    with (folder / "series_index.csv").open(encoding="utf-8", newline="") as file:
        index = [row for row in csv.DictReader(file) if row["frequency"] in ("monthly", "quarterly")]
    if most is not None:
        index = [row for f in ("monthly", "quarterly") for row in [r for r in index if r["frequency"] == f][:most]]
    wanted = {row["series_id"]: (list[float](), list[float]()) for row in index}
    with gzip.open(folder / "series.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["series_id"] in wanted:
                wanted[line["series_id"]][line["split"] == "test"].append(float(line["value"]))
    return [
        Judged(
            row["series_id"],
            row["dataset"],
            int(row["season_length"]),
            int(row["horizon"]),
            np.array(wanted[row["series_id"]][0]),
            np.array(wanted[row["series_id"]][1]),
        )
        for row in index
    ]


def _points(report: Report, subject: str, judged: list[Judged], batch: Batch) -> None:
    _points_of(report, subject, list(zip(judged, batch.forecasts, strict=True)))


def _points_of(report: Report, subject: str, pairs: Sequence[tuple[Judged, object]]) -> None:
    judged = [one for one, _ in pairs]
    told = [said for _, said in pairs if isinstance(said, SeriesForecast)]
    if len(told) != len(judged):
        raise ValueError("each series of the samples has a forecast")
    naive2 = [seasons.naive2(one.train, one.season, one.horizon) for one in judged]
    rows: list[tuple[str, Said]] = [
        ("average of four", [said.points for said in told]),
        *((name, [said.models.get(name, said.points) for said in told]) for name in models.NAMES),
        ("seasonal naive", [seasons.seasonal_naive(one.train, one.season, one.horizon) for one in judged]),
        ("Naive2", naive2),
    ]
    floor_s, floor_m = _errors(judged, naive2)
    for name, said in rows:
        off_s, off_m = _errors(judged, said)
        owa = scores.owa(off_s, off_m, floor_s, floor_m).value
        figures: Figures = {"series": len(judged), "sMAPE": round(100 * float(np.nanmean(off_s)), 2)}
        figures |= {"MASE": round(float(np.nanmean(off_m)), 3), "OWA": round(owa, 4) if owa is not None else ""}
        report.add(subject, name, figures)


def _errors(judged: list[Judged], said: Said) -> tuple[Floats, Floats]:
    smapes = [scores.smape(f[: one.horizon], one.test).value for one, f in zip(judged, said, strict=True)]
    mases = [
        scores.mase(f[: one.horizon], one.test, one.train, one.season).value
        for one, f in zip(judged, said, strict=True)
    ]
    return tuple(np.array([np.nan if v is None else v for v in row]) for row in (smapes, mases))  # type: ignore[return-value]


def _ranges(report: Report, name: str, judged: list[Judged], batch: Batch) -> None:
    _covered(report, name, list(zip(judged, batch.forecasts, strict=True)))
    if judged[0].source != "M4":
        return
    for model, ask in (("ETS", _of_ets), ("ARIMA", _of_arima)):
        _cover(report, f"{name}, {model}'s own", judged, [ask(one) for one in judged])


def _covered(report: Report, name: str, pairs: Sequence[tuple[Judged, object]]) -> None:
    ranges = []
    for one, said in pairs:
        assert isinstance(said, SeriesForecast)
        both = (*said.interval(0.80), *said.interval(0.95))
        ranges.append(tuple(part[: one.horizon] for part in both))
    _cover(report, name, [one for one, _ in pairs], ranges)  # type: ignore[arg-type]


def _cover(report: Report, name: str, judged: list[Judged], ranges: Ranges) -> None:
    """By series first, so that a long horizon counts no more than a short one."""
    inside = np.array(
        [
            [((low <= one.test) & (one.test <= high)).mean() for low, high in (told[:2], told[2:])]
            for one, told in zip(judged, ranges, strict=True)
        ]
    )
    at80, at95 = 100 * inside.mean(axis=0)
    report.add("series: ranges hold", name, {"series": len(judged), "80 %": round(at80, 1), "95 %": round(at95, 1)})


def _of_ets(one: Judged) -> tuple[Floats, Floats, Floats, Floats]:
    from statsforecast.models import AutoETS

    return _own(lambda: AutoETS(season_length=one.season), one)


def _of_arima(one: Judged) -> tuple[Floats, Floats, Floats, Floats]:
    from statsforecast.models import AutoARIMA

    settings = {"approximation": True, "nmodels": models.ARIMA_TRIED, "max_order": 4, "max_P": 1, "max_Q": 1}
    return _own(lambda: AutoARIMA(season_length=one.season, start_p=1, start_q=1, **settings), one)


def _own(model: Callable[[], object], one: Judged) -> tuple[Floats, Floats, Floats, Floats]:
    import warnings

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        said = model().forecast(one.train, one.horizon, level=[80, 95])  # type: ignore[attr-defined]
    return said["lo-80"], said["hi-80"], said["lo-95"], said["hi-95"]
