"""Tables as files: CSV for programs, XLSX for people; both hold what the JSON of the same answer says, cell by cell.

CSV: amounts are decimal texts with all decimals of their currency, empty where not known; what a spreadsheet would take
for a formula begins with an apostrophe, also where blanks or signs that are not seen stand before it, or where it is
written in full-width signs. XLSX: amounts are numbers with the currency's decimals, but for those of more
digits than a spreadsheet keeps, which are texts; no cell is a formula, and none becomes one when it is edited. A second
sheet says what the first one is of. Equal tables are equal bytes.
Does not do: totals (a table brings its own).
"""

import csv
import io
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from sfa.core.days import to_date
from sfa.core.formulas import is_formula, safe
from sfa.core.money import format_minor, minor_digits

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
    """`kind` is `text`, `money` (integers of minor units of the table's currency) or `number`."""

    name: str
    kind: str = TEXT


class Table(Struct, frozen=True):
    """`name` is that of the file; `about` are lines that say what it is of; `as_of` is the day of the figures."""

    name: str
    currency: str
    as_of: str
    about: list[tuple[str, str]]
    columns: list[Column]
    rows: list[tuple[Cell, ...]]


def as_csv(table: Table) -> str:
    """One head line and the rows; `currency` is the last column, so that no amount is without it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*(column.name for column in table.columns), "currency"])
    for row in table.rows:
        texts = (_text(column, cell, table.currency) for column, cell in zip(table.columns, row, strict=True))
        writer.writerow([*texts, table.currency])
    return out.getvalue()


def _text(column: Column, cell: Cell, currency: str) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return safe(cell)
    return format_minor(cell, currency) if column.kind == MONEY else str(cell)


def as_xlsx(table: Table) -> bytes:
    """The rows with a heading that stays, and what they are of on a second sheet."""
    import xlsxwriter  # of no use to who asks for no sheet

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        # The day of the figures, and no clock's: equal tables are equal bytes.
        made = datetime.combine(to_date(table.as_of), datetime.min.time())
        book.set_properties({"title": table.name, "created": made})
        formats = _formats(book, table.currency)
        _rows(book.add_worksheet(table.name[:SHEET_NAME_MAX]), table, formats)
        _about(book.add_worksheet("about"), table, formats)
    return out.getvalue()


def _formats(book: Any, currency: str) -> dict[str, Any]:
    digits = minor_digits(currency)
    decimals = f".{'0' * digits}" if digits else ""
    return {
        "head": book.add_format({"bold": True, "bg_color": "#E4E8EC", "text_wrap": True, "valign": "top"}),
        MONEY: book.add_format({"num_format": f"#,##0{decimals};[Red]-#,##0{decimals}"}),
        NUMBER: book.add_format({"num_format": "0"}),
        TEXT: book.add_format({"num_format": "@"}),
        "guarded": book.add_format({"num_format": "@", "quote_prefix": True}),
    }


def _rows(sheet: Any, table: Table, formats: dict[str, Any]) -> None:
    sheet.freeze_panes(1, _fixed(table))
    for place, column in enumerate([*table.columns, Column("currency")]):
        sheet.write_string(0, place, column.name, formats["head"])
        cells = [row[place] for row in table.rows[:WIDTH_ROWS]] if place < len(table.columns) else [table.currency]
        low, high = WIDTHS[column.kind]
        longest = max((len(str(cell)) for cell in cells if cell is not None), default=0)
        sheet.set_column(place, place, min(high, max(low, longest + 2)))
    for line, row in enumerate(table.rows, start=1):
        for place, (column, cell) in enumerate(zip(table.columns, row, strict=True)):
            _write(sheet, line, place, column, cell, table.currency, formats)
        sheet.write_string(line, len(table.columns), table.currency, formats[TEXT])
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns))


def _fixed(table: Table) -> int:
    """How many columns stay where one scrolls: the texts that a row begins with, but not so many that they fill it."""
    texts = next((place for place, column in enumerate(table.columns) if column.kind != TEXT), len(table.columns))
    return min(texts, FIXED_MAX)


def _write(
    sheet: Any, line: int, place: int, column: Column, cell: Cell, currency: str, formats: dict[str, Any]
) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        sheet.write_string(line, place, cell, formats["guarded" if is_formula(cell) else TEXT])
    elif abs(cell) >= EXACT_BELOW:
        text = format_minor(cell, currency) if column.kind == MONEY else str(cell)
        sheet.write_string(line, place, text, formats["guarded"])
    elif column.kind == MONEY:
        sheet.write_number(line, place, Decimal(cell).scaleb(-minor_digits(currency)), formats[MONEY])
    else:
        sheet.write_number(line, place, cell, formats[NUMBER])


def _about(sheet: Any, table: Table, formats: dict[str, Any]) -> None:
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 80)
    for line, (name, text) in enumerate([*table.about, ("as of", table.as_of), ("currency", table.currency)]):
        sheet.write_string(line, 0, name, formats["head"])
        sheet.write_string(line, 1, text, formats["guarded" if is_formula(text) else TEXT])
