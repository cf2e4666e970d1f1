"""A snapshot as what a roll-up or a movement is made of: read back, never from the rows of today (R27)."""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection

from forecasting import kept
from forecasting.answers import Basis, PeriodTold, RateUsed
from forecasting.documents import Deal, Span
from forecasting.kept import Snapshot
from forecasting.stands import Around, facts_of, nodes_of, tree_of
from sfa.core.errors import Refused
from sfa.core.forecast import CLOSED


class Frozen(Struct, frozen=True):
    """A snapshot with what stood around its deals in a period."""

    snapshot: Snapshot
    around: Around


def frozen(connection: Connection, snapshot: Snapshot, period: PeriodTold) -> Frozen:
    people, teams = kept.people(connection, snapshot.number), kept.teams(connection, snapshot.number)
    territories = kept.territories(connection, snapshot.number)
    around = Around(
        today=snapshot.taken_on,
        currency=snapshot.currency,
        period=period,
        applied=snapshot.applied(),
        people=people,
        teams=teams,
        territories=territories,
        products=kept.products(connection, snapshot.number),
        tree=tree_of(people, teams, territories),
    )
    return Frozen(snapshot, around)


def period_of(connection: Connection, snapshot: Snapshot, key: str) -> PeriodTold:
    """The period as it was in the snapshot; `period_unknown`."""
    return told(key, kept.periods(connection, snapshot.number).get(key))


def told(key: str, span: Span | None) -> PeriodTold:
    if span is None:
        raise Refused("period_unknown", f"there was no period {key[:64]}", period_key=key[:64])
    return PeriodTold(key, span.name, span.kind, span.start_on, span.end_on)


def basis(connection: Connection, snapshot: Snapshot, period_key: str) -> Basis:
    """What a roll-up of a period is made of, as it was frozen; `period_unknown` where it was not known then."""
    return basis_at(connection, frozen(connection, snapshot, period_of(connection, snapshot, period_key)))


def basis_at(connection: Connection, found: Frozen) -> Basis:
    number = found.snapshot.number
    since = kept.done_from(connection, found.around.period.start_on)
    deals = kept.deals(connection, number, since)
    return _basis(found, kept.firm(connection, number).zone, deals.items())


def _basis(found: Frozen, zone: str, deals: Iterable[tuple[str, Deal]]) -> Basis:
    snapshot, around = found.snapshot, found.around
    facts = [fact for key, deal in deals for fact in facts_of(key, deal, around)]
    used = {fact.currency for fact in facts if fact.bucket != CLOSED}
    rates = [
        RateUsed(currency, True, applied.rate_on, applied.rate, applied.inverse)
        for currency, applied in sorted(around.applied.items())
        if currency in used
    ]
    return Basis(
        period=around.period,
        as_of=snapshot.taken_on,
        zone=zone,
        currency=snapshot.currency,
        seq=snapshot.seq,
        snapshot=snapshot.number,
        facts=facts,
        nodes=nodes_of(around, {fact.user_key for fact in facts}),
        rates=rates,
    )


def past(connection: Connection, _world: object, day: str, period: PeriodTold, currency: str, _by: str) -> Basis:
    """What a roll-up as of a day that is over is made of: the newest snapshot that is not younger than the day.
    `forecast_snapshot_missing`, `forecast_currency_fixed`, `period_unknown`."""
    snapshot = kept.as_of(connection, day)
    if currency != snapshot.currency:
        raise Refused("forecast_currency_fixed", number=snapshot.number, currency=snapshot.currency)
    return basis(connection, snapshot, period.key)
