"""Properties of the pure merge (S24, S26, S29): what server, reference device and simulation all rely on."""

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.shapes import SHAPES
from sync.merge import GONE, Edit, Lost, Merged, edited_since, is_concurrent, merge, union
from sync.policy import STRATEGIES, strategy_of

FIELDS = {
    "name": st.sampled_from(["A", "B", "C"]),
    "phone": st.sampled_from([None, "1", "2"]),
    "street": st.sampled_from([None, "High", "Low"]),
    "city": st.sampled_from([None, "Bilbao", "Cadiz"]),
    "country": st.sampled_from([None, "ES", "FR"]),
    "latitude": st.sampled_from([None, 1.0, 2.0]),
    "longitude": st.sampled_from([None, 3.0, 4.0]),
    "employees": st.sampled_from([None, 1, 5, 9]),
    "tags": st.lists(st.sampled_from("abcdef"), unique=True, max_size=4),
}
GROUP_OF = SHAPES["accounts"].group_of
DEVICES = ("d1", "d2", "d3")
REV = 10
KINDS = ("latest", "server", "ask", "greatest", "union")

values = st.fixed_dictionaries({}, optional=FIELDS)
rows = st.fixed_dictionaries(FIELDS).map(lambda known: {**dict.fromkeys(SHAPES["accounts"].types), "tags": [], **known})
times = st.integers(0, 5)
edits = st.builds(Edit, values, st.integers(0, REV), st.sampled_from(DEVICES), times)
stamps = st.dictionaries(
    st.sampled_from(sorted({GROUP_OF[field] for field in FIELDS})),
    st.tuples(st.integers(1, REV), st.sampled_from([*DEVICES, None]), times, st.sampled_from(DEVICES)).map(list),
)


def policy(table: Mapping[str, str]) -> Any:
    """A strategy for each group, as far as it can settle the group's values."""

    def strategy(_entity: str, group: str) -> str:
        kind = table.get(group, "latest")
        if (kind == "union") != (group == "tags"):
            return "union" if group == "tags" else "latest"
        return "latest" if kind == "greatest" and group != "employees" else kind

    return strategy


policies = st.dictionaries(st.sampled_from([*FIELDS, "address", "position"]), st.sampled_from(KINDS)).map(policy)


def written(row: dict[str, Any], stamps: dict[str, list[Any]], edit: Edit, done: Merged) -> tuple[Any, Any]:
    """The row and its stamps after the door wrote the outcome, as `Door.put` does at revision REV + 1."""
    after = {**stamps}
    for group in {GROUP_OF[field] for field in done.values}:
        after[group] = [REV + 1, edit.device if group in done.verbatim else None, edit.at, edit.device]
    return {**row, **done.values}, after


def run(row: Any, stamps: Any, edit: Edit, base: Any = None, strategy: Any = strategy_of, rev: int = REV) -> Merged:
    old = base if base is not None else row
    return merge("accounts", row, rev, stamps, edit, lambda field: old[field], strategy)


@given(rows, rows, stamps, edits, policies)
def test_merging_the_same_edit_again_changes_nothing(row: Any, base: Any, stamps: Any, edit: Edit, how: Any) -> None:
    """S2, S24: what stood stands, and every loss of the second time was reported the first time."""
    first = run(row, stamps, edit, base, how)
    row_after, stamps_after = written(row, stamps, edit, first)
    second = run(row_after, stamps_after, edit, base, how, REV + 1)
    assert {**row_after, **second.values} == row_after
    told = [(lost.group, lost.losing) for lost in first.lost if not lost.lost_is_theirs]
    assert all((lost.group, lost.losing) in told for lost in second.lost)


@given(rows, stamps, values, values, st.sampled_from(DEVICES), st.sampled_from(DEVICES), policies)
def test_edits_of_different_groups_both_survive_in_either_order(
    row: Any, stamps: Any, some: Any, others: Any, first: str, second: str, how: Any
) -> None:
    """S24."""
    groups = {GROUP_OF[field] for field in some}
    others = {field: value for field, value in others.items() if GROUP_OF[field] not in groups}
    one, two = Edit(some, REV, first, 1), Edit(others, REV, second, 2)
    for earlier, later in ((one, two), (two, one)):
        done = run(row, stamps, earlier, strategy=how)
        middle, marks = written(row, stamps, earlier, done)
        last = run(middle, marks, later, row, how, REV + 1)
        assert {**middle, **last.values} == {**row, **some, **others}
        assert done.lost == last.lost == ()


@given(rows, stamps, st.integers(0, REV), st.sampled_from(DEVICES), times, policies, st.data())
def test_equal_values_are_no_conflict(
    row: Any, stamps: Any, base: int, device: str, at: int, how: Any, data: st.DataObject
) -> None:
    """S24."""
    same = {field: row[field] for field in data.draw(st.sets(st.sampled_from(sorted(FIELDS))))}
    assert run(row, stamps, Edit(same, base, device, at), strategy=how) == Merged({}, frozenset(), ())


@given(rows, rows, stamps, edits, policies)
def test_every_value_of_the_edit_stands_or_is_reported_as_lost_exactly_once(
    row: Any, base: Any, stamps: Any, edit: Edit, how: Any
) -> None:
    """S1, S24: and so does every foreign value that it replaced."""
    done = run(row, stamps, edit, base, how)
    after = {**row, **done.values}
    assert len({lost.group for lost in done.lost}) == len(done.lost)
    lost = {found.group: found for found in done.lost}
    for field, value in edit.values.items():
        group = GROUP_OF[field]
        if how("accounts", group) in ("union", "greatest") and is_concurrent(
            stamps, group, edit.base, REV, edit.device
        ):
            assert group not in lost
            continue
        mine_lost = group in lost and not lost[group].lost_is_theirs
        assert after[field] == value or (mine_lost and lost[group].losing[field] == value)
        foreign = is_concurrent(stamps, group, edit.base, REV, edit.device)
        if foreign and after[field] != row[field]:
            assert lost[group].lost_is_theirs
            assert lost[group].losing[field] == row[field]
    assert set(lost) <= {GROUP_OF[field] for field in edit.values}


@given(rows, rows, stamps, edits, policies)
def test_a_loss_says_what_stands_and_asks_only_where_the_policy_asks(
    row: Any, base: Any, stamps: Any, edit: Edit, how: Any
) -> None:
    """S24: `latest` and `server` close the conflict, `ask` keeps what stands and opens it."""
    done = run(row, stamps, edit, base, how)
    after = {**row, **done.values}
    for lost in done.lost:
        assert lost.standing == {field: after[field] for field in SHAPES["accounts"].groups[lost.group]}
        assert lost.losing != lost.standing
        assert (lost.strategy, lost.open) == (how("accounts", lost.group), how("accounts", lost.group) == "ask")
        assert lost.lost_is_theirs == (lost.losing == {field: row[field] for field in lost.losing})


@given(rows, st.sampled_from(["A", "B"]), st.sampled_from(["C", "D"]), times, times, st.permutations(DEVICES))
def test_latest_has_one_winner_in_either_order_of_arrival(
    row: Any, one: str, two: str, at_one: int, at_two: int, devices: list[str]
) -> None:
    """S24: the later corrected time wins, a tie goes by device."""
    row = {**row, "name": "old"}
    a, b = Edit({"name": one}, REV, devices[0], at_one), Edit({"name": two}, REV, devices[1], at_two)
    outcomes = []
    for first, second in ((a, b), (b, a)):
        middle, marks = written(row, {}, first, run(row, {}, first))
        outcomes.append({**middle, **run(middle, marks, second, row, rev=REV + 1).values}["name"])
    winner = max((a, b), key=lambda edit: (edit.at, edit.device))
    assert outcomes == [winner.values["name"]] * 2


tag_sets = st.frozensets(st.sampled_from("abcdef"))


@given(tag_sets, tag_sets, tag_sets)
def test_union_commutes_and_keeps_both_sides_adds_and_removes(
    base: frozenset[str], one: frozenset[str], two: frozenset[str]
) -> None:
    """S24."""
    there = union(sorted(base), sorted(one), sorted(two))
    back = union(sorted(base), sorted(two), sorted(one))
    assert set(there) == set(back)
    assert len(there) == len(set(there))
    assert (one - base) | (two - base) <= set(there)
    assert not set(there) & ((base - one) | (base - two))
    assert set(there) == (one & two) | (one - base) | (two - base)


@given(st.lists(values, min_size=1, max_size=5), rows, policies)
def test_own_verbatim_values_never_conflict_with_oneself(edits: list[Any], row: Any, how: Any) -> None:
    """S24: a device that saved offline five times on one base wins over itself."""
    wanted, marks = dict(row), dict[str, list[Any]]()
    current = row
    for place, change in enumerate(edits):
        edit = Edit(change, REV, "d1", 5 - place)  # its clock may even run backwards
        done = run(current, marks, edit, row, how, REV + place)
        assert done.lost == ()
        for group in done.verbatim:
            marks[group] = [REV + place + 1, "d1", edit.at, "d1"]
        current, wanted = {**current, **done.values}, {**wanted, **change}
        assert current == wanted


@given(st.integers(0, REV), st.integers(1, REV), st.sampled_from(DEVICES))
def test_a_value_that_came_out_of_a_merge_is_foreign_to_everybody(base: int, at: int, device: str) -> None:
    """S24: to the device whose edit was merged too."""
    assert is_concurrent({"phone": [at, None, 0, device]}, "phone", base, REV, device) == (at > base)


def test_a_union_is_stamped_as_nobodys_own_value() -> None:
    """S24: only what is in `verbatim` may be taken for the device's own words."""
    row = {**dict.fromkeys(SHAPES["accounts"].types), "tags": ["a", "theirs"]}
    done = run(row, {"tags": [5, "d2", 0, "d2"]}, Edit({"tags": ["a", "mine"]}, 4, "d1", 9), {**row, "tags": ["a"]})
    assert done == Merged({"tags": ["a", "theirs", "mine"]}, frozenset(), ())


@given(rows, rows, st.sampled_from(["street", "city", "country"]), st.sampled_from(["X", "Y"]))
def test_part_of_a_group_in_a_concurrent_edit_is_completed_from_its_base(
    row: Any, base: Any, field: str, value: str
) -> None:
    """S24: fields that mean one thing merge as one value, so half an address never meets half of another one."""
    edit = Edit({field: value}, 1, "d1", 9)
    done = run(row, {"address": [2, "d2", 1, "d2"]}, edit, base)
    fields = SHAPES["accounts"].groups["address"]
    mine = {**{f: base[f] for f in fields}, field: value}
    theirs = {f: row[f] for f in fields}
    assert done.values == mine
    assert done.lost == (Lost("address", "latest", theirs, mine, False, True),)


@given(rows, st.sampled_from(["street", "city", "country"]), st.sampled_from(["X", "Y"]))
def test_part_of_a_group_in_a_lone_edit_leaves_the_rest_alone(row: Any, field: str, value: str) -> None:
    """S24."""
    done = run(row, {"address": [2, "d2", 1, "d2"]}, Edit({field: value}, 2, "d1", 9))
    assert done == Merged({field: value}, frozenset({"address"}), ())


@given(stamps, st.integers(REV + 1, REV + 5), st.sampled_from(DEVICES))
def test_a_base_newer_than_the_row_makes_everything_foreign_count(stamps: Any, base: int, device: str) -> None:
    """S21, S24: after a restore the base proves nothing; the own words are still the own words."""
    for group in FIELDS:
        known = stamps.get(group)
        assert is_concurrent(stamps, group, base, REV, device) == (known is not None and known[1] != device)


@given(stamps, st.integers(0, REV), st.sampled_from(DEVICES))
def test_a_deletion_meets_exactly_the_groups_that_others_set_since(stamps: Any, base: int, device: str) -> None:
    """S26: and the deletion's own mark is not one of them."""
    marked = {**stamps, GONE: [REV, "d9", 0, "d9"]}
    expected = sorted(g for g, stamp in stamps.items() if stamp[0] > base and stamp[1] != device)
    assert edited_since(marked, base, REV, device) == expected


def test_greatest_keeps_the_larger_and_nothing_beats_something() -> None:
    """S24."""
    for theirs, mine, expected in ((1, 5, 5), (5, 1, 5), (None, 1, 1), (1, None, 1)):
        row = {**dict.fromkeys(SHAPES["accounts"].types), "employees": theirs}
        edit = Edit({"employees": mine}, 1, "d1", 0)
        done = run(row, {"employees": [2, "d2", 9, "d2"]}, edit, strategy=lambda *_: "greatest")
        assert {**row, **done.values}["employees"] == expected
        assert done.lost == ()


def test_every_strategy_of_the_policy_names_a_group_that_exists() -> None:
    """S24: strategies are data; a misspelt one would silently be `latest`."""
    for (entity, group), kind in STRATEGIES.items():
        assert group in SHAPES[entity].groups, (entity, group)
        assert kind in ("latest", "server", "ask", "union", "greatest", "text")
    assert strategy_of("contacts", "phone") == "latest"


@given(st.integers(0, 10**6), st.integers(0, 10**6), times)
def test_a_part_of_a_group_of_a_row_that_the_device_never_had_leaves_no_hole(old: int, new: int, at: int) -> None:
    """S24: a price of no currency is none that a table takes."""
    row = {**dict.fromkeys(SHAPES["prices"].types), "amount_minor": old, "currency": "EUR"}
    edit = Edit({"amount_minor": new}, 0, "d1", at)
    done = merge("prices", row, REV, {"amount": [REV, "d2", 3, "d2"]}, edit, lambda _: None)
    assert {**row, **done.values}["currency"] == "EUR"
    for lost in done.lost:
        assert None not in (lost.losing["currency"], lost.standing["currency"])
    assert (done == Merged({}, frozenset(), ())) == (old == new)
