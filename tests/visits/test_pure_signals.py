"""Signals add up to what a recount says, whatever the parts (pure)."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.visits.signals import BY, FIELDS, Row, gathered, tally, total

signals = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(("need", "price")),
            "account_key": st.sampled_from(("acme", "zeta")),
            "author_key": st.just("ana"),
            "product_key": st.sampled_from((None, "pump")),
            "competitor": st.sampled_from((None, "Rival")),
            "money": st.one_of(st.none(), st.tuples(st.integers(-500, 10**9), st.sampled_from(("EUR", "JPY")))),
        }
    ).map(
        lambda s: {**s, "amount_minor": s["money"][0] if s["money"] else None, "currency": s["money"] and s["money"][1]}
    ),
    max_size=30,
)
TERRITORY: dict[str, str | None] = {"acme": "t-north", "zeta": None}


def value(signal: dict[str, Any], by: str) -> str | None:
    return TERRITORY[signal["account_key"]] if by == "territory" else signal[FIELDS[by]]


@given(signals, st.sampled_from(BY))
def test_sums_equal_a_recount(heard: list[dict[str, Any]], by: str) -> None:
    groups = tally(heard, by, TERRITORY.get)
    assert {g.value: g.count for g in groups} == Counter(value(s, by) for s in heard)
    for group in groups:
        mine = [s for s in heard if value(s, by) == group.value]
        for currency in ("EUR", "JPY"):
            wanted = [s["amount_minor"] for s in mine if s["currency"] == currency]
            assert group.amounts.get(currency) == (sum(wanted) if wanted else None)
    everything = total(groups)
    assert everything.count == len(heard)
    assert everything.amounts == {
        c: sum(s["amount_minor"] for s in heard if s["currency"] == c)
        for c in sorted({s["currency"] for s in heard if s["currency"]})
    }


def test_the_largest_group_comes_first_and_what_says_nothing_last() -> None:
    rows = [Row("b", None, 2, None), Row(None, None, 2, None), Row("a", "EUR", 2, 5), Row("c", None, 3, None)]
    assert [group.value for group in gathered(rows)] == ["c", "a", "b", None]
