"""`sfa device proposal …`: who gets a proposal, what they made of it, and what they are answered."""

from pathlib import Path
from typing import Any

import click
import msgspec

from sfa.app.cli_device import Desk, as_json, on_desk
from sfa.app.cli_device_files import fetched
from sfa.app.cli_device_proposals import fields_argument, proposal, proposal_argument
from sfa.app.cli_device_tables import show_rows
from sfa.app.cli_device_words import fields_of, find, find_given
from sfa.core.errors import Refused
from sfa.core.money import format_minor
from sync.device import Device, buyers
from sync.device.buyers import Followed, Question, Recipient
from sync.device.proposals import PROPOSALS, QUESTIONS, RECIPIENTS

recipient_option = click.option("--recipient", help="One of them; all by default.")


# -- who gets it ------------------------------------------------------------------------------------------------------


@proposal.command("add-recipient")
@proposal_argument
@fields_argument
@click.option("--contact", help="Name and e-mail are taken, unless others are said.")
@on_desk
def add_recipient(desk: Desk, proposal: str, values: tuple[str, ...], contact: str | None) -> None:
    """Mail it to somebody when it is sent; prints the recipient's key."""
    found = desk.device()
    person = find_given(found, "contacts", contact)
    key = find(found, PROPOSALS, proposal)
    click.echo(buyers.add_recipient(found, key, fields_of(RECIPIENTS, values), person))


@proposal.command()
@proposal_argument
@as_json
@on_desk
def recipients(desk: Desk, proposal: str, is_json: bool) -> None:
    """Who gets it, in the order in which they sign, and how far each is."""
    found = desk.device()
    _show_recipients(buyers.recipients(found, find(found, PROPOSALS, proposal)), is_json=is_json)


def _show_recipients(told: list[Recipient], *, is_json: bool = False) -> None:
    rows = {one.key: msgspec.structs.asdict(one) for one in told}
    if not is_json:
        rows = {key: row | {"waiting": ", ".join(row["waiting"]) or None} for key, row in rows.items()}
    show_rows("recipients", rows, {one.key for one in told if one.waiting}, is_json=is_json)


@proposal.command("remove-recipient")
@click.argument("recipient")
@on_desk
def remove_recipient(desk: Desk, recipient: str) -> None:
    """It is not mailed there."""
    found = desk.device()
    buyers.remove_recipient(found, find(found, RECIPIENTS, recipient))


@proposal.command("mail-again")
@proposal_argument
@recipient_option
@on_desk
def mail_again(desk: Desk, proposal: str, recipient: str | None) -> None:
    """Ask that the link to what was sent be mailed once more."""
    found = desk.device()
    buyers.resend(found, find(found, PROPOSALS, proposal), find_given(found, RECIPIENTS, recipient))


@proposal.command("revoke-link")
@proposal_argument
@recipient_option
@on_desk
def revoke_link(desk: Desk, proposal: str, recipient: str | None) -> None:
    """Ask that links that were given away open nothing any more."""
    found = desk.device()
    buyers.revoke(found, find(found, PROPOSALS, proposal), find_given(found, RECIPIENTS, recipient))


# -- what they made of it ---------------------------------------------------------------------------------------------


@proposal.command()
@proposal_argument
@as_json
@on_desk
def follow(desk: Desk, proposal: str, is_json: bool) -> None:
    """When it was opened, how often, what was asked, and what came of it."""
    found = desk.device()
    told = buyers.followed(found, find(found, PROPOSALS, proposal))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
        return
    number = f"number {told.number}, " if told.number is not None else ""
    click.echo(f"{told.title} ({number}version {told.version}, {told.status})")
    click.echo({0: "not opened yet", 1: "opened once"}.get(told.opens, f"opened {told.opens} times"))
    _show_recipients(told.recipients)
    _show_questions(told.questions)
    _outcome(told)


def _outcome(told: Followed) -> None:
    outcome = told.outcome
    if outcome is not None:
        by = f" by {outcome['by']}" if outcome.get("by") else ""
        total = outcome.get("total_minor")
        at = f" at {format_minor(total, told.currency)} {told.currency}" if total is not None else ""
        reason = f": {outcome['reason']}" if outcome.get("reason") else ""
        click.echo(f"{outcome['kind']}{by}{at}{reason}")
    if told.final is not None:
        click.echo("the sealed PDF is there: sfa device proposal final")
    if told.certificate is not None:
        click.echo("the certificate is there: sfa device proposal certificate")
    for problem in told.problems:
        click.echo(f"{problem.text} ({problem.code})")


def _show_questions(told: list[Question], *, is_json: bool = False) -> None:
    rows: dict[str, dict[str, Any]] = {}
    for one in told:
        row = msgspec.structs.asdict(one)
        rows[one.key] = row if is_json else row | {"waiting": "answer" if one.is_waiting else None}
    show_rows("questions", rows, {one.key for one in told if one.is_waiting}, is_json=is_json)


@proposal.command()
@click.argument("proposal", required=False)
@as_json
@on_desk
def questions(desk: Desk, proposal: str | None, is_json: bool) -> None:
    """What buyers asked, and what they were answered; of all proposals unless one is named."""
    found = desk.device()
    _show_questions(buyers.questions(found, find_given(found, PROPOSALS, proposal)), is_json=is_json)


@proposal.command()
@click.argument("question")
@click.argument("text")
@on_desk
def answer(desk: Desk, question: str, text: str) -> None:
    """Answer a question, once; QUESTION is its key or a part of it."""
    found = desk.device()
    buyers.answer(found, find(found, QUESTIONS, question), text)


@proposal.command()
@proposal_argument
@click.argument("path", type=click.Path(path_type=Path))
@on_desk
def final(desk: Desk, proposal: str, path: Path) -> None:
    """Bring the sealed PDF of what was accepted to PATH, or to its own name in that folder."""
    found = desk.device()
    _bring(found, buyers.followed(found, find(found, PROPOSALS, proposal)).final, path, "the sealed PDF")


@proposal.command()
@proposal_argument
@click.argument("path", type=click.Path(path_type=Path))
@on_desk
def certificate(desk: Desk, proposal: str, path: Path) -> None:
    """Bring the certificate of how it was accepted to PATH, or to its own name in that folder."""
    found = desk.device()
    _bring(found, buyers.followed(found, find(found, PROPOSALS, proposal)).certificate, path, "the certificate")


def _bring(found: Device, key: str | None, path: Path, name: str) -> None:
    if key is None:
        raise Refused("file_awaited", f"{name} is not there yet")
    click.echo(f"{fetched(found, key, path)}")
