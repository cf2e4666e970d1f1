"""What a command that moves a row through its states is: its form, what it answers, and how it sees other rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

Values = Mapping[str, Any]


def _nothing(_entity: str) -> Mapping[str, Values]:
    return {}


class Lookup(Struct, frozen=True):
    """One other row by its key (None where there is none), `every` row of what a company sets, by key, and what lies
    `below` the row that a command moves, which `on` names. Without it nobody asks what a state wants before it is left:
    a prediction shows what was checked when it was queued."""

    one: Callable[[str, str], Values | None]
    every: Callable[[str], Mapping[str, Values]] = _nothing
    under: Callable[[str, str], Sequence[Values]] | None = None
    key: str | None = None

    def __call__(self, entity: str, key: str) -> Values | None:
        return self.one(entity, key)

    def on(self, key: str) -> "Lookup":
        return structs.replace(self, key=key)

    @property
    def sees_below(self) -> bool:
        return self.under is not None and self.key is not None

    def below(self, entity: str) -> Sequence[Values]:
        """The rows of an entity that lie below the moved row, in the order of keys."""
        assert self.under is not None
        assert self.key is not None
        return self.under(entity, self.key)


def zone_in(lookup: Lookup) -> str:
    """The organisation's zone, in which days are counted (R32)."""
    rows = lookup.every("organisations")
    return str(rows[min(rows)]["zone"]) if rows else "UTC"


class Transition(Struct, frozen=True):
    """What a command would set; `illegal` says why the present state forbids it."""

    values: dict[str, Any]
    illegal: str | None = None


class NoArguments(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Rule(Struct, frozen=True):
    """`entity` is the noun, `agree` the fields that say that two devices did the same thing. Fields that `follow` are
    groups of their own, and land where the group of `agree` does, and only there."""

    entity: str
    args: type[Struct]
    act: Callable[[Values, Any, int, Lookup], Transition]
    agree: tuple[str, ...]
    follow: tuple[str, ...] = ()
