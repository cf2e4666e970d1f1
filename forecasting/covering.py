"""Coverage and gap of a node and of those directly below it, against the revenue quotas of the period (R5, R7).

A person's, team's or territory's target is the sum of its approved revenue quotas, as they count on the day that is
asked for, in the report's currency at that day's rate; overlay quotas are none. The company's is the sum of those of
the nodes directly below it; where one of them has money and no quota, the sum is told and held against nothing
(`target_missing`, `partial`), since the money is everybody's. A quota that the caller does not see is not told
(`not_permitted`).
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting.answers import COMPANY, Node, PeriodTold, Rollup
from forecasting.coverage import TARGET_MISSING, Coverage, coverage
from forecasting.service import Forecasts, Wanted
from sfa.core.days import start_of_ms
from sfa.core.errors import Refused
from sfa.core.exchange import Missing
from sfa.core.forecast import OMITTED
from sfa.crm.online import person
from sfa.db.places import lies_in
from sfa.db.prepared import listed
from sfa.db.tables import ROWS
from sfa.profit.company.surroundings import read_exchange
from sfa.quotas.measures import QuotaRow
from sfa.quotas.targets import as_approved, read_quotas

_QUOTAS = ROWS["quotas"]
RATE_MISSING, NOT_PERMITTED = "rate_missing", "not_permitted"


class NodeCoverage(Struct, frozen=True, kw_only=True):
    """`quota_keys` are the quotas that the target is the sum of; `partial` and `why` as in the roll-up, and
    `target_missing` where the target is not that of all the money."""

    node: str
    name: str | None
    figures: Coverage
    quota_keys: list[str]
    partial: bool
    why: list[str]


class Covered(Struct, frozen=True, kw_only=True):
    """The node that was asked for first, then those directly below it."""

    period: PeriodTold
    as_of: str
    as_of_snapshot: int | None
    currency: str
    items: list[NodeCoverage]


class Target(Struct, frozen=True):
    """`code` says why there is none, or why it is not the whole."""

    target_minor: int | None
    code: str | None
    quota_keys: list[str]


async def covered(forecasts: Forecasts, user_key: str, wanted: Wanted) -> tuple[Covered, bool]:
    """-> (the answer, whether the roll-up was there already); refuses as a roll-up does."""
    found, warm = await forecasts.rollup(user_key, wanted)
    targets = await forecasts.screens.read(_targets, user_key, found)
    root, *others = _by_node(found.nodes)
    below = [nodes for nodes in others if nodes[0].depth == 1]
    if root[0].node == COMPANY:
        targets[COMPANY] = _together(targets, below)
    items = [_covered(nodes, targets.get(nodes[0].node, NO_TARGET)) for nodes in (root, *below)]
    told = Covered(
        period=found.period,
        as_of=found.as_of,
        as_of_snapshot=found.as_of_snapshot,
        currency=found.currency,
        items=items,
    )
    return told, warm


NO_TARGET = Target(None, TARGET_MISSING, [])


def _by_node(nodes: Iterable[Node]) -> list[list[Node]]:
    """A node may stand at several places: all its money is told together."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.node, []).append(node)
    return list(found.values())


def _covered(nodes: Sequence[Node], target: Target) -> NodeCoverage:
    amounts: dict[str, int] = {}
    weighted: dict[str, int] = {}
    for node in nodes:
        for bucket, money in node.buckets.items():
            amounts[bucket] = amounts.get(bucket, 0) + money.amount_minor
            weighted[bucket] = weighted.get(bucket, 0) + money.weighted_minor
    why = {code for node in nodes for code in node.why}
    if target.code is not None and target.target_minor is not None:
        why.add(target.code)
    return NodeCoverage(
        node=nodes[0].node,
        name=nodes[0].name,
        figures=coverage(target.target_minor, amounts, weighted, target.code),
        quota_keys=target.quota_keys,
        partial=bool(why) or any(node.partial for node in nodes),
        why=sorted(why),
    )


def _targets(connection: Connection, user_key: str, found: Rollup) -> dict[str, Target]:
    """node -> its target, of the nodes that were asked for."""
    who = person(connection, user_key)
    about = (~_QUOTAS.c.gone, _QUOTAS.c.period_key == found.period.key, _QUOTAS.c.measure == "revenue")
    keys = select(_QUOTAS.c.key).where(*about, ~_QUOTAS.c.overlay)
    held = {"held": listed(connection, who.held or ())}
    seen = set(connection.execute(keys.where(lies_in(_QUOTAS.c.buckets, "held")), held).scalars().all())
    quotas = [q for q in read_quotas(connection, *about[1:], ~_QUOTAS.c.overlay) if q.approvals]
    at, exchange = start_of_ms(found.as_of, found.zone), read_exchange(connection, found.zone)
    nodes = {node.node for node in found.nodes}
    by_node: dict[str, list[QuotaRow]] = {}
    for quota in as_approved(connection, quotas, at, found.zone):
        kind, key = quota.holder
        if f"{kind}:{key}" in nodes:
            by_node.setdefault(f"{kind}:{key}", []).append(quota)
    targets: dict[str, Target] = {}
    for node, of in by_node.items():
        if who.held is not None and not seen.issuperset(quota.key for quota in of):
            targets[node] = Target(None, NOT_PERMITTED, [])
            continue
        total, code = 0, None
        for quota in of:
            value = exchange.value(quota.target, quota.currency or found.currency, found.currency, at)
            if isinstance(value, Missing):
                code = RATE_MISSING
            else:
                total += value[0]
        targets[node] = Target(None if code else total, code, sorted(quota.key for quota in of))
    return targets


def _together(targets: dict[str, Target], below: Sequence[Sequence[Node]]) -> Target:
    """The sum, with a code where somebody's money has no target; none where one of them is not known, or nobody has
    one."""
    found = [targets[nodes[0].node] for nodes in below if nodes[0].node in targets]
    codes = sorted(target.code for target in found if target.code is not None)
    if codes or not found:
        return Target(None, codes[0] if codes else TARGET_MISSING, [])
    keys = sorted(key for target in found for key in target.quota_keys)
    is_whole = all(nodes[0].node in targets or not _has_money(nodes) for nodes in below)
    return Target(sum(target.target_minor or 0 for target in found), None if is_whole else TARGET_MISSING, keys)


def _has_money(nodes: Sequence[Node]) -> bool:
    return any(
        money.amount_minor or money.weighted_minor
        for node in nodes
        for bucket, money in node.buckets.items()
        if bucket != OMITTED
    )


def check_wanted(wanted: Wanted) -> Wanted:
    if wanted.by == "product":
        raise Refused("request_invalid", "`by` is owner, team or territory: products have no quotas")
    return wanted
