"""A CSV file as lines of text, with every fault of its form: encoding, header, number of columns, quotes.

Promises: UTF-8 (a byte order mark is dropped), values without blanks around them, lines numbered as an editor does. One
bad line costs that line, a bad header the file. Does not do: types and meaning (`record`).
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from sfa.core.errors import Refused

FILE_BYTES_MAX = 256 * 1024 * 1024


class Fault(Struct, frozen=True):
    """What is wrong with one line: `code` is one of the catalogue. The header is line 1."""

    file: str
    line: int
    field: str | None
    code: str
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" + (f" {self.field}" if self.field else "")
        return f"{place}: {self.code}: {self.text}"


class Line(Struct, frozen=True):
    number: int
    values: dict[str, str]


class Table(Struct, frozen=True):
    """`usable` is False where the header is wrong: nothing can be said about the lines then."""

    file: str
    lines: tuple[Line, ...]
    faults: tuple[Fault, ...]
    usable: bool = True


def read_table(folder: Path, file: str, columns: Sequence[str]) -> Table:
    """The file's lines, each with exactly these columns (in any order). `import_file_missing`, or `import_invalid`
    for a file that is too large."""
    path = folder / file
    if not path.is_file():
        raise Refused("import_file_missing", f"{file} is not in {folder.name or folder}", file=file)
    if path.stat().st_size > FILE_BYTES_MAX:
        raise Refused("import_invalid", f"{file} is larger than {FILE_BYTES_MAX} bytes", file=file)
    return parsed(path.read_bytes(), file, lambda names: _header_faults(file, names, columns))


def parsed(
    data: bytes, file: str, header_faults: Callable[[Sequence[str]], tuple[Fault, ...]], most: int | None = None
) -> Table:
    """The lines of a file whose header has no faults; refuses `import_invalid` where there are more than `most`,
    good or not, and blank ones too."""
    # Bytes that are not UTF-8 become lone surrogates, so that they can be told apart line by line.
    text = data.decode("utf-8-sig", "surrogateescape")
    records = _records(text)
    header = next((record for _, record in records if record), [])
    if isinstance(header, str):
        return Table(file, (), (Fault(file, 1, None, "field_invalid", header),), usable=False)
    names = [name.strip() for name in header]
    wrong = header_faults(names)
    if wrong:
        return Table(file, (), wrong, usable=False)
    lines: list[Line] = []
    faults: list[Fault] = []
    for count, (number, record) in enumerate(records):
        if most is not None and count >= most:
            raise Refused("import_invalid", f"a file has up to {most} lines", errors=[])
        if not record:
            continue
        found = record if isinstance(record, str) else _line_fault(record, names)
        if isinstance(found, str):
            faults.append(Fault(file, number, None, "field_invalid", found))
        elif isinstance(found, tuple):
            faults.append(Fault(file, number, found[0], "field_invalid", found[1]))
        else:
            lines.append(Line(number, {n: v.strip() for n, v in zip(names, record, strict=True)}))
    return Table(file, tuple(lines), tuple(faults))


def _records(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """(number of the first line, cells or what is wrong) of each record; a blank line has no cells."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"the line is not valid CSV: {error}"
            continue
        yield number, record


def _header_faults(file: str, names: Sequence[str], columns: Sequence[str]) -> tuple[Fault, ...]:
    expected = f"the header must be {','.join(columns)}"
    missing = [Fault(file, 1, c, "field_required", expected) for c in columns if c not in names]
    unknown = [Fault(file, 1, shown(n), "field_unknown", expected) for n in names if n not in columns]
    twice = [Fault(file, 1, c, "field_invalid", "the header names it twice") for c in columns if names.count(c) > 1]
    return (*missing, *unknown, *twice)


def _line_fault(record: list[str], names: list[str]) -> tuple[str | None, str] | None:
    if len(record) != len(names):
        return None, f"the line has {len(record)} values, the header {len(names)}"
    for name, value in zip(names, record, strict=True):
        if any("\udc80" <= character <= "\udcff" for character in value):
            return name, "the value is not UTF-8"
        if "\x00" in value:
            return name, "the value contains the character NUL"
    return None


def shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()[:60] or "(empty)"
