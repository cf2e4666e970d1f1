"""What was learnt of a company's deals by a day, as a value that is kept: bytes and back, the same bytes each time."""

from typing import cast

import msgspec
import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats, Ints
from forecasting.engine.winrate.rates import Effects

VERSION = 2


class NotComputable(Struct, frozen=True):
    """No figure, because: a stable code and a sentence."""

    code: str
    because: str


class Amounts(Struct, frozen=True, eq=False):
    """Won amount by the last one said while open, and its spread; where none was said, what a won deal brings."""

    ratio: float
    spread: float
    usual: float
    usual_spread: float


class Words(Struct, frozen=True):
    """The values of a feature that have a level of their own, in order; all others share the level after the last."""

    feature: str
    values: tuple[str, ...]


class Scheme(Struct, frozen=True):
    """What the rates depend on: names of blocks (`design`), and after how many days the past counts half (0: never).

    `blocks` have effects of their own on winning and on losing; those of `pace` have one effect on both, so that they
    say how soon a deal ends and nothing of how.
    """

    blocks: tuple[str, ...]
    pace: tuple[str, ...] = ()
    half_life: int = 0


class Judged(Struct, frozen=True):
    """A choice made on the past: what was tried, the gain in nats for a deal that ended, how sure, whether taken.

    `gain` is on days after those it was learnt from, beside the same without it; `error` is the gain's standard error.
    """

    name: str
    gain: float
    error: float
    taken: bool


class Model(Struct, frozen=True, eq=False):
    """`day` is the cut-off: nothing later was seen. `said`: stable codes of what a reader must know.

    `few` (under 30 ends), `one_outcome`, `dates_wrong` (ended before they opened, left out), `no_signal` (nothing
    that is told of deals, beside dates, says which will be won), `not_judged` (too short a past to judge on).
    `moves[a, b]` is the share of moves out of stage a that go to b. `level` multiplies the rates to end.
    `odds` are the log odds of all ends so far, and `trust` the part of the way from there to what was learnt (`trust`).
    """

    version: int
    day: int
    deals: int
    won: int
    lost: int
    said: tuple[str, ...]
    scheme: Scheme
    judged: tuple[Judged, ...]
    quarters: Ints
    stages: tuple[str, ...]
    words: tuple[Words, ...]
    since: int
    size_centre: float
    size_scale: float
    win: Effects
    lose: Effects
    move: Effects
    push: Effects
    moves: Floats
    level: float
    odds: float
    trust: float
    amounts: Amounts


def to_bytes(model: Model) -> bytes:
    return msgspec.msgpack.encode(model, enc_hook=_encoded)


def from_bytes(told: bytes) -> Model:
    return msgspec.msgpack.decode(told, type=Model, dec_hook=_decoded)


def _encoded(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, list(value.shape), value.tobytes())
    raise NotImplementedError(type(value).__name__)


def _decoded(_wanted: type, told: object) -> object:
    kind, shape, content = cast("tuple[str, list[int], bytes]", told)
    return np.frombuffer(content, dtype=kind).reshape(shape).copy()
