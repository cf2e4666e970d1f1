"""What a device works out by itself about its user's own quotas, without signal: the figures of the server (R10, R12).

Over the rows that the device holds, with its own queue on top: what was won or visited since the last sync shows at
once. Margins need costs and new accounts need every deal of a customer: neither is on devices, which say so. What is
too old for the device, or was done for customers that it lost since, is missing here and not at the server.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from sfa.core.credits import day_of
from sfa.quotas import held
from sfa.quotas.holders import Holders
from sfa.quotas.measures import Fact, QuotaRow
from sfa.quotas.pace import Pace, pace
from sfa.quotas.tallies import Figure, Takers, summed
from sfa.visits.amendments import effective
from sync.device.client import Device
from sync.device.visits import AMEND, PENDING_ORDINAL, zone_of_company

NOT_HERE = ("margin", "new_accounts")


class OwnFigure(Struct, frozen=True):
    """`figure` is None beside `code` not_on_device where it cannot be known here."""

    quota: QuotaRow
    figure: Figure | None
    pace: Pace | None
    code: str | None


def own_figures(device: Device, as_of: int | None = None) -> dict[str, OwnFigure]:
    """quota -> how it stands at an instant (now by default), of the user's own quotas."""
    person = device.person()
    at = as_of if as_of is not None else device.clock.now_ms()
    zone = zone_of_company(device)
    own = device.list("quotas", {"user_key": person.key}) if person is not None else {}
    versions = device.list("quota_versions")
    quotas = held.quotas_of(own, device.list("fiscal_periods"), versions, day_of(at, zone), zone)
    here = [quota for quota in quotas if quota.measure not in NOT_HERE]
    facts = (fact for fact in _facts(device, {quota.family for quota in here}, zone) if fact.at < at)
    exchange = held.exchange_of(device.list("rates"), zone)
    figures = summed(facts, here, Takers(here, Holders((), (), (), zone)), exchange)
    return {quota.key: _own(quota, figures.get(quota.key), at, zone) for quota in quotas}


def _own(quota: QuotaRow, figure: Figure | None, at: int, zone: str) -> OwnFigure:
    if figure is None:
        return OwnFigure(quota, None, None, "not_on_device")
    return OwnFigure(quota, figure, pace(quota, figure.value, at, zone), figure.code)


def _facts(device: Device, families: set[str], zone: str) -> Iterator[Fact]:
    accounts = device.list("accounts")
    if families & {"deals", "quantities"}:
        deals, stages, rules = device.list("deals"), device.list("stages"), device.list("credit_rules")
        if "deals" in families:
            yield from held.deal_facts(deals, stages, rules, accounts, zone)
        if "quantities" in families:
            lines, products = device.list("deal_lines"), device.list("products")
            yield from held.quantity_facts(deals, lines, products, stages, rules, accounts, zone)
    if "visits" in families:
        yield from held.visit_facts(_visits(device), accounts)


def _visits(device: Device) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every visit with its corrections, those that wait in the queue too (R14)."""
    corrections: dict[str, list[Mapping[str, Any]]] = {}
    for row in device.list("visit_amendments").values():
        corrections.setdefault(row["visit_key"], []).append(row)
    for place, item in enumerate(device.pending()):
        if (item.entity, item.kind) == ("visits", AMEND):
            said = item.fields.get("values", {})
            rows = ({"field": f, "new": new, "ordinal": PENDING_ORDINAL + place} for f, new in said.items())
            corrections.setdefault(item.key, []).extend(rows)
    for key, visit in device.list("visits").items():
        yield key, effective(visit, corrections.get(key, ()))
