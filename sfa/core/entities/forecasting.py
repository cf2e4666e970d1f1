"""What people say will be sold, and by which rules they are asked: policies lie with everybody, a call with whom it is
about and the managers above, an override of a manager with managers alone (R25)."""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import MONEY_MAX, Count, Currency, Day, Instant, Minor, Name, PeriodRef, TeamRef, Text, UserRef

View = Annotated[str, Meta(pattern=r"^(commit|likely|best_case|pipeline)\Z")]
Money = Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]


class ForecastPolicy(Row, frozen=True, kw_only=True):
    """When and how people are asked for their number; of several policies the one with the smallest key counts. Calls
    are locked each week on `lock_weekday` (1 is Monday) at `lock_minute` of the company's local day, for the periods of
    `period_kind` that are running. Who owes one is reminded `remind_minutes` before by a task, never where that is 0. A
    call after its lock is recorded as `late` or refused (R29). `manager_figures`: whether those below see what their
    manager put in the place of their figure (R25)."""

    name: Name
    period_kind: Annotated[str, Meta(pattern=r"^(year|quarter|month|period)\Z")] = "quarter"
    lock_weekday: Annotated[int, Meta(ge=1, le=7)] = 1
    lock_minute: Annotated[int, Meta(ge=0, le=1439)] = 600
    remind_minutes: Annotated[int, Meta(ge=0, le=10_080)] = 1_440
    late: Annotated[str, Meta(pattern=r"^(record|refuse)\Z")] = "record"
    manager_figures: Annotated[str, Meta(pattern=r"^(hidden|shown)\Z")] = "hidden"


class ForecastCall(Row, frozen=True, kw_only=True):
    """The number that somebody names for a period (R29), of himself (`user_key`) or of a team that he manages
    (`team_key`). Rows are added and never changed by people: a later call for the same lock replaces an earlier one.
    Amounts are cumulative, as the views are (R24). `due_on` is the local day of the lock it is for. `based_on` is what
    the roll-up said when it was made: {view: minor units}; null where nobody told."""

    period_key: PeriodRef
    user_key: UserRef | None = None
    team_key: TeamRef | None = None
    author_key: UserRef
    due_on: Day | None = None
    commit_minor: Minor
    likely_minor: Minor | None = None
    best_case_minor: Minor | None = None
    currency: Currency
    note: Text | None = None
    based_on: dict[str, Any] | None = None
    called_at: Instant | None = None
    status: Annotated[str, Meta(pattern=r"^(submitted|replaced|locked|late)\Z")] = "submitted"


class ForecastOverride(Row, frozen=True, kw_only=True):
    """An absolute figure in the place of what the roll-up says of a person or a team in one period and view (R26).
    `level` says whose it is: `own` by who carries the figure, `manager` by who he reports to; `seen_by` is the team
    whose managers see it, null for what lies in the person's book. `based_on_minor` is what stood there when it was
    made; `based_on` by whom: {owner: the managers or the person, path: teams above}. One that no longer stands is kept
    with `cause` (R26)."""

    period_key: PeriodRef
    user_key: UserRef | None = None
    team_key: TeamRef | None = None
    view: View
    level: Annotated[str, Meta(pattern=r"^(own|manager)\Z")]
    seen_by: TeamRef | None = None
    author_key: UserRef
    amount_minor: Money
    currency: Currency
    based_on_minor: Money
    based_on: dict[str, Any] = {}
    note: Text | None = None
    set_at: Instant
    number: Count = 1
    status: Annotated[str, Meta(pattern=r"^(standing|superseded|reverted)\Z")] = "standing"
    cause: Annotated[str, Meta(pattern=r"^(reverted|owner|team|period)\Z")] | None = None
    ended_at: Instant | None = None
