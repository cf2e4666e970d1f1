"""What a device works out by itself about visits: plans expanded, cadence, corrections, who is open (no signal needed).

The functions are those of the server (`sfa.visits`), over the rows that this device holds with its own queue on top, so
that both make the same keys and name the same days. Reads only, but for `plan_ahead`, which queues what is missing.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.days import day_bounds_ms, local_day, plus_days
from sfa.core.errors import Refused
from sfa.visits import cadence
from sfa.visits.amendments import effective
from sfa.visits.cadence import Due
from sfa.visits.recurrence import HORIZON_DAYS, visits_of
from sync.device.client import Device

AMEND = "visit.amend"
PENDING_ORDINAL = 10**9  # what is queued comes after everything that the server has numbered


def zone_of_company(device: Device) -> str:
    """The organisation's zone (R32)."""
    rows = device.list("organisations")
    return str(rows[min(rows)]["zone"]) if rows else "UTC"


def plan_ahead(device: Device, days: int = HORIZON_DAYS) -> list[str]:
    """Queue the visits of the user's own plans that this device does not hold yet; -> their keys. What was withdrawn or
    deleted is not known here: the server, which is told the plan's words, leaves it as it is."""
    person, now_ms = device.person(), device.clock.now_ms()
    plans = device.list("visit_plans", {"owner_key": person.key}) if person is not None else {}
    held, asked = device.list("visits"), {item.key for item in device.kept() if item.entity == "visits"}
    made: list[str] = []
    for key, plan in plans.items():
        try:
            today = local_day(now_ms, plan["zone"])
            wanted = visits_of(key, plan, today, plus_days(today, days))
        except (Refused, OverflowError, ValueError):  # the plan of a newer app: the server makes its visits
            continue
        for visit, values in wanted.items():
            if visit not in held and visit not in asked:
                made.append(device.create("visits", values, visit))
    return made


def open_visits(device: Device) -> list[str]:
    """The user's visits that are checked in: an app says so before it checks in on another one (R13)."""
    person = device.person()
    owner = person.key if person is not None else None
    return sorted(device.list("visits", {"owner_key": owner, "status": "checked_in"}))


def as_amended(device: Device, key: str) -> dict[str, Any] | None:
    """A visit with its corrections, those that wait in the queue too (R14)."""
    visit = device.get("visits", key)
    if visit is None:
        return None
    rows: list[Mapping[str, Any]] = list(device.list("visit_amendments", {"visit_key": key}).values())
    for place, item in enumerate(device.pending()):
        if (item.entity, item.key, item.kind) == ("visits", key, AMEND):
            said = item.fields.get("values", {})
            rows += [{"field": f, "new": v, "ordinal": PENDING_ORDINAL + place} for f, v in said.items()]
    return effective(visit, rows)


def standings(device: Device, as_of: str | None = None) -> dict[str, Due]:
    """account -> how it stands at the end of a local day of the organisation, for every tier with a rule (R15)."""
    zone = zone_of_company(device)
    day = as_of if as_of is not None else local_day(device.clock.now_ms(), zone)
    rules, last = device.list("cadence_rules"), _last_visits(device, day_bounds_ms(day, zone)[1])
    found: dict[str, Due] = {}
    for key, account in device.list("accounts").items():
        rule = cadence.rule_of(rules, account["tier"], day)
        if rule is not None and account["status"] != "former":
            found[key] = cadence.due(last.get(key), rule, day, zone)
    return found


def _last_visits(device: Device, until: int) -> dict[str, int]:
    """account -> the instant of the last completed visit before `until`, as corrected."""
    corrected: dict[str, list[Mapping[str, Any]]] = {}
    for row in device.list("visit_amendments", {"field": "checked_in_at"}).values():
        corrected.setdefault(row["visit_key"], []).append(row)
    found: dict[str, int] = {}
    for key, visit in device.list("visits", {"status": "completed"}).items():
        at = effective(visit, corrected.get(key, ()))["checked_in_at"]
        if at is not None and at < until:
            found[visit["account_key"]] = max(at, found.get(visit["account_key"], at))
    return found
