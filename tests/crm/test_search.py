"""Search over names: what the scope shows, by what people type, kept by the door in the transaction of every write."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, select

from sfa.core.names import SEARCHED, words
from sfa.crm.search import hits
from sfa.db import migrations, names
from sfa.db.tables import ROWS, name_words
from tests.crm.desk import Desk
from tests.office import Office


def found(desk: Desk, user: str, q: str, **more: Any) -> list[str]:
    params = {"q": q, **more}
    answer = desk.ask(user, "GET", "/api/search", params=params)
    assert answer.status_code == 200, answer.text
    return [f"{item['entity']}/{item['key']}" for item in answer.json()["items"]]


def check_words(office: Office) -> None:
    """The index says of every row what its name and buckets say, and nothing else."""

    def both(connection: Connection) -> tuple[set[Any], set[Any]]:
        wanted = set()
        for entity, fields in SEARCHED.items():
            for row in connection.execute(select(ROWS[entity]).where(~ROWS[entity].c.gone)).mappings():
                for bucket in row["buckets"]:
                    wanted |= {(entity, bucket, word, row["key"]) for word in words(*(row[f] for f in fields))}
        return wanted, {tuple(row) for row in connection.execute(select(name_words))}

    wanted, kept = office.database.read(both)
    assert kept == wanted


def test_search_finds_by_the_beginnings_of_words_in_the_scope(office: Office, desk: Desk) -> None:
    """S10: and what is out of scope is not there."""
    office.put(
        ("accounts", "mueller", {"name": "Müller & Söhne GmbH", "territory_key": "t-north"}),
        ("accounts", "mulder", {"name": "MULDER bv", "territory_key": "t-south"}),
        ("contacts", "mula", {"account_key": "acme", "name": "Ana Mulá"}),
        ("products", "valve", {"name": "Valve", "sku": "MUL-7"}),
    )
    assert set(found(desk, "ana", "mul")) == {"accounts/mueller", "contacts/mula", "products/valve"}
    assert found(desk, "cleo", "mul", entity="accounts") == ["accounts/mulder"]
    assert found(desk, "dirk", "söh mull") == ["accounts/mueller"]
    assert found(desk, "ana", "ler") == []
    assert found(desk, "ana", "¿?") == []
    assert found(desk, "ana", "ana")[0] == "users/ana"
    assert (
        desk.ask("ana", "GET", "/api/search", params={"q": "x", "entity": "notes"}).json()["code"] == "request_invalid"
    )
    assert desk.ask("ana", "GET", "/api/search", params={"q": "x" * 201}).json()["code"] == "request_invalid"
    assert desk.ask("ana", "GET", "/api/search").json()["code"] == "request_invalid"


def test_rows_come_as_the_sync_shows_them_and_the_best_first(office: Office, desk: Desk) -> None:
    office.put(*(("accounts", f"b{i}", {"name": f"Bergmann {i}", "territory_key": "t-north"}) for i in range(30)))
    office.put(("accounts", "berg", {"name": "Berg", "territory_key": "t-north"}))
    answer = desk.ask("ana", "GET", "/api/search", params={"q": "berg", "limit": 5}).json()
    assert (len(answer["items"]), answer["more"]) == (5, True)
    assert answer["items"][0] == {"entity": "accounts", **desk.get("ana", "/api/accounts/berg").json()}


def test_words_follow_every_change_of_name_place_and_life(office: Office, desk: Desk) -> None:
    check_words(office)
    phone = office.phone("ana")
    phone.edit("accounts", "acme", name="Apex Werke")
    check_words(office)
    assert (found(desk, "ana", "acme"), found(desk, "ana", "werk")) == ([], ["accounts/acme"])
    office.put(("accounts", "acme", {"territory_key": "t-south"}))  # its people and deals move along
    check_words(office)
    assert (found(desk, "ana", "carl"), found(desk, "cleo", "carl")) == ([], ["contacts/carl"])
    office.delete("contacts", "carl")
    check_words(office)
    assert found(desk, "cleo", "carl") == []
    office.put(("contacts", "carl", {"name": "Carl"}))
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl"}))
    assert desk.post("cleo", "/api/contacts/karl/merge", json={"into": "carl"}).status_code == 200
    check_words(office)
    assert found(desk, "cleo", "karl") == []


def test_rows_from_before_the_upgrade_are_found_after_it(office: Office) -> None:
    (place,) = (Path(migrations.__file__).parent / "versions").glob("*_rest.py")
    migration: Any = import_module(f"{migrations.__name__}.versions.{place.stem}")
    office.delete("contacts", "zoe")
    office.database.write(lambda connection: connection.execute(delete(name_words)).rowcount)
    office.database.write(migration.fill)
    check_words(office)


def test_a_refused_write_leaves_no_word(office: Office, desk: Desk) -> None:
    office.phone("ana").do("create", "contacts", "c9", set={"account_key": "zeta", "name": "Hidden"})
    check_words(office)


@pytest.mark.parametrize("size", [50, 800])
def test_the_cost_of_a_question_does_not_grow_with_the_company(office: Office, size: int) -> None:
    """The same statements, answered along the index: no table of rows is gone through."""
    office.put(*(("accounts", f"x{i}", {"name": f"Other {i}", "territory_key": "t-south"}) for i in range(size)))
    if office.database.dialect == "sqlite":

        def plans(connection: Connection) -> list[str]:
            asked: list[tuple[str, Any]] = []
            event.listen(connection, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
            hits(connection, "ana", "acm bil", None, 20)
            steps = []
            for sql, values in [pair for pair in asked if "name_words" in pair[0]]:
                raw: Any = connection.connection.driver_connection
                steps += [str(row[3]) for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            return steps

        steps = office.database.read(plans)
        assert steps
        walked = ("SCAN c", "SCAN f")  # what a bounded walk brought
        scans = [step for step in steps if step.startswith("SCAN") and step not in walked and "json_each" not in step]
        assert not scans, steps
        assert any("bucket=?" in step and "word" in step for step in steps), steps
    assert [hit.key for hit in office.database.read(hits, "ana", "acm", None, 20).items] == ["acme"]


def test_of_several_words_the_rarest_is_walked(office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However common the longest one is, which comes first in the index."""
    monkeypatch.setattr(names, "LOOKED_MAX", 5)
    office.put(*(("contacts", f"m{n}", {"account_key": "acme", "name": f"Marianne {n:02}"}) for n in range(30)))
    office.put(("contacts", "mz", {"account_key": "acme", "name": "Marianne Vega"}))
    answer = desk.ask("ana", "GET", "/api/search", params={"q": "marianne vega"}).json()
    assert ([item["key"] for item in answer["items"]], answer["more"]) == (["mz"], False)


def test_where_the_walk_ends_early_the_answer_says_that_there_may_be_more(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "LOOKED_MAX", 5)
    for stem in ("Marianne", "Garcia"):
        office.put(*(("contacts", f"{stem}{n}", {"account_key": "acme", "name": f"{stem} {n}"}) for n in range(9)))
    answer = desk.ask("ana", "GET", "/api/search", params={"q": "marianne garcia"}).json()
    assert (answer["items"], answer["more"]) == ([], True)
    assert desk.ask("ana", "GET", "/api/search", params={"q": "marianne zulu"}).json()["more"] is False


def test_more_than_the_found_says_that_there_may_be_better(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes first is the best of what was found."""
    monkeypatch.setattr(names, "FOUND_MAX", 3)
    office.put(*(("products", f"p{n}", {"name": f"Valve {n}", "sku": f"v{n}"}) for n in range(3)))
    assert desk.ask("ana", "GET", "/api/search", params={"q": "valve", "limit": 10}).json()["more"] is True
    office.delete("products", "p0")
    assert desk.ask("ana", "GET", "/api/search", params={"q": "valve", "limit": 10}).json()["more"] is False


def test_two_common_words_cost_the_same_in_a_company_of_any_size(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in steps of SQLite's machine; on PostgreSQL the statement is the same."""
    if office.database.dialect != "sqlite":
        return
    monkeypatch.setattr(names, "LOOKED_MAX", 50)

    def steps(connection: Connection) -> int:
        raw: Any = connection.connection.driver_connection
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        raw.set_progress_handler(tick, 10)
        try:
            hits(connection, "ana", "marianne garcia", "contacts", 20)
        finally:
            raw.set_progress_handler(None, 0)
        return count

    counts = []
    for size in (100, 1_000):
        for stem in ("Marianne", "Garcia"):
            people = ((f"{stem}{n}", {"account_key": "acme", "name": f"{stem} {n}"}) for n in range(size))
            office.put(*(("contacts", key, row) for key, row in people))
        counts.append(office.database.read(steps))
    assert counts[1] < 1.2 * counts[0], counts
