"""Who may see and end a registration, as a table, and the way that its states go (S31)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.access import ROLES
from sfa.core.errors import Refused
from sfa.core.registrations import ACTIVE, STATES, check_active, rights_on, state_after

ANA, MIA = frozenset({"all", "user:ana", "book:ana"}), frozenset({"all", "book:mia", "book:ana", "book:bob"})


@pytest.mark.parametrize(
    ("user", "role", "held", "owner", "rights"),
    [
        ("ana", "rep", ANA, "ana", "end see"),
        ("ana", "rep", ANA, "bob", ""),
        ("ana", "rep", MIA, "bob", ""),  # a book alone makes nobody a manager
        ("mia", "manager", MIA, "ana", "end review see"),
        ("mia", "manager", MIA, "mia", "end see"),
        ("mia", "manager", MIA, "cleo", ""),
        ("dirk", "director", MIA, "ana", "end review see"),
        ("fay", "finance", MIA, "ana", ""),
        ("root", "admin", frozenset(), "ana", "end review see"),
        ("root", "admin", frozenset(), "root", "end review see"),
    ],
)
def test_rights_are_those_of_the_table(user: str, role: str, held: frozenset[str], owner: str, rights: str) -> None:
    assert " ".join(sorted(rights_on(user, role, held, owner))) == rights


@given(st.sampled_from(ROLES), st.sampled_from(["ana", "bob"]), st.sampled_from(["ana", "bob"]))
def test_who_may_do_anything_also_sees(role: str, user: str, owner: str) -> None:
    rights = rights_on(user, role, MIA, owner)
    assert not rights or "see" in rights


@given(st.sampled_from(STATES), st.lists(st.sampled_from(["revoked", "wiped"]), min_size=1))
def test_an_ended_registration_is_never_active_again_and_an_order_twice_is_an_order_once(
    state: str, orders: list[str]
) -> None:
    for order in orders:
        state = state_after(state, order)
        assert state_after(state, order) == state
        assert state != ACTIVE
    assert ("wiped" in orders) <= (state == "wiped")


@pytest.mark.parametrize(
    ("state", "code", "details"),
    [
        ("revoked", "device_revoked", {"drain": True}),
        ("drained", "device_revoked", {"drain": True}),
        ("wiped", "device_wiped", {}),
    ],
)
def test_a_device_is_told_why_it_was_ended(state: str, code: str, details: dict[str, bool]) -> None:
    with pytest.raises(Refused) as refused:
        check_active(state)
    assert (refused.value.code, refused.value.details) == (code, details)
    check_active(ACTIVE)
