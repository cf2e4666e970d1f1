"""`sfa import …` and `sfa seed`: whole companies at once, from files or made up.

Both read the clock here and hand it down. Errors of rows go to standard error, one line each, and end with exit code 1.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from sqlalchemy import Connection, func, select

from sfa.app.cli_database import current_database, database_url
from sfa.app.seed.write import ACCOUNTS_MAX, REPS_MAX
from sfa.app.seed.write import seed as make
from sfa.core.clock import SystemClock
from sfa.core.days import check_day
from sfa.core.errors import Refused
from sfa.crm.imports import sheets
from sfa.crm.imports.columns import IDENTITY
from sfa.crm.imports.load import OUTCOMES, Report, invalid, load, rehearse
from sfa.crm.imports.opportunities import read_opportunities
from sfa.crm.imports.plan import Planned, plan_rows
from sfa.crm.imports.table import Fault
from sfa.db import scope
from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.db.tables import ROWS
from sfa.web.passwords import hash_password

TODAY = "2026-03-02"  # a fixed day, so that the same command makes the same company next year
LOGINS_SHOWN = ("director-1", "finance-1", "admin-1", "manager-001", "rep-0001", "rep-0002")
DATABASE = click.option("--database", "url", metavar="URL", help="In place of SFA_DATABASE_URL.")


@click.group("import")
def import_() -> None:
    """Bring in a company's data from files."""


@import_.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@click.option("--skip-errors", is_flag=True, help="Write the good rows although others have errors.")
@DATABASE
def opportunities(folder: Path, dry_run: bool, skip_errors: bool, url: str | None) -> None:
    """Read the four CSV files of the CRM Sales Opportunities set from FOLDER (docs/import.md)."""
    found = read_opportunities(folder)
    if not found.usable:
        _tell(found.faults)
        raise invalid(found.faults)
    plan, now_ms = plan_rows(found), SystemClock().now_ms()
    with current_database(url) as database:
        if dry_run:
            report = rehearse(database, plan, now_ms)
            report = Report(report.counts, (*found.faults, *report.faults))
        else:
            report = _load(database, plan, now_ms, found.faults, skip_errors)
    _tell(report.faults)
    _show(report, dry_run)
    if report.faults and not skip_errors:
        raise click.exceptions.Exit(1)


@import_.command("rows")
@click.argument("entity", type=click.Choice(sorted(IDENTITY)))
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as", "email", required=True, help="E-mail of the person who imports, with that person's rights.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@DATABASE
def import_rows(entity: str, file: Path, email: str, dry_run: bool, url: str | None) -> None:
    """Create and change rows of ENTITY from a CSV FILE (docs/import.md). The same command continues a killed run."""
    with current_database(url) as database:
        user, clock = database.read(person_by_email, email), SystemClock()
        sheet = sheets.read_sheet(user, entity, file.read_bytes(), file.name)
        if dry_run:
            now = database.read(sheets.rehearse, clock.now_ms(), sheet)
        else:
            now = database.write(sheets.start, clock.now_ms(), sheet)
            while now.done < now.lines:
                now = _advanced(database, clock.now_ms(), sheet)
                click.echo(f"{now.done:,} of {now.lines:,} lines", err=True)
    _tell(now.faults)
    for outcome, count in now.counts.items():
        click.echo(f"{outcome:<12}{count:>11,}")
    if now.faulty:
        click.echo(f"{now.faulty:,} errors")
        raise click.exceptions.Exit(1)


def _advanced(database: Database, now_ms: int, sheet: sheets.Sheet) -> sheets.Progress:
    """The next batch; assignments whose day has come are made effective first."""
    try:
        return database.write(sheets.advance, now_ms, sheet)
    except scope.Due:
        database.write(scope.make_due, now_ms)
        return database.write(sheets.advance, now_ms, sheet)


def person_by_email(connection: Connection, email: str) -> str:
    """The key of the active person with this e-mail."""
    users = ROWS["users"].c
    query = select(users.key).where(func.lower(users.email) == email.lower(), users.active, ~users.gone)
    found = connection.execute(query).scalar()
    if found is None:
        raise Refused("row_unknown", f"there is no active person with the e-mail {email}")
    return str(found)


def _load(
    database: Database, plan: Sequence[Planned], now_ms: int, faults: Sequence[Fault], skip_errors: bool
) -> Report:
    def progress(done: int, rows: int) -> None:
        click.echo(f"{done:,} of {rows:,} rows", err=True)

    try:
        return load(database, plan, now_ms, faults=faults, skip_errors=skip_errors, after_batch=progress)
    except Refused as refused:
        _tell(Fault(**error) for error in refused.details.get("errors", ()))
        raise


def _tell(faults: Iterable[Fault]) -> None:
    for fault in faults:
        click.echo(str(fault), err=True)


def _show(report: Report, dry_run: bool) -> None:
    click.echo(f"{'would be' if dry_run else '':<20}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES))
    for entity, of in report.counts.items():
        click.echo(f"{entity:<20}" + "".join(f"{of[outcome]:>11,}" for outcome in OUTCOMES))
    click.echo(f"{'all':<20}" + "".join(f"{report.total(outcome):>11,}" for outcome in OUTCOMES))
    if report.faults:
        click.echo(f"{len(report.faults):,} errors")


@click.command()
@click.option("--reps", type=click.IntRange(1, REPS_MAX), default=16, show_default=True)
@click.option("--accounts", type=click.IntRange(0, ACCOUNTS_MAX), default=400, show_default=True)
@click.option("--seed", "number", type=int, default=1, show_default=True, help="Another number, another company.")
@click.option("--today", default=TODAY, show_default=True, help="The day around which everything happens.")
@click.option("--password", default="demo-password-1", show_default=True, help="The password of every user.")
@DATABASE
def seed(reps: int, accounts: int, number: int, today: str, password: str, url: str | None) -> None:
    """Make up a company: people, territories, products, customers, visits, deals and quotas.

    The same arguments make the same rows. The database must be empty; its schema is brought up to date.
    """
    check_day(today)
    password_hash = hash_password(password)
    database = open_database(database_url(url), durable=False)
    try:
        upgrade_database(database)
        counts, emails = make(
            database,
            reps=reps,
            accounts=accounts,
            seed=number,
            today=today,
            password_hash=password_hash,
            after_batch=lambda rows: click.echo(f"{rows:,} rows", err=True),
        )
    finally:
        database.close()
    for entity, count in counts.items():
        click.echo(f"{entity:<20}{count:>11,}")
    click.echo(f"{'all':<20}{counts.total():>11,}")
    for key in LOGINS_SHOWN:
        if key in emails:
            click.echo(f"{key:<12} {emails[key]}")
