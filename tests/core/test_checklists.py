"""Questions of a visit: their form, and which answers are still missing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.checklists import fits, missing, wrong_answers, wrong_question

QUESTIONS: list[dict[str, Any]] = [
    {"id": "shelf", "text": "Is the shelf full?", "kind": "yes_no", "required": True},
    {"id": "pumps", "text": "How many pumps?", "kind": "number"},
    {"id": "mood", "text": "How was it?", "kind": "choice", "required": True, "choices": ["good", "bad"]},
    {"id": "more", "text": "What else?", "kind": "text", "required": True},
]
values = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=3), st.sampled_from(("good", " ")))


def test_what_is_required_and_what_is_of_another_kind_is_missing() -> None:
    assert missing(QUESTIONS, None) == ["shelf", "mood", "more"]
    assert missing(QUESTIONS, {"shelf": False, "mood": "fine", "more": "  ", "pumps": "two"}) == [
        "pumps",
        "mood",
        "more",
    ]
    assert missing(QUESTIONS, {"shelf": False, "mood": "bad", "more": "no", "other": 1}) == []


@given(st.fixed_dictionaries({q["id"]: values for q in QUESTIONS}))
def test_answers_are_complete_exactly_when_each_fits(answers: dict[str, Any]) -> None:
    for question in QUESTIONS:
        value = answers[question["id"]]
        empty = value is None or (isinstance(value, str) and not value.strip())
        wanted = question.get("required", False) if empty else not fits(question, value)
        assert (question["id"] in missing(QUESTIONS, answers)) == wanted


@pytest.mark.parametrize(
    "question",
    [
        {"id": "a b", "text": "?", "kind": "text"},
        {"id": "a", "text": " ", "kind": "text"},
        {"id": "a", "text": "?", "kind": "essay"},
        {"id": "a", "text": "?", "kind": "choice"},
        {"id": "a", "text": "?", "kind": "text", "choices": ["x"]},
        {"id": "a", "text": "?", "kind": "text", "required": 1},
        {"id": "a", "text": "?", "kind": "text", "points": 3},
        {"id": "a", "text": "?", "kind": "choice", "choices": [1]},
    ],
)
def test_a_question_that_nobody_could_answer_is_refused(question: dict[str, Any]) -> None:
    assert wrong_question([question]) is not None
    assert wrong_question(QUESTIONS) is None
    assert wrong_question([QUESTIONS[0], QUESTIONS[0]]) is not None


def test_answers_are_plain_values() -> None:
    assert wrong_answers({"a": "x", "b": 1.5, "c": False, "d": None}) is None
    assert wrong_answers({"a": ["x"]}) is not None
    assert wrong_answers({"a b": 1}) is not None
    assert wrong_answers({"a": "x" * 6_000}) is not None
