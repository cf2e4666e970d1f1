"""`sfa device …`: what was spent and worked for a customer or a deal, and offers, without signal."""

from pathlib import Path
from typing import Any, get_args, get_type_hints

import click

from sfa.app.cli_device import Desk, as_json, device, on_desk, run
from sfa.app.cli_device_tables import show_rows
from sfa.app.cli_device_words import find
from sfa.core.days import check_day, local_day
from sfa.core.entities.costing import Expense, WorkEntry
from sfa.core.errors import Refused
from sfa.core.money import format_minor, parse_minor
from sync.device import Device
from sync.device.visits import zone_of_company


def _kinds(entity: type) -> list[str]:
    """The kinds that a field's pattern names."""
    (pattern,) = (meta.pattern for meta in get_args(get_type_hints(entity, include_extras=True)["kind"])[1:])
    return str(pattern).removeprefix("^(").removesuffix(r")\Z").split("|")


EXPENSES, WORK = [kind for kind in _kinds(Expense) if kind != "sample"], _kinds(WorkEntry)
PLACES = {"account": "accounts", "deal": "deals", "visit": "visits"}

for_account = click.option("--account", help="The customer; that of the deal or visit without it.")
for_deal = click.option("--deal", help="Without it, the customer's open deals of the day share it.")
for_visit = click.option("--visit", help="The visit on which it was spent.")
on_day = click.option("--on", "day", help="As 2026-01-31; today by default.")
text_option = click.option("--text", help="What it was for.")
receipt_option = click.option(
    "--receipt", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A photo or file of the receipt."
)


@device.command()
@click.argument("kind", type=click.Choice(EXPENSES))
@click.argument("amount")
@click.option("--currency", help="The organisation's by default.")
@for_account
@for_deal
@for_visit
@on_day
@text_option
@receipt_option
@on_desk
def expense(
    desk: Desk,
    /,
    kind: str,
    amount: str,
    currency: str | None,
    day: str | None,
    text: str | None,
    receipt: Path | None,
    **places: str | None,
) -> None:
    """Write down what was spent on a customer or deal, as 12.50, with its receipt."""
    found = desk.device()
    said = {"kind": kind, "spent_on": _day(desk, found, day), **_places(found, places)}
    code = currency or _currency(found)
    said |= {"amount_minor": parse_minor(amount, code), "currency": code}
    _spend(desk, found, said, text, receipt)


@device.command()
@click.argument("product")
@click.argument("quantity", default="1")
@for_account
@for_deal
@for_visit
@on_day
@text_option
@on_desk
def sample(desk: Desk, /, product: str, quantity: str, day: str | None, text: str | None, **places: str | None) -> None:
    """Write down a sample that was left: it costs what its product costs on that day."""
    found = desk.device()
    said = {"kind": "sample", "spent_on": _day(desk, found, day), **_places(found, places)}
    _spend(desk, found, {**said, "product_key": find(found, "products", product), "quantity": quantity}, text, None)


@device.command()
@click.argument("minutes", type=click.IntRange(1, 1440))
@click.argument("kind", type=click.Choice(WORK), default="proposal")
@for_account
@for_deal
@on_day
@text_option
@on_desk
def work(desk: Desk, /, minutes: int, kind: str, day: str | None, text: str | None, **places: str | None) -> None:
    """Write down work for a customer or deal that was no visit."""
    found = desk.device()
    said = {"minutes": minutes, "kind": kind, "done_on": _day(desk, found, day), **_places(found, places)}
    click.echo(found.create("work_entries", {**said, **({"text": text} if text is not None else {})}))


@device.command()
@click.option("--from", "first", help="A day; all of them without it.")
@click.option("--until", help="The day after the last one.")
@as_json
@on_desk
def spent(desk: Desk, first: str | None, until: str | None, is_json: bool) -> None:
    """The own expenses of some days, and what they come to in each currency."""
    found = desk.device()
    low, high = check_day(first) if first else "", check_day(until) if until else "9999"
    person = found.store.state().user
    mine = {
        key: row
        for key, row in found.list("expenses").items()
        if person is not None and row["owner_key"] == person.key and low <= row["spent_on"] < high
    }
    ordered = dict(sorted(mine.items(), key=lambda item: (item[1]["spent_on"], item[0])))
    show_rows("expenses", ordered, set(), is_json=is_json)
    if not is_json:
        sums: dict[str, int] = {}
        for row in ordered.values():
            if row["amount_minor"] is not None:
                sums[row["currency"]] = sums.get(row["currency"], 0) + row["amount_minor"]
        for code, amount in sorted(sums.items()):
            click.echo(f"{format_minor(amount, code)} {code}")


@device.command()
@click.argument("deal")
@on_desk
def quote(desk: Desk, deal: str) -> None:
    """Say that a deal is offered as it stands: the server keeps prices and costs of the day on which it lands."""
    run(desk, "deal.quote", "deals", deal, {})


def _spend(desk: Desk, found: Device, said: dict[str, Any], text: str | None, receipt: Path | None) -> None:
    if text is not None:
        said["text"] = text
    if receipt is None:
        click.echo(found.create("expenses", said))
        return
    entity, key = _hangs_on(said)
    values = {"kind": "receipt", "name": receipt.name, "taken_at": desk.clock.now_ms()}
    with found.unit():  # no receipt is kept of an expense that is refused, here or by the server
        said["receipt_key"] = found.attach(entity, key, receipt, values)
        made = found.create("expenses", said)
    click.echo(made)


def _hangs_on(said: dict[str, Any]) -> tuple[str, str]:
    """Where a receipt is kept: with the visit, the deal or the customer."""
    for name in ("visit", "deal", "account"):
        if said.get(f"{name}_key") is not None:
            return PLACES[name], said[f"{name}_key"]
    raise Refused("field_required", "a receipt hangs on a customer, deal or visit: say which", fields=["account_key"])


def _places(found: Device, places: dict[str, str | None]) -> dict[str, Any]:
    """The keys of what was named."""
    return {f"{name}_key": find(found, PLACES[name], text) for name, text in places.items() if text is not None}


def _day(desk: Desk, found: Device, day: str | None) -> str:
    return check_day(day) if day is not None else local_day(desk.clock.now_ms(), zone_of_company(found))


def _currency(found: Device) -> str:
    rows = found.list("organisations")
    return str(rows[min(rows)]["currency"]) if rows else "EUR"
