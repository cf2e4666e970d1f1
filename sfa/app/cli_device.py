"""`sfa device …`: the reference device in the terminal, one local store for each user and server.

Every command but `login`, `logout`, `sync`, `wait` and `download` works without signal. Errors end in one line with
their stable code: exit code 1 for what was refused, 3 when there was no connection. What is decided is in
`cli_device_decisions`.
"""

import os
import re
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec
from msgspec import Struct

from sfa.app import cli_device_tables as tables
from sfa.app import cli_device_trace
from sfa.app.cli_device_words import fields_of, find, instant
from sfa.core.clock import SystemClock
from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sync.device import ConnectionLost, Device, Progress, ServerRefused, Store, SyncResult, Transport, trace
from sync.device.http import HttpTransport
from sync.device.visits import open_visits
from sync.device.waiting import REPLACED

VERSION = version("sfa-backend")
CURRENT = "current.json"

Connect = Callable[[str], Transport]


class Current(Struct, frozen=True):
    """Whose store is in use, where its server is, and the file in which syncs are written down, if they are."""

    store: str
    server: str
    trace: str | None = None


class NoConnection(click.ClickException):
    exit_code = 3


class Desk:
    """The folder of stores, and the device of whoever is logged in. `connect` opens a transport to a server."""

    def __init__(self, folder: Path, connect: Connect) -> None:
        self.folder, self.connect = folder, connect
        self.clock = SystemClock()

    def current(self) -> Current | None:
        path = self.folder / CURRENT
        return msgspec.json.decode(path.read_bytes(), type=Current) if path.exists() else None

    def open(self, current: Current) -> Device:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = Store(self.folder / f"{current.store}.sqlite")
        click.get_current_context().call_on_close(store.close)
        transport = self.connect(current.server)
        device_key, user = store.state().device_key, store.state().user
        if current.trace is not None and device_key is not None and user is not None:
            head = trace.Head(trace.FORMAT, VERSION, user.key, device_key, self.clock.now_ms())
            transport = trace.Recorder(transport, Path(current.trace), head, self.clock)
        return Device(store, transport, self.clock, KeyMaker(self.clock))

    def device(self) -> Device:
        current = self.current()
        if current is None:
            raise Refused("unauthenticated", "nobody has logged in here: sfa device login --server URL")
        return self.open(current)

    def use(self, current: Current) -> None:
        """One step, so that a killed terminal leaves the old choice or the new one."""
        part = self.folder / f"{CURRENT}.part"
        part.write_bytes(msgspec.json.encode(current))
        part.replace(self.folder / CURRENT)


class DeviceGroup(click.Group):
    """Tells what went wrong in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Refused, ServerRefused) as refused:
            raise click.ClickException(f"{refused.text} ({refused.code})") from refused
        except ConnectionLost as lost:
            raise NoConnection(f"no connection, nothing is lost: sync again later ({lost})") from lost


def default_folder() -> Path:
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "sfa"


@click.group(cls=DeviceGroup)
@click.option("--store", "folder", type=click.Path(file_okay=False, path_type=Path), help="Folder of local stores.")
@click.pass_context
def device(ctx: click.Context, folder: Path | None) -> None:
    """Work like a rep's phone: offline, and in sync when there is a connection."""
    ctx.obj = Desk(folder or default_folder(), ctx.obj if callable(ctx.obj) else HttpTransport)


def run(desk: Desk, command: str, entity: str, row: str, arguments: dict[str, Any]) -> None:
    """Queue a command; arguments that were not given are left out."""
    found = desk.device()
    given = {name: value for name, value in arguments.items() if value is not None}
    found.command(command, find(found, entity, row), given)


on_desk = click.make_pass_decorator(Desk)
entity_argument = click.argument("entity", type=click.Choice(sorted(ENTITIES)), metavar="ENTITY")
as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


# -- the server ---------------------------------------------------------------------------------------------------


@device.command()
@click.option("--server", help="Address of the server; the last one by default.")
@click.option("--email", prompt=True)
@click.option("--password", prompt=True, hide_input=True)
@click.option("--name", default="terminal", show_default=True, help="What this device is called.")
@on_desk
def login(desk: Desk, server: str | None, email: str, password: str, name: str) -> None:
    """Log in and use this user's store."""
    known = desk.current()
    server = server or (known.server if known is not None else None)
    if server is None:
        raise click.UsageError("--server is needed the first time")
    current = Current(store_name(server, email), server)
    person = desk.open(current).login(email, password, name, "terminal", VERSION)
    desk.use(current)
    click.echo(f"{person.name} ({person.role}) is logged in")


def store_name(server: str, email: str) -> str:
    """One store for each user at each server, as a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{email.lower()}-{urlsplit(server).netloc}")


@device.command()
@on_desk
def logout(desk: Desk) -> None:
    """End the login; what is queued stays."""
    desk.device().logout()


@device.command()
@click.option("--page-rows", type=click.IntRange(1, 20_000), default=5_000, show_default=True)
@click.option("--check", is_flag=True, help="Compare every bucket with the server, and fetch again what differs.")
@on_desk
def sync(desk: Desk, page_rows: int, check: bool) -> None:
    """Push what is queued and pull what changed."""
    found = desk.device()
    is_first = found.store.state().cursor is None
    with tables.progress_bar(is_first) as show:

        def told(now: Progress) -> None:
            show(f"{now.rows:,} rows{', today is ready' if now.is_ready else ''}")

        result = found.sync(told, page_rows, check=check)
    _tell(result)
    _upload(found)


def _upload(found: Device) -> None:
    """What was attached, once its row is there."""
    for item in found.upload():
        click.echo(f"uploaded {item.name}" if item.code is None else f"refused {item.name} ({item.code})")


@device.command()
@on_desk
def wait(desk: Desk) -> None:
    """Sync whenever there is news, until Ctrl-C."""

    def told(result: SyncResult) -> None:
        if result.rows or result.pushed or result.resets:
            _tell(result)
        _upload(found)

    found = desk.device()
    if found.wait(told, threading.Event()) == REPLACED:
        click.echo("somebody else waits for this device now (live_replaced)")


def _tell(result: SyncResult) -> None:
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.outcomes.items()))
    click.echo(f"{result.pushed} pushed{f' ({outcomes})' if outcomes else ''}, {result.rows} rows received")
    if result.is_ready:
        size = f" after {-(-result.ready_bytes // 1000):,} KB" if result.ready_bytes is not None else ""
        click.echo(f"today is ready{size}")
    for receipt in result.refused:
        click.echo(f"refused {receipt.entity} {receipt.key}: {receipt.text} ({receipt.code})")
    for receipt in result.handed_over:
        click.echo(f"handed over {receipt.entity} {receipt.key}: {receipt.text}")
    for receipt in result.conflicts:
        click.echo(f"conflict on {receipt.entity} {receipt.key}: {', '.join(receipt.conflicts)}")
    for reason in result.resets:
        click.echo(f"everything was fetched anew: {reason}")
    for bucket in result.refilled:
        click.echo(f"fetched again, because it differed from the server: {bucket}")
    for bucket in result.differing:
        click.echo(f"still differs from the server: {bucket}")
    if result.register_anew:
        click.echo("this registration was used elsewhere: log in again, the queue moves along (mutation_reused)")
    if result.stopped is not None:
        raise click.ClickException(f"the server takes no more of the queue ({result.stopped})")


device.add_command(cli_device_trace.record)
device.add_command(cli_device_trace.replay)


# -- looking ------------------------------------------------------------------------------------------------------


@device.command("list")
@entity_argument
@click.option("--where", "conditions", multiple=True, metavar="FIELD=VALUE")
@as_json
@on_desk
def list_rows(desk: Desk, entity: str, conditions: tuple[str, ...], is_json: bool) -> None:
    """List rows, own unsent changes included."""
    found = desk.device()
    rows = found.list(entity, fields_of(entity, conditions))
    changed = {item.key for item in found.pending() if item.entity == entity}
    tables.show_rows(entity, rows, changed, is_json=is_json)


@device.command()
@entity_argument
@click.argument("key")
@as_json
@on_desk
def show(desk: Desk, entity: str, key: str, is_json: bool) -> None:
    """Show one row; KEY may be a name or a part of a key."""
    found = desk.device()
    key = find(found, entity, key)
    tables.show_row(entity, key, found.list(entity)[key], is_json=is_json)


@device.command()
@as_json
@on_desk
def pending(desk: Desk, is_json: bool) -> None:
    """What is queued and not yet answered."""
    tables.show_queue(desk.device().pending(), is_json=is_json)


# -- working ------------------------------------------------------------------------------------------------------


@device.command("add-account")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[FIELD=VALUE]...")
@on_desk
def add_account(desk: Desk, name: str, values: tuple[str, ...]) -> None:
    """Add an account."""
    click.echo(desk.device().create("accounts", {"name": name, **fields_of("accounts", values)}))


@device.command("add-contact")
@click.argument("account")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[FIELD=VALUE]...")
@on_desk
def add_contact(desk: Desk, account: str, name: str, values: tuple[str, ...]) -> None:
    """Add a contact to an account."""
    found = desk.device()
    account_key = find(found, "accounts", account)
    more = fields_of("contacts", values)
    click.echo(found.create("contacts", {"account_key": account_key, "name": name, **more}))


@device.command()
@click.argument("account")
@click.argument("text")
@click.option("--visit", help="The visit that the note is about.")
@on_desk
def note(desk: Desk, account: str, text: str, visit: str | None) -> None:
    """Write a note on an account or a visit."""
    found = desk.device()
    values = {"account_key": find(found, "accounts", account), "body": text, "written_at": desk.clock.now_ms()}
    if visit is not None:
        values["visit_key"] = find(found, "visits", visit)
    click.echo(found.create("notes", values))


@device.command("plan-visit")
@click.argument("account")
@click.option("--at", "when", help="ISO date and time, UTC unless it says otherwise.")
@click.option("--purpose")
@on_desk
def plan_visit(desk: Desk, account: str, when: str | None, purpose: str | None) -> None:
    """Plan a visit to an account."""
    found = desk.device()
    values: dict[str, Any] = {"account_key": find(found, "accounts", account), "purpose": purpose}
    if when is not None:
        values["planned_at"] = instant(when)
    click.echo(found.create("visits", values))


@device.command("check-in")
@click.argument("visit")
@click.option("--latitude", type=float)
@click.option("--longitude", type=float)
@click.option("--accuracy", "accuracy_m", type=float, help="In metres.")
@on_desk
def check_in(desk: Desk, /, visit: str, **place: float | None) -> None:
    """Begin a visit. Says so if another one is still open."""
    for other in open_visits(desk.device()):
        click.echo(f"visit {other} is still open: check out of it, or a person will be asked (visit_open)", err=True)
    run(desk, "visit.check_in", "visits", visit, place)


@device.command("check-out")
@click.argument("visit")
@click.option("--outcome")
@on_desk
def check_out(desk: Desk, visit: str, outcome: str | None) -> None:
    """End a visit."""
    run(desk, "visit.check_out", "visits", visit, {"outcome": outcome})


@device.command()
@entity_argument
@click.argument("key")
@click.argument("values", nargs=-1, required=True, metavar="FIELD=VALUE...")
@on_desk
def edit(desk: Desk, entity: str, key: str, values: tuple[str, ...]) -> None:
    """Change fields of a row; FIELD=null empties one."""
    found = desk.device()
    found.update(entity, find(found, entity, key), fields_of(entity, values))


@device.command()
@entity_argument
@click.argument("key")
@on_desk
def delete(desk: Desk, entity: str, key: str) -> None:
    """Delete a row."""
    found = desk.device()
    found.delete(entity, find(found, entity, key))


from sfa.app import (  # noqa: E402 - their commands join the group above
    cli_device_attainment,  # noqa: F401
    cli_device_buyers,  # noqa: F401
    cli_device_costs,  # noqa: F401
    cli_device_customers,  # noqa: F401
    cli_device_deals,  # noqa: F401
    cli_device_decisions,  # noqa: F401
    cli_device_files,  # noqa: F401
    cli_device_forecast,  # noqa: F401
    cli_device_pricing,  # noqa: F401
    cli_device_proposals,  # noqa: F401
    cli_device_quotas,  # noqa: F401
    cli_device_route,  # noqa: F401
    cli_device_visits,  # noqa: F401
)
