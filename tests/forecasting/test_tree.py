"""Where everybody stands on a day (R18, R19): each person once, leavers where they were, circles refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.answers import Place
from forecasting.tree import Stay, Tree, above
from sfa.core.errors import Refused
from sfa.core.hierarchy import Edge

DAY = "2026-02-15"
EDGES = [Edge("north", "emea", "2026-01-01"), Edge("emea", None, "2026-01-01"), Edge("south", "emea", "2026-01-01")]


def stay(user: str, team: str, since: str = "2026-01-01", until: str | None = None, manages: bool = False) -> Stay:
    return Stay(user, team, manages, since, until)


def test_a_member_stands_under_his_team_and_those_above_r18() -> None:
    found = Tree([stay("ann", "north")], EDGES).place("ann", DAY)
    assert found == Place(("team:emea", "team:north"))
    assert above(found) == "team:north"


def test_a_manager_stands_in_his_team_and_nobody_puts_a_figure_in_the_place_of_his_own_r25() -> None:
    found = Tree([stay("max", "north", manages=True)], EDGES).place("max", DAY)
    assert found == Place(("team:emea", "team:north"), manages=True)
    assert above(found) is None


def test_who_is_a_member_of_one_team_and_manages_others_stands_where_he_is_a_member_r19() -> None:
    tree = Tree([stay("max", "south"), stay("max", "north", manages=True), stay("max", "a", manages=True)], EDGES)
    assert tree.place("max", DAY) == Place(("team:emea", "team:south"))


def test_of_several_teams_that_he_manages_the_first_is_his_place_r19() -> None:
    tree = Tree([stay("max", "south", manages=True), stay("max", "north", manages=True)], EDGES)
    assert tree.place("max", DAY) == Place(("team:emea", "team:north"), manages=True)


def test_a_rep_who_moves_on_day_40_stands_in_each_team_on_his_own_days_r18() -> None:
    tree = Tree([stay("ann", "north", until="2026-02-09"), stay("ann", "south", "2026-02-09")], EDGES)
    assert tree.place("ann", "2026-02-08").path[-1] == "team:north"
    assert tree.place("ann", "2026-02-09").path[-1] == "team:south"


def test_a_leaver_stays_where_he_was_on_his_last_day_r18() -> None:
    left = [stay("ann", "south", until="2026-01-10"), stay("ann", "north", "2026-01-10", "2026-02-01")]
    assert Tree(left, EDGES).place("ann", DAY) == Place(("team:emea", "team:north"))


def test_a_manager_who_left_manages_no_more_r18() -> None:
    left = [stay("max", "north", until="2026-02-01", manages=True)]
    assert Tree(left, EDGES).place("max", DAY) == Place(("team:emea", "team:north"), manages=False)


@pytest.mark.parametrize("stays", [[], [stay("ann", "north", "2027-01-01")]])
def test_whom_no_team_knows_yet_stands_directly_below_the_company(stays: list[Stay]) -> None:
    found = Tree(stays, EDGES).place("ann", DAY)
    assert found == Place()
    assert above(found) is None


def test_a_team_that_moves_takes_its_people_along_from_that_day_r18() -> None:
    edges = [Edge("north", "emea", "2026-01-01", "2026-02-01"), Edge("north", "apac", "2026-02-01")]
    tree = Tree([stay("ann", "north")], edges)
    assert tree.place("ann", "2026-01-31").path == ("team:emea", "team:north")
    assert tree.place("ann", "2026-02-01").path == ("team:apac", "team:north")


def test_a_circle_is_refused_and_not_walked_for_ever_r19() -> None:
    tree = Tree([stay("ann", "a")], [Edge("a", "b", "2026-01-01"), Edge("b", "a", "2026-01-01")])
    with pytest.raises(Refused) as refused:
        tree.place("ann", DAY)
    assert refused.value.code == "hierarchy_cycle"


def test_what_has_no_territory_has_a_node_of_its_own() -> None:
    tree = Tree([], (), [Edge("rome", "italy", "2026-01-01")])
    assert tree.territory_path("rome", DAY) == ("territory:italy", "territory:rome")
    assert tree.territory_path(None, DAY) == ("territory:",)


def test_who_manages_a_team_is_a_matter_of_the_day_r18() -> None:
    tree = Tree([stay("max", "north", until=DAY, manages=True), stay("mia", "north", "2026-02-01", manages=True)])
    assert tree.managers("north", "2026-02-10") == ["max", "mia"]
    assert tree.managers("north", DAY) == ["mia"]


TEAMS = [f"t{n}" for n in range(6)]
DAYS = [f"2026-01-{n:02}" for n in range(1, 29)]


@st.composite
def stays_of_ann(draw: st.DrawFn) -> list[Stay]:
    found = []
    for _ in range(draw(st.integers(0, 5))):
        since, until = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=2, max_size=2, unique=True)))
        ends = draw(st.sampled_from((until, None)))
        found.append(stay("ann", draw(st.sampled_from(TEAMS)), since, ends, draw(st.booleans())))
    return found


@given(stays_of_ann(), st.lists(st.sampled_from(TEAMS), min_size=6, max_size=6), st.sampled_from(DAYS))
def test_a_place_is_one_way_up_through_a_team_of_that_or_an_earlier_day_r19(
    stays: list[Stay], parents: list[str], day: str
) -> None:
    """For any memberships, and any tree in which a team lies under an earlier one only."""
    edges = [
        Edge(team, parent if parent < team else None, "2026-01-01") for team, parent in zip(TEAMS, parents, strict=True)
    ]
    found = Tree(stays, edges).place("ann", day)
    begun = [s for s in stays if s.valid_from <= day]
    assert bool(found.path) == bool(begun)
    assert len(set(found.path)) == len(found.path)
    if found.path:
        there = [s for s in begun if f"team:{s.team_key}" == found.path[-1]]
        assert there
        if any(s.holds_on(day) for s in begun):
            assert any(s.holds_on(day) for s in there)
        assert not found.manages or any(s.manages and s.holds_on(day) for s in there)
