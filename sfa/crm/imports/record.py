"""One line's values as typed ones; what does not fit becomes a fault of that line and field.

A `Record` reads the fields of one line and remembers whether all of them were good. An empty value counts as absent.
Numbers are plain decimals ("1250.50"), days "YYYY-MM-DD"; nothing is guessed.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from sfa.core.errors import Refused
from sfa.core.fields import MONEY_MAX
from sfa.core.money import minor_digits, parse_minor
from sfa.crm.imports.table import Fault, Line

TEXT_CHARACTERS_MAX = 100  # an external id, and what else is stored as a short text
WHOLE_DIGITS_MAX = 12


class Record:
    """The fields of one line. A reading that fails adds a fault to the common list and answers None."""

    def __init__(self, file: str, line: Line, faults: list[Fault]) -> None:
        self.file, self.line = file, line.number
        self.good = True
        self._values = line.values
        self._faults = faults

    def fault(self, field: str | None, code: str, text: str) -> None:
        self.good = False
        self._faults.append(Fault(self.file, self.line, field, code, text))

    def has(self, field: str) -> bool:
        return self._values[field] != ""

    def required(self, fields: Iterable[str]) -> None:
        for field in fields:
            if not self.has(field):
                self.fault(field, "field_required", "the value is missing")

    def text(self, field: str, corrections: Mapping[str, str] | None = None) -> str | None:
        value = self._values[field]
        if len(value) > TEXT_CHARACTERS_MAX:
            self.fault(field, "field_invalid", f"the value is longer than {TEXT_CHARACTERS_MAX} characters")
            return None
        return (corrections or {}).get(value, value) or None

    def choice(self, field: str, among: Iterable[str]) -> str | None:
        value = self._values[field]
        if not value:
            return None
        allowed = tuple(among)
        if value not in allowed:
            self.fault(field, "field_invalid", f"{value[:40]!r} is not one of {', '.join(allowed)}")
            return None
        return value

    def day(self, field: str) -> str | None:
        value = self._values[field]
        if not value:
            return None
        try:
            if len(value) != len("YYYY-MM-DD") or not value.isascii():
                raise ValueError
            return date.fromisoformat(value).isoformat()
        except ValueError:
            self.fault(field, "field_invalid", f"{value[:40]!r} is not a day like 2017-03-01")
            return None

    def whole(self, field: str, largest: int = 10**WHOLE_DIGITS_MAX) -> int | None:
        value = self._values[field]
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= WHOLE_DIGITS_MAX) or int(value) > largest:
            self.fault(field, "field_invalid", f"{value[:40]!r} is not a whole number up to {largest}")
            return None
        return int(value)

    def money(self, field: str, currency: str) -> int | None:
        """Minor units of an amount of zero or more."""
        value = self._values[field]
        if not value:
            return None
        try:
            amount_minor = parse_minor(value, currency)
        except Refused as refused:
            self.fault(field, refused.code, refused.text)
            return None
        if amount_minor < 0:
            self.fault(field, "amount_invalid", f"{value[:40]!r} is negative")
            return None
        return amount_minor

    def millions(self, field: str, currency: str) -> int | None:
        """Minor units of an amount stated in millions, exact: "1100.04" is 1,100,040,000.00."""
        value = self._values[field]
        if not value:
            return None
        whole, point, decimals = value.partition(".")
        digits_max = 6 + minor_digits(currency)
        if not (whole + decimals).isdigit() or not value.isascii() or not whole or (point and not decimals):
            self.fault(field, "amount_invalid", f"{value[:40]!r} is not a decimal number like 1250.50")
        elif len(decimals) > digits_max or len(whole) > WHOLE_DIGITS_MAX:
            self.fault(field, "amount_invalid", f"{value[:40]!r} has too many digits")
        elif (amount := Decimal(value).scaleb(digits_max)) > MONEY_MAX:
            self.fault(field, "amount_invalid", f"{value!r} million is larger than the limit")
        else:
            return int(amount)
        return None
