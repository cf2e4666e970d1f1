"""Answers of a made-up forecast, for tests of what is made of them."""

from forecasting.answers import Amounts, DealPage, DealPart, Money, Node, Override, PeriodTold, Rollup, Unseen
from sfa.core.forecast import BUCKETS, VIEWS

PERIOD = PeriodTold("2026-Q4", "2026-Q4", "quarter", "2026-10-01", "2027-01-01")
OVERRIDE = Override(
    key="o1", rev=1, period_key="2026-Q4", node="team:n", view="commit", level="own", author_key="eva",
    amount_minor=60_000, currency="EUR", based_on_minor=50_000, set_at=1, number=1, status="standing",
    stale=True, delta_minor=500,
)  # fmt: skip


def money(**amounts: int) -> dict[str, Money]:
    return {bucket: Money(amounts.get(bucket, 0), amounts.get(bucket, 0) // 2, 1) for bucket in BUCKETS}


def amounts(own: int, rolled_up: int, code: str | None = None, overrides: list[Override] | None = None) -> Amounts:
    hidden = code is not None
    return Amounts(
        own=own,
        rolled_up=rolled_up,
        own_adjusted=rolled_up,
        manager_adjusted=None if hidden else rolled_up,
        code=code,
        overrides=overrides or [],
    )


def node(place: str, depth: int, parent: str | None, buckets: dict[str, Money], **more: object) -> Node:
    kind, _, key = place.partition(":")
    values: dict[str, object] = {
        "node": place, "kind": kind, "name": key.title() or "Contoso", "parent": parent, "depth": depth, "here": True,
        "leaf": kind == "user", "buckets": buckets, "direct": {}, "own": {}, "overlay": money(commit=7),
        "views": {view: amounts(1, 2) for view in VIEWS}, "missing": {}, "partial": False, "why": [],
    }  # fmt: skip
    return Node(**{**values, **more})  # type: ignore[arg-type]


def rollup(currency: str = "EUR") -> Rollup:
    nodes = [
        node(
            "company", 0, None, money(closed=150_050, commit=30_000, slipped=1),
            direct=money(slipped=1), missing={"amount_missing": 2, "owner_missing": 1}, partial=True,
            why=["amount_missing", "owner_missing", "not_seen"],
        ),
        node("team:n", 1, "company", money(closed=150_050, commit=30_000), name="=NORTH()", views={
            view: amounts(1, 2, "not_shown", [OVERRIDE]) for view in VIEWS
        }),
        node("user:eva", 2, "team:n", money(closed=150_050), here=False),
        node("user:ben", 1, "company", money(), name=None),
    ]  # fmt: skip
    return Rollup(
        period=PERIOD, as_of="2026-11-22", as_of_snapshot=None, seq=9, zone="UTC", by="owner", currency=currency,
        node="company", nodes=nodes, rates=[], missing=[], missing_count=3, partial=True, why=nodes[0].why,
    )  # fmt: skip


def deals(amount_minor: int | None = 12_345) -> DealPage:
    part = DealPart(
        deal_key="d1", name="-Pumps", account_key="a1", user_key="eva", bucket="commit", overlay=False,
        amount_minor=amount_minor, weighted_minor=None, code=None if amount_minor is not None else "rate_missing",
    )  # fmt: skip
    return DealPage(
        period=PERIOD, as_of="2026-11-22", as_of_snapshot=4, currency="EUR", node="user:eva", bucket=None, items=[part],
        hidden=Unseen(2, 500, 250), partial=True, next=None,
    )  # fmt: skip
