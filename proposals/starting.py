"""`deal.propose`: a proposal that begins with what the deal's lines say (R53).

Keys of its lines follow from its own key and theirs, so that asked twice it is made once. It is the rep's draft then;
what becomes of the deal's lines changes nothing of it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from sfa.core.entities.proposing import Language
from sfa.core.errors import Refused
from sfa.core.fields import KEY_PATTERN, Name
from sfa.crm import edits
from sfa.crm.edits import Who
from sfa.db.cells import Cell
from sfa.db.looking import load_below
from sfa.db.writes import Door, Origin

Key = Annotated[str, Meta(pattern=KEY_PATTERN)]


class Propose(Struct, frozen=True, forbid_unknown_fields=True):
    """`key` is that of the new proposal."""

    key: Key
    title: Name | None = None
    language: Language | None = None
    template_key: Key | None = None
    contact_key: Key | None = None


def propose(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    try:
        asked = msgspec.convert(dict(arguments), Propose)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"deal.propose: {error}") from None
    if cell.gone:
        raise Refused("row_unknown", f"deal {cell.key} is deleted", entity="deals", key=cell.key)
    deal = cell.row
    made = door.cell("proposals", asked.key)
    if made.rev:
        if made.exists and made.row["deal_key"] == cell.key and made.row["created_by"] == who.user_key:
            return
        raise Refused("key_taken", key=asked.key)
    if deal["currency"] is None:
        raise Refused("currency_unknown", "the deal says no currency yet", field="currency")
    row: dict[str, Any] = {"deal_key": cell.key, "title": asked.title or deal["name"], "currency": deal["currency"]}
    row["contact_key"] = asked.contact_key or deal["contact_key"]
    row["payment_days"] = deal["payment_days"]
    row |= {name: value for name in ("language", "template_key") if (value := getattr(asked, name)) is not None}
    edits.create(door, who, "proposals", asked.key, row, origin)
    load_below(door, "deal_lines", (cell.key,))
    lines = [c for c in door.alike("deal_lines", ("deal_key",), (cell.key,)) if c.exists]
    door.load("proposal_lines", (line_key(asked.key, line.key) for line in lines))
    for line in sorted(lines, key=lambda c: (c.row["position"], c.key)):
        key = line_key(asked.key, line.key)
        if door.cell("proposal_lines", key).rev:  # anybody may reckon it: somebody made a line of another one by it
            raise Refused("key_taken", key=key)
        edits.create(door, who, "proposal_lines", key, _line(door, asked.key, line), origin)


def line_key(proposal: str, line: str) -> str:
    return f"pl-{sha256(f'{proposal}:{line}'.encode()).hexdigest()[:40]}"


def _line(door: Door, proposal: str, line: Cell) -> dict[str, Any]:
    said, product = line.row, door.cell("products", line.row["product_key"], "none").row
    discounts = [{"share_bp": said["discount_bp"]}] if said["discount_bp"] else []
    same = {name: said[name] for name in ("position", "quantity", "unit_price_minor", "product_key")}
    return {
        **same,
        "proposal_key": proposal,
        "name": product.get("name") or said["product_key"],
        "unit": product.get("unit"),
        "discounts": discounts,
    }
