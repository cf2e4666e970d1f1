"""How long the draws of a large pipeline take: 10,000 open deals, 10,000 times, in thirteen weekly steps."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.report import Report
from bench.subjects import Figures
from forecasting.engine.newcomers import Newcomers
from forecasting.engine.simulate import Split, expectation, say, simulate, total
from forecasting.engine.spread import CERTAIN, Past, learn
from forecasting.engine.values import Chances

SUBJECT = "draws: cpu"
DEALS, DRAWS, PEOPLE, WEEKS = 10_000, 10_000, 200, 13
ALONE, TOGETHER = "open deals, each for itself", "open deals, with a common factor"
WHOLE = "and newcomers"


def measure(report: Report, _data: Path) -> None:
    for name, figures in drawn():
        report.add(SUBJECT, name, figures)


def drawn(deals: int = DEALS, draws: int = DRAWS) -> Iterator[tuple[str, Figures]]:
    rng = np.random.default_rng(1)
    found = _pipeline(rng, deals)
    split = Split(np.arange(deals), rng.integers(0, PEOPLE, deals), np.ones(deals))
    people = [f"person-{n}" for n in range(PEOPLE)]
    newcomers = Newcomers(np.full((PEOPLE, WEEKS), 0.3), np.exp(rng.normal(13, 1, 500)), np.ones(500), 0.02)
    wrong = learn(Past(np.full(8, 100.0), np.full(8, 25.0), 100 * np.exp(rng.normal(0, 0.15, 8))))
    for name, spread, new in ((ALONE, CERTAIN, None), (TOGETHER, wrong, None), (WHOLE, wrong, newcomers)):
        start = time.process_time()
        out = simulate(found, people, split, newcomers=new, spread=spread, draws=draws, seed=1)
        said = say(total(out))
        spent = time.process_time() - start
        off = out.open.sum(axis=0).mean() / (expectation(found)[0] * float(spread.weight @ spread.bias)) - 1
        width = (said.p90 - said.p10) / said.mean
        yield name, {"cpu_s": round(spent, 2), "mean_off_%": round(100 * off, 3), "width": round(width, 3)}


def _pipeline(rng: np.random.Generator, deals: int) -> Chances:
    win = rng.dirichlet(np.ones(WEEKS + 1), deals)[:, :WEEKS] * rng.beta(1, 3, deals)[:, None]
    keys = tuple(f"deal-{n}" for n in range(deals))
    amount = np.exp(rng.normal(13, 1, deals))
    return Chances(keys, np.arange(0, 7 * WEEKS + 1, 7), win, np.zeros_like(win), amount, np.full(deals, 0.2))
