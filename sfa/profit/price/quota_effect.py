"""What a deal does to the quotas of those who share it: where they are, and where they would be (R44). Pure.

An open deal is counted as if it were won on the day that it is expected; a won one counts already, so only the
difference of its price moves the figure.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from sfa.core.money import ratio_bp
from sfa.profit.price.commissions_ahead import Shared, part_of
from sfa.profit.price.whatif import Compared, Outcome, goods_of
from sfa.quotas.conversion import Exchange, Missing
from sfa.quotas.measures import QuotaRow
from sfa.quotas.tallies import Figure


class QuotaEffect(Struct, frozen=True):
    """Minor units of the quota's currency; `now` without the deal unless it is won. Null with the reason in `code`."""

    quota_key: str
    user_key: str
    period_key: str
    measure: str
    target: int
    currency: str | None
    now: int | None
    before: int | None
    after: int | None
    before_bp: int | None
    after_bp: int | None
    code: str | None


def effect(
    quota: QuotaRow,
    figure: Figure,
    shared: Shared,
    amounts: tuple[int | None, int | None],
    currency: str,
    exchange: Exchange,
    at: int,
    *,
    is_won: bool,
) -> QuotaEffect:
    """`amounts` are the deal's (or, for a quota of margins, its margins) before and after, in its own currency."""
    parts: list[int] = []
    code = figure.code
    for amount in amounts:
        part = None if amount is None else part_of(amount, shared)
        found = None if part is None else exchange.value(part, currency, quota.currency or currency, at)
        if found is None or isinstance(found, Missing):
            code = code or ("cost_missing" if found is None else "rate_missing")
        else:
            parts.append(found[0])
    said = (quota.key, shared.user_key, quota.period_key, quota.measure, figure.target, quota.currency, figure.value)
    if code is not None or figure.value is None:
        return QuotaEffect(*said, None, None, None, None, code or "not_computable")
    before = figure.value if is_won else figure.value + parts[0]
    after = before + parts[1] - parts[0]
    shares = [ratio_bp(value, figure.target) if figure.target > 0 else None for value in (before, after)]
    return QuotaEffect(*said, before, after, shares[0], shares[1], None)


def effects(
    quotas: Iterable[QuotaRow],
    figures: Mapping[str, Figure],
    people: Mapping[str, Shared],
    found: Compared,
    money: tuple[str, int],
    exchange: Exchange,
    *,
    is_won: bool,
) -> list[QuotaEffect]:
    """Of each quota of one of these people, of revenue or of margins; `money` is the deal's currency and instant."""
    told = []
    for quota in quotas:
        shared = people[str(quota.user_key)]
        sides = _sides(quota.measure, found)
        of = (quota, figures[quota.key], shared, sides, money[0], exchange, money[1])
        told.append(effect(*of, is_won=is_won))
    return told


def _sides(measure: str, found: Compared) -> tuple[int | None, int | None]:
    if measure == "revenue":
        return found.before.amount_minor, found.after.amount_minor
    return _margin(found.before), _margin(found.after)


def _margin(side: Outcome) -> int | None:
    """As quotas count it (R11): the amount less the goods."""
    goods = goods_of(side.waterfall.step("goods").items)
    return None if goods is None else side.amount_minor - goods
