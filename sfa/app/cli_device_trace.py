"""`sfa device record` and `replay`: what a device and its server said to each other, kept and played again elsewhere.

A trace is played against a server that starts with the rows that the recorded one had: a server at an address, under a
login there, or this very version of the product on a copy of the database, with the clock of the recording. It sends
the recorded changes again, so it asks first wherever it does not work on a copy of its own.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table

from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sync.device import Device, Store, trace
from sync.device.replay import Difference, Replay, Target

if TYPE_CHECKING:
    from sfa.app.cli_device import Desk

NAME = "replay of a trace"
SHOWN = 60


@click.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="TRACE")
@click.option("--stop", is_flag=True, help="Record no more.")
@click.pass_obj
def record(desk: "Desk", path: Path | None, stop: bool) -> None:
    """Write down every sync from now on in the file TRACE; what is there already is continued.

    A trace holds rows of customers, and no password or token.
    """
    current = desk.current()
    if current is None:
        raise Refused("unauthenticated", "nobody has logged in here: sfa device login --server URL")
    if (path is None) is not stop:
        raise click.UsageError("name a file for the trace, or --stop")
    where = str(path.resolve()) if path is not None else None
    desk.use(msgspec.structs.replace(current, trace=where))
    if where is not None:
        desk.device()  # says at once where the file is another registration's
        click.echo(f"every sync is written down in {where}, until sfa device record --stop")


@click.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="TRACE")
@click.option("--server", help="Play it against the server at this address.")
@click.option("--email", help="With --server: the login there of the person whose trace it is.")
@click.option("--password", help="With --server; asked for where it is not given.")
@click.option("--database", metavar="URL", help="Play it in this process on a copy of the database.")
@click.option("--all", "is_all", is_flag=True, help="Also rows that differ although this device never touched them.")
@click.option("--yes", is_flag=True, help="Send the recorded changes without asking.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def replay(
    desk: "Desk",
    path: Path,
    server: str | None,
    email: str | None,
    password: str | None,
    database: str | None,
    is_all: bool,
    yes: bool,
    is_json: bool,
) -> None:
    """Play TRACE against another server, or on a copy of a database, and print what came out differently.

    The other side must start with the rows that the recorded server had at the beginning of the trace. Exit code 1
    where something differs.
    """
    if (server is None) is (database is None):
        raise click.UsageError("say where to play it: --server URL or --database URL")
    head, exchanges = trace.read(path)
    found: list[Difference] = []
    with _on_server(desk, server, email, password, yes) if server else _on_copy(head, database or "", yes) as target:
        if target.user != head.user:
            raise Refused("wrong_user", "the trace is another person's")
        for differences in Replay(head, exchanges, target).steps():
            found += differences
    _tell(found, len(exchanges), is_all=is_all, is_json=is_json)
    if any(d.own for d in found) or (is_all and found):
        sys.exit(1)


# -- where it is played -------------------------------------------------------------------------------------------


@contextmanager
def _on_server(desk: "Desk", server: str, email: str | None, password: str | None, yes: bool) -> Iterator[Target]:
    email = email or click.prompt("Email")
    password = password or click.prompt("Password", hide_input=True)
    _ask(f"This sends the recorded changes to {server} again. Go on?", yes)
    transport = desk.connect(server)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "replay.sqlite")
        try:
            person = Device(store, transport, desk.clock, KeyMaker(desk.clock)).login(email, password, NAME)
            state = store.state()

            def post(body: bytes) -> tuple[int, bytes]:
                return transport.post(trace.SYNC, body, state.access_token)

            yield Target(person.key, state.device_key or "", post, lambda at: desk.clock.now_ms() - at)
        finally:
            store.close()


def _on_copy(head: trace.Head, url: str, yes: bool) -> AbstractContextManager[Target]:
    from sfa.app.device_copy import played_on  # the server is loaded for this alone

    return played_on(head, url, NAME, lambda question: _ask(question, yes))


def _ask(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True)


# -- what came out ------------------------------------------------------------------------------------------------


def _tell(found: list[Difference], exchanges: int, *, is_all: bool, is_json: bool) -> None:
    shown = [d for d in found if d.own or is_all]
    if is_json:
        click.echo(msgspec.json.encode({"exchanges": exchanges, "differences": shown}).decode())
        return
    if shown:
        table = Table("exchange", "what", "recorded", "played again")
        for difference in shown[:SHOWN]:
            table.add_row(str(difference.step), difference.what, _text(difference.recorded), _text(difference.replayed))
        Console().print(table)
    others = len(found) - sum(d.own for d in found)
    more = f"; {others} on rows that this device never touched (--all)" if others and not is_all else ""
    click.echo(f"{exchanges} exchanges, {len(shown)} differences{more}")


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
