"""Numbers and words as pictures show them: read alike in every country.

Thousands are parted by a narrow space and decimals by a point, as ISO 80000 writes them; the unit ("EUR thousand")
stands once above. Rounding is half up, for the eye only: exact amounts go into the tool tips.
A coordinate is no money, so `place` may be a float (R33 is about sums).
"""

from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct

from sfa.core.money import Rounding, format_minor, minor_digits, ratio_bp, rounded

THIN = "\u202f"  # a narrow space that does not break
MINUS = "-"  # the font has no sign of its own for it
TRILLION_FROM, BILLION_FROM, MILLION_FROM, THOUSAND_FROM = 10**13, 10**10, 10_000_000, 10_000
UNITS = {0: "", 3: " thousand", 6: " million", 9: " billion", 12: " trillion"}
NAME_MAX = 60

BUCKET_WORDS = {
    "closed": "Closed",
    "commit": "Commit",
    "likely": "Likely",
    "best_case": "Best case",
    "pipeline": "Pipeline",
    "slipped": "Slipped",
    "omitted": "Omitted",
}
STEP_WORDS = {
    "opening": "Opening",
    "won": "Won",
    "lost": "Lost",
    "new": "New",
    "removed": "Removed",
    "pulled_in": "Pulled in",
    "pushed_out": "Pushed out",
    "transferred_in": "Came over",
    "transferred_out": "Went over",
    "category": "Category",
    "up": "Grew",
    "down": "Shrank",
    "rates": "Rates",
    "closing": "Closing",
}


class Scale(Struct, frozen=True):
    """One unit for all numbers of a picture: 10 to the `power` of the currency's major unit."""

    currency: str
    power: int
    decimals: int

    @property
    def title(self) -> str:
        return f"{self.currency}{UNITS[self.power]}"

    def place(self, minor: int) -> float:
        return float(Fraction(minor, 10 ** (minor_digits(self.currency) + self.power)))

    def text(self, minor: int) -> str:
        """ "1 240.5", of minor units."""
        digits = minor_digits(self.currency) + self.power - self.decimals
        whole = rounded(Fraction(minor) / Fraction(10) ** digits, Rounding.HALF_UP)
        sign, text = MINUS if whole < 0 else "", str(abs(whole)).rjust(self.decimals + 1, "0")
        if not self.decimals:
            return sign + grouped(text)
        return f"{sign}{grouped(text[: -self.decimals])}.{text[-self.decimals :]}"

    def change(self, minor: int) -> str:
        """With its sign, also where that is a plus; what rounds to nothing has none."""
        text = self.text(minor)
        return f"+{text}" if minor > 0 and any(digit in text for digit in "123456789") else text


def scale_of(amounts: Iterable[int], currency: str) -> Scale:
    """The unit in which the largest has a readable number of digits."""
    digits = minor_digits(currency)
    largest = max((abs(amount) for amount in amounts), default=0) // 10**digits
    for power, at_least in ((12, TRILLION_FROM), (9, BILLION_FROM), (6, MILLION_FROM)):
        if largest >= at_least:
            return Scale(currency, power, 1 if largest >= 10 * at_least else 2)
    if largest >= THOUSAND_FROM:
        return Scale(currency, 3, 0 if largest >= 10 * THOUSAND_FROM else 1)
    return Scale(currency, 0, digits if largest < 1_000 else 0)


def grouped(digits: str) -> str:
    """ "1240000" -> "1 240 000"."""
    first = len(digits) % 3
    parts = [digits[:first]] if first else []
    return THIN.join(parts + [digits[place : place + 3] for place in range(first, len(digits), 3)])


def exact(minor: int, currency: str) -> str:
    """The amount with all its decimals and the currency, for a tool tip."""
    text = format_minor(abs(minor), currency)
    whole, _, decimals = text.partition(".")
    sign = MINUS if minor < 0 else ""
    return f"{sign}{grouped(whole)}{'.' + decimals if decimals else ''} {currency}"


def percent(share_bp: int | None) -> str:
    """ "13.3 %", or that there is none."""
    if share_bp is None:
        return "not computable"
    tenths = rounded(Fraction(share_bp, 10), Rounding.HALF_UP)
    sign = MINUS if tenths < 0 else ""
    return f"{sign}{grouped(str(abs(tenths) // 10))}.{abs(tenths) % 10} %"


def share(part: int, whole: int | None) -> str | None:
    """ "87.5 %" of a whole; None where there is none."""
    return percent(ratio_bp(part, whole)) if whole else None


def clean(name: str) -> str:
    """A name on one line: what does not print is left out, what is long is cut."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    return line if len(line) <= NAME_MAX else f"{line[: NAME_MAX - 1]}…"


def distinct(names: list[tuple[str, str]]) -> list[str]:
    """One label for each (key, name): two of the same name are told apart by their keys."""
    cleaned = [clean(name) or key for key, name in names]
    return [
        f"{label} ({key})" if cleaned.count(label) > 1 else label
        for label, (key, _) in zip(cleaned, names, strict=True)
    ]


def deals(count: int) -> str:
    return "1 deal" if count == 1 else f"{grouped(str(count))} deals"
