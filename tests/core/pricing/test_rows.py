"""Rows of proposals are offers; what may be stored can be priced but for what only its lines together tell (R50)."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.rows import in_order, offer_of
from sfa.core.pricing.values import Line, Offer
from sfa.core.rules import broken, check_values
from sfa.core.shapes import SHAPES
from tests.core.pricing.offers import offers, replaced

TOGETHER = {"discount_too_large", "group_choice", "group_optional", "quantity_limits", "deposit_too_large", "too_large"}
Row = dict[str, Any]


def blank(entity: str) -> Row:
    shape = SHAPES[entity]
    return dict.fromkeys(shape.types) | shape.defaults


def said(values: Any) -> Any:
    """As it comes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(values))


def row_of(offer: Offer) -> Row:
    same = {name: said(getattr(offer, name)) for name in ("currency", "discounts", "tax_inclusive", "rounding")}
    more = {"rounding_per": offer.rounding_per, "deposit": said(offer.deposit), "instalments": said(offer.instalments)}
    if more["deposit"] is not None:
        more["deposit"] = {name: value for name, value in more["deposit"].items() if value is not None}
    return {"deal_key": "d", "author_key": "ana", "title": "Offer", **same, **more}


def line_row(line: Line, position: int) -> Row:
    names = ("quantity", "unit_price_minor", "optional", "chosen", "quantity_min", "quantity_max", "quantity_step")
    tax = {"tax_name": line.tax.name, "tax_rate_bp": line.tax.rate_bp} if line.tax is not None else {}
    places = {"position": position, "section_key": line.section, "group_key": line.group}
    same = {name: getattr(line, name) for name in names}
    return {"proposal_key": "p", "name": line.key, "discounts": said(line.discounts), **places, **same, **tax}


def stored(entity: str, values: Row) -> Row:
    """A row as the door would take it."""
    check_values(entity, values)
    row = blank(entity) | values
    found = broken(entity, row)
    if found is not None:
        raise Refused(found.code, found.text)
    return row


@given(offers())
def test_rows_make_the_offer_that_they_were_made_of(offer: Offer) -> None:
    lines = {line.key: stored("proposal_lines", line_row(line, n)) for n, line in enumerate(offer.lines)}
    found = offer_of(stored("proposals", row_of(offer)), lines)
    assert found == offer
    assert price(found) == price(offer)


@given(offers(), st.integers(1, 3_650))
def test_terms_of_payment_are_one_instalment_where_there_is_no_other(offer: Offer, days: int) -> None:
    bare = replaced(offer, {"instalments": ()})
    row = stored("proposals", {**row_of(bare), "payment_days": days})
    lines = {line.key: stored("proposal_lines", line_row(line, n)) for n, line in enumerate(bare.lines)}
    dues = price(offer_of(row, lines)).dues
    assert (dues[-1].kind, dues[-1].due_days) == ("instalment", days)
    own = offer_of({**row, "instalments": said(offer.instalments)}, lines)
    assert own.instalments == (offer.instalments or offer_of(row, lines).instalments)


def test_lines_are_in_their_order_whoever_added_them() -> None:
    rows = {key: {**blank("proposal_lines"), "position": at} for key, at in (("b", 1), ("c", 0), ("a", 1))}
    assert in_order(rows) == ["c", "a", "b"]


quantities = st.sampled_from(("0", "1", "2", "2.5", "999999999999", "0.000000000001"))
cuts = st.builds(lambda share: {"share_bp": share}, st.integers(0, 10_000)) | st.builds(
    lambda amount: {"amount_minor": amount}, st.sampled_from((0, 1, 500, 10**15))
)
limits = st.sampled_from((*(((None, None),) * 8), ("1", None), (None, "2"), ("0", "2.5"), ("1", "999999999999")))
taxes = st.sampled_from(((None, None), ("VAT", 0), ("VAT", 2_100), ("VAT", 100_000)))


@st.composite
def wild_lines(draw: st.DrawFn) -> Row:
    least, most = draw(limits)
    name, rate = draw(taxes)
    return {
        "position": draw(st.integers(0, 3)),
        "quantity": draw(quantities),
        "unit_price_minor": draw(st.sampled_from((0, 1, -5, 10**15, 700, 999)) | st.integers(-999, 999)),
        "discounts": draw(st.lists(cuts, max_size=2)),
        "tax_name": name,
        "tax_rate_bp": rate,
        "optional": draw(st.booleans()),
        "group_key": draw(st.sampled_from((None, None, None, "g"))),
        "chosen": draw(st.booleans()),
        "quantity_min": least,
        "quantity_max": most,
        "quantity_step": draw(st.sampled_from((None, "0.5", "1"))),
    }


wild_rows = st.fixed_dictionaries(
    {
        "currency": st.sampled_from(("EUR", "JPY", "CLF")),
        "discounts": st.lists(cuts, max_size=2),
        "deposit": st.none() | cuts,
        "payment_days": st.none() | st.integers(0, 3_650),
        "instalments": st.sampled_from(([], [10_000], [5_000, 5_000], [9_999])).map(
            lambda parts: [{"share_bp": part} for part in parts]
        ),
    }
)


@given(wild_rows, st.lists(wild_lines(), max_size=3))
def test_what_may_be_stored_can_be_priced_or_says_what_of_it_does_not_go_together(row: Row, lines: list[Row]) -> None:
    """Two phones may make of one draft what neither of them would have."""
    try:
        held = stored("proposals", {"deal_key": "d", "author_key": "ana", "title": "Offer", **row})
        below = {
            f"k{n}": stored("proposal_lines", {"proposal_key": "p", "name": "x", **line})
            for n, line in enumerate(lines)
        }
    except Refused:
        return  # refused when it is written, as it should be
    try:
        found = price(offer_of(held, below))
    except Refused as refused:
        reason = refused.details["reason"]
        if reason not in TOGETHER:
            pytest.fail(f"stored, and never to be priced: {refused}")
    else:
        assert found.total_minor == sum(due.amount_minor for due in found.dues)
