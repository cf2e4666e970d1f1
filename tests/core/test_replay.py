"""A row rebuilt from its history, against a list of the states that it really had."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.replay import Step, Was, rebuilt

values = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)
moves = st.lists(st.tuples(values, st.booleans(), st.integers(0, 5), st.integers(-20, 0)), min_size=1, max_size=8)


def lived(
    chosen: list[tuple[dict[str, int], bool, int, int]],
) -> tuple[dict[str, Any], list[Step], list[tuple[int, Was]]]:
    """-> (the row at last, its steps, (stored_at, state) after each of them)."""
    row: dict[str, Any] = dict.fromkeys("abc", 0)
    steps, states, now = [], [], 100
    for rev, (said, ends, later, early) in enumerate(chosen, start=1):
        now += later
        ended = ends and rev > 1
        changed = {} if ended else {f: [row[f], v] for f, v in said.items() if row[f] != v or rev == 1}
        row = {**row, **{f: new for f, (_, new) in changed.items()}}
        kind = "create" if rev == 1 else "delete" if ended else "update"
        steps.append(Step(rev, kind, changed, now + early, now))
        states.append((now, Was(rev, ended, row)))
    return row, steps, states


@given(moves, st.integers(90, 150))
def test_the_state_as_of_an_instant_is_the_one_that_the_server_had_then(chosen: Any, at: int) -> None:
    """R20."""
    row, steps, states = lived(chosen)
    had = [state for stored_at, state in states if stored_at <= at]
    assert rebuilt(row, steps, at) == (had[-1] if had else None)


@given(moves)
def test_the_state_as_of_now_is_the_row(chosen: Any) -> None:
    row, steps, states = lived(chosen)
    assert rebuilt(row, steps, 10**6) == states[-1][1]
    assert rebuilt(row, steps, 10**6, "event") == states[-1][1]


@given(moves, st.integers(70, 150))
def test_by_event_each_field_is_what_was_said_last_of_what_had_happened(chosen: Any, at: int) -> None:
    row, steps, _ = lived(chosen)
    was = rebuilt(row, steps, at, "event")
    happened = [step for step in steps if step.at <= at]
    assert (was is None) == (not happened)
    for field in "abc" if was is not None else "":
        said = [step.changes[field][1] for step in happened if field in step.changes]
        first = [step.changes[field][0] for step in steps if field in step.changes]
        assert was is not None
        assert was.row[field] == (said[-1] if said else first[0] if first else row[field])


def test_a_merged_row_is_gone_and_its_moved_children_are_not() -> None:
    made, moved = Step(1, "create", {"a": [0, 1]}, 1, 1), Step(2, "merge", {"a": [1, 2]}, 2, 2)
    ended, undone = Step(2, "merge", {}, 2, 2), Step(3, "unmerge", {}, 3, 3)
    assert rebuilt({"a": 2}, [made, moved], 2) == Was(2, False, {"a": 2})
    assert rebuilt({"a": 1}, [made, ended], 2) == Was(2, True, {"a": 1})
    assert rebuilt({"a": 1}, [made, ended, undone], 3) == Was(3, False, {"a": 1})
    dead = [made, Step(2, "delete", {}, 2, 2), Step(3, "merge", {"a": [1, 2]}, 3, 3)]
    assert rebuilt({"a": 2}, dead, 3) == Was(3, True, {"a": 2})
