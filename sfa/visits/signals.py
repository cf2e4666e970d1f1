"""Signals from the field added up (pure): how many, and how much money in each currency, by what is asked.

Amounts of two currencies are never added (R34): a group has one sum for each. What a query adds up in the database and
what is added up here is the same, and a test holds one to the other.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

BY = ("kind", "product", "territory", "account", "competitor", "author")
FIELDS = {
    "kind": "kind",
    "product": "product_key",
    "account": "account_key",
    "competitor": "competitor",
    "author": "author_key",
}


class Group(Struct, frozen=True):
    """`value` None gathers the signals that say nothing of it; `amounts` currency -> minor units."""

    value: str | None
    count: int
    amounts: dict[str, int]


class Row(Struct, frozen=True):
    """A part of a group, as the database adds it up: `currency` None counts signals without an amount."""

    value: str | None
    currency: str | None
    count: int
    amount_minor: int | None


def gathered(rows: Iterable[Row]) -> list[Group]:
    """Parts put together, the largest group first, then by value; nothing said comes last of equals."""
    counts: dict[str | None, int] = {}
    amounts: dict[str | None, dict[str, int]] = {}
    for row in rows:
        counts[row.value] = counts.get(row.value, 0) + row.count
        sums = amounts.setdefault(row.value, {})
        if row.currency is not None:
            sums[row.currency] = sums.get(row.currency, 0) + (row.amount_minor or 0)
    groups = [Group(value, count, dict(sorted(amounts[value].items()))) for value, count in counts.items()]
    return sorted(groups, key=lambda group: (-group.count, group.value is None, group.value or ""))


def tally(
    signals: Iterable[Mapping[str, Any]], by: str, territory_of: Callable[[str], str | None] = lambda _key: None
) -> list[Group]:
    """The same from rows, as a device has them; `territory_of` answers a customer's territory."""

    def value(signal: Mapping[str, Any]) -> str | None:
        return territory_of(signal["account_key"]) if by == "territory" else signal[FIELDS[by]]

    return gathered(Row(value(s), s["currency"], 1, s["amount_minor"]) for s in signals)


def total(groups: Iterable[Group]) -> Group:
    """All groups as one."""
    every = list(groups)
    parts = [Row(None, currency, 0, amount) for group in every for currency, amount in group.amounts.items()]
    found = gathered(parts)
    return Group(None, sum(group.count for group in every), found[0].amounts if found else {})
