"""`sfa device …`: what a deal's prices are worth, without signal."""

import click

from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.app.cli_device_tables import show_rows
from sfa.app.cli_device_words import find
from sync.device import pricing


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
