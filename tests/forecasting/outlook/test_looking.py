"""What views say of a period on a day: with what was known then, and nothing else."""

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from forecasting.engine.blend import Blend, blended
from forecasting.outlook.judging import judge, look_back, speak
from forecasting.outlook.looking import SAID, Looker
from forecasting.outlook.shape import deals_of, money_of, quarters_of, spans_of, tree_of, whole
from forecasting.outlook.values import COMPANY, Call, Leaf, Question
from tests.forecasting.outlook.asked import question_of


@cache
def asked() -> Question:
    return question_of(11, arrivals=0.7, reps=4, calls=True, years=2)


def looker(question: Question) -> Looker:
    tree, spans = tree_of(question), spans_of(question)
    return Looker(deals_of(question), tree, money_of(question, tree), spans, question.calls, quarters_of(spans))


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
    verdict = judge(look_back(found, asked().until, 30), found.tree.levels, found.tree.hierarchy())
    assert len(verdict.seen) >= 4
    people = verdict.mean[:, found.tree.leaf_node]
    np.testing.assert_allclose(found.tree.up(people.T).T, verdict.mean, rtol=1e-9, atol=1e-6)
    told = verdict.ranges[np.isfinite(verdict.mean)]
    assert len(told) >= 3 * len(found.tree)
    assert (np.diff(told, axis=1) >= 0).all()


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_blend_speaks_as_the_engine_blends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said = np.where(rng.random((len(SAID), 3)) < 0.4, np.nan, rng.normal(0, 9, (len(SAID), 3)))
    weights = np.where(rng.random(len(SAID)) < 0.4, 0.0, rng.random(len(SAID)))
    blend = Blend(dict(zip(SAID, weights.tolist(), strict=True)), "fitted", 9, {}, {})
    values, by = speak({"1": blend}, ["1"] * 3, said)
    for node in range(3):
        told = blended(blend, dict(zip(SAID, said[:, node].tolist(), strict=True)))
        assert (told.value is None) == bool(np.isnan(values[node]))
        if told.value is not None:
            np.testing.assert_allclose(values[node], told.value, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(by[:, node].sum(), 1.0)


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
