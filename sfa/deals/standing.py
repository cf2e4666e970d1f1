"""Whether a deal needs a look: slipped (its day is over and it is open, R22) or stalled (nothing happens). Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sfa.core.days import to_date
from sfa.core.profiles import DAY_MS

FLAGS = ("slipped", "stalled")


class Standing(Struct, frozen=True):
    """`since` is when the deal entered its stage, `active_at` when something last happened: that, a completed visit, a
    call. Days are whole ones; null where the flag cannot be."""

    since: int | None
    active_at: int | None
    flags: list[str]
    slipped_days: int | None
    stalled_days: int | None


def standing(
    row: Mapping[str, Any], stage: Mapping[str, Any] | None, today: str, now_ms: int, last_at: int | None
) -> Standing:
    """`today` is the organisation's local day (R32), `last_at` the last visit or call."""
    since = row["stage_since"] if row["stage_since"] is not None else row["created_at"]
    active = max((at for at in (since, last_at) if at is not None), default=None)
    is_open = row["closed_at"] is None
    slipped = (to_date(today) - to_date(row["close_on"])).days if is_open and row["close_on"] is not None else None
    allowed: int | None = stage["stalled_days"] if stage is not None else None
    flags, rested = [], None
    if slipped is not None and slipped > 0:
        flags.append("slipped")
    if is_open and allowed is not None and active is not None and now_ms - active > allowed * DAY_MS:
        flags.append("stalled")
        rested = (now_ms - active) // DAY_MS
    return Standing(
        since=since,
        active_at=active,
        flags=flags,
        slipped_days=slipped if "slipped" in flags else None,
        stalled_days=rested,
    )


def category(row: Mapping[str, Any], stage: Mapping[str, Any] | None) -> tuple[str | None, bool]:
    """-> (the deal's category, whether somebody judged so): a judgement wins until it is cleared or the deal is closed
    (R24)."""
    if row["category"] is not None and row["closed_at"] is None:
        return row["category"], True
    return (stage["category"] if stage is not None else None), False
