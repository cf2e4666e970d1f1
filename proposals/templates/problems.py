"""What is wrong with a company's template, each with its place, and the one way in which it is refused."""

from collections.abc import Sequence
from typing import Literal, NoReturn

import msgspec
from msgspec import Struct

from sfa.core.errors import Refused

SHOWN_MAX = 20
Reason = Literal[
    "syntax", "size", "not_allowed", "unknown_field", "unknown_text", "css", "html", "amounts", "failed", "empty"
]


class Problem(Struct, frozen=True):
    """`line` counts from 1 in the source or the CSS, and is 0 where there is none; `field` names what was asked for."""

    reason: Reason
    text: str
    line: int = 0
    field: str = ""


def refuse(problems: Sequence[Problem]) -> None:
    """`template_invalid` with all of them, when there are any."""
    if problems:
        first = problems[0]
        place = f"line {first.line}: " if first.line else ""
        shown = [msgspec.to_builtins(problem) for problem in problems[:SHOWN_MAX]]
        raise Refused("template_invalid", f"{place}{first.text}"[:300], reason=first.reason, problems=shown)


def too_large(text: str) -> NoReturn:
    raise Refused("template_too_large", text)
