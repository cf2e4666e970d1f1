"""The document that a proposal's rows make: seller and texts of its template, buyer of the deal's customer (R50).

Rows are read through the door, so that what a transaction has changed counts before it is stored. Everything that the
document says is copied into it: what is sent is never made again of rows (R46). Cost is not read here (R45).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection, select

from proposals.document import Brand, Document, Enclosure, Item, Party, Picture, Section
from proposals.templates.template import BUILT_IN, Template
from sfa.core.days import plus_days
from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.rows import offer_of
from sfa.core.pricing.values import Line, Offer, Priced
from sfa.core.proposal_rows import CONSENT, LANGUAGES, TEXTS
from sfa.db import scope
from sfa.db.looking import load_below
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS, proposal_assets
from sfa.db.writes import Door

Row = Mapping[str, Any]
VALID_DAYS = 30  # of a proposal without a template
BLANK_TEMPLATE: dict[str, Any] = {
    "layout": "classic",
    "version": 1,
    "source": None,
    "css": None,
    "brand": {},
    "seller": {},
    "texts": {},
    "valid_days": VALID_DAYS,
    "number_prefix": "P",
    "active": True,
}
OWN_ASSETS = ""  # of the company, in `proposal_assets`


class Drawn(Struct, frozen=True, kw_only=True):
    """A proposal as it stands: what it offers, what that comes to, and what would be printed. `missing` are fields
    without which nothing is sent."""

    offer: Offer
    priced: Priced
    document: Document
    template: Template
    template_row: Row
    lines: Mapping[str, Row]
    missing: tuple[str, ...]


def drawn(door: Door, key: str, row: Row, at: int) -> Drawn:
    """Refuses what pricing refuses (`offer_invalid` and others of its codes)."""
    return drawn_of(door, key, row, lines_of(door, key), template_of(door, row["template_key"]), at)


def drawn_of(door: Door, key: str, row: Row, lines: Mapping[str, Row], template_row: Row, at: int) -> Drawn:
    offer = offer_of(row, lines)
    priced = price(offer)
    template = template_value(row["template_key"], template_row)
    writer = _Writer(door, key, row, template_row, at)
    document = writer.document(offer, priced, lines, template)
    missing = [*writer.missing, *(["lines"] if not any(line.counts for line in priced.lines) else [])]
    return Drawn(
        offer=offer,
        priced=priced,
        document=document,
        template=template,
        template_row=template_row,
        lines=lines,
        missing=tuple(sorted(set(missing))),
    )


def lines_of(door: Door, key: str) -> dict[str, Row]:
    load_below(door, "proposal_lines", (key,))
    return {c.key: c.row for c in door.alike("proposal_lines", ("proposal_key",), (key,)) if c.exists}


def template_of(door: Door, key: str | None) -> Row:
    """The row that a proposal is printed by; the plain classic one where it names none. `reference_unknown` where it
    was deleted."""
    if key is None:
        return BLANK_TEMPLATE
    cell = door.cell("proposal_templates", key, "none")
    if not cell.exists:
        raise Refused("reference_unknown", f"there is no template {key}", field="template_key", key=key)
    return cell.row


def template_value(key: str | None, row: Row) -> Template:
    """As `proposals.templates` takes it."""
    if key is None:
        return BUILT_IN["classic"]
    said = {"base": row["layout"], "source": row["source"] or "", "css": row["css"] or ""}
    return Template(key=key, version=max(1, row["version"] or 1), **said)


class _Writer:
    def __init__(self, door: Door, key: str, row: Row, template: Row, at: int) -> None:
        self.door, self.key, self.row, self.template = door, key, row, template
        self.zone, self.today = scope.zone(door.connection), scope.today(door.connection, at)
        self.missing: list[str] = []
        deal = self._row("deals", row["deal_key"]) or {}
        self.account = self._row("accounts", deal.get("account_key")) or {}
        self.account_key: str | None = deal.get("account_key")
        self.owner_key = deal.get("owner_key")
        self.sections = {section["key"] for section in row["sections"]}
        self.pictures = self._pictures()

    def _row(self, entity: str, key: str | None) -> Row | None:
        cell = self.door.cell(entity, key, "none") if key is not None else None
        return cell.row if cell is not None and cell.exists else None

    def document(self, offer: Offer, priced: Priced, lines: Mapping[str, Row], template: Template) -> Document:
        row = self.row
        summary, terms, closing = (row[name] if row[name] is not None else self._text(name) for name in TEXTS)
        return Document(
            template=template.ref,
            language=row["language"],
            number=None,
            version=row["version"] + 1,
            title=row["title"],
            issued_on=self.today,
            valid_until=self.valid_until(),
            zone=self.zone,
            seller=self._seller(),
            buyer=self._buyer(),
            author=self._author(),
            brand=self._brand(),
            sections=tuple(self._section(section) for section in row["sections"]),
            items=tuple(self._item(line, lines[line.key]) for line in offer.lines),
            currency=offer.currency,
            tax_inclusive=offer.tax_inclusive,
            rounding=offer.rounding,
            rounding_per=offer.rounding_per,
            priced=priced,
            enclosures=tuple(self._enclosures()),
            summary=summary,
            terms=terms,
            closing=closing,
            consent=self._consent(),
        )

    def _consent(self) -> str | UnsetType:
        """The company's, in the language that the document is in: nobody agrees to what he perhaps cannot read."""
        said = self.template["texts"].get(self.row["language"], {}).get(CONSENT)
        return str(said) if said else UNSET

    def valid_until(self) -> str:
        said: str | None = self.row["valid_until"]
        return said if said is not None else plus_days(self.today, self.template["valid_days"])

    def _text(self, name: str) -> str:
        """The template's in the proposal's language, else in the first in which it says any."""
        texts = self.template["texts"]
        for language in (self.row["language"], *LANGUAGES):
            found = texts.get(language, {}).get(name)
            if found:
                return str(found)
        return ""

    def _seller(self) -> Party:
        said = self.template["seller"]
        address = tuple(said.get("address", ()))
        plain = {name: said.get(name, "") for name in ("email", "phone", "tax_id", "website")}
        return Party(name=said.get("name") or self._company(), address=address, **plain)

    def _company(self) -> str:
        return str(_organisation(self.door.connection, "name") or "")

    def _buyer(self) -> Party:
        account, contact = self.account, self._row("contacts", self.row["contact_key"]) or {}
        if not account:
            self.missing.append("account_key")
        if contact and contact["account_key"] != self.account_key:
            raise Refused("contact_elsewhere", field="contact_key")
        place = " ".join(part for part in (account.get("postal_code"), account.get("city")) if part)
        address = (account.get("street"), place, account.get("region"), account.get("country"))
        return Party(
            name=account.get("name", ""),
            person=contact.get("name", ""),
            title=contact.get("title") or "",
            address=tuple(part for part in address if part),
            email=contact.get("email") or account.get("email") or "",
            phone=contact.get("phone") or contact.get("mobile") or account.get("phone") or "",
        )

    def _author(self) -> Party:
        """Who wrote it, and the deal's owner where that person has left."""
        author = self._row("users", self.row["author_key"])
        if author is None or not author["active"]:
            author = self._row("users", self.owner_key) or author or {}
        return Party(name=author.get("name", ""), title=author.get("title") or "", email=author.get("email", ""))

    # -- pictures and files -----------------------------------------------------------------------------------------

    def _pictures(self) -> dict[str, Row]:
        named = {picture["sha256"] for section in self.row["sections"] for picture in section.get("pictures", ())}
        logo = self.template["brand"].get("logo")
        named |= {logo} if logo else set()
        if not named:
            return {}
        table = proposal_assets.c
        query = select(table.sha256, table.media_type, table.width, table.height).where(
            among(table.sha256, "keys"), table.proposal_key.in_((OWN_ASSETS, self.key))
        )
        bound = {"keys": listed(self.door.connection, sorted(named))}
        return {row["sha256"]: dict(row) for row in self.door.connection.execute(query, bound).mappings()}

    def _picture(self, digest: str, alt: str, field: str) -> Picture | None:
        found = self.pictures.get(digest)
        if found is None:
            self.missing.append(field)
            return None
        return Picture(**{**found, "alt": alt})

    def _brand(self) -> Brand:
        brand = self.template["brand"]
        logo = self._picture(brand["logo"], brand.get("logo_alt", ""), "brand.logo") if brand.get("logo") else None
        said = {name: brand[name] for name in ("primary", "accent", "footer") if brand.get(name)}
        return Brand(logo=logo, **said)

    def _section(self, section: Row) -> Section:
        found = (self._picture(p["sha256"], p["alt"], "sections.pictures") for p in section.get("pictures", ()))
        pictures = tuple(picture for picture in found if picture is not None)
        return Section(key=section["key"], title=section["title"], text=section.get("text", ""), pictures=pictures)

    def _enclosures(self) -> Iterable[Enclosure]:
        """Files of the same customer, whose bytes are there. A receipt is one person's and goes nowhere: who writes
        down its key learns nothing of it, whenever and however it came into the row."""
        for key in self.row["enclosures"]:
            file = self._row("attachments", key)
            is_own = file is not None and (file["kind"] == "receipt" or file["proposal_key"] is not None)
            if file is None or is_own or file["account_key"] != self.account_key:
                text = f"enclosures: {key} is no file of this customer"
                raise Refused("reference_unknown", text, field="enclosures", key=key)
            if not file["stored"]:
                self.missing.append("enclosures")
            yield Enclosure(**{name: file[name] for name in Enclosure.__struct_fields__})

    # -- lines ------------------------------------------------------------------------------------------------------

    def _item(self, line: Line, row: Row) -> Item:
        if line.section is not None and line.section not in self.sections:
            self.missing.append("section_key")
        product = self._row("products", row["product_key"]) or {}
        said = {"text": row["text"] or "", "unit": row["unit"] or product.get("unit") or ""}
        return Item(
            key=line.key,
            section=line.section,
            name=row["name"],
            sku=product.get("sku") or "",
            unit_price_minor=line.unit_price_minor,
            discounts=line.discounts,
            tax=line.tax,
            optional=line.optional,
            group=line.group,
            quantity_min=line.quantity_min,
            quantity_max=line.quantity_max,
            quantity_step=line.quantity_step,
            **said,
        )


def currency_of(connection: Connection) -> str:
    """The company's."""
    return str(_organisation(connection, "currency"))


def _organisation(connection: Connection, field: str) -> Any:
    table = ROWS["organisations"].c
    return connection.execute(select(table[field]).where(~table.gone).order_by(table.key).limit(1)).scalar()
