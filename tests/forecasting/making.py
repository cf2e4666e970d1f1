"""Small forecasts made by hand: facts of a quarter, and the tree in which they lie."""

from typing import Any

from forecasting.answers import Basis, Fact, NodeRow, PeriodTold, Place, Rollup
from forecasting.ledger import ledger
from forecasting.rollup import NOTHING, Asked, Standing, rolled
from forecasting.spots import EVERYTHING, Sight

Q1 = PeriodTold("FY2026.Q1", "FY2026.Q1", "quarter", "2026-01-01", "2026-04-01")
NORTH, SOUTH = ("team:emea", "team:north"), ("team:emea", "team:south")
# Max manages the team north, Eva all of emea; Ann and Bob are in north, Cem in south.
ROWS = [
    NodeRow("team:emea", "Europe"),
    NodeRow("team:north", "North", ("team:emea",)),
    NodeRow("team:south", "South", ("team:emea",)),
    NodeRow("user:eva", "Eva", ("team:emea",), manages=True),
    NodeRow("user:max", "Max", NORTH, manages=True),
    NodeRow("user:ann", "Ann", NORTH),
    NodeRow("user:bob", "Bob", NORTH),
    NodeRow("user:cem", "Cem", SOUTH),
]
PLACES = {row.node.partition(":")[2]: Place(row.parents, row.manages) for row in ROWS if row.node.startswith("user:")}


def fact(user: str, amount: int | None, bucket: str = "commit", deal: str = "", **more: Any) -> Fact:
    said: dict[str, Any] = {"place": PLACES.get(user, Place()), "weighted_minor": amount, "currency": "EUR", **more}
    return Fact(deal_key=deal or f"{user}-{bucket}-{amount}", user_key=user, bucket=bucket, amount_minor=amount, **said)


def basis(*facts: Fact, rows: list[NodeRow] = ROWS) -> Basis:
    return Basis(
        period=Q1,
        as_of="2026-02-15",
        zone="UTC",
        currency="EUR",
        seq=1,
        snapshot=None,
        facts=list(facts),
        nodes={row.node: row for row in rows},
        rates=[],
    )


def roll(
    of: Basis,
    node: str = "company",
    *,
    by: str = "owner",
    sight: Sight = EVERYTHING,
    standing: Standing = NOTHING,
    depth: int | None = None,
) -> Rollup:
    return rolled(of, ledger(of.facts, "owner" if by == "team" else by), Asked(node, by, depth), sight, standing)


def amounts_of(found: Rollup, bucket: str = "commit") -> dict[str, int]:
    """node -> the amount of a bucket, of each place."""
    return {node.node: node.buckets[bucket].amount_minor for node in found.nodes}
