"""Who sees and changes what (S10, R53): pure, so that every claim is a property."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfa.core.access import (
    ALWAYS_READ_ONLY,
    MANAGERS_SET,
    READ_ONLY,
    ROLES,
    SERVER_ONLY_ENTITIES,
    Membership,
    Organisation,
    Parent,
    buckets_of,
    forbidden_field,
    may_change_row,
    may_write,
    next_change_after,
    scopes_on,
)
from sfa.core.entities import ENTITIES
from sfa.core.hierarchy import Edge
from sfa.core.shapes import ABOUT_ROWS, PARENTS, SHAPES

USERS = ("u0", "u1", "u2", "u3", "u4")
TEAMS = ("a", "b", "c", "d")
TERRITORIES = ("n", "s", "w")
DAYS = tuple(f"2026-01-{day:02}" for day in range(1, 10))

days = st.sampled_from(DAYS)


@st.composite
def spans(draw: st.DrawFn) -> tuple[str, str | None]:
    start = draw(days)
    return start, draw(st.none() | st.sampled_from([day for day in (*DAYS, "2026-02-01") if day > start]))


@st.composite
def trees(draw: st.DrawFn, nodes: tuple[str, ...]) -> tuple[Edge, ...]:
    """A tree in which a parent always comes before its child, so that no day has a cycle."""
    edges = []
    for place, node in enumerate(nodes):
        parent = draw(st.sampled_from([None, *nodes[:place]]))
        edges.append(Edge(node, parent, *draw(spans())))
    return tuple(edges)


@st.composite
def memberships(draw: st.DrawFn, groups: tuple[str, ...], manages: bool) -> Membership:
    start, end = draw(spans())
    return Membership(
        draw(st.sampled_from(USERS)), draw(st.sampled_from(groups)), start, end, manages and draw(st.booleans())
    )


@st.composite
def organisations(draw: st.DrawFn, roles: tuple[str, ...] = ROLES) -> Organisation:
    active = draw(st.sets(st.sampled_from(USERS), min_size=1))
    return Organisation(
        roles={user: draw(st.sampled_from(roles)) for user in sorted(active)},
        people=frozenset(USERS),
        teams=frozenset(TEAMS),
        territories=frozenset(TERRITORIES),
        team_edges=draw(trees(TEAMS)),
        territory_edges=draw(trees(TERRITORIES)),
        team_members=tuple(draw(st.lists(memberships(TEAMS, True), max_size=8))),
        territory_members=tuple(draw(st.lists(memberships(TERRITORIES, False), max_size=6))),
    )


@given(organisations(), days)
def test_everybody_active_holds_his_own_and_a_leaver_nothing(company: Organisation, day: str) -> None:
    """S10."""
    scopes = scopes_on(company, day)
    assert scopes.keys() == company.roles.keys()
    for user, held in scopes.items():
        assert {"all", f"user:{user}", f"book:{user}"} <= held
        assert not {f"user:{other}" for other in USERS if other != user} & held


@given(organisations(), days)
def test_only_directors_and_finance_hold_costs(company: Organisation, day: str) -> None:
    """S10, R45."""
    for user, held in scopes_on(company, day).items():
        assert ("cost:all" in held) == (company.roles[user] in ("director", "finance"))


@given(organisations(("finance", "admin")), days)
def test_finance_and_admin_see_all_work_of_all_people(company: Organisation, day: str) -> None:
    """S10: leavers' books too."""
    everything = {f"book:{u}" for u in USERS} | {f"territory:{t}" for t in TERRITORIES}
    everything |= {f"team:{t}" for t in TEAMS} | {f"manage:{t}" for t in TEAMS}
    for held in scopes_on(company, day).values():
        assert everything <= held


@given(organisations(("rep", "manager", "director")), days)
def test_a_manager_holds_at_least_what_everybody_below_holds(company: Organisation, day: str) -> None:
    """S10, R19: books, territories and teams of the people of every team below, and no private bucket."""
    scopes = scopes_on(company, day)
    below = {team: _subtree(team, company.team_edges, day) for team in TEAMS}
    holds = [m for m in company.team_members if _on(m.valid_from, m.valid_to, day)]
    for manager in (m for m in holds if m.manages and m.user in scopes):
        for member in (m for m in holds if m.group in below[manager.group] and m.user in scopes):
            theirs = {b for b in _own(company, member.user, day) if not b.startswith("user:")}
            assert theirs <= scopes[manager.user]


def _own(company: Organisation, user: str, day: str) -> set[str]:
    """What a person holds for his own sake: not as a manager."""
    plain = [m for m in company.team_members if m.user == user]
    alone = Organisation(
        {user: "rep"},
        company.people,
        company.teams,
        company.territories,
        company.team_edges,
        company.territory_edges,
        tuple(Membership(m.user, m.group, m.valid_from, m.valid_to) for m in plain),
        company.territory_members,
    )
    return {b for b in scopes_on(alone, day)[user] if not b.startswith("team:")}


def _on(start: str, end: str | None, day: str) -> bool:
    return start <= day and (end is None or day < end)


def _subtree(team: str, edges: tuple[Edge, ...], day: str) -> set[str]:
    found = {team}
    for _ in edges:
        found |= {e.child for e in edges if e.parent in found and _on(e.valid_from, e.valid_to, day)}
    return found


@given(organisations(("rep", "manager")), days)
def test_nobody_holds_a_book_that_no_tree_gives_him(company: Organisation, day: str) -> None:
    """S10: a role alone opens nobody's book."""
    for user, held in scopes_on(company, day).items():
        managed: set[str] = set()
        for m in company.team_members:
            if m.user == user and m.manages and _on(m.valid_from, m.valid_to, day):
                managed |= _subtree(m.group, company.team_edges, day)
        people = {m.user for m in company.team_members if m.group in managed and _on(m.valid_from, m.valid_to, day)}
        assert {b for b in held if b.startswith("book:")} == {f"book:{p}" for p in people | {user}}
        assert {b for b in held if b.startswith("manage:")} == {f"manage:{t}" for t in managed}


@given(organisations(("rep", "manager", "director")), memberships(TEAMS, True), days)
def test_one_more_membership_never_takes_anything_away(company: Organisation, more: Membership, day: str) -> None:
    """S10: scopes are monotone."""
    wider = Organisation(
        company.roles,
        company.people,
        company.teams,
        company.territories,
        company.team_edges,
        company.territory_edges,
        (*company.team_members, more),
        company.territory_members,
    )
    after = scopes_on(wider, day)
    assert all(held <= after[user] for user, held in scopes_on(company, day).items())


@given(organisations(), days, days)
def test_scopes_change_only_on_the_days_that_are_announced(company: Organisation, day: str, later: str) -> None:
    """S11: what `due_at` is made of."""
    assume(day <= later)
    change = next_change_after(company, day)
    if change is None or later < change:
        assert scopes_on(company, later) == scopes_on(company, day)
    else:
        assert day < change


def test_a_membership_holds_from_its_first_day_until_before_its_last() -> None:
    """S11: half-open."""
    company = Organisation(
        {"u0": "rep"},
        frozenset(USERS),
        frozenset(),
        frozenset("n"),
        (),
        (),
        (),
        (Membership("u0", "n", "2026-01-02", "2026-01-04"),),
    )
    held = ["territory:n" in scopes_on(company, day)["u0"] for day in DAYS[:5]]
    assert held == [False, True, True, False, False]


# -- where rows lie --------------------------------------------------------------------------------------------------


def row_of(entity: str, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(SHAPES[entity].types), **SHAPES[entity].defaults, **values}


@pytest.mark.parametrize("entity", sorted(ENTITIES))
def test_every_row_lies_in_buckets_of_a_known_kind(entity: str) -> None:
    """S10: no entity is forgotten, none lies nowhere."""
    refs = dict.fromkeys(SHAPES[entity].references, "x")
    parent = Parent(("territory:x",), "territory:x") if entity in PARENTS or entity in ABOUT_ROWS else None
    found = buckets_of(entity, row_of(entity, **refs), parent, ())
    assert found
    assert list(found) == sorted(set(found))
    kinds = {bucket.partition(":")[0] for bucket in found}
    assert kinds <= {"all", "territory", "user", "book", "team", "manage", "cost", "unassigned"}
    assert ("cost" in kinds) == (
        entity in {"unit_costs", "cost_rates", "campaign_costs", "margin_floors", "deal_charges"}
    )


@pytest.mark.parametrize(("measure", "place"), [("revenue", "all"), ("margin", "cost:all")])
def test_a_plan_on_margins_lies_with_who_sees_cost_and_stays_there(measure: str, place: str) -> None:
    """R45."""
    assert buckets_of("commission_plans", row_of("commission_plans", measure=measure), None, ()) == (place,)
    for role in ROLES:
        found = forbidden_field(role, "commission_plans", ("measure",), creating=False)
        assert found == ("field_read_only", "measure")
        assert forbidden_field(role, "commission_plans", ("measure",), creating=True) is None


@given(st.sets(st.sampled_from(USERS)), st.none() | st.sampled_from(TERRITORIES))
def test_an_account_lies_in_its_territory_and_with_its_team_and_never_nowhere(
    team: set[str], territory: str | None
) -> None:
    """S10."""
    found = set(buckets_of("accounts", row_of("accounts", territory_key=territory), None, team))
    expected = {f"user:{u}" for u in team} | ({f"territory:{territory}"} if territory else set())
    assert found == (expected or {"unassigned"})


@given(st.sampled_from(USERS), st.sets(st.sampled_from(USERS)), st.none() | st.sampled_from(TERRITORIES))
def test_a_deal_lies_with_owner_partners_and_territory_but_not_with_the_account_team(
    owner: str, partners: set[str], territory: str | None
) -> None:
    """S10."""
    splits = [{"user_key": user, "share_bp": 0} for user in sorted(partners)]
    place = f"territory:{territory}" if territory else None
    parent = Parent((*([place] if place else []), "user:team-member"), place)
    found = set(buckets_of("deals", row_of("deals", owner_key=owner, splits=splits), parent, ()))
    assert found == {f"book:{owner}"} | {f"user:{u}" for u in partners - {owner}} | ({place} if place else set())


@given(st.sampled_from(USERS), st.sets(st.sampled_from(USERS)), st.sets(st.sampled_from(USERS)))
def test_work_is_changed_by_owner_partner_and_manager_only(owner: str, partners: set[str], books: set[str]) -> None:
    """S10, R53."""
    row = row_of("deals", owner_key=owner, splits=[{"user_key": u, "share_bp": 0} for u in sorted(partners)])
    held = {f"book:{user}" for user in books} | {"territory:n", "all"}
    assert may_change_row("deals", row, held) == (owner in books)
    for user in USERS:
        assert may_change_row("deals", row, {f"user:{user}"}) == (user in partners)
    assert may_change_row("accounts", row_of("accounts"), set())


@pytest.mark.parametrize("role", ROLES)
def test_nobody_writes_what_only_the_server_writes(role: str) -> None:
    """S19: refusals and conflicts are made by the sync; a command settles them."""
    assert [entity for entity in SERVER_ONLY_ENTITIES if may_write(role, entity)] == []
    for entity in ENTITIES:
        for field in ALWAYS_READ_ONLY | READ_ONLY.get(entity, frozenset()):
            assert forbidden_field(role, entity, (field,), creating=True) == ("field_read_only", field)


@pytest.mark.parametrize("entity", MANAGERS_SET)
def test_moving_work_is_a_managers_decision(entity: str) -> None:
    """S10: a rep says it once, when creating."""
    for field in MANAGERS_SET[entity]:
        assert forbidden_field("rep", entity, (field,), creating=False) == ("field_not_permitted", field)
        assert forbidden_field("rep", entity, (field,), creating=True) is None
        assert forbidden_field("manager", entity, (field,), creating=False) is None
