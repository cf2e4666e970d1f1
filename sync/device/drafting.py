"""Proposals are drafted on a device, and what was refused of them is sent again: without signal, as units (S19, S20).

The price of a line is the list price that the device holds, unless another one is said. What it all comes to, and what
the company would say of it, tells `sync.device.proposals`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sfa.core.errors import Refused
from sfa.core.pricing.rows import in_order
from sync.device import sending
from sync.device.client import Device
from sync.device.proposals import EDITS, LINES, PROPOSALS, Book, Problem, refused, the_row
from sync.protocol import UNIT_SIZE_MAX

Result = TypeVar("Result")
Row = Mapping[str, Any]


def draft(
    device: Device, deal: str, values: Row | None = None, *, tax: tuple[str, int] | None = None, lines: bool = True
) -> str:
    """Begin a proposal of a deal, with the deal's own lines unless told otherwise; it lands whole or not at all (S20),
    as far as a unit goes: lines beyond that follow in units of their own, and not without the proposal.
    -> its key. `values` are fields of proposals; title, currency, contact and payment are the deal's. A contact that
    this device does not hold, as its customer went to somebody else, is left out: the server would not take it."""
    row = device.get("deals", deal)
    if row is None:
        raise Refused("row_unknown", f"there is no deals row {deal!r} on this device", entity="deals", key=deal)
    said: dict[str, Any] = {"deal_key": deal, "title": row["name"], "currency": row["currency"] or _currency(device)}
    said["payment_days"] = row["payment_days"]
    said["contact_key"] = row["contact_key"] if device.get("contacts", row["contact_key"] or "") is not None else None
    below = device.list("deal_lines", {"deal_key": deal}) if lines else {}
    made, ordered = device.ids.new(), in_order(below)
    steps = [partial(device.create, PROPOSALS, {**said, **(values or {})}, made)]
    steps += [partial(_copied, device, made, below[key], tax) for key in ordered]
    _in_units(device, steps)
    return made


def _in_units(device: Device, steps: Sequence[Callable[[], Result]]) -> list[Result]:
    """All of them or none are queued, in units as large as the wire takes."""
    done: list[Result] = []
    with device.store.transaction():
        for first in range(0, len(steps), UNIT_SIZE_MAX):
            with device.unit():
                done += [step() for step in steps[first : first + UNIT_SIZE_MAX]]
    return done


def _copied(device: Device, proposal: str, line: Row, tax: tuple[str, int] | None) -> str:
    values = {name: line[name] for name in ("position", "quantity", "unit_price_minor")}
    if line["discount_bp"]:
        values["discounts"] = [{"share_bp": line["discount_bp"]}]
    said = {"proposal_key": proposal, **_of_product(device, line["product_key"]), **values, **_tax(tax)}
    return device.create(LINES, said)


def add_line(device: Device, proposal: str, values: Row, tax: tuple[str, int] | None = None) -> str:
    """Add a line at the end; -> its key. Of a product the name, unit and list price of today are taken, unless `values`
    say others. Refuses `field_required` where there is no price to take."""
    row = the_row(device, proposal)
    said = dict(values)
    product = said.get("product_key")
    if product is not None:
        said = {**_of_product(device, product), **said}
        if "unit_price_minor" not in said:
            listed = Book(device, row["currency"]).rounded(product)
            if listed is None:
                raise Refused("field_required", "this product has no list price: say one", field="unit_price_minor")
            said["unit_price_minor"] = listed
    others = device.list(LINES, {"proposal_key": proposal}).values()
    said.setdefault("position", max((line["position"] for line in others), default=-1) + 1)
    return device.create(LINES, {"proposal_key": proposal, **said, **_tax(tax)})


def _of_product(device: Device, key: str) -> dict[str, Any]:
    product = device.get("products", key) or {}
    unit = {"unit": product["unit"]} if "unit" in product else {}
    return {"product_key": key, "name": product.get("name", key), **unit}


def _tax(tax: tuple[str, int] | None) -> dict[str, Any]:
    return {"tax_name": tax[0], "tax_rate_bp": tax[1]} if tax is not None else {}


def _currency(device: Device) -> str:
    rows = device.list("organisations")
    return str(rows[min(rows)]["currency"]) if rows else "USD"


def resend(device: Device, key: str, values: Row | None = None) -> list[int]:
    """Send again everything that was refused of a proposal: as one unit the proposal itself with other `values`, then
    its lines, each as it was; after them what was ordered of it, to be sent as it stands now. -> mutations' numbers."""
    found = [problem for problem in refused(device, key) if problem.refusal is not None]
    edits = [problem for problem in found if problem.kind in EDITS]
    edits.sort(key=lambda problem: problem.entity != PROPOSALS)  # else as they were typed
    steps = [partial(_repeated, device, each, values if each.entity == PROPOSALS else None) for each in edits]
    done = _in_units(device, steps)
    for order in (problem for problem in found if problem.kind not in EDITS):
        done.append(_repeated(device, order, sending.meant(device, key) if order.kind == sending.SEND else None))
    return done


def _repeated(device: Device, problem: Problem, values: Row | None = None) -> int:
    assert problem.refusal is not None
    return device.repair(problem.refusal, values or {})
