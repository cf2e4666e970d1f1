"""What a customer gets back, accrued credit by credit and allocated to the deals that earned it (R38): pure.

An agreement pays on what was credited within its days. The credits are taken in their order; each changes what is due
on all of them, and that difference is the accrual at its instant. Of the difference the credit has what its own amount
earns; where a tier is reached, what earlier credits gain by it is shared among them by amount, in the period in which
it was reached. A reversal takes back everything that its credit was given. So at any instant the accruals sum to what
the agreement says of the credits that stand, and those of a reversed one sum to nothing.
Does not do: conversion (amounts come in the agreement's currency), reading, which products an agreement is for.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from sfa.core.money import BP_WHOLE, Exact, allocate
from sfa.profit.items import half_up

EndKey = tuple[str, int]  # a deal and the number of its end


class Tier(Struct, frozen=True):
    from_minor: int
    rate_bp: int


class Agreement(Struct, frozen=True):
    """See `RebateAgreement`; `tiers` begin at 0 and rise."""

    key: str
    account_key: str
    family: str | None
    mode: str
    tiers: tuple[Tier, ...]
    currency: str
    valid_from: str
    valid_to: str


class Event(Struct, frozen=True):
    """An end of a deal credited, or reversed: `amount_minor` is what it was credited for, of the agreement's products
    and in its currency, positive in both cases; null where that is not computable, for the reason in `code`."""

    at: int
    deal_key: str
    n: int
    reversal: bool
    amount_minor: int | None
    code: str = "rate_missing"

    @property
    def end(self) -> EndKey:
        return self.deal_key, self.n

    @property
    def place(self) -> tuple[int, str, int, bool]:
        return self.at, self.deal_key, self.n, self.reversal


class Accrued(Struct, frozen=True):
    """What a deal's end was given (or, negative, lost again) at an instant; `by` is the event that did it, another
    end's where a tier was reached. Null: not computable, as an amount of the agreement is not so far: `lacks` is the
    deal of the first one, `code` says why. What takes back what was given before converts at the rate of then,
    `rated_at`; null: of `at`."""

    end: EndKey
    at: int
    amount_minor: int | None
    by: EndKey
    basis_minor: int | None
    rate_bp: int | None
    lacks: str | None = None
    code: str | None = None
    rated_at: int | None = None


def due(agreement: Agreement, amount_minor: int) -> int:
    """What is due on an amount, rounded once."""
    return half_up(_due(agreement, max(amount_minor, 0)), BP_WHOLE)


def _due(agreement: Agreement, amount: int) -> int:
    """In minor units times basis points, exact."""
    if agreement.mode == "whole":
        return amount * reached(agreement, amount)
    total = 0
    for tier, above in pairwise((*agreement.tiers, None)):
        assert tier is not None
        top = amount if above is None else min(amount, above.from_minor)
        total += max(top - tier.from_minor, 0) * tier.rate_bp
    return total


def reached(agreement: Agreement, amount: int) -> int:
    """The rate of the tier that an amount reaches."""
    return next((tier.rate_bp for tier in reversed(agreement.tiers) if amount >= tier.from_minor), 0)


def accruals(agreement: Agreement, events: Iterable[Event]) -> list[Accrued]:
    """Every accrual of an agreement, in order. From the first amount that is not computable on, none is: what is due
    depends on all that came before."""
    ledger = _Ledger(agreement)
    found: list[Accrued] = []
    unknown: Event | None = None
    for event in sorted(events, key=lambda e: e.place):
        if unknown is None and event.amount_minor is None:
            unknown = event
        if unknown is not None:
            lacks = (unknown.deal_key, unknown.code)
            found.append(Accrued(event.end, event.at, None, event.end, event.amount_minor, None, *lacks))
        else:
            found += ledger.take(event)
    return found


class _Ledger:
    """What stands so far, and what each end was given of it."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.standing: dict[EndKey, int] = {}
        self.given: dict[EndKey, dict[int, int]] = {}  # by the instant at which it was given
        self.total, self.paid = 0, 0
        self.earning = 0  # how many ends stand for more than nothing

    def take(self, event: Event) -> list[Accrued]:
        amount = event.amount_minor or 0
        before = reached(self.agreement, max(self.total, 0))
        stood = self.standing.get(event.end, 0)
        others = self.earning - (stood > 0)
        if event.reversal:
            self.standing.pop(event.end, None)
            amount = -amount
        self.total += amount
        difference = due(self.agreement, self.total) - self.paid
        self.paid += difference
        rate = reached(self.agreement, max(self.total, 0))
        given = self.given.pop(event.end, {}) if event.reversal else {}
        own = -sum(given.values()) if event.reversal else self._own(amount, before, rate, difference)
        if not others:
            own = difference
        if not event.reversal:
            self.standing[event.end] = stood + amount
        self.earning = others + (self.standing.get(event.end, 0) > 0)
        told = [self._taken_back(event, at, part, amount, rate) for at, part in given.items() if part]
        rest = own + sum(given.values())
        if rest or not told:
            told.append(self._give(event.end, event, rest, amount, rate))
        return told if difference == own else told + self._share(difference - own, event, rate)

    def _share(self, amount: int, event: Event, rate: int) -> list[Accrued]:
        """Among the others: only where a tier is crossed, for whoever sells much has many credits."""
        others = {end: part for end, part in self.standing.items() if end != event.end}
        shares = _shared(amount, others)
        return [self._give(end, event, part, others[end], rate) for end, part in shares.items() if part]

    def _own(self, amount: int, before: int, rate: int, difference: int) -> int:
        """Bands, and a rate that stays, leave earlier credits alone."""
        if self.agreement.mode == "bands" or before == rate:
            return difference
        return half_up(amount * rate, BP_WHOLE)

    def _give(self, end: EndKey, event: Event, part: int, basis: int, rate: int) -> Accrued:
        given = self.given.setdefault(end, {})
        given[event.at] = given.get(event.at, 0) + part
        return Accrued(end, event.at, part, event.end, basis, rate if self.agreement.mode == "whole" else None)

    def _taken_back(self, event: Event, at: int, part: int, basis: int, rate: int) -> Accrued:
        of = rate if self.agreement.mode == "whole" else None
        return Accrued(event.end, event.at, -part, event.end, basis, of, rated_at=at)


def _shared(amount: int, others: Mapping[EndKey, int]) -> dict[EndKey, int]:
    """By their amounts, to the minor unit, in the order of the ends."""
    ends = sorted(end for end, part in others.items() if part > 0)
    return dict(zip(ends, allocate(amount, [others[end] for end in ends]), strict=True))


# -- of a family's products ------------------------------------------------------------------------------------------


def part_of_family(
    amount_minor: int, lines: Sequence[tuple[str, Exact]], families: Mapping[str, str | None], family: str | None
) -> int:
    """What of an amount is for products of a family: the lines (product, total) share it out by their totals. Without a
    family it is all of it; without lines nothing says that any of it is."""
    if family is None:
        return amount_minor
    weights = [max(total, 0) for _, total in lines]
    if not any(weights):
        return 0
    parts = allocate(amount_minor, weights)
    return sum(part for (product, _), part in zip(lines, parts, strict=True) if families.get(product) == family)


def agreement_of(key: str, row: Mapping[str, Any]) -> Agreement:
    tiers = tuple(Tier(tier["from_minor"], tier["rate_bp"]) for tier in row["tiers"])
    said = {name: row[name] for name in ("account_key", "family", "mode", "currency", "valid_from", "valid_to")}
    return Agreement(key=key, tiers=tiers, **said)
