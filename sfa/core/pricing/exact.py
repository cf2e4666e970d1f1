"""Exact amounts on their way to whole minor units: decimal fractions, named rounding, parts that sum. Pure.

A value is `n / 10**places`; nothing is rounded but by `rounded`, and no float takes part (R33). `parted` makes whole
parts of exact ones so that they sum to a whole that was rounded once. Who gets the odd unit is decided by what the
parts are, then by `ties`, never by the order in which they came.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sfa.core.money import Rounding

BP_PLACES = 4  # a basis point is the fourth decimal of a whole


class Exact(NamedTuple):
    """`n / 10**places`."""

    n: int
    places: int = 0

    def times(self, factor: int, places: int = 0) -> "Exact":
        return Exact(self.n * factor, self.places + places)

    def less(self, whole: int) -> "Exact":
        return Exact(self.n - whole * 10**self.places, self.places)

    def at(self, places: int) -> int:
        """The numerator over `10**places`, of which it has no more."""
        return self.n if places == self.places else self.n * 10 ** (places - self.places)

    def rounded(self, rounding: str) -> int:
        return rounded(self.n, 10**self.places, rounding) if self.places else self.n


def decimal(text: str) -> Exact:
    """Of digits with at most one point, as `Decimal18` has it."""
    whole, _, decimals = text.partition(".")
    return Exact(int(whole + decimals), len(decimals))


def shortest(value: Exact) -> str:
    """The one text of a number of zero or more: no zeros that say nothing."""
    digits = str(value.n).rjust(value.places + 1, "0")
    if not value.places:
        return digits
    return f"{digits[: -value.places]}.{digits[-value.places :]}".rstrip("0").rstrip(".")


def rounded(numerator: int, denominator: int, rounding: str) -> int:
    """The whole number that the named rounding makes of a fraction; its denominator is above zero. Symmetric."""
    whole, rest = divmod(abs(numerator), denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and (rounding == Rounding.HALF_UP or whole % 2)):
        whole += 1
    return whole if numerator >= 0 else -whole


def parted(total: int, numerators: Sequence[int], denominator: int, ties: Sequence[tuple[str | int, ...]]) -> list[int]:
    """Whole parts of `total`, each less than one unit away from `numerator / denominator` (largest remainder).

    The denominator is above zero, and the total is what the exact parts sum to, rounded either way. What is whole
    already stays as it is. Of equal remainders the larger part goes first, then the smaller of `ties`.
    """
    parts: list[int] = []
    rests: list[int] = []
    for numerator in numerators:
        part, rest = divmod(numerator, denominator)
        parts.append(part)
        rests.append(rest)
    left = total - sum(parts)
    if left:
        order = sorted(range(len(parts)), key=lambda place: (-rests[place], -numerators[place], ties[place]))
        for place in order[:left]:
            parts[place] += 1
    return parts
