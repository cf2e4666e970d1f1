"""What became of what was sent: counts, rates, times and amounts, in groups that add up to the whole (pure).

What is counted are versions: each was sent once, is opened or not, and ended in one way or is open still, so
`sent = open + accepted + declined + expired + withdrawn + superseded`. All versions of a proposal stand in the group of
the first of them that is in the window, its cohort: so a proposal is counted once too, and groups sum to the total.
Amounts of different currencies are never added; beside them stands what they come to in the company's currency, each
at the rate of its own day, or the days for which a rate is missing (R34). Rates of nothing are null.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from proposals.lifecycle import ACCEPTED, DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN
from sfa.core.days import local_day
from sfa.core.exchange import Exchange, Missing

BY = ("template", "rep", "segment", "month", "language")
ENDS = (ACCEPTED, DECLINED, EXPIRED, WITHDRAWN, SUPERSEDED)
MISSING_MAX = 20


class Sent(Struct, frozen=True, gc=False):
    """A version that was sent: `opened_at` is when a person first opened it (R51), `accepted_minor` what was accepted
    of it, with the options that were taken."""

    proposal_key: str
    version: int
    template_key: str | None
    owner_key: str
    tier: str | None
    language: str
    currency: str
    total_minor: int
    sent_at: int
    status: str
    ended_at: int | None
    opened_at: int | None
    accepted_minor: int | None


class Spread(Struct, frozen=True):
    """Of `count` times in seconds: half of them are below the median (of an even number it is the middle between two),
    nine of ten not above `p90`."""

    count: int
    median_s: int | None
    p90_s: int | None


class Amount(Struct, frozen=True):
    """Totals with tax, as a buyer reads them."""

    currency: str
    sent_minor: int
    accepted_minor: int


class Used(Struct, frozen=True, order=True):
    """A rate that amounts were converted with: as it is quoted, `inverse` the other way round, and its first day."""

    from_currency: str
    rate: str
    rate_on: str
    inverse: bool


class Converted(Struct, frozen=True):
    """What was sent at the rate of the day of sending, what was accepted at that of the day of accepting. Null where a
    rate is missing; `missing` says which, the first twenty."""

    currency: str
    sent_minor: int | None
    accepted_minor: int | None
    rates: list[Used]
    missing: list[Missing]


class Line(Struct, frozen=True, kw_only=True):
    """A group, or the total. `opened_bp` and `answered_bp` (accepted or declined) are of versions that were sent,
    `accepted_bp` of proposals."""

    key: str | None
    name: str | None = None
    proposals: int
    sent: int
    opened: int
    open: int
    accepted: int
    declined: int
    expired: int
    withdrawn: int
    superseded: int
    opened_bp: int | None
    answered_bp: int | None
    accepted_bp: int | None
    to_open: Spread
    to_sign: Spread
    amounts: list[Amount]
    converted: Converted


class Counted(Struct, frozen=True):
    total: Line
    items: list[Line]


class Money(Struct, frozen=True):
    """What amounts are converted by."""

    currency: str
    exchange: Exchange


def counted(sent: Iterable[Sent], by: str, zone: str, money: Money) -> Counted:
    """Groups by their key, null last."""
    every = sorted(sent, key=lambda one: (one.proposal_key, one.version))
    groups: dict[str | None, list[Sent]] = {}
    proposal, key = "", None
    for one in every:
        if one.proposal_key != proposal:
            proposal, key = one.proposal_key, key_of(one, by, zone)
        groups.setdefault(key, []).append(one)
    ordered = sorted(groups, key=lambda name: (name is None, name or ""))
    return Counted(line(None, every, money), [line(key, groups[key], money) for key in ordered])


def key_of(first: Sent, by: str, zone: str) -> str | None:
    """The group of a proposal, by the first version of it in the window. A month is one of local days."""
    if by == "month":
        return local_day(first.sent_at, zone)[:7]
    return {"template": first.template_key, "rep": first.owner_key, "segment": first.tier, "language": first.language}[
        by
    ]


def line(key: str | None, sent: Sequence[Sent], money: Money) -> Line:
    count = {status: sum(one.status == status for one in sent) for status in ENDS}
    proposals = len({one.proposal_key for one in sent})
    opened = [one.opened_at - one.sent_at for one in sent if one.opened_at is not None]
    signed = [one.ended_at - one.sent_at for one in sent if one.status == ACCEPTED and one.ended_at is not None]
    return Line(
        key=key,
        proposals=proposals,
        sent=len(sent),
        opened=len(opened),
        open=len(sent) - sum(count.values()),
        accepted=count[ACCEPTED],
        declined=count[DECLINED],
        expired=count[EXPIRED],
        withdrawn=count[WITHDRAWN],
        superseded=count[SUPERSEDED],
        opened_bp=share_bp(len(opened), len(sent)),
        answered_bp=share_bp(count[ACCEPTED] + count[DECLINED], len(sent)),
        accepted_bp=share_bp(count[ACCEPTED], proposals),
        to_open=spread(opened),
        to_sign=spread(signed),
        amounts=amounts(sent),
        converted=converted(sent, money),
    )


def share_bp(part: int, whole: int) -> int | None:
    """In basis points, rounded half up; None of nothing."""
    return (20_000 * part + whole) // (2 * whole) if whole else None


def spread(times_ms: Sequence[int]) -> Spread:
    """A clock that went back makes no time negative."""
    ordered = sorted(max(0, time) // 1000 for time in times_ms)
    count = len(ordered)
    if not count:
        return Spread(0, None, None)
    median = (ordered[(count - 1) // 2] + ordered[count // 2] + 1) // 2
    return Spread(count, median, ordered[-(-9 * count // 10) - 1])


def amounts(sent: Iterable[Sent]) -> list[Amount]:
    """By currency."""
    found: dict[str, list[int]] = {}
    for one in sent:
        sums = found.setdefault(one.currency, [0, 0])
        sums[0] += one.total_minor
        sums[1] += accepted_of(one)
    return [Amount(currency, *found[currency]) for currency in sorted(found)]


def accepted_of(one: Sent) -> int:
    if one.status != ACCEPTED:
        return 0
    return one.total_minor if one.accepted_minor is None else one.accepted_minor


def converted(sent: Iterable[Sent], money: Money) -> Converted:
    sums: list[int | None] = [0, 0]
    rates: set[Used] = set()
    missing: set[Missing] = set()
    for one in sent:
        parts = [(0, one.total_minor, one.sent_at)]
        if one.status == ACCEPTED and one.ended_at is not None:
            parts.append((1, accepted_of(one), one.ended_at))
        for place, amount, at in parts:
            value = money.exchange.value(amount, one.currency, money.currency, at)
            if isinstance(value, Missing):
                missing.add(value)
                sums[place] = None
                continue
            before = sums[place]
            sums[place] = before + value[0] if before is not None else None
            if value[1] is not None:
                rates.add(Used(one.currency, value[1].rate, value[1].rate_on, value[1].inverse))
    return Converted(money.currency, sums[0], sums[1], sorted(rates), sorted(missing)[:MISSING_MAX])
