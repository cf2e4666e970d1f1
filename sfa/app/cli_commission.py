"""`sfa commission …`: the ledger of what people earn, brought in line and proved."""

import os
from collections.abc import Iterator

import click

from sfa.app.settings import Settings
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.db import commissions as kept
from sfa.db.database import Database, open_database
from sfa.db.migrations import is_current


@click.group()
def commission() -> None:
    """The ledger of commission that follows from credits (docs/commission.md)."""


def _opened() -> Database:
    database = open_database(Settings.from_environment(os.environ).database_url)
    if not database.read(is_current):
        database.close()
        raise Refused("schema_outdated")
    return database


def _people(database: Database) -> Iterator[list[str]]:
    seen, after = 0, ""
    while keys := database.read(kept.people, after):
        yield keys
        seen, after = seen + len(keys), keys[-1]
        click.echo(f"{seen:,} people", err=True)


def bring_in_line(database: Database) -> int:
    """Append what the ledgers of all people lack; -> how many rows."""
    now_ms = SystemClock().now_ms()
    return sum(database.write(kept.rebuild, now_ms, keys) for keys in _people(database))


@commission.command()
def rebuild() -> None:
    """Append what ledgers lack, some people in a transaction; safe to run twice, and while people work."""
    database = _opened()
    try:
        added = bring_in_line(database)
    finally:
        database.close()
    click.echo(f"{added:,} rows were appended")


@commission.command()
def verify() -> None:
    """Print what a rebuild would append, and end with exit code 1 if there is anything. Writes nothing."""
    database = _opened()
    try:
        found = 0
        for keys in _people(database):
            for d in database.read(kept.verify, keys):
                found += 1
                of = f" of {d.deal_key}" if d.deal_key is not None else ""
                click.echo(f"{d.user_key} {d.plan_key} {d.period_key}: {d.kind}{of} {d.amount_minor} {d.currency}")
    finally:
        database.close()
    click.echo(f"{found:,} rows are lacking")
    if found:
        raise click.exceptions.Exit(1)
