"""Approvals of discounts as a pure rule (R44, R53)."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.access import ROLES
from sfa.profit.price.limits import NOBODY, Approval, approval, highest, limits_of

limits = st.dictionaries(st.sampled_from(ROLES), st.integers(0, 10_000))


def limit(role: str, bp: int, family: str | None = None, start: str = "2026-01-01", end: str | None = None) -> Any:
    return {"role": role, "family": family, "limit_bp": bp, "valid_from": start, "valid_to": end}


def asked(price: int, found: dict[str, int], role: str = "rep") -> Approval:
    return approval("l", price * 10_000, 10_000, found, role)


@given(limits, st.integers(0, 12_000), st.sampled_from(ROLES))
def test_the_lowest_role_that_may_is_named_and_nobody_below_it_may(own: dict[str, int], price: int, role: str) -> None:
    found = limits_of([limit(r, bp) for r, bp in own.items()], None, "2026-06-01")
    told = asked(price, found, role)
    above = ROLES[ROLES.index(role) :]
    may = [r for r in above if r not in found or 10_000 - price <= found[r]]
    if told.code is not None:
        assert (told.code, may) == ("beyond_all_limits", [])
    else:
        assert may[0] == (told.role or role)
        assert (told.role is None) == (may[0] == role)


@given(limits, st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_deeper_discount_never_needs_a_lower_role(own: dict[str, int], one: int, other: int) -> None:
    found = limits_of([limit(r, bp) for r, bp in own.items()], None, "2026-06-01")
    told = [highest([asked(price, found)]) for price in sorted((one, other), reverse=True)]
    order = [None, *ROLES, NOBODY]
    assert order.index(told[0]) <= order.index(told[1])


def test_a_role_without_a_limit_has_that_of_the_next_role_above() -> None:
    assert limits_of([limit("manager", 2_000)], None, "2026-06-01") == {"rep": 2_000, "manager": 2_000}
    assert limits_of([], None, "2026-06-01") == {}
    assert asked(1, {}).needed is False


def test_a_limit_of_the_family_counts_before_that_of_all_others_and_only_on_its_days() -> None:
    rows = [limit("rep", 1_000), limit("rep", 3_000, "pumps"), limit("rep", 0, end="2026-02-01")]
    assert limits_of(rows, "pumps", "2026-06-01")["rep"] == 3_000
    assert limits_of(rows, "hoses", "2026-06-01")["rep"] == 1_000
    assert limits_of(rows, "hoses", "2026-01-31")["rep"] == 0, "the stricter of two counts"


def test_what_cannot_be_judged_is_said_and_is_no_consent() -> None:
    found = limits_of([limit("rep", 1_000), limit("manager", 2_000), limit("director", 3_000)], None, "2026-06-01")
    assert approval("l", 1, None, found, "rep").code == "no_list_price"
    assert [asked(price, found).role for price in (9_000, 8_999, 7_999)] == [None, "manager", "director"]
    everybody = limits_of([limit(role, 1_000) for role in ROLES], None, "2026-06-01")
    assert asked(1_000, everybody).code == "beyond_all_limits"
    assert highest([asked(1_000, everybody), asked(9_500, everybody)]) == NOBODY
    assert highest([asked(8_999, found), asked(7_999, found), asked(9_999, found)]) == "director"
