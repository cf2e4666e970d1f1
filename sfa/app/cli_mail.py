"""`sfa mail …`: for the mail server's side of delivery."""

import sys

import click

from proposals.delivery import bounces
from sfa.app.cli_database import current_database
from sfa.core.clock import SystemClock


@click.group()
def mail() -> None:
    """Mails about proposals (docs/delivery.md)."""


@mail.command()
def bounce() -> None:
    """Take one message from standard input, as a mail server pipes it: a notification that a mail came back.

    What is none, or is of a mail that this server did not send, changes nothing and is no error.
    """
    body = sys.stdin.buffer.read(bounces.BYTES_MAX)
    with current_database() as database:
        click.echo(database.write(bounces.take, SystemClock().now_ms(), body))
