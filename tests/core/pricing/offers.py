"""Offers of any shape that can be priced, for properties; and what an offer comes to by other arithmetic."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

from sfa.core.pricing import price
from sfa.core.pricing.values import Deposit, Discount, Instalment, Line, Offer, Tax

VAT, REDUCED, FREE = Tax("VAT", 2_100), Tax("VAT", 700), Tax("Exempt", 0)
TAXES = (None, VAT, REDUCED, FREE, Tax("Luxury", 33_333))
QUANTITIES = ("1", "3", "2.5", "0.333333", "0", "120", "0.001", "7.25")
shares = st.sampled_from((0, 1, 333, 500, 1_000, 5_000, 9_999, 10_000)) | st.integers(0, 10_000)
prices = st.integers(-2_000, 20_000) | st.sampled_from((0, 1, 5, 99, 10**9, -(10**9)))


def rounded(value: Fraction, rounding: str) -> int:
    """By the decimal module, not by the product."""
    with localcontext() as context:
        context.prec = 200
        whole, rest = divmod(value.numerator, value.denominator)
        half = Decimal(rest * 2) - value.denominator  # below, at or above the half
        mode = ROUND_HALF_UP if rounding == "half_up" else ROUND_HALF_EVEN
        tenth = Decimal("0.4") if half < 0 else Decimal("0.6") if half > 0 else Decimal("0.5")
        near = Decimal(whole) + (tenth if rest else 0)
        return int(near.quantize(Decimal(1), rounding=mode))


def left_of(exact: Fraction, discounts: tuple[Discount, ...]) -> Fraction:
    for discount in discounts:
        exact = exact * (10_000 - discount.share_bp) / 10_000 if discount.share_bp is not None else exact
        exact -= discount.amount_minor or 0
    return exact


@st.composite
def discounts(draw: st.DrawFn, exact: Fraction) -> tuple[Discount, ...]:
    """None of which takes off more than is left of an exact amount."""
    found: tuple[Discount, ...] = ()
    for share, is_fixed in draw(st.lists(st.tuples(shares, st.booleans()), max_size=3)):
        left = left_of(exact, found)
        amount = int(left * share / 10_000) if left > 0 else 0
        found += (Discount(amount_minor=amount) if is_fixed else Discount(share_bp=share),)
    return found


@st.composite
def lines(draw: st.DrawFn, key: str, group: str | None = None, *, is_chosen: bool = True) -> Line:
    step, least = draw(st.sampled_from(("1", "0.5", "2.5"))), draw(st.sampled_from(("0", "1", "2")))
    is_free = draw(st.booleans())
    quantity = draw(st.sampled_from(QUANTITIES))
    if is_free:
        quantity = str(Decimal(least) + Decimal(step) * draw(st.integers(0, 6)))
    limits = {"quantity_min": least, "quantity_max": "100", "quantity_step": step} if is_free else {}
    each = draw(prices)
    lowest = Fraction(least if is_free else quantity) * each
    is_optional = group is None and draw(st.integers(0, 3)) == 0
    return Line(
        key=key,
        section=draw(st.sampled_from((None, "s1", "s2"))),
        quantity=quantity,
        unit_price_minor=each,
        discounts=draw(discounts(lowest)) if lowest else (),
        tax=draw(st.sampled_from(TAXES)),
        optional=is_optional,
        group=group,
        chosen=draw(st.booleans()) if is_optional else is_chosen,
        **limits,
    )


@st.composite
def offers(draw: st.DrawFn, /, **fixed: Any) -> Offer:
    """`fixed` are fields that are as said."""
    count, of_group = draw(st.integers(0, 6)), draw(st.sampled_from((0, 0, 1, 3)))
    found = [draw(lines(f"k{place}")) for place in range(count)]
    chosen = draw(st.integers(0, max(of_group - 1, 0)))
    found += [draw(lines(f"g{place}", "g", is_chosen=place == chosen)) for place in range(of_group)]
    plain = Offer(
        currency=draw(st.sampled_from(("EUR", "JPY", "KWD", "CLF"))),
        lines=tuple(draw(st.permutations(found))),
        tax_inclusive=draw(st.booleans()),
        rounding=draw(st.sampled_from(("half_up", "half_even"))),
        rounding_per=draw(st.sampled_from(("line", "document"))),
    )
    plain = replaced(plain, fixed)
    header = draw(discounts(Fraction(price(plain).subtotal_minor)))
    plain = replaced(plain, {"discounts": header} | fixed)
    return replaced(plain, draw(plans(price(plain).total_minor)) | fixed)


@st.composite
def plans(draw: st.DrawFn, total: int) -> dict[str, Any]:
    deposit: Deposit | None = None
    kind = draw(st.sampled_from(("none", "share", "amount")))
    if kind == "share":
        deposit = Deposit(share_bp=draw(shares))
    elif kind == "amount":
        deposit = Deposit(amount_minor=draw(st.integers(0, max(total, 0))))
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), max_size=3)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, 10_000], strict=True)] if draw(st.booleans()) else []
    return {"deposit": deposit, "instalments": tuple(Instalment(part, 30 * i) for i, part in enumerate(parts))}


def replaced(offer: Offer, values: dict[str, Any]) -> Offer:
    return Offer(**({name: getattr(offer, name) for name in Offer.__struct_fields__} | values))
