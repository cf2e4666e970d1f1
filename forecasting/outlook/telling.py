"""What the last run says, to who may know it (R30): ranges of nodes, how right earlier ones were, and runs.

A range cannot be told in part: a node is shown whole to who sees all of it, and to nobody else. Where somebody stands
is what it was on the day of the run; whether the caller may see that is asked of his scope today.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, select

from forecasting.answers import NodeRow
from forecasting.outlook import store
from forecasting.outlook.store import Run
from forecasting.outlook.values import COMPANY, Learnt, Outlook, Score
from forecasting.overriding import sight_of
from forecasting.spots import Sight
from sfa.core.access import SEES_EVERYTHING
from sfa.core.days import check_day
from sfa.core.errors import Refused
from sfa.core.ids import is_key
from sfa.crm.edits import Who
from sfa.crm.online import person
from sfa.db import scope
from sfa.db.prepared import among, listed
from sfa.db.tables import ROWS

RUNS_MAX = 200
MAY_ASK = ("manager", "director", "finance", "admin")


class Wanted(Struct, frozen=True):
    """None is the caller's own place, both periods ahead, the last run."""

    node: str | None = None
    period: str | None = None
    as_of: str | None = None


class RunTold(Struct, frozen=True, kw_only=True):
    """`made_at` is when it came to its end; `digest` names what was asked, `found_digest` what was answered."""

    number: int
    state: str
    as_of: str
    asked_at: int
    asked_by: str | None
    made_at: int | None
    step: str | None
    progress: int
    seq: int | None
    currency: str | None
    engine: str | None
    digest: str | None
    found_digest: str | None
    code: str | None
    learnt: Learnt | None


class NodeTold(Struct, frozen=True):
    node: str
    name: str | None
    depth: int
    periods: list[Outlook]


class OutlookTold(Struct, frozen=True, kw_only=True):
    """The node that was asked for, then those directly below it that the caller sees all of; `hidden` counts the
    others. `under_way` is a run that is being made. `unrated` counts deals and credits of the whole company without a
    rate into its currency, which are in no figure (R34)."""

    run: RunTold
    under_way: RunTold | None
    currency: str
    items: list[NodeTold]
    hidden: int
    unrated: int


class ScoresTold(Struct, frozen=True, kw_only=True):
    """How right what was said of a node would have been, view by view, in periods that are over."""

    run: RunTold
    currency: str
    node: str
    items: list[Score]


class RunsTold(Struct, frozen=True):
    items: list[RunTold]


# -- what a caller looks at -------------------------------------------------------------------------------------------


class Looked(Struct, frozen=True):
    run: Run
    tree: Mapping[str, Sequence[str]]
    node: str
    who: Who
    sight: Sight

    def sees(self, node: str) -> bool:
        """Whether all of a node is the caller's to see."""
        if node == COMPANY:
            below = (other for other, above in self.tree.items() if list(above) == [COMPANY])
            return self.sight.everything or all(self.sees(other) for other in below)
        return self.sight.of_row(NodeRow(node, None, tuple(self.tree[node][1:])))

    @property
    def below(self) -> list[str]:
        """Those directly below it."""
        ways = [*self.tree.get(self.node, ()), self.node]
        return [other for other, above in self.tree.items() if list(above) == ways]

    @property
    def people(self) -> list[str]:
        """Everybody in it."""
        found = (node for node, above in self.tree.items() if node == self.node or self.node in above)
        return [node.removeprefix("user:") for node in found if node.startswith("user:")]


def look(connection: Connection, user_key: str, wanted: Wanted) -> Looked:
    """Refuses `outlook_missing` where no run came to its end, or none that knows the caller's own place, and
    `request_invalid`, `field_invalid`, `not_found`."""
    who = person(connection, user_key)
    run = newest(connection, wanted.as_of)
    tree, sight = store.tree(connection, run.number), sight_of(who, shown=False)
    own = _own_place(tree, sight)
    node = wanted.node if wanted.node is not None else own
    kind, colon, key = node.partition(":")
    if node != COMPANY and (not colon or kind not in ("user", "team") or not is_key(key)):
        raise Refused("request_invalid", "`node` is company, team:<key> or user:<key>")
    found = Looked(run, tree, node, who, sight)
    if node in tree:
        if not found.sees(node):
            raise Refused("not_found")
    elif node != own:
        raise Refused("not_found")
    elif tree:  # who came since
        raise Refused("outlook_missing", f"the run of {run.as_of} does not know {node}", day=run.as_of, node=node)
    return found  # a run that could not compute anything has no nodes: everybody is told why, at his own place


def newest(connection: Connection, as_of: str | None) -> Run:
    """The last run of a day or before it. Refuses `field_invalid`, and `outlook_missing` with what is under way."""
    run = store.newest(connection, check_day(as_of) if as_of is not None else None)
    if run is None:
        waiting = store.under_way(connection)
        raise Refused("outlook_missing", under_way=waiting.number if waiting is not None else None)
    return run


def _own_place(tree: Mapping[str, Sequence[str]], sight: Sight) -> str:
    if sight.everything:
        return COMPANY
    tops = [node for node in sight.manages if node in tree and sight.manages.isdisjoint(tree[node])]
    return min(tops) if tops else sight.node or COMPANY


# -- told -------------------------------------------------------------------------------------------------------------


def outlook(connection: Connection, user_key: str, wanted: Wanted) -> OutlookTold:
    found = look(connection, user_key, wanted)
    seen = [node for node in found.below if found.sees(node)]
    documents = store.nodes(connection, found.run.number, [found.node, *seen])
    names = _names(connection, documents)
    waiting = store.under_way(connection)
    items = [
        NodeTold(node, names.get(node), depth, _of_period(documents[node].periods, wanted.period))
        for depth, nodes in enumerate(([found.node], seen))
        for node in nodes
        if node in documents
    ]
    return OutlookTold(
        run=told(found.run),
        under_way=told(waiting) if waiting is not None else None,
        currency=found.run.currency or "",
        items=items,
        hidden=len(found.below) - len(seen),
        unrated=store.unrated(connection, found.run.number),
    )


def _of_period(periods: Sequence[Outlook], period: str | None) -> list[Outlook]:
    """Refuses `period_unknown` for a period that the run does not look at."""
    found = [p for p in periods if period in (None, p.period_key)]
    if period is not None and periods and not found:
        ahead = [p.period_key for p in periods]
        raise Refused("period_unknown", f"the run looks at {', '.join(ahead)}", period_key=period[:64], ahead=ahead)
    return found


def scores(connection: Connection, user_key: str, wanted: Wanted) -> ScoresTold:
    found = look(connection, user_key, wanted)
    items = store.scores(connection, found.run.number, [found.node]).get(found.node, [])
    return ScoresTold(run=told(found.run), currency=found.run.currency or "", node=found.node, items=items)


def runs(connection: Connection, user_key: str, before: int | None, limit: int) -> RunsTold:
    if not 1 <= limit <= RUNS_MAX:
        raise Refused("request_invalid", f"`limit` is 1 to {RUNS_MAX}")
    person(connection, user_key)
    return RunsTold([told(run) for run in store.listing(connection, before, limit)])


def run(connection: Connection, user_key: str, number: int) -> RunTold:
    person(connection, user_key)
    return told(store.numbered(connection, number))


# -- asked and cancelled ----------------------------------------------------------------------------------------------


def ask(connection: Connection, now_ms: int, user_key: str) -> RunTold:
    """Today's run that is under way, or a new one."""
    who = person(connection, user_key, writing=True)
    if who.role not in MAY_ASK:
        raise Refused("not_permitted", f"{', '.join(MAY_ASK)} ask for runs")
    return told(store.ask(connection, now_ms, scope.today(connection, now_ms), user_key)[0])


def cancel(connection: Connection, now_ms: int, user_key: str, number: int) -> RunTold:
    """By who asked for it, and by those who see everything."""
    who = person(connection, user_key, writing=True)
    found = store.numbered(connection, number)
    if found.asked_by != user_key and who.role not in SEES_EVERYTHING:
        raise Refused("not_permitted", "who asked for a run cancels it")
    return told(store.cancel(connection, now_ms, number))


# -- parts ------------------------------------------------------------------------------------------------------------


def told(run: Run) -> RunTold:
    return RunTold(
        number=run.number,
        state=run.state,
        as_of=run.as_of,
        asked_at=run.asked_at,
        asked_by=run.asked_by,
        made_at=run.ended_at,
        step=run.step,
        progress=run.progress,
        seq=run.seq,
        currency=run.currency,
        engine=run.engine,
        digest=run.digest,
        found_digest=run.found_digest,
        code=run.code,
        learnt=msgspec.convert(run.learnt, Learnt) if run.learnt is not None else None,
    )


def _names(connection: Connection, nodes: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind, entity in (("user", "users"), ("team", "teams")):
        keys = sorted(node.partition(":")[2] for node in nodes if node.startswith(f"{kind}:"))
        table = ROWS[entity].c
        rows = connection.execute(
            select(table.key, table.name).where(among(table.key, "keys")), {"keys": listed(connection, keys)}
        )
        found.update((f"{kind}:{key}", name) for key, name in rows)
    return found
