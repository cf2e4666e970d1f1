"""Files say what the JSON says, and no cell of them is a formula."""

import csv
import io
import re
import zipfile
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.tables import accuracy_table, deals_table, moved_table, movement_table, rollup_table
from sfa.core.forecast import BUCKETS, VIEWS
from sfa.core.money import format_minor, minor_digits
from sfa.web.sheets import EXACT_BELOW, MONEY, NUMBER, TEXT, Column, Table, as_csv, as_xlsx
from tests.forecasting.answered import accuracy, deals, moved, movement, rollup

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
COLUMNS = [Column("name"), Column("amount", MONEY), Column("deals", NUMBER)]


def table(rows: list[tuple[str | int | None, ...]], currency: str = "EUR") -> Table:
    return Table("forecast", currency, "2026-11-22", [("node", "=1+1")], COLUMNS, rows)


def parts(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        return {name: book.read(name).decode() for name in book.namelist() if name.endswith(".xml")}


def cells(data: bytes) -> list[list[str | Decimal]]:
    """The first sheet as a reader of the format sees it: numbers as numbers, texts as texts."""
    found = parts(data)
    strings = [
        "".join(text.text or "" for text in item.iter(f"{MAIN}t"))
        for item in ElementTree.fromstring(found["xl/sharedStrings.xml"])
    ]
    rows = []
    for row in ElementTree.fromstring(found["xl/worksheets/sheet1.xml"]).iter(f"{MAIN}row"):
        line: list[str | Decimal] = []
        for cell in row.iter(f"{MAIN}c"):
            place = re.fullmatch(r"([A-Z]+)\d+", cell.attrib["r"])
            assert place is not None
            number = 0
            for letter in place[1]:
                number = number * 26 + ord(letter) - 64
            line += [""] * (number - 1 - len(line))
            value = cell.find(f"{MAIN}v")
            assert value is not None
            assert value.text is not None
            line.append(strings[int(value.text)] if cell.attrib.get("t") == "s" else Decimal(value.text))
        rows.append(line)
    return rows


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
CELLS = st.tuples(
    NAMES | st.sampled_from(["=1+1", "+1", "@SUM(A1)", "-x"]),
    st.none() | st.integers(-(10**17), 10**17),
    st.none() | st.integers(0, 10**6),
)  # fmt: skip


@given(st.lists(CELLS, max_size=6), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_both_files_say_each_amount_to_the_last_digit(rows: list[tuple[str | int | None, ...]], currency: str) -> None:
    """R33."""
    made = table(rows, currency)
    told = lines(as_csv(made))
    sheet = cells(as_xlsx(made))[1:]
    for row, line, beside in zip(rows, told, sheet, strict=True):
        assert line["currency"] == beside[3] == currency
        for name, cell, shown in zip(("name", "amount", "deals"), row, beside, strict=False):
            if not isinstance(cell, int):
                assert (line[name].removeprefix("'") if cell and line[name] != cell else line[name]) == (cell or "")
                assert shown == (cell or "")
                continue
            said = format_minor(cell, currency) if name == "amount" else str(cell)
            assert line[name] == said
            assert isinstance(shown, str) is (abs(cell) >= EXACT_BELOW)
            assert Decimal(shown) == Decimal(said)


def test_no_cell_is_a_formula_and_none_becomes_one() -> None:
    made = table([(text, 1, 1) for text in ("=HYPERLINK(1)", "+1", "-1", "@x", "|cmd", "http://x.example", "12")])
    found = parts(as_xlsx(made))
    sheets = [text for name, text in found.items() if name.startswith("xl/worksheets/")]
    assert len(sheets) == 2
    assert not any("<f>" in sheet or "hyperlink" in sheet for sheet in sheets)
    assert found["xl/styles.xml"].count('quotePrefix="1"') == 1
    assert all(line["name"].startswith(("'", "http", "12")) for line in lines(as_csv(made)))
    guarded = _format_of(found, 1), _format_of(found, 6)
    assert guarded[0] != guarded[1]


@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u3000", "\ufeff", "\u200b ", "\t"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe63"])
def test_a_formula_is_guarded_however_it_is_written(before: str, sign: str) -> None:
    text = f"{before}{sign}1+1"
    made = table([(text, 1, 1), ("A = 1", 1, 1)])
    first, last = lines(as_csv(made))
    assert (first["name"], last["name"]) == (f"'{text}", "A = 1")
    found = parts(as_xlsx(made))
    assert _format_of(found, 1) != _format_of(found, 2)


def _format_of(found: dict[str, str], row: int) -> str:
    cell = re.search(rf'<c r="A{row + 1}" s="(\d+)"', found["xl/worksheets/sheet1.xml"])
    assert cell is not None
    return cell[1]


def test_equal_tables_are_equal_bytes() -> None:
    assert as_xlsx(rollup_table(rollup())) == as_xlsx(rollup_table(rollup()))


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
def test_a_roll_up_as_a_file_has_the_figures_of_its_answer(currency: str) -> None:
    told = rollup(currency)
    rows = lines(as_csv(rollup_table(told)))
    assert [row["node"] for row in rows] == [node.node for node in told.nodes]
    for row, node in zip(rows, told.nodes, strict=True):
        for bucket in BUCKETS:
            money = node.buckets[bucket]
            assert row[bucket] == format_minor(money.amount_minor, currency)
            assert row[f"{bucket}_weighted"] == format_minor(money.weighted_minor, currency)
            assert row[f"{bucket}_deals"] == str(money.deals)
            assert row[f"overlay_{bucket}"] == format_minor(node.overlay[bucket].amount_minor, currency)
        for view in VIEWS:
            amounts = node.views[view]
            assert row[f"{view}_own"] == format_minor(amounts.own, currency)
            assert row[f"{view}_rolled_up"] == format_minor(amounts.rolled_up, currency)
            hidden = amounts.manager_adjusted
            assert row[f"{view}_manager_adjusted"] == ("" if hidden is None else format_minor(hidden, currency))
            assert row[f"{view}_code"] == (amounts.code or "")
    assert rows[0]["why"] == "amount_missing; owner_missing; not_seen"
    assert rows[0]["missing"] == "amount_missing: 2; owner_missing: 1"
    assert (rows[1]["name"], rows[1]["commit_overrides"]) == ("'=NORTH()", "own: stale")
    assert rows[1]["commit"].rpartition(".")[2] == "0" * minor_digits(currency) or currency == "JPY"


def test_the_second_sheet_says_what_the_first_is_of() -> None:
    strings = parts(as_xlsx(rollup_table(rollup())))["xl/sharedStrings.xml"]
    for word in ("2026-10-01 until before 2027-01-01", "amount_missing; owner_missing; not_seen", "2026-11-22", "EUR"):
        assert f">{word}<" in strings


def test_deals_that_are_hidden_are_a_row_so_that_the_file_sums_to_the_page() -> None:
    """R30."""
    rows = lines(as_csv(deals_table(deals())))
    assert [(row["name"], row["amount"], row["code"]) for row in rows] == [
        ("'-Pumps", "123.45", ""),
        ("", "5.00", "not_seen: 2"),
    ]
    assert lines(as_csv(deals_table(deals(None))))[0]["amount"] == ""


def test_kinds_of_columns_are_those_that_are_written() -> None:
    assert {column.kind for column in rollup_table(rollup()).columns} == {TEXT, MONEY, NUMBER}


def test_the_columns_of_a_movement_add_up_to_its_closing() -> None:
    """R28."""
    rows = lines(as_csv(movement_table(movement())))
    assert [row["bar"] for row in rows][:2] == ["opening", "won"]
    for column in (*BUCKETS, "total"):
        amounts = [Decimal(row[column]) for row in rows]
        assert sum(amounts[:-1]) == amounts[-1], column
    assert (rows[1]["closed"], rows[1]["commit"], rows[1]["deals"]) == ("120.00", "-100.00", "1")


def test_deals_that_moved_say_in_which_class_and_what_they_add() -> None:
    (row,) = lines(as_csv(moved_table(moved())))
    assert (row["name"], row["class"], row["was"], row["now"]) == ("'@x", "won", "commit", "closed")
    assert (row["closed"], row["commit"], row["total"]) == ("120.00", "-100.00", "20.00")


def test_scores_stand_before_the_calls_that_they_are_of() -> None:
    told = accuracy()
    rows = lines(as_csv(accuracy_table(told)))
    assert [row["kind"] for row in rows] == ["group", "group", "all", *["call"] * 5]
    assert rows[2]["calls"] == str(told.all.calls)
    assert rows[2]["off"] == format_minor(told.all.off_minor, "EUR")
    assert [row["called"] for row in rows[3:]] == ["0.03", "0.04", "0.04", "", "1.00"]
    assert rows[6]["code"] == "not_called"
