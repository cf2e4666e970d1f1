"""The question of a run, read off the rows in a handful of statements: what is known at the end of a day.

That day is the one before as long as the morning lasts: the day that begins is still to come, and on the last of a
period not nothing. What happened on it already is told as of that end. But where money was closed on the first morning
of a period, which must not count for the period before, and from noon on, it is the day itself.
Everything is of one transaction. Money is converted once: what is open, and what deals were worth, at the rate of the
day; closed money at the rate frozen with its credit (R34). What has no rate is left out and counted in `unrated`; of a
node with such a quota no quota is known. No amount is beyond what a field may hold. Reads five years back: who sold
otherwise before sells otherwise now.
Does not do: who may see what comes of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import date

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Text, bindparam, case, cast, or_, select, tuple_

from forecasting.outlook.past import DECODER, Days, Row, Written, columns, ordinal
from forecasting.outlook.values import COMPANY, Call, Credit, DealColumns, Leaf, Part, Question, Quota, Span
from forecasting.reading import World, read_world
from sfa.core.days import plus_days, start_of_ms
from sfa.core.exchange import Missing
from sfa.core.fields import MONEY_MAX
from sfa.core.forecast import parts_of
from sfa.core.forecast_cycles import LOCKED
from sfa.core.money import BP_WHOLE
from sfa.db.prepared import Prepared
from sfa.db.tables import ROWS, credited, history
from sfa.quotas.targets import as_approved, read_quotas

YEARS_BACK, AHEAD = 5, 2
MORNING_MS = 12 * 3_600_000
PAGE = 20_000  # revisions that are read at once
FIRST_DAY = "1990-01-01"
_FIRST = ordinal(FIRST_DAY)
_DEALS, _STAGES, _PERIODS = ROWS["deals"].c, ROWS["stages"].c, ROWS["fiscal_periods"].c


class Read(Struct, frozen=True):
    """A question, the clock's number at which it was read, and how much of the money has no rate: credits and deals.
    `shared`: who has how much of open deals that are not one person's alone."""

    question: Question
    seq: int
    as_of: str
    unrated: int
    shared: dict[str, dict[str, int]] = {}


def read(connection: Connection, now_ms: int, seed: int) -> Read:
    return _Reader(connection, read_world(connection, now_ms=now_ms), seed).read(now_ms)


class _Reader:
    def __init__(self, connection: Connection, world: World, seed: int) -> None:
        self._connection, self._world, self._seed = connection, world, seed
        self._since = plus_days(world.today, -366 * YEARS_BACK)
        self._days = Days(world.zone, FIRST_DAY, plus_days(world.today, 366 * YEARS_BACK))
        self._today = self._until = ordinal(world.today)
        self._now = start_of_ms(world.today, world.zone)
        self._unrated = 0

    def read(self, now_ms: int) -> Read:
        world = self._world
        spans, ahead = self._spans()
        credits_ = self._credits()
        is_first = any(span.start == self._today for span in spans) and any(day >= self._today for day, _ in credits_)
        if now_ms - self._now < MORNING_MS and not is_first:
            self._until = self._today - 1
        closed = self._by_then(credits_)
        rows, shared = self._rows()
        stages = self._connection.execute(
            select(_STAGES.key).where(~_STAGES.gone, _STAGES.kind == "open").order_by(_STAGES.position, _STAGES.key)
        ).scalars()
        deals = columns(rows, self._history({row.key for row in rows}), list(stages), self._worth, self._until)
        people = self._people(deals, shared, (user for _, user in closed))
        leaf = {user: n for n, user in enumerate(people)}
        leaves = [Leaf(user, [COMPANY, *world.tree.place(user, world.today).path]) for user in people]
        question = Question(
            until=self._until,
            currency=world.currency,
            seed=self._seed,
            spans=spans,
            ahead=ahead,
            leaves=leaves,
            deals=deals,
            parts=[Part(n, leaf[user], share) for n, user, share in shared],
            credits=[Credit(day, leaf[user], _bounded(closed[day, user])) for day, user in sorted(closed)],
            calls=self._calls(spans),
            quotas=self._quotas(spans, leaves),
        )
        return Read(question, world.seq, world.today, self._unrated, _of_several(deals.keys, shared))

    def _day(self, at: int) -> int:
        """The local day of an instant, none after the last that is known."""
        return min(self._days.of(at), self._until)

    # -- deals

    def _rows(self) -> tuple[list[Row], list[tuple[int, str, int]]]:
        """Deals in order of key, and (position, person, share) of those that are open."""
        won = set(self._connection.execute(select(_STAGES.key).where(_STAGES.kind == "won")).scalars())
        since = start_of_ms(self._since, self._world.zone)
        rows: list[Row] = []
        shared: list[tuple[int, str, int]] = []
        found = _ROWS.rows(self._connection, since=since)
        for key, owner, stage, pipeline, amount, currency, opened_on, made_at, closed_at, splits in found:
            made = self._day(made_at) if made_at is not None else self._until
            ended = self._day(closed_at) if closed_at is not None else 0
            opened = min(ordinal(opened_on) or made, ended or self._until)  # a deal does not end before it begins
            opened = max(opened, _FIRST)
            worth = self._worth(amount, currency)
            if amount is not None and worth is None:
                self._unrated += 1
            if not ended:
                shared += ((len(rows), user, share) for user, share in _shares(owner, stage, splits))
            rows.append(Row(key, owner, pipeline, opened, ended, closed_at is not None and stage in won, worth))
        return rows, shared

    def _history(self, wanted: Set[str]) -> Mapping[str, Sequence[tuple[int, Written]]]:
        """Of the deals that are asked about: those that ended long ago, or were deleted, have a history as well."""
        found: dict[str, list[tuple[int, Written]]] = defaultdict(list)
        after = "", 0
        while True:  # page by page: the texts of all at once would be the most of what a run takes of the server
            page = _HISTORY.rows(self._connection, key=after[0], rev=after[1], page=PAGE)
            for key, _, at, changes in page:
                if key in wanted:
                    found[key].append((self._day(at), DECODER.decode(changes)))
            if len(page) < PAGE:
                return found
            after = page[-1][0], page[-1][1]

    def _worth(self, amount_minor: int | None, currency: str | None) -> int | None:
        if amount_minor is None or currency is None:
            return None
        value = self._world.exchange.value(amount_minor, currency, self._world.currency, self._now)
        return None if isinstance(value, Missing) else _bounded(value[0])

    # -- what was closed

    def _credits(self) -> dict[tuple[int, str], int]:
        """(day, person) -> what was closed, reversals negative, without overlays (R16)."""
        world, found = self._world, dict[tuple[int, str], int]()
        since = start_of_ms(self._since, world.zone)
        for user, at, rated_at, amount, currency in _CREDITS.rows(self._connection, since=since):
            if amount is None:
                continue
            value = world.exchange.value(amount, currency or world.currency, world.currency, rated_at)
            if isinstance(value, Missing):
                self._unrated += 1
                continue
            of = self._days.of(at), user
            found[of] = found.get(of, 0) + value[0]
        return found

    def _by_then(self, closed: Mapping[tuple[int, str], int]) -> dict[tuple[int, str], int]:
        """What of the day that begins is closed already is told of the last day that is known."""
        found = dict[tuple[int, str], int]()
        for (day, user), amount in closed.items():
            of = (self._until if day == self._today else day), user
            found[of] = found.get(of, 0) + amount
        return found

    # -- who and when

    def _people(
        self, deals: DealColumns, shared: Iterable[tuple[int, str, int]], credited_: Iterable[str]
    ) -> list[str]:
        """Everybody who sells, or has sold what counts here."""
        world = self._world
        sells = {
            user
            for user, (_, active, is_seller) in world.people.items()
            if active and (is_seller or world.tree.place(user, world.today).path)
        }
        return sorted(sells.union(deals.features["owner"], (user for _, user, _ in shared), credited_))

    def _spans(self) -> tuple[list[Span], list[str]]:
        world = self._world
        query = select(_PERIODS.key, _PERIODS.start_on, _PERIODS.end_on).where(
            ~_PERIODS.gone, _PERIODS.kind == world.period_kind, _PERIODS.end_on > self._since
        )
        found: list[Span] = []
        ahead: list[str] = []
        for key, start_on, end_on in self._connection.execute(query.order_by(_PERIODS.start_on, _PERIODS.key)):
            span = Span(key, ordinal(start_on), ordinal(end_on))
            if len(ahead) == AHEAD or (found and span.start < found[-1].end):
                continue  # later ones, and a second one of the same days
            found.append(span)
            if span.end > self._today:
                ahead.append(key)
        return found, ahead

    # -- what people say, and what is asked of them

    def _calls(self, spans: Sequence[Span]) -> list[Call]:
        """Those that counted when they were locked: the likely amount, where somebody says one, else what is sure."""
        world, c = self._world, ROWS["forecast_calls"].c
        columns_ = (c.period_key, c.user_key, c.team_key, c.due_on, c.commit_minor, c.likely_minor, c.currency)
        query = select(*columns_).where(~c.gone, c.status == LOCKED).order_by(c.period_key, c.due_on, c.key)
        known = {span.key for span in spans}
        found: list[Call] = []
        for period, user, team, due_on, commit, likely, currency in self._connection.execute(query):
            at = start_of_ms(due_on, world.zone)
            value = world.exchange.value(commit if likely is None else likely, currency, world.currency, at)
            if period in known and not isinstance(value, Missing):
                node = f"user:{user}" if user is not None else f"team:{team}"
                day = ordinal(due_on)
                day = self._until if day == self._today else day  # it is locked, so it is known
                found.append(Call(period, node, day, _bounded(value[0])))
        return found

    def _quotas(self, spans: Sequence[Span], leaves: Sequence[Leaf]) -> list[Quota]:
        """Approved ones of revenue, as they count today (R5); the company's is the sum of those directly below it."""
        world, q = self._world, ROWS["quotas"].c
        known = {span.key for span in spans}
        quotas = [r for r in read_quotas(self._connection, q.measure == "revenue", ~q.overlay) if r.approvals]
        found: dict[tuple[str, str], int | None] = {}
        below = {leaf.above[1] if len(leaf.above) > 1 else f"user:{leaf.user_key}" for leaf in leaves}
        for quota in as_approved(self._connection, quotas, self._now, world.zone):
            kind, key = quota.holder
            if quota.period_key not in known or kind not in ("user", "team"):
                continue
            node = f"{kind}:{key}"
            value = world.exchange.value(quota.target, quota.currency or world.currency, world.currency, self._now)
            for of in (node, COMPANY) if node in below else (node,):
                so_far = found.get((quota.period_key, of), 0)
                if so_far is None or isinstance(value, Missing):
                    found[quota.period_key, of] = None
                else:
                    found[quota.period_key, of] = so_far + value[0]
        told = sorted((of, target) for of, target in found.items() if target is not None)
        return [Quota(period, node, _bounded(target)) for (period, node), target in told]


def _bounded(amount_minor: int) -> int:
    return max(-MONEY_MAX, min(amount_minor, MONEY_MAX))


def _of_several(keys: Sequence[str], shared: Iterable[tuple[int, str, int]]) -> dict[str, dict[str, int]]:
    """Who has how much of deals that are not one person's alone."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for deal, user, share in shared:
        found[deal][user] = found[deal].get(user, 0) + share
    return {keys[deal]: of for deal, of in found.items() if len(of) > 1}


def _shares(owner: str, stage: str, splits: str) -> Iterable[tuple[str, int]]:
    if splits == "[]":
        return ((owner, BP_WHOLE),)
    said = {"splits": msgspec.json.decode(splits), "overlays": []}
    deal = {"owner_key": owner, "stage_key": stage, "amount_minor": None, "currency": None, **said}
    return [(part.user_key, part.share_bp) for part in parts_of(deal)]


def day_of(number: int) -> str:
    return date.fromordinal(number).isoformat()


def _rows_query() -> Prepared:
    d = _DEALS
    made_at = select(history.c.at).where(history.c.entity == "deals", history.c.key == d.key, history.c.rev == 1)
    said = (d.key, d.owner_key, d.stage_key, d.pipeline_key, d.amount_minor, d.currency, d.opened_on)
    query = select(*said, made_at.scalar_subquery(), d.closed_at, cast(d.splits, Text))
    lately = or_(d.closed_at.is_(None), d.closed_at >= bindparam("since", type_=BigInteger))
    return Prepared(query.where(~d.gone, lately).order_by(d.key))


def _history_query() -> Prepared:
    h = history.c
    after = tuple_(bindparam("key", type_=Text), bindparam("rev", type_=BigInteger))
    query = select(h.key, h.rev, h.at, cast(h.changes, Text)).where(h.entity == "deals", tuple_(h.key, h.rev) > after)
    return Prepared(query.order_by(h.key, h.rev).limit(bindparam("page", type_=BigInteger)))


def _credits_query() -> Prepared:
    c = credited.c
    amount = case((c.reversal, -c.amount_minor), else_=c.amount_minor)
    query = select(c.user_key, c.at, c.rated_at, amount, c.currency)
    return Prepared(query.where(~c.overlay, c.at >= bindparam("since", type_=BigInteger)))


_ROWS, _HISTORY, _CREDITS = _rows_query(), _history_query(), _credits_query()
