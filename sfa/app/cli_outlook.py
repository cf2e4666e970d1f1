"""`sfa outlook …`: runs of the forecast engine in the terminal, and an old one made again."""

import asyncio
import os

import click

from forecasting.outlook import store
from forecasting.outlook.process import Step
from forecasting.outlook.running import Outlooks
from forecasting.outlook.store import DONE, Run
from forecasting.outlook.worker import MEMORY_MB, Worker
from sfa.app.cli_database import current_database, database_url
from sfa.app.settings import Settings
from sfa.core.apart import Failed
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.db import scope
from sfa.db.database import open_database


@click.group()
def outlook() -> None:
    """Ranges of the forecast engine (docs/outlook.md)."""


@outlook.command()
@click.pass_context
def run(ctx: click.Context) -> None:
    """Make the runs that wait, else today's, here and now, and say how far each is; exit code 1 where one failed.

    Safe while people work, and while the server makes runs: each is made once.
    """
    with current_database() as database:
        if database.read(store.under_way) is None:
            now_ms = SystemClock().now_ms()
            database.write(lambda connection: store.ask(connection, now_ms, scope.today(connection, now_ms)))
    ended = asyncio.run(_made())
    for found in ended:
        click.echo(_line(found))
    if not ended:
        click.echo("another process makes the run")
    if any(found.state != DONE for found in ended):
        ctx.exit(1)


@outlook.command()
@click.argument("number", type=int)
@click.pass_context
def remake(ctx: click.Context, number: int) -> None:
    """Ask the kept question of run NUMBER again, and say whether the answer is the same; exit code 1 where it is not.

    Stores nothing.
    """
    with current_database() as database:
        kept = database.read(store.numbered, number)
        if kept.found_digest is None:
            raise Refused("outlook_missing", f"run {number} has no answer: it is {kept.state}")
        data, _ = database.read(store.question, number)
    if store.digest_of(data) != kept.digest:
        click.echo(f"run {number}: its question is not the one that was asked")
        ctx.exit(1)
    try:
        answer = asyncio.run(_worker().answer(data, _tell))
    except Failed as failed:
        raise click.ClickException(str(failed)) from failed
    again = store.digest_of(answer)
    is_same = again == kept.found_digest
    click.echo(
        f"run {number} of {kept.as_of}, engine {kept.engine or '-'}: {'the same' if is_same else 'another'} answer"
    )
    click.echo(f"{kept.found_digest} then")
    click.echo(f"{again} now")
    if not is_same:
        ctx.exit(1)


async def _made() -> list[Run]:
    """Every run that waits, to its end."""
    database = open_database(database_url())
    found: list[Run] = []
    try:
        outlooks = Outlooks(database, SystemClock(), _worker(), told=_tell)
        while (ended := await outlooks.run_next()) is not None:
            found.append(ended)
    finally:
        await database.close_async()
    return found


def _worker() -> Worker:
    return Worker(memory_mb=Settings.from_environment(os.environ).outlook_memory_mb or MEMORY_MB)


async def _tell(step: Step) -> None:
    click.echo(f"{step.progress / 10:5.1f} %  {step.name}", err=True)


def _line(found: Run) -> str:
    said = [f"run {found.number} of {found.as_of}: {found.state}", *([found.code] if found.code else [])]
    return ", ".join([*said, *([f"engine {found.engine}"] if found.engine else []), found.found_digest or "no answer"])
