"""R13: what a person decided about two open visits is not asked again; whatever else ended a question, they may meet
again, and then somebody is asked. A question about a check-in that is no more asks nobody."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection

from sfa.crm import open_visits
from sfa.db import cells, writes
from sfa.db.cells import Cell, Lock
from sfa.db.database import open_database
from sfa.db.writes import Door, Origin
from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import asked, visit
from tests.visits.test_open_again import check_in, give

MINUTE = 60_000


def all_open(office: Office, *keys: str) -> None:
    """Checked in one after the other, on phones that know nothing of each other; ana's."""
    now = office.clock.now_ms()
    for place, key in enumerate(keys):
        visit(office, key)
        phone = office.phone("ana", f"d-{key}")
        phone.do("visit.check_in", "visits", key, base=1, at=now - (60 - 10 * place) * MINUTE)


def key_of(office: Office, about: str) -> str:
    (key,) = [row["key"] for row in office.rows("conflicts") if row["row_key"] == about]
    return str(key)


@pytest.mark.parametrize("moved", ["v1", "v2"])
def test_a_visit_that_comes_back_to_its_owner_is_asked_about_again(office: Office, desk: Desk, moved: str) -> None:
    all_open(office, "v1", "v2")
    give(office, desk, "screen", moved, "bob")
    assert asked(office) == [("v2", "v1", "dismissed")]
    give(office, desk, "phone", moved, "ana")
    assert asked(office) == [("v2", "v1", "open")]
    told = desk.get("ana", f"/api/conflicts/{key_of(office, 'v2')}").json()
    assert told["settled"] is None
    assert told["row"]["standing"]["checked_in_at"] == office.row("visits", "v2")["checked_in_at"]


def test_a_question_that_no_phone_named_is_asked_again_under_its_key(office: Office, desk: Desk) -> None:
    visit(office, "v1"), visit(office, "v2", owner_key="bob")
    check_in(office, "v1")
    check_in(office, "v2", who="bob")
    for owner, status in (("bob", "open"), ("ana", "dismissed"), ("bob", "open")):
        give(office, desk, "screen", "v1", owner)
        assert asked(office) == [("v1", "v2", status)]


def test_a_second_check_in_after_the_first_was_taken_back_is_asked_about(office: Office, desk: Desk) -> None:
    """And can be taken back again."""
    all_open(office, "v1", "v2")
    key = key_of(office, "v2")
    assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 200
    phone, at = office.phone("ana", "d-v2"), office.clock.now_ms() - MINUTE
    receipt = phone.do("visit.check_in", "visits", "v2", base=office.rev("visits", "v2"), at=at)
    assert (receipt.outcome, receipt.conflicts) == ("conflict", [key])
    assert asked(office) == [("v2", "v1", "open")]
    assert office.row("conflicts", key)["standing"]["checked_in_at"] == at
    assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 200
    assert office.row("visits", "v2")["status"] == "planned"
    assert asked(office) == [("v2", "v1", "restored")]


def test_what_a_person_dismissed_stays_so_wherever_the_visit_goes(office: Office, desk: Desk) -> None:
    all_open(office, "v1", "v2")
    assert desk.post("ana", f"/api/conflicts/{key_of(office, 'v2')}/dismiss").status_code == 200
    for owner in ("bob", "ana"):
        give(office, desk, "screen", "v1", owner)
        assert asked(office) == [("v2", "v1", "dismissed")]


@pytest.mark.parametrize("where", ["screen", "phone"])
def test_a_check_in_that_is_taken_back_takes_its_other_questions_along(office: Office, desk: Desk, where: str) -> None:
    all_open(office, "v1", "v2", "v3")
    assert asked(office) == [("v2", "v1", "open"), ("v3", "v1", "open"), ("v3", "v2", "open")]
    key = key_of(office, "v2")
    if where == "screen":
        assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 200
    else:
        assert office.phone("ana").do("conflict.restore", "conflicts", key).outcome == "applied"
    assert asked(office) == [("v2", "v1", "restored"), ("v3", "v1", "open"), ("v3", "v2", "dismissed")]


@pytest.mark.parametrize("deleted", ["v1", "v2"])
def test_a_visit_that_is_deleted_takes_its_questions_along(office: Office, deleted: str) -> None:
    """S26: and when an edit brings it back, it is asked about again."""
    all_open(office, "v1", "v2")
    known = office.rev("visits", deleted)
    assert office.phone("mia").do("delete", "visits", deleted, base=known).outcome == "applied"
    assert asked(office) == [("v2", "v1", "dismissed")]
    office.phone("ana", "d-tablet").edit("visits", deleted, base=known, purpose="Tasting")
    assert office.row("visits", deleted)["gone"] is False
    assert asked(office) == [("v2", "v1", "open")]


def test_a_visit_that_is_given_away_while_its_owner_checks_in_is_asked_of_nobody(office: Office, desk: Desk) -> None:
    """Whoever gives it away waits for both its owners: he would not find what is asked at this moment."""
    visit(office, "v1"), visit(office, "v2")
    check_in(office, "v1", 60)
    now, met, beside = office.clock.now_ms(), threading.Event(), open_database(office.database.url)

    def arrive(connection: Connection) -> None:
        door, origin = Door(connection, now), Origin(author_key="ana", at=now, stored_at=now)
        cell = door.cell("visits", "v2")
        door.put(cell, {"status": "checked_in", "checked_in_at": now}, origin, "visit.check_in")
        assert len(open_visits.settle(door, cell, "visit.check_in", origin)) == 1
        door.flush()
        met.set()
        threading.Event().wait(0.5)  # the other one is under way

    try:
        with ThreadPoolExecutor(1) as pool:
            arriving = pool.submit(beside.write, arrive)
            assert met.wait(10)
            give(office, desk, "phone", "v1", "bob")
            arriving.result()
    finally:
        beside.close()
    assert asked(office) == [("v2", "v1", "dismissed")]


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The entities whose rows a door locks and "person", in order; the database is asked what it always is."""
    found: list[str] = []
    real = open_visits._one_at_a_time

    def by_key(connection: Any, entity: str, keys: Iterable[str], lock: Lock = "none") -> Iterator[Cell]:
        if lock != "none":
            found.append(entity)
        return cells.read_cells(connection, entity, keys, lock)

    def person(door: Door, *owners: str) -> None:
        found.append("person")
        real(door, *owners)

    module: Any = writes
    monkeypatch.setattr(module, "read_cells", by_key)
    monkeypatch.setattr(open_visits, "_one_at_a_time", person)
    return found


def test_who_checks_in_waits_for_no_row_while_the_person_waits_for_him(office: Office, locked: list[str]) -> None:
    """Two devices of one person would wait for each other, each for the other one's visit. What is locked then is the
    new conflict alone."""
    all_open(office, "v1")
    visit(office, "v2")
    met = office.phone("ana", "d-v2").do("visit.check_in", "visits", "v2", base=1)
    assert met.outcome == "conflict"
    last = len(locked) - locked[::-1].index("person")
    assert set(locked[last:]) == {"conflicts"}
