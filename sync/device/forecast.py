"""What a device works out by itself of its user's own forecast without signal, and calls that he names (R22-R29).

Over the rows that it holds with its own queue on top, by the functions that the server folds its roll-up of: what was
moved or won since the last sync shows at once, and after a sync both say the same of the user's own node, and what is
missing in it. What is too old for the device is missing here and not at the server; the figures of teams are the
server's.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from sfa.core.credits import day_of, is_awaited
from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.core.exchange import Exchange
from sfa.core.forecast import BUCKETS, CLOSED, bucket_of, category_of, cumulative, parts_of, weighted
from sfa.core.forecast_cycles import COUNTS, LOCKED, Cycle, Lock, cycle_of, next_lock
from sfa.core.money import minor_digits
from sfa.quotas import held
from sync.device.client import Device
from sync.device.visits import zone_of_company

ENTITY = "forecast_calls"
UNDATED = "undated"
Row = Mapping[str, Any]


class Sum(Struct, frozen=True):
    """The user's parts of the deals of a bucket: amount, amount times probability (R23), and of how many deals."""

    amount_minor: int = 0
    weighted_minor: int = 0
    deals: int = 0


class Hole(Struct, frozen=True, order=True):
    """What of which deal could not be said: amount_missing, close_on_missing, rate_missing, or credit_awaited (R17)."""

    code: str
    deal_key: str


class OwnForecast(Struct, frozen=True):
    """The user's own node in a period on a local day. `overlay` is credit beside the totals (R16); a figure with holes
    is partial. `lock` is the next one of the period, `call` the key of the call that counts for it."""

    period_key: str
    period_name: str
    as_of: str
    currency: str
    buckets: dict[str, Sum]
    views: dict[str, int]
    overlay: dict[str, Sum]
    holes: list[Hole]
    lock: Lock | None
    call: str | None


class _Part(Struct, frozen=True):
    """The user's part of one deal; `bucket` None where it has no day, or waits for its credit."""

    deal_key: str
    bucket: str | None
    overlay: bool
    amount_minor: int | None
    weighted_minor: int | None
    holes: tuple[str, ...] = ()


def own_forecast(device: Device, period_key: str | None = None, currency: str | None = None) -> OwnForecast:
    """Of the period that is running, in the company's currency, unless another one is asked for. Refuses
    `period_unknown` and `currency_unknown`."""
    person, zone, now = device.person(), zone_of_company(device), device.clock.now_ms()
    cycle, today = cycle_of(device.list("forecast_policies"), zone), day_of(now, zone)
    key, period = _period(device, cycle, today, period_key)
    to = currency if currency is not None else _currency(device)
    minor_digits(to)
    user = person.key if person is not None else ""
    exchange = held.exchange_of(device.list("rates"), zone)
    parts = [
        *_open(device, user, period, today, to, exchange, zone),
        *_closed(device, user, period, to, exchange, zone),
        *_awaited(device, user, period, zone),
    ]
    buckets = _summed(part for part in parts if not part.overlay)
    lock = _next_lock(device, cycle, key, period, now)
    return OwnForecast(
        period_key=key,
        period_name=period["name"],
        as_of=today,
        currency=to,
        buckets=buckets,
        views=cumulative({bucket: found.amount_minor for bucket, found in buckets.items()}),
        overlay=_summed(part for part in parts if part.overlay),
        holes=sorted({Hole(code, part.deal_key) for part in parts for code in part.holes}),
        lock=lock,
        call=_standing(device, key, user, lock),
    )


def call(
    device: Device,
    commit_minor: int,
    *,
    likely_minor: int | None = None,
    best_case_minor: int | None = None,
    period_key: str | None = None,
    team_key: str | None = None,
    currency: str | None = None,
    note: str | None = None,
    due_on: str | None = None,
) -> str:
    """Queue a call, of the user himself unless it is of a team that he manages; -> its key. Which lock it is for the
    server says by its own clock, as it says when it was made, unless the user names the day: the clock of a device may
    be wrong. With it goes what this device says that it is based on."""
    own = own_forecast(device, period_key, currency)
    person = device.person()
    values: dict[str, Any] = {"period_key": own.period_key, "commit_minor": commit_minor, "currency": own.currency}
    values |= {"likely_minor": likely_minor, "best_case_minor": best_case_minor, "note": note}
    if team_key is not None:
        values["team_key"] = team_key
    else:
        values |= {"user_key": person.key if person is not None else None, "based_on": own.views}
    if due_on is not None:
        values["due_on"] = due_on
    return device.create(ENTITY, {field: value for field, value in values.items() if value is not None})


# -- the period -------------------------------------------------------------------------------------------------------


def _period(device: Device, cycle: Cycle, today: str, key: str | None) -> tuple[str, Row]:
    periods = device.list("fiscal_periods")
    if key is None:
        running = (
            k
            for k, row in periods.items()
            if row["kind"] == cycle.period_kind and row["start_on"] <= today < row["end_on"]
        )
        key = min(running, default=None)
    if key is None or key not in periods:
        raise Refused("period_unknown", "this device holds no such period, or none that is running")
    return key, periods[key]


def _currency(device: Device) -> str:
    rows = device.list("organisations")
    return str(rows[min(rows)]["currency"]) if rows else "USD"


def _next_lock(device: Device, cycle: Cycle, period_key: str, period: Row, now: int) -> Lock | None:
    """Not on a day whose lock has been, as a call tells that was locked for it."""
    locked = device.list(ENTITY, {"period_key": period_key, "status": LOCKED}).values()
    lock = next_lock(cycle, now, {row["due_on"]: 0 for row in locked})
    return lock if period["kind"] == cycle.period_kind and lock.due_on < period["end_on"] else None


def _standing(device: Device, period_key: str, user: str, lock: Lock | None) -> str | None:
    """Of the user's calls for a lock the one that was made last; one that waits in the queue was made after those that
    the server knows."""
    if lock is None:
        return None
    mine = device.list(ENTITY, {"period_key": period_key, "user_key": user})
    counting = (
        (row["called_at"] is None, row["called_at"] or 0, key)
        for key, row in mine.items()
        if row["status"] in COUNTS and row["due_on"] in (None, lock.due_on)
    )
    found = max(counting, default=None)
    return found[2] if found is not None else None


# -- the parts --------------------------------------------------------------------------------------------------------


def _open(
    device: Device, user: str, period: Row, today: str, to: str, exchange: Exchange, zone: str
) -> Iterator[_Part]:
    """Open deals at the rate of today; those without a day are told of in the running period."""
    start, end = period["start_on"], period["end_on"]
    if end <= today:
        return
    stages, at = device.list("stages"), start_of_ms(today, zone)
    for key, deal in device.list("deals", {"closed_at": None}).items():
        bucket = UNDATED if deal["close_on"] is None and start <= today else None
        stage = stages.get(deal["stage_key"]) or {"probability_bp": 0, "category": None}
        if deal["close_on"] is not None:
            bucket = bucket_of(category_of(deal["category"], stage["category"]), deal["close_on"], today, start, end)
        if bucket is None:
            continue
        for part in parts_of(deal):
            if part.user_key == user:
                worth, holes = _worth(part.amount_minor, deal["currency"], to, at, exchange)
                likely = weighted(worth, stage["probability_bp"]) if worth is not None else None
                if bucket == UNDATED:
                    yield _Part(key, None, part.overlay, None, None, ("close_on_missing", *holes))
                else:
                    yield _Part(key, bucket, part.overlay, worth, likely, holes)


def _closed(device: Device, user: str, period: Row, to: str, exchange: Exchange, zone: str) -> Iterator[_Part]:
    """Credits of the period, the same money that quotas count (R55); a reversal is negative."""
    start, end = start_of_ms(period["start_on"], zone), start_of_ms(period["end_on"], zone)
    deals, stages, rules = device.list("deals"), device.list("stages"), device.list("credit_rules")
    for fact in held.deal_facts(deals, stages, rules, {}, zone):
        if fact.user_key == user and start <= fact.at < end:
            at = fact.rated_at if fact.rated_at is not None else fact.at
            signed = -fact.amount_minor if fact.reversal and fact.amount_minor is not None else fact.amount_minor
            worth, holes = _worth(signed, fact.currency, to, at, exchange)
            yield _Part(fact.row_key, CLOSED, fact.overlay, worth, worth, holes)


def _awaited(device: Device, user: str, period: Row, zone: str) -> Iterator[_Part]:
    """What was won in the period and is credited to nobody yet, in no total (R17)."""
    start, end = start_of_ms(period["start_on"], zone), start_of_ms(period["end_on"], zone)
    won, rules = frozenset(device.list("stages", {"kind": "won"})), device.list("credit_rules")
    for key, deal in device.list("deals").items():
        if deal["closed_at"] is not None and start <= deal["closed_at"] < end and is_awaited(deal, won, rules, zone):
            for part in parts_of(deal):
                if part.user_key == user:
                    yield _Part(key, None, part.overlay, None, None, ("credit_awaited",))


def _worth(
    amount: int | None, currency: str | None, to: str, at: int, exchange: Exchange
) -> tuple[int | None, tuple[str, ...]]:
    """Converted once and rounded once (R34)."""
    if amount is None or currency is None:
        return None, ("amount_missing",)
    if currency == to:
        return amount, ()
    applied = exchange.applied(currency, to, at)
    return (applied.value(amount), ()) if applied is not None else (None, ("rate_missing",))


def _summed(parts: Iterator[_Part]) -> dict[str, Sum]:
    """The buckets in which something is; a deal counts once in each."""
    amounts: dict[str, int] = {}
    likely: dict[str, int] = {}
    deals: dict[str, set[str]] = {}
    for part in parts:
        if part.bucket is not None:
            amounts[part.bucket] = amounts.get(part.bucket, 0) + (part.amount_minor or 0)
            likely[part.bucket] = likely.get(part.bucket, 0) + (part.weighted_minor or 0)
            deals.setdefault(part.bucket, set()).add(part.deal_key)
    return {b: Sum(amounts[b], likely[b], len(deals[b])) for b in BUCKETS if b in deals}
