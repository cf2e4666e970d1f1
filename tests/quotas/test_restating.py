"""What a closed figure would be today, and why (R2, R17, R18, R34)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sfa.quotas.restating import UNTOUCHED, WHYS, Part, Place, Quota, Since, differing, restated

MONEY = Quota("revenue")
VISITS = Quota("total_contacts")


def part(row: str = "d1", user: str = "ana", value: int = 100, entity: str = "deals", **more: Any) -> Part:
    ordinal, reversal = int(entity == "deals"), bool(more.pop("reversal", False))
    said: dict[str, Any] = {"at": 5, "share_bp": 10_000, "amount_minor": value, "currency": "EUR", "rate": None}
    said["reason"] = "won"
    return Part(place=Place(entity, row, ordinal, reversal, user), value=value, **{**said, **more})


def why(before: list[Part], after: list[Part], since: Since = UNTOUCHED, quota: Quota = MONEY) -> list[tuple[str, str]]:
    rows = {(p.place.entity, p.place.row_key): since for p in (*before, *after)}
    return [(d.kind, d.why) for d in restated(before, after, rows, quota)]


PARTS = st.builds(
    lambda entity, row, ordinal, reversal, user, value, share, rate: Part(
        1, share, value, "EUR", rate, value, "won", place=Place(entity, row, ordinal, reversal, user)
    ),
    st.sampled_from(["deals", "visits", "accounts"]),
    st.sampled_from("abc"),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from(["ana", "bob"]),
    st.integers(-3, 3),
    st.sampled_from([5_000, 10_000]),
    st.sampled_from([None, "1.39"]),
)
SIDES = st.lists(PARTS, max_size=12, unique_by=lambda p: p.place)
SINCE = st.builds(
    Since,
    made=st.booleans(),
    gone=st.booleans(),
    merged=st.booleans(),
    lines=st.booleans(),
    fields=st.frozensets(st.sampled_from(["owner_key", "splits", "amount_minor", "closed_at", "status", "name"])),
    account_fields=st.frozensets(st.sampled_from(["tier", "territory_key"])),
)
QUOTAS = st.builds(Quota, st.sampled_from(["revenue", "margin", "quantity"]), st.booleans(), st.booleans())


@given(SIDES, SIDES, SINCE, QUOTAS)
def test_r2_what_was_closed_plus_the_deltas_is_what_the_figure_is_now(
    closed: list[Part], now: list[Part], since: Since, quota: Quota
) -> None:
    rows = {(p.place.entity, p.place.row_key): since for p in closed}
    found = restated(closed, now, rows, quota)
    assert sum(p.value for p in closed) + sum(d.delta for d in found) == sum(p.value for p in now)
    assert len({d.place for d in found}) == len(found), "nothing is listed twice"
    assert {d.why for d in found} <= set(WHYS)


@given(SIDES, SINCE, QUOTAS)
def test_r2_equal_lists_give_no_difference(parts: list[Part], since: Since, quota: Quota) -> None:
    rows = {(p.place.entity, p.place.row_key): since for p in parts}
    assert restated(parts, list(reversed(parts)), rows, quota) == []
    assert differing(parts, parts) == set()


@given(SIDES, SIDES)
def test_every_record_of_a_difference_is_asked_about(closed: list[Part], now: list[Part]) -> None:
    listed = {(d.place.entity, d.place.row_key) for d in restated(closed, now, {}, MONEY)}
    assert listed == differing(closed, now)


def test_r2_a_visit_that_arrives_late_is_added() -> None:
    visit = part("v1", value=1, entity="visits")
    assert why([], [visit], Since(made=True), VISITS) == [("added", "late")]


def test_r2_a_planned_visit_whose_check_in_arrives_late_is_added() -> None:
    visit = part("v1", value=1, entity="visits")
    assert why([], [visit], Since(fields=frozenset({"status", "checked_in_at"})), VISITS) == [("added", "late")]


def test_r2_a_difference_says_the_value_before_and_after() -> None:
    (found,) = restated([part(value=100)], [part(value=80)], {}, MONEY)
    assert found.before
    assert found.after
    assert (found.before.value, found.after.value, found.delta) == (100, 80, -20)


def test_r17_other_splits_are_a_restatement_of_each_partner() -> None:
    shared = Since(fields=frozenset({"splits"}))
    before = [part(user="ana", value=100)]
    after = [part(user="ana", value=60, share_bp=6_000), part(user="bob", value=40, share_bp=4_000)]
    assert why(before, after, shared) == [("changed", "changed_split"), ("added", "changed_split")]


def test_r17_another_amount_is_a_restatement() -> None:
    changed = Since(fields=frozenset({"amount_minor"}))
    assert why([part(value=100)], [part(value=120)], changed) == [("changed", "changed_amount")]


def test_r18_a_membership_changed_backdated_is_a_restatement_of_the_team() -> None:
    team = Quota("revenue", members_changed=True)
    assert why([part(user="ana")], [], Since(), team) == [("removed", "membership_changed")]
    assert why([], [part(user="bob")], Since(), team) == [("added", "membership_changed")]


def test_r18_a_partner_who_left_a_team_is_no_change_of_the_split() -> None:
    """The deal still counts for the other partner, and nobody touched it."""
    team = Quota("revenue", members_changed=True)
    before = [part(user="ana", value=60, share_bp=6_000), part(user="bob", value=40, share_bp=4_000)]
    assert why(before, before[:1], Since(), team) == [("removed", "membership_changed")]


def test_r21_a_reversal_dated_inside_the_period_is_named() -> None:
    back = part(value=-100, reversal=True)
    assert why([part()], [part(), back], Since(fields=frozenset({"stage_key"}))) == [("added", "reopened")]


def test_r34_a_corrected_rate_is_listed_with_the_old_and_the_new_one() -> None:
    before = part(value=100_000, amount_minor=139_000, currency="AUD", rate="1.39")
    after = replace(before, value=97_887, rate="1.42")
    (found,) = restated([before], [after], {}, MONEY)
    assert found.before
    assert found.after
    assert (found.why, found.before.rate, found.after.rate, found.delta) == ("rate_corrected", "1.39", "1.42", -2_113)


def test_r34_a_rate_that_was_missing_and_came_is_listed() -> None:
    after = part(value=100_000, amount_minor=139_000, currency="AUD", rate="1.39")
    assert why([], [after], Since(), replace(MONEY, incomplete=True)) == [("added", "rate_corrected")]


@pytest.mark.parametrize(
    ("since", "quota", "word"),
    [
        (Since(gone=True), MONEY, "deleted"),
        (Since(merged=True, gone=True), VISITS, "merged"),
        (Since(fields=frozenset({"owner_key"})), MONEY, "changed_owner"),
        (Since(fields=frozenset({"owner_key", "splits"})), MONEY, "changed_owner"),
        (Since(fields=frozenset({"overlays"})), MONEY, "changed_split"),
        (Since(fields=frozenset({"closed_at", "stage_key"})), MONEY, "reopened"),
        (Since(account_fields=frozenset({"tier"})), VISITS, "rule_changed"),
        (
            Since(account_fields=frozenset({"territory_key"})),
            Quota("revenue", members_changed=True),
            "membership_changed",
        ),
        (Since(), replace(VISITS, rules_changed=True), "rule_changed"),
        (Since(fields=frozenset({"name"})), Quota("revenue", members_changed=True), "membership_changed"),
        (Since(fields=frozenset({"name"})), MONEY, "other"),
        (Since(), Quota("unique_contacts"), "repeated"),
        (Since(), replace(VISITS, repeated=frozenset({part().place})), "repeated"),
    ],
)
def test_what_is_gone_says_why(since: Since, quota: Quota, word: str) -> None:
    assert why([part()], [], since, quota) == [("removed", word)]


def test_a_visit_that_was_cancelled_afterwards_is_a_matter_of_the_rule() -> None:
    visit = part("v1", value=1, entity="visits")
    assert why([visit], [], Since(fields=frozenset({"status"})), VISITS) == [("removed", "rule_changed")]


def test_other_costs_of_the_goods_are_named() -> None:
    before = part(value=40, amount_minor=100)
    assert why([before], [replace(before, value=30)], Since(), Quota("margin")) == [("changed", "changed_cost")]
