"""What the deals of a snapshot bring to a period: facts as a roll-up takes them, and stands as a movement does. Pure.

Everything is taken from the snapshot: buckets by its day, places by its trees, money by its rates; credits are worth
what they were at the rate of their own day. A movement looks at the later snapshot through the rates of the earlier
one; a credit that both know was worth there what the earlier one says.
Does not do: reading snapshots (`kept`), the sums (`rollup`, `movement`).
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from msgspec import Struct

from forecasting.answers import AWAITED, COMPANY, UNDATED, Fact, NodeRow, PeriodTold
from forecasting.answers import Place as Stood
from forecasting.documents import CreditPart, Deal, Named, Part, standing_ends
from forecasting.movement import Stand
from forecasting.reading import SELLS
from forecasting.spots import Sight
from forecasting.tree import Stay, Tree
from sfa.core.days import plus_days
from sfa.core.exchange import Applied
from sfa.core.forecast import CLOSED, OMITTED, bucket_of, weighted
from sfa.core.hierarchy import Edge
from sfa.core.money import allocate


class Around(Struct, frozen=True):
    """What stands around the deals of a snapshot. `today` is its day."""

    today: str
    currency: str
    period: PeriodTold
    applied: dict[str, Applied]
    people: dict[str, Named]
    teams: dict[str, Named]
    territories: dict[str, Named]
    products: dict[str, Named]
    tree: Tree

    def value(self, amount_minor: int | None, currency: str | None) -> int | None:
        """At the rate of the snapshot's day; None for no amount, and where there was no rate."""
        if amount_minor is None or currency is None:
            return None
        if currency == self.currency:
            return amount_minor
        applied = self.applied.get(currency)
        return applied.value(amount_minor) if applied is not None else None

    def bucket(self, deal: Deal) -> str | None:
        """Where an open deal stands in the period."""
        if deal.state != "open":
            return None
        return bucket_of(deal.category or OMITTED, deal.close_on, self.today, self.period.start_on, self.period.end_on)

    def credited(self, deal: Deal) -> Iterator[CreditPart]:
        """What counts in the period."""
        return (c for c in deal.credits if self.period.start_on <= c.on < self.period.end_on)

    def awaits(self, deal: Deal) -> bool:
        """Whether a deal was won in the period and is credited to nobody yet."""
        return deal.is_awaited and self.period.start_on <= (deal.closed_on or "") < self.period.end_on

    @property
    def is_running(self) -> bool:
        return self.period.start_on <= self.today < self.period.end_on

    @property
    def stands_on(self) -> str:
        """The day of the tree: the snapshot's, of a period that was over its last one, as live rows have it."""
        return min(self.today, plus_days(self.period.end_on, -1))


def tree_of(people: Mapping[str, Named], teams: Mapping[str, Named], territories: Mapping[str, Named]) -> Tree:
    stays = (
        Stay(key, place.above, place.role == "manager", place.valid_from, place.valid_to)
        for key, person in people.items()
        for place in person.places
        if place.above is not None
    )
    return Tree(stays, _edges(teams), _edges(territories))


def _edges(named: Mapping[str, Named]) -> Iterator[Edge]:
    return (Edge(key, p.above, p.valid_from, p.valid_to) for key, one in named.items() for p in one.places)


def nodes_of(around: Around, with_money: Set[str]) -> dict[str, NodeRow]:
    """Everything that was named in the snapshot, by node; of people those who sell, are in a team or have money."""
    named = (("user", around.people), ("team", around.teams), ("territory", around.territories))
    nodes = [f"{kind}:{key}" for kind, of in (*named, ("product", around.products)) for key in of]
    rows = {node: row for node in nodes if (row := node_row(node, around)) is not None}
    for key, person in around.people.items():
        if key not in with_money and not (person.active and _stands(key, person, rows[f"user:{key}"], around)):
            rows.pop(f"user:{key}", None)
    return rows


def _stands(key: str, person: Named, row: NodeRow, around: Around) -> bool:
    """Whether who has no money is told; who came into a team after the period is not in it."""
    return bool(row.parents) or (person.role in SELLS and not around.tree.place(key, around.today).path)


def node_row(node: str, around: Around) -> NodeRow | None:
    """A node as it stands (`Around.stands_on`); None where nothing has that name, or has it no longer."""
    kind, _, key = node.partition(":")
    named = {"user": around.people, "team": around.teams, "territory": around.territories, "product": around.products}
    found = named.get(kind, {}).get(key)
    if found is None or found.gone:
        return None
    if kind == "user":
        place = around.tree.place(key, around.stands_on)
        return NodeRow(node, found.name, place.path, place.manages)
    if kind == "product":
        return NodeRow(node, found.name)
    path = around.tree.team_path if kind == "team" else around.tree.territory_path
    return NodeRow(node, found.name, path(key, around.stands_on)[:-1])


# -- facts ------------------------------------------------------------------------------------------------------------


def facts_of(key: str, deal: Deal, around: Around) -> list[Fact]:
    """Every person's part of a deal in the period; an open deal without a day is told of the period that is running,
    what is won and awaits its credit of that in which it was won."""
    bucket = around.bucket(deal)
    if bucket is None and deal.state == "open" and deal.close_on is None and around.is_running:
        bucket = UNDATED
    parts, credits_ = deal.parts if bucket is not None else (), list(around.credited(deal))
    alone = len(parts) == 1, len(credits_) == 1
    found = [_open(key, deal, part, bucket or UNDATED, around, alone[0]) for part in parts]
    found += [_closed(key, deal, credit, around, alone[1]) for credit in credits_]
    return found + [_awaited(key, deal, part, around) for part in (deal.parts if around.awaits(deal) else ())]


def _open(key: str, deal: Deal, part: Part, bucket: str, around: Around, alone: bool) -> Fact:
    value = around.value(part.amount_minor, deal.currency)
    return Fact(
        deal_key=key,
        user_key=part.user_key,
        place=around.tree.place(part.user_key, around.today),
        bucket=bucket,
        amount_minor=value,
        weighted_minor=weighted(value, deal.probability_bp) if value is not None else None,
        currency=deal.currency,
        overlay=part.overlay,
        alone=alone,
        holes=tuple(_holes(deal, part, bucket, value, around)),
        territory=around.tree.territory_path(deal.territory_key, around.today),
        products=deal.products,
    )


def _awaited(key: str, deal: Deal, part: Part, around: Around) -> Fact:
    """Where its credit would lie if there were one, at the rate of the snapshot's day, in no total."""
    value, on = around.value(part.amount_minor, deal.currency), deal.closed_on or around.today
    return Fact(
        deal_key=key,
        user_key=part.user_key,
        place=around.tree.place(part.user_key, on),
        bucket=AWAITED,
        amount_minor=value,
        weighted_minor=value,
        currency=deal.currency,
        overlay=part.overlay,
        holes=("credit_awaited",),
        territory=around.tree.territory_path(deal.territory_key, on),
        products=deal.products,
    )


def _holes(deal: Deal, part: Part, bucket: str, value: int | None, around: Around) -> Iterator[str]:
    if bucket == UNDATED:
        yield "close_on_missing"
    if part.amount_minor is None or deal.currency is None:
        yield "amount_missing"
    elif value is None:
        yield "rate_missing"
    person = around.people.get(part.user_key)
    if person is None or not person.active:
        yield "owner_missing"


def has_hole(deal: Deal, around: Around) -> bool:
    """Whether a deal's facts may have one, without making them."""
    for credit in deal.credits:
        if credit.report_minor is None:
            return True
    if deal.state != "open":
        return around.awaits(deal)
    if deal.close_on is None:
        return around.is_running
    if deal.amount_minor is None or (deal.currency != around.currency and deal.currency not in around.applied):
        return True
    for part in deal.parts:
        person = around.people.get(part.user_key)
        if person is None or not person.active or part.amount_minor is None:
            return True
    return False


def _closed(key: str, deal: Deal, credit: CreditPart, around: Around, alone: bool) -> Fact:
    worth, hole = credit.report_minor, ""
    if worth is None:
        hole = "amount_missing" if credit.amount_minor is None or credit.currency is None else "rate_missing"
    value = -worth if worth is not None and credit.reversal else worth
    return Fact(
        deal_key=key,
        user_key=credit.user_key,
        place=around.tree.place(credit.user_key, credit.on),
        bucket=CLOSED,
        amount_minor=value,
        weighted_minor=value,
        currency=credit.currency,
        overlay=credit.overlay,
        alone=alone,
        holes=(hole,) if hole else (),
        territory=around.tree.territory_path(credit.territory_key, credit.on),
        products=deal.products,
    )


# -- stands -----------------------------------------------------------------------------------------------------------


class Lens:
    """How a caller looks at a node: which parts of deals are in it, and which of those are his to see. `unseen` says
    that some were not (R30)."""

    def __init__(self, node: str, sight: Sight) -> None:
        self.node, self.unseen = node, False
        self._sight, self._kind = sight, node.partition(":")[0]
        self.product = node.removeprefix("product:") if self._kind == "product" else None
        self.of_places = self._kind == "territory"
        self._is_all = node == COMPANY and sight.everything

    def takes(self, user: str, place: Stood, territory: tuple[str, ...]) -> bool:
        """Whether a part is in the node and may be told; products are weighed apart."""
        if self._is_all:
            return True
        if self._kind in ("company", "product"):
            path = place.path
        elif self._kind == "territory":
            path = territory
        else:
            path = (*place.path, f"user:{user}")
        if self._kind not in ("company", "product") and self.node not in path:
            return False
        sight = self._sight
        if sight.everything or user in sight.books or sight.above(() if self._kind == "product" else path):
            return True
        self.unseen = True
        return False

    def weighed(self, deal: Deal, amount: int) -> int | None:
        """What of an amount is of the node's product; None where the deal has nothing of it."""
        if self.product is None:
            return amount
        return dict(by_product(deal.products, amount)).get(self.product)


def by_product(products: Iterable[tuple[str, int]], amount: int) -> list[tuple[str, int]]:
    """An amount by product, to the minor unit; all of it to '' where there is no line that is worth anything."""
    weights = list(products)
    if not any(weight for _, weight in weights):
        return [("", amount)]
    parts = allocate(amount, [weight for _, weight in weights])
    return [(key, part) for (key, weight), part in zip(weights, parts, strict=True) if weight]


def stand_of(deal: Deal | None, around: Around, lens: Lens, was: tuple[Deal | None, Around] | None) -> Stand | None:
    """A deal at one end of a movement. `was` is the deal at the other end with what was around it, for the later end:
    its rates are those that count."""
    if deal is None:
        return None
    bucket = around.bucket(deal)
    credits_ = [c for c in around.credited(deal) if not c.overlay] if deal.credits else []
    standing = standing_ends(credits_) if credits_ else ()
    net = sum((-1 if c.reversal else 1) * (c.report_minor or 0) for c in credits_)
    if bucket is None and not standing and not net:
        return _NOWHERE[deal.state == "lost"]
    first, own = dict[str, int](), dict[str, int]()
    share = 0
    if bucket is not None:
        share = _add_open(deal, bucket, (was[1] if was is not None else around, around), lens, first, own)
    if standing or net:
        known = _worth(was[0]) if was is not None and was[0] is not None else {}
        part = _add_closed(deal, credits_, around, lens, known, first, own)
        share = part if bucket is None else share
    return Stand(deal.state == "lost", True, bool(first), share if first else 0, standing, first, own)


def _add_open(
    deal: Deal, bucket: str, rates: tuple[Around, Around], lens: Lens, first: dict[str, int], own: dict[str, int]
) -> int:
    """Add what of an open deal is in the node, at the rates of the first end and of its own -> the share."""
    at_first, around = rates
    share = 0
    territory = around.tree.territory_path(deal.territory_key, around.today) if lens.of_places else ()
    is_same = at_first is around or deal.currency == at_first.currency
    for part in deal.parts:
        if part.overlay or not part.share_bp:
            continue
        if not lens.takes(part.user_key, around.tree.place(part.user_key, around.today), territory):
            continue
        value = lens.weighed(deal, at_first.value(part.amount_minor, deal.currency) or 0)
        if value is not None:
            share += part.share_bp
            first[bucket] = first.get(bucket, 0) + value
            then = value if is_same else lens.weighed(deal, around.value(part.amount_minor, deal.currency) or 0)
            own[bucket] = own.get(bucket, 0) + (then or 0)
    return share


def _add_closed(
    deal: Deal,
    credits_: Iterable[CreditPart],
    around: Around,
    lens: Lens,
    known: Mapping[tuple[Any, ...], int],
    first: dict[str, int],
    own: dict[str, int],
) -> int:
    """The same of credits -> the share of the last end that stands."""
    share, last = 0, max(standing_ends(credits_), default=0)
    for credit in credits_:
        place = around.tree.place(credit.user_key, credit.on)
        if not lens.takes(credit.user_key, place, around.tree.territory_path(credit.territory_key, credit.on)):
            continue
        worth, sign = credit.report_minor or 0, -1 if credit.reversal else 1
        value = lens.weighed(deal, sign * known.get(_identity(credit), worth))
        if value is not None:
            share += credit.share_bp if credit.n == last and not credit.reversal else 0
            first[CLOSED] = first.get(CLOSED, 0) + value
            own[CLOSED] = own.get(CLOSED, 0) + (lens.weighed(deal, sign * worth) or 0)
    return share


_NOWHERE = {lost: Stand(lost, False, False, 0, (), {}, {}) for lost in (False, True)}


def _identity(credit: CreditPart) -> tuple[Any, ...]:
    of = credit.n, credit.user_key, credit.overlay, credit.reversal
    return *of, credit.rated_on, credit.amount_minor, credit.currency


def _worth(deal: Deal) -> dict[tuple[Any, ...], int]:
    return {_identity(c): c.report_minor for c in deal.credits if c.report_minor is not None}
