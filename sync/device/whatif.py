"""What if a deal had another price, without signal: before and after, by the server's own rule (R44).

Over the rows of this device with its own queue on top. A rep's device has no costs (R45): the answer stops at the
invoice and says that it is partial; guides, approvals, his commission and his quotas it has all the same. Credits are
those of the deals that the device holds, so what is too old for it counts at the server only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sfa.core.access import SEES_COST
from sfa.core.credits import Credit, credits_of, day_of
from sfa.core.errors import Refused
from sfa.profit.effort import Spent, open_days
from sfa.profit.price.commissions_ahead import Owed
from sfa.profit.price.given import due_on, given_of, is_credited
from sfa.profit.price.guides import Guides
from sfa.profit.price.pays import shares_of
from sfa.profit.price.quota_effect import QuotaEffect, effects
from sfa.profit.price.whatif import Changes, Compared, compare
from sfa.quotas import held
from sfa.visits.amendments import effective
from sync.device.attainment import own_figures
from sync.device.client import Device
from sync.device.earning import Earning
from sync.device.visits import zone_of_company

Row = Mapping[str, Any]


class OwnWhatIf(Struct, frozen=True):
    """See `sfa.profit.price.asking.WhatIf`; `quotas` are the user's own."""

    deal_key: str
    on: str
    currency: str
    compared: Compared
    quotas: list[QuotaEffect]
    partial: bool
    code: str | None


class Held:
    """See `sfa.profit.price.given.Asking`: what this device holds."""

    def __init__(self, device: Device, key: str) -> None:
        row, person = device.get("deals", key), device.person()
        if row is None or person is None:
            raise Refused("row_unknown", f"there is no deals row {key!r} on this device", entity="deals", key=key)
        self.device, self.key, self.row, self.user_key = device, key, row, person.key
        self.role = str((device.get("users", person.key) or {}).get("role", "rep"))
        self.zone = zone_of_company(device)
        self.now = device.clock.now_ms()
        self.at = row["closed_at"] if row["closed_at"] is not None else self.now
        self.on = day_of(self.at, self.zone)
        self.due_on = due_on(row, self.on)
        self.exchange = held.exchange_of(device.list("rates"), self.zone)

    def of(self, entity: str, column: str, keys: Sequence[str]) -> list[tuple[str, Row]]:
        wanted = set(keys)
        rows = sorted(self.device.list(entity).items()) if wanted else []
        return [(key, row) for key, row in rows if (key if column == "key" else row[column]) in wanted]

    def every(self, entity: str) -> list[tuple[str, Row]]:
        return sorted(self.device.list(entity).items())

    def visits(self, account: str, since: int, until: int) -> Iterator[Row]:
        mine = self.device.list("visits", {"account_key": account, "status": "completed"})
        within = {key: row for key, row in mine.items() if since <= (row["checked_in_at"] or 0) < until}
        return iter(self._corrected(within).values())

    def _corrected(self, visits: Mapping[str, Row]) -> dict[str, Row]:
        corrections: dict[str, list[Row]] = {}
        for _, row in self.of("visit_amendments", "visit_key", sorted(visits)):
            corrections.setdefault(row["visit_key"], []).append(row)
        return {key: effective(visit, corrections.get(key, ())) for key, visit in visits.items()}

    def guides(self, families: Iterable[str | None]) -> Guides:
        wanted = {*families, None}
        rows = self.device.list("price_guides")
        return Guides({key: row for key, row in rows.items() if row["family"] in wanted})

    def _credits(self) -> Iterator[tuple[str, Row, Credit]]:
        stages, rules = self.device.list("stages"), self.device.list("credit_rules")
        won = frozenset(key for key, stage in stages.items() if stage["kind"] == "won")
        for key, deal in self.device.list("deals").items():
            for credit in credits_of(deal, won, rules, self.zone):
                yield key, deal, credit

    def credited(self, account: str, start: int, end: int) -> Iterator[tuple[str, int | None, str | None, int, bool]]:
        for key, deal, c in self._credits():
            if deal["account_key"] == account and not c.overlay and start <= c.rated_at < end:
                yield key, c.amount_minor, c.currency, c.rated_at, c.reversal

    def ends(self) -> list[tuple[int, bool, int]]:
        own = (c for key, _, c in self._credits() if key == self.key)
        return [(c.n, c.reversal, c.rated_at) for c in own if not c.overlay and c.at < self.now]

    def spent(self, *, served: bool) -> Spent:
        visits, account = self.device.list("visits"), self.row["account_key"]
        legs: list[Row] = [
            {**leg, "key": key, "deal_key": visits[leg["visit_key"]]["deal_key"]}
            for key, leg in self.every("travel_legs")
            if leg["distance_m"] is not None and self._is_spent(visits.get(leg["visit_key"]))
        ]
        deals = [(key, deal) for key, deal in self.every("deals") if account and deal["account_key"] == account]
        return Spent(
            charges=self._spent("deal_charges"),
            expenses=self._expenses(visits),
            visits=self._visited(visits) if served else [],
            legs=legs if served else [],
            work=self._spent("work_entries") if served else [],
            spans=[span for key, deal in deals or [(self.key, self.row)] for span in open_days(key, deal, self.zone)],
        )

    def _is_spent(self, row: Row | None) -> bool:
        """Names the deal, or only its customer."""
        if row is None or row["deal_key"] is not None:
            return row is not None and row["deal_key"] == self.key
        return "account_key" in row and row["account_key"] is not None and row["account_key"] == self.row["account_key"]

    def _spent(self, entity: str) -> list[Row]:
        return [{**row, "key": key} for key, row in self.every(entity) if self._is_spent(row)]

    def _expenses(self, visits: Mapping[str, Row]) -> list[Row]:
        """One that names no deal is of its visit's."""
        found = []
        for key, row in self.every("expenses"):
            visit = visits.get(row["visit_key"]) if row["visit_key"] is not None else None
            deal = row["deal_key"] or (visit["deal_key"] if visit is not None else None)
            found.append({**row, "key": key, "deal_key": deal})
        return [row for row in found if self._is_spent(row)]

    def _visited(self, visits: Mapping[str, Row]) -> list[Row]:
        mine = {k: row for k, row in visits.items() if row["status"] == "completed" and self._is_spent(row)}
        return [{**row, "key": key} for key, row in sorted(self._corrected(mine).items())]

    def owed(self, users: Sequence[str]) -> Iterator[Owed]:
        """Of the plans that are on this device: one's own, and those of one's people."""
        yield from Earning(self.device, self.zone, self.exchange, self._credits()).owed(users, self.due_on)


def what_if(device: Device, key: str, changes: Changes) -> OwnWhatIf:
    """Refuses `row_unknown` for a deal, or a line of it, that is not here."""
    asked = Held(device, key)
    given = given_of(asked, asked.exchange)
    found = compare(given, changes)
    partial = asked.role not in SEES_COST
    quotas = _quotas(asked, given.currency, found)
    return OwnWhatIf(key, asked.on, given.currency, found, quotas, partial, "not_permitted" if partial else None)


def _quotas(asked: Held, currency: str, found: Compared) -> list[QuotaEffect]:
    day = asked.due_on
    mine = {shared.user_key: shared for shared in shares_of(asked.row) if shared.user_key == asked.user_key}
    own = own_figures(asked.device) if mine else {}
    here = {
        key: told.figure
        for key, told in own.items()
        if told.figure is not None and told.quota.measure == "revenue" and not told.quota.overlay
    }
    quotas = [own[key].quota for key in sorted(here) if own[key].quota.start_on <= day < own[key].quota.end_on]
    return effects(quotas, here, mine, found, (currency, asked.at), asked.exchange, is_won=is_credited(asked))
