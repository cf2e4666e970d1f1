"""What was learnt of a company's deals by a day, as a value that is kept: bytes and back, the same bytes each time."""

from typing import cast

import msgspec
import numpy as np
from msgspec import Struct

from forecasting.engine.values import Floats, Ints
from forecasting.engine.winrate.clock import Clock

VERSION = 1


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


class Model(Struct, frozen=True, eq=False):
    """`day` is the cut-off: nothing later was seen. `said`: stable codes of what a reader must know (`few` …)."""

    version: int
    day: int
    deals: int
    won: int
    lost: int
    said: tuple[str, ...]
    quarters: Ints
    clock: Clock
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


__all__ = ["VERSION", "Amounts", "Floats", "Model", "NotComputable", "from_bytes", "to_bytes"]
