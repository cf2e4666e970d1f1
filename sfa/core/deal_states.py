"""The commands that move a deal through its stages (S27): moving, winning, losing, reopening, signing, invoicing.

A deal goes to the stages of its pipeline that are offered on the local day (R32). Going forward, and winning, asks the
criteria of the stage that is left and of those that are skipped; going back and losing ask none. Where a lost deal was,
nobody knows, so opening it again asks all that lies before. An end that is reopened, or that a person or a file takes
away, is kept in `closings` with all that it was credited by, and is never taken out again (R21). A deal is signed and
invoiced once for each end (R9); an instant that is said outright corrects it. What a device shows before it syncs and
what the server decides is this same code.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core import criteria
from sfa.core.access import holds_on
from sfa.core.credits import EVENTS, day_of, event_on
from sfa.core.criteria import Missing
from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.core.fields import CompetitorRef, Instant, LostReasonRef, PipelineRef, StageRef
from sfa.core.transitions import Lookup, Rule, Transition, Values, zone_in

# What an end of a deal was, kept when it is reopened, with `reopened_at`.
END = (
    *("stage_key", "closed_at", "signed_at", "invoiced_at", "owner_key", "amount_minor", "currency"),
    *("splits", "overlays", "lost_reason", "lost_reason_key", "competitor_key"),
)
DATED = ("signed_at", "invoiced_at")  # only what is won says them
LOSS = ("lost_reason", "lost_reason_key", "competitor_key")  # only what is lost
STATE = frozenset({"stage_key", "pipeline_key", "closed_at", "stage_since", "closings", *DATED, *LOSS})
OPEN: dict[str, Any] = dict.fromkeys(("closed_at", *LOSS))
ENDS_MAX = 50  # `closings` hold no more


class Move(Struct, frozen=True, forbid_unknown_fields=True):
    stage_key: StageRef


class Transfer(Struct, frozen=True, forbid_unknown_fields=True):
    stage_key: StageRef
    pipeline_key: PipelineRef | None = None


class Win(Struct, frozen=True, forbid_unknown_fields=True):
    stage_key: StageRef | None = None


class Lose(Struct, frozen=True, forbid_unknown_fields=True):
    reason: str | None = None
    stage_key: StageRef | None = None
    reason_key: LostReasonRef | None = None
    competitor_key: CompetitorRef | None = None


class Dated(Struct, frozen=True, forbid_unknown_fields=True):
    at: Instant | None = None


# -- stages ----------------------------------------------------------------------------------------------------------


def is_offered(stage: Values, pipeline: str | None, day: str) -> bool:
    """Whether a deal of this pipeline (None: of no particular one) may enter the stage on a local day."""
    if stage.get("pipeline_key") not in (None, pipeline):
        return False
    return holds_on(stage.get("valid_from") or "", stage.get("valid_to"), day)


def in_order(stages: Mapping[str, Values], pipeline: str | None, day: str, kind: str = "open") -> list[str]:
    """The keys of the stages of one kind that are offered, as they follow each other."""
    found = [key for key, s in stages.items() if s["kind"] == kind and is_offered(s, pipeline, day)]
    return sorted(found, key=lambda key: (stages[key]["position"], key))


def left_behind(
    stages: Mapping[str, Values], pipeline: str | None, day: str, here: str | None, to: str | None
) -> list[tuple[str, list[Any]]]:
    """(stage, its criteria) of the stage that is left and of those that are skipped on the way to a later one, or
    (None) to a win; nothing on the way back. The stage that is left asks even if it is offered no more; where it is
    not known, or was deleted, every one on the way does."""
    start = stages.get(here) if here is not None else None
    begin, end = start["position"] if start is not None else None, stages[to]["position"] if to is not None else None
    if begin is not None and end is not None and end <= begin:
        return []
    places = ((key, stages[key]["position"]) for key in in_order(stages, pipeline, day))
    asked = [key for key, at in places if (begin is None or at > begin) and (end is None or at < end)]
    left = [here] if here is not None and start is not None else []
    return [(key, stages[key].get("exit_criteria") or []) for key in (*left, *asked)]


def next_stage(row: Values, day: str, lookup: Lookup) -> str | None:
    """The open stage after a deal's own in its pipeline; None where winning comes next."""
    stages = lookup.every("stages")
    here = stages[row["stage_key"]]["position"] if row["stage_key"] in stages else -1
    later = (key for key in in_order(stages, row.get("pipeline_key"), day) if stages[key]["position"] > here)
    return next(later, None)


def unmet(row: Values, to: str | None, at: int, lookup: Lookup) -> list[Missing]:
    """What a deal lacks on its way to a stage, or (None) to a win; a closed one from the first stage on."""
    if not lookup.sees_below:
        return []
    day = local_day(at, zone_in(lookup))
    here = row["stage_key"] if row["closed_at"] is None else None
    asked = left_behind(lookup.every("stages"), row.get("pipeline_key"), day, here, to)
    wanted = set().union(*(criteria.needs_rows(each) for _, each in asked)) if asked else set()
    lines = lookup.below("deal_lines") if "deal_lines" in wanted else ()
    contacts = lookup.below("deal_contacts") if "deal_contacts" in wanted else ()
    return [m for stage, each in asked for m in criteria.missing(stage, each, row, lines, contacts)]


def _stage(key: str, kind: str, pipeline: str | None, at: int, lookup: Lookup) -> str:
    """The key of a stage of this kind that the deal may enter, or why it may not."""
    stage = lookup("stages", key)
    if stage is None:
        raise Refused("reference_unknown", f"there is no stage {key!r}", field="stage_key")
    if stage["kind"] != kind:
        raise Refused("command_invalid", f"stage {key!r} is {stage['kind']}, not {kind}", field="stage_key")
    day = local_day(at, zone_in(lookup))
    if not is_offered(stage, pipeline, day):
        offered = in_order(lookup.every("stages"), pipeline, day, kind)
        text = f"stage {key!r} is not offered to this deal on {day}"
        raise Refused("stage_not_offered", text, field="stage_key", offered=offered, day=day, pipeline_key=pipeline)
    return key


def _end_stage(said: str | None, kind: str, row: Values, at: int, lookup: Lookup) -> str:
    """The stage that was said, the only one of that kind in the pipeline, or `won` and `lost` as they are called."""
    pipeline = row.get("pipeline_key")
    if said is None:
        stages = lookup.every("stages")
        offered = in_order(stages, pipeline, local_day(at, zone_in(lookup)), kind)
        own = [key for key in offered if stages[key].get("pipeline_key") is not None]
        said = next((found[0] for found in (own, offered) if len(found) == 1), kind)
    return _stage(said, kind, pipeline, at, lookup)


def begun(values: Mapping[str, Any], at: int, lookup: Lookup) -> Mapping[str, Any]:
    """The values of a new deal: it begins in an open stage that is offered, in the pipeline that it names or else in
    that of its stage."""
    key = values["stage_key"]
    stage = lookup("stages", key)
    if stage is None or stage["kind"] != "open":
        raise Refused("illegal_transition", f"a deal begins in an open stage, not in {key!r}", field="stage_key")
    if values.get("pipeline_key") is None and stage.get("pipeline_key") is not None:
        values = {**values, "pipeline_key": stage["pipeline_key"]}
    if values.get("pipeline_key") is not None:
        _pipeline(values["pipeline_key"], lookup)
    _stage(key, "open", values.get("pipeline_key"), at, lookup)
    return values


# -- commands --------------------------------------------------------------------------------------------------------


def _is_closed(row: Values) -> str | None:
    return "the deal is closed: reopen it first" if row["closed_at"] is not None else None


def _enters(row: Values, stage_key: str, at: int, **values: Any) -> dict[str, Any]:
    """The whole group of a deal's stage. Where the deal is there already, it has been since then."""
    since = row.get("stage_since") if row["stage_key"] == stage_key else at
    return {"stage_key": stage_key, **OPEN, "stage_since": since, "closings": row.get("closings") or [], **values}


def _ask(row: Values, to: str | None, at: int, lookup: Lookup) -> None:
    lacking = unmet(row, to, at, lookup)
    if lacking:
        text = "; ".join(f"{m.stage_key}: {m.text}" for m in lacking)
        raise Refused("criteria_unmet", f"before it goes on: {text}"[:1_000], missing=msgspec.to_builtins(lacking))


def _pipeline(key: str, lookup: Lookup) -> None:
    found = lookup("pipelines", key)
    if found is None or not found["active"]:
        raise Refused("reference_unknown", f"there is no active pipeline {key!r}", field="pipeline_key")


def _move(row: Values, args: Move, at: int, lookup: Lookup) -> Transition:
    _stage(args.stage_key, "open", row.get("pipeline_key"), at, lookup)
    illegal = _is_closed(row)
    if illegal is None and row["stage_key"] != args.stage_key:
        _ask(row, args.stage_key, at, lookup)
    return Transition(_enters(row, args.stage_key, at), illegal)


def _transfer(row: Values, args: Transfer, at: int, lookup: Lookup) -> Transition:
    """Another way of selling begins where it is said to: nothing is asked of the way that is left. On the same way it
    is a move."""
    if args.pipeline_key == row.get("pipeline_key"):
        moved = _move(row, Move(args.stage_key), at, lookup)
        return Transition({**moved.values, "pipeline_key": args.pipeline_key}, moved.illegal)
    if args.pipeline_key is not None:
        _pipeline(args.pipeline_key, lookup)
    _stage(args.stage_key, "open", args.pipeline_key, at, lookup)
    values = {**_enters(row, args.stage_key, at), "pipeline_key": args.pipeline_key}
    return Transition(values, _is_closed(row))


def _win(row: Values, args: Win, at: int, lookup: Lookup) -> Transition:
    key = _end_stage(args.stage_key, "won", row, at, lookup)
    illegal = _is_closed(row)
    if illegal is None:
        _ask(row, None, at, lookup)
    return Transition(_enters(row, key, at, closed_at=at), illegal)


def _lose(row: Values, args: Lose, at: int, lookup: Lookup) -> Transition:
    asked = _reason(args.reason_key, lookup) if args.reason_key is not None else None
    reason = args.reason if args.reason is not None and args.reason.strip() else None
    if reason is None and asked is not None:
        reason = str(asked["name"])
    if reason is None:
        raise Refused("reason_required", field="reason", missing=["reason"])
    if args.competitor_key is not None:
        _rival(args.competitor_key, lookup)
    elif asked is not None and asked["asks_competitor"]:
        missing = ["competitor_key"]
        raise Refused("loss_incomplete", f"{reason}: say who won it", field=missing[0], missing=missing)
    key = _end_stage(args.stage_key, "lost", row, at, lookup)
    why = {"lost_reason": reason, "lost_reason_key": args.reason_key, "competitor_key": args.competitor_key}
    return Transition(_enters(row, key, at, closed_at=at, **why), _is_closed(row))


def _rival(key: str, lookup: Lookup) -> None:
    found = lookup("competitors", key)
    if found is None or not found["active"]:
        raise Refused("reference_unknown", f"there is no active competitor {key!r}", field="competitor_key")


def _reason(key: str, lookup: Lookup) -> Values:
    found = lookup("lost_reasons", key)
    if found is None or not found["active"]:
        raise Refused("reference_unknown", f"there is no active reason {key!r}", field="reason_key")
    return found


def _reopen(row: Values, args: Move, at: int, lookup: Lookup) -> Transition:
    _stage(args.stage_key, "open", row.get("pipeline_key"), at, lookup)
    if row["closed_at"] is None:
        return Transition(_enters(row, args.stage_key, at), "the deal is open")
    if not _is_won(row, lookup):  # winning asked everything
        _ask(row, args.stage_key, at, lookup)
    return Transition({**_enters(row, args.stage_key, at, closings=_reversed(row, at, lookup)), **dict.fromkeys(DATED)})


def _is_won(row: Values, lookup: Lookup) -> bool:
    """Whether it is closed, and not lost; also where its stage was deleted."""
    stage = lookup("stages", row["stage_key"])
    lost = stage["kind"] == "lost" if stage is not None else row.get("lost_reason") is not None
    return row["closed_at"] is not None and not lost


def ended(row: Values, at: int, event: str | None) -> dict[str, Any]:
    """The end of a closed deal as a reopening keeps it: by what it was credited, and when that was reversed."""
    return {**{field: row.get(field) for field in END}, "event": event, "reopened_at": max(at, row["closed_at"])}


def _credited_by(row: Values, lookup: Lookup) -> str | None:
    """The event that has credited a closed deal, by the rules of today; None where nobody is credited (R9)."""
    if not _is_won(row, lookup):
        return None
    event = event_on(lookup.every("credit_rules"), day_of(row["closed_at"], zone_in(lookup)))
    return event if row.get(EVENTS[event]) is not None else None


def _reversed(row: Values, at: int, lookup: Lookup) -> list[dict[str, Any]]:
    closings = list(row.get("closings") or [])
    if len(closings) >= ENDS_MAX:
        raise Refused("reopened_too_often", f"{ENDS_MAX} ends of this deal were reversed before", ends=ENDS_MAX)
    return [*closings, ended(row, at, _credited_by(row, lookup))]


def stated(row: Values, values: Mapping[str, Any], at: int, lookup: Lookup) -> dict[str, Any]:
    """What is said of a stored deal outright, by a file or by whoever puts a value back, as it may land: the end that
    it takes away is reversed now, no reversed end is forgotten, and what the state of the deal contradicts is left
    out. Said again it changes nothing."""
    if STATE.isdisjoint(values):
        return dict(values)
    found = {field: value for field, value in values.items() if field != "closings"}
    after = {**row, **found}
    another = (after["stage_key"], after["closed_at"]) != (row["stage_key"], row["closed_at"])
    if row["closed_at"] is not None and another:
        found["closings"] = _reversed(row, at, lookup)
        after |= {field: values.get(field) for field in DATED}
    won, stage = _is_won(after, lookup), lookup("stages", after["stage_key"])
    lost = not won and (after["closed_at"] is not None or (stage is not None and stage["kind"] == "lost"))
    for field in DATED:
        _put(found, row, field, after[field] if won else None)
    for field in LOSS:
        _put(found, row, field, after[field] if lost else None)
    return found


def handed_on(row: Values, values: Mapping[str, Any], lookup: Lookup) -> dict[str, Any]:
    """What a change of the owner says besides, of a won deal, where it says nothing of splits: whoever was credited
    keeps it all, and the new owner shares with nothing (R18). An open or a lost deal moves as it is."""
    owner, to = row["owner_key"], values.get("owner_key", row["owner_key"])
    splits = row.get("splits") or []
    said = bool(values.get("splits")) or (bool(splits) and "splits" in values)
    if to == owner or said or not _is_won({**row, **values}, lookup):
        return {}
    if not splits:
        return {"splits": [{"user_key": owner, "share_bp": 10_000}, {"user_key": to, "share_bp": 0}]}
    kept = [split for split in splits if split != {"user_key": owner, "share_bp": 0}]
    if len(kept) == len(splits) or to in {split["user_key"] for split in kept}:
        return {}
    return {"splits": [*kept, {"user_key": to, "share_bp": 0}]}


def _put(found: dict[str, Any], row: Values, field: str, value: Any) -> None:
    found.pop(field, None)
    if value != row.get(field):
        found[field] = value


def restored(row: Values, losing: Mapping[str, Any], at: int, lookup: Lookup) -> dict[str, Any]:
    """The losing value of a conflict about a deal as it may be put back: asked of what it asks at any time, as the way
    there was not when it lost. What it says by leaving it out takes nobody's signature away."""
    said = {field: value for field, value in losing.items() if field not in DATED or value is not None}
    found = stated(row, said, at, lookup)
    if said and not found:
        raise Refused("illegal_transition", "the deal is no longer in the state that this was said of")
    _ask_again(row, {**row, **found}, at, lookup)
    return found


def _ask_again(row: Values, after: Values, at: int, lookup: Lookup) -> None:
    """What moving, winning or reopening would ask on the way from one state to the other."""
    if _is_won(row, lookup):
        return
    way = {**row, "pipeline_key": after.get("pipeline_key")}
    if _is_won(after, lookup):
        _ask(way, None, at, lookup)
        return
    moves = after["closed_at"] is None and after["stage_key"] != row["stage_key"]
    if moves and way["pipeline_key"] == row.get("pipeline_key") and lookup("stages", after["stage_key"]) is not None:
        _ask(row, after["stage_key"], at, lookup)


def by_clock(arguments: Mapping[str, Any], said_at: int, at: int) -> Mapping[str, Any]:
    """The arguments of a phone whose clock is fast: what was not in the future for it is not later than its corrected
    time (S28)."""
    said = arguments.get("at")
    return {**arguments, "at": at} if type(said) is int and at < said <= said_at else arguments


def _said_at(row: Values, said: int, at: int, word: str, lookup: Lookup) -> int:
    """The instant that was said: not before the day on which the deal was opened, nor in the future."""
    if said > at:
        raise Refused("command_invalid", f"a deal is not {word} in the future", field="at", now=at)
    zone = zone_in(lookup)
    known = [row.get("created_at")] if row.get("opened_on") is None else []
    days = [local_day(instant, zone) for instant in (*known, row["closed_at"]) if instant is not None]
    first = min([*days, row.get("opened_on") or "9999"])
    if local_day(said, zone) < first:
        raise Refused("command_invalid", f"a deal is not {word} before it was opened", field="at", first_on=first)
    return said


def _dating(field: str, word: str) -> Any:
    def act(row: Values, args: Dated, at: int, lookup: Lookup) -> Transition:
        if args.at is not None:
            said = _said_at(row, args.at, at, word, lookup)
        else:
            said = row[field] if row[field] is not None else at
        return Transition({field: said}, None if _is_won(row, lookup) else f"only a deal that is won is {word}")

    return act


DEAL_TRANSITIONS: dict[str, Rule] = {
    "deal.move": Rule("deals", Move, _move, ("stage_key",)),
    "deal.win": Rule("deals", Win, _win, ("stage_key",)),
    "deal.lose": Rule("deals", Lose, _lose, ("stage_key",)),
    "deal.reopen": Rule("deals", Move, _reopen, ("stage_key",), follow=DATED),
    "deal.transfer": Rule("deals", Transfer, _transfer, ("pipeline_key", "stage_key")),
    "deal.sign": Rule("deals", Dated, _dating("signed_at", "signed"), ("signed_at",)),
    "deal.invoice": Rule("deals", Dated, _dating("invoiced_at", "invoiced"), ("invoiced_at",)),
}
