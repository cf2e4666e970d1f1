"""Facts added up for quotas: pure, the same on server and device.

`Takers` finds the quotas that take a fact, a `Tally` is one quota's sum while it grows, `figure` what it came to, and
`explained` lists what each fact adds (R10).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct, structs

from sfa.core.days import plus_days
from sfa.core.money import BP_WHOLE
from sfa.quotas.conversion import Exchange, Missing
from sfa.quotas.holders import Holders
from sfa.quotas.measures import Contribution, Fact, Judged, QuotaRow, VisitFact, judged, takes

VALUE_MAX = 2**63 - 1  # either way; what is beyond nobody can keep
TOO_LARGE = "figure_too_large"


class Figure(Struct, frozen=True, kw_only=True, gc=False):
    """What a quota's holder has attained: `value` in the measure's unit (see `Contribution`); None with `code`
    rate_missing where money cannot be converted, and what is `missing`, or figure_too_large where it, or one fact, is
    beyond `VALUE_MAX`. `left_out` counts by reason what the quota's rule does not count (R4). `target`, `currency` and
    `version` are those that count as of the asked instant; `pct_bp` is null with `pct_code` not_computable where the
    target is not above zero (R7)."""

    quota_key: str
    measure: str
    value: int | None
    code: str | None
    missing: list[Missing]
    left_out: dict[str, int]
    target: int
    currency: str | None
    unit: str | None
    version: int
    pct_bp: int | None
    pct_code: str | None


class Tally(Struct, gc=False):
    """The sum while it grows; `met` are the people that a quota of unique contacts has counted. What most quotas never
    need is not made before it is needed: there are tens of thousands of them."""

    value: int = 0
    left_out: dict[str, int] | None = None
    missing: set[Missing] | None = None
    met: set[str] | None = None
    too_large: bool = False

    def add(self, quota: QuotaRow, fact: Fact, found: Judged) -> Judged:
        """Take a judged fact -> as it counts here: who was met before is left out as `repeated`, and a fact that is too
        large for any figure as such."""
        if found.counted and fact.count == 1 and abs(found.value) > VALUE_MAX:
            found, self.too_large = Judged(0, TOO_LARGE, counted=False), True
        if found.counted and quota.measure == "unique_contacts" and isinstance(fact, VisitFact):
            self.met = set() if self.met is None else self.met
            if fact.person in self.met:
                found = Judged(0, "repeated", counted=False)
            else:
                self.met.add(fact.person)
                found = Judged(1, found.reason)
                if fact.count > 1:
                    self._leave("repeated", fact.count - 1)
        if found.counted:
            self.value += found.value
        else:
            self._leave(found.reason, fact.count)
        if found.missing is not None:
            self.missing = set() if self.missing is None else self.missing
            self.missing.add(found.missing)
        return found

    def _leave(self, reason: str, count: int) -> None:
        self.left_out = {} if self.left_out is None else self.left_out
        self.left_out[reason] = self.left_out.get(reason, 0) + count


class Takers:
    """Which quotas take a fact: by family, holder and time. Between two instants at which a period begins or somebody
    changes holders all facts of a person in a territory have the same, which are found once."""

    def __init__(self, quotas: Iterable[QuotaRow], holders: Holders) -> None:
        self._holders = holders
        self._by_holder: dict[tuple[str, str, str], list[QuotaRow]] = {}
        bounds: set[int] = set()
        for quota in quotas:
            self._by_holder.setdefault((quota.family, *quota.holder), []).append(quota)
            bounds |= {quota.start_at, quota.end_at}
        self._kinds = {(family, kind) for family, kind, _ in self._by_holder}
        for kind in {kind for _, kind in self._kinds}:
            bounds.update(holders.changes(kind, min(bounds), max(bounds)))
        self._bounds = sorted(bounds)
        self._running: dict[tuple[str, str, str | None, int], list[QuotaRow]] = {}

    def of(self, fact: Fact) -> list[QuotaRow]:
        """Each quota that counts such a fact for its holder in its period."""
        place = fact.family, fact.user_key, fact.territory_key, bisect_right(self._bounds, fact.at)
        running = self._running.get(place)
        if running is None:
            held = (self._by_holder.get(holder, ()) for holder in self._holders_of(fact))
            running = self._running[place] = [q for of in held for q in of if q.start_at <= fact.at < q.end_at]
        return [quota for quota in running if takes(quota, fact)]

    def _holders_of(self, fact: Fact) -> Iterator[tuple[str, str, str]]:
        family = fact.family
        if (family, "user") in self._kinds:
            yield family, "user", fact.user_key
        if (family, "team") in self._kinds:
            for team in self._holders.teams(fact.user_key, fact.at):
                yield family, "team", team
        if (family, "territory") in self._kinds:
            for territory in self._holders.territories(fact.territory_key, fact.at):
                yield family, "territory", territory


class Version(Struct, frozen=True):
    """A target that was approved; it counts from `valid_from` on."""

    number: int
    target: int
    currency: str | None
    valid_from: str


def in_force(quota: QuotaRow, versions: Sequence[Version], day: str | None) -> QuotaRow:
    """The quota with the target of the version in force on a day of its period (None and later days: the last one), R5:
    of those that count from that day or before the latest approved. Where none does yet, the one that will first."""
    if not versions:
        return quota
    last = plus_days(quota.end_on, -1)
    on = last if day is None else min(day, last)
    valid = [v for v in versions if v.valid_from <= on]
    chosen = max(valid, key=lambda v: v.number) if valid else min(versions, key=lambda v: (v.valid_from, -v.number))
    currency = chosen.currency if quota.is_money and chosen.currency is not None else quota.currency
    return structs.replace(quota, target=chosen.target, currency=currency, version=chosen.number)


def summed(facts: Iterable[Fact], quotas: Iterable[QuotaRow], takers: Takers, exchange: Exchange) -> dict[str, Figure]:
    """quota key -> its figure, of facts one by one."""
    tallies = {quota.key: (quota, Tally()) for quota in quotas}
    for fact in facts:
        for quota in takers.of(fact):
            tallies[quota.key][1].add(quota, fact, judged(quota, fact, exchange))
    return {key: figure(quota, tally) for key, (quota, tally) in tallies.items()}


def _percent_bp(value: int, target: int) -> int:
    """Half up, away from zero, as `money.ratio_bp`, of a target above zero."""
    size, rest = divmod(abs(value) * BP_WHOLE, target)
    size += 2 * rest >= target
    return size if value >= 0 else -size


def figure(quota: QuotaRow, tally: Tally) -> Figure:
    """The figure of a finished sum."""
    code = "rate_missing" if tally.missing else TOO_LARGE if tally.too_large or abs(tally.value) > VALUE_MAX else None
    value = tally.value if code is None else None
    pct = _percent_bp(value, quota.target) if value is not None and quota.target > 0 else None
    return Figure(
        quota_key=quota.key,
        measure=quota.measure,
        value=value,
        code=code,
        missing=sorted(tally.missing or ()),
        left_out=dict(sorted(tally.left_out.items())) if tally.left_out else {},
        target=quota.target,
        currency=quota.currency,
        unit=quota.unit,
        version=quota.version,
        pct_bp=pct,
        pct_code=None if pct is not None else "not_computable",
    )


def explained(
    facts: Iterable[Fact], takers: Takers, exchange: Exchange, left_out: bool = False
) -> Iterator[Contribution]:
    """Pure: what each fact (in the order of explanations) adds to each quota that takes it."""
    tallies: dict[str, Tally] = {}
    for fact in facts:
        for quota in takers.of(fact):
            found = tallies.setdefault(quota.key, Tally()).add(quota, fact, judged(quota, fact, exchange))
            if found.counted or left_out:
                yield _contribution(quota, fact, found)


def _contribution(quota: QuotaRow, fact: Fact, found: Judged) -> Contribution:
    applied = found.applied
    money = {name: getattr(fact, name, None) for name in ("amount_minor", "currency")}
    if quota.measure == "margin":
        money |= {name: getattr(fact, name, None) for name in ("cost_minor", "cost_currency")}
    return Contribution(
        quota_key=quota.key,
        entity=fact.entity,
        row_key=fact.row_key,
        ordinal=fact.ordinal,
        reversal=fact.reversal,
        user_key=fact.user_key,
        at=fact.at,
        share_bp=fact.share_bp,
        **money,
        rate=applied.rate if applied is not None else None,
        rate_on=applied.rate_on if applied is not None else None,
        inverse=applied is not None and applied.inverse,
        value=found.value,
        reason=found.reason,
        counted=found.counted,
    )
