"""Texts in files that spreadsheets open (CSV, XLSX): what one might take for a formula, and how it is kept from that.

Names, notes and keys come from people, and a file goes to others. Some spreadsheets cut blanks off before they look,
some read full-width signs as plain ones. A sign before a number is guarded as well: `-1+1` begins so too. Every text
that somebody wrote passes here on its way into a file; amounts and counts are made by us and do not.
Does not do: quoting of separators, which the `csv` module does.
"""

import unicodedata

SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "\N{MINUS SIGN}")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might reckon a text, also behind blanks and signs that are not seen."""
    if text.startswith(SIGNS):
        return True
    first = next((sign for sign in text if sign.isprintable() and not sign.isspace()), "")
    return unicodedata.normalize("NFKC", first).startswith(SIGNS)


def safe(text: object) -> str:
    """The text that no spreadsheet reckons: a formula behind an apostrophe; nothing for None."""
    said = "" if text is None else str(text)
    return f"'{said}" if is_formula(said) else said
