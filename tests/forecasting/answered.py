"""Answers of a made-up forecast, for tests of what is made of them."""

from msgspec import structs

from forecasting import accuracy as accuracies
from forecasting.accuracy import Accuracy, Called
from forecasting.answers import Amounts, DealPage, DealPart, Missing, Money, Node, Override, PeriodTold, Rollup, Unseen
from forecasting.movement import CLASSES, Bar
from forecasting.moving import MovedDeal, MovedPage, Movement, Taken
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


def bar(name: str, count: int = 0, **by_bucket: int) -> Bar:
    return Bar(name, count, by_bucket, sum(amount for bucket, amount in by_bucket.items() if bucket != "omitted"))


def movement() -> Movement:
    effects = {"won": bar("won", 1, closed=120_00, commit=-100_00), "down": bar("down", 1, omitted=-7_00)}
    return Movement(
        period=PERIOD, node="team:n", currency="EUR", since=Taken(3, "2026-11-15", 1, "a"),
        to=Taken(10, "2026-11-22", 2, "b"), opening=bar("opening", 2, commit=300_00, omitted=7_00),
        classes=[effects.get(name, bar(name)) for name in CLASSES], unchanged=4, rates=bar("rates", 0, commit=5),
        closing=bar("closing", 2, closed=120_00, commit=200_05),
        missing=[Missing("amount_missing", "deals", "d9", "eva")], missing_count=1, partial=True, why=["not_seen"],
    )  # fmt: skip


def moved() -> MovedPage:
    deal = MovedDeal(
        deal_key="d1", name="@x", account_key=None, owner_key="eva", into="won", was="commit", now="closed",
        amounts={"closed": 120_00, "commit": -100_00}, total_minor=20_00,
    )  # fmt: skip
    told = movement()
    return MovedPage(
        period=PERIOD, node=told.node, currency="EUR", since=told.since, to=told.to, items=[deal], partial=False,
        why=[], next=None,
    )  # fmt: skip


def call(key: str, level: str, due_on: str, called: int | None, closed: int | None) -> Called:
    return Called(
        key=key, period_key="2026-Q4", node=f"user:{key}", author_key=key, due_on=due_on, level=level, weeks=3,
        called_minor=called, closed_minor=closed, code=None if called is not None else "not_called",
    )  # fmt: skip


def accuracy() -> Accuracy:
    calls = [
        call("ana", "person", "2026-10-05", 3, 4),
        call("ben", "person", "2026-10-05", 4, 5),
        call("ana", "person", "2026-10-12", 4, 6),
        call("ben", "person", "2026-10-12", None, 5),
        call("eva", "team 1", "2026-10-12", 100, 9),
    ]
    scores, together = accuracies.scores(calls, "level")
    people = structs.replace(scores[0], wape_bp=2_500)
    return Accuracy(
        as_of="2027-01-05", zone="UTC", currency="EUR", view="commit", by="level", periods=[PERIOD],
        scores=[people, *scores[1:]], all=together, items=calls, count=len(calls),
    )  # fmt: skip
