"""Facts are summed along an index or in one pass over their table: the figures are the same, and say so."""

from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from sfa.quotas import engine, summing
from tests.office import Office
from tests.quotas.ledger import Q1, figures, quota, visit, won, write
from tests.quotas.test_histories import found_company, live

ALWAYS, NEVER = 10**9, -1


@pytest.mark.parametrize("seed", range(3))
def test_r10_every_way_of_summing_gives_the_same_figures(
    office: Office, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Person by person or all at once, of some people by name or of everybody."""
    chance = Random(seed)
    write(office, ("contacts", "carl2", {"account_key": "acme", "name": "Carlo"}))
    found_company(office, chance)
    live(office, chance)
    found = []
    for users in (400, 0):
        for lookups in (ALWAYS, NEVER):
            monkeypatch.setattr(engine, "USERS_MAX", users)
            monkeypatch.setattr(summing, "LOOKUPS_MAX", lookups)
            found.append(figures(office))
    assert found[1:] == found[:-1]
    assert len([figure for figure in found[0].values() if figure.value]) > 20


def test_sqlite_sums_a_whole_company_along_indexes_without_looking_up_a_row(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    if office.database.dialect != "sqlite":
        pytest.skip("PostgreSQL groups by hashing")
    monkeypatch.setattr(engine, "USERS_MAX", 0)
    write(office, Q1, quota("r"), quota("c", "total_contacts"), won("a", "2026-01-10"), visit("v", "2026-01-11"))
    plans: list[str] = []

    def noted(connection: Connection, _: Any, statement: str, given: Any, *__: Any) -> None:
        if "lead" in statement:
            raw: Any = connection.connection.driver_connection
            plans.extend(step for *_, step in raw.execute(f"EXPLAIN QUERY PLAN {statement}", given))

    event.listen(Engine, "before_cursor_execute", noted)
    try:
        assert {key: figure.value for key, figure in figures(office).items()} == {"r": 100_00, "c": 1}
    finally:
        event.remove(Engine, "before_cursor_execute", noted)
    walks = [plan for plan in plans if "credits" in plan or "visits" in plan]
    assert any("COVERING INDEX ix_credits_summed (user_key=? AND at>? AND at<?)" in plan for plan in walks)
    assert any("ix_visits_counted (owner_key=? AND status=? AND <expr>>? AND <expr><?)" in plan for plan in walks)
    assert not [plan for plan in walks if plan.startswith("SCAN")]


def test_r14_a_corrected_visit_is_not_counted_twice_where_visits_are_summed(office: Office) -> None:
    """What was summed leaves out the corrected visit by the database's own number of its row."""
    write(office, Q1, quota("c", "total_contacts"), visit("v", "2026-01-11"), visit("w", "2026-01-12"))
    said = {"visit_key": "v", "author_key": "ana", "amended_at": 1, "ordinal": 1, "reason": "r"}
    write(office, ("visit_amendments", "am", {**said, "field": "visit_type", "new": "demo"}))
    assert figures(office)["c"].value == 2
    office.database.write(lambda connection: connection.execute(text("UPDATE visit_amendments SET gone = true")))
    assert figures(office)["c"].value == 2
