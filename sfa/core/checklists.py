"""Questions of a visit and their answers: which form each has, and what is still missing (pure).

A question is `{"id", "text", "kind", "required", "choices"}`; answers are an object of question id to value. Answers to
questions that a template does not ask stay: the template of the day may have been another one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sfa.core.ids import is_key

KINDS = ("yes_no", "number", "text", "choice")
QUESTION_FIELDS = frozenset({"id", "text", "kind", "required", "choices"})
TEXT_CHARACTERS_MAX = 5_000
ANSWERS_MAX = 200
CHOICES_MAX = 50


def wrong_question(questions: Sequence[Mapping[str, Any]]) -> str | None:
    """The first thing that is wrong with a template's questions, or None."""
    seen: set[str] = set()
    for question in questions:
        name, kind, choices = question.get("id"), question.get("kind"), question.get("choices") or []
        if set(question) - QUESTION_FIELDS or not is_key(name) or name in seen:
            return f"a question is {{id, text, kind, required, choices}}, its id a key used once: {str(name)[:40]!r}"
        seen.add(name)
        if kind not in KINDS or type(question.get("required", False)) is not bool:
            return f"question {name}: kind is one of {', '.join(KINDS)}, required true or false"
        if not isinstance(question.get("text"), str) or not question["text"].strip():
            return f"question {name} asks nothing"
        if not isinstance(choices, list) or not all(isinstance(c, str) for c in choices):
            return f"question {name}: choices are texts"
        if len(choices) > CHOICES_MAX or (kind == "choice") != bool(choices):
            return f"question {name}: a choice has 1 to {CHOICES_MAX} choices, nothing else has any"
    return None


def wrong_answers(answers: Mapping[str, Any] | None) -> str | None:
    """What no template could have asked for, or None: answers are texts, numbers and yes or no."""
    if answers is None:
        return None
    if len(answers) > ANSWERS_MAX:
        return f"at most {ANSWERS_MAX} answers"
    for name, value in answers.items():
        if not is_key(name) or not isinstance(value, str | int | float | bool | None):
            return f"answers are {{question id: text, number, true or false}}: {name[:40]!r}"
        if isinstance(value, str) and len(value) > TEXT_CHARACTERS_MAX:
            return f"an answer has at most {TEXT_CHARACTERS_MAX} characters: {name[:40]!r}"
    return None


def fits(question: Mapping[str, Any], value: Any) -> bool:
    match question["kind"]:
        case "yes_no":
            return type(value) is bool
        case "number":
            return type(value) in (int, float)
        case "choice":
            return value in question["choices"]
        case _:
            return isinstance(value, str)


def missing(questions: Sequence[Mapping[str, Any]], answers: Mapping[str, Any] | None) -> list[str]:
    """The ids of questions whose answer is required and not there, or not of its kind, in the template's order."""
    given = answers or {}
    found: list[str] = []
    for question in questions:
        value = given.get(question["id"])
        empty = value is None or (isinstance(value, str) and not value.strip())
        if (empty and question.get("required", False)) or (not empty and not fits(question, value)):
            found.append(question["id"])
    return found
