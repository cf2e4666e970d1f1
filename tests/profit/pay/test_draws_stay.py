"""What an ended period paid as a draw stays paid, whatever is written down about plans later (R41, R20)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm.desk import Desk, opened
from tests.db.test_commissions import has, plan
from tests.office import Office
from tests.profit.pay.test_statements import of
from tests.quotas.ledger import Q1, Q2, at, won, write

HAS = "ana.plan"
KEYS = ("opening_minor", "draw_minor", "paid_minor", "closing_minor")


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    write(office, Q1, Q2)
    with opened(office) as found:
        yield found


def to(office: Office, desk: Desk, day: str) -> None:
    office.clock.advance(at(day) - office.clock.now_ms())
    desk.forget_tokens()


def drawn(office: Office, **values: Any) -> None:
    write(office, plan(draw_minor=6_00, **values), has(valid_from="2026-01-01"))


def payout(desk: Desk, period_key: str) -> tuple[int, ...]:
    (paid,) = of(desk, period_key=period_key, as_="fay")["plans"]
    return tuple(paid["payout"][key] for key in KEYS)


def change(office: Office, entity: str, key: str, **values: Any) -> Any:
    """As finance does it; -> the code of what is refused."""
    return office.phone("fay").edit(entity, key, **values).code


def test_a_plan_that_is_written_down_later_draws_nothing_for_periods_that_had_ended(office: Office, desk: Desk) -> None:
    to(office, desk, "2026-04-20")
    write(office, won("a", "2026-01-10", 40_00))
    drawn(office)
    assert payout(desk, "Q1") == (0, 0, 0, 0)
    assert payout(desk, "Q2") == (0, 4_00, 6_00, -4_00)  # the late sale, and a draw of its own
    assert payout(desk, "FY2026.Q3") == (-4_00, 6_00, 6_00, -10_00)


def test_a_draw_that_an_ended_period_paid_keeps_the_terms_of_its_plan(office: Office, desk: Desk) -> None:
    drawn(office)
    assert change(office, "commission_plans", "plan", draw_minor=5_00) is None  # nobody was paid yet
    to(office, desk, "2026-03-31")
    assert change(office, "commission_plans", "plan", draw_minor=6_00) is None
    to(office, desk, "2026-04-20")
    before = [payout(desk, key) for key in ("Q1", "Q2")]
    assert before == [(0, 6_00, 6_00, -6_00), (-6_00, 6_00, 6_00, -12_00)]
    for wrong in ({"draw_minor": 1_00}, {"draw_recoverable": False}, {"valid_from": "2026-04-01"}):
        assert change(office, "commission_plans", "plan", **wrong) == "plan_kept", wrong
    assert change(office, "commission_plans", "plan", valid_to="2026-01-01") == "plan_kept"
    said = {"base": office.rev("commission_plans", "plan")}
    assert office.phone("fay").do("delete", "commission_plans", "plan", **said).outcome == "refused"
    assert [payout(desk, key) for key in ("Q1", "Q2")] == before


def test_a_plan_may_end_on_a_day_behind_what_it_paid(office: Office, desk: Desk) -> None:
    drawn(office)
    to(office, desk, "2026-07-20")
    assert change(office, "commission_plans", "plan", valid_to="2026-04-01") == "plan_kept"  # Q2 paid a draw
    assert change(office, "commission_plans", "plan", valid_to="2026-04-02", name="Old") is None
    assert payout(desk, "Q2") == (-6_00, 6_00, 6_00, -12_00)
    assert payout(desk, "FY2026.Q3") == (-12_00, 0, 0, -12_00)
    assert change(office, "commission_plans", "plan", valid_to=None) is None
    assert payout(desk, "FY2026.Q3") == (-12_00, 6_00, 6_00, -18_00)


def test_a_plan_without_a_draw_or_that_nobody_has_is_free(office: Office, desk: Desk) -> None:
    write(office, plan(), has(valid_from="2026-01-01"), plan("alone", draw_minor=6_00), plan("nil", draw_minor=0))
    write(office, has("bob", "nil"))
    to(office, desk, "2026-07-20")
    for key in ("plan", "alone", "nil"):
        assert change(office, "commission_plans", key, valid_to="2026-01-01") is None
        assert change(office, "commission_plans", key, draw_minor=7_00) is None


@pytest.mark.parametrize("how", ["later", "ended", "deleted"])
def test_an_advance_is_owed_whatever_becomes_of_who_has_the_plan(office: Office, desk: Desk, how: str) -> None:
    drawn(office)
    to(office, desk, "2026-04-20")
    if how == "deleted":
        said = {"base": office.rev("commission_assignments", HAS)}
        assert office.phone("fay").do("delete", "commission_assignments", HAS, **said).outcome == "applied"
    else:
        moved = {"valid_from": "2026-04-10"} if how == "later" else {"valid_to": "2026-01-02"}
        assert change(office, "commission_assignments", HAS, **moved) is None
    assert payout(desk, "Q1") == (0, 6_00, 6_00, -6_00)
    draw = 6_00 if how == "later" else 0  # Q2 has not ended: it goes by what is said today
    assert payout(desk, "Q2") == (-6_00, draw, draw, -6_00 - draw)
    listed = desk.get("fay", "/api/commission/statements").json()["items"]
    assert [[span["key"] for span in item["periods"]] for item in listed] == [["Q2", "Q1"]]


def test_who_is_given_a_plan_for_the_past_draws_nothing_of_it(office: Office, desk: Desk) -> None:
    write(office, plan(draw_minor=6_00), has(valid_from="2026-04-01"))
    to(office, desk, "2026-04-20")
    assert change(office, "commission_assignments", HAS, valid_from="2026-01-01") is None
    assert payout(desk, "Q1") == (0, 0, 0, 0)
    assert payout(desk, "Q2") == (0, 6_00, 6_00, -6_00)


def test_a_plan_that_is_no_more_and_paid_nobody_is_told_to_nobody(office: Office, desk: Desk) -> None:
    to(office, desk, "2026-04-20")
    drawn(office)
    said = {"base": office.rev("commission_assignments", HAS)}
    assert office.phone("fay").do("delete", "commission_assignments", HAS, **said).outcome == "applied"
    said = {"base": office.rev("commission_plans", "plan")}
    assert office.phone("fay").do("delete", "commission_plans", "plan", **said).outcome == "applied"
    assert of(desk, as_="fay")["plans"] == of(desk, period_key="Q2", as_="fay")["plans"] == []
