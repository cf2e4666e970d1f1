"""Rows found by what they say are those that a look at every row finds, whatever was changed and undone."""

from random import Random
from typing import Any

from sqlalchemy import Connection

from sfa.db.writes import Door, Origin
from tests.builders import NOW
from tests.office import Office

FIELDS = ("deal_key",)


def _looked(door: Door, fields: tuple[str, ...], said: tuple[Any, ...]) -> set[str]:
    cells = (cell for cell in door.cells_of("deal_lines") if cell.row)
    return {cell.key for cell in cells if tuple(cell.row[field] or None for field in fields) == said}


def test_an_index_finds_what_a_look_at_every_row_finds_also_after_an_undo(office: Office) -> None:
    deal = {"name": "D", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
    office.put(*(("deals", f"d{n}", deal) for n in range(3)))
    office.put(*(("deal_lines", f"l{n}", {"deal_key": f"d{n % 3}", "product_key": "pump"}) for n in range(6)))

    def history(connection: Connection, seed: int) -> int:
        dice, door = Random(seed), Door(connection, NOW)
        origin, found = Origin(author_key=None, at=NOW, stored_at=NOW), 0
        marks = [door.mark()]
        for step in range(60):
            line, place = f"l{dice.randrange(12)}", f"d{dice.randrange(3)}"
            cell = door.cell("deal_lines", line, "none")
            match dice.randrange(5):
                case 0 if cell.exists:
                    door.delete(cell, origin)
                case 1:
                    marks.append(door.mark())
                case 2:
                    door.undo_to(marks.pop() if len(marks) > 1 else marks[0])
                case _:
                    door.put(cell, {"deal_key": place, "product_key": "pump"}, origin)
            if step < dice.randrange(30):
                continue  # so that indexes are made at any time
            for fields, said in ((FIELDS, (place,)), (("deal_key", "product_key"), (place, "pump"))):
                alike = {other.key for other in door.alike("deal_lines", fields, said)}
                assert alike == _looked(door, fields, said)
                found += len(alike)
        return found

    assert sum(office.database.read(history, seed) for seed in range(40)) > 1_000
