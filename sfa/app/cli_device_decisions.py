"""`sfa device …`: what waits for a decision, and deciding it, without signal: queued like every other edit."""

import click

from sfa.app import cli_device_tables as tables
from sfa.app.cli_device import Desk, as_json, device, on_desk, run
from sfa.app.cli_device_words import fields_of, find
from sfa.core.errors import Refused


@device.command()
@as_json
@on_desk
def conflicts(desk: Desk, is_json: bool) -> None:
    """What asks for a decision."""
    tables.show_rows("conflicts", desk.device().conflicts(), set(), is_json=is_json)


@device.command()
@as_json
@on_desk
def refusals(desk: Desk, is_json: bool) -> None:
    """What the server refused, and why."""
    tables.show_rows("refusals", desk.device().refusals(), set(), is_json=is_json)


@device.command()
@as_json
@on_desk
def suggestions(desk: Desk, is_json: bool) -> None:
    """What the server suggests."""
    tables.show_rows("suggestions", desk.device().suggestions(), set(), is_json=is_json)


@device.command()
@click.argument("conflict")
@on_desk
def restore(desk: Desk, conflict: str) -> None:
    """Put the losing value of a conflict back."""
    run(desk, "conflict.restore", "conflicts", conflict, {})


@device.command()
@click.argument("row")
@on_desk
def dismiss(desk: Desk, row: str) -> None:
    """What stands is right (ROW is a conflict), or the refused change is needed no more (ROW is a refusal)."""
    found = desk.device()
    try:
        key = find(found, "conflicts", row)
    except Refused:
        found.command("refusal.dismiss", find(found, "refusals", row))
    else:
        found.command("conflict.dismiss", key)


@device.command()
@click.argument("refusal")
@click.argument("values", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--without", multiple=True, metavar="FIELD", help="Leave a field out.")
@click.option("--key", help="Create the row under another key.")
@click.option("--reason", help="Make the edit of a submitted visit its amendment.")
@on_desk
def repair(
    desk: Desk, refusal: str, values: tuple[str, ...], without: tuple[str, ...], key: str | None, reason: str | None
) -> None:
    """Send a refused change again, with other values; with none as it was."""
    found = desk.device()
    place = find(found, "refusals", refusal)
    entity = found.list("refusals")[place]["entity"]
    found.repair(place, fields_of(entity, values) if values else {}, without=without, key=key, reason=reason)


@device.command()
@click.argument("suggestion")
@on_desk
def accept(desk: Desk, suggestion: str) -> None:
    """Do what is suggested."""
    run(desk, "suggestion.accept", "suggestions", suggestion, {})


@device.command()
@click.argument("suggestion")
@click.option("--reason", help="What the author of a hand-over is told.")
@on_desk
def decline(desk: Desk, suggestion: str, reason: str | None) -> None:
    """Leave it as it is; it is not suggested again."""
    run(desk, "suggestion.decline", "suggestions", suggestion, {"reason": reason})


@device.command()
@as_json
@on_desk
def handovers(desk: Desk, is_json: bool) -> None:
    """What you had queued for rows that you lost, and what was decided."""
    tables.show_rows("handovers", desk.device().handovers(), set(), is_json=is_json)
