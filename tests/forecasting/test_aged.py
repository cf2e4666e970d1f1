"""What no device carries any more moves forecasts as all else does: no roll-up of before is told again (S10, R30)."""

from collections.abc import Callable

import pytest

from tests.builders import DAY_MS
from tests.crm.desk import Desk
from tests.forecasting.telling import nodes, rollup
from tests.office import Office
from tests.quotas.books import win

LATE = {"name": "late", "kind": "quarter", "start_on": "2027-10-01", "end_on": "2028-01-01"}
Change = Callable[[Office], object]


def invoice(office: Office) -> None:
    done = office.phone("root").do("deal.invoice", "deals", "won", base=office.rev("deals", "won"))
    assert done.outcome == "applied", done


def line(office: Office) -> None:
    office.put(("deal_lines", "line", {"deal_key": "won", "product_key": "pump", "unit_price_minor": 7}))


@pytest.fixture
def aged(desk: Desk) -> Desk:
    """A deal that was won in the first quarter of 2026, seen from the end of 2027, when no phone has it any more."""
    office = desk.office
    win(office.phone("ana"), "won", 70_000)
    office.put(("fiscal_periods", "late", LATE))
    office.clock.advance(700 * DAY_MS)
    desk.forget_tokens()
    office.put(("deals", "won", {"name": "old"}))
    assert office.row("deals", "won")["aged"]
    return desk


CHANGES: dict[str, tuple[Change, str, str, str, int]] = {
    "an amount": (
        lambda office: office.put(("deals", "won", {"amount_minor": 90_000})),
        "q1",
        "owner",
        "user:ana",
        90_000,
    ),
    "a deletion": (lambda office: office.delete("deals", "won"), "q1", "owner", "company", 0),
    "a line": (line, "q1", "product", "product:pump", 70_000),
    "an invoice": (invoice, "late", "owner", "user:ana", 70_000),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_is_too_old_for_devices_is_in_the_next_answer_s10(aged: Desk, change: str) -> None:
    make, period, by, node, expected = CHANGES[change]
    if change == "an invoice":
        aged.office.put(("credit_rules", "r", {"event": "invoiced", "valid_from": "2025-01-01"}))
    asked = {"period": period, "by": by, "node": "company"}
    before = nodes(rollup(aged, **asked)).get(node)
    assert before is None or before["buckets"]["closed"]["amount_minor"] != expected
    make(aged.office)
    assert nodes(rollup(aged, **asked))[node]["buckets"]["closed"]["amount_minor"] == expected
