"""What the open deals of the public sales opportunities become, week after week through 2017.

On each day a model is fitted anew to what was known that day. Three questions: what the deals that are open bring in
the next 30 and 90 days; whether each is won in that time; and of those that ended until the last day, which were won.
Nothing in this set tells who wins (its README says so), so the last question is whether a model knows that it does not
know: it may not be worse than the share of deals won so far.

Beside it: every open deal at list price times the share won so far (what a weighted pipeline says), and the share of
deals open 30 or 90 days earlier that were won in that time (the base rate of the question).
"""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
from msgspec import Struct

from bench.engine.opportunity_data import LAST_DAY, read_deals
from bench.report import Report
from forecasting.engine.scores import bias, log_loss, wape
from forecasting.engine.values import NEVER, Bools, Deals, Floats, Ints, as_known
from forecasting.engine.winrate import Model, chances, fit

REVENUE = "opportunities: revenue from open deals"
WINNING = "opportunities: log-loss of winning"
HORIZONS = {30: 0.33, 90: 0.30}  # days -> the WAPE that is asked for
FIRST = date(2017, 6, 30).toordinal()
EVERY = 7
EARLIER = 120  # days of earlier open deals that the base rate looks back on


class Asked(Struct, frozen=True, eq=False):
    """One day and horizon: what came and what was said, in minor units; of each deal whether won, and the chance."""

    actual: float
    said: float
    naive: float
    won: Bools
    chance: Floats
    base: float


class Ended(Struct, frozen=True, eq=False):
    """One day: of the deals that were open and ended later, which were won, the chance of it, and the share so far."""

    won: Bools
    chance: Floats
    base: float
    no_signal: bool


def measure(report: Report, data: Path) -> None:
    asked, ended = walk_on(read_deals(data), range(FIRST, LAST_DAY - min(HORIZONS) + 1, EVERY))
    for horizon, limit in HORIZONS.items():
        days = asked[horizon]
        report.add(REVENUE, f"{horizon} days: chances of deals", _revenue(days, [day.said for day in days], limit))
        report.add(REVENUE, f"{horizon} days: weighted pipeline", _revenue(days, [day.naive for day in days]))
    for horizon in HORIZONS:
        report.add(WINNING, f"won within {horizon} days", _winning([(d.won, d.chance, d.base) for d in asked[horizon]]))
    row = _winning([(day.won, day.chance, day.base) for day in ended])
    row["no_signal_said"] = f"{sum(day.no_signal for day in ended)} of {len(ended)}"
    report.add(WINNING, "won, of those that ended", row)


def walk_on(deals: Deals, days: Iterable[int]) -> tuple[dict[int, list[Asked]], list[Ended]]:
    """All questions, asked on each of the days."""
    asked: dict[int, list[Asked]] = {horizon: [] for horizon in HORIZONS}
    ended = []
    place = {key: n for n, key in enumerate(deals.keys)}
    for day in days:
        known = as_known(deals, day)
        model = fit(known, day)
        if not isinstance(model, Model):
            continue
        for horizon in HORIZONS:
            if day + horizon <= LAST_DAY:
                asked[horizon].append(_asked(deals, known, model, place, horizon))
        ended.append(_ended(deals, known, model, place))
    return asked, ended


def _asked(deals: Deals, known: Deals, model: Model, place: dict[str, int], horizon: int) -> Asked:
    said = chances(model, known, np.array([known.until, known.until + horizon]))
    at = np.array([place[key] for key in said.keys], dtype=np.int64)
    won = _won_within(deals, at, known.until, known.until + horizon)
    listed = known.amount[known.is_open]
    return Asked(
        actual=float(deals.amount[at][won].sum()),
        said=float((said.win[:, 0] * said.amount).sum()),
        naive=float(listed.sum()) * _share_won(known),
        won=won,
        chance=said.win[:, 0],
        base=_base(known, horizon),
    )


def _ended(deals: Deals, known: Deals, model: Model, place: dict[str, int]) -> Ended:
    said = chances(model, known, np.array([known.until, LAST_DAY]))
    at = np.array([place[key] for key in said.keys], dtype=np.int64)
    over = deals.ended_on[at] != NEVER
    chance = said.win[over, 0] / (said.win[over, 0] + said.lose[over, 0])
    return Ended(deals.won[at][over], chance, _share_won(known), "no_signal" in model.said)


def _won_within(deals: Deals, at: Ints, after: int, until: int) -> Bools:
    return np.asarray(deals.won[at] & (deals.ended_on[at] > after) & (deals.ended_on[at] <= until))


def _share_won(known: Deals) -> float:
    return float(known.won.sum() / max(int((~known.is_open).sum()), 1))


def _base(known: Deals, horizon: int) -> float:
    """The share of deals open on earlier days that were won within the horizon, all of it known."""
    won = seen = 0
    first = int(known.ended_on[~known.is_open].min())
    for day in range(known.until - horizon, max(known.until - horizon - EARLIER, first - 1), -7):
        there = np.flatnonzero((known.opened_on <= day) & (known.is_open | (known.ended_on > day)))
        won += int(_won_within(known, there, day, day + horizon).sum())
        seen += len(there)
    return won / seen if seen else _share_won(known)


def _revenue(days: list[Asked], said: list[float], limit: float | None = None) -> dict[str, float | str]:
    actual = [day.actual for day in days]
    row: dict[str, float | str] = {"days": len(days)}
    row["wape"] = round(wape(said, actual).value or 0.0, 3)
    row["asked"] = "" if limit is None else limit
    row["bias"] = round(bias(said, actual).value or 0.0, 3)
    return row


def _winning(days: list[tuple[Bools, Floats, float]]) -> dict[str, float | str]:
    pairs = [(_loss(chance, won), _loss(np.full(len(won), base), won), len(won)) for won, chance, base in days]
    count = sum(n for _, _, n in pairs)
    model, base = (sum(pair[k] * pair[2] for pair in pairs) / count for k in (0, 1))
    row: dict[str, float | str] = {"deals": count, "model": round(model, 4), "base_rate": round(base, 4)}
    row["difference"] = round(model - base, 4)
    row["asked"] = 0.002
    row["worst_day"] = round(max(one - other for one, other, _ in pairs), 4)
    return row


def _loss(chance: Floats, won: Bools) -> float:
    return float(log_loss(chance, won).value or 0.0)
