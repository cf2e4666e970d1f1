"""What was lost (R42): of each lost deal the pocket margin that it promised and the effort that was sunk into it.

Beside revenue, cost and profit and in none of them: by the reason of the loss, in the period of the loss, for the
deal's customer and its owner. What it promised is said by `promised`, what visits, ways, work, samples and expenses
until the loss took by `sunk`. A deal that is opened again takes its loss back, at that day. What is not computable is
not zero: it is named.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, structs
from sqlalchemy import Connection, Text, and_, cast, or_, select

from sfa.core.credits import End, ends_of
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS
from sfa.profit.company.fact_sums import Asked
from sfa.profit.company.promised import Promise, promised
from sfa.profit.company.sunk import Sunk, sunk
from sfa.profit.company.surroundings import World
from sfa.profit.local_days import LocalDays
from sfa.quotas.spans import each

_DEALS, _ACCOUNTS, _STAGES = ROWS["deals"], ROWS["accounts"], ROWS["stages"]
_D = _DEALS.c
_OF = ("key", "account_key", "owner_key", "amount_minor", "currency", "closed_at", "stage_key", "closings", "splits")
_MORE = ("overlays", "signed_at", "invoiced_at", "payment_days", "lost_reason_key")


class Lost(Struct, frozen=True, gc=False):
    """One loss, or (negative) one taken back. Money of the company's currency; null with `missing` where it is not
    computable."""

    deal_key: str
    account_key: str | None
    owner_key: str
    territory_key: str | None
    reason_key: str | None
    at: int
    margin_minor: int | None
    effort_minor: int | None
    missing: list[dict[str, Any]]

    @property
    def lost_minor(self) -> int | None:
        if self.margin_minor is None or self.effort_minor is None:
            return None
        return self.margin_minor + self.effort_minor


class _Loss(Struct, frozen=True, gc=False):
    deal: Mapping[str, Any]
    end: End
    reason: str | None
    territory: str | None


def losses(connection: Connection, world: World, asked: Asked) -> list[Lost]:
    """Every loss of the days that are asked about, in the order of time; within the scope that is asked in."""
    found = list(_losses(connection, asked))
    if not found:
        return []
    days = LocalDays(world.zone)
    margins = promised(connection, world, days, [_promise(loss) for loss in found])
    efforts = sunk(connection, world, days, asked, [_effort(loss) for loss in found])
    told: list[Lost] = []
    for loss, margin, effort in zip(found, margins, efforts, strict=True):
        missing = [about for part in (margin, effort) if not isinstance(part, int) for about in part]
        of = (loss.deal["account_key"], loss.end.owner_key, loss.territory, loss.reason)
        sums = (margin if isinstance(margin, int) else None), (effort if isinstance(effort, int) else None)
        lost = Lost(loss.deal["key"], *of, loss.end.closed_at, *sums, missing)
        again = loss.end.reopened_at
        told += [lost] if asked.start <= lost.at < asked.last else []
        if again is not None and asked.start <= again < asked.last:
            back = [None if part is None else -part for part in sums]
            told.append(structs.replace(lost, at=again, margin_minor=back[0], effort_minor=back[1]))
    return sorted(told, key=lambda lost: (lost.at, lost.deal_key))


def _promise(loss: _Loss) -> Promise:
    deal, end = loss.deal, loss.end
    return Promise(deal["key"], end.closed_at, end.amount_minor, end.currency, deal["payment_days"])


def _effort(loss: _Loss) -> Sunk:
    return Sunk(loss.deal["key"], loss.deal["account_key"], loss.end.closed_at)


def _losses(connection: Connection, asked: Asked) -> Iterator[_Loss]:
    lost = set(connection.execute(select(_STAGES.c.key).where(_STAGES.c.kind == "lost")).scalars())
    query = select(*(_D[f] for f in (*_OF, *_MORE)), _ACCOUNTS.c.territory_key).select_from(_DEALS)
    query = query.outerjoin(_ACCOUNTS, _ACCOUNTS.c.key == _D.account_key).where(~_D.gone)
    standing = [_D.closed_at >= asked.start, _D.closed_at < asked.last, among(_D.stage_key, "lost")]
    query = query.where(or_(and_(*standing), cast(_D.closings, Text) != "[]"))
    bound: dict[str, Any] = {"lost": listed(connection, sorted(lost))}
    if asked.accounts is not None:
        query = query.where(among(_D.account_key, "of_accounts"))
        bound["of_accounts"] = listed(connection, sorted(asked.accounts))
    names = (*_OF, *_MORE, "territory_key")
    for found in each(connection, query.order_by(_D.key), bound):
        row = dict(zip(names, found, strict=True))
        if not asked.scope.sees(row["account_key"], row["owner_key"]):
            continue
        reasons = [*(c.get("lost_reason_key") for c in row["closings"] or ()), row["lost_reason_key"]]
        for end in ends_of(row):
            inside = [
                at for at in (end.closed_at, end.reopened_at) if at is not None and asked.start <= at < asked.last
            ]
            if end.stage_key in lost and inside:
                yield _Loss(row, end, reasons[end.n - 1], row["territory_key"])
