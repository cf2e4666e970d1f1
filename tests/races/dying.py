"""A process that accepts, and is killed at a point of it: `python -m tests.races.dying URL POINT` (no test itself)."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from proposals.buyer import answering, ending, signing, winning
from proposals.buyer.answering import Acceptance
from sfa.db.database import open_database


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _at(module: Any, name: str) -> Callable[[], None]:
    return lambda: setattr(module, name, _die)


POINTS: dict[str, Callable[[], None]] = {
    "signed": _at(signing, "says"),
    "won": _at(winning, "_sign"),
    "answered": _at(ending, "_supersede_others"),
}
BOUNDARIES = ("before_commit", "after_commit")


def main(url: str, point: str) -> None:
    now_ms, asked = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[int, Acceptance])
    database = open_database(url)
    if point in POINTS:
        POINTS[point]()
    else:
        database.probe = lambda boundary: _die() if boundary == point else None
    database.write(answering.accept, now_ms, asked)


if __name__ == "__main__":
    main(*sys.argv[1:])
