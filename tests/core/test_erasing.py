"""What is left of a person: nothing that was said of the person, everything else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.erasing import BLANK, FIELDS, NAME, blanked, blanked_changes, without_person
from sfa.core.shapes import SHAPES

secrets = st.text("xyz", min_size=4).map(lambda t: f"secret-{t}")
json = st.recursive(
    st.one_of(st.none(), st.integers(), st.text("abc")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def kept(draw: st.DrawFn) -> Any:
    """Mutations of the person and of others, bare or wrapped, somewhere in JSON."""
    mine = {"entity": "contacts", "key": "carl", "set": {"phone": draw(secrets)}}
    others = {"entity": draw(st.sampled_from(["contacts", "accounts"])), "key": "other", "set": draw(json)}
    parts = draw(st.permutations([mine, {"mutation": mine, "at": 1}, others, {"mutation": others, "at": 2}]))
    return draw(st.sampled_from([parts, {"a": parts}, [[parts]]]))


@given(kept())
def test_nothing_that_was_said_of_the_person_is_left_and_nothing_else_is_lost(value: Any) -> None:
    left = without_person(value, {"carl"})
    assert "secret-" not in repr(left)
    assert repr(left).count("'other'") == 2
    assert without_person(left, {"carl"}) == left


@given(st.dictionaries(st.sampled_from([*SHAPES["contacts"].types]), st.tuples(secrets, secrets)))
def test_history_says_which_fields_changed_and_no_longer_from_what_to_what(changes: Any) -> None:
    left = blanked_changes("contacts", changes)
    assert left.keys() == changes.keys()
    assert all("secret" not in repr(left[field]) for field in left.keys() & BLANK.keys())
    assert all(left[field] == changes[field] for field in left.keys() - BLANK.keys())
    assert blanked_changes("contacts", left) == left


@given(st.fixed_dictionaries({field: st.one_of(st.none(), secrets) for field in BLANK}))
def test_a_blanked_row_needs_no_blanking(row: Any) -> None:
    done = {**row, **blanked("contacts", row)}
    assert blanked("contacts", done) == {}
    assert done["name"] == NAME


def test_every_field_of_a_contact_is_blanked_or_known_to_name_nobody() -> None:
    """A new field of a person must be decided about."""
    assert SHAPES["contacts"].types.keys() - BLANK.keys() == {"account_key", "created_at", "created_by"}
    assert all(fields.keys() <= SHAPES[entity].types.keys() for entity, fields in FIELDS.items())
