"""The commands that move a deal through its stages (S27): moving, winning, losing, reopening, signing, invoicing.

A deal goes to the stages of its pipeline that are offered on the local day (R32). Going forward, and winning, asks the
criteria of the stage that is left and of those that are skipped; going back and losing ask none. An end that is
reopened is kept in `closings` with all that it was credited by, and is never taken out again (R21). A deal is signed
and invoiced once for each end (R9); an instant that is said outright corrects it. What a device shows before it syncs
and what the server decides is this same code.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from sfa.core import criteria
from sfa.core.access import holds_on
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
OPEN: dict[str, Any] = dict.fromkeys(
    ("closed_at", "signed_at", "invoiced_at", "lost_reason", "lost_reason_key", "competitor_key")
)


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
    stages: Mapping[str, Values], pipeline: str | None, day: str, here: str, to: str | None
) -> list[tuple[str, list[Any]]]:
    """(stage, its criteria) of the stage that is left and of those that are skipped on the way to a later one, or
    (None) to a win; nothing on the way back. The stage that is left asks even if it is offered no more."""
    start = stages.get(here)
    if start is None:
        return []
    begin, end = start["position"], stages[to]["position"] if to is not None else None
    if end is not None and end <= begin:
        return []
    places = ((key, stages[key]["position"]) for key in in_order(stages, pipeline, day))
    skipped = [key for key, place in places if place > begin and (end is None or place < end)]
    return [(key, stages[key].get("exit_criteria") or []) for key in (here, *skipped)]


def next_stage(row: Values, day: str, lookup: Lookup) -> str | None:
    """The open stage after a deal's own in its pipeline; None where winning comes next."""
    stages = lookup.every("stages")
    here = stages[row["stage_key"]]["position"] if row["stage_key"] in stages else -1
    later = (key for key in in_order(stages, row.get("pipeline_key"), day) if stages[key]["position"] > here)
    return next(later, None)


def unmet(row: Values, to: str | None, at: int, lookup: Lookup) -> list[Missing]:
    """What a deal lacks on its way to a stage, or (None) to a win."""
    if not lookup.sees_below:
        return []
    day = local_day(at, zone_in(lookup))
    asked = left_behind(lookup.every("stages"), row.get("pipeline_key"), day, row["stage_key"], to)
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


def _move(row: Values, args: Move, at: int, lookup: Lookup) -> Transition:
    _stage(args.stage_key, "open", row.get("pipeline_key"), at, lookup)
    illegal = _is_closed(row)
    if illegal is None and row["stage_key"] != args.stage_key:
        _ask(row, args.stage_key, at, lookup)
    return Transition(_enters(row, args.stage_key, at), illegal)


def _transfer(row: Values, args: Transfer, at: int, lookup: Lookup) -> Transition:
    """Another way of selling begins where it is said to: nothing is asked of the way that is left."""
    if args.pipeline_key is not None:
        pipeline = lookup("pipelines", args.pipeline_key)
        if pipeline is None or not pipeline["active"]:
            text = f"there is no active pipeline {args.pipeline_key!r}"
            raise Refused("reference_unknown", text, field="pipeline_key")
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
    return Transition(_enters(row, args.stage_key, at, closings=[*(row.get("closings") or []), ended(row, at)]))


def ended(row: Values, at: int) -> dict[str, Any]:
    """The end of a closed deal as a reopening keeps it: by what it was credited, and when that was reversed."""
    return {**{field: row.get(field) for field in END}, "reopened_at": max(at, row["closed_at"])}


def restored(row: Values, losing: Mapping[str, Any], at: int) -> dict[str, Any]:
    """A stage that somebody puts back after a conflict: ends that were reversed meanwhile stay reversed, and one that
    it opens again is reversed now."""
    if "closings" not in losing:
        return dict(losing)
    reopens = row["closed_at"] is not None and losing.get("closed_at") is None and "closed_at" in losing
    return {**losing, "closings": [*(row.get("closings") or []), *([ended(row, at)] if reopens else [])]}


def _dating(field: str, word: str) -> Any:
    def act(row: Values, args: Dated, at: int, lookup: Lookup) -> Transition:
        stage = lookup("stages", row["stage_key"])
        won = row["closed_at"] is not None and stage is not None and stage["kind"] != "lost"
        if args.at is not None and args.at > at:
            raise Refused("command_invalid", f"a deal is not {word} in the future", field="at", now=at)
        values = {field: args.at if args.at is not None else row[field] if row[field] is not None else at}
        return Transition(values, None if won else f"only a deal that is won is {word}")

    return act


DEAL_TRANSITIONS: dict[str, Rule] = {
    "deal.move": Rule("deals", Move, _move, ("stage_key",)),
    "deal.win": Rule("deals", Win, _win, ("stage_key",)),
    "deal.lose": Rule("deals", Lose, _lose, ("stage_key",)),
    "deal.reopen": Rule("deals", Move, _reopen, ("stage_key",)),
    "deal.transfer": Rule("deals", Transfer, _transfer, ("pipeline_key", "stage_key")),
    "deal.sign": Rule("deals", Dated, _dating("signed_at", "signed"), ("signed_at",)),
    "deal.invoice": Rule("deals", Dated, _dating("invoiced_at", "invoiced"), ("invoiced_at",)),
}
