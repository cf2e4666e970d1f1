"""`sfa device …`: plans, cadence, submitting and correcting visits, and what was heard, without signal."""

from typing import Any

import click

from sfa.app import cli_device_tables as tables
from sfa.app.cli_device import Desk, as_json, device, on_desk, run
from sfa.app.cli_device_words import fields_of, find
from sfa.core.days import check_day, local_day
from sfa.visits.cadence import STATUSES
from sfa.visits.recurrence import HORIZON_DAYS
from sync.device import visits


@device.command("plan")
@click.argument("account")
@click.option("--rule", "rrule", help="RFC 5545, as FREQ=WEEKLY;BYDAY=MO; one day without it.")
@click.option("--on", "day", help="First day, as 2026-01-31; today by default.")
@click.option("--time", "start_time", default="09:00", show_default=True, help="By the clocks of the zone.")
@click.option("--zone", help="The organisation's by default.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=60, show_default=True)
@click.option("--until", help="The day after the last one.")
@on_desk
def plan(desk: Desk, /, account: str, day: str | None, zone: str | None, until: str | None, **values: Any) -> None:
    """Plan visits to an account that repeat, and make those of the weeks ahead."""
    found = desk.device()
    zone = zone or visits.zone_of_company(found)
    first = check_day(day) if day is not None else local_day(desk.clock.now_ms(), zone)
    account_key = find(found, "accounts", account)
    asked = {**values, "account_key": account_key, "zone": zone, "valid_from": first, "valid_to": until}
    key = found.create("visit_plans", asked)
    made = visits.plan_ahead(found)
    click.echo(f"{key}: {len(made)} visits in the next {HORIZON_DAYS} days")


@device.command("plan-ahead")
@on_desk
def plan_ahead(desk: Desk) -> None:
    """Make the visits of the own plans in the weeks ahead, as the server does."""
    click.echo(f"{len(visits.plan_ahead(desk.device()))} visits")


@device.command()
@click.option("--as-of", help="A day, as 2026-01-31; today by default.")
@click.option("--status", type=click.Choice(STATUSES))
@as_json
@on_desk
def cadence(desk: Desk, as_of: str | None, status: str | None, is_json: bool) -> None:
    """Which accounts are to be visited again, by the rule of their tier."""
    found = desk.device()
    stands = visits.standings(found, check_day(as_of) if as_of is not None else None)
    accounts = found.list("accounts")
    rows = {
        key: {"status": due.status, "due_on": due.due_on, "last_on": due.last_on, "days_over": due.days_over}
        | {"name": accounts[key]["name"], "tier": accounts[key]["tier"]}
        for key, due in sorted(stands.items(), key=lambda item: (STATUSES.index(item[1].status), item[1].due_on or ""))
        if status in (None, due.status)
    }
    tables.show_rows("cadence", rows, set(), is_json=is_json)


@device.command()
@click.argument("visit")
@on_desk
def submit(desk: Desk, visit: str) -> None:
    """Submit a visit: it is read-only then."""
    run(desk, "visit.submit", "visits", visit, {})


@device.command()
@click.argument("visit")
@click.argument("reason")
@click.argument("values", nargs=-1, required=True, metavar="FIELD=VALUE...")
@on_desk
def amend(desk: Desk, visit: str, reason: str, values: tuple[str, ...]) -> None:
    """Correct a submitted visit, with the reason."""
    run(desk, "visit.amend", "visits", visit, {"values": fields_of("visits", values), "reason": reason})


@device.command()
@click.argument("account")
@click.argument("kind", type=click.Choice(["need", "competitor", "price", "complaint", "order_wish"]))
@click.argument("values", nargs=-1, metavar="[FIELD=VALUE]...")
@on_desk
def signal(desk: Desk, account: str, kind: str, values: tuple[str, ...]) -> None:
    """Report what was heard at an account."""
    found = desk.device()
    said = {"kind": kind, "said_at": desk.clock.now_ms(), "account_key": find(found, "accounts", account)}
    click.echo(found.create("signals", {**said, **fields_of("signals", values)}))
