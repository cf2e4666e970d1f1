"""Sample documents: a realistic offer of about four pages, and ways to vary it."""

from collections.abc import Sequence

import msgspec

from proposals.document import Brand, Document, Item, Party, Picture, Section, TemplateRef
from proposals.templates.template import BUILT_IN
from sfa.core.pricing.reckoning import price
from sfa.core.pricing.values import Deposit, Discount, Instalment, Line, Offer, Priced, Tax

VAT, REDUCED = Tax("VAT", 2100), Tax("VAT", 1000)
SELLER = Party(
    name="Alder & Finch Energy GmbH",
    person="Helena Brandt",
    title="Managing Director",
    address=("Lindenallee 48", "10963 Berlin", "Germany"),
    email="hello@alderfinch.example",
    phone="+49 30 5550 1420",
    tax_id="DE 301 555 812",
    website="alderfinch.example",
)
BUYER = Party(
    name="Molino del Sur Bakeries S.A.",
    person="Inés Caballero",
    title="Head of Operations",
    address=("Calle de la Industria 7", "41013 Sevilla", "Spain"),
    tax_id="ES A41 555 209",
)
AUTHOR = Party(
    name="Tomás Weidner", title="Account Manager", email="t.weidner@alderfinch.example", phone="+49 30 5550 1427"
)
SUMMARY = """You asked us to cut the energy bill of the **Sevilla bakery** without a day of lost production. \
This offer covers a 212 kWp roof system, storage for the night shift and the controls that keep the ovens fed first.

- The roof delivers about 318 MWh a year, **41 % of what you use today**.
- Everything is installed on eleven Sundays; ovens never stop.
- You own the system from the day of acceptance. There is no lease and no minimum purchase."""
TERMS = """1. **Delivery.** Material arrives within six weeks of the deposit. Work is done on the Sundays agreed in \
the site plan and ends no later than 20 weeks after acceptance.
2. **Warranty.** Ten years on workmanship, 25 years on the yield of the modules (at least 87 % of the rated power), \
ten years on batteries or 6,000 cycles, whichever is first.
3. **Your part.** Access to roof and main switch room, a place for one container, and the owner's permits.
4. **Changes.** What is not in this offer is offered before it is done. Nothing is charged without your signature.
5. **Law.** The law of Spain applies; the courts of Sevilla decide."""
CLOSING = """Thank you for the day in the bakery and for the open books. If anything here reads differently from \
what we said on site, call me and I will put it right."""

SECTIONS = (
    Section(
        key="roof",
        title="Roof and modules",
        text="Two roof faces, south-south-east, pitch 12°. The purlins were checked on 14 January; "
        "the statics report is enclosed.",
    ),
    Section(
        key="store",
        title="Storage and controls",
        text="The night shift starts at 22:00 and draws 96 kW until 4:00. The storage covers the first four hours.",
    ),
    Section(key="work", title="Installation", text="All work on Sundays between 7:00 and 19:00."),
    Section(key="care", title="Care and reporting"),
)


def item(key: str, name: str, price: int, **more: object) -> tuple[Item, str]:
    """An item and its quantity."""
    quantity = str(more.pop("quantity", "1"))
    return msgspec.convert(
        {"key": key, "name": name, "unit_price_minor": price, "tax": VAT} | more, Item, from_attributes=True
    ), quantity


def offered() -> list[tuple[Item, str]]:
    ten = (Discount(share_bp=1000, text="Volume"),)
    return [
        item("l1", "Module 445 W, glass-glass", 11_850, sku="AF-M445", unit="pcs", quantity="476", section="roof",
             text="Monocrystalline n-type, 30 years on power.", discounts=ten),
        item("l2", "Roof mounting, trapezoidal sheet", 4_120, sku="AF-R12", unit="kWp", quantity="211.82",
             section="roof", text="Aluminium rails, stainless clamps; no drilling through the seal."),
        item("l3", "String inverter 100 kW", 512_000, sku="AF-I100", unit="pcs", quantity="2", section="roof"),
        item("l4", "DC cabling and surge protection", 689_000, section="roof"),
        item("l5", "Battery cabinet 215 kWh", 4_890_000, sku="AF-B215", unit="pcs", quantity="2", section="store",
             text="LFP cells, liquid cooling, fire detection and suppression included.",
             discounts=(*ten, Discount(amount_minor=150_000, text="Launch"))),
        item("l6", "Energy manager, standard", 390_000, section="store", group="ems",
             text="Ovens first, then cooling, then charging. Works without a cloud."),
        item("l7", "Energy manager, with forecast", 640_000, section="store", group="ems",
             text="Adds weather and spot prices: charges when power is cheap."),
        item("l8", "Charging point 22 kW", 128_000, unit="pcs", quantity="4", section="store", optional=True,
             quantity_min="2", quantity_max="12", quantity_step="2", text="For the delivery vans in the yard."),
        item("l9", "Electrical installation", 6_800, unit="h", quantity="312.5", section="work"),
        item("l10", "Crane and scaffolding", 145_000, unit="day", quantity="6", section="work"),
        item("l11", "Grid registration and inspection", 275_000, section="work"),
        item("l12", "Training of your electricians", 96_000, unit="day", quantity="2", section="work", tax=REDUCED),
        item("l13", "Service, first year", 420_000, section="care",
             text="Two visits, remote watch, answer within four hours on working days."),
        item("l14", "Extended service, years 2 to 5", 1_480_000, section="care", optional=True),
        item("l15", "Monthly report for your auditors", 9_500, unit="month", quantity="12", section="care",
             optional=True),
    ]  # fmt: skip


CHOSEN = frozenset({"l6", "l15"})
PLAN: dict[str, object] = {
    "discounts": (Discount(share_bp=300, text="Spring"),),
    "deposit": Deposit(share_bp=3000),
    "instalments": (Instalment(7000, 42, "On delivery of the material"), Instalment(3000, 140, "On handover")),
}


def priced_of(offered_items: Sequence[tuple[Item, str]], chosen: frozenset[str] = CHOSEN, **offer: object) -> Priced:
    """What the items come to. Lines that the buyer may choose count where `chosen` names them."""
    lines = tuple(
        Line(
            key=it.key,
            section=it.section,
            quantity=quantity,
            unit_price_minor=it.unit_price_minor,
            discounts=it.discounts,
            tax=it.tax,
            optional=it.optional,
            group=it.group,
            chosen=it.key in chosen,
            quantity_min=it.quantity_min,
            quantity_max=it.quantity_max,
            quantity_step=it.quantity_step,
        )
        for it, quantity in offered_items
    )
    return price(Offer(**({"currency": "EUR", "lines": lines} | PLAN | offer)))  # type: ignore[arg-type]


def document(
    offered_items: Sequence[tuple[Item, str]] | None = None, template: str = "classic", **more: object
) -> Document:
    """The sample offer: three to five pages in `classic`. Any field of it, by name."""
    items = offered() if offered_items is None else offered_items
    currency = str(more.get("currency", "EUR"))
    built_in = BUILT_IN[template]
    values: dict[str, object] = {
        "template": TemplateRef(built_in.key, built_in.version, built_in.digest),
        "language": "en",
        "number": "AF-2026-0118",
        "version": 1,
        "title": "Solar power and storage for the Sevilla bakery",
        "issued_on": "2026-03-04",
        "valid_until": "2026-04-15",
        "zone": "Europe/Madrid",
        "seller": SELLER,
        "buyer": BUYER,
        "author": AUTHOR,
        "brand": Brand(footer="Alder & Finch Energy GmbH · Amtsgericht Charlottenburg HRB 155 820 B"),
        "summary": SUMMARY,
        "sections": SECTIONS,
        "items": tuple(it for it, _ in items),
        "currency": currency,
        "tax_inclusive": False,
        "rounding": "half_up",
        "rounding_per": "line",
        "priced": priced_of(items, currency=currency),
        "terms": TERMS,
        "closing": CLOSING,
    }
    return Document(**(values | more))  # type: ignore[arg-type]


def many_lines(count: int) -> list[tuple[Item, str]]:
    """`count` different lines without a section."""
    return [
        item(f"m{place}", f"Spare part {place:04d}, galvanised", 1_000 + 37 * place, unit="pcs", sku=f"SP-{place:04d}",
             quantity=str(1 + place % 9), discounts=(Discount(share_bp=500),) if place % 7 == 0 else ())
        for place in range(1, count + 1)
    ]  # fmt: skip


def picture(sha256: str = "a" * 64, alt: str = "Alder & Finch", width: int = 640, height: int = 160) -> Picture:
    return Picture(sha256, "image/png", width, height, alt)
