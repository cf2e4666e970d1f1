"""`sfa periods …`: close a period, and see which of its figures are others by now.

Whoever is named with --as closes it, and sees what he may see: the command is that of his phone and his screen.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from sfa.app.cli_database import current_database, user_key_of
from sfa.app.commands import COMMANDS
from sfa.core.clock import SystemClock
from sfa.core.money import MINOR_DIGITS, format_minor
from sfa.crm.online import Order, order
from sfa.db import scope
from sfa.quotas import closed_periods, restatement
from sfa.quotas.closed import PAGE_MAX

AS = click.option("--as", "email", required=True, metavar="EMAIL", help="Who closes, or looks.")
MICRO = 1_000_000


@click.group()
def periods() -> None:
    """Close periods, and see what differs since."""


@periods.command()
@click.argument("period")
@AS
@click.option("--number", default=1, show_default=True, help="2 closes it again, within the window of the first.")
@click.option("--grace-days", type=click.IntRange(0, 60), help="For how many days it may be closed again; none.")
@click.option("--again", metavar="EMAIL", help="Who may close it again; who closes it, by default.")
@click.option("--reason")
@click.option(
    "--incomplete", is_flag=True, help="Although rates are missing: those figures are kept as not computable."
)
def close(
    period: str,
    email: str,
    number: int,
    grace_days: int | None,
    again: str | None,
    reason: str | None,
    incomplete: bool,
) -> None:
    """Keep for good what every figure of PERIOD (a key) is now."""
    now_ms = SystemClock().now_ms()
    with current_database() as database:
        said: dict[str, Any] = {"number": number, "grace_days": grace_days, "reason": reason, "incomplete": incomplete}
        said["again_key"] = database.read(user_key_of, again) if again is not None else None
        asked = Order(
            database.read(user_key_of, email), "period.close", period, {k: v for k, v in said.items() if v is not None}
        )
        database.write(scope.make_due, now_ms)
        database.write(order, now_ms, asked, COMMANDS)
        told = database.read(closed_periods.told, asked.user_key, period, None, 1)
    kept = told.closings[0]
    click.echo(f"{told.name}: closing {kept.number} keeps {kept.figures:,} figures, {kept.incomplete:,} not computable")


@periods.command()
@click.argument("period")
@AS
@click.option("--quota", metavar="KEY", help="List the differences of one quota.")
def show(period: str, email: str, quota: str | None) -> None:
    """What was closed, what it would be today, and why."""
    console = Console(highlight=False)
    with current_database() as database:
        user_key = database.read(user_key_of, email)
        if quota is not None:
            _print_quota(console, database.read(restatement.restatement, user_key, quota, None, PAGE_MAX))
        else:
            _print_period(console, database.read(closed_periods.told, user_key, period, None, PAGE_MAX))


def _print_period(console: Console, told: closed_periods.PeriodTold) -> None:
    console.print(f"{told.name}, {told.start_on} until {told.end_on}: {told.quotas} quotas", soft_wrap=True)
    for kept in told.closings:
        when = datetime.fromtimestamp(kept.closed_at / 1000, UTC).isoformat(timespec="minutes")
        console.print(f"  closing {kept.number} at {when} by {kept.closed_by}: {kept.figures} figures", soft_wrap=True)
    if not told.closings:
        console.print("  not closed")
    table = Table(Column("quota", overflow="fold"), "of", "measure", "closed", "restated", "delta")
    for item in told.items:
        values = (item.closed.value, item.restated.value, item.delta)
        shown = (shown_value(value, item.measure, item.unit) for value in values)
        table.add_row(item.quota_key, item.of, item.measure, *shown)
    if told.items:
        console.print(table)
    left = told.differing - len(told.items)
    console.print(f"  {told.differing} differ{f', {left} of them not shown' if left else ''}", soft_wrap=True)
    if told.partial:
        console.print("  There are quotas that this person does not see.", soft_wrap=True)


def _print_quota(console: Console, told: restatement.Restatement) -> None:
    unit = told.restated.currency
    was = told.closed.value if told.closed is not None else None
    sides = (shown_value(value, told.measure, unit) for value in (was, told.restated.value, told.delta))
    console.print("closed {}, restated {}, delta {}".format(*sides), soft_wrap=True)
    table = Table("why", "record", "whose", "before", "after", "delta")
    for item in told.items:
        values = (item.before.value if item.before else None, item.after.value if item.after else None, item.delta)
        shown = (shown_value(value, told.measure, unit) for value in values)
        table.add_row(item.why, f"{item.entity} {item.row_key}", item.user_key, *shown)
    if told.items:
        console.print(table)
    if told.hidden.count:
        hidden = shown_value(told.hidden.delta, told.measure, unit)
        console.print(f"  {told.hidden.count} more of records that this person does not see: {hidden}", soft_wrap=True)


def shown_value(value: int | None, measure: str, unit: str | None) -> str:
    """As people read it: money with its decimals, quantities in whole units where they are whole."""
    if value is None:
        return "-"
    if measure == "quantity":
        return f"{Decimal(value) / MICRO:f} {unit or ''}".rstrip()
    return f"{format_minor(value, unit)} {unit}" if unit in MINOR_DIGITS else f"{value:,}"
