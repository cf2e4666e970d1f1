"""A proposal of the company of `tests.builders`: three pumps of 100.00 for Acme, by its rep; limits and a template."""

from typing import Any

from sqlalchemy import select

from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.rows import offer_of
from sfa.db.tables import proposal_approvals, proposal_series, proposal_versions
from sync.protocol import Receipt
from tests.office import Office, Phone

SINCE = {"valid_from": "2025-01-01"}
TEMPLATE: dict[str, Any] = {
    "name": "House",
    "layout": "classic",
    "seller": {"name": "Company S.L.", "address": ["Gran Via 1", "48001 Bilbao"], "tax_id": "B-1"},
    "brand": {"primary": "#102030", "footer": "Since 1999"},
    "texts": {"en": {"terms": "Paid in 30 days."}, "es": {"terms": "Pago a 30 días."}},
    "number_prefix": "Q",
}
PROPOSAL: dict[str, Any] = {"deal_key": "deal-a", "title": "Pumps for Acme", "currency": "EUR", "template_key": "house"}
LINE: dict[str, Any] = {"product_key": "pump", "name": "Pump", "quantity": "3", "unit_price_minor": 100_00}


def limits(office: Office, **said: int) -> None:
    """How far each role may go below the list, in basis points."""
    rows = ((role, {"role": role, "limit_bp": limit, **SINCE}) for role, limit in said.items())
    office.put(*(("discount_limits", f"limit-{role}", row) for role, row in rows))


def floors(office: Office, **said: int) -> None:
    """Down to which margin each role may go."""
    rows = ((role, {"role": role, "floor_bp": floor, **SINCE}) for role, floor in said.items())
    office.put(*(("margin_floors", f"floor-{role}", row) for role, row in rows))


def template(office: Office) -> None:
    office.put(("proposal_templates", "house", TEMPLATE))


def offered(
    office: Office, key: str = "p1", discount_bp: int = 0, line: dict[str, Any] | None = None, **said: Any
) -> Phone:
    """A draft of Ana's with one line, made on her phone; -> that phone."""
    if office.find("proposal_templates", "house") is None:
        template(office)
    ana = office.phone("ana")
    discounts = [{"share_bp": discount_bp}] if discount_bp else []
    values = {**LINE, "proposal_key": key, "discounts": discounts, **(line or {})}
    receipts = ana.push(
        ana.mutation("create", "proposals", key, set={**PROPOSAL, **said}),
        ana.mutation("create", "proposal_lines", f"{key}-1", set=values),
    ).receipts
    assert [receipt.outcome for receipt in receipts] == ["applied", "applied"], receipts
    return ana


def total(office: Office, key: str = "p1") -> int:
    """What the proposal comes to by its rows, as a screen shows it; 0 where it has no price."""
    row = office.row("proposals", key)
    lines = {line["key"]: line for line in office.rows("proposal_lines") if line["proposal_key"] == key}
    try:
        return price(offer_of(row, {name: line for name, line in lines.items() if not line["gone"]})).total_minor
    except Refused:
        return 0


def seen(office: Office, act: str, key: str = "p1") -> dict[str, Any]:
    """What a command says of the version that is seen now: the one that was sent, or the next one."""
    row = office.row("proposals", key) if office.find("proposals", key) else {"version": 0, "status": "draft"}
    if act == "withdraw":
        return {"version": row["version"] or 1}
    if act != "send":
        return {}
    is_sent = row["status"] in ("sent", "viewed")
    return {"version": row["version"] + (not is_sent), "total_minor": total(office, key)}


def order(phone: Phone, act: str, key: str = "p1", **arguments: Any) -> Receipt:
    """A command on a proposal, from a phone that shows it as it stands; approved is what was submitted last."""
    arguments = {**seen(phone.office, act, key), **arguments}
    if act == "approve" and "values" not in arguments:
        arguments = {"submitted_at": phone.office.row("proposals", key)["submitted_at"] or 0, **arguments}
    return phone.do(f"proposal.{act}", "proposals", key, base=phone.office.rev("proposals", key), set=arguments)


def versions(office: Office, key: str = "p1") -> list[dict[str, Any]]:
    v = proposal_versions
    return office.all(select(v).where(v.c.proposal_key == key).order_by(v.c.version))


def steps(office: Office, key: str = "p1") -> list[tuple[str, str | None, str]]:
    a = proposal_approvals
    rows = office.all(select(a).where(a.c.proposal_key == key).order_by(a.c.step))
    return [(row["kind"], row["user_key"], row["role"]) for row in rows]


def given(office: Office) -> dict[str, int]:
    """series -> its last number."""
    return {row["name"]: row["last"] for row in office.all(select(proposal_series))}
