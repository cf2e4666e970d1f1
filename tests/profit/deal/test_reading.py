"""One deal is read in a fixed number of statements, however much happened at its customer (R40)."""

from typing import Any

from sqlalchemy import Connection, event

from sfa.profit.deal import pnl
from tests.crm.desk import Desk
from tests.office import Office
from tests.profit.conftest import rates, sold, visited


def statements(office: Office) -> int:
    def count(connection: Connection) -> int:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            seen.append(statement)

        event.listen(connection, "before_cursor_execute", note)
        try:
            pnl.told(connection, "dirk", office.clock.now_ms(), "deal-a", None)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        return len(seen)

    return office.database.read(count)


def test_visits_lines_deals_and_expenses_cost_no_statement_of_their_own(office: Office, desk: Desk) -> None:
    """R40."""
    rates(office)
    sold(office, desk)
    visited(office, "v0")
    before = statements(office)
    for n in range(1, 12):
        visited(office, f"v{n}")
        office.put(
            ("products", f"p{n}", {"name": f"P{n}"}),
            ("deal_lines", f"x{n}", {"deal_key": "deal-a", "product_key": f"p{n}", "unit_price_minor": 1}),
            ("deals", f"deal-{n}", {"name": "N", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}),
            (
                "work_entries",
                f"w{n}",
                {"account_key": "acme", "minutes": 5, "done_on": "2026-01-05", "owner_key": "ana"},
            ),
        )
    office.clock.advance(1)
    assert statements(office) == before < 30
