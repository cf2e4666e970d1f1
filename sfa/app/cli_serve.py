"""`sfa serve`, `sfa migrate`, `sfa reissue`, `sfa restored`, `sfa check-digests` and `sfa vapid-keys`."""

import gc
import logging
import os
import uuid

import click
import uvicorn
from litestar import Litestar

from sfa.app.cli import without_collecting
from sfa.app.factory import build, check_schema
from sfa.app.settings import Settings
from sfa.core.clock import SystemClock
from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.db import digests
from sfa.db.database import open_database
from sfa.db.migrations import upgrade_database
from sfa.db.reissue import reissue as reissue_batch
from sfa.db.scope import renew_epoch
from sync.wakes.webpush import make_keys

SHUTDOWN_S = 20


@click.command()
@click.option("--host", help="Address to listen on, in place of SFA_HOST.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, in place of SFA_PORT; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, help="Processes; more than one on PostgreSQL only.")
@click.option("--migrate", "migrating", is_flag=True, help="Bring the schema up to date first.")
def serve(host: str | None, port: int | None, workers: int, migrating: bool) -> None:
    """Start the server."""
    settings = Settings.from_environment(os.environ)
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise Refused("setting_invalid", "Several workers need PostgreSQL: SQLite has one writer, in one process")
    _prepare(settings, migrating)
    uvicorn.run(
        "sfa.app.cli_serve:app",
        factory=True,
        host=host if host is not None else settings.host,
        port=port if port is not None else settings.port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        log_level=settings.log_level,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def app() -> Litestar:
    """What each worker process builds; it also sets up that process's log."""
    return served(Settings.from_environment(os.environ))


def served(settings: Settings) -> Litestar:
    """The application in a process that does nothing else."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # `sfa.jobs` tells what a run did; what the HTTP client tells holds addresses and tokens of devices.
    for chatty in ("apscheduler", "alembic", "httpx", "httpcore", "hpack"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with without_collecting():
        made = build(settings)
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector would look through all of it every few pushes
    return made


def _prepare(settings: Settings, migrating: bool) -> None:
    """Refuse an outdated schema here, in one line, before a server starts."""
    database = open_database(settings.database_url)
    try:
        if migrating:
            upgrade_database(database)
        database.read(check_schema)
    finally:
        database.close()


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema. Safe to run twice."""
    settings = Settings.from_environment(os.environ)
    _prepare(settings, migrating=True)
    click.echo("The schema is up to date.")


@click.command()
@click.argument("entities", nargs=-1, type=click.Choice(sorted(ENTITIES)))
def reissue(entities: tuple[str, ...]) -> None:
    """Write the documents of these entities (all by default) anew for devices, in bounded batches."""
    database = open_database(Settings.from_environment(os.environ).database_url)
    clock = SystemClock()
    try:
        database.read(check_schema)
        for entity in entities or ENTITIES:
            after: str | None = ""
            while after is not None:
                after = database.write(reissue_batch, entity, after, clock.now_ms())
    finally:
        database.close()
    click.echo("Devices fetch these rows with their next sync.")


@click.command()
def restored() -> None:
    """Say that this database was restored from a backup: devices then fetch anew and send again what was lost."""
    settings = Settings.from_environment(os.environ)
    database = open_database(settings.database_url)
    try:
        database.read(check_schema)
        database.write(renew_epoch, uuid.uuid4().hex)
    finally:
        database.close()
    click.echo("The database has a new epoch. Start the server: devices send again what the backup did not have.")


@click.command()
@click.option("--repair", is_flag=True, help="Set what is wrong to what the feed says.")
def check_digests(repair: bool) -> None:
    """Sum up every bucket anew and compare with the sums that are kept; ends with 1 if any was wrong."""
    database = open_database(Settings.from_environment(os.environ).database_url)
    try:
        database.read(check_schema)
        found = database.write(digests.repair) if repair else database.read(digests.wrong)
    finally:
        database.close()
    for bucket in sorted(found):
        click.echo(f"{bucket}: {'was wrong and is set' if repair else 'wrong'}")
    click.echo(f"{len(found)} sums wrong." if found else "All sums are right.")
    if found:
        raise click.exceptions.Exit(1)


@click.command()
def vapid_keys() -> None:
    """Make a key pair for Web Push; nothing is stored."""
    private, public = make_keys()
    click.echo(f"SFA_VAPID_PRIVATE_KEY={private}")
    click.echo(f"# public, the applicationServerKey of browsers (GET /sync/wake tells it): {public}")
