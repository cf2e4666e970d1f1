"""What a command that moves a row through its states is: its form, what it answers, and how it sees other rows."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

Values = Mapping[str, Any]


def _nothing(_entity: str) -> Mapping[str, Values]:
    return {}


class Lookup(Struct, frozen=True):
    """One other row by its key (None where there is none), and `every` row of what a company sets, by key."""

    one: Callable[[str, str], Values | None]
    every: Callable[[str], Mapping[str, Values]] = _nothing

    def __call__(self, entity: str, key: str) -> Values | None:
        return self.one(entity, key)


class Transition(Struct, frozen=True):
    """What a command would set; `illegal` says why the present state forbids it."""

    values: dict[str, Any]
    illegal: str | None = None


class NoArguments(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Rule(Struct, frozen=True):
    """`entity` is the noun, `agree` the fields that say that two devices did the same thing."""

    entity: str
    args: type[Struct]
    act: Callable[[Values, Any, int, Lookup], Transition]
    agree: tuple[str, ...]
