"""Facts in the currency in which they are told (R34): pure, each at the rate of its own day, rounded once.

A fact that is a part of something (of an invoice by lines, of a visit that several deals share) is not converted by
itself: what it is a part of converts, and is then shared. So parts sum to their whole in every currency, and list and
discounts to the invoice. A missing rate makes a fact not computable and is named.
"""

from collections.abc import Iterable

from sfa.core.money import allocate
from sfa.profit.dated import missing_of
from sfa.profit.items import Item, Part, PartItem
from sfa.profit.waterfall import Counted
from sfa.quotas.conversion import Exchange, Missing


def converted(items: Iterable[Item], currency: str, exchange: Exchange) -> list[Counted]:
    return [_converted(item, currency, exchange) for item in items]


def _converted(item: Item, currency: str, exchange: Exchange) -> Counted:
    plain = _plain(item)
    if item.amount_minor is None:
        return Counted(plain, None, item.code, None, missing_of(item.basis))
    at = item.at if item.rated_at is None else item.rated_at
    found = exchange.value(item.amount_minor, item.currency, currency, at)
    if isinstance(found, Missing):
        lacks = {"from_currency": found.from_currency, "to_currency": found.to_currency, "on": found.on}
        return Counted(plain, None, "rate_missing", None, lacks)
    value, applied = found
    if applied is None:
        return Counted(plain, value)
    if isinstance(item, PartItem) and item.part is not None:
        value = _part(item.part, item.currency, currency, exchange, at)
    return Counted(plain, value, None, applied.rate)


def _part(part: Part, of: str, currency: str, exchange: Exchange, at: int) -> int:
    whole = sum(_value(amount, of, currency, exchange, at) for amount in part.of_minor)
    less = sum(_value(amount, of, currency, exchange, at) for amount in part.less_minor)
    return part.sign * (allocate(whole, part.weights)[part.place] - less)


def _value(amount: int, of: str, currency: str, exchange: Exchange, at: int) -> int:
    found = exchange.value(amount, of, currency, at)
    assert not isinstance(found, Missing)  # the same rate has just been found
    return found[0]


def _plain(item: Item) -> Item:
    """What is told of it."""
    if not isinstance(item, PartItem):
        return item
    return Item(**{name: getattr(item, name) for name in Item.__struct_fields__})
