"""What a quota counts, fact by fact (R4, R11): pure, the same for a sum, an explanation and a device.

A *fact* is something that happened: a credit, credited quantities, a visit, a customer won for the first time; `count`
says of how many alike it is the sum. `takes` says whether a quota is about a fact at all, `judged` what the fact adds
to it, or why it is left out. Money that is of another currency than the quota's is converted by `Exchange` at the rate
of the fact's own day, each fact for itself.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from msgspec import Struct

from sfa.quotas.conversion import Applied, Exchange, Missing

Family = Literal["deals", "quantities", "visits", "firsts"]
FAMILY: dict[str, Family] = {
    "revenue": "deals",
    "margin": "deals",
    "quantity": "quantities",
    "total_contacts": "visits",
    "unique_contacts": "visits",
    "new_accounts": "firsts",
}
NOT_HELD = ("no_show", "cancelled")  # visits that did not happen: they are of the time that was planned


class QuotaRow(Struct, frozen=True, kw_only=True, gc=False):
    """A quota with the bounds of its period: instants [start_at, end_at) of the organisation's zone."""

    key: str
    user_key: str | None = None
    team_key: str | None = None
    territory_key: str | None = None
    period_key: str
    period_name: str
    start_on: str
    end_on: str
    start_at: int
    end_at: int
    measure: str
    target: int
    currency: str | None = None
    unit: str | None = None
    product_key: str | None = None
    account_tier: str | None = None
    visit_type: str | None = None
    counts_unverified: bool = True
    counts_out_of_range: bool = True
    counts_no_show: bool = False
    counts_cancelled: bool = False
    overlay: bool = False
    spread_of: str | None = None
    status: str = "draft"
    approvals: int = 0
    version: int = 0  # of the target: 0 is the draft's own

    @property
    def family(self) -> Family:
        return FAMILY[self.measure]

    @property
    def is_money(self) -> bool:
        return self.measure in ("revenue", "margin")

    @property
    def holder(self) -> tuple[str, str]:
        """Whose it is: ("user" | "team" | "territory", key)."""
        if self.user_key is not None:
            return "user", self.user_key
        return ("team", self.team_key) if self.team_key is not None else ("territory", self.territory_key or "")


class Contribution(Struct, frozen=True, kw_only=True, gc=False):
    """What one fact adds to one quota; `value` in the measure's unit: minor units of the quota's currency, millionths
    of a unit of quantity, or a number. What is left out (`counted` False) adds 0, and `reason` says why. `ordinal` is
    the end of a deal. `rate` is the quoted row's text, `inverse` says that it quotes the pair the other way round."""

    quota_key: str
    entity: str
    row_key: str
    ordinal: int
    reversal: bool
    user_key: str
    at: int
    share_bp: int
    amount_minor: int | None
    currency: str | None
    rate: str | None
    rate_on: str | None
    inverse: bool
    value: int
    reason: str
    counted: bool = True
    cost_minor: int | None = None
    cost_currency: str | None = None

    @property
    def place(self) -> tuple[int, str, str, int, bool, str]:
        """Contributions of one quota are in this order."""
        return self.at, self.entity, self.row_key, self.ordinal, self.reversal, self.user_key


class DealFact(Struct, frozen=True, kw_only=True, gc=False):
    """A credit; in a sum of credits amounts are signed already. Money is converted at the rate of `rated_at`, where it
    is not that of `at`."""

    entity: ClassVar[str] = "deals"
    family: ClassVar[Family] = "deals"
    user_key: str = ""
    at: int
    row_key: str = ""
    ordinal: int = 0
    reversal: bool = False
    territory_key: str | None = None
    tier: str | None = None
    share_bp: int = 0
    overlay: bool
    event: str = ""
    amount_minor: int | None
    currency: str | None
    cost_minor: int | None = None
    cost_currency: str | None = None
    rated_at: int | None = None
    count: int = 1


class QuantityFact(Struct, frozen=True, kw_only=True, gc=False):
    """`parts` are (product, unit, millionths), those of one credit together."""

    entity: ClassVar[str] = "deals"
    family: ClassVar[Family] = "quantities"
    user_key: str = ""
    at: int
    row_key: str = ""
    ordinal: int = 0
    reversal: bool = False
    territory_key: str | None = None
    tier: str | None = None
    share_bp: int = 0
    overlay: bool
    event: str = ""
    parts: tuple[tuple[str, str, int], ...]
    count: int = 1


class VisitFact(Struct, frozen=True, kw_only=True, gc=False):
    """`person` is whom it met: a contact, or the customer as such."""

    entity: ClassVar[str] = "visits"
    family: ClassVar[Family] = "visits"
    user_key: str = ""
    at: int
    row_key: str = ""
    ordinal: ClassVar[int] = 0
    reversal: ClassVar[bool] = False
    territory_key: str | None = None
    tier: str | None = None
    share_bp: ClassVar[int] = 10_000
    status: str
    verdict: str | None
    visit_type: str | None = None
    person: str = ""
    count: int = 1


def person_met(contact_key: str | None, account_key: str) -> str:
    """Whom a visit met: a contact, or the customer as such."""
    return f"contact:{contact_key}" if contact_key is not None else f"account:{account_key}"


class FirstFact(Struct, frozen=True, kw_only=True, gc=False):
    """A customer's first credit that stands (`row_key` is the account), of the owner of that deal."""

    entity: ClassVar[str] = "accounts"
    family: ClassVar[Family] = "firsts"
    user_key: str = ""
    at: int
    row_key: str = ""
    ordinal: ClassVar[int] = 0
    reversal: ClassVar[bool] = False
    territory_key: str | None = None
    tier: str | None = None
    share_bp: ClassVar[int] = 10_000
    count: int = 1


Fact = DealFact | QuantityFact | VisitFact | FirstFact


class Judged(Struct, frozen=True, gc=False):
    value: int
    reason: str
    counted: bool = True
    applied: Applied | None = None
    missing: Missing | None = None


def takes(quota: QuotaRow, fact: Fact) -> bool:
    """Whether the quota is about such a fact: its filters, and overlay credit only where the quota is one of overlays.
    Whose fact it is and when it happened is not asked here."""
    if quota.account_tier is not None and fact.tier != quota.account_tier:
        return False
    if isinstance(fact, DealFact):
        return fact.overlay is quota.overlay
    if isinstance(fact, VisitFact):
        return quota.visit_type is None or fact.visit_type == quota.visit_type
    if isinstance(fact, QuantityFact):
        return fact.overlay is quota.overlay and any(_is_counted(quota, p, unit) for p, unit, _ in fact.parts)
    return True


def judged(quota: QuotaRow, fact: Fact, exchange: Exchange) -> Judged:
    """What the fact adds to a quota that takes it. Whether somebody was met before is for the caller to know."""
    return _JUDGES[quota.measure](quota, fact, exchange)


def needs_rows(quota: QuotaRow, fact: Fact) -> bool:
    """Whether a sum of such facts says nothing: each of them is converted and rounded for itself."""
    if not isinstance(fact, DealFact) or fact.currency is None:
        return False
    if quota.measure == "margin" and fact.cost_currency not in (None, quota.currency):
        return True
    return fact.currency != quota.currency


def _reason(fact: DealFact | QuantityFact) -> str:
    return "reopened" if fact.reversal else fact.event


def _rated_at(fact: DealFact) -> int:
    return fact.at if fact.rated_at is None else fact.rated_at


def _revenue(quota: QuotaRow, fact: Fact, exchange: Exchange) -> Judged:
    assert isinstance(fact, DealFact)
    if fact.amount_minor is None or fact.currency is None:
        return Judged(0, "amount_missing", counted=False)
    if fact.currency == quota.currency:
        return Judged(-fact.amount_minor if fact.reversal else fact.amount_minor, _reason(fact))
    found = exchange.value(fact.amount_minor, fact.currency, quota.currency or "", _rated_at(fact))
    if isinstance(found, Missing):
        return Judged(0, "rate_missing", counted=False, missing=found)
    value, applied = found
    return Judged(-value if fact.reversal else value, _reason(fact), applied=applied)


def _margin(quota: QuotaRow, fact: Fact, exchange: Exchange) -> Judged:
    """Amount and cost are converted each for itself, so that revenue less cost is margin."""
    assert isinstance(fact, DealFact)
    revenue = _revenue(quota, fact, exchange)
    if not revenue.counted:
        return revenue
    if fact.cost_minor is None or fact.cost_currency is None:
        return Judged(0, "cost_missing", counted=False)
    cost = exchange.value(fact.cost_minor, fact.cost_currency, quota.currency or "", _rated_at(fact))
    if isinstance(cost, Missing):
        return Judged(0, "rate_missing", counted=False, missing=cost)
    sign = -1 if fact.reversal else 1
    return Judged(revenue.value - sign * cost[0], revenue.reason, applied=revenue.applied or cost[1])


def _is_counted(quota: QuotaRow, product: str, unit: str) -> bool:
    """Units never mix: without a product only one unit is summed."""
    if quota.product_key is not None and product != quota.product_key:
        return False
    wanted = quota.unit or ("piece" if quota.product_key is None else None)
    return wanted is None or unit == wanted


def _quantity(quota: QuotaRow, fact: Fact, _exchange: Exchange) -> Judged:
    assert isinstance(fact, QuantityFact)
    value = sum(micro for product, unit, micro in fact.parts if _is_counted(quota, product, unit))
    return Judged(-value if fact.reversal else value, _reason(fact))


def _contact(quota: QuotaRow, fact: Fact, _exchange: Exchange) -> Judged:
    """The rule of R4, in one place: which visits are contacts."""
    assert isinstance(fact, VisitFact)
    match fact.status:
        case "no_show":
            return Judged(fact.count, "no_show") if quota.counts_no_show else Judged(0, "no_show", counted=False)
        case "cancelled":
            return Judged(fact.count, "cancelled") if quota.counts_cancelled else Judged(0, "cancelled", counted=False)
        case "completed":
            pass
        case _:
            return Judged(0, "still_open", counted=False)
    if fact.verdict == "out_of_range" and not quota.counts_out_of_range:
        return Judged(0, "out_of_range", counted=False)
    if fact.verdict in (None, "unverifiable") and not quota.counts_unverified:
        return Judged(0, "unverified", counted=False)
    return Judged(fact.count, "visited")


def _first(_quota: QuotaRow, fact: Fact, _exchange: Exchange) -> Judged:
    return Judged(fact.count, "first_won")


_JUDGES: Mapping[str, Callable[[QuotaRow, Fact, Exchange], Judged]] = {
    "revenue": _revenue,
    "margin": _margin,
    "quantity": _quantity,
    "total_contacts": _contact,
    "unique_contacts": _contact,
    "new_accounts": _first,
}
