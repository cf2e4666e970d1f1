"""A deal's way through its stages (R9, R16, R20, R21, S27): what phones show and the server decides."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.days import local_day
from sfa.core.deal_states import DATED, LOSS, STATE, begun, by_clock, left_behind, restored, stated
from sfa.core.errors import Refused
from sfa.core.rules import TRANSITIONS, broken, check_values, transition
from sfa.core.shapes import SHAPES
from sfa.core.transitions import Lookup
from tests.core.test_rules import NOW, blank

DAY = 86_400_000


def stage(kind: str = "open", position: int = 0, **values: Any) -> dict[str, Any]:
    return blank("stages", name=kind, kind=kind, position=position, **values)


STAGES = {
    "lead": stage(position=1, exit_criteria=[{"kind": "field", "field": "amount"}]),
    "proof": stage(position=2, exit_criteria=[{"kind": "lines", "at_least": 2}]),
    "offer": stage(position=3, exit_criteria=[{"kind": "role", "role": "decision_maker"}]),
    "won": stage("won", 8),
    "lost": stage("lost", 9),
    "old": stage(position=4, valid_to="2020-01-01"),
    "renewal": stage(position=1, pipeline_key="renewals"),
    "renewed": stage("won", 5, pipeline_key="renewals"),
}
OTHERS = {
    "credit_rules": {},
    "lost_reasons": {
        "price": blank("lost_reasons", name="Too dear"),
        "rival": blank("lost_reasons", name="Somebody else", asks_competitor=True),
        "gone": blank("lost_reasons", name="Old", active=False),
    },
    "competitors": {"acme": blank("competitors", name="Acme"), "dead": blank("competitors", name="Dead", active=False)},
    "pipelines": {
        "renewals": blank("pipelines", name="Renewals"),
        "dead": blank("pipelines", name="Dead", active=False),
    },
    "stages": STAGES,
    "organisations": {"org": blank("organisations", zone="UTC")},
}


def lookup(lines: int = 0, roles: tuple[str, ...] = ()) -> Lookup:
    below: dict[str, list[dict[str, Any]]] = {
        "deal_lines": [{}] * lines,
        "deal_contacts": [{"contact_key": f"c{i}", "role": role} for i, role in enumerate(roles)],
    }
    return Lookup(
        lambda entity, key: OTHERS[entity].get(key), lambda entity: OTHERS[entity], lambda entity, _: below[entity]
    ).on("deal")


def deal(**values: Any) -> dict[str, Any]:
    return blank("deals", owner_key="ana", stage_key="lead", name="D", **values)


def do(row: Mapping[str, Any], command: str, at: int = NOW, seen: Lookup | None = None, **args: Any) -> dict[str, Any]:
    done = transition(command, row, args, at, seen or lookup(9, ("decision_maker",)))
    assert done.illegal is None
    return {**row, **done.values}


def refused(row: Mapping[str, Any], command: str, seen: Lookup | None = None, **args: Any) -> Refused:
    with pytest.raises(Refused) as found:
        transition(command, row, args, NOW, seen or lookup(9, ("decision_maker",)))
    return found.value


# -- what a stage asks before it is left ------------------------------------------------------------------------------


def test_going_forward_asks_the_stage_that_is_left_and_those_that_are_skipped_in_order() -> None:
    """R20: the whole list at once, in words and codes."""
    found = refused(deal(), "deal.move", lookup(), stage_key="offer")
    assert found.code == "criteria_unmet"
    assert [(m["stage_key"], m["kind"]) for m in found.details["missing"]] == [("lead", "field"), ("proof", "lines")]
    won = refused(deal(), "deal.win", lookup(1), stage_key="won")
    kinds = [(m["stage_key"], m["kind"], m.get("has", 0)) for m in won.details["missing"]]
    assert kinds == [("lead", "field", 0), ("proof", "lines", 1), ("offer", "role", 0)]


def test_going_back_losing_and_reopening_what_was_won_ask_nothing() -> None:
    """R20, R21: a win asked everything."""
    row = {**deal(), "stage_key": "offer"}
    assert do(row, "deal.move", seen=lookup(), stage_key="lead")["stage_key"] == "lead"
    assert do(row, "deal.lose", seen=lookup(), reason="price")["lost_reason"] == "price"
    won = {**deal(), "stage_key": "won", "closed_at": NOW}
    assert do(won, "deal.reopen", seen=lookup(), stage_key="offer")["closed_at"] is None


def test_losing_and_reopening_is_no_way_around_what_stages_ask() -> None:
    """R20: where a lost deal was, nobody knows."""
    lost = do(deal(), "deal.lose", seen=lookup(), reason="price")
    found = refused(lost, "deal.reopen", lookup(), stage_key="offer")
    assert [m["stage_key"] for m in found.details["missing"]] == ["lead", "proof"]
    assert do(lost, "deal.reopen", seen=lookup(), stage_key="lead")["closed_at"] is None


def test_a_transfer_within_the_pipeline_is_a_move_that_asks() -> None:
    """R20."""
    assert refused(deal(), "deal.transfer", lookup(), stage_key="offer").code == "criteria_unmet"
    row = do(deal(amount_minor=1, currency="EUR"), "deal.transfer", stage_key="offer")
    assert (row["stage_key"], row["pipeline_key"]) == ("offer", None)


def test_a_deal_whose_stage_was_deleted_is_asked_by_every_stage_on_its_way() -> None:
    """R20."""
    found = refused({**deal(), "stage_key": "deleted"}, "deal.win", lookup())
    assert [m["stage_key"] for m in found.details["missing"]] == ["lead", "proof", "offer"]


def test_a_deal_that_has_everything_goes_on_and_says_since_when() -> None:
    """R20."""
    row = do(deal(amount_minor=1, currency="EUR"), "deal.move", stage_key="offer")
    assert (row["stage_key"], row["stage_since"]) == ("offer", NOW)
    again = transition("deal.move", row, {"stage_key": "offer"}, NOW + 5, lookup())
    assert again.values["stage_since"] == NOW


@given(st.sampled_from([k for k, s in STAGES.items() if s["kind"] == "open"]), st.sampled_from([*STAGES, None]))
def test_only_stages_ahead_are_asked_and_the_one_that_is_left_first(here: str, to: str | None) -> None:
    """R20."""
    asked = left_behind(STAGES, None, "2026-01-05", here, to)
    places = [STAGES[key]["position"] for key, _ in asked]
    end = STAGES[to]["position"] if to is not None else None
    assert places == sorted(places)
    assert bool(asked) == (end is None or end > STAGES[here]["position"])
    assert [key for key, _ in asked][:1] in ([], [here])
    assert all(end is None or place < end for place in places)


def test_a_prediction_does_not_ask_what_was_checked_when_it_was_queued() -> None:
    """S29."""
    seen = Lookup(lambda entity, key: OTHERS[entity].get(key), lambda entity: OTHERS[entity])
    assert do(deal(), "deal.win", seen=seen)["closed_at"] == NOW


# -- pipelines and dates ----------------------------------------------------------------------------------------------


def test_a_deal_moves_only_to_stages_that_its_pipeline_offers_on_the_day() -> None:
    """R20, R32."""
    for key in ("old", "renewal"):
        found = refused(deal(amount_minor=1, currency="EUR"), "deal.move", stage_key=key)
        assert found.code == "stage_not_offered"
        assert found.details["offered"] == ["lead", "proof", "offer"]
    renewal = {**deal(pipeline_key="renewals"), "stage_key": "renewal"}
    assert do(renewal, "deal.win")["stage_key"] == "renewed"
    assert do(deal(amount_minor=1, currency="EUR"), "deal.win")["stage_key"] == "won"


def test_a_new_deal_is_in_the_pipeline_of_its_stage() -> None:
    """R20."""
    assert begun({"stage_key": "renewal"}, NOW, lookup())["pipeline_key"] == "renewals"
    assert "pipeline_key" not in begun({"stage_key": "lead"}, NOW, lookup())
    with pytest.raises(Refused, match="no active pipeline"):
        begun({"stage_key": "lead", "pipeline_key": "dead"}, NOW, lookup())
    for values, code in (({"stage_key": "won"}, "illegal_transition"), ({"stage_key": "old"}, "stage_not_offered")):
        with pytest.raises(Refused) as found:
            begun(values, NOW, lookup())
        assert found.value.code == code


def test_a_deal_is_transferred_to_another_pipeline_with_its_stage() -> None:
    """R20."""
    row = do(deal(), "deal.transfer", pipeline_key="renewals", stage_key="renewal")
    assert (row["pipeline_key"], row["stage_key"], row["stage_since"]) == ("renewals", "renewal", NOW)
    assert refused(deal(), "deal.transfer", pipeline_key="nowhere", stage_key="lead").code == "reference_unknown"
    assert refused(row, "deal.transfer", stage_key="renewal").code == "stage_not_offered"
    assert do(row, "deal.transfer", stage_key="lead")["pipeline_key"] is None


# -- losing -----------------------------------------------------------------------------------------------------------


def test_losing_needs_a_reason_and_what_that_reason_asks() -> None:
    """R21."""
    assert refused(deal(), "deal.lose").details == {"field": "reason", "missing": ["reason"]}
    assert refused(deal(), "deal.lose", reason="  ").code == "reason_required"
    assert refused(deal(), "deal.lose", reason_key="gone").code == "reference_unknown"
    lacking = refused(deal(), "deal.lose", reason_key="rival")
    assert (lacking.code, lacking.details["missing"]) == ("loss_incomplete", ["competitor_key"])
    assert refused(deal(), "deal.lose", reason_key="rival", competitor_key="dead").code == "reference_unknown"
    lost = do(deal(), "deal.lose", reason_key="rival", competitor_key="acme")
    told = (lost["lost_reason"], lost["lost_reason_key"], lost["competitor_key"])
    assert told == ("Somebody else", "rival", "acme")
    own = do(deal(), "deal.lose", reason="They moved", reason_key="price")
    assert (own["lost_reason"], own["lost_reason_key"]) == ("They moved", "price")


# -- signing, invoicing, reopening ------------------------------------------------------------------------------------


def test_only_a_deal_that_is_won_is_signed_and_once() -> None:
    """R9: the second one changes nothing; an instant that is said outright corrects it."""
    assert transition("deal.sign", deal(), {}, NOW, lookup()).illegal is not None
    lost = do(deal(), "deal.lose", reason="price")
    assert transition("deal.invoice", lost, {}, NOW, lookup()).illegal is not None
    won = do(deal(amount_minor=1, currency="EUR"), "deal.win")
    signed = do(won, "deal.sign", NOW + 1)
    assert signed["signed_at"] == NOW + 1
    again = transition("deal.sign", signed, {}, NOW + DAY, lookup())
    assert (again.values, again.illegal) == ({"signed_at": NOW + 1}, None)
    began = {**signed, "opened_on": local_day(NOW - DAY, "UTC")}
    corrected = transition("deal.sign", began, {"at": NOW - DAY}, NOW + DAY, lookup())
    assert (corrected.values, corrected.illegal) == ({"signed_at": NOW - DAY}, None)
    for at in (NOW + 1, NOW - 2 * DAY, 0):
        with pytest.raises(Refused) as found:
            transition("deal.invoice", began, {"at": at}, NOW, lookup())
        assert found.value.code == "command_invalid"


def test_a_deal_whose_won_stage_was_deleted_is_signed() -> None:
    """R9."""
    won = {**deal(), "stage_key": "deleted", "closed_at": NOW}
    assert do(won, "deal.sign")["signed_at"] == NOW
    assert transition("deal.sign", {**won, "lost_reason": "price"}, {}, NOW, lookup()).illegal is not None


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_what_was_not_in_the_future_for_a_fast_clock_is_now(said: int, clock: int) -> None:
    """S28."""
    found = by_clock({"at": NOW + said}, NOW + clock, NOW)["at"]
    assert found == (NOW if 0 < said <= clock else NOW + said)
    assert by_clock({}, NOW + clock, NOW) == {}


def test_a_deal_that_was_reopened_fifty_times_says_so() -> None:
    """R21: no end is forgotten, and no other thing is said."""
    won = {**do(deal(amount_minor=1, currency="EUR"), "deal.win"), "closings": [{"closed_at": n} for n in range(50)]}
    found = refused(won, "deal.reopen", stage_key="lead")
    assert (found.code, found.details) == ("reopened_too_often", {"ends": 50})


def test_reopening_keeps_the_end_with_all_that_it_was_credited_by() -> None:
    """R21."""
    splits = [{"user_key": "ana", "share_bp": 6_000}, {"user_key": "bob", "share_bp": 4_000}]
    won = do(do(deal(amount_minor=7, currency="EUR", splits=splits), "deal.win", NOW), "deal.sign", NOW + 1)
    opened = do(won, "deal.reopen", NOW + DAY, stage_key="lead")
    assert [opened[f] for f in ("closed_at", "signed_at", "invoiced_at", "lost_reason")] == [None] * 4
    (end,) = opened["closings"]
    assert (end["closed_at"], end["signed_at"], end["reopened_at"]) == (NOW, NOW + 1, NOW + DAY)
    assert (end["amount_minor"], end["currency"], end["splits"], end["owner_key"]) == (7, "EUR", splits, "ana")
    again = transition("deal.reopen", opened, {"stage_key": "lead"}, NOW + 2 * DAY, lookup())
    assert again.values["closings"] == opened["closings"]
    early = do(won, "deal.reopen", NOW - DAY, stage_key="lead")
    assert early["closings"][0]["reopened_at"] == NOW


steps = st.sampled_from(
    [
        ("deal.move", {"stage_key": "proof"}),
        ("deal.win", {}),
        ("deal.lose", {"reason_key": "price"}),
        ("deal.reopen", {"stage_key": "lead"}),
        ("deal.sign", {}),
        ("deal.invoice", {}),
        ("deal.transfer", {"stage_key": "lead"}),
    ]
)


@given(st.lists(steps, max_size=12))
def test_ends_are_only_ever_added_and_one_stands_exactly_while_the_deal_is_closed(path: list[Any]) -> None:
    """R9, R21: whatever the order; every reversed end was one that stood."""
    row, ends = deal(amount_minor=5, currency="EUR"), 0
    for place, (command, arguments) in enumerate(path):
        at = NOW + place
        done = transition(command, row, arguments, at, lookup(9, ("decision_maker",)))
        if done.illegal is not None:
            continue
        before, row = row, {**row, **done.values}
        check_values("deals", {f: row[f] for f in done.values})
        assert row["closings"][: len(before["closings"])] == before["closings"]
        ends += before["closed_at"] is not None and row["closed_at"] is None
        assert len(row["closings"]) == ends
        kind = STAGES[row["stage_key"]]["kind"]
        assert (row["closed_at"] is not None) == (kind != "open")
        assert (row["lost_reason"] is not None) == (kind == "lost")
        assert kind == "won" or row["signed_at"] is row["invoiced_at"] is None
        assert broken("deals", row) is None


OPEN_STATE = {"stage_key": "lead", "closed_at": None}
WON_STATE = {"stage_key": "won", "closed_at": NOW}
LOST_STATE = {"stage_key": "lost", "closed_at": NOW + 1, "lost_reason": "price"}
ALL = lookup(9, ("decision_maker",))
states = st.sampled_from([OPEN_STATE, WON_STATE, LOST_STATE])
dated = st.fixed_dictionaries({}, optional={f: st.none() | st.just(NOW) for f in DATED})
MORE: list[dict[str, Any]] = [{}, {"closings": []}]
old_or_new = st.sampled_from(MORE)


@given(states, states, dated, dated, old_or_new, st.integers(0, 3))
def test_a_state_put_back_or_stated_by_a_file_reverses_the_end_that_it_takes_away(
    now: dict[str, Any], then: dict[str, Any], signed: dict[str, Any], said: dict[str, Any], more: Any, ends: int
) -> None:
    """R21: whoever says it, and whatever an older app left out."""
    row = {**deal(amount_minor=1, currency="EUR", closings=[{"closed_at": n} for n in range(ends)]), **now}
    if now is WON_STATE:
        row |= signed
    after = {**row, **stated(row, {**then, **said, **more}, NOW + 5, ALL)}
    assert after["closings"][:ends] == row["closings"]
    reversed_ = now is not OPEN_STATE and then is not now
    assert [end["closed_at"] for end in after["closings"][ends:]] == ([row["closed_at"]] if reversed_ else [])
    assert then is WON_STATE or all(after[f] is None for f in DATED)
    assert then is LOST_STATE or all(after[f] is None for f in LOSS)
    again = stated(after, {**then, **said, **more}, NOW + 9, ALL)
    assert {f: v for f, v in again.items() if after[f] != v} == {}


def test_a_value_put_back_takes_no_signature_away_and_says_nothing_of_another_state() -> None:
    """R9, R21."""
    row = {**deal(amount_minor=1, currency="EUR"), **WON_STATE, "signed_at": NOW}
    old = {**WON_STATE, "closings": [], "signed_at": None, "invoiced_at": NOW + 1}
    assert {**row, **restored(row, old, NOW + 2, ALL)} == {**row, "invoiced_at": NOW + 1}
    for losing in ({"lost_reason": "price"}, {"signed_at": NOW}):
        with pytest.raises(Refused) as found:
            restored({**deal(), **OPEN_STATE}, losing, NOW, ALL)
        assert found.value.code == "illegal_transition"
    assert restored(row, {"name": "x"}, NOW, ALL) == {"name": "x"}


def test_a_win_that_is_put_back_is_asked_what_winning_asks() -> None:
    """R20."""
    for now in (OPEN_STATE, LOST_STATE):
        with pytest.raises(Refused) as found:
            restored({**deal(), **now}, WON_STATE, NOW + 2, lookup())
        assert found.value.code == "criteria_unmet"
    with pytest.raises(Refused):
        restored({**deal(), **LOST_STATE}, {"stage_key": "offer", "closed_at": None}, NOW + 2, lookup())
    assert restored({**deal(), **WON_STATE}, {"stage_key": "offer", "closed_at": None}, NOW, lookup())


def test_every_deal_command_moves_the_group_that_merges_as_one() -> None:
    """S27: signing and invoicing stand beside each other."""
    rules = {name: rule for name, rule in TRANSITIONS.items() if rule.entity == "deals"}
    groups = {SHAPES["deals"].group_of[field] for rule in rules.values() for field in rule.agree}
    assert groups == {"stage", "signed_at", "invoiced_at"}
    assert {*SHAPES["deals"].groups["stage"], *DATED} == STATE


# -- shares -----------------------------------------------------------------------------------------------------------

overlays = st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 10_001)), max_size=3)


@given(overlays)
def test_overlays_name_each_person_once_and_are_bound_to_no_total(found: list[tuple[str, int]]) -> None:
    """R16."""
    row = deal(overlays=[{"user_key": user, "share_bp": share} for user, share in found])
    users = [user for user, _ in found]
    right = len(set(users)) == len(users) and all(1 <= share <= 10_000 for _, share in found)
    result = broken("deals", row)
    assert (result is None) == right
    assert result is None or (result.code, result.details["field"]) == ("splits_invalid", "overlays")


def test_splits_of_99_99_percent_are_refused_with_what_is_missing() -> None:
    """R16: three times a third is not the whole."""
    splits = [{"user_key": user, "share_bp": 3_333} for user in ("ana", "bob", "eva")]
    found = broken("deals", deal(splits=splits))
    assert found is not None
    assert (found.code, found.details) == ("splits_invalid", {"field": "splits", "total_bp": 9_999, "missing_bp": 1})


def test_a_new_owner_must_be_among_those_who_share() -> None:
    """R16."""
    splits = [{"user_key": "ana", "share_bp": 5_000}, {"user_key": "bob", "share_bp": 5_000}]
    found = broken("deals", {**deal(splits=splits), "owner_key": "eva"})
    assert found is not None
    assert found.details["missing"] == ["eva"]
