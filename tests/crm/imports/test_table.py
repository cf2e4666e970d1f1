from pathlib import Path

import pytest

from sfa.core.errors import Refused
from sfa.crm.imports import table
from sfa.crm.imports.table import Table, read_table


def read(folder: Path, content: bytes) -> Table:
    (folder / "people.csv").write_bytes(content)
    return read_table(folder, "people.csv", ("name", "age"))


def faults(found: Table) -> list[tuple[int, str | None, str]]:
    return [(fault.line, fault.field, fault.code) for fault in found.faults]


def test_columns_may_come_in_any_order_and_blanks_around_values_go(tmp_path: Path) -> None:
    found = read(tmp_path, b"age,name\r\n 7 , Ana \r\n")
    assert [line.values for line in found.lines] == [{"name": "Ana", "age": "7"}]


def test_a_byte_order_mark_is_not_part_of_the_header(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfname,age\nAna,7\n").faults == ()


def test_blank_lines_count_and_values_may_run_over_lines(tmp_path: Path) -> None:
    found = read(tmp_path, b'name,age\n\n"Ana\nMaria",7\nBob,8\n')
    assert [(line.number, line.values["name"]) for line in found.lines] == [(3, "Ana\nMaria"), (5, "Bob")]


def test_a_missing_an_unknown_and_a_doubled_column_cost_the_file(tmp_path: Path) -> None:
    found = read(tmp_path, b"name,shoe,name\nAna,7,x\n")
    assert not found.usable
    assert found.lines == ()
    assert faults(found) == [
        (1, "age", "field_required"),
        (1, "shoe", "field_unknown"),
        (1, "name", "field_invalid"),
    ]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfen\x00a\x00"])
def test_an_empty_file_or_one_of_another_encoding_has_a_wrong_header(tmp_path: Path, content: bytes) -> None:
    assert not read(tmp_path, content).usable


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (b"Ana", None),
        (b"Ana,7,8", None),
        (b"An\xe4,7", "name"),
        (b"A\x00na,7", "name"),
        (b'"An"a,7', None),
        (b"A" * 140_000 + b",7", None),
    ],
)
def test_a_bad_line_costs_that_line_only(tmp_path: Path, bad: bytes, field: str | None) -> None:
    found = read(tmp_path, b"name,age\n" + bad + b"\nBob,8\n")
    assert faults(found) == [(2, field, "field_invalid")]
    assert [line.values["name"] for line in found.lines] == ["Bob"]


def test_a_quote_that_never_closes_is_a_fault_of_the_line_where_it_opens(tmp_path: Path) -> None:
    assert faults(read(tmp_path, b'name,age\nBob,8\n"Ana,7\nCleo,9\n')) == [(3, None, "field_invalid")]


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refused) as missing:
        read_table(tmp_path, "people.csv", ("name",))
    assert missing.value.code == "import_file_missing"
    monkeypatch.setattr(table, "FILE_BYTES_MAX", 3)
    with pytest.raises(Refused) as large:
        read(tmp_path, b"name,age\n")
    assert large.value.code == "import_invalid"
