"""S8: whoever settles a suggestion locks its rows before it, as whoever moves those rows does."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from sfa.crm.finder import find
from sfa.db import cells, writes
from sfa.db.cells import Cell, Lock
from tests.crm.desk import Desk
from tests.crm.test_decisions import twins
from tests.office import Office
from tests.proposals.selling import offered, order

Locked = list[tuple[str, Lock]]


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Locked:
    """(entity, lock) in the order in which a door asks for rows: what the database is asked stays as it is."""
    asked: Locked = []

    def by_key(connection: Any, entity: str, keys: Iterable[str], lock: Lock = "none") -> Iterator[Cell]:
        asked.append((entity, lock))
        return cells.read_cells(connection, entity, keys, lock)

    def by_column(connection: Any, entity: str, column: str, keys: Iterable[str]) -> Iterator[Cell]:
        asked.append((entity, "update"))
        return cells.read_where(connection, entity, column, keys)

    module: Any = writes
    monkeypatch.setattr(module, "read_cells", by_key)
    monkeypatch.setattr(module, "read_where", by_column)
    return asked


def accept_on_a_phone(office: Office, _desk: Desk, key: str) -> None:
    assert office.phone("ana").do("suggestion.accept", "suggestions", key).outcome == "applied"


def accept_at_a_screen(_office: Office, desk: Desk, key: str) -> None:
    assert desk.post("ana", f"/api/suggestions/{key}/accept").status_code == 200


@pytest.mark.parametrize("accept", [accept_on_a_phone, accept_at_a_screen])
def test_accepting_locks_above_then_the_rows_then_the_suggestion(
    office: Office, desk: Desk, locked: Locked, accept: Callable[[Office, Desk, str], None]
) -> None:
    key = twins(office)
    locked.clear()
    accept(office, desk, key)
    order = [
        locked.index(asked) for asked in (("accounts", "share"), ("contacts", "update"), ("suggestions", "update"))
    ]
    assert order == sorted(order)


def test_the_finder_locks_every_row_before_any_suggestion(office: Office, locked: Locked) -> None:
    twins(office)
    office.put(("contacts", "carl", {"title": "Buyer"}))
    locked.clear()
    office.database.write(find, office.clock.now_ms())
    assert ("suggestions", "update") in locked
    assert "contacts" not in {entity for entity, _ in locked[locked.index(("suggestions", "update")) :]}


LINE = {"proposal_key": "p1", "name": "Valve"}


def write_on_a_phone(office: Office, _desk: Desk) -> None:
    assert office.phone("ana").do("create", "proposal_lines", "p1-2", set=LINE).outcome == "applied"


def write_at_a_screen(_office: Office, desk: Desk) -> None:
    assert desk.post("ana", "/api/proposal_lines", json={"row": LINE}).status_code == 201


def send_on_a_phone(office: Office, _desk: Desk) -> None:
    assert order(office.phone("ana"), "send").outcome == "applied"


def send_at_a_screen(_office: Office, desk: Desk) -> None:
    assert desk.post("ana", "/api/proposals/p1/send", json={"version": 1, "total_minor": 300_00}).status_code == 200


@pytest.mark.parametrize("write", [write_on_a_phone, write_at_a_screen, send_on_a_phone, send_at_a_screen])
def test_a_proposal_and_its_lines_are_written_behind_the_lock_of_deal_and_proposal(
    office: Office, desk: Desk, locked: Locked, write: Callable[[Office, Desk], None]
) -> None:
    """A line makes its proposal a draft, and sending freezes the deal's quote: two who only share a row and then change
    it would wait for each other for ever."""
    offered(office)
    locked.clear()
    write(office, desk)
    asked = [
        (entity, lock) for entity, lock in locked if entity in ("accounts", "deals", "proposals") if lock != "none"
    ]
    assert asked.index(("deals", "update")) < asked.index(("proposals", "update"))
    first = [next(lock for entity, lock in asked if entity == of) for of in ("deals", "proposals")]
    assert first == ["update", "update"]
