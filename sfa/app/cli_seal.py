"""`sfa seal …`: the company's key for sealing what was accepted (docs/evidence.md)."""

import os

import click
from sqlalchemy import Connection

from proposals.evidence import keys, queue
from sfa.app.cli_database import current_database
from sfa.app.settings import Settings
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.web.secret import Secret


@click.group()
def seal() -> None:
    """The company's key for sealing what was accepted."""


@seal.command()
@click.option("--all", "everything", is_flag=True, help="Keys before it too.")
def show(everything: bool) -> None:
    """Print the certificate of the key that seals, as PEM; what it is goes to standard error."""
    with current_database() as database:
        found = database.read(keys.known)
    if not found:
        raise Refused("not_found", "nothing was sealed yet, so there is no key")
    for key in found if everything else found[:1]:
        state = "seals" if key.retired_at is None else "sealed before"
        click.echo(f"{key.seal_key} {state}: {key.subject}, SHA-256 {key.fingerprint}", err=True)
        click.echo(key.pem, nl=False)


@seal.command()
@click.option("--name", required=True, help="The company's name, which the certificate says.")
def rotate(name: str) -> None:
    """Make a new key, which seals from now on; what was sealed before can be verified as ever."""
    settings = Settings.from_environment(os.environ)
    if settings.seal_key_file:
        raise click.ClickException("the key is the file of SFA_SEAL_KEY_FILE: put another one in its place")
    now_ms = SystemClock().now_ms()

    def work(connection: Connection) -> keys.Shown:
        return keys.rotate(connection, now_ms, _wrap(connection, settings), name)

    with current_database() as database:
        made = database.write(work)
    click.echo(f"{made.seal_key} seals: {made.subject}, SHA-256 {made.fingerprint}", err=True)
    click.echo(made.pem, nl=False)


@seal.command()
@click.option("--proposal", help="Key of the proposal; all that failed without.")
def again(proposal: str | None) -> None:
    """Order anew what could not be sealed."""
    with current_database() as database:
        count = database.write(queue.again, SystemClock().now_ms(), proposal)
    click.echo(f"{count} ordered")


def _wrap(connection: Connection, settings: Settings) -> bytes:
    secret = Secret(settings.secret)
    secret.read(connection)
    return secret.derive(keys.PURPOSE)
