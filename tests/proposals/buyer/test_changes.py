"""What differs between two versions: everything that a buyer can see, and nothing where nothing differs."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from proposals.buyer import changes
from proposals.buyer.changes import AMOUNTS, KINDS, between, previous_of
from proposals.document import Document, Enclosure, Item, Section
from sfa.core.pricing.values import Discount, Tax
from tests.office import Office
from tests.proposals.builders import document, item, offered, picture, priced_of
from tests.proposals.buyer.looking import link, sent
from tests.proposals.selling import order

SAME = frozenset({"format", "template", "number", "version", "issued_on", "rounding", "rounding_per"})
FILE = Enclosure(name="Terms.pdf", media_type="application/pdf", size=10, sha256="c" * 64)


def visible(made: Document) -> dict[str, Any]:
    """What a buyer sees of it. Sums of sections and subtotals follow from the lines, so they are left out."""
    seen = {name: value for name, value in structs.asdict(made).items() if name not in SAME | {"priced"}}
    priced = made.priced
    shown = [(p.key, p.quantity, p.counts, p.discount_minor, p.amount_minor) for p in priced.lines]
    sums = (priced.discount_minor, priced.taxes, priced.net_minor, priced.tax_minor, priced.total_minor, priced.dues)
    return {**seen, "lines": shown, "sums": sums}


def kinds(old: Document, new: Document) -> list[str]:
    return [change.kind for change in between(old, new)]


def test_the_next_version_of_the_same_offer_has_no_change() -> None:
    old = document()
    new = structs.replace(old, version=2, number="AF-1", issued_on="2026-03-09")
    assert between(old, old) == between(old, new) == []


def test_what_changed_of_a_line_is_told_with_what_it_was_and_is() -> None:
    lines = [item("a", "Pump", 100_00, quantity="3"), item("b", "Hose", 10_00, optional=True), item("c", "Valve", 5_00)]
    after = [
        item("a", "Pump", 90_00, quantity="4", discounts=(Discount(share_bp=1_000),)),
        item("b", "Long hose", 10_00),
        item("d", "Tap", 7_00),
    ]
    plain: dict[str, Any] = {"discounts": (), "deposit": None, "instalments": ()}
    old = document(lines, priced=priced_of(lines, **plain))
    new = document(after, priced=priced_of(after, **plain))
    told = {(one.kind, one.place): (one.before, one.after) for one in between(old, new)}
    assert told["line_quantity", "a"] == ("3", "4")
    assert told["line_price", "a"] == (100_00, 90_00)
    assert told["line_discount", "a"] == (0, 36_00)
    assert told["line_amount", "a"] == (300_00, 324_00)
    assert told["line_name", "b"] == ("Hose", "Long hose")
    assert told["line_option", "b"] == ("optional", "fixed")
    assert told["line_dropped", "c"] == (5_00, None)
    assert told["line_added", "d"] == (None, 7_00)
    assert told["total", None] == (old.priced.total_minor, new.priced.total_minor)
    assert {kind for kind, _ in told} <= set(KINDS)


CASES: list[tuple[str, dict[str, Any]]] = [
    ("title", {"title": "Other"}),
    ("language", {"language": "es"}),
    ("validity", {"valid_until": "2026-05-01"}),
    ("zone", {"zone": "Europe/Paris"}),
    ("summary", {"summary": "Other"}),
    ("terms", {"terms": "Other"}),
    ("closing", {"closing": "Other"}),
    ("enclosure_added", {"enclosures": (FILE,)}),
    ("tax_included", {"tax_inclusive": True}),
]


def test_each_part_has_its_kind() -> None:
    old = document()
    for kind, said in CASES:
        assert kinds(old, structs.replace(old, **said)) == [kind]
    for which in ("seller", "buyer", "author"):
        party = structs.replace(getattr(old, which), phone="1")
        (change,) = between(old, structs.replace(old, **{which: party}))
        assert (change.kind, change.place) == ("party", which)
    first = old.sections[0]
    pictured = (structs.replace(first, pictures=(picture(),)), *old.sections[1:])
    assert kinds(old, structs.replace(old, sections=pictured)) == ["section_pictures"]
    assert kinds(old, structs.replace(old, sections=old.sections[::-1])) == ["order"]
    assert kinds(old, structs.replace(old, sections=old.sections[1:])) == ["section_dropped"]
    assert kinds(structs.replace(old, enclosures=(FILE,)), old) == ["enclosure_dropped"]
    assert kinds(old, structs.replace(old, brand=structs.replace(old.brand, footer="x"))) == ["brand"]


OFFERED = offered()
texts = st.sampled_from(["", "One", "Two"])
SECTIONS = document().sections


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Near each other, so that two of them often agree in much."""
    items: list[tuple[Item, str]] = []
    for it, quantity in draw(st.permutations(OFFERED[:4])):
        if draw(st.integers(0, 3)) == 0:
            continue
        changed = structs.replace(
            it,
            name=draw(st.sampled_from([it.name, "Renamed"])),
            text=draw(st.sampled_from([it.text, ""])),
            sku=draw(st.sampled_from([it.sku, "X"])),
            unit=draw(st.sampled_from([it.unit, "h"])),
            unit_price_minor=draw(st.sampled_from([it.unit_price_minor, 1_000_000])),
            discounts=draw(st.sampled_from([it.discounts, (Discount(share_bp=100, text="New"),)])),
            tax=draw(st.sampled_from([it.tax, Tax("VAT", 100), None])),
            optional=draw(st.booleans()),
            section=draw(st.sampled_from([it.section, None])),
        )
        items.append((changed, draw(st.sampled_from([quantity, "7"]))))
    sections: list[Section] = [
        structs.replace(one, title=draw(texts) or one.title, text=draw(texts))
        for one in SECTIONS
        if draw(st.integers(0, 3))
    ]
    plan: dict[str, Any] = {
        "discounts": draw(st.sampled_from([(), (Discount(share_bp=500),)])),
        "deposit": None,
        "instalments": (),
    }
    chosen = frozenset(draw(st.sets(st.sampled_from([it.key for it, _ in OFFERED[:4]]))))
    return document(
        items,
        priced=priced_of(items, chosen, **plan),
        sections=tuple(sections),
        terms=draw(texts),
        title=draw(st.sampled_from(["One", "Two"])),
        version=draw(st.integers(1, 3)),
        enclosures=draw(st.sampled_from([(), (FILE,)])),
        valid_until=draw(st.sampled_from(["2026-04-15", "2026-05-01"])),
    )


@given(documents(), documents())
def test_there_is_a_change_exactly_where_a_buyer_sees_a_difference(old: Document, new: Document) -> None:
    told = between(old, new)
    assert (told == []) == (visible(old) == visible(new))
    assert between(old, old) == []
    for one in told:
        assert one.kind in KINDS
        if one.kind in AMOUNTS:
            assert all(value is None or isinstance(value, int) for value in (one.before, one.after))
    assert msgspec.json.decode(msgspec.json.encode(told), type=list[changes.Change]) == told


@given(documents(), documents())
def test_read_the_other_way_round_what_was_added_was_dropped(old: Document, new: Document) -> None:
    there, back = between(old, new), between(new, old)
    turned = {"line_added": "line_dropped", "section_added": "section_dropped", "enclosure_added": "enclosure_dropped"}
    turned |= {after: before for before, after in turned.items()}
    one = sorted((turned.get(c.kind, c.kind), c.place or "", str(c.after), str(c.before)) for c in there)
    assert one == sorted((c.kind, c.place or "", str(c.before), str(c.after)) for c in back)


@given(documents(), st.sampled_from(sorted(set(Document.__struct_fields__) - SAME - {"priced", "currency"})), st.data())
def test_each_field_that_differs_is_told_by_itself(made: Document, field: str, data: st.DataObject) -> None:
    """Whatever field of the document a buyer sees is changed, that alone is enough."""
    other = data.draw(documents())
    if field == "items":
        changed = structs.replace(made, items=other.items, priced=other.priced)
    elif field == "tax_inclusive":
        changed = structs.replace(made, tax_inclusive=not made.tax_inclusive)
    else:
        value = getattr(other, field)
        changed = structs.replace(made, **{field: value if isinstance(value, tuple) else getattr(made, field)})
        if isinstance(value, str):
            changed = structs.replace(made, **{field: f"{value}x"})
    assert bool(between(made, changed)) == (visible(made) != visible(changed))


def test_who_was_sent_an_older_version_is_told_what_changed_since_that(office: Office) -> None:
    ana = sent(office)
    first = link(office)
    assert office.database.read(previous_of, first) is None
    for _ in range(2):
        order(ana, "revise")
        order(ana, "send")
    third = link(office, version=3)
    assert office.database.read(previous_of, third) == 1
    assert office.database.read(previous_of, link(office, version=3, recipient=None)) is None
    link(office, version=2)
    link(office, version=2, recipient=None, kind="staff")
    assert office.database.read(previous_of, third) == 2
