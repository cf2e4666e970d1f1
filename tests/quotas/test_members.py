"""R6: a team's target and the sum of its members' are two facts."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.quotas.members import within
from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.conftest import ANAS

pytestmark = pytest.mark.usefixtures("planned")

days = st.integers(1, 28).map(lambda day: f"2026-01-{day:02}")
SPAN = ("2026-01-05", "2026-01-25")


@given(st.lists(st.tuples(days, st.none() | days).filter(lambda s: s[1] is None or s[0] < s[1]), max_size=5))
def test_stretches_are_exactly_the_days_of_dated_rows_in_the_period(spans: list[tuple[str, str | None]]) -> None:
    """R18."""
    found = within(SPAN, spans)
    for day in (f"2026-01-{day:02}" for day in range(1, 32)):
        meant = SPAN[0] <= day < SPAN[1] and any(s <= day and (e is None or day < e) for s, e in spans)
        assert sum(start <= day < end for start, end in found) == meant
    assert all(one[1] < other[0] for one, other in pairwise(found))


def told(desk: Desk, user: str, key: str = "q-north") -> dict[str, Any]:
    answer = desk.get(user, f"/api/quotas/{key}/members")
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def test_the_difference_is_shown_and_nothing_is_forced(planned: Office, desk: Desk) -> None:
    """R6."""
    planned.put(("quotas", "q-bob", {**ANAS, "user_key": "bob", "target": 120_000}))
    found = told(desk, "mia")
    assert (found["target"], found["sum"], found["sum_by_days"], found["difference"]) == (
        *(250_000, 220_000, 220_000, -30_000),
    )
    assert (found["partial"], found["missing"], found["period_days"]) == (False, 0, 365)
    assert [(m["key"], m["target"], m["days"], m["counted"]) for m in found["members"]] == [
        ("ana", 100_000, 365, True),
        ("bob", 120_000, 365, True),
    ]
    assert planned.row("quotas", "q-north")["target"] == 250_000


def test_who_belonged_to_it_for_a_part_is_listed_with_his_days(planned: Office, desk: Desk) -> None:
    """R6, R18: Bob leaves on day 40 and Ana is away for April."""
    planned.put(
        ("team_members", "m-bob", {"valid_to": "2026-02-10"}),
        ("team_members", "m-ana", {"valid_to": "2026-04-01"}),
        ("team_members", "m-ana-2", {"team_key": "north", "user_key": "ana", "valid_from": "2026-05-01"}),
        ("quotas", "q-bob", {**ANAS, "user_key": "bob", "target": 36_500}),
    )
    found = told(desk, "dirk")
    ana, bob = found["members"]
    assert bob["stretches"] == [{"from_on": "2026-01-01", "to_on": "2026-02-10"}]
    assert (bob["days"], ana["days"]) == (40, 335)
    assert [s["from_on"] for s in ana["stretches"]] == ["2026-01-01", "2026-05-01"]
    assert found["sum"] == 136_500
    assert found["sum_by_days"] == round((36_500 * 40 + 100_000 * 335) / 365)
    assert found["difference"] == -113_500


def test_who_has_no_target_is_counted_as_missing_and_another_currency_is_not_summed(
    planned: Office, desk: Desk
) -> None:
    """R34."""
    assert told(desk, "mia")["missing"] == 1
    planned.put(("quotas", "q-bob", {**ANAS, "user_key": "bob", "currency": "USD"}))
    found = told(desk, "mia")
    assert [m["counted"] for m in found["members"]] == [True, False]
    assert (found["sum"], found["difference"], found["partial"]) == (100_000, None, True)


def test_a_team_above_sums_its_sub_teams(planned: Office, desk: Desk) -> None:
    """R6, R19: and its manager where he has a target himself."""
    planned.put(("quotas", "q-all", {**ANAS, "user_key": None, "team_key": "all-sales", "target": 400_000}))
    found = told(desk, "fay", "q-all")
    assert [(m["entity"], m["key"], m["target"]) for m in found["members"]] == [
        ("teams", "north", 250_000),
        ("teams", "south", None),
    ]
    assert (found["sum"], found["missing"]) == (250_000, 1)
    planned.put(("quotas", "q-dirk", {**ANAS, "user_key": "dirk", "target": 7}))
    assert told(desk, "fay", "q-all")["sum"] == 250_007


def test_a_territory_sums_those_who_cover_it(planned: Office, desk: Desk) -> None:
    planned.put(("quotas", "q-t", {**ANAS, "user_key": None, "territory_key": "t-north", "target": 90_000}))
    found = told(desk, "mia", "q-t")
    assert [(m["key"], m["target"]) for m in found["members"]] == [("ana", 100_000), ("bob", None)]
    assert found["difference"] == 10_000


def test_what_the_caller_may_not_see_makes_it_partial(planned: Office, desk: Desk) -> None:
    """S13: Ana sees her team's target, and not what Bob's is, nor whether he has one."""
    without = told(desk, "ana")
    planned.put(("quotas", "q-bob", {**ANAS, "user_key": "bob", "target": 120_000}))
    assert told(desk, "ana") == without
    assert (without["sum"], without["difference"], without["partial"]) == (100_000, None, True)
    assert [(m["key"], m["visible"], m["target"]) for m in without["members"]] == [
        ("ana", True, 100_000),
        ("bob", False, None),
    ]
    assert desk.get("cleo", "/api/quotas/q-north/members").status_code == 404
    assert desk.get("ana", "/api/quotas/nothing/members").status_code == 404


def test_a_persons_quota_has_no_members(planned: Office, desk: Desk) -> None:
    found = told(desk, "ana", "q-ana")
    assert (found["members"], found["sum"], found["difference"], found["parts"]) == ([], 0, None, [])


def test_parts_are_those_that_measure_the_same_still(planned: Office, desk: Desk) -> None:
    """R11: whoever makes another quota of the whole, or of a part, has two measures that are never summed."""
    visits = {**ANAS, "measure": "total_contacts", "currency": None, "target": 101}
    planned.put(("quotas", "q-visits", visits))
    mia = planned.phone("mia")
    assert mia.do("quota.spread", "quotas", "q-visits", set={"children": "quarter"}).outcome == "applied"
    (parts,) = told(desk, "mia", "q-visits")["parts"]
    assert (parts["count"], parts["sum"], parts["difference"]) == (4, 101, 0)
    part = next(row["key"] for row in planned.rows("quotas") if row["spread_of"] == "q-visits")
    assert mia.edit("quotas", part, visit_type="demo").outcome == "applied"
    (parts,) = told(desk, "mia", "q-visits")["parts"]
    assert parts["count"] == 3
    assert mia.edit("quotas", "q-visits", measure="unique_contacts").outcome == "applied"
    assert told(desk, "mia", "q-visits")["parts"] == []
