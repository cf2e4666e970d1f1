"""What is asked and answered of a forecast: facts as live rows and as snapshots give them, and roll-ups of them.

A `Fact` is one person's part of one deal in one period, converted into the report currency and rounded once, so that
every sum of facts is exact (R16, R34). Amounts are in minor units. What could not be said is `None` with a code and
never zero. Nodes are named `company`, `team:<key>`, `user:<key>`, `territory:<key>`, `product:<key>`; what has no
territory or product is `territory:` or `product:`.
"""

from msgspec import UNSET, Struct, UnsetType

COMPANY = "company"
DIMENSIONS = ("owner", "team", "territory", "product")
HOLES = ("amount_missing", "close_on_missing", "rate_missing", "owner_missing", "credit_awaited")
UNDATED, AWAITED = "undated", "awaited"
UNLISTED = (UNDATED, AWAITED)  # in no total
UNSEEN, NOT_SHOWN, NOT_KEPT = "not_seen", "not_shown", "not_kept"
MISSING_MAX = 500


# -- what a roll-up is made of ----------------------------------------------------------------------------------------


class Place(Struct, frozen=True, gc=False):
    """Where a person stands on a day: the nodes of his teams from the top down, without the company and himself.
    `manages`: whether he manages the last of them, so that his money is that team's own (R25)."""

    path: tuple[str, ...] = ()
    manages: bool = False


class Fact(Struct, frozen=True, gc=False):
    """`bucket` is where the part stands in the period (`sfa.core.forecast.BUCKETS`); or `undated`, told as a hole of
    the running period, or `awaited`, won and credited to nobody yet, which are both in no total. A reversal is
    negative. `holes` are what is not known of it (`HOLES`); without an amount both amounts are None. `currency` is the
    deal's. `alone` promises that the deal has no other fact in this bucket, so that deals are counted quickly. `place`
    is that of the report's day for open money and of the credit's day for closed (R18). `territory` is the territory's
    path of that day from the top, `products` are weights by which money is shared out to products; both may be empty
    where nobody asked by them."""

    deal_key: str
    user_key: str
    place: Place
    bucket: str
    amount_minor: int | None
    weighted_minor: int | None
    currency: str | None = None
    overlay: bool = False
    alone: bool = False
    holes: tuple[str, ...] = ()
    territory: tuple[str, ...] = ()
    products: tuple[tuple[str, int], ...] = ()


class Summed(Struct, frozen=True, gc=False):
    """What several deals of one person at one place add, without a fact of each: all in the report's currency, shared
    by nobody and without a hole."""

    user_key: str
    place: Place
    bucket: str
    amount_minor: int
    weighted_minor: int
    deals: int


class Missing(Struct, frozen=True, order=True):
    """A hole: what of which row could not be said (`HOLES`), and in whose money it is. `currency` where its rate is
    missing."""

    code: str
    entity: str
    key: str
    user_key: str
    currency: str | None = None


class RateUsed(Struct, frozen=True, order=True):
    """A rate by which money was converted: the quoted row's text and first day. `open` money is converted at the rate
    of the report's day, closed at that of its credit's (R34)."""

    currency: str
    open: bool
    rate_on: str
    rate: str
    inverse: bool


class PeriodTold(Struct, frozen=True):
    """Days [start_on, end_on) of the organisation."""

    key: str
    name: str
    kind: str
    start_on: str
    end_on: str


class NodeRow(Struct, frozen=True, gc=False):
    """A team, person, territory or product on the report's day, of live rows at the latest on the last one of the
    period: `parents` are the nodes above, from the top."""

    node: str
    name: str | None
    parents: tuple[str, ...] = ()
    manages: bool = False


class Basis(Struct, frozen=True, kw_only=True):
    """Everything that a roll-up of one period is made of, live or frozen. `nodes` are those of the report's day; money
    may lie at others too. `snapshot` is the number of the snapshot it was read from, None for live rows. `sums` are of
    deals that are not among the facts."""

    period: PeriodTold
    as_of: str
    zone: str
    currency: str
    seq: int
    snapshot: int | None
    facts: list[Fact]
    nodes: dict[str, NodeRow]
    rates: list[RateUsed]
    sums: list[Summed] = []

    @property
    def is_whole(self) -> bool:
        """Whether every deal has its facts, so that they can be listed."""
        return not self.sums


# -- what is answered -------------------------------------------------------------------------------------------------


class Money(Struct, frozen=True, gc=False):
    """The deals of a bucket: their amount, the sum of amount times probability (R23), and how many they are."""

    amount_minor: int = 0
    weighted_minor: int = 0
    deals: int = 0


class Override(Struct, frozen=True, kw_only=True):
    """A figure that somebody put in the place of another (R26). `stale`: what it was based on is another by now, by
    `delta_minor`. `cause` says why one stands no more: reverted, owner, team, period."""

    key: str
    rev: int
    period_key: str
    node: str
    view: str
    level: str
    author_key: str
    amount_minor: int
    currency: str
    based_on_minor: int
    set_at: int
    number: int
    status: str
    note: str | None = None
    stale: bool = False
    delta_minor: int | None = None
    cause: str | None = None
    ended_at: int | None = None


class Amounts(Struct, frozen=True, kw_only=True):
    """The four amounts of a node in one cumulative view (R25): what is its own, all of it, what those who carry it say,
    and what it counts as above. Adjusted ones are None with a `code`: not_shown where the caller may not know them,
    rate_missing where an override cannot be converted, not_kept in a frozen roll-up. `overrides` are those that stand
    here and that the caller may see."""

    own: int
    rolled_up: int
    own_adjusted: int | None
    manager_adjusted: int | None
    code: str | None = None
    overrides: list[Override] = []


class Node(Struct, frozen=True, kw_only=True):
    """A node at one place of the tree. The parts of `buckets` of all nodes below one parent, and the parent's `direct`
    money, sum to the parent's. A person or team that moved stands at each place where its money was made; `here` says
    whether it is the place of the report's day, and adjusted amounts are counted there.

    `own` of a team is the money of who manages it. `overlay` is credit beside the totals (R16). `buckets` names every
    bucket, the others those that have deals. `missing` counts holes by code, `why` says why the figure is
    `partial`: a code of a hole, or not_seen where some money is not the caller's to see (R30)."""

    node: str
    kind: str
    name: str | None
    parent: str | None
    depth: int
    here: bool
    leaf: bool
    buckets: dict[str, Money]
    direct: dict[str, Money]
    own: dict[str, Money]
    overlay: dict[str, Money]
    views: dict[str, Amounts]
    missing: dict[str, int]
    partial: bool
    why: list[str]


class Rollup(Struct, frozen=True, kw_only=True):
    """`nodes` come in the order of the tree, parents before children, those of one parent by their node; the first is
    the one that was asked for. `missing` lists holes, at most `MISSING_MAX`; `missing_count` counts them all."""

    period: PeriodTold
    as_of: str
    as_of_snapshot: int | None
    seq: int
    zone: str
    by: str
    currency: str
    node: str
    nodes: list[Node]
    rates: list[RateUsed]
    missing: list[Missing]
    missing_count: int
    partial: bool
    why: list[str]


class DealPart(Struct, frozen=True, kw_only=True):
    """One person's part of a deal in a bucket of the period; `name` and `account_key` are of the deal as it is now."""

    deal_key: str
    name: str
    account_key: str | None
    user_key: str
    bucket: str
    overlay: bool
    amount_minor: int | None
    weighted_minor: int | None
    code: str | None = None


class Unseen(Struct, frozen=True):
    """Parts of this page that the caller may not see: how many, and what they add."""

    count: int = 0
    amount_minor: int = 0
    weighted_minor: int = 0


class DealPage(Struct, frozen=True, kw_only=True):
    """What a node's money is the sum of, by deal, person and bucket. All pages, hidden parts too, sum to the node."""

    period: PeriodTold
    as_of: str
    as_of_snapshot: int | None
    currency: str
    node: str
    bucket: str | None
    items: list[DealPart]
    hidden: Unseen
    partial: bool
    next: str | None


class Setting(Struct, frozen=True, kw_only=True):
    """One entry of an override's history: what was set, or that it ended, by whom and when."""

    rev: int
    at: int
    author_key: str | None
    amount_minor: int
    currency: str
    based_on_minor: int
    number: int
    status: str
    note: str | None
    cause: str | None


class OverrideTold(Struct, frozen=True, kw_only=True):
    """An override with everything that was ever set in its place, oldest first."""

    override: Override
    history: list[Setting]


class OverridePage(Struct, frozen=True, kw_only=True):
    items: list[OverrideTold]
    next: str | None


class OverrideSet(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a PUT; `currency` is that of the report unless it says so."""

    amount_minor: int
    currency: str | UnsetType = UNSET
    note: str | None = None
