"""What a row may be and how it may change: values, invariants, transitions (S17, S24, S27, R16)."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfa.core.entities import ENTITIES
from sfa.core.errors import CATALOGUE, Refused
from sfa.core.fields import MONEY_MAX
from sfa.core.rules import TRANSITIONS, broken, check_required, check_values, transition
from sfa.core.shapes import GROUPS, PARENTS, SHAPES
from sfa.core.transitions import Lookup

FIELDS = [(entity, field) for entity in ENTITIES for field in SHAPES[entity].types]
STAGES = {"lead": "open", "offer": "open", "won": "won", "done": "won", "lost": "lost"}
NOW = 1_767_600_000_000

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def refusal(rule: Callable[..., object], *arguments: Any) -> Refused | None:
    """What a rule refuses; any other exception fails the test."""
    try:
        rule(*arguments)
    except Refused as refused:
        return refused
    return None


def blank(entity: str, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SHAPES[entity].types), **SHAPES[entity].defaults, **values}


@given(st.sampled_from(FIELDS), junk)
def test_any_json_value_is_accepted_or_refused_by_its_field(place: tuple[str, str], value: Any) -> None:
    """S19: never another exception."""
    entity, field = place
    refused = refusal(check_values, entity, {field: value})
    assert refused is None or (refused.code, refused.details) == ("field_invalid", {"field": field})


@given(st.sampled_from(sorted(ENTITIES)), st.text(max_size=200))
def test_a_field_that_does_not_exist_is_named(entity: str, field: str) -> None:
    """S19."""
    assume(field not in SHAPES[entity].types)
    with pytest.raises(Refused) as refused:
        check_values(entity, {field: 1})
    assert refused.value.code == "field_unknown"


@given(st.sampled_from(FIELDS), st.text(max_size=3), st.text(max_size=3))
def test_no_text_with_nul_passes_at_any_depth(place: tuple[str, str], before: str, after: str) -> None:
    """S19: one of the two databases could not store it."""
    text = f"{before}\x00{after}"
    for value in (text, [text], [{"user_key": text}], [{text: 1}], [[[text]]]):
        with pytest.raises(Refused):
            check_values(place[0], {place[1]: value})


@given(st.dates())
def test_every_day_of_the_calendar_is_a_day(day: Any) -> None:
    """S17."""
    check_values("tasks", {"due_on": day.isoformat()})


@pytest.mark.parametrize("day", ["2026-02-30", "2026-00-01", "2026-1-1", "0000-01-01", "20260101", "2026-01-01 ", ""])
def test_what_is_no_day_is_refused(day: str) -> None:
    """S17."""
    with pytest.raises(Refused) as refused:
        check_values("tasks", {"due_on": day})
    assert refused.value.code == "field_invalid"


@pytest.mark.parametrize("entity", sorted(ENTITIES))
def test_what_is_required_must_be_given(entity: str) -> None:
    """S17."""
    required = SHAPES[entity].required
    check_required(entity, dict.fromkeys(required))
    for field in required:
        with pytest.raises(Refused) as refused:
            check_required(entity, dict.fromkeys(required - {field}))
        assert refused.value.details == {"fields": [field]}


@pytest.mark.parametrize("entity", sorted(ENTITIES))
def test_groups_cover_every_field_once(entity: str) -> None:
    """S24: fields that mean one thing merge as one value; the others are groups of their own."""
    shape = SHAPES[entity]
    listed = [field for fields in shape.groups.values() for field in fields]
    assert sorted(listed) == sorted(shape.types)
    assert all(field in shape.groups[shape.group_of[field]] for field in shape.types)
    assert set(GROUPS.get(entity, {})) <= set(shape.groups)


def test_references_and_parents_name_entities_that_exist() -> None:
    """S8."""
    for entity in ENTITIES:
        assert set(SHAPES[entity].references.values()) <= set(ENTITIES)
    for child, (parent, field) in PARENTS.items():
        assert SHAPES[child].references[field] == parent


# -- invariants ------------------------------------------------------------------------------------------------------

shares = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-5, 10_005)), max_size=4)


@given(shares, st.sampled_from("abcd"))
def test_splits_hold_exactly_when_they_total_all_and_name_the_owner(found: list[tuple[str, int]], owner: str) -> None:
    """R16."""
    splits = [{"user_key": user, "share_bp": share} for user, share in found]
    users = [user for user, _ in found]
    right = not found or (
        len(users) == len(set(users))
        and owner in users
        and sum(share for _, share in found) == 10_000
        and all(0 <= share <= 10_000 for _, share in found)
    )
    result = broken("deals", blank("deals", owner_key=owner, splits=splits))
    assert (result is None) == right
    assert result is None or result.code == "splits_invalid"


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True), st.data())
def test_splits_that_total_all_hold(users: list[str], data: st.DataObject) -> None:
    """R16: whatever the shares."""
    cuts = sorted(data.draw(st.lists(st.integers(0, 10_000), min_size=len(users) - 1, max_size=len(users) - 1)))
    parts = [high - low for low, high in zip([0, *cuts], [*cuts, 10_000], strict=True)]
    splits = [{"user_key": user, "share_bp": part} for user, part in zip(users, parts, strict=True)]
    assert broken("deals", blank("deals", owner_key=users[0], splits=splits)) is None


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"user_key": "a"},
        {"user_key": "a", "share_bp": 1, "x": 1},
        {"user_key": 1, "share_bp": 1},
        {"user_key": "a", "share_bp": True},
        {"user_key": "a", "share_bp": 1.0},
        {"user_key": ["a"], "share_bp": 1},
        {"user_key": "a b", "share_bp": 1},
    ],
)
def test_a_split_of_another_form_is_broken(part: dict[str, Any]) -> None:
    """R16."""
    result = broken("deals", blank("deals", owner_key="a", splits=[part]))
    assert result is not None
    assert result.code == "splits_invalid"


@pytest.mark.parametrize(
    ("entity", "values", "code"),
    [
        ("accounts", {"latitude": 1.0}, "invariant_failed"),
        ("accounts", {"latitude": 0.0, "longitude": 0.0}, None),
        ("accounts", {"revenue_minor": 0}, "invariant_failed"),
        ("accounts", {"revenue_minor": 0, "revenue_currency": "EUR"}, None),
        ("deals", {"amount_minor": 0}, "invariant_failed"),
        ("deals", {"currency": "EUR"}, "invariant_failed"),
        ("deals", {"amount_minor": -MONEY_MAX, "currency": "EUR"}, None),
        ("visits", {"checked_out_at": 5}, "invariant_failed"),
        ("visits", {"checked_in_at": 5, "checked_out_at": 4}, "invariant_failed"),
        ("visits", {"checked_in_at": 5, "checked_out_at": 5}, None),
        ("visits", {"longitude": 5.0}, "invariant_failed"),
        ("prices", {"valid_from": "2026-01-02", "valid_to": "2026-01-02"}, "invariant_failed"),
        ("prices", {"valid_from": "2026-01-02", "valid_to": "2026-01-03"}, None),
        ("team_members", {"valid_from": "2026-01-02", "valid_to": "2026-01-01"}, "invariant_failed"),
        ("fiscal_periods", {"start_on": "2026-01-01", "end_on": "2026-01-01"}, "invariant_failed"),
        ("quotas", {"measure": "revenue", "currency": "EUR"}, "quota_owner_invalid"),
        ("quotas", {"measure": "revenue", "currency": "EUR", "user_key": "a", "team_key": "t"}, "quota_owner_invalid"),
        ("quotas", {"measure": "revenue", "user_key": "a"}, "invariant_failed"),
        ("quotas", {"measure": "new_accounts", "user_key": "a", "currency": "EUR"}, "invariant_failed"),
        ("quotas", {"measure": "new_accounts", "user_key": "a"}, None),
        ("rates", {"base_currency": "EUR", "quote_currency": "EUR", "rate": "1"}, "invariant_failed"),
        ("rates", {"base_currency": "EUR", "quote_currency": "USD", "rate": "0.000"}, "invariant_failed"),
        ("rates", {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.1"}, None),
        ("expenses", {"kind": "meal", "amount_minor": 5, "currency": "XYZ"}, "currency_unknown"),
        ("expenses", {"kind": "meal", "amount_minor": 5, "currency": "EUR"}, None),
        ("expenses", {"kind": "sample", "product_key": "pump"}, None),
        ("organisations", {"zone": "Mars/Phobos"}, "calendar_invalid"),
        ("organisations", {"zone": "Europe/Madrid"}, None),
    ],
)
def test_a_row_that_contradicts_itself_is_named(entity: str, values: dict[str, Any], code: str | None) -> None:
    """S24."""
    result = broken(entity, blank(entity, **values))
    assert (result.code if result else None) == code


# -- transitions -----------------------------------------------------------------------------------------------------


def _stage(entity: str, key: str) -> Mapping[str, Any] | None:
    return {"kind": STAGES[key]} if entity == "stages" and key in STAGES else None


lookup = Lookup(_stage)


visit_commands = st.sampled_from([name for name, rule in TRANSITIONS.items() if rule.entity == "visits"])
instants = st.integers(0, NOW)


@given(st.lists(st.tuples(visit_commands, instants), max_size=6))
def test_a_visit_never_leaves_its_states_and_never_ends_before_it_begins(steps: list[tuple[str, int]]) -> None:
    """S27: whatever the order of commands and clocks."""
    row = blank("visits", account_key="a", owner_key="u")
    ends = {"completed", "cancelled", "no_show"}
    for command, at in steps:
        before = row["status"]
        done = transition(command, row, {}, at, lookup)
        if done.illegal is None:
            row = {**row, **done.values}
            assert (command == "visit.submit") == (before in ends)
        assert broken("visits", row) is None
    if row["status"] == "completed":
        assert row["checked_in_at"] <= row["checked_out_at"]


deal_steps = st.sampled_from(
    [
        ("deal.move", {"stage_key": "offer"}),
        ("deal.win", {}),
        ("deal.win", {"stage_key": "done"}),
        ("deal.lose", {"reason": "price"}),
        ("deal.reopen", {"stage_key": "lead"}),
    ]
)


@given(st.lists(deal_steps, max_size=8))
def test_a_deal_is_closed_exactly_while_its_stage_is_and_lost_with_a_reason(steps: list[Any]) -> None:
    """S27: stage, reason and closing time move as one."""
    row = blank("deals", owner_key="u", stage_key="lead")
    for place, (command, arguments) in enumerate(steps):
        done = transition(command, row, arguments, NOW + place, lookup)
        closed = row["closed_at"] is not None
        assert (done.illegal is not None) == (closed != (command == "deal.reopen"))
        if done.illegal is None:
            row = {**row, **done.values}
        assert (row["closed_at"] is not None) == (STAGES[row["stage_key"]] != "open")
        assert (row["lost_reason"] is not None) == (STAGES[row["stage_key"]] == "lost")


@given(st.sampled_from(sorted(TRANSITIONS)), st.dictionaries(st.text(max_size=8), junk, max_size=3), instants)
def test_any_arguments_are_accepted_or_refused_with_a_code(command: str, arguments: dict[str, Any], at: int) -> None:
    """S19, S27."""
    entity = TRANSITIONS[command].entity
    row = blank(entity, account_key="a", owner_key="u", stage_key="lead")
    refused = refusal(transition, command, row, arguments, at, lookup)
    assert refused is None or refused.code in CATALOGUE


def test_two_that_did_the_same_thing_agree_in_the_fields_that_say_so() -> None:
    """S27: `agree` is among what the command sets."""
    for command, rule in TRANSITIONS.items():
        groups = {SHAPES[rule.entity].group_of[field] for field in rule.agree}
        assert len(groups) == 1, command
        assert set(rule.agree) <= set(SHAPES[rule.entity].types)
