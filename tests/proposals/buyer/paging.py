"""A proposal that was sent, a link to it, and a visitor at the page."""

import json
import re
from pathlib import Path
from typing import Any

import proposals
from proposals.buyer import links
from proposals.buyer.links import Link
from sfa.app.factory import Services
from tests.crm.desk import Desk
from tests.office import Office
from tests.proposals.selling import LINE, TEMPLATE, offered, order

INES = {"name": "Inés Caballero", "email": "ines@acme.example", "role": "signer"}


class Visitor:
    """Who has a link, and no login."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk, self.token = desk, token

    def get(self, path: str = "", **more: Any) -> Any:
        return self.desk.client.get(f"/p/{self.token}{path}", follow_redirects=False, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.desk.client.post(f"/p/{self.token}{path}", data=data, follow_redirects=False, **more)


def linked(desk: Desk, recipient: str | None = None, kind: str = "buyer", key: str = "p1", version: int = 1) -> Visitor:
    """A link as the mailer makes one."""
    services: Services = desk.client.app.state.services
    made = f"link-{key}-{version}-{recipient}-{kind}"
    link = Link(
        link_key=made,
        proposal_key=key,
        version=version,
        recipient_key=recipient,
        kind=kind,
        made_at=desk.office.clock.now_ms(),
    )
    return Visitor(desk, desk.office.database.write(links.make, services.secret.derive(links.PURPOSE), link))


def deal(office: Office, key: str) -> str:
    """One of its own for a proposal, so that answers do not meet each other; -> its key."""
    values = {"owner_key": "ana", "account_key": "acme", "stage_key": "lead", "amount_minor": 1, "currency": "EUR"}
    office.put(("deals", f"deal-{key}", {"name": "Pumps", **values}))
    return f"deal-{key}"


def sent(desk: Desk, key: str = "p1", line: dict[str, Any] | None = None, **said: Any) -> Visitor:
    """Pumps for Acme in a deal of their own, for one signer; -> she who has the link."""
    office = desk.office
    phone = offered(office, key, line=line, **{"deal_key": deal(office, key), **said})
    extra = {**LINE, "proposal_key": key, "name": "Valve", "position": 1, "optional": True, "chosen": False}
    office.put(
        ("proposal_lines", f"{key}-2", {**extra, "quantity": "1", "unit_price_minor": 40_00}),
        ("proposal_lines", f"{key}-3", {**extra, "quantity_min": "2", "quantity_max": "8", "quantity": "2"}),
        ("proposal_recipients", f"{key}-ines", {"proposal_key": key, **INES}),
    )
    receipt = order(phone, "send", key)
    assert receipt.outcome == "applied", receipt
    return linked(desk, f"{key}-ines", key=key)


def form_of(page: str) -> dict[str, Any]:
    """What a browser without scripts sends by the form of an answer, with the name and the tick of a buyer."""
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    ticked = re.findall(r'name="take" value="([^"]+)" checked', page)
    numbers = re.findall(r'name="(quantity\.[^"]+)" value="([^"]+)"', page)
    return {**dict(hidden), **dict(numbers), "take": ticked, "name": "Inés Caballero", "consent": "yes"}


SAMPLE = json.loads((Path(proposals.__file__).parent / "sample.json").read_text("utf-8"))
BRAND = {"primary": "#12524a", "accent": "#a8480f", "footer": "Registered in Bilbao, BI-1"}


def solar(office: Office, key: str, signers: tuple[str, ...] = ("Inés Caballero",), **said: Any) -> None:
    """A long offer with all that a page can show: sections, options, alternatives, quantities, a plan of payment."""
    template = {**TEMPLATE, "brand": BRAND, "seller": SAMPLE["seller"]}
    template["seller"] = {name: value for name, value in template["seller"].items() if name not in ("person", "title")}
    office.put(
        ("contacts", "ines", {"account_key": "acme", "name": "Inés Caballero", "title": "Head of Operations"}),
        ("proposal_templates", "solar", {**template, "texts": {"en": {"terms": TERMS, "closing": "Thank you."}}}),
    )
    names = ("title", "language", "currency", "discounts", "deposit", "instalments", "summary", "sections")
    row = {
        "deal_key": deal(office, key),
        "template_key": "solar",
        "contact_key": "ines",
        **{n: SAMPLE[n] for n in names},
    }
    phone = office.phone("ana")
    made = [phone.mutation("create", "proposals", key, set={**row, **said})]
    for place, line in enumerate(SAMPLE["lines"]):
        made.append(phone.mutation("create", "proposal_lines", f"{key}-{line['key']}", set=_line(key, place, line)))
    for place, name in enumerate(signers):
        who = {"proposal_key": key, "name": name, "email": f"{place}@acme.example", "role": "signer", "position": place}
        made.append(phone.mutation("create", "proposal_recipients", f"{key}-r{place}", set=who))
    receipts = phone.push(*made).receipts
    assert {receipt.outcome for receipt in receipts} == {"applied"}, receipts
    receipt = order(phone, "send", key)
    assert receipt.outcome == "applied", receipt


TERMS = """1. **Delivery.** Material arrives within six weeks of the deposit.
2. **Warranty.** Ten years on workmanship, 25 years on the yield of the modules.
3. **Your part.** Access to roof and main switch room, and the owner's permits."""


def _line(key: str, place: int, line: dict[str, Any]) -> dict[str, Any]:
    tax = line.get("tax") or {"name": None, "rate_bp": None}
    same = ("name", "text", "unit", "quantity", "unit_price_minor", "discounts", "optional")
    limits = ("quantity_min", "quantity_max", "quantity_step")
    said = {name: line[name] for name in (*same, *limits) if name in line}
    chosen = line.get("chosen", True)
    where = {"proposal_key": key, "position": place, "section_key": line.get("section"), "group_key": line.get("group")}
    return {**said, **where, "chosen": chosen, "tax_name": tax["name"], "tax_rate_bp": tax["rate_bp"]}
