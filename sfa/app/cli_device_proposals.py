"""`sfa device proposal …`: drafted, totalled and judged without signal; approved, sent and printed by command."""

from pathlib import Path
from typing import Any

import click
import msgspec

from sfa.app.cli_device import Desk, as_json, device, on_desk, run
from sfa.app.cli_device_files import fetched
from sfa.app.cli_device_tables import show_rows
from sfa.app.cli_device_words import fields_of, find
from sfa.core.errors import Refused
from sfa.core.money import format_minor
from sfa.core.pricing import Choices, choose, price
from sfa.core.pricing.values import Line, Offer, Priced
from sync.device import Device, drafting, proposals, sending
from sync.device.proposals import ACCEPTED, AGAIN_DRAFT, DRAFT, LINES, PROPOSALS, LineShown, Problem, Shown

Tax = tuple[str, int]
fields_argument = click.argument("values", nargs=-1, metavar="[FIELD=VALUE]...")
proposal_argument = click.argument("proposal")


@device.group()
def proposal() -> None:
    """Offers to customers, drafted without signal."""


def _tax(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Tax | None:
    if text is None:
        return None
    name, _, rate = text.rpartition("=")
    if not name or not rate.isdecimal():
        raise click.UsageError(f"{text!r} is not NAME=BASISPOINTS, as VAT=2100")
    return name, int(rate)


tax_option = click.option("--tax", callback=_tax, metavar="NAME=BP", help="Of the new lines, as VAT=2100.")


# -- drafting ---------------------------------------------------------------------------------------------------------


@proposal.command()
@click.argument("deal")
@fields_argument
@click.option("--empty", is_flag=True, help="Without the lines of the deal.")
@tax_option
@on_desk
def draft(desk: Desk, deal: str, values: tuple[str, ...], *, empty: bool, tax: Tax | None) -> None:
    """Begin a proposal of a deal, with the deal's lines; prints its key."""
    found = desk.device()
    key = find(found, "deals", deal)
    click.echo(drafting.draft(found, key, fields_of(PROPOSALS, values), tax=tax, lines=not empty))


@proposal.command("add-line")
@proposal_argument
@fields_argument
@click.option("--product", help="Its name, unit and list price are taken, unless others are said.")
@tax_option
@on_desk
def add_line(desk: Desk, proposal: str, values: tuple[str, ...], product: str | None, tax: Tax | None) -> None:
    """Add a line; prints its key. `sfa device edit proposal_lines` changes it."""
    found = desk.device()
    said = fields_of(LINES, values)
    if product is not None:
        said["product_key"] = find(found, "products", product)
    click.echo(drafting.add_line(found, find(found, PROPOSALS, proposal), said, tax))


@proposal.command()
@proposal_argument
@fields_argument
@on_desk
def resend(desk: Desk, proposal: str, values: tuple[str, ...]) -> None:
    """Send again all that was refused of a proposal, with other fields of it where they are said."""
    found = desk.device()
    kept = {problem.key: problem for problem in proposals.refused(found) if problem.entity == PROPOSALS}
    key = proposal if proposal in kept else find(found, PROPOSALS, proposal)
    numbers = drafting.resend(found, key, fields_of(PROPOSALS, values))
    click.echo(f"{len(numbers)} changes are queued again")


# -- its way to the customer ------------------------------------------------------------------------------------------


@proposal.command()
@proposal_argument
@on_desk
def submit(desk: Desk, proposal: str) -> None:
    """Ask for the approval that it needs; where it needs none it is approved."""
    run(desk, "proposal.submit", PROPOSALS, proposal, {})


@proposal.command()
@proposal_argument
@click.option("--text", help="What its author is told.")
@on_desk
def approve(desk: Desk, proposal: str, text: str | None) -> None:
    """Approve a proposal as it was submitted when this device heard of it: of another one that is refused."""
    found = desk.device()
    key = find(found, PROPOSALS, proposal)
    said = {"submitted_at": found.list(PROPOSALS)[key]["submitted_at"], "text": text}
    run(desk, "proposal.approve", PROPOSALS, key, said)


@proposal.command()
@proposal_argument
@click.argument("text")
@on_desk
def reject(desk: Desk, proposal: str, text: str) -> None:
    """Give it back to its author, with the reason."""
    run(desk, "proposal.reject", PROPOSALS, proposal, {"text": text})


@proposal.command()
@proposal_argument
@on_desk
def render(desk: Desk, proposal: str) -> None:
    """Ask for a PDF: of a draft as it stands, or of what was sent."""
    run(desk, "proposal.render", PROPOSALS, proposal, {})


@proposal.command()
@proposal_argument
@on_desk
def send(desk: Desk, proposal: str) -> None:
    """Ask that it be sent as this device shows it: the server gives it its number and freezes it."""
    found = desk.device()
    sending.send(found, find(found, PROPOSALS, proposal))


@proposal.command()
@proposal_argument
@click.option("--reason")
@on_desk
def withdraw(desk: Desk, proposal: str, reason: str | None) -> None:
    """What was sent is offered no more."""
    found = desk.device()
    sending.withdraw(found, find(found, PROPOSALS, proposal), reason)


@proposal.command()
@proposal_argument
@on_desk
def revise(desk: Desk, proposal: str) -> None:
    """Change what was sent: with the next sending it is a new version."""
    run(desk, "proposal.revise", PROPOSALS, proposal, {})


# -- looking ----------------------------------------------------------------------------------------------------------


@proposal.command("list")
@as_json
@on_desk
def list_(desk: Desk, is_json: bool) -> None:
    """Proposals with their totals, the queue included."""
    rows: dict[str, dict[str, Any]] = {}
    for key, told in proposals.listed(desk.device()).items():
        rows[key] = msgspec.structs.asdict(told) if is_json else _in_list(told)
    show_rows("proposals shown", rows, set(), is_json=is_json)


def _in_list(told: proposals.Listed) -> dict[str, Any]:
    row = msgspec.structs.asdict(told)
    total = format_minor(told.total_minor, told.currency) if told.total_minor is not None else None
    return row | {"total": total, "waiting": ", ".join(told.waiting) or None, "refused": told.refused or None}


@proposal.command("show")
@proposal_argument
@as_json
@on_desk
def show(desk: Desk, proposal: str, is_json: bool) -> None:
    """Lines, totals and what is due, judged by the guides and limits that this device holds."""
    found = desk.device()
    key = find(found, PROPOSALS, proposal)
    told = proposals.shown(found, key)
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
        return
    number = f"number {told.number}, " if told.number is not None else ""
    click.echo(f"{told.title} ({number}version {told.version}, {told.status})")
    offered = {line.key: line for line in proposals.offer(found, key).lines}
    rows = {line.key: _line(line, offered[line.key], told.currency) for line in told.lines}
    show_rows("offered lines", rows, set(), is_json=False)
    if told.priced is not None:
        _totals(told.priced)
    _standing(told)


def _line(line: LineShown, offered: Line, currency: str) -> dict[str, Any]:
    amounts = line.amounts
    return {
        "name": line.name,
        "quantity": offered.quantity,
        "price": format_minor(offered.unit_price_minor, currency),
        "discount": format_minor(amounts.discount_minor, currency) if amounts is not None else None,
        "amount": format_minor(amounts.amount_minor, currency) if amounts is not None else None,
        "tax": f"{offered.tax.name} {format_minor(offered.tax.rate_bp, 'EUR')} %" if offered.tax is not None else None,
        "of_list_bp": line.price_bp,
        "verdict": line.verdict,
        "approval": (line.approval.role or line.approval.code) if line.approval is not None else None,
        "counts": amounts.counts if amounts is not None else None,
    }


def _totals(priced: Priced) -> None:
    def told(name: str, minor: int) -> None:
        click.echo(f"{name:<24}{format_minor(minor, priced.currency):>16} {priced.currency}")

    told("subtotal", priced.subtotal_minor)
    if priced.discount_minor:
        told("discount", -priced.discount_minor)
    for group in priced.taxes:
        if group.name:
            told(f"{group.name} {format_minor(group.rate_bp, 'EUR')} %", group.tax_minor)
    told("total", priced.total_minor)
    for due in priced.dues:
        told(f"{due.kind} in {due.due_days} days" if due.due_days else f"{due.kind} on acceptance", due.amount_minor)


def _standing(told: Shown) -> None:
    is_open = told.status in (DRAFT, *AGAIN_DRAFT)  # what was sent needs no approval any more
    if told.needs and is_open:
        click.echo(f"needs the approval of: {', '.join(told.needs)}")
    elif told.approval is not None and is_open:
        click.echo(f"by its discounts it needs the approval of: {told.approval}")
    if told.status == ACCEPTED:
        click.echo("that is what was offered; what was accepted of it: sfa device proposal follow")
    if told.waiting:
        click.echo(f"not sent yet: {', '.join(told.waiting)}")
    for problem in told.problems:
        click.echo(f"{problem.text} ({problem.code})")
    if told.pdf is not None:
        click.echo("the PDF is there: sfa device proposal pdf")
    elif told.render_state is not None:
        click.echo(f"the PDF is {told.render_state}")


@proposal.command("choose")
@proposal_argument
@click.option("--take", multiple=True, metavar="LINE", help="An option, or one of a group.")
@click.option("--leave", multiple=True, metavar="LINE", help="An option.")
@click.option("--quantity", "quantities", multiple=True, metavar="LINE=QUANTITY")
@on_desk
def choose_(
    desk: Desk, proposal: str, take: tuple[str, ...], leave: tuple[str, ...], quantities: tuple[str, ...]
) -> None:
    """Say what it would come to if the customer chose so, and change nothing."""
    found = desk.device()
    offered = proposals.offer(found, find(found, PROPOSALS, proposal))
    wanted = {_choice(found, offered, line): True for line in take}
    wanted |= {_choice(found, offered, line): False for line in leave}
    many = {}
    for text in quantities:
        line, separator, quantity = text.rpartition("=")
        if not separator:
            raise click.UsageError(f"{text!r} is not LINE=QUANTITY")
        many[_choice(found, offered, line)] = quantity
    _totals(price(choose(offered, Choices(wanted, many))))


def _choice(found: Device, offered: Offer, text: str) -> str:
    """The line of this proposal that is meant; others may have lines of the same name."""
    names = {line.key: (found.get(LINES, line.key) or {}).get("name", "") for line in offered.lines}
    meant = [key for key, name in names.items() if text in (key, name)] or [k for k in names if k.endswith(text)]
    if len(meant) != 1:
        raise Refused("row_unknown", f"{len(meant)} lines of this proposal are meant by {text!r}")
    return meant[0]


@proposal.command()
@as_json
@on_desk
def refused(desk: Desk, is_json: bool) -> None:
    """What the server did not take of proposals, and why; it is kept until it is sent again or dismissed."""
    rows = {problem.refusal or "": _problem(problem) for problem in proposals.refused(desk.device())}
    show_rows("refused changes", rows, set(), is_json=is_json)


def _problem(problem: Problem) -> dict[str, Any]:
    return {"entity": problem.entity, "row": problem.key, "code": problem.code, "text": problem.text}


@proposal.command()
@proposal_argument
@click.argument("path", type=click.Path(path_type=Path))
@on_desk
def pdf(desk: Desk, proposal: str, path: Path) -> None:
    """Bring the PDF to PATH, or to its own name in that folder."""
    found = desk.device()
    told = proposals.shown(found, find(found, PROPOSALS, proposal))
    if told.pdf is None:
        raise Refused("file_awaited", f"the PDF is not there yet: {told.render_state or 'nobody asked for it'}")
    click.echo(f"{fetched(found, told.pdf, path)}")
