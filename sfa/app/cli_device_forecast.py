"""`sfa device forecast` and `sfa device call`: the own forecast and the number that is named for it, without signal."""

import click

from sfa.app import cli_device_tables as tables
from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.app.cli_device_words import find, find_given
from sfa.core.forecast import BUCKETS
from sfa.core.money import format_minor, parse_minor
from sync.device import forecast as own
from sync.device.forecast import OwnForecast, Sum

in_period = click.option("--period", help="Its key or name; the one that is running by default.")
in_currency = click.option("--currency", help="The organisation's by default.")


@device.command()
@in_period
@in_currency
@as_json
@on_desk
def forecast(desk: Desk, period: str | None, currency: str | None, is_json: bool) -> None:
    """Show the own forecast, by what this device holds, the queue included."""
    found = desk.device()
    told = own.own_forecast(found, find_given(found, "fiscal_periods", period), currency)
    rows = _rows(told)
    if is_json:
        tables.show_rows("forecast", rows, set(), is_json=True)
        return
    click.echo(f"{told.period_name} on {told.as_of}, {told.currency}")
    tables.show_rows("forecast", rows, set(), is_json=False)
    for hole in told.holes:
        click.echo(f"not in it: deal {hole.deal_key} ({hole.code})")
    if told.lock is not None:
        click.echo(f"calls are locked on {told.lock.due_on}; {'called' if told.call is not None else 'not called yet'}")


@device.command()
@click.argument("commit")
@click.option("--likely", help="As 1250.00.")
@click.option("--best-case", help="As 1250.00.")
@click.option("--team", help="A team that you manage; yourself by default.")
@click.option("--lock", metavar="DAY", help="The day of the lock; the next one by default.")
@click.option("--note")
@in_period
@in_currency
@on_desk
def call(
    desk: Desk,
    commit: str,
    likely: str | None,
    best_case: str | None,
    team: str | None,
    lock: str | None,
    note: str | None,
    period: str | None,
    currency: str | None,
) -> None:
    """Name the number that will be sold, as 1250.00."""
    found = desk.device()
    period_key = find_given(found, "fiscal_periods", period)
    code = own.own_forecast(found, period_key, currency).currency
    key = own.call(
        found,
        parse_minor(commit, code),
        likely_minor=parse_minor(likely, code) if likely is not None else None,
        best_case_minor=parse_minor(best_case, code) if best_case is not None else None,
        period_key=period_key,
        team_key=find(found, "teams", team) if team is not None else None,
        currency=code,
        note=note,
        due_on=lock,
    )
    click.echo(key)


def _rows(told: OwnForecast) -> dict[str, dict[str, object]]:
    """A line for each bucket: in major units, and cumulative where it ends a view."""
    rows: dict[str, dict[str, object]] = {}
    for bucket in BUCKETS:
        money, overlay = told.buckets.get(bucket, Sum()), told.overlay.get(bucket, Sum())
        view = told.views.get(bucket)
        rows[bucket] = {
            "deals": money.deals,
            "amount": format_minor(money.amount_minor, told.currency),
            "weighted": format_minor(money.weighted_minor, told.currency),
            "cumulative": format_minor(view, told.currency) if view is not None else None,
            "overlay": format_minor(overlay.amount_minor, told.currency),
            "currency": told.currency,
        }
    return rows
