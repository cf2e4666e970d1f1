"""Tables as files: CSV for programs, XLSX for people; both hold what the JSON of the same answer says, cell by cell.

CSV: amounts are decimal texts with all decimals of their currency, empty where not known or of a currency that nobody
knows; what a spreadsheet would take for a formula begins with an apostrophe, also where blanks or signs that are not
seen stand before it, or where it is written in full-width signs. XLSX: amounts are numbers with the currency's
decimals, but for those of more digits than a spreadsheet keeps, which are texts; no cell is a formula, and none becomes
one when it is edited. A second
sheet says what the first one is of. Equal tables are equal bytes.
Does not do: totals (a table brings its own).
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import repeat
from typing import Any

from msgspec import Struct

from sfa.core.days import to_date
from sfa.core.formulas import is_formula, safe
from sfa.core.money import MINOR_DIGITS, format_minor

TEXT, MONEY, NUMBER = "text", "money", "number"
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXACT_BELOW = 10**15  # a spreadsheet keeps fifteen digits
WIDTHS = {TEXT: (10, 44), MONEY: (13, 22), NUMBER: (8, 14)}
WIDTH_ROWS = 200  # from which a column's width is guessed
FIXED_MAX = 3
SHEET_NAME_MAX = 31
Cell = str | int | None


class Column(Struct, frozen=True):
    """`kind` is `text`, `money` (integers of minor units of the row's currency) or `number`."""

    name: str
    kind: str = TEXT


class Table(Struct, frozen=True):
    """`name` is that of the file; `about` are lines that say what it is of; `as_of` is the day of the figures. Without
    a `currency` of all its amounts each row has its own in `currencies`, None for one without an amount."""

    name: str
    currency: str | None
    as_of: str
    about: list[tuple[str, str]]
    columns: list[Column]
    rows: list[tuple[Cell, ...]]
    currencies: Sequence[str | None] = ()

    def lines(self) -> Iterable[tuple[tuple[Cell, ...], str | None]]:
        """Each row with its currency."""
        if self.currency is not None:
            return zip(self.rows, repeat(self.currency), strict=False)
        return zip(self.rows, self.currencies, strict=True)


def as_csv(table: Table) -> str:
    """One head line and the rows; `currency` is the last column, so that no amount is without it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*(column.name for column in table.columns), "currency"])
    for row, currency in table.lines():
        texts = (_text(column, cell, currency) for column, cell in zip(table.columns, row, strict=True))
        writer.writerow([*texts, safe(currency)])
    return out.getvalue()


def _text(column: Column, cell: Cell, currency: str | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return safe(cell)
    if column.kind != MONEY:
        return str(cell)
    return format_minor(cell, currency) if currency in MINOR_DIGITS else ""


def as_xlsx(table: Table) -> bytes:
    """The rows with a heading that stays, and what they are of on a second sheet."""
    import xlsxwriter  # of no use to who asks for no sheet

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        # The day of the figures, and no clock's: equal tables are equal bytes.
        made = datetime.combine(to_date(table.as_of), datetime.min.time())
        book.set_properties({"title": table.name, "created": made})
        formats = _formats(book, {currency for _, currency in table.lines()})
        _rows(book.add_worksheet(table.name[:SHEET_NAME_MAX]), table, formats)
        _about(book.add_worksheet("about"), table, formats)
    return out.getvalue()


def _formats(book: Any, currencies: Iterable[str | None]) -> dict[str, Any]:
    """Of money there is one for each number of decimals."""
    decimals = {digits: f".{'0' * digits}" if digits else "" for digits in sorted(set(map(_digits, currencies)))}
    money = {f"{MONEY} {n}": {"num_format": f"#,##0{text};[Red]-#,##0{text}"} for n, text in decimals.items()}
    return {
        **{name: book.add_format(told) for name, told in money.items()},
        "head": book.add_format({"bold": True, "bg_color": "#E4E8EC", "text_wrap": True, "valign": "top"}),
        NUMBER: book.add_format({"num_format": "0"}),
        TEXT: book.add_format({"num_format": "@"}),
        "guarded": book.add_format({"num_format": "@", "quote_prefix": True}),
    }


def _digits(currency: str | None) -> int:
    return MINOR_DIGITS.get(currency or "", 0)


def _rows(sheet: Any, table: Table, formats: dict[str, Any]) -> None:
    sheet.freeze_panes(1, _fixed(table))
    for place, column in enumerate([*table.columns, Column("currency")]):
        sheet.write_string(0, place, column.name, formats["head"])
        cells = [row[place] for row in table.rows[:WIDTH_ROWS]] if place < len(table.columns) else []
        low, high = WIDTHS[column.kind]
        longest = max((len(str(cell)) for cell in cells if cell is not None), default=0)
        sheet.set_column(place, place, min(high, max(low, longest + 2)))
    for line, (row, currency) in enumerate(table.lines(), start=1):
        for place, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            _write(sheet, line, place, column, cell, currency, formats)
        _write(sheet, line, len(table.columns), Column("currency"), currency, None, formats)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns))


def _fixed(table: Table) -> int:
    """How many columns stay where one scrolls: the texts that a row begins with, but not so many that they fill it."""
    texts = next((place for place, column in enumerate(table.columns) if column.kind != TEXT), len(table.columns))
    return min(texts, FIXED_MAX)


def _write(
    sheet: Any, line: int, place: int, column: Column, cell: Cell, currency: str | None, formats: dict[str, Any]
) -> None:
    if cell is None or (column.kind == MONEY and not isinstance(cell, str) and currency not in MINOR_DIGITS):
        return
    if isinstance(cell, str):
        sheet.write_string(line, place, cell, formats["guarded" if is_formula(cell) else TEXT])
    elif abs(cell) >= EXACT_BELOW:
        sheet.write_string(line, place, _text(column, cell, currency), formats["guarded"])
    elif column.kind == MONEY:
        digits = _digits(currency)
        sheet.write_number(line, place, Decimal(cell).scaleb(-digits), formats[f"{MONEY} {digits}"])
    else:
        sheet.write_number(line, place, cell, formats[NUMBER])


def _about(sheet: Any, table: Table, formats: dict[str, Any]) -> None:
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 80)
    currency = table.currency if table.currency is not None else "that of each row"
    for line, (name, text) in enumerate([*table.about, ("as of", table.as_of), ("currency", currency)]):
        sheet.write_string(line, 0, name, formats["head"])
        sheet.write_string(line, 1, text, formats["guarded" if is_formula(text) else TEXT])
