"""R8: a yearly quota becomes quotas of its quarters, once and without touching what was approved."""

from typing import Any

import pytest

from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.conftest import ANAS, PERIODS

pytestmark = pytest.mark.usefixtures("planned")


def spread(office: Office, user: str = "mia", key: str = "q-ana", **said: Any) -> Any:
    return office.phone(user).do("quota.spread", "quotas", key, base=1, set={"children": "quarter", **said})


def parts(office: Office, of: str = "q-ana") -> dict[str, int]:
    return {row["period_key"]: row["target"] for row in office.rows("quotas") if row["spread_of"] == of}


def test_the_parts_are_drafts_of_the_same_owner_that_sum_to_the_whole(planned: Office) -> None:
    """R8."""
    planned.put(("quotas", "q-ana", {"target": 100_001, "counts_no_show": True}))
    assert spread(planned).outcome == "applied"
    assert parts(planned) == {"FY2026.Q1": 25_001, "FY2026.Q2": 25_000, "FY2026.Q3": 25_000, "FY2026.Q4": 25_000}
    row = planned.row("quotas", "q-ana-FY2026.Q3")
    assert {f: row[f] for f in ("user_key", "measure", "currency", "status", "counts_no_show", "spread_of")} == {
        "user_key": "ana",
        "measure": "revenue",
        "currency": "EUR",
        "status": "draft",
        "counts_no_show": True,
        "spread_of": "q-ana",
    }


def test_the_same_order_again_changes_nothing(planned: Office) -> None:
    """R8: deterministic, and once."""
    said: dict[str, Any] = {"method": "seasonal", "weights_bp": [1_000, 2_000, 3_000, 4_000]}
    assert spread(planned, **said).outcome == "applied"
    seq, before = planned.seq(), parts(planned)
    assert before == {"FY2026.Q1": 10_000, "FY2026.Q2": 20_000, "FY2026.Q3": 30_000, "FY2026.Q4": 40_000}
    assert spread(planned, **said).outcome == "applied"
    assert (planned.seq(), parts(planned)) == (seq, before)


def test_weights_of_ninety_nine_point_nine_nine_spread_nothing(planned: Office) -> None:
    """R8: nothing half-done."""
    receipt = spread(planned, method="seasonal", weights_bp=[2_500, 2_500, 2_500, 2_499])
    assert (receipt.code, receipt.details) == ("weights_invalid", {"total_bp": 9_999, "missing_bp": 1})
    assert parts(planned) == {}


def test_what_was_approved_is_not_overwritten_and_nothing_else_changes_then(planned: Office) -> None:
    """R5, R8."""
    assert spread(planned).outcome == "applied"
    assert planned.phone("mia").do("quota.approve", "quotas", "q-ana-FY2026.Q1", base=1).outcome == "applied"
    assert spread(planned).outcome == "applied", "it says so already"
    assert planned.phone("mia").edit("quotas", "q-ana", target=200_000).outcome == "applied"
    receipt = spread(planned)
    assert (receipt.code, receipt.details) == ("quota_approved", {"keys": ["q-ana-FY2026.Q1"]})
    assert spread(planned, from_on="2026-04-01").code == "quota_approved", "nor deleted"
    assert set(parts(planned).values()) == {25_000}


def test_a_part_period_leaves_out_what_lies_outside(planned: Office) -> None:
    """R8: parts of an earlier order go."""
    assert spread(planned).outcome == "applied"
    assert spread(planned, method="working_days", from_on="2026-07-01").outcome == "applied"
    assert parts(planned) == {"FY2026.Q3": 50_000, "FY2026.Q4": 50_000}  # 66 working days each
    assert spread(planned).outcome == "applied"
    assert set(parts(planned).values()) == {25_000}, "and come back"


def test_a_ramp_is_told_as_the_difference_to_the_whole(planned: Office, desk: Desk) -> None:
    """R8: the sum of the ramped parts is stated, not silently the whole."""
    assert spread(planned, ramp_bp=[0, 5_000]).outcome == "applied"
    told = desk.get("mia", "/api/quotas/q-ana/members").json()
    assert told["parts"] == [
        {"kind": "quarter", "count": 4, "sum": 62_500, "difference": -37_500, "approved": 0},
    ]


def test_another_quota_in_the_way_is_named(planned: Office) -> None:
    planned.put(("quotas", "mine", {**ANAS, "period_key": "FY2026.Q2"}))
    receipt = spread(planned)
    assert (receipt.code, receipt.details) == ("quota_twice", {"key": "mine"})
    assert parts(planned) == {}
    planned.put(("quotas", "q-north-FY2026.Q1", {**ANAS, "user_key": "bob"}))
    assert spread(planned, "dirk", "q-north").code == "key_taken"


def test_periods_that_do_not_fill_the_year_are_named(planned: Office) -> None:
    receipt = spread(planned, children="month")
    assert (receipt.code, receipt.details) == ("period_unknown", {"period": "FY2026", "kind": "month"})
    planned.delete("fiscal_periods", "FY2026.Q2")
    assert spread(planned).code == "period_unknown"


def test_who_may_not_set_the_quota_does_not_spread_it(planned: Office) -> None:
    assert spread(planned, "ana").code == "not_permitted"
    planned.put(("quotas", "q-mia", {**ANAS, "user_key": "mia"}))
    assert spread(planned, "mia", "q-mia").code == "not_permitted"
    assert spread(planned, "mia", "q-north").outcome == "applied", "a draft of her team: the level above approves it"


def test_a_long_key_still_gives_keys(planned: Office) -> None:
    key = "q" * 64
    planned.put(("quotas", key, {**ANAS, "user_key": "bob"}))
    assert spread(planned, key=key).outcome == "applied"
    assert len(parts(planned, key)) == len(PERIODS) - 1
