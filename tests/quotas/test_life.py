"""R5: versions, approval and challenges, as rules without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.quotas import life
from sfa.quotas.life import Approve, Challenge, Decide

days = st.dates().map(lambda day: day.isoformat())
people = st.sampled_from(["mia", "dirk", "fay"])
LAST = "2026-03-31"
DRAFT: dict[str, Any] = {"status": "draft", "approvals": 0, "target": 100, "currency": "EUR"}


def after(quota: dict[str, Any], version: dict[str, Any]) -> dict[str, Any]:
    return {**quota, "status": "approved", "approvals": version["number"]}


@given(st.lists(st.tuples(people, days, st.none() | days, st.integers(-5, 5)), max_size=8), days)
def test_versions_are_numbered_without_gap_and_reach_back_before_nothing_that_is_in_force(
    orders: list[Any], last_on: str
) -> None:
    """R5: however approvals and resets follow each other."""
    quota: dict[str, Any] = dict(DRAFT)
    versions: list[dict[str, Any]] = []
    for user, today, valid_from, target in orders:
        quota = {**quota, **(life.reset(quota) or {}), "target": target}
        now = min(today, last_on)
        earliest = max((v["valid_from"] for v in versions if v["valid_from"] <= now), default="")
        if valid_from is not None and not earliest <= valid_from <= last_on:
            with pytest.raises(Refused, match="field_invalid"):
                life.approve(quota, versions, Approve(valid_from), user, today, last_on)
            continue
        said = life.approve(quota, versions, Approve(valid_from), user, today, last_on)
        assert said is not None
        assert said["target"] == target
        assert said["valid_from"] == (valid_from or now)
        versions.append({**said, "approved_by": user})
        quota = after(quota, said)
        assert life.approve(quota, versions, Approve(valid_from), user, today, last_on) is None, "twice is once"
    assert [version["number"] for version in versions] == list(range(1, len(versions) + 1))


def test_who_approves_second_is_told_who_did() -> None:
    """R5."""
    first = life.approve(DRAFT, [], Approve(), "mia", "2026-01-05", LAST)
    assert first is not None
    with pytest.raises(Refused) as refused:
        life.approve(after(DRAFT, first), [{**first, "approved_by": "mia"}], Approve(), "dirk", "2026-01-05", LAST)
    assert (refused.value.code, refused.value.details) == ("quota_approved", {"version": 1, "approved_by": "mia"})


def test_a_target_that_nobody_looked_at_is_not_approved() -> None:
    with pytest.raises(Refused) as refused:
        life.approve(DRAFT, [], Approve(target=90), "mia", "2026-01-05", LAST)
    assert (refused.value.code, refused.value.details) == ("rev_stale", {"target": 100})


def test_one_challenge_of_a_person_waits_at_a_time() -> None:
    first = life.challenge({}, Challenge("too much", 80), "ana")
    assert first == {"author_key": "ana", "text": "too much", "proposed": 80}
    known = {"c1": {**first, "status": "open"}}
    assert life.challenge(known, Challenge("too much", 80), "ana") is None
    assert life.challenge(known, Challenge("too much", 80), "bob") is not None
    with pytest.raises(Refused) as refused:
        life.challenge(known, Challenge("far too much", 80), "ana")
    assert (refused.value.code, refused.value.details) == ("challenge_open", {"key": "c1"})
    known["c1"]["status"] = "declined"
    assert life.challenge(known, Challenge("far too much", 80), "ana") is not None


@given(st.none() | st.integers(0, 200), st.none() | st.integers(0, 200), st.sampled_from(["draft", "approved"]))
def test_an_accepted_challenge_makes_a_draft_with_the_target_that_was_decided(
    proposed: int | None, target: int | None, status: str
) -> None:
    """R5."""
    quota = {**DRAFT, "status": status}
    made = {"author_key": "ana", "proposed": proposed, "status": "open", "decided_by": None, "answer": None}
    decision = life.decide(quota, made, Decide("c1", True, "agreed", target), "mia")
    assert decision is not None
    said, changes = decision
    wanted = target if target is not None else proposed if proposed is not None else 100
    assert {**quota, **changes} == {**quota, "status": "draft", "target": wanted}
    assert said == {"status": "accepted", "answer": "agreed", "decided_by": "mia"}
    assert life.decide(quota, {**made, **said}, Decide("c1", True, "agreed", target), "mia") is None
    with pytest.raises(Refused) as refused:
        life.decide(quota, {**made, **said}, Decide("c1", False, "no"), "dirk")
    assert (refused.value.code, refused.value.details) == ("challenge_decided", {"status": "accepted"})


def test_nobody_decides_his_own_challenge_and_a_declined_one_changes_no_target() -> None:
    made = {"author_key": "fay", "proposed": 1, "status": "open", "decided_by": None, "answer": None}
    with pytest.raises(Refused) as refused:
        life.decide(DRAFT, made, Decide("c1", True, "yes"), "fay")
    assert refused.value.code == "not_permitted"
    with pytest.raises(Refused) as refused:
        life.decide(DRAFT, made, Decide("c1", False, "no", 5), "mia")
    assert refused.value.code == "command_invalid"
    assert life.decide(DRAFT, made, Decide("c1", False, "no"), "mia") == (
        {"status": "declined", "answer": "no", "decided_by": "mia"},
        {},
    )
