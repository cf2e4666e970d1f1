"""What views say of a period on a day: with what was known then, and nothing else."""

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from forecasting.outlook.judging import Shape, judge, leanings, look_back, look_back_on
from forecasting.outlook.looking import SAID, Looker
from forecasting.outlook.shape import deals_of, money_of, quarters_of, spans_of, tree_of, whole
from forecasting.outlook.values import COMPANY, Call, Leaf, Question, Span
from tests.forecasting.outlook.asked import question_of


@cache
def asked() -> Question:
    return question_of(11, arrivals=0.7, reps=4, calls=True, years=2)


def looker(question: Question) -> Looker:
    tree, spans = tree_of(question), spans_of(question)
    return Looker(deals_of(question), tree, money_of(question, tree), spans, question.calls, quarters_of(spans))


def shape(found: Looker) -> Shape:
    return Shape(found.tree.levels, found.tree.parent, found.tree.hierarchy())


def known_on(question: Question, day: int) -> Question:
    """The question as it would have been asked on an earlier day; of deals that changes are told later, but ignored."""
    return structs.replace(
        question,
        until=day,
        credits=[credit for credit in question.credits if credit.day <= day],
        calls=[call for call in question.calls if call.day <= day],
    )


def test_what_came_later_changes_nothing_of_what_is_seen_on_a_day() -> None:
    span = spans_of(asked())[-4]
    for days in (10, 45):
        day = span.end - 1 - days
        now, then = looker(asked()).look(span, day), looker(known_on(asked(), day)).look(span, day)
        np.testing.assert_allclose(now.said, then.said, rtol=1e-9)
        np.testing.assert_allclose(now.luck, then.luck, rtol=1e-9)
        np.testing.assert_array_equal(now.won, then.won)
        assert np.isfinite(now.said[:4]).any(axis=1).all()


def test_a_node_without_a_call_is_called_by_those_below_it_if_all_who_sell_call() -> None:
    question = asked()
    span = next(span for span in question.spans if span.key == question.ahead[0])
    everybody = [Call(span.key, f"user:{leaf.user_key}", question.until, 10**9) for leaf in question.leaves]
    row = SAID.index("call")
    one = looker(structs.replace(question, calls=everybody)).look(span, question.until)
    assert one.said[row, 0] == 4 * 10**9 - one.won[0]
    less = looker(structs.replace(question, calls=everybody[1:])).look(span, question.until)
    assert np.isnan(less.said[row, 0])
    mine = [*everybody[1:], Call(span.key, COMPANY, question.until, 7 * 10**9)]
    assert looker(structs.replace(question, calls=mine)).look(span, question.until).said[row, 0] == 7e9 - one.won[0]


def test_past_means_add_up_over_the_tree_and_their_ranges_are_in_order() -> None:
    found = looker(asked())
    verdict = judge(look_back(found, asked().until, 30), shape(found))
    assert len(verdict.seen) >= 4
    people = verdict.mean[:, found.tree.leaf_node]
    np.testing.assert_allclose(found.tree.up(people.T).T, verdict.mean, rtol=1e-9, atol=1e-6)
    told = verdict.ranges[np.isfinite(verdict.mean)]
    assert len(told) >= 3 * len(found.tree)
    assert (np.diff(told, axis=1) >= 0).all()


def test_a_young_company_is_judged_by_any_days_of_that_length_that_are_over() -> None:
    first = asked().spans[0].start
    early = known_on(asked(), first + 150)
    found = looker(early)
    span = next(span for span in found.spans if span.start <= early.until < span.end - 1)
    assert len(look_back(found, early.until, span.end - 1 - early.until)) < 4
    seen = look_back_on(found, early.until, span)
    assert len(seen) >= 4
    assert seen.apart < 1
    for one in seen.looks:
        assert found.first is not None
        assert found.first + 28 <= one.day < one.span.end - 1 <= early.until


def test_days_that_are_no_period_are_judged_at_their_place_of_earlier_periods() -> None:
    found, until = looker(asked()), asked().until
    window = Span("next 30", until + 1, until + 31)
    seen = look_back_on(found, until, window)
    assert len(seen) >= 4
    place = {one.span.end - found.calendar[np.searchsorted(found.calendar, one.day, side="right") - 1]
             for one in seen.looks}  # fmt: skip
    assert max(place) - min(place) <= 3  # quarters are not of one length
    assert all(one.span.end - 1 <= until for one in seen.looks)
    now = found.look(window, until)
    assert np.isfinite(now.said[[SAID.index("pipeline"), SAID.index("series"), SAID.index("last_period")]]).all()
    assert np.isnan(now.said[SAID.index("call")]).all()


def test_who_brings_more_than_a_view_says_is_leaned_to_and_the_company_never() -> None:
    found = looker(asked())
    seen = look_back(found, asked().until, 45)
    person = int(found.tree.leaf_node[0])
    came = seen.came.copy()
    came[:, person] *= 3
    more = leanings(structs.replace(seen, came=came))
    assert (more[:, :, 0] == 1).all()
    assert more[-1, 0, person] > leanings(seen)[-1, 0, person]
    later = came.copy()
    later[-1] *= 7
    np.testing.assert_array_equal(leanings(structs.replace(seen, came=later))[:-1], more[:-1])


@given(parts=st.lists(st.floats(-1e9, 1e9), max_size=20))
def test_rounded_money_keeps_its_sum_and_no_part_moves_by_more_than_one(parts: list[float]) -> None:
    found = whole(np.array(parts, dtype=np.float64))
    assert int(found.sum()) == round(float(np.array(parts, dtype=np.float64).sum()))
    assert (np.abs(found - np.array(parts, dtype=np.float64)) <= 1).all()


def test_a_person_has_one_place_and_a_team_is_below_what_was_told_first() -> None:
    leaves = [
        Leaf("b", [COMPANY, "team:x", "team:y"]),
        Leaf("a", [COMPANY, "team:y", "user:b", "team:x"]),
        Leaf("b", [COMPANY]),
    ]
    found = tree_of(structs.replace(asked(), leaves=leaves))
    assert found.names == (COMPANY, "team:x", "team:y", "user:b", "user:a")
    assert [found.names[parent] for parent in found.parent[1:]] == [COMPANY, "team:x", "team:y", "team:x"]
    assert [found.names[n] for n in found.leaf_node[found.leaf_of]] == ["user:b", "user:a", "user:b"]
    np.testing.assert_array_equal(found.up(np.array([[1.0], [10.0]]))[:, 0], [11, 11, 1, 1, 10])
