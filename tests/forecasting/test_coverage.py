"""Pipeline coverage and the gap to the target, guarded for zero and negative (R7); and at a screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.coverage import coverage
from sfa.core.forecast import BUCKETS, OPEN
from tests.crm.desk import Desk, opened
from tests.forecasting.selling import Q1, order
from tests.office import Office

AMOUNTS = st.dictionaries(st.sampled_from(BUCKETS), st.integers(-(10**9), 10**9))


def test_a_worked_example_of_coverage() -> None:
    """Target 1,000, closed 400, open 1,800 of which 600 commit, weighted 900: three times what is missing."""
    amounts = {"closed": 400, "commit": 600, "pipeline": 1_200, "slipped": 90, "omitted": 5}
    found = coverage(1_000, amounts, {"commit": 500, "pipeline": 400, "slipped": 40})
    assert (found.gap_minor, found.open_minor, found.weighted_minor, found.slipped_minor) == (600, 1_800, 900, 90)
    assert (found.coverage_bp, found.weighted_bp, found.code) == (30_000, 15_000, None)
    assert (found.views["commit"].amount_minor, found.views["commit"].gap_minor) == (1_000, 0)
    assert found.views["pipeline"].gap_minor == -1_200


@pytest.mark.parametrize(
    ("target", "amounts", "gap", "code"),
    [
        (None, {"closed": 5, "commit": 5}, None, "target_missing"),
        (0, {"commit": 5}, 0, "not_computable"),
        (-10, {"commit": 5}, -10, "not_computable"),
        (100, {"commit": -5}, 100, "not_computable"),
        (100, {"closed": 100, "commit": 5}, 0, "reached"),
        (100, {"closed": 130}, -30, "reached"),
    ],
)
def test_what_cannot_be_computed_has_a_code_and_no_figure_r7(
    target: int | None, amounts: dict[str, int], gap: int | None, code: str
) -> None:
    found = coverage(target, amounts, amounts)
    assert (found.gap_minor, found.coverage_bp, found.weighted_bp, found.code) == (gap, None, None, code)


def test_nothing_open_covers_nothing_of_a_gap() -> None:
    found = coverage(100, {"closed": 40, "slipped": 80}, {})
    assert (found.gap_minor, found.coverage_bp, found.code) == (60, 0, None)


@given(st.integers(-(10**9), 10**9) | st.none(), AMOUNTS, AMOUNTS)
def test_coverage_is_exact_or_says_why_not_r7(target: int | None, amounts: Any, weighted: Any) -> None:
    found = coverage(target, amounts, weighted)
    assert (found.coverage_bp is None) == (found.code is not None)
    if found.code is None:
        assert target is not None
        assert found.gap_minor is not None
        assert found.gap_minor > 0
        assert found.coverage_bp is not None
        open_minor = sum(amounts.get(bucket, 0) for bucket in OPEN)
        assert abs(found.coverage_bp * found.gap_minor - 10_000 * open_minor) * 2 <= found.gap_minor
    for gap in found.views.values():
        assert gap.gap_minor is None or target == gap.amount_minor + gap.gap_minor


# -- at a screen ------------------------------------------------------------------------------------------------------


def quota(key: str, target: int, **holder: Any) -> tuple[str, str, dict[str, Any]]:
    said = {"period_key": Q1, "measure": "revenue", "currency": "EUR", "status": "approved", "approvals": 1}
    return "quotas", key, {**said, "target": target, **holder}


@pytest.fixture
def desk(selling: Office) -> Iterator[Desk]:
    order(selling, "deal.win", "deal-b")
    rows = [quota("q-ana", 1_000_000, user_key="ana"), quota("q-bob", 0, user_key="bob")]
    rows += [quota("q-north", 2_000_000, team_key="north"), quota("q-all", 3_000_000, team_key="all-sales")]
    rows += [quota("q-south", 30_000, team_key="south"), quota("q-over", 7, user_key="cleo", overlay=True)]
    for entity, key, values in rows:
        selling.put_server_row(entity, key, {**BLANK, **values})
    with opened(selling) as found:
        yield found


BLANK: dict[str, Any] = {
    **{f"{kind}_key": None for kind in ("user", "team", "territory", "product")},
    **dict.fromkeys(("unit", "account_tier", "visit_type", "spread_of", "created_at", "created_by")),
    "counts_unverified": True,
    "counts_out_of_range": True,
    "counts_no_show": False,
    "counts_cancelled": False,
    "overlay": False,
}


def told(desk: Desk, user: str, query: str = "") -> dict[str, Any]:
    answer = desk.get(user, f"/api/forecast/coverage?period={Q1}{query}")
    assert answer.status_code == 200, answer.text
    return {item["node"]: item for item in answer.json()["items"]}


def figures(item: dict[str, Any]) -> tuple[Any, ...]:
    found = item["figures"]
    return tuple(found[name] for name in ("target_minor", "closed_minor", "open_minor", "coverage_bp", "code"))


def test_each_node_is_held_to_its_own_quota(desk: Desk) -> None:
    found = told(desk, "fay", "&node=team:all-sales")
    assert list(found) == ["team:all-sales", "team:north", "team:south", "user:dirk"]
    assert figures(found["team:all-sales"]) == (3_000_000, 100_000, 515_000, 1_776, None)
    assert figures(found["team:north"]) == (2_000_000, 60_000, 515_000, 2_655, None)
    assert figures(found["team:south"]) == (30_000, 40_000, 0, None, "reached")
    assert figures(found["user:dirk"]) == (None, 0, 0, None, "target_missing")
    north = told(desk, "mia", "&node=team:north")
    assert figures(north["user:ana"]) == (1_000_000, 0, 500_000, 5_000, None)
    assert figures(north["user:bob"])[-2:] == (None, "not_computable")
    assert north["user:ana"]["quota_keys"] == ["q-ana"]


def test_the_company_is_held_to_the_sum_of_what_lies_below_it(desk: Desk) -> None:
    found = told(desk, "fay", "&node=company")
    assert figures(found["company"])[:2] == (3_000_000, 100_000)
    assert found["company"]["quota_keys"] == ["q-all"]


def test_a_target_of_some_is_not_held_against_the_money_of_all(desk: Desk) -> None:
    """R7: north and south lie below the company, and only south has a quota."""
    desk.office.put_server_row("quotas", "q-north", {"approvals": 0})
    for edge in ("north", "south"):
        desk.office.put(("team_edges", f"e-{edge}", {"valid_to": "2026-01-02"}))
    found = told(desk, "fay", "&node=company")
    company = found["company"]
    assert {"team:north", "team:south", "team:all-sales"} <= found.keys()
    assert figures(company) == (3_030_000, 100_000, 515_000, None, "target_missing")
    assert company["quota_keys"] == ["q-all", "q-south"]
    assert (company["figures"]["gap_minor"], company["figures"]["weighted_bp"]) == (None, None)
    assert all(view["gap_minor"] is None for view in company["figures"]["views"].values())
    assert (company["partial"], company["why"]) == (True, ["target_missing"])
    desk.office.put_server_row("quotas", "q-north", {"approvals": 1})
    whole = told(desk, "fay", "&node=company")["company"]
    assert figures(whole)[0] == 5_030_000
    assert (whole["figures"]["code"], whole["partial"], whole["why"]) == (None, False, [])


def test_overlay_quotas_and_drafts_are_no_target(desk: Desk) -> None:
    assert figures(told(desk, "fay", "&node=user:cleo")["user:cleo"])[-1] == "target_missing"
    desk.office.put_server_row("quotas", "q-cleo", {**BLANK, **quota("", 5, user_key="cleo")[2], "approvals": 0})
    assert figures(told(desk, "fay", "&node=user:cleo")["user:cleo"])[-1] == "target_missing"


def test_a_target_of_another_currency_is_converted_or_said_to_be_missing_r34(desk: Desk) -> None:
    desk.office.put_server_row("quotas", "q-2", {**BLANK, **quota("", 60_000, user_key="ana")[2], "currency": "USD"})
    assert figures(told(desk, "fay", "&node=user:ana")["user:ana"])[0] == 1_030_000
    desk.office.put_server_row("quotas", "q-2", {"currency": "CHF"})
    assert figures(told(desk, "fay", "&node=user:ana")["user:ana"])[-1] == "rate_missing"


def test_who_sees_a_part_is_told_so_and_not_others_targets_r30(desk: Desk) -> None:
    mine = told(desk, "ana", "&node=user:ana")
    assert list(mine) == ["user:ana"]
    assert figures(mine["user:ana"])[0] == 1_000_000
    company = told(desk, "ana", "&node=company")["company"]
    assert (company["partial"], company["why"]) == (True, ["not_seen"])
    assert company["figures"]["code"] == "not_permitted"
    assert desk.get("ana", f"/api/forecast/coverage?period={Q1}&node=user:bob").json()["code"] == "not_found"


def test_products_have_no_quotas(desk: Desk) -> None:
    assert desk.get("fay", f"/api/forecast/coverage?period={Q1}&by=product").json()["code"] == "request_invalid"
