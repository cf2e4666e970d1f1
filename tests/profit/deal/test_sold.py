"""List and discounts explain the invoice, whatever lines say; everything of an end is taken back by its reversal."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.core.credits import Cost
from sfa.profit.dated import EffortRates
from sfa.profit.deal.sold import Catalogue, actual
from sfa.quotas.conversion import Exchange
from tests.builders import DAY_MS, NOW

ZONE = "Europe/Madrid"
PRODUCTS = ("p", "q", "r")
lines = st.lists(
    st.fixed_dictionaries(
        {
            "product_key": st.sampled_from(PRODUCTS),
            "quantity": st.decimals(0, 10**4, places=3).map(str),
            "unit_price_minor": st.integers(-1_000, 10**6),
            "discount_bp": st.integers(0, 10_000),
        }
    ),
    min_size=1,
    max_size=6,
)


def catalogue(units: list[int]) -> Catalogue:
    dated = {
        product: [Cost(f"c-{product}", product, unit, "EUR", "2025-01-01", None)]
        for product, unit in zip(PRODUCTS, units, strict=True)
    }
    return Catalogue(dated, dated, EffortRates(()), Exchange((), ZONE))


def end(amount: int, *, reversal: bool = False) -> dict[str, Any]:
    said = {"deal_key": "d", "n": 1, "user_key": "ana", "overlay": False, "reversal": reversal, "event": "won"}
    said |= {"at": NOW + DAY_MS if reversal else NOW, "rated_at": NOW, "owner": True, "share_bp": 10_000}
    return said | {"amount_minor": amount, "currency": "EUR", "cost_minor": 7, "cost_currency": "EUR"}


@given(lines, st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
def test_list_and_discounts_sum_to_the_invoice_to_the_cent(
    said: list[dict[str, Any]], amount: int, units: list[int]
) -> None:
    """R33, R38: also where lines say nothing of how to share it."""
    of = [{"key": f"l{place}", **line} for place, line in enumerate(said)]
    found = list(actual([end(amount)], of, None, catalogue(units), ZONE))
    explained = sum(i.amount_minor or 0 for i in found if i.kind in ("list", "discount"))
    assert explained == amount == sum(i.amount_minor or 0 for i in found if i.kind == "invoice")


@given(lines, st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
def test_a_reversal_takes_back_every_fact_of_its_end_at_its_rate(
    said: list[dict[str, Any]], amount: int, units: list[int]
) -> None:
    """R21, R34: in its own period."""
    of = [{"key": f"l{place}", **line} for place, line in enumerate(said)]
    found = list(actual([end(amount), end(amount, reversal=True)], of, 30, catalogue(units), ZONE))
    for kind in {i.kind for i in found}:
        assert sum(i.amount_minor or 0 for i in found if i.kind == kind) == 0
    assert {i.on for i in found} == {"2026-01-05", "2026-01-06"}
    assert {i.rated_at for i in found} == {NOW}
