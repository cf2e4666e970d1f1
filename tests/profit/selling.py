"""A company that has sold much: won deals with one line each, at prices that a test chooses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sfa.profit.price import guiding
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.deals.conftest import stated
from tests.office import Office

LIST = 10_000


@contextmanager
def at_screens(office: Office) -> Iterator[Desk]:
    with opened(office) as desk:
        yield desk


def won(office: Office, prices: list[int], prefix: str = "w", quantity: str = "1", **values: Any) -> None:
    """A won deal for each price of a pump (list price `LIST`), closed some days ago."""
    rows: list[tuple[str, str, dict[str, Any]]] = []
    for n, price in enumerate(prices):
        key = f"{prefix}{n:02}"
        deal = {"name": key, "owner_key": "ana", "account_key": "acme", "stage_key": "won", "currency": "EUR"}
        closed = {"closed_at": NOW - (n + 1) * DAY_MS, "amount_minor": price}
        rows.append(("deals", key, {**deal, **closed, **values}))
        line = {"deal_key": key, "product_key": "pump", "quantity": quantity, "unit_price_minor": price}
        rows.append(("deal_lines", f"{key}-line", line))
    stated(office, *rows)


def guided(office: Office) -> guiding.Made:
    return office.database.write(guiding.make_guides, office.clock.now_ms())
