"""Whether somebody held a row when he made an edit of it, and who decides what becomes of that edit (S37): pure.

Time is the clock's numbers and nothing else. A row's past is a list of *spells*: from one number until before another
it lay in these buckets, and could be changed by whoever held one of those. An edit was made on a revision, which stood
from its own number until before the next one's. It counts if at one number the revision stood, the row lay in a bucket
that its author held, and he might have changed it then. What is known of a revision, of a spell or of an interval later
than that never matters, so that nobody learns from an answer what happened to a row after he lost it.
"""

from collections.abc import Container, Iterable, Sequence

from msgspec import Struct

from sfa.core.access import Organisation, holds_on

NOW = 2**62  # a number that no clock reaches: what stands today
Revision = tuple[int, int | None]  # revision, its number; None: older than the numbering of revisions


class Span(Struct, frozen=True):
    """The numbers from `since` until before `until` (None: until today)."""

    since: int
    until: int | None

    @property
    def end(self) -> int:
        return NOW + 1 if self.until is None else self.until

    def meet(self, other: "Span") -> "Span | None":
        since, end = max(self.since, other.since), min(self.end, other.end)
        return Span(since, None if end > NOW else end) if since < end else None


ALWAYS = Span(0, None)


class Held(Struct, frozen=True):
    """An interval of a user's scope."""

    bucket: str
    span: Span


class Spell(Struct, frozen=True):
    """Where a row lay for a while. `changers`: buckets of which one is needed to change it; None: any of its own."""

    span: Span
    buckets: frozenset[str]
    changers: frozenset[str] | None = None


def life_of(base: int, revisions: Sequence[Revision]) -> Span | None:
    """While which numbers a revision stood; `revisions` in order. 0 says nothing about when, so it is always; None for
    a revision that there is not. One that was replaced in its own transaction stood for that one number."""
    if base == 0:
        return ALWAYS
    place = next((i for i, (rev, _) in enumerate(revisions) if rev == base), None)
    if place is None:
        return None
    since = revisions[place][1] or 0
    replaced = next((seq for _, seq in revisions[place + 1 :] if seq is not None), None)
    return Span(since, None if replaced is None else max(replaced, since + 1))


def last_held(life: Span, spells: Iterable[Spell], intervals: Sequence[Held]) -> int | None:
    """The last number at which the revision stood and its author saw the row and might change it; None: never."""
    found: list[int] = []
    for spell in spells:
        stood = spell.span.meet(life)
        if stood is None:
            continue
        seen = [both for held in intervals if held.bucket in spell.buckets and (both := held.span.meet(stood))]
        if spell.changers is not None:
            may = [held.span for held in intervals if held.bucket in spell.changers]
            seen = [both for span in seen for other in may if (both := span.meet(other))]
        found += [span.end - 1 for span in seen]
    return max(found, default=None)


def deciding_team(organisation: Organisation, user: str, day: str, held: Container[str] = ()) -> str | None:
    """The nearest team, from the user's own upwards, that somebody else who is active manages that day, and whose
    matters the user does not see himself (`held` are his buckets)."""
    today = [m for m in organisation.team_members if holds_on(m.valid_from, m.valid_to, day)]
    managed = {m.group for m in today if m.manages and m.user != user and m.user in organisation.roles}
    above = {e.child: e.parent for e in organisation.team_edges if holds_on(e.valid_from, e.valid_to, day)}
    level = sorted({m.group for m in today if m.user == user})
    for _ in range(len(organisation.teams) + 1):
        best = next((team for team in level if team in managed and f"manage:{team}" not in held), None)
        if best is not None or not level:
            return best
        level = sorted({parent for team in level if (parent := above.get(team)) is not None})
    return None
