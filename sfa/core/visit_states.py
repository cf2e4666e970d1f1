"""The commands that move a visit through its states (S27): check-in and its verdict, the end, submitting.

A check-in out of range is refused where the policy of its day is hard (R13); a submitted visit is locked (R14). What a
device shows before it syncs and what the server decides is this same code.
"""

from typing import Any

from msgspec import Struct

from sfa.core import checklists, geofence
from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.core.geofence import Fence, Place
from sfa.core.transitions import Lookup, NoArguments, Rule, Transition, Values, zone_in

CLOSED = ("completed", "no_show")  # what can be submitted


class CheckIn(Struct, frozen=True, forbid_unknown_fields=True):
    latitude: float | None = None
    longitude: float | None = None
    accuracy_m: float | None = None


class CheckOut(Struct, frozen=True, forbid_unknown_fields=True):
    outcome: str | None = None


def fence_for(row: Values, at: int, lookup: Lookup) -> Fence:
    """The policy of the local day of an instant."""
    day = local_day(at, zone_in(lookup))
    return geofence.fence_of(lookup.every("visit_policies"), row["visit_type"], day)


def unanswered(row: Values, at: int, lookup: Lookup) -> list[str]:
    """What the checklist of a visit still wants: of the template that it names, or of the one of its day."""
    templates = lookup.every("checklist_templates")
    named = row["checklist_key"] if row["checklist_key"] in templates else None
    key = named or geofence.in_force(templates, row["visit_type"], local_day(at, zone_in(lookup)))
    return checklists.missing(templates[key]["questions"], row["answers"]) if key is not None else []


def _check_in(row: Values, args: CheckIn, at: int, lookup: Lookup) -> Transition:
    place = {"latitude": args.latitude, "longitude": args.longitude, "accuracy_m": args.accuracy_m}
    illegal = None if row["status"] == "planned" else f"the visit is {row['status']}"
    account = lookup("accounts", row["account_key"]) or {}
    customer = Place(account.get("latitude"), account.get("longitude"))
    fence = fence_for(row, at, lookup)
    found = geofence.judge(Place(**place), customer, fence)
    if illegal is None and fence.geofence == "hard" and found.verdict == "out_of_range":
        text = f"{found.distance_m} m from the customer, at most {fence.radius_m} m are allowed"
        raise Refused("visit_out_of_range", text, distance_m=found.distance_m, radius_m=fence.radius_m)
    judged = {"verdict": found.verdict, "distance_m": found.distance_m}
    return Transition({"status": "checked_in", "checked_in_at": at, **place, **judged}, illegal)


def _check_out(row: Values, args: CheckOut, at: int, lookup: Lookup) -> Transition:
    illegal = None if row["status"] == "checked_in" else f"the visit is {row['status']}"
    start = row["checked_in_at"]
    end = at if start is None else max(at, start)
    values: dict[str, Any] = {"status": "completed", "checked_out_at": end}
    if args.outcome is not None:
        values["outcome"] = args.outcome
    fence = fence_for(row, end, lookup)
    if illegal is None and fence.auto_submit and not (fence.requires_checklist and unanswered(row, end, lookup)):
        values |= {"submitted": True, "submitted_at": end}
    return Transition(values, illegal)


def _not_held(status: str, row: Values, at: int) -> Transition:
    """It counts at the time that was planned (R4); where nobody planned one, when it was said."""
    planned = {"planned_at": at} if row["planned_at"] is None else {}
    illegal = None if row["status"] == "planned" else f"the visit is {row['status']}"
    return Transition({"status": status, **planned}, illegal)


def _cancel(row: Values, _args: NoArguments, at: int, _lookup: Lookup) -> Transition:
    return _not_held("cancelled", row, at)


def _no_show(row: Values, _args: NoArguments, at: int, _lookup: Lookup) -> Transition:
    return _not_held("no_show", row, at)


def _submit(row: Values, _args: NoArguments, at: int, lookup: Lookup) -> Transition:
    illegal = None if row["status"] in CLOSED else f"the visit is {row['status']}"
    if illegal is None and not row["submitted"] and fence_for(row, at, lookup).requires_checklist:
        wanted = unanswered(row, at, lookup) if row["status"] == "completed" else []
        if wanted:
            raise Refused("checklist_incomplete", f"not answered: {', '.join(wanted[:20])}", questions=wanted)
    return Transition({"submitted": True, "submitted_at": at}, illegal)


VISIT_TRANSITIONS: dict[str, Rule] = {
    "visit.check_in": Rule("visits", CheckIn, _check_in, ("status",)),
    "visit.check_out": Rule("visits", CheckOut, _check_out, ("status",)),
    "visit.cancel": Rule("visits", NoArguments, _cancel, ("status",), ("planned_at",)),
    "visit.no_show": Rule("visits", NoArguments, _no_show, ("status",), ("planned_at",)),
    "visit.submit": Rule("visits", NoArguments, _submit, ("submitted",)),
}
