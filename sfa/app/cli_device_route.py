"""`sfa device route`: today's visits in their best order, without signal, by the function that the server uses."""

from collections.abc import Mapping
from datetime import datetime

import click
import msgspec

from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.core.days import local_day, zone_of
from sfa.routing import visits
from sfa.routing.order import route
from sfa.routing.stops import Route


@device.command("route")
@click.option("--on", help="The day, as 2026-11-23; today by default.")
@click.option("--from", "from_", default=visits.FROM, show_default=True, help="When the day begins.")
@click.option("--to", default=visits.TO, show_default=True, help="When it ends.")
@click.option("--start", metavar="LAT,LON", help="Where it begins; at the first customer by default.")
@click.option("--end", metavar="LAT,LON", help="Where it ends; at the last customer by default.")
@click.option("--flexible-minutes", type=int, default=visits.FLEXIBLE_MINUTES, show_default=True)
@click.option("--service-minutes", type=int, default=visits.SERVICE_MINUTES, show_default=True)
@as_json
@on_desk
def day_route(
    desk: Desk,
    on: str | None,
    from_: str,
    to: str,
    start: str | None,
    end: str | None,
    flexible_minutes: int,
    service_minutes: int,
    is_json: bool,
) -> None:
    """Today's visits in their best order, with times, and what does not fit."""
    found = desk.device()
    organisations = sorted(found.list("organisations").items())
    zone = organisations[0][1]["zone"] if organisations else "UTC"
    day = on or local_day(desk.clock.now_ms(), zone)
    asked = visits.Asked(day, from_, to, start, end, flexible_minutes, service_minutes)
    user = found.store.state().user
    mine = found.list("visits", {"owner_key": user.key if user is not None else None})
    accounts = found.list("accounts")
    hours = visits.hours_of(asked, zone)
    best = route(visits.stops_of(mine.items(), accounts, asked, zone), hours)
    names = {key: accounts.get(row["account_key"], {}).get("name") or row["account_key"] for key, row in mine.items()}
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(best), indent=2))
    else:
        show(best, names, zone)


def show(best: Route, names: Mapping[str, str], zone: str) -> None:
    """A line for each stop, and what is left out with the reason."""

    def clock(at: int) -> str:
        return datetime.fromtimestamp(at / 1000, zone_of(zone)).strftime("%H:%M")

    if best.depart_at is not None:
        click.echo(f"{clock(best.depart_at)}  leave")
    for stop in best.stops:
        wait = f", after {stop.wait_minutes} min of waiting" if stop.wait_minutes else ""
        way = f"{stop.drive_metres / 1000:.1f} km"
        click.echo(f"{clock(stop.begin_at)}-{clock(stop.leave_at)}  {names[stop.key]} ({way}{wait})  {stop.key}")
    if best.return_at is not None:
        click.echo(
            f"{clock(best.return_at)}  back: {best.minutes} min, {best.metres / 1000:.1f} km, order {best.order}"
        )
    for left in best.left_out:
        click.echo(f"left out: {names[left.key]}: {left.text} ({left.reason})  {left.key}")
    if not (best.stops or best.left_out):
        click.echo("no visits are planned")
