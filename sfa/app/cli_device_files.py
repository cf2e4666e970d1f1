"""`sfa device attach`, `files` and `download`: files that hang on customers, attached without signal."""

from pathlib import Path

import click
import msgspec

from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.app.cli_device_words import find
from sync.device import Device
from sync.device.files import Attached

KINDS = ("photo", "receipt", "document", "signature", "recording", "other")


@device.command()
@click.argument("entity", type=click.Choice(["accounts", "visits", "deals", "notes"]), metavar="ENTITY")
@click.argument("row")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What the file is called; its own name by default.")
@click.option("--kind", type=click.Choice(KINDS))
@click.option("--type", "media_type", help="Media type, where the name does not tell it.")
@on_desk
def attach(
    desk: Desk, entity: str, row: str, path: Path, name: str | None, kind: str | None, media_type: str | None
) -> None:
    """Hang a file on a customer, visit, deal or note; a sync uploads it."""
    found = desk.device()
    said = {"name": name, "kind": kind, "media_type": media_type, "taken_at": desk.clock.now_ms()}
    values = {field: value for field, value in said.items() if value is not None}
    click.echo(found.attach(entity, find(found, entity, row), path, values))


@device.command()
@as_json
@on_desk
def files(desk: Desk, is_json: bool) -> None:
    """Files that wait until the server has them."""
    waiting = desk.device().files()
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(waiting), indent=2))
        return
    for item in waiting:
        click.echo(f"{item.key}  {item.size:>12,}  {_standing(item)}  {item.name}")
    if not waiting:
        click.echo("no files wait")


@device.command()
@click.argument("attachment")
@click.argument("path", type=click.Path(path_type=Path))
@on_desk
def download(desk: Desk, attachment: str, path: Path) -> None:
    """Bring a file that the server keeps to PATH, or to its own name in that folder."""
    found = desk.device()
    key = find(found, "attachments", attachment)
    click.echo(f"{fetched(found, key, path)}")


def fetched(found: Device, key: str, path: Path) -> Path:
    """Where the content of an attachment is now."""
    target = path / Path(found.list("attachments")[key]["name"]).name if path.is_dir() else path
    found.fetch(key, target)
    return target


def _standing(item: Attached) -> str:
    if item.code is not None:
        return f"refused ({item.code})"
    return "sent" if item.is_sent else "on its way" if item.upload is not None else "waits"
