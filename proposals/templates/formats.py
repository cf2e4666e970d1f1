"""How amounts, days, shares and quantities are written in the document's language (Babel's CLDR data).

Digits of money are the currency's as `sfa.core.money` counts them (R33), never a locale's guess. No float takes part.
"""

import datetime as dt
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern, format_decimal, get_currency_symbol, parse_pattern

from sfa.core.money import minor_digits

LOCALES = {"en": "en", "es": "es", "pt-BR": "pt_BR"}  # language of the document -> locale of Babel and gettext
NO_BREAK = "\u00a0"


@lru_cache(maxsize=8)
def locale_of(language: str) -> Locale:
    return Locale.parse(LOCALES[language])


@lru_cache(maxsize=512)
def _pattern(currency: str, language: str, *, symbol: bool) -> NumberPattern:
    standard = locale_of(language).currency_formats["standard"].pattern.split(";")[0]
    digits = minor_digits(currency)
    number = "#,##0" + ("." + "0" * digits if digits else "")
    if not symbol:
        return parse_pattern(number)
    text = standard.replace("#,##0.00", number)
    if text.startswith("¤#") and get_currency_symbol(currency, locale_of(language))[-1].isalpha():
        text = text.replace("¤", "¤" + NO_BREAK)
    return parse_pattern(text)


def _exact(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-minor_digits(currency))


def money(minor: int, currency: str, language: str) -> str:
    """With the currency's symbol, as people of the language write it: `€1,234.50`, `1.234,50 €`, `R$ 1.234,50`."""
    return _applied(minor, currency, language, symbol=True)


def amount(minor: int, currency: str, language: str) -> str:
    """The same digits without the symbol, for columns whose heading names the currency."""
    return _applied(minor, currency, language, symbol=False)


def _applied(minor: int, currency: str, language: str, *, symbol: bool) -> str:
    pattern = _pattern(currency, language, symbol=symbol)
    text: str = pattern.apply(_exact(minor, currency), locale_of(language), currency=currency, currency_digits=False)
    return text.replace(" ", NO_BREAK)


def day(iso: str, language: str) -> str:
    """A civil day in words: `March 4, 2026`, `4 de marzo de 2026`."""
    return format_date(dt.date.fromisoformat(iso), format="long", locale=locale_of(language))


def percent(share_bp: int, language: str) -> str:
    """A share of basis points with as many digits as it has, four at most: `21.25%`."""
    spaced = "#,##0.##" + locale_of(language).percent_formats[None].pattern.removeprefix("#,##0")
    text: str = parse_pattern(spaced).apply(Decimal(share_bp).scaleb(-4), locale_of(language))
    return text.replace(" ", NO_BREAK)


def quantity(decimal: str, language: str) -> str:
    """All digits that count and no more: `"2.50"` is `2.5`."""
    return format_decimal(Decimal(decimal).normalize(), locale=locale_of(language), decimal_quantization=False)


def size(count: int, language: str) -> str:
    """How large a file is, in the unit that keeps it short: `340 kB`, `2.4 MB`."""
    unit, shown = ("MB", Decimal(count) / 10**6) if count >= 10**6 else ("kB", Decimal(max(count, 1)) / 1000)
    places = Decimal("0.1") if shown < 10 else Decimal(1)
    return format_decimal(max(shown, places).quantize(places), locale=locale_of(language)) + NO_BREAK + unit
