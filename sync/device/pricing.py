"""What a device says of a deal's prices by itself: each line against the guides that it holds, and who must approve.

The rules are those of the server (`guides` and `limits` of `sfa.profit.price`), over the rows of this device with its
own queue on top; no cost is needed, and none is here (R45).
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.profit.dated import costs_of, price_on
from sfa.profit.price import limits
from sfa.profit.price.given import rounded_unit, unit_of
from sfa.profit.price.guides import Found, Guides, verdict
from sfa.profit.price.limits import Approval
from sfa.profit.price.list_prices import in_deal, of_list_bp, scaled_price
from sfa.profit.price.whatif import Unit
from sfa.quotas import held
from sync.device.client import Device
from sync.device.visits import zone_of_company


class LineJudged(Struct, frozen=True):
    """`list_minor` is of one unit in the deal's currency, null where there is no list price on that day, or none that
    converts."""

    key: str
    product_key: str
    quantity: str
    list_minor: int | None
    price_bp: int | None
    verdict: str
    guide: Found | None
    approval: Approval


class Judge:
    """Guides, limits and list prices of a device, read once; `day` is that on which the deal is priced."""

    def __init__(self, device: Device, key: str) -> None:
        deal = device.get("deals", key)
        if deal is None:
            raise Refused("row_unknown", f"there is no deals row {key!r} on this device", entity="deals", key=key)
        self.deal: dict[str, Any] = deal
        at = deal["closed_at"] if deal["closed_at"] is not None else device.clock.now_ms()
        self.at, zone = at, zone_of_company(device)
        self.day = local_day(at, zone)
        self.account = device.get("accounts", deal["account_key"]) if deal["account_key"] is not None else None
        self.lines = device.list("deal_lines", {"deal_key": key})
        self.products = device.list("products")
        self.prices = costs_of(device.list("prices").items())
        self.exchange = held.exchange_of(device.list("rates"), zone)
        totals = [(line["quantity"], scaled_price(line)) for line in self.lines.values()]
        self.part = in_deal(deal["amount_minor"], totals)
        self.guides = Guides(device.list("price_guides"))
        self.limits = list(device.list("discount_limits").values())
        self.role = str((device.get("users", deal["owner_key"]) or {}).get("role", "rep"))

    def family(self, product: str) -> str | None:
        return (self.products.get(product) or {}).get("family") or None

    def line(self, key: str, line: Mapping[str, Any]) -> LineJudged:
        product, quantity = line["product_key"], line["quantity"]
        listed, scaled = self._listed(product), scaled_price(line) * self.part
        family, account = self.family(product), self.account or {}
        guide = self.guides.of(family, account.get("industry"), account.get("tier"), quantity)
        exact = listed.exact if listed is not None else None
        price_bp = of_list_bp(scaled, exact)
        allowed = limits.limits_of(self.limits, family, self.day)
        needs = limits.approval(key, scaled, exact, allowed, self.role)
        told = rounded_unit(listed)
        return LineJudged(key, product, quantity, told, price_bp, verdict(price_bp, guide), guide, needs)

    def _listed(self, product: str) -> Unit | None:
        price, currency = price_on(self.prices.get(product, ()), self.deal["currency"], self.day), self.deal["currency"]
        found = unit_of(price, currency, self.exchange, self.at) if currency is not None else None
        return found if isinstance(found, Unit) else None


def priced(device: Device, key: str) -> list[LineJudged]:
    """Every line of a deal, in its order."""
    judge = Judge(device, key)
    ordered = sorted(judge.lines.items(), key=lambda item: (item[1]["position"], item[0]))
    return [judge.line(line, row) for line, row in ordered]
