"""Random deals with changes, for properties of the engine."""

import numpy as np
from hypothesis import strategies as st

from forecasting.engine.values import AMOUNT, EXPECTED, NEVER, STAGE, Changes, Deals

FIRST, LAST = 737_000, 737_800


@st.composite
def deals(draw: st.DrawFn, most: int = 40) -> Deals:
    count = draw(st.integers(0, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    opened = rng.integers(FIRST, LAST - 1, count)
    ended = np.where(rng.random(count) < 0.3, NEVER, np.minimum(opened + rng.integers(0, 200, count), LAST))
    won = (rng.random(count) < 0.5) & (ended != NEVER)
    rows = []
    for n in range(count):
        until = int(ended[n]) if ended[n] != NEVER else LAST
        rows += [(n, int(opened[n]), STAGE, 0.0), (n, int(opened[n]), AMOUNT, float(rng.integers(1, 10_000)))]
        rows.append((n, int(opened[n]), EXPECTED, float(opened[n] + 60)))
        for _ in range(int(rng.integers(0, 4))):
            kind = int(rng.integers(0, 3))
            value = (float(rng.integers(0, 4)), float(rng.integers(1, 10_000)), float(opened[n] + 90))[kind]
            rows.append((n, int(rng.integers(opened[n], until + 1)), kind, value))
    rows.sort(key=lambda row: row[:2])
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    whole = columns[:, :3].astype(np.int64)
    changes = Changes(whole[:, 0], whole[:, 1], whole[:, 2], columns[:, 3])
    amount = np.full(count, np.nan)
    of_amount = changes.kind == AMOUNT
    amount[changes.deal[of_amount]] = changes.value[of_amount]
    return Deals(
        until=LAST,
        keys=tuple(f"deal-{n}" for n in range(count)),
        opened_on=opened.astype(np.int64),
        ended_on=ended.astype(np.int64),
        won=won,
        amount=amount,
        features={"owner": tuple(f"rep-{n % 3}" for n in range(count))},
        stages=("lead", "meeting", "offer", "terms"),
        changes=changes,
    )
