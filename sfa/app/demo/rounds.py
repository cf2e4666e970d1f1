"""The demo's day on the road: a route, three visits, what was heard, and who is due next."""

from functools import partial
from typing import Any

import httpx

from sfa.app.demo.phones import Phone
from sfa.app.demo.story import Day
from sfa.core.days import day_bounds_ms, local_day, plus_days
from sfa.routing import visits as stops
from sfa.routing.order import route
from sync.device import visits

TIMEOUT_S = 30.0
HOUR_MS = 3_600_000
FAR_DEGREES = 0.05  # some five kilometres
EVERY_DAYS = 21


def travel(day: Day, server: str) -> None:
    """A rep's day, without signal until the evening."""
    ana, eva = day.ana, day.eva
    with httpx.Client(base_url=server, timeout=TIMEOUT_S) as web:
        for phone in (ana, eva):
            day.sync(phone)
        customers = _with_places(ana)
        _set_the_pace(day, customers)
        planned = _plan(day, web, customers)
        _visit(day, planned)
        _add_up(day, web)
        _see_who_is_due(day, web, customers[0])


def _with_places(phone: Phone) -> list[str]:
    """Three customers with coordinates."""
    accounts = phone.device.list("accounts", {"status": "customer"}) | phone.device.list("accounts")
    return [key for key, row in accounts.items() if row["latitude"] is not None and row["tier"] is not None][:3]


def _sign_in(web: httpx.Client, phone: Phone, password: str) -> dict[str, str]:
    device = {"name": "console", "platform": "demo", "app_version": "1"}
    login = {"email": phone.email, "password": password, "device": device}
    return {"Authorization": f"Bearer {web.post('/auth/login', json=login).raise_for_status().json()['access_token']}"}


def _set_the_pace(day: Day, customers: list[str]) -> None:
    """How often customers are seen, and how near a visit must be, is the company's to say."""
    ana, eva = day.ana, day.eva
    day.title(f"{eva.name} says how often customers are seen, and how near one must be")
    today = local_day(ana.device.clock.now_ms(), visits.zone_of_company(ana.device))
    for tier in sorted({ana.device.list("accounts")[key]["tier"] for key in customers}):
        rule = {"tier": tier, "every": EVERY_DAYS, "unit": "day", "lead_days": 3, "valid_from": plus_days(today, -30)}
        eva.device.create("cadence_rules", rule)
    policy = {"radius_m": 200, "geofence": "soft", "valid_from": plus_days(today, -30)}
    eva.device.create("visit_policies", policy)
    result = day.sync(eva)
    day.check("the rules are set", not result.refused)
    day.sync(ana)


def _plan(day: Day, web: httpx.Client, customers: list[str]) -> list[str]:
    ana = day.ana
    day.title(f"{ana.name} plans three visits, and the day is put in order")
    zone = visits.zone_of_company(ana.device)
    today = local_day(ana.device.clock.now_ms(), zone)
    nine = day_bounds_ms(today, zone)[0] + 9 * HOUR_MS
    made = [
        ana.device.create(
            "visits",
            {"account_key": key, "owner_key": ana.user_key, "planned_at": nine + i * HOUR_MS, "planned_minutes": 30},
        )
        for i, key in enumerate(customers)
    ]
    asked = stops.Asked(today, flexible_minutes=600)
    mine = ana.device.list("visits", {"owner_key": ana.user_key})
    best = route(stops.stops_of(mine.items(), ana.device.list("accounts"), asked, zone), stops.hours_of(asked, zone))
    names = {key: ana.device.list("accounts")[row["account_key"]]["name"] for key, row in mine.items()}
    for stop in best.stops:
        day.tell(f"{names[stop.key]}, after {stop.drive_metres / 1000:.1f} km")
    day.check(f"all three are in it, {best.metres / 1000:.1f} km", set(made) <= {stop.key for stop in best.stops})
    day.sync(ana)
    headers = _sign_in(web, ana, day.password)
    online = web.get("/api/route", params={"on": today, "flexible_minutes": 600}, headers=headers).raise_for_status()
    order = [stop["key"] for stop in online.json()["stops"]]
    day.check("the server orders it alike", order == [stop.key for stop in best.stops])
    return [stop.key for stop in best.stops if stop.key in made]


def _visit(day: Day, planned: list[str]) -> None:
    """At the door, five kilometres away, and in a cellar where no satellite is seen."""
    ana = day.ana
    day.title(f"{ana.name} visits them without signal: at the door, from afar, in a cellar")
    for key, offset in zip(planned, (0.0, FAR_DEGREES, None), strict=True):
        account = ana.device.list("accounts")[ana.device.list("visits")[key]["account_key"]]
        place = {"latitude": account["latitude"], "longitude": account["longitude"], "accuracy_m": 12.0}
        seen = {} if offset is None else {**place, "latitude": place["latitude"] + offset}
        day.without_signal(ana, partial(ana.device.command, "visit.check_in", key, seen))
        ana.device.command("visit.check_out", key, {"outcome": "wants an offer"})
    first = ana.device.list("visits")[planned[0]]
    note = {"account_key": first["account_key"], "visit_key": planned[0], "author_key": ana.user_key}
    ana.device.create("notes", {**note, "body": "Two more pumps by May; the old supplier is late again."})
    heard: tuple[dict[str, Any], ...] = (
        {"kind": "need", "text": "two pumps"},
        {"kind": "competitor", "competitor": "Bombas Norte"},
        {"kind": "price", "amount_minor": 129_900, "currency": "EUR"},
    )
    for said in heard:
        where = {"account_key": first["account_key"], "visit_key": planned[0], "author_key": ana.user_key}
        ana.device.create("signals", {**where, "said_at": ana.device.clock.now_ms(), **said})
    ana.device.command("visit.submit", planned[0])
    result = day.sync(ana)
    day.check("all of it was applied", set(result.outcomes) == {"applied"})
    verdicts = [ana.device.list("visits")[key]["verdict"] for key in planned]
    day.check(f"they are judged: {', '.join(verdicts)}", verdicts == ["in_range", "out_of_range", "unverifiable"])
    ana.device.command("visit.amend", planned[0], {"values": {"outcome": "wants two offers"}, "reason": "misheard"})
    result = day.sync(ana)
    corrected = visits.as_amended(ana.device, planned[0]) or {}
    stands = ana.device.list("visits")[planned[0]]["outcome"] == "wants an offer"
    day.check("what was submitted stays, a correction stands beside it", stands and not result.refused)
    day.check("and is what counts", corrected.get("outcome") == "wants two offers")


def _add_up(day: Day, web: httpx.Client) -> None:
    eva = day.eva
    day.title(f"{eva.name} sees what was heard in the field add up")
    day.sync(eva)
    headers = _sign_in(web, eva, day.password)
    told = web.get("/api/signals/summary", params={"by": "kind"}, headers=headers).raise_for_status().json()
    counts = {group["value"]: group["count"] for group in told["groups"]}
    zone = visits.zone_of_company(eva.device)
    heard = ((local_day(row["said_at"], zone), row["kind"]) for row in eva.device.list("signals").values())
    mine = [kind for on, kind in heard if told["from_on"] <= on < told["until_on"]]
    recount = {kind: mine.count(kind) for kind in set(mine)}
    day.tell(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    day.check(
        "the sums are a recount of the rows", counts == recount and {"need", "competitor", "price"} <= set(counts)
    )


def _see_who_is_due(day: Day, web: httpx.Client, customer: str) -> None:
    ana = day.ana
    day.title("Who is due next, to the day")
    due_on = visits.standings(ana.device)[customer].due_on or ""
    headers = _sign_in(web, ana, day.password)
    for offset, wanted in ((-4, "on_track"), (-1, "due"), (0, "due"), (1, "overdue")):
        as_of = plus_days(due_on, offset)
        here = visits.standings(ana.device, as_of)[customer].status
        pages = web.get("/api/cadence", params={"as_of": as_of, "limit": 200}, headers=headers).raise_for_status()
        there = {item["account_key"]: item["status"] for item in pages.json()["items"]}.get(customer)
        day.check(f"{as_of}: {here}, on the phone and on the server", here == there == wanted)
