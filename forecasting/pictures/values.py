"""What a picture shows: plain values, made of an answer by `forecasting/charts.py` and sent to the process that draws.

Amounts are integers of minor units of the one currency that `About` names; names are as people wrote them. A picture
holds what was answered and nothing else: equal values are the same picture, byte for byte.
Does not do: choosing what somebody may see (the answer was made for him), drawing.
"""

from msgspec import Struct

Amounts = dict[str, int]  # by bucket of `sfa.core.forecast`


class About(Struct, frozen=True):
    """What stands above every picture. `as_of` is a day or, of a movement, two; `source` says whether it is live or
    of which snapshot; `notes` are what is missing or hidden, in words."""

    node: str
    period: str
    currency: str
    as_of: str
    source: str = "live"
    notes: tuple[str, ...] = ()


class Stack(Struct, frozen=True):
    """One node's money by bucket. `quota_minor` and `call_minor` (what was called for the view `commit`) are null
    where there is none."""

    key: str
    name: str
    amounts: Amounts
    quota_minor: int | None = None
    call_minor: int | None = None


class RollupPicture(Struct, frozen=True, tag="rollup"):
    """A node and what is directly below it."""

    about: About
    whole: Stack
    parts: list[Stack]


class Step(Struct, frozen=True):
    """One bar of a movement; `name` is `opening`, a class of `forecasting/movement.py`, `rates` or `closing`."""

    name: str
    deals: int
    amounts: Amounts


class MovementPicture(Struct, frozen=True, tag="movement"):
    """From the opening to the closing: `steps` in their order, the first and the last of them stand on the ground.
    `view` is a cumulative view, or null for all that is not omitted."""

    about: About
    steps: list[Step]
    view: str | None = None


class Called(Struct, frozen=True):
    """A locked call and what was closed of its period in the end; null while the period runs."""

    due_on: str
    period: str
    call_minor: int
    closed_minor: int | None = None


class AccuracyPicture(Struct, frozen=True, tag="accuracy"):
    """Calls of one node and view by the day of their lock; `wape_bp` and `bias_bp` null where not computable."""

    about: About
    calls: list[Called]
    view: str
    wape_bp: int | None = None
    bias_bp: int | None = None
    few: bool = False


Picture = RollupPicture | MovementPicture | AccuracyPicture
