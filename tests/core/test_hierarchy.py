"""R18, R19: dated trees without cycles, overlaps and orphans; a roll-up counts every leaf once."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.hierarchy import Edge, Tree, left, moved

NODES = "abcdef"
DAYS = 12


def day(number: int) -> str:
    return (date(2026, 1, 1) + timedelta(days=number)).isoformat()


def edge(child: str, parent: str | None, start: int = 0, end: int | None = None) -> Edge:
    return Edge(child, parent, day(start), None if end is None else day(end))


@st.composite
def any_edge(draw: st.DrawFn) -> Edge:
    start = draw(st.integers(0, DAYS - 1))
    end = draw(st.none() | st.integers(start + 1, DAYS))
    return edge(draw(st.sampled_from(NODES)), draw(st.none() | st.sampled_from(NODES)), start, end)


@st.composite
def dated_trees(draw: st.DrawFn) -> tuple[Edge, ...]:
    """A tree that grew by moves; those that would break it were refused."""
    edges: tuple[Edge, ...] = tuple(edge(node, None) for node in draw(st.sets(st.sampled_from(NODES), min_size=1)))
    for new in draw(st.lists(any_edge(), max_size=12)):
        try:
            edges = moved(edges, new)
        except Refused as refused:
            if refused.code not in ("hierarchy_cycle", "hierarchy_orphan"):
                raise
    return edges


def faults_on(edges: list[Edge], on: str) -> set[str]:
    """The faults of one day, told the slow way."""
    today = [e for e in edges if e.valid_from <= on and (e.valid_to is None or on < e.valid_to)]
    found = set()
    if any(count > 1 for count in Counter(e.child for e in today).values()):
        return {"hierarchy_overlap"}
    parents = {e.child: e.parent for e in today}
    for node in parents:
        at: str | None = node
        for _ in range(len(parents) + 1):
            if at is None:
                break
            if at not in parents:
                found.add("hierarchy_orphan")
                break
            at = parents[at]
        else:
            found.add("hierarchy_cycle")
    return found


@given(st.lists(any_edge(), max_size=10))
def test_edges_are_refused_exactly_when_some_day_has_a_fault_and_the_first_such_day_is_named(
    edges: list[Edge],
) -> None:
    """R19"""
    faults = {day(n): faults_on(edges, day(n)) for n in range(DAYS + 1)}
    faulty = [on for on, found in faults.items() if found]
    if not faulty:
        assert len(Tree(edges).edges) == len(edges)
        return
    with pytest.raises(Refused) as refused:
        Tree(edges)
    assert refused.value.details["on"] == faulty[0]
    assert refused.value.code in faults[faulty[0]]


def test_a_cycle_an_overlap_and_an_orphan_have_their_own_codes() -> None:
    """R19"""
    cases = {
        "hierarchy_cycle": [edge("a", None), edge("b", "c"), edge("c", "b")],
        "hierarchy_overlap": [edge("a", None), edge("b", "a", 0, 5), edge("b", None, 4)],
        "hierarchy_orphan": [edge("a", None, 0, 5), edge("b", "a", 0, 6)],
    }
    for code, edges in cases.items():
        with pytest.raises(Refused) as refused:
            Tree(edges)
        assert refused.value.code == code


def test_a_cycle_of_a_single_day_and_of_oneself_is_found() -> None:
    """R19"""
    for edges, on in (
        ([edge("a", None, 0, 4), edge("a", "b", 4, 5), edge("a", None, 5), edge("b", "a")], 4),
        ([edge("a", "a", 3)], 3),
    ):
        with pytest.raises(Refused) as refused:
            Tree(edges)
        assert (refused.value.code, refused.value.details["on"]) == ("hierarchy_cycle", day(on))


def test_an_edge_that_holds_on_no_day_is_refused() -> None:
    for bad in (edge("a", None, 3, 3), edge("a", None, 3, 2), Edge("a", None, "2026-02-30")):
        with pytest.raises(Refused) as refused:
            Tree([bad])
        assert refused.value.code == "field_invalid"


@given(dated_trees(), st.integers(0, DAYS))
def test_looking_up_and_down_the_tree_agrees(edges: tuple[Edge, ...], number: int) -> None:
    """R18"""
    tree, on = Tree(edges), day(number)
    members = tree.members(on)
    assert sorted(members) == sorted({e.child for e in edges if e.holds_on(on)})
    for node in members:
        above = tree.ancestors(node, on)
        assert above[:1] == [parent for parent in [tree.parent_on(node, on)] if parent is not None]
        assert all(node in tree.descendants(up, on) for up in above)
        assert set(tree.descendants(node, on)) == {m for m in members if node in tree.ancestors(m, on)}
        assert node not in above


@given(dated_trees(), st.integers(0, DAYS), st.dictionaries(st.sampled_from(NODES), st.integers(-99, 99)))
def test_the_roots_are_the_sum_of_all_values_on_any_day(
    edges: tuple[Edge, ...], number: int, own: dict[str, int]
) -> None:
    """R19: a roll-up counts every leaf once."""
    tree, on = Tree(edges), day(number)
    result = tree.roll_up(on, own)
    roots = [node for node in tree.members(on) if tree.parent_on(node, on) is None]
    assert sum(result.totals.get(root, 0) for root in roots) + sum(result.unplaced.values()) == sum(own.values())
    for node in tree.members(on):
        below = [node, *tree.descendants(node, on)]
        assert result.totals.get(node, 0) == sum(own.get(member, 0) for member in below)
    assert set(result.unplaced) == set(own) - set(tree.members(on))


@given(
    dated_trees(),
    st.lists(st.tuples(st.sampled_from(NODES), st.integers(0, DAYS).map(day), st.integers(-99, 99)), max_size=20),
)
def test_dated_facts_roll_up_as_the_sum_of_their_days(
    edges: tuple[Edge, ...], facts: list[tuple[str, str, int]]
) -> None:
    """R18"""
    tree = Tree(edges)
    expected: Counter[str] = Counter()
    unplaced: Counter[str] = Counter()
    for node, on, value in facts:
        of_day = tree.roll_up(on, {node: value})
        for counter, values in ((expected, of_day.totals), (unplaced, of_day.unplaced)):
            for place, amount in values.items():
                counter[place] += amount
    result = tree.roll_up_dated(facts)
    assert (result.totals, result.unplaced) == (dict(expected), dict(unplaced))


def test_who_moves_on_day_40_brings_each_team_his_own_days() -> None:
    """R18"""
    before = [edge("company", None), edge("north", "company"), edge("south", "company"), edge("rep", "north")]
    tree = Tree(moved(before, edge("rep", "south", 40)))
    result = tree.roll_up_dated([("rep", day(39), 100), ("rep", day(40), 7)])
    assert result.totals == {"rep": 107, "north": 100, "south": 7, "company": 107}


def test_a_leaver_keeps_past_credit_and_vanishes_from_later_days() -> None:
    """R18"""
    tree = Tree(left([edge("team", None), edge("rep", "team")], "rep", day(5)))
    assert tree.descendants("team", day(4)) == ["rep"]
    assert tree.descendants("team", day(5)) == []
    result = tree.roll_up_dated([("rep", day(4), 100), ("rep", day(5), 7)])
    assert (result.totals, result.unplaced) == ({"rep": 100, "team": 100}, {"rep": 7})


def test_a_team_with_members_cannot_leave() -> None:
    """R19"""
    with pytest.raises(Refused) as refused:
        left([edge("team", None), edge("rep", "team")], "team", day(5))
    assert refused.value.code == "hierarchy_orphan"


def test_a_fold_takes_any_combination_and_skips_who_has_nothing() -> None:
    tree = Tree([edge("a", None), edge("b", "a"), edge("c", "b"), edge("d", "a")])
    latest = tree.fold(day(0), {"c": "2026-03", "d": "2026-01", "stranger": "2026-12"}, max)
    assert latest == {"a": "2026-03", "b": "2026-03", "c": "2026-03", "d": "2026-01"}


@given(dated_trees(), any_edge())
def test_a_move_changes_its_child_on_its_days_and_nothing_else(edges: tuple[Edge, ...], new: Edge) -> None:
    """R18: the past stays."""
    try:
        after = Tree(moved(edges, new))
    except Refused:
        return
    before = Tree(edges)
    landed = next(e for e in after.edges if e.child == new.child and e.valid_from == new.valid_from)
    assert landed.parent == new.parent
    assert new.valid_to in (None, landed.valid_to)
    for number in range(DAYS + 1):
        on = day(number)
        for node in NODES:
            if node == new.child and landed.holds_on(on):
                assert after.parent_on(node, on) == new.parent
            else:
                assert after.is_member(node, on) == before.is_member(node, on)
                assert after.parent_on(node, on) == before.parent_on(node, on)


def test_a_move_without_end_respects_what_is_already_planned() -> None:
    """R18: a planned later move and a known leaving date stay as they are."""
    teams = [edge(team, None) for team in ("n", "s", "w")]
    planned = moved([*teams, edge("rep", "n", 0, 8), edge("rep", "s", 8)], edge("rep", "w", 3))
    assert [e for e in planned if e.child == "rep"] == [
        edge("rep", "n", 0, 3),
        edge("rep", "w", 3, 8),
        edge("rep", "s", 8),
    ]
    leaver = moved([*teams, edge("rep", "n", 0, 8)], edge("rep", "w", 3))
    assert [e for e in leaver if e.child == "rep"] == [edge("rep", "n", 0, 3), edge("rep", "w", 3, 8)]


def test_a_loan_with_an_end_returns_to_the_old_team() -> None:
    """R18"""
    teams = [edge("n", None), edge("s", None)]
    loan = moved([*teams, edge("rep", "n")], edge("rep", "s", 3, 5))
    assert [e for e in loan if e.child == "rep"] == [
        edge("rep", "n", 0, 3),
        edge("rep", "s", 3, 5),
        edge("rep", "n", 5),
    ]


def test_a_manager_cannot_be_put_below_his_own_report() -> None:
    """R19"""
    with pytest.raises(Refused) as refused:
        moved([edge("boss", None), edge("manager", "boss"), edge("rep", "manager")], edge("manager", "rep", 5))
    assert refused.value.code == "hierarchy_cycle"


def test_a_long_chain_of_command_is_walked_without_recursion() -> None:
    edges = [edge("0", None), *(edge(str(n), str(n - 1)) for n in range(1, 1_500))]
    tree = Tree(edges)
    assert len(tree.ancestors("1499", day(0))) == 1_499
    assert tree.roll_up(day(0), {str(n): 1 for n in range(1_500)}).totals["0"] == 1_500
