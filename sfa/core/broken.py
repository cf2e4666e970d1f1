"""What makes a row contradict itself, as `sfa.core.rules` and those beside it say it."""

from typing import Any

from msgspec import Struct


class Broken(Struct, frozen=True):
    """`details` list what is missing, for whoever repairs it."""

    code: str
    text: str
    details: dict[str, Any] = {}
