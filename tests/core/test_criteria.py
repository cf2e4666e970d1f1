"""What a deal must have before it leaves a stage: criteria are read or refused, what is unmet is listed (R20)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core import criteria
from sfa.core.criteria import AT_LEAST_MAX, FIELDS, ROLES, missing, needs_rows, wrong_criteria
from sfa.core.rules import broken
from tests.core.test_rules import blank, junk

counts = st.integers(1, AT_LEAST_MAX)
right = st.lists(
    st.one_of(
        st.builds(lambda f: {"kind": "field", "field": f}, st.sampled_from(sorted(FIELDS))),
        st.builds(lambda n: {"kind": "lines", "at_least": n}, counts),
        st.just({"kind": "lines"}),
        st.builds(lambda r, n: {"kind": "role", "role": r, "at_least": n}, st.sampled_from(ROLES), counts),
    ),
    max_size=6,
    unique_by=lambda c: (c["kind"], c.get("field"), c.get("role")),
)
deals = st.fixed_dictionaries(
    {
        "amount_minor": st.none() | st.integers(-5, 5),
        "close_on": st.none() | st.just("2026-03-31"),
        "account_key": st.none() | st.just("acme"),
        "contact_key": st.none() | st.just("carl"),
        "next_step": st.none() | st.sampled_from(["", "  ", "call them"]),
        "category": st.none() | st.just("commit"),
    }
)
people = st.lists(
    st.builds(
        lambda who, role: {"contact_key": who, "role": role}, st.sampled_from("abcd"), st.sampled_from(ROLES[:3])
    ),
    max_size=6,
)


@given(
    st.lists(st.dictionaries(st.sampled_from(["kind", "field", "role", "at_least", "x"]), junk, max_size=4), max_size=3)
)
def test_any_criteria_are_read_or_said_to_be_wrong(found: list[dict[str, Any]]) -> None:
    """S19: never an exception; what is read can be asked of an empty deal."""
    if wrong_criteria(found) is None:
        assert len(missing("lead", found, blank("deals"), (), ())) == len(found)
        assert needs_rows(found) <= {"deal_lines", "deal_contacts"}
    else:
        result = broken("stages", blank("stages", exit_criteria=found))
        assert result is not None
        assert result.code == "invariant_failed"


@given(right, deals, st.integers(0, AT_LEAST_MAX), people)
def test_a_criterion_is_missing_exactly_while_the_deal_lacks_it(
    asked: list[dict[str, Any]], deal: dict[str, Any], lines: int, roles: list[dict[str, Any]]
) -> None:
    """R20: in the order of the stage, each once, with how many there are."""
    assert wrong_criteria(asked) is None
    lacking = missing("lead", asked, deal, [{}] * lines, roles)
    expected = []
    for one in asked:
        if one["kind"] == "field":
            said = deal[FIELDS[one["field"]]]
            met = said is not None and (not isinstance(said, str) or said.strip() != "")
        elif one["kind"] == "lines":
            met = lines >= one.get("at_least", 1)
        else:
            met = len({p["contact_key"] for p in roles if p["role"] == one["role"]}) >= one["at_least"]
        if not met:
            expected.append((one["kind"], one.get("field"), one.get("role")))
    assert [(m.kind, m.field, m.role) for m in lacking] == expected
    assert all(m.stage_key == "lead" and m.text and m.has < m.at_least for m in lacking)


@given(right, deals, people)
def test_what_is_added_to_a_deal_never_makes_it_lack_more(
    asked: list[dict[str, Any]], deal: dict[str, Any], roles: list[dict[str, Any]]
) -> None:
    """R20."""
    before = missing("lead", asked, deal, [], roles)
    after = missing("lead", asked, {**deal, "amount_minor": 1, "next_step": "call"}, [{}], [*roles, *roles])
    assert {(m.kind, m.field, m.role) for m in after} <= {(m.kind, m.field, m.role) for m in before}


@pytest.mark.parametrize(
    "one",
    [
        {"kind": "mood"},
        {"kind": "field", "field": "colour"},
        {"kind": "field"},
        {"kind": "lines", "at_least": 0},
        {"kind": "lines", "at_least": True},
        {"kind": "role", "role": "king"},
        {"kind": "role", "role": "champion", "field": "amount"},
    ],
)
def test_a_criterion_of_another_form_is_refused_when_its_stage_is_written(one: dict[str, Any]) -> None:
    """S17."""
    result = broken("stages", blank("stages", exit_criteria=[one]))
    assert result is not None
    assert result.details == {"field": "exit_criteria"}
    assert criteria.wrong_criteria([{"kind": "lines"}, {"kind": "lines", "at_least": 2}]) is not None
