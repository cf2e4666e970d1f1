"""`sfa profit …`: what customers, products, people and territories earned, and the whale curve, in the terminal.

For whoever works on the server itself: it shows the whole company, costs and all, as finance sees it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy import Connection

from sfa.app.settings import Settings
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.core.money import format_minor
from sfa.db.database import Database, open_database
from sfa.db.migrations import is_current
from sfa.profit.company import report
from sfa.profit.company.by import DIMENSIONS, PERIODS, Span, profits, span_of
from sfa.profit.company.customer_sheet import by_csv, whale_csv
from sfa.profit.company.report import Missed, Report, Wanted, WhaleTold
from sfa.profit.company.surroundings import EVERYTHING, read_world

BAR = 30
FROM = click.option("--from", "from_on", required=True, metavar="DAY", help="The first day, as 2026-01-01.")
TO = click.option("--to", "to_on", required=True, metavar="DAY", help="The day after the last one.")
LIMIT = click.option("--limit", type=click.IntRange(1, report.PAGE_MAX), default=20, show_default=True)
AS_CSV = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, as the API's.")


@click.group()
def profit() -> None:
    """What earns, and what costs more than it brings."""


@profit.command()
@click.argument("dimension", type=click.Choice(DIMENSIONS))
@FROM
@TO
@click.option("--sort", type=click.Choice(report.SORTS), default="profit", show_default=True)
@click.option("--up", is_flag=True, help="The least first.")
@click.option("--period", type=click.Choice(PERIODS), default="month", show_default=True, help="Of `by period`.")
@LIMIT
@AS_CSV
def by(dimension: str, from_on: str, to_on: str, sort: str, up: bool, period: str, limit: int, as_csv: bool) -> None:
    """Revenue, cost and profit by DIMENSION, with what was lost beside."""
    wanted = Wanted(from_on, to_on, period_kind=period, sort=sort, up=up, limit=limit)

    def work(connection: Connection) -> Report:
        world = read_world(connection)
        return report.reported(connection, world, dimension, _span(from_on, to_on), EVERYTHING, wanted, limit)

    with _database() as database:
        told = database.read(work)
    if as_csv:
        click.echo(by_csv(told), nl=False)
    else:
        _print_by(Console(highlight=False), told)


@profit.command()
@FROM
@TO
@LIMIT
@AS_CSV
def whales(from_on: str, to_on: str, limit: int, as_csv: bool) -> None:
    """The whale curve: customers by profit, and what they earn together."""
    span = _span(from_on, to_on)

    def work(connection: Connection) -> WhaleTold:
        world = read_world(connection)
        found = profits(connection, "customer", span, world=world)
        return report.whale_told(connection, found, span, world, EVERYTHING, 0, limit)

    with _database() as database:
        told = database.read(work)
    if as_csv:
        click.echo(whale_csv(told), nl=False)
    else:
        _print_whales(Console(highlight=False), told)


def _print_by(console: Console, told: Report) -> None:
    columns = ("revenue", "cost", "profit", "lost")
    table = Table(Column(told.dimension, overflow="fold"), *(Column(name, justify="right") for name in columns))

    def row(name: str, line: report.Line) -> None:
        amounts = (line.revenue_minor, line.cost_minor, line.profit_minor, _lost(line.lost))
        table.add_row(name, *(_money(amount, told.currency) for amount in amounts))

    for line in told.items:
        row(line.name or line.key or "(none)", line)
    table.add_section()
    row("total", told.total)
    console.print(table)
    for missing in told.total.earned.missing:
        about = ", ".join(f"{name} {value}" for name, value in missing.about.items())
        console.print(f"  {missing.kind}: {missing.code}, {about}", soft_wrap=True)
    more = told.total.earned.missing_count - len(told.total.earned.missing)
    if more:
        console.print(f"  and {more} more that are missing")


def _lost(lost: Missed) -> int | None:
    return lost.lost_minor


def _print_whales(console: Console, told: WhaleTold) -> None:
    total = _money(told.total_minor, told.currency)
    console.print(f"{told.members} customers earn {total}, from {told.from_on} until {told.to_on}", soft_wrap=True)
    peak, lost = _money(told.peak_minor, told.currency), _money(told.lost_minor, told.currency)
    console.print(f"{told.peak_rank} of them earn {peak}, the others take {lost}", soft_wrap=True)
    deciles = Table("tenth", *(Column(name, justify="right") for name in ("customers", "profit", "together")), "")
    for decile in told.deciles:
        amounts = (_money(amount, told.currency) for amount in (decile.profit_minor, decile.cumulative_minor))
        width = max(0, decile.cumulative_minor) * BAR // told.peak_minor if told.peak_minor else 0
        deciles.add_row(str(decile.number), str(decile.members), *amounts, "█" * width)
    console.print(deciles)
    points = Table(
        "rank", Column("customer", overflow="fold"), *(Column(n, justify="right") for n in ("profit", "together"))
    )
    for point in told.items:
        name = told.names.get(point.key or "") or point.key or "(no customer)"
        amounts = (_money(amount, told.currency) for amount in (point.profit_minor, point.cumulative_minor))
        points.add_row(str(point.rank), name, *amounts)
    console.print(points)
    if told.unknown:
        console.print(f"  {len(told.unknown)} customers are not computable: something is missing", soft_wrap=True)


def _money(amount_minor: int | None, currency: str) -> str:
    return "-" if amount_minor is None else f"{format_minor(amount_minor, currency)} {currency}"


def _span(from_on: str, to_on: str) -> Span:
    found = span_of(from_on, to_on)
    return Span(found.from_on, found.to_on, SystemClock().now_ms())


@contextmanager
def _database() -> Iterator[Database]:
    opened = open_database(Settings.from_environment(os.environ).database_url)
    try:
        if not opened.read(is_current):
            raise Refused("schema_outdated")
        yield opened
    finally:
        opened.close()
