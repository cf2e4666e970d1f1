"""`sfa erasures …`: the ledger of erased people, kept apart from backups, and erasing again after one was restored."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from sfa.app.cli_database import current_database
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.crm.erasure import erase_person
from sfa.db.tables import erasures as ledger
from sfa.db.writes import Door, Origin


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the ledger: no data of the person."""

    key: str
    survivor_key: str
    erased_at: int
    erased_by: str | None
    reason: str


@click.group()
def erasures() -> None:
    """Who was erased, and erasing again after a backup was restored."""


@erasures.command("list")
def list_lines() -> None:
    """Print the ledger, one JSON line for each key: to be kept apart from backups."""
    with current_database() as database:
        for line in database.read(lines):
            click.echo(msgspec.json.encode(line).decode())


@erasures.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
def replay(file: Path | None) -> None:
    """Erase again whom the ledger, and the lines of FILE, name: one person a transaction, safe to run twice."""
    clock = SystemClock()
    with current_database() as database:
        known = database.read(lines)
        found = [*known, *(read_lines(file) if file is not None else ())]
        erased = absent = 0
        for line in {line.key: line for line in found}.values():
            if database.write(again, line, clock.now_ms()):
                erased += 1
            else:
                absent += 1
    click.echo(f"{erased:,} erased, {absent:,} not in this database")


def lines(connection: Connection) -> Sequence[Line]:
    columns = (ledger.c[name] for name in Line.__struct_fields__)
    query = select(*columns).where(ledger.c.entity == "contacts").order_by(ledger.c.erased_at, ledger.c.key)
    return [Line(*row) for row in connection.execute(query)]


def read_lines(file: Path) -> Sequence[Line]:
    try:
        return [msgspec.json.decode(line, type=Line) for line in file.read_bytes().splitlines() if line.strip()]
    except msgspec.MsgspecError as error:
        raise Refused("import_invalid", f"{file.name} is no ledger of erasures: {error}") from None


def again(connection: Connection, line: Line, now_ms: int) -> bool:
    """One person, as then; -> whether there is such a person."""
    door = Door(connection, now_ms)
    try:
        erase_person(door, line.key, Origin(line.erased_by, at=line.erased_at, stored_at=now_ms), line.reason)
    except Refused as refused:
        if refused.code != "not_found":
            raise
        return False
    return True
