"""Facts for tests of pure rules."""

from typing import Any

from hypothesis import strategies as st

from sfa.profit.items import KINDS, Item, Side
from sfa.profit.waterfall import Counted


def fact(kind: str, amount: int | None, **more: Any) -> Item:
    side: Side = more.pop("side", "actual")
    said: dict[str, Any] = {
        "currency": "EUR",
        "on": "2026-01-05",
        "at": 0,
        "entity": "deals",
        "row_key": "d",
        "user_key": None,
        "product_key": None,
        "basis": {},
        **more,
    }
    return Item(kind=kind, step=KINDS[kind].step, side=side, amount_minor=amount, **said)


def counted(kind: str, amount: int | None, **more: Any) -> Counted:
    code = more.pop("code", None if amount is not None else "cost_missing")
    missing = more.pop("missing", None)
    return Counted(fact(kind, amount, **more), amount, code, None, missing)


amounts = st.integers(-(10**12), 10**12)
kinds = st.sampled_from(sorted(KINDS))
facts = st.lists(st.builds(counted, kinds, amounts, user_key=st.sampled_from(["ana", "bob", None])), max_size=30)
