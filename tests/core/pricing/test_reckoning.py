from sfa.core.pricing import price
from sfa.core.pricing.values import Discount, Line, Offer, Tax

VAT = Tax("VAT", 2_100)


def test_three_at_45_less_60_is_75_and_with_21_percent_90_75():
    line = Line(key="a", quantity="3", unit_price_minor=4_500, discounts=(Discount(amount_minor=6_000),), tax=VAT)
    found = price(Offer(currency="EUR", lines=(line,)))
    assert (found.lines[0].list_minor, found.lines[0].discount_minor, found.lines[0].amount_minor) == (
        13_500,
        6_000,
        7_500,
    )
    assert (found.net_minor, found.tax_minor, found.total_minor) == (7_500, 1_575, 9_075)
