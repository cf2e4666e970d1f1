"""How right calls were: WAPE and signed bias, guarded and marked (R29, R7)."""

from hypothesis import given
from hypothesis import strategies as st

from forecasting.accuracy import BY, FEW, Called, score, scores, weeks_ahead

AMOUNTS = st.integers(-(10**12), 10**12)


def called(said: int | None, came: int | None, node: str = "user:ana", **about: object) -> Called:
    values = {
        "key": "c",
        "period_key": "q1",
        "author_key": "ana",
        "due_on": "2026-01-05",
        "level": "person",
        "weeks": 12,
    }
    return Called(**{**values, "node": node, "called_minor": said, "closed_minor": came, **about})  # type: ignore[arg-type]


CALLS = st.lists(
    st.builds(
        called,
        st.none() | AMOUNTS,
        st.none() | AMOUNTS,
        st.sampled_from(("user:ana", "user:bob", "team:north")),
        author_key=st.sampled_from(("mia", "dirk")),
        level=st.sampled_from(("person", "team 1")),
        weeks=st.integers(0, 14),
    ),
    max_size=12,
)


def test_the_worked_example_r29() -> None:
    """900 and 600 against 1,000 and 500: WAPE 13.3 %, bias 0."""
    found = score("ana", [called(900, 1_000), called(600, 500)])
    assert (found.wape_bp, found.bias_bp) == (1_333, 0)
    assert (found.called_minor, found.closed_minor, found.off_minor, found.over_minor) == (1_500, 1_500, 200, 0)


def test_bias_says_which_way_and_wape_does_not() -> None:
    over, under = score("x", [called(1_100, 1_000)]), score("x", [called(900, 1_000)])
    assert (over.bias_bp, under.bias_bp) == (1_000, -1_000)
    assert over.wape_bp == under.wape_bp == 1_000
    taken_back = score("x", [called(100, -100)])  # more was reversed than won: too much was called all the same
    assert (taken_back.wape_bp, taken_back.bias_bp) == (20_000, 20_000)


def test_nothing_to_divide_by_is_not_computable_and_neither_zero_nor_infinite() -> None:
    for nothing in (score("x", []), score("x", [called(500, 0)])):
        assert (nothing.wape_bp, nothing.wape_code) == (None, "not_computable")
        assert (nothing.bias_bp, nothing.bias_code) == (None, "not_computable")
    mixed = score("x", [called(0, 100), called(0, -100)])
    assert (mixed.wape_bp, mixed.wape_code, mixed.bias_bp, mixed.bias_code) == (10_000, None, None, "not_computable")


def test_few_calls_are_marked() -> None:
    assert [score("x", [called(1, 1)] * n).few for n in (0, FEW - 1, FEW)] == [True, True, False]


def test_weeks_are_whole() -> None:
    assert weeks_ahead("2026-01-05", "2026-04-01") == 12  # 86 days
    assert (weeks_ahead("2026-03-30", "2026-04-01"), weeks_ahead("2026-03-25", "2026-04-01")) == (0, 1)


def test_people_and_managers_are_scored_by_their_own_calls() -> None:
    calls = [called(1, 2), called(5, 5, "team:north", author_key="mia"), called(3, 3, "user:mia", author_key="mia")]
    by_person, all_people = scores(calls, "person")
    by_manager, _ = scores(calls, "manager")
    assert [(s.of, s.calls) for s in by_person] == [("user:ana", 1), ("user:mia", 1)]
    assert [(s.of, s.calls, s.closed_minor) for s in by_manager] == [("user:mia", 1, 5)]
    assert all_people.closed_minor == 5
    horizons, _ = scores([called(1, 1, weeks=n) for n in (10, 2, 0)], "horizon")
    assert [s.of for s in horizons] == ["0", "2", "10"]  # in the order of time


@given(CALLS, st.sampled_from(sorted(BY)))
def test_each_call_is_in_one_group_and_sums_are_those_of_the_groups(calls: list[Called], by: str) -> None:
    groups, together = scores(calls, by)
    mine = [call for call in calls if BY[by](call) is not None]
    assert together.calls + together.left_out == len(mine)
    for field in ("calls", "called_minor", "closed_minor", "off_minor", "over_minor", "left_out"):
        assert sum(getattr(group, field) for group in groups) == getattr(together, field)
    assert len({group.of for group in groups}) == len(groups)


@given(CALLS)
def test_wape_is_never_below_the_size_of_the_bias_where_nothing_closed_is_negative(calls: list[Called]) -> None:
    found = score("x", [call for call in calls if (call.closed_minor or 0) >= 0])
    assert found.off_minor >= abs(found.over_minor)
    if found.wape_bp is not None and found.bias_bp is not None:
        assert found.wape_bp >= abs(found.bias_bp)
    if all(call.called_minor == call.closed_minor for call in calls):
        assert found.wape_bp in (0, None)
