"""`sfa device …`: what a deal's prices are worth, and what others would do, without signal."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.app.cli_device_tables import show_rows
from sfa.app.cli_device_words import find
from sfa.core.errors import Refused
from sfa.core.money import format_minor
from sfa.profit.price.limits import Approval
from sfa.profit.price.whatif import Changes
from sync.device import Device, pricing, whatif
from sync.device.whatif import OwnWhatIf

NOT_SAID = "-"


@device.command()
@click.argument("deal")
@as_json
@on_desk
def price(desk: Desk, deal: str, is_json: bool) -> None:
    """Judge each line of a deal against the company's price guides, and say who must approve it."""
    found = desk.device()
    rows = {}
    for line in pricing.priced(found, find(found, "deals", deal)):
        guide = line.guide
        rows[line.key] = {
            "product": (found.get("products", line.product_key) or {}).get("name", line.product_key),
            "quantity": line.quantity,
            "price_bp": line.price_bp,
            "verdict": line.verdict,
            "target_bp": guide.target_bp if guide else None,
            "norm_bp": guide.norm_bp if guide else None,
            "floor_bp": guide.floor_bp if guide else None,
            "of": f"{guide.family or '*'} {guide.segment or '*'} from {guide.quantity_from}" if guide else None,
            "approval": line.approval.role or line.approval.code,
        }
    show_rows("priced lines", rows, set(), is_json=is_json)


@device.command("what-if")
@click.argument("deal")
@click.option("--price", "prices", multiple=True, metavar="LINE=MINOR", help="Another unit price, in minor units.")
@click.option("--quantity", "quantities", multiple=True, metavar="LINE=QUANTITY")
@click.option("--discount", "discounts", multiple=True, metavar="LINE=BP", help="Another discount, in basis points.")
@click.option("--payment-days", type=int)
@click.option("--visits-per-month", metavar="DECIMAL")
@click.option("--minutes-per-visit", type=int)
@click.option("--months", type=int, help="For how long these visits are made.")
@as_json
@on_desk
def what_if(desk: Desk, /, deal: str, is_json: bool, **wished: Any) -> None:
    """Say what other prices, quantities, terms or visits would do, and change nothing."""
    found = desk.device()
    told = whatif.what_if(found, find(found, "deals", deal), _changes(found, wished))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
    else:
        _show(told)


def _changes(found: Device, wished: dict[str, Any]) -> Changes:
    lines: dict[str, dict[str, Any]] = {}
    for option, field in (("prices", "unit_price_minor"), ("quantities", "quantity"), ("discounts", "discount_bp")):
        for text in wished.pop(option):
            line, separator, value = text.partition("=")
            if not separator:
                raise click.UsageError(f"{text!r} is not LINE=VALUE")
            said: Any = value if field == "quantity" else _whole(value)
            lines.setdefault(find(found, "deal_lines", line), {})[field] = said
    other = {name: value for name, value in wished.items() if value is not None}
    try:
        return msgspec.convert({"lines": lines, **other}, Changes)
    except msgspec.ValidationError as error:
        raise Refused("field_invalid", str(error)) from None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is not a whole number") from None


def _show(told: OwnWhatIf) -> None:
    sides = (told.compared.before, told.compared.after)
    rows: dict[str, Mapping[str, Any]] = {}
    for place, total in enumerate(sides[0].waterfall.totals):
        before, after = (side.waterfall.totals[place] for side in sides)
        money = (_money(amount, told.currency) for amount in (before.amount_minor, after.amount_minor))
        rows[total.total] = dict(zip(("before", "after"), money, strict=True)) | {"code": after.code}
    for quota in told.quotas:
        money = (_money(amount, quota.currency or told.currency) for amount in (quota.before, quota.after))
        rows[f"quota {quota.period_key}"] = dict(zip(("before", "after"), money, strict=True)) | {"code": quota.code}
    for before_, after_ in zip(sides[0].commission, sides[1].commission, strict=True):
        money = (_money(paid.amount_minor, paid.currency) for paid in (before_, after_))
        rows[f"commission {after_.plan_key}"] = dict(zip(("before", "after"), money, strict=True)) | {
            "code": after_.code
        }
    show_rows("what if", rows, set(), is_json=False)
    click.echo(f"approval: {_approvals(sides[0].approvals)} before, {_approvals(sides[1].approvals)} after")
    if told.partial:
        click.echo("costs are not on this device, so all that follows from them is left out (not_permitted)")


def _approvals(found: Sequence[Approval]) -> str:
    needed = sorted({each.role or each.code or "" for each in found if each.needed})
    return ", ".join(needed) if needed else "none"


def _money(minor: int | None, currency: str | None) -> str:
    return NOT_SAID if minor is None or currency is None else format_minor(minor, currency)
