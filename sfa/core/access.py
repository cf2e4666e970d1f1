"""Who may see and change what: one set of pure functions that routes, sync and jobs share.

A *bucket* is a set of rows that are visible together (docs/scope.md). `buckets_of` says where a row lies, `scope_of`
which buckets a user holds on a day, `may_write` what a role may do with an entity. `book:<user>` is what one person
works on (deals, tasks, own quotas): held by that person and by the managers above. `user:<user>` is private.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from sfa.core.hierarchy import Edge
from sfa.core.layers import with_past
from sfa.core.writable import ADMINS_SET as ADMINS_SET
from sfa.core.writable import ALWAYS_READ_ONLY as ALWAYS_READ_ONLY
from sfa.core.writable import AUTHORED as AUTHORED
from sfa.core.writable import MANAGERS_SET as MANAGERS_SET
from sfa.core.writable import NEVER_DELETED as NEVER_DELETED
from sfa.core.writable import OWNED as OWNED
from sfa.core.writable import READ_ONLY as READ_ONLY
from sfa.core.writable import SERVER_ONLY_ENTITIES as SERVER_ONLY_ENTITIES
from sfa.core.writable import SET_ONCE as SET_ONCE

ROLES = ("rep", "manager", "director", "finance", "admin")
SEES_COST = frozenset({"director", "finance"})
SEES_EVERYTHING = frozenset({"finance", "admin"})
SEES_UNASSIGNED = frozenset({"director", "finance", "admin"})

EVERYBODY = frozenset(
    {
        "organisations",
        "device_profiles",
        "users",
        "teams",
        "team_edges",
        "team_members",
        "territories",
        "territory_edges",
        "territory_members",
        "products",
        "prices",
        "currencies",
        "rates",
        "fiscal_periods",
        "stages",
        "pipelines",
        "lost_reasons",
        "competitors",
        "credit_rules",
        "fiscal_calendars",
        "period_closings",
        "visit_policies",
        "checklist_templates",
        "cadence_rules",
        "discount_limits",
        "price_guides",
        "campaigns",
        "forecast_policies",
        "proposal_templates",
    }
)
COSTS = frozenset(
    {"unit_costs", "cost_rates", "campaign_costs", "margin_floors"}
)  # only who sees cost has and writes them (R45)
CHARGED_OPENLY = frozenset({"goods_return", "credit_note"})  # what the customer knows of too; other charges are cost
# A change of these changes who sees what.
DECIDES_SCOPE = frozenset(
    {"organisations", "device_profiles", "users", "team_edges", "team_members", "territories", "teams"}
    | {"territory_edges", "territory_members"}
)

FIELD_WORK = frozenset(
    {"accounts", "contacts", "visits", "notes", "attachments", "tasks", "deals", "deal_lines", "deal_contacts"}
    | {"customer_needs", "calls", "consents", "proposals", "proposal_lines", "proposal_recipients"}
    | {"proposal_questions"}
    | {"visit_plans", "signals", "travel_legs", "expenses", "work_entries", "campaign_touches"}
)
CALLED = frozenset({"forecast_calls"})  # what people say of themselves or of their team
VISIT_RULES = frozenset({"visit_policies", "checklist_templates", "cadence_rules"})
CLOSES_PERIODS = frozenset({"finance", "director", "admin"})
PLANNING = frozenset({"quotas", "account_members"})
CATALOGUE_DATA = frozenset(
    {"products", "prices", "currencies", "rates", "fiscal_periods", "stages"}
    | {"pipelines", "lost_reasons", "competitors", "credit_rules", "fiscal_calendars"}
)
TERMS = frozenset({"rebate_agreements", "campaigns"})
TEMPLATES = frozenset({"proposal_templates"})
PAY = frozenset({"commission_plans", "commission_assignments", "discount_limits", "forecast_policies"})
PEOPLE_DATA = frozenset(
    {"organisations", "device_profiles", "users", "teams", "team_edges", "team_members", "territories"}
    | {"territory_edges", "territory_members"}
)

# What belongs to a deal is changed by who may change the deal.
BELOW_DEALS = frozenset(
    {"deal_lines", "deal_contacts", "proposals", "proposal_lines", "proposal_recipients", "proposal_questions"}
)


class Membership(Struct, frozen=True):
    """`user` belongs to `group` (a team or a territory) on the days [valid_from, valid_to)."""

    user: str
    group: str
    valid_from: str
    valid_to: str | None = None
    manages: bool = False


class Organisation(Struct, frozen=True):
    """Everything that decides scopes: small (people and trees, not customers), read once per evaluation."""

    roles: Mapping[str, str]  # active users only: the others hold nothing
    people: frozenset[str]  # everybody, whose books may be held
    teams: frozenset[str]
    territories: frozenset[str]
    team_edges: tuple[Edge, ...]
    territory_edges: tuple[Edge, ...]
    team_members: tuple[Membership, ...]
    territory_members: tuple[Membership, ...]
    past: Mapping[str, str] = {}  # role -> the layer of older rows that its devices carry (`sfa.core.profiles`)


def holds_on(valid_from: str, valid_to: str | None, day: str) -> bool:
    return valid_from <= day and (valid_to is None or day < valid_to)


def _below(edges: Iterable[Edge], day: str) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for edge in edges:
        if edge.parent is not None and holds_on(edge.valid_from, edge.valid_to, day):
            children.setdefault(edge.parent, []).append(edge.child)
    return children


def _with_descendants(tops: Iterable[str], children: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(tops)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(children.get(node, ()))
    return found


def _groups(members: Iterable[Membership], day: str) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """-> (user -> groups as member or manager, user -> groups that he manages)."""
    belongs: dict[str, set[str]] = {}
    manages: dict[str, set[str]] = {}
    for member in members:
        if holds_on(member.valid_from, member.valid_to, day):
            belongs.setdefault(member.user, set()).add(member.group)
            if member.manages:
                manages.setdefault(member.user, set()).add(member.group)
    return belongs, manages


def scopes_on(organisation: Organisation, day: str) -> dict[str, frozenset[str]]:
    """user -> the buckets held on that local day (S10), for every active user."""
    teams_below = _below(organisation.team_edges, day)
    territories_below = _below(organisation.territory_edges, day)
    teams_of, managed_by = _groups(organisation.team_members, day)
    territories_of, _ = _groups(organisation.territory_members, day)
    people_of: dict[str, set[str]] = {}
    for user, teams in teams_of.items():
        for team in teams:
            people_of.setdefault(team, set()).add(user)
    covered = {u: _with_descendants(t, territories_below) for u, t in territories_of.items()}
    scopes: dict[str, frozenset[str]] = {}
    for user, role in organisation.roles.items():
        held = {"all", f"user:{user}", f"book:{user}"}
        if role in SEES_EVERYTHING:
            managed, people = set(organisation.teams), set(organisation.people)
            territories = set(organisation.territories)
        else:
            managed = _with_descendants(managed_by.get(user, ()), teams_below)
            people = {person for team in managed for person in people_of.get(team, ())}
            territories = set(covered.get(user, ()))
            for person in people:
                territories |= covered.get(person, set())
        held.update(f"team:{team}" for team in teams_of.get(user, set()) | managed)
        held.update(f"manage:{team}" for team in managed)
        held.update(f"book:{person}" for person in people)
        held.update(f"territory:{territory}" for territory in territories)
        if role in SEES_COST:
            held.add("cost:all")
        if role in SEES_UNASSIGNED:
            held.add("unassigned")
        scopes[user] = with_past(held, organisation.past.get(role))
    return scopes


def next_change_after(organisation: Organisation, day: str) -> str | None:
    """The next local day on which an assignment begins or ends: scopes are the same until then."""
    dated: tuple[Edge | Membership, ...] = (
        *organisation.team_edges,
        *organisation.territory_edges,
        *organisation.team_members,
        *organisation.territory_members,
    )
    days = [d for item in dated for d in (item.valid_from, item.valid_to) if d is not None and d > day]
    return min(days, default=None)


class Parent(Struct, frozen=True):
    """What a child takes from the row above it: that row's buckets and, apart, its territory bucket."""

    buckets: tuple[str, ...]
    territory: str | None = None

    def meeting(self, other: "Parent") -> "Parent":
        """Where both lie: perhaps nowhere."""
        both = tuple(bucket for bucket in self.buckets if bucket in other.buckets)
        return Parent(both, self.territory if self.territory == other.territory else None)


def buckets_of(entity: str, row: Mapping[str, Any], parent: Parent | None, members: Iterable[str]) -> tuple[str, ...]:
    """Where a row lies (S10). `members` are the users of an account's team (accounts only); sorted, so that equal
    sets compare equal."""
    if entity in EVERYBODY:
        return ("all",)
    match entity:
        case _ if entity in COSTS:
            found = {"cost:all"}
        case "commission_plans":
            # What a plan on margins pays, divided by its rate, is a margin (R45).
            found = {"cost:all"} if row.get("measure") == "margin" else {"all"}
        case "deal_charges" if row.get("kind") not in CHARGED_OPENLY:
            found = {"cost:all"}
        case "accounts":
            found = {f"user:{member}" for member in members}
            if row.get("territory_key"):
                found.add(f"territory:{row['territory_key']}")
            if not found:
                found.add("unassigned")  # a customer that nobody has is still somebody's to assign
        case "deals":
            found = {f"book:{row['owner_key']}"}
            shares = (*(row.get("splits") or ()), *(row.get("overlays") or ()))
            found.update(f"user:{s['user_key']}" for s in shares if s["user_key"] != row["owner_key"])
            if parent is not None and parent.territory is not None:
                found.add(parent.territory)
        case "visits":
            found = set(parent.buckets) if parent is not None else set()
            found.update(f"user:{person}" for person in row["participants"] or ())  # who went along has it too
        case "tasks" | "travel_legs" | "expenses" | "work_entries":
            found = {f"book:{row['owner_key']}"}
        case "attachments" if row.get("kind") == "receipt":
            found = {f"book:{row['author_key']}"}  # as the expense that it is of
        case "forecast_calls" | "forecast_overrides":
            found = _forecast_buckets(row)
        case "commission_assignments":
            found = {f"book:{row['user_key']}"}
        case "quotas":
            found = _quota_buckets(row)
        case "refusals" | "handovers":
            found = {f"user:{row['author_key']}"}
        case "suggestions" if row.get("kind") == "handover":
            found = _handover_buckets(row, parent)
        case _:
            found = set(parent.buckets) if parent is not None else set()
    return tuple(sorted(found))


def _handover_buckets(row: Mapping[str, Any], parent: Parent | None) -> set[str]:
    """Where a hand-over is decided: with the row; what is new and below no row, where it would lie (S37)."""
    match row["entity"]:
        case "territories":
            found = {f"territory:{row['row_key']}"}
        case "users":
            found = {f"book:{row['row_key']}"}
        case _:
            found = set(parent.buckets) if parent is not None else set()
    return found | ({row["also_in"]} if row["also_in"] else set())


def _forecast_buckets(row: Mapping[str, Any]) -> set[str]:
    """What a manager put in the place of another's figure is not for those below (R25)."""
    if row.get("seen_by"):
        return {f"manage:{row['seen_by']}"}
    return {f"manage:{row['team_key']}"} if row.get("team_key") else {f"book:{row['user_key']}"}


def _quota_buckets(row: Mapping[str, Any]) -> set[str]:
    if row.get("user_key"):
        return {f"book:{row['user_key']}"}
    if row.get("team_key"):
        return {f"team:{row['team_key']}", f"manage:{row['team_key']}"}
    return {f"territory:{row['territory_key']}"}


# How old a row is, by the first of these that is known; rows of other entities do not age (S10).
AGES_BY: dict[str, tuple[str, ...]] = {
    "visits": ("checked_out_at", "checked_in_at", "planned_at", "created_at"),
    "notes": ("written_at", "created_at"),
    "attachments": ("taken_at", "created_at"),
    "deals": ("closed_at",),
}


def ages_since(entity: str, row: Mapping[str, Any]) -> int | None:
    """The instant from which a row's time on devices counts; None while it does not age."""
    return next((row[field] for field in AGES_BY.get(entity, ()) if row[field] is not None), None)


def may_write(role: str, entity: str) -> bool:
    """Whether a role may create, update or delete rows of an entity at all."""
    if entity in SERVER_ONLY_ENTITIES:
        return False
    if entity in COSTS or entity == "deal_charges":
        return role in SEES_COST
    if role == "admin":
        return True
    if entity in FIELD_WORK or entity in CALLED:
        return role in ("rep", "manager", "director")
    if entity in VISIT_RULES:
        return role in ("manager", "director")
    if entity in PLANNING:
        return role in ("manager", "director", "finance")
    if entity in TERMS:
        return role in ("manager", "director", "finance")
    if entity in CATALOGUE_DATA or entity in PAY:
        return role in ("finance", "director")
    return (entity in PEOPLE_DATA or entity in TEMPLATES) and role == "director"


def may_change_row(entity: str, row: Mapping[str, Any], held: frozenset[str] | set[str]) -> bool:
    """Owned work is changed by its owner, a split partner, and the managers above; other rows by who sees them."""
    owner = OWNED.get(entity)
    if owner is None:
        return True
    return f"book:{row[owner]}" in held or any(f"user:{s['user_key']}" in held for s in row.get("splits") or ())


def forbidden_field(role: str, entity: str, fields: Iterable[str], *, creating: bool) -> tuple[str, str] | None:
    """-> (code, field) of the first field that this role may not set on this entity, or None."""
    read_only = ALWAYS_READ_ONLY | READ_ONLY.get(entity, frozenset())
    if not creating:
        read_only |= SET_ONCE.get(entity, frozenset())
    managers = frozenset() if creating or role != "rep" else MANAGERS_SET.get(entity, frozenset())
    admins = frozenset() if role == "admin" else ADMINS_SET.get(entity, frozenset())
    if creating:
        admins -= {"email"}  # a new person needs one; the login of a person who is there is not taken over
    for field in fields:
        if field in read_only:
            return "field_read_only", field
        if field in managers or field in admins:
            return "field_not_permitted", field
    return None
