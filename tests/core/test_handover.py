"""Which edits count as made while their author held the row (S37)."""

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.access import Membership, Organisation
from sfa.core.handover import ALWAYS, NOW, Held, Span, Spell, deciding_team, last_held, life_of
from sfa.core.hierarchy import Edge

TICKS = 12
BUCKETS = ("a", "b", "c")

ends = st.integers(0, TICKS)
spans = st.builds(
    lambda since, length, still: Span(since, None if still else since + length), ends, st.integers(0, 6), st.booleans()
)
bucket_sets = st.sets(st.sampled_from(BUCKETS)).map(frozenset)
spells = st.lists(st.builds(Spell, spans, bucket_sets, st.none() | bucket_sets), max_size=4)
intervals = st.lists(st.builds(Held, st.sampled_from(BUCKETS), spans), max_size=4)


def inside(tick: int, span: Span) -> bool:
    return span.since <= tick and (span.until is None or tick < span.until)


def held_at(tick: int, life: Span, lay: list[Spell], holds: list[Held]) -> bool:
    """The definition, said plainly for one number."""
    mine = {held.bucket for held in holds if inside(tick, held.span)}
    return inside(tick, life) and any(
        inside(tick, spell.span)
        and bool(mine & spell.buckets)
        and (spell.changers is None or bool(mine & spell.changers))
        for spell in lay
    )


@given(life=spans, lay=spells, holds=intervals)
def test_an_edit_counts_when_at_one_number_all_of_it_was_true(life: Span, lay: list[Spell], holds: list[Held]) -> None:
    """Asked at each number by itself, up to where nothing changes any more."""
    last = 2 * TICKS + 10
    ticks = [tick for tick in range(last + 1) if held_at(tick, life, lay, holds)]
    found = last_held(life, lay, holds)
    if not ticks:
        assert found is None
    elif ticks[-1] == last:
        assert found == NOW
    else:
        assert found == ticks[-1]


@given(life=spans, lay=spells, holds=intervals, later=spans)
def test_what_happened_to_a_row_after_it_was_lost_changes_no_answer(
    life: Span, lay: list[Spell], holds: list[Held], later: Span
) -> None:
    """Promise 4: a spell in a bucket that he never held, or an interval of a bucket where the row never lay."""
    found = last_held(life, lay, holds)
    assert last_held(life, [*lay, Spell(later, frozenset({"elsewhere"}))], holds) == found
    assert last_held(life, lay, [*holds, Held("elsewhere", later)]) == found


@given(lay=spells, holds=intervals, numbers=st.lists(st.integers(1, TICKS), min_size=1, max_size=6).map(sorted))
def test_a_revision_counts_only_if_it_stood_before_the_row_was_lost(
    lay: list[Spell], holds: list[Held], numbers: list[int]
) -> None:
    revisions: list[tuple[int, int | None]] = list(enumerate(numbers, start=1))
    ever = last_held(ALWAYS, lay, holds)
    for base, since in enumerate(numbers, start=1):
        life = life_of(base, revisions)
        assert life is not None
        found = last_held(life, lay, holds)
        assert found is None or (ever is not None and since <= found <= ever)


@given(numbers=st.lists(st.integers(1, TICKS), min_size=1, max_size=6).map(sorted))
def test_at_every_number_exactly_one_revision_stands_or_several_of_one_transaction(numbers: list[int]) -> None:
    revisions: list[tuple[int, int | None]] = list(enumerate(numbers, start=1))
    for tick in range(1, TICKS + 2):
        standing = [rev for rev, _ in revisions if (life := life_of(rev, revisions)) and inside(tick, life)]
        newest = [rev for rev, seq in revisions if seq is not None and seq <= tick]
        assert newest[-1:] == standing[-1:]
        assert len({numbers[rev - 1] for rev in standing}) <= 1


def test_a_revision_that_the_server_never_gave_counts_never_and_an_unnamed_one_always() -> None:
    assert life_of(3, [(1, 4), (2, 9)]) is None
    assert life_of(0, [(1, 4)]) == ALWAYS


def test_revisions_of_before_the_numbering_stood_until_the_first_that_is_numbered() -> None:
    assert life_of(1, [(1, None), (2, None), (3, 9)]) == Span(0, 9)
    assert life_of(2, [(1, None), (2, None)]) == Span(0, None)


def company(*edges: tuple[str, str], managers: dict[str, str]) -> Organisation:
    teams = frozenset({team for edge in edges for team in edge} | set(managers) | {"field"})
    members = [Membership("ana", "field", "2025-01-01")]
    members += [Membership(user, team, "2025-01-01", None, True) for team, user in managers.items()]
    people = frozenset({"ana", *managers.values()})
    return Organisation(
        roles=dict.fromkeys(people - {"left"}, "rep"),
        people=people,
        teams=teams,
        territories=frozenset(),
        team_edges=tuple(Edge(child, parent, "2025-01-01", None) for child, parent in edges),
        territory_edges=(),
        team_members=tuple(members),
        territory_members=(),
    )


def test_the_nearest_manager_who_is_there_decides() -> None:
    tree = (("field", "region"), ("region", "all"))
    found = [
        deciding_team(company(*tree, managers=managers), "ana", "2026-01-05")
        for managers in ({"field": "mia"}, {"field": "ana", "region": "rob"}, {"region": "left", "all": "dirk"}, {})
    ]
    assert found == ["field", "region", "all", None]
    managers = company(*tree, managers={"field": "mia", "region": "rob"})
    assert deciding_team(managers, "ana", "2026-01-05", {"manage:field"}) == "region"
