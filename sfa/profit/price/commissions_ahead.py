"""What a deal would pay a person under a plan, on top of what the period has paid already (R41, R44). Pure.

The rule is that of the ledger (`sfa.core.commission`): the period is counted with the deal and without it, and the
difference is what the deal pays, tiers that it crosses for earlier deals included. The deal's own standing end is left
out first, so a won deal that had another price is counted once.
Does not do: who has which plan; draws, which are of statements.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from sfa.core.commission import Earned, Terms, entries_of, of_quota
from sfa.core.money import Rounding, allocate, apply_bp
from sfa.profit.waterfall import NOT_PERMITTED
from sfa.quotas.conversion import Exchange, Missing


class Shared(Struct, frozen=True):
    """One person's part of a deal: his `place` among the `weights` that share it, or an overlay's own `share_bp`."""

    user_key: str
    weights: tuple[int, ...]
    place: int
    share_bp: int | None = None


class Owed(Struct, frozen=True, kw_only=True):
    """A person's plan in one period, with what he earned in it in the plan's currency. `terms` are null, and `code`
    says why, where it is not computable."""

    user_key: str
    plan_key: str
    period_key: str
    measure: str
    currency: str
    overlay: bool
    terms: Terms | None
    earned: tuple[Earned, ...]
    code: str | None = None


class Pay(Struct, frozen=True, kw_only=True):
    """The same, and his part of the deal."""

    owed: Owed
    shared: Shared
    deal_currency: str
    exchange: Exchange


class Unseen(Struct, frozen=True):
    """Somebody is paid by a plan that lies where the caller does not look: one on margins (R45)."""

    user_key: str
    plan_key: str


class Paid(Struct, frozen=True):
    """In the plan's currency, and in the deal's; null where not computable, for the reason in `code`. Of a plan that
    the caller does not see (`not_permitted`) period and currency are null too: a phone does not know them."""

    user_key: str
    plan_key: str
    period_key: str | None
    amount_minor: int | None
    currency: str | None
    in_deal_minor: int | None
    code: str | None


def part_of(amount: int, shared: Shared) -> int:
    if shared.share_bp is not None:
        return apply_bp(amount, shared.share_bp, Rounding.HALF_UP)
    return allocate(amount, shared.weights)[shared.place] if any(shared.weights) else 0


def paid(pay: Pay | Unseen, deal_key: str, at: int, amount: int, goods: int | None, *, costed: bool) -> Paid:
    """A margin is what the ledger takes for one (R11): his part of the amount less his part of the `goods`, whatever
    else the deal cost. Of a plan on margins somebody who does not see cost learns nothing: the rate is known, so he
    could tell the margin from what it pays (R45)."""
    if isinstance(pay, Unseen) or (pay.owed.measure == "margin" and not costed):
        of_whom = pay if isinstance(pay, Unseen) else pay.owed
        return Paid(of_whom.user_key, of_whom.plan_key, None, None, None, None, NOT_PERMITTED)
    owed = pay.owed
    of = owed.user_key, owed.plan_key, owed.period_key
    code = owed.code
    if owed.measure == "margin" and goods is None:
        code = code or "cost_missing"
    if code is not None or owed.terms is None:
        return Paid(*of, None, owed.currency, None, code or "not_computable")
    part = part_of(amount, pay.shared) - (part_of(goods or 0, pay.shared) if owed.measure == "margin" else 0)
    mine = pay.exchange.value(part, pay.deal_currency, owed.currency, at)
    if isinstance(mine, Missing):
        return Paid(*of, None, owed.currency, None, "rate_missing")
    others = [e for e in owed.earned if e.deal_key != deal_key or e.reversed_at is not None]
    n = 1 + max((e.n for e in others if e.deal_key == deal_key), default=0)
    deal = Earned(deal_key, n, at, "won", mine[0])
    more = _total(owed.terms, [*others, deal]) - _total(owed.terms, others)
    back = pay.exchange.value(more, owed.currency, pay.deal_currency, at)
    if isinstance(back, Missing):
        return Paid(*of, more, owed.currency, None, "rate_missing")
    return Paid(*of, more, owed.currency, back[0], None)


def _total(terms: Terms, earned: Sequence[Earned]) -> int:
    return sum(entry.amount_minor for entry in entries_of(terms, earned))


def terms_of(plan: Mapping[str, Any], target: int | None) -> Terms | None:
    """A plan's row as terms of one period; None where it is of a quota that there is not."""
    if plan["of_quota"]:
        if target is None or target <= 0:
            return None
        tiers = of_quota([(tier["from_bp"], tier["rate_bp"]) for tier in plan["tiers"]], target)
    else:
        tiers = tuple((tier["from_minor"], tier["rate_bp"]) for tier in plan["tiers"])
    return Terms(plan["mode"], tiers, plan["cap_minor"], plan["retier"])
