"""`sfa reconcile`: prove that all money is the same money, and say where it is not."""

import os
from functools import partial

import click
import msgspec

from sfa.app import reconcile as reports
from sfa.app.settings import Settings
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.db.database import open_database
from sfa.db.migrations import is_current

SHOWN = 50


@click.command()
@click.option("--json", "is_json", is_flag=True, help="Print the whole report as JSON.")
@click.option("--dry-run", is_flag=True, help="Store nothing of it.")
@click.option(
    "--all", "every", is_flag=True, help="Look at the P&L of every deal, not of those that changed and a few."
)
@click.pass_context
def reconcile(ctx: click.Context, is_json: bool, dry_run: bool, every: bool) -> None:
    """Compare deals, credits, commission, profit and closed figures; exit code 1 where they differ.

    See docs/reconciliation.md. Safe while people work: it reads one snapshot, and puts nothing right.
    """
    database = open_database(Settings.from_environment(os.environ).database_url)
    try:
        if not database.read(is_current):
            raise Refused("schema_outdated")
        found = database.read(partial(reports.report, every=every), SystemClock().now_ms())
        if not dry_run:
            database.write(reports.keep, found)
    finally:
        database.close()
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        for check in found.checked:
            click.echo(f"{check.rule:<22} {check.looked:>9,} looked at {check.found:>7,} differ")
        for line in reports.lines(found.items[:SHOWN]):
            click.echo(line)
        if found.found > SHOWN:
            click.echo(f"and {found.found - SHOWN:,} more")
    if found.found:
        ctx.exit(1)
