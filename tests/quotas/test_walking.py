"""An explanation is walked page by page: every fact once, in order, and a page costs what it holds (R10)."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from sfa.quotas import attainment, engine, windows
from sfa.quotas.engine import Contribution
from tests.office import Office
from tests.quotas.ledger import Q1, at, contributions, line, quota, visit, won, write

AS_OF = at("2026-03-31")
MEASURES = ("revenue", "quantity", "total_contacts", "unique_contacts", "new_accounts")


def worked(office: Office, count: int = 20) -> None:
    """Quotas of Ana, her team and the territory; deals and visits of which several happened at one moment."""
    write(office, Q1)
    for measure in MEASURES:
        write(office, quota(f"ana-{measure}", measure), quota(f"north-{measure}", measure, team_key="north"))
        write(office, quota(f"place-{measure}", measure, territory_key="t-north"))
    for n in range(count):
        account, day = f"a-{n // 2}", f"2026-01-{10 + n // 4}"
        write(office, ("accounts", account, {"name": account, "territory_key": "t-north"}))
        write(office, won(f"d-{n}", day, 100 + n, owner_key="bob" if n % 3 else "ana", account_key=account))
        write(office, line(f"l-{n}", f"d-{n}"), visit(f"v-{n}", day, account_key=account))
    said = {"visit_key": "v-3", "author_key": "ana", "amended_at": 1, "ordinal": 1, "reason": "r"}
    write(office, ("visit_amendments", "am", {**said, "field": "checked_in_at", "new": at("2026-02-20")}))


def pages(office: Office, key: str, limit: int) -> Iterator[list[Contribution]]:
    after = None
    while True:
        found = office.database.read(attainment.explanation, "root", key, AS_OF, after, limit)
        yield [item.fact for item in found.items]
        after = found.next
        if after is None:
            return


@pytest.mark.parametrize("size", [1, 7])
def test_pages_are_the_whole_list_however_large_the_windows_are(
    office: Office, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    worked(office)
    monkeypatch.setattr(windows, "FACTS", size)
    for measure in MEASURES:
        for key in (f"ana-{measure}", f"north-{measure}", f"place-{measure}"):
            whole = contributions(office, key, AS_OF, left_out=True)
            walked = [fact for page in pages(office, key, 4) for fact in page]
            assert walked == whole, key
            assert whole, key


@pytest.mark.parametrize("measure", [measure for measure in MEASURES if measure != "unique_contacts"])
def test_a_page_reads_no_more_than_the_windows_that_it_needs(
    office: Office, monkeypatch: pytest.MonkeyPatch, measure: str
) -> None:
    """Rows that the driver answered are counted, wherever the page lies."""
    worked(office, 40)
    monkeypatch.setattr(windows, "FACTS", 4)
    read: list[int] = []
    real = engine._rows

    def counted(connection: Connection, *given: Any) -> Iterator[Any]:
        read.append(0)
        for fact in real(connection, *given):
            read[-1] += 1
            yield fact

    monkeypatch.setattr(engine, "_rows", counted)
    for _ in pages(office, f"north-{measure}", 4):
        assert sum(read) <= 16, "the windows in which a page of four begins and ends"
        read.clear()


def test_statements_of_a_page_are_as_many_for_the_last_page_as_for_the_first(office: Office) -> None:
    worked(office)
    counts: list[int] = []

    def noted(*_: Any) -> None:
        counts[-1] += 1

    event.listen(Engine, "before_cursor_execute", noted)
    try:
        counts.append(0)
        for _ in pages(office, "north-revenue", 4):
            counts.append(0)
    finally:
        event.remove(Engine, "before_cursor_execute", noted)
    assert len(set(counts[:-1])) == 1
