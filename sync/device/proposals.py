"""Proposals as a device shows them: priced and judged without signal, by the rules of the server (R33-R35, R44, R53).

Totals are those of `sfa.core.pricing.price` over the rows that the device holds with its own queue on top; prices,
guides and discount limits are those that it holds. No cost is needed and none is here (R45): whom margins ask for, the
server says when a proposal is submitted. Number, status and PDF come back by sync; the PDF is a file like any other.
"""

from collections.abc import Mapping, Sequence, Set
from fractions import Fraction
from typing import Any

from msgspec import Struct

from sfa.core.days import local_day
from sfa.core.errors import Refused
from sfa.core.money import BP_WHOLE
from sfa.core.pricing import price
from sfa.core.pricing.rows import in_order, offer_of
from sfa.core.pricing.units import unit_prices
from sfa.core.pricing.values import Offer, Priced, PricedLine
from sfa.profit.dated import costs_of, price_on
from sfa.profit.price import offer_limits
from sfa.profit.price.given import rounded_unit, unit_of
from sfa.profit.price.guides import Found, Guides, verdict
from sfa.profit.price.limits import Approval, highest
from sfa.profit.price.list_prices import of_list_bp
from sfa.profit.price.offer_limits import approvals
from sfa.profit.price.whatif import Unit
from sfa.quotas import held
from sync.device.client import Device
from sync.device.outbox import Queued
from sync.device.visits import zone_of_company

PROPOSALS, LINES, RECIPIENTS, QUESTIONS = "proposals", "proposal_lines", "proposal_recipients", "proposal_questions"
DRAFT, AGAIN_DRAFT, ACCEPTED = "draft", ("in_approval", "approved"), "accepted"
EDITS = ("create", "update", "delete")
Row = Mapping[str, Any]


class Problem(Struct, frozen=True):
    """Why there is no price, or why the server did not take a change: `refusal` is the row that keeps it, `kind` what
    it was (create, update, delete, or a command)."""

    code: str
    text: str
    entity: str = PROPOSALS
    key: str = ""
    refusal: str | None = None
    kind: str | None = None


class LineShown(Struct, frozen=True):
    """A line in its order. `amounts` are null while the offer cannot be priced; `list_minor` and `price_bp` where there
    is no list price in the proposal's currency, or none that converts."""

    key: str
    name: str
    product_key: str | None
    amounts: PricedLine | None
    list_minor: int | None
    price_bp: int | None
    verdict: str
    guide: Found | None
    approval: Approval | None


class Listed(Struct, frozen=True):
    """A proposal in a list. `total_minor` is what it comes to, or what was accepted; null while it cannot be priced.
    `waiting` is what is queued about it."""

    title: str
    deal: str
    status: str
    number: str | None
    total_minor: int | None
    currency: str
    waiting: list[str]
    refused: int


class Shown(Struct, frozen=True):
    """What an app shows of a proposal. `approval` is the role that must approve it by its discounts (null: nobody), as
    far as this device can say; `needs` are the roles that the server names since it was submitted. `waiting` is what is
    queued about it, `refused` what the server did not take of it. `pdf` is the attachment, once the server has it."""

    key: str
    deal_key: str
    title: str
    status: str
    number: str | None
    version: int
    currency: str
    priced: Priced | None
    lines: list[LineShown]
    approval: str | None
    needs: list[str]
    problems: list[Problem]
    waiting: list[str]
    render_state: str | None
    pdf: str | None


# -- showing ----------------------------------------------------------------------------------------------------------


class Book:
    """List prices, guides and limits of this device for one currency today, read once."""

    def __init__(self, device: Device, currency: str) -> None:
        self.currency, self.at, zone = currency, device.clock.now_ms(), zone_of_company(device)
        self.day = local_day(self.at, zone)
        self.products = device.list("products")
        self.prices = costs_of(device.list("prices").items())
        self.exchange = held.exchange_of(device.list("rates"), zone)

    def family(self, product: str | None) -> str | None:
        return (self.products.get(product or "") or {}).get("family") or None

    def unit(self, product: str | None) -> Unit | None:
        """What one is listed for."""
        dated = price_on(self.prices.get(product or "", ()), self.currency, self.day)
        found = unit_of(dated, self.currency, self.exchange, self.at)
        return found if isinstance(found, Unit) else None

    def rounded(self, product: str) -> int | None:
        return rounded_unit(self.unit(product))


def offer(device: Device, key: str) -> Offer:
    """What is offered, as this device knows it; `price` says what it comes to, `choose` what a buyer makes of it."""
    return offer_of(the_row(device, key), device.list(LINES, {"proposal_key": key}))


def listed(device: Device, where: Row | None = None) -> dict[str, Listed]:
    """key -> a line of the list, by title; `where` names fields and the values they must have."""
    rows, lines = device.list(PROPOSALS, where), device.list(LINES)
    below: dict[str, dict[str, Row]] = {key: {} for key in rows}
    for key, line in lines.items():
        if line["proposal_key"] in below:
            below[line["proposal_key"]][key] = line
    deals, kept, pending = device.list("deals"), refused(device), device.pending()
    found = {}
    for key in sorted(rows, key=lambda key: (rows[key]["title"].casefold(), key)):
        row, mine = rows[key], {key, *below[key]}
        found[key] = Listed(
            title=row["title"],
            deal=(deals.get(row["deal_key"]) or {}).get("name", row["deal_key"]),
            status=_status(row, _waiting(pending, mine)),
            number=row["number"],
            total_minor=_accepted(row) or _total(offer_of(row, below[key])),
            currency=row["currency"],
            waiting=_waiting(pending, mine),
            refused=sum(problem.key in mine for problem in kept),
        )
    return found


def _accepted(row: Row) -> int | None:
    """What a buyer accepted, with the options that were taken."""
    outcome = row.get("outcome") or {}
    return outcome.get("total_minor") if row["status"] == ACCEPTED else None


def _total(offered: Offer) -> int | None:
    try:
        return price(offered).total_minor
    except Refused:
        return None


def _waiting(pending: Sequence[Queued], mine: Set[str]) -> list[str]:
    return [item.kind for item in pending if item.entity in (PROPOSALS, LINES) and item.key in mine]


def _status(row: Row, waiting: Sequence[str]) -> str:
    """What was changed since is a draft again, as it will be there."""
    is_changed = any(kind in EDITS for kind in waiting)
    return DRAFT if is_changed and row["status"] in AGAIN_DRAFT else str(row["status"])


def shown(device: Device, key: str) -> Shown:
    """Refuses `row_unknown` for a proposal that is not here; one that cannot be priced says why in `problems`."""
    row, lines = the_row(device, key), device.list(LINES, {"proposal_key": key})
    offered = offer_of(row, lines)
    problems, priced = refused(device, key), None
    try:
        priced = price(offered)
    except Refused as refusal:
        problems.insert(0, Problem(refusal.code, refusal.text, key=key))
    judge = _Judge(device, row, lines, offered, priced)
    found, waiting = [judge.line(line) for line in in_order(lines)], _waiting(device.pending(), {key, *lines})
    return Shown(
        key=key,
        deal_key=row["deal_key"],
        title=row["title"],
        status=_status(row, waiting),
        number=row["number"],
        version=row["version"],
        currency=row["currency"],
        priced=priced,
        lines=found,
        approval=highest([line.approval for line in found if line.approval is not None]),
        needs=list(row["needs"]),
        problems=problems,
        waiting=waiting,
        render_state=row["render_state"],
        pdf=stored_file(device, row["pdf_key"]),
    )


def stored_file(device: Device, key: str | None) -> str | None:
    """An attachment whose content the server has."""
    file = device.get("attachments", key) if key is not None else None
    return key if file is not None and file["stored"] else None


class _Judge:
    """Lines held against list prices, guides and limits; of an offer without a price only the list is told."""

    def __init__(
        self, device: Device, row: Row, lines: Mapping[str, Row], offered: Offer, priced: Priced | None
    ) -> None:
        self.lines, self.book = lines, Book(device, row["currency"])
        self.guides, self.customer = Guides(device.list("price_guides")), _customer(device, row)
        self.units = {key: self.book.unit(line["product_key"]) for key, line in lines.items()}
        self.amounts = {line.key: line for line in priced.lines} if priced is not None else {}
        self.sold: dict[str, Fraction] = {}
        self.needs: dict[str, Approval] = {}
        if priced is not None:
            role = str((device.get("users", row["author_key"]) or {}).get("role", "rep"))
            listed = {key: offer_limits.Listed(self._exact(key), self._family(key)) for key in lines}
            limits = device.list("discount_limits").values()
            self.sold = unit_prices(offered)
            self.needs = {each.line_key: each for each in approvals(offered, listed, limits, self.book.day, role)}

    def line(self, key: str) -> LineShown:
        line = self.lines[key]
        price_bp = of_list_bp(self.sold[key] * BP_WHOLE, self._exact(key)) if key in self.sold else None
        industry, tier = self.customer.get("industry"), self.customer.get("tier")
        guide = self.guides.of(self._family(key), industry, tier, line["quantity"])
        return LineShown(
            key=key,
            name=line["name"],
            product_key=line["product_key"],
            amounts=self.amounts.get(key),
            list_minor=rounded_unit(self.units[key]),
            price_bp=price_bp,
            verdict=verdict(price_bp, guide),
            guide=guide,
            approval=self.needs.get(key),
        )

    def _exact(self, key: str) -> Fraction | None:
        unit = self.units[key]
        return unit.exact if unit is not None else None

    def _family(self, key: str) -> str | None:
        return self.book.family(self.lines[key]["product_key"])


def _customer(device: Device, row: Row) -> Row:
    deal = device.get("deals", row["deal_key"]) or {}
    return device.get("accounts", deal["account_key"]) or {} if deal.get("account_key") is not None else {}


def refused(device: Device, key: str | None = None) -> list[Problem]:
    """What the server did not take of proposals (or of one), and what is kept of it: open refusals, as they came. A
    draft that was refused whole is found here alone; `sync.device.drafting.resend` sends it again."""
    latest: dict[str, tuple[str, Row]] = {}
    row: Row
    for refusal, row in sorted(device.refusals().items(), key=lambda item: (item[1]["created_at"] or 0, item[1]["n"])):
        if row["entity"] in (PROPOSALS, LINES, RECIPIENTS, QUESTIONS):
            latest[row["repairs_key"] or refusal] = (
                refusal,
                row,
            )  # a repair that was refused stands for what it repaired
    found = []
    for refusal, row in latest.values():
        content: Row = row["mutation"] if isinstance(row["mutation"], dict) else {}
        about = row["row_key"] if row["entity"] == PROPOSALS else _parent(device, row, content)
        if key in (None, about):
            found.append(Problem(row["code"], row["text"], row["entity"], row["row_key"], refusal, row["kind"]))
    return found


def _parent(device: Device, refusal: Row, content: Row) -> str:
    """The proposal that a row is of: as it stands here, or as its refused create said."""
    row = device.get(refusal["entity"], refusal["row_key"])
    return str(row["proposal_key"] if row is not None else content.get("set", {}).get("proposal_key", ""))


def the_row(device: Device, key: str) -> dict[str, Any]:
    """Of proposals; refuses `row_unknown`."""
    row = device.get(PROPOSALS, key)
    if row is None:
        raise Refused("row_unknown", f"there is no proposals row {key!r} on this device", entity=PROPOSALS, key=key)
    return row
