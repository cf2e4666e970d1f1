"""`sfa credits …`: the credits that follow from deals, made anew."""

import os

import click

from sfa.app.cli_commission import bring_in_line
from sfa.app.settings import Settings
from sfa.core.errors import Refused
from sfa.db import credits as kept
from sfa.db.database import open_database
from sfa.db.migrations import is_current


@click.group()
def credits() -> None:  # noqa: A001 - the command's name
    """The credits that follow from deals (docs/attainment.md)."""


@credits.command()
def rebuild() -> None:
    """Make every deal's credits anew, thousands of deals in a transaction, and append what commission follows from
    them; safe to run twice, and while people work."""
    database = open_database(Settings.from_environment(os.environ).database_url)
    try:
        if not database.read(is_current):
            raise Refused("schema_outdated")
        changed, seen, after = 0, 0, ""
        while keys := database.read(kept.deal_keys, after):
            changed += database.write(kept.rebuild, keys)
            seen, after = seen + len(keys), keys[-1]
            click.echo(f"{seen:,} deals", err=True)
        added = bring_in_line(database)
    finally:
        database.close()
    click.echo(f"{changed:,} of {seen:,} deals had other credits")
    if added:
        click.echo(f"{added:,} rows of commission follow from that")
