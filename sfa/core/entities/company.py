"""The company: itself, its people, teams and territories, all assignments dated."""

from typing import Annotated

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import Currency, Day, Name, ProfileDays, Short, TeamRef, TerritoryRef, Text, UserRef


class Organisation(Row, frozen=True, kw_only=True):
    """`history_days`: how long visits, notes and closed deals stay on devices unless a `device_profiles` row says else;
    older ones are online only (S10). `merge_undo_days`: for how long a merge can be undone (S22). `attribution`: how
    touches of campaigns, at most `attribution_days` before a deal was credited, share what it earned: the first or
    last alone, all alike (`linear`), first and last 40 % each and the rest between (`position`), or halved for each
    week before (`decay`)."""

    name: Name
    zone: Short = "UTC"
    currency: Currency = "USD"
    history_days: Annotated[int, Meta(ge=90, le=36_500)] = 548
    merge_undo_days: Annotated[int, Meta(ge=0, le=3_650)] = 30
    attribution: Annotated[str, Meta(pattern=r"^(first|last|linear|position|decay)\Z")] = "linear"
    attribution_days: Annotated[int, Meta(ge=1, le=3_650)] = 180


class DeviceProfile(Row, frozen=True, kw_only=True):
    """How many days of visits, notes and closed deals the devices of a role carry; null is the organisation's
    `history_days`. Of several profiles of one role the one with the smallest key counts (S10)."""

    role: Annotated[str, Meta(pattern=r"^(rep|manager|director|finance|admin)\Z")]
    visit_days: ProfileDays | None = None
    note_days: ProfileDays | None = None
    deal_days: ProfileDays | None = None


class User(Row, frozen=True, kw_only=True):
    name: Name
    email: Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z")]
    role: Annotated[str, Meta(pattern=r"^(rep|manager|director|finance|admin)\Z")] = "rep"
    title: Text | None = None
    active: bool = True
    external_id: Short | None = None


class Team(Row, frozen=True, kw_only=True):
    name: Name
    external_id: Short | None = None


class TeamEdge(Row, frozen=True, kw_only=True):
    """`team_key` lies under `parent_key` from `valid_from` until before `valid_to`."""

    team_key: TeamRef
    parent_key: TeamRef | None = None
    valid_from: Day
    valid_to: Day | None = None


class TeamMember(Row, frozen=True, kw_only=True):
    team_key: TeamRef
    user_key: UserRef
    role: Annotated[str, Meta(pattern=r"^(member|manager)\Z")] = "member"
    valid_from: Day
    valid_to: Day | None = None


class Territory(Row, frozen=True, kw_only=True):
    name: Name
    external_id: Short | None = None


class TerritoryEdge(Row, frozen=True, kw_only=True):
    territory_key: TerritoryRef
    parent_key: TerritoryRef | None = None
    valid_from: Day
    valid_to: Day | None = None


class TerritoryMember(Row, frozen=True, kw_only=True):
    territory_key: TerritoryRef
    user_key: UserRef
    valid_from: Day
    valid_to: Day | None = None
