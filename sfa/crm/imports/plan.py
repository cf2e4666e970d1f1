"""What rows the opportunities make: pure, and the same for the same files.

Promises: every parent comes before its children; keys come from external ids (`keys`). `values` are
what the file says and go on saying (a later run writes them again); `once` is what a new row begins with and people
change afterwards: names, territories, probabilities. docs/import.md tells each choice.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from sfa.core.days import day_start_ms
from sfa.crm.imports.keys import external_key
from sfa.crm.imports.opportunities import (
    ACCOUNTS,
    CURRENCY,
    DEALS,
    PRODUCTS,
    TEAMS,
    Customer,
    Opportunities,
    Opportunity,
)

NOON_MS = 12 * 3600 * 1000
LOST_REASON = "not recorded"
NAME_CHARACTERS_MAX = 200
HISTORY_DAYS = 36_500  # the set is years old: all of it shall stay on devices until the company decides otherwise
SINCE_WITHOUT_DATES = "2000-01-01"
ALL_SALES = "imported-all-sales"  # keys that no person chooses
# key -> (external id, position, kind, probability, category); the commands of a deal expect the keys `won` and `lost`.
STAGES: dict[str, tuple[str, int, str, int, str]] = {
    "prospecting": ("Prospecting", 1, "open", 1_000, "pipeline"),
    "engaging": ("Engaging", 2, "open", 4_000, "best_case"),
    "won": ("Won", 8, "won", 10_000, "closed"),
    "lost": ("Lost", 9, "lost", 0, "omitted"),
}


class Planned(Struct, frozen=True):
    """One row that should be there, and the line that says so."""

    entity: str
    key: str
    values: dict[str, Any]
    once: dict[str, Any]
    file: str
    line: int


def plan_rows(found: Opportunities) -> list[Planned]:
    days = [day for deal in found.deals for day in (deal.engaged_on, deal.closed_on) if day is not None]
    since = f"{min(days)[:4]}-01-01" if days else SINCE_WITHOUT_DATES
    return [
        *_company(),
        *_people(found),
        *_teams(found, since),
        *_territories(found, since),
        *_catalogue(found, since),
        *_customers(found),
        *_deals(found),
    ]


def _company() -> Iterator[Planned]:
    company = {"name": "Imported company", "zone": "UTC", "currency": CURRENCY, "history_days": HISTORY_DAYS}
    yield Planned("organisations", "organisation", {}, company, DEALS, 1)
    unit = {"code": CURRENCY, "name": "US dollar", "minor_digits": 2}
    yield Planned("currencies", CURRENCY, {}, unit, PRODUCTS, 1)


def user_key(name: str) -> str:
    return external_key("user", name)


def _people(found: Opportunities) -> Iterator[Planned]:
    leaders = {agent.leader: agent.line for agent in reversed(found.agents)}
    names = leaders | {agent.name: agent.line for agent in found.agents}
    taken: Counter[str] = Counter()
    for name in sorted(names):
        place = "".join(c if c.isascii() and c.isalnum() else "." for c in name.lower()).strip(".") or "user"
        taken[place] += 1
        address = place if taken[place] == 1 else f"{place}.{taken[place]}"
        role = "manager" if name in leaders else "rep"
        person = {"name": name, "email": f"{address}@example.com", "role": role, "external_id": name}
        yield Planned("users", user_key(name), {}, person, TEAMS, names[name])


def _teams(found: Opportunities, since: str) -> Iterator[Planned]:
    """All sales > a team for each region > a team for each manager > the agents."""
    offices = {agent.office: agent.line for agent in reversed(found.agents)}
    leaders = {agent.leader: agent for agent in reversed(found.agents)}
    dated = {"valid_from": since}
    yield Planned("teams", ALL_SALES, {}, {"name": "All sales"}, TEAMS, 1)
    yield Planned("team_edges", ALL_SALES, {}, {"team_key": ALL_SALES, **dated}, TEAMS, 1)
    for office, line in sorted(offices.items()):
        key = external_key("region", office)
        yield Planned("teams", key, {}, {"name": office}, TEAMS, line)
        edge = {"team_key": key, "parent_key": ALL_SALES, **dated}
        yield Planned("team_edges", external_key("region", office), {}, edge, TEAMS, line)
    for name, agent in sorted(leaders.items()):
        key = external_key("team", name)
        yield Planned("teams", key, {}, {"name": f"Team {name}", "external_id": name}, TEAMS, agent.line)
        above = {"parent_key": external_key("region", agent.office)}
        yield Planned("team_edges", external_key("team", name), above, {"team_key": key, **dated}, TEAMS, agent.line)
        head = {"team_key": key, "user_key": user_key(name), "role": "manager", **dated}
        yield Planned("team_members", external_key("leads", name), {}, head, TEAMS, agent.line)
    for agent in found.agents:
        team = {"team_key": external_key("team", agent.leader)}
        member = {"user_key": user_key(agent.name), **dated}
        yield Planned("team_members", external_key("member", agent.name), team, member, TEAMS, agent.line)


def territory_key(office: str) -> str:
    return external_key("territory", office)


def _territories(found: Opportunities, since: str) -> Iterator[Planned]:
    """A territory for each regional office, each a tree of its own; the agents of the office cover it."""
    dated = {"valid_from": since}
    offices = {agent.office: agent.line for agent in reversed(found.agents)}
    for office, line in sorted(offices.items()):
        key = territory_key(office)
        yield Planned("territories", key, {}, {"name": office, "external_id": office}, TEAMS, line)
        yield Planned("territory_edges", external_key("edge", office), {}, {"territory_key": key, **dated}, TEAMS, line)
    for agent in found.agents:
        place = {"territory_key": territory_key(agent.office)}
        cover = {"user_key": user_key(agent.name), **dated}
        yield Planned("territory_members", external_key("covers", agent.name), place, cover, TEAMS, agent.line)


def _catalogue(found: Opportunities, since: str) -> Iterator[Planned]:
    for product in found.products:
        key = external_key("product", product.name)
        once = {"name": product.name, "external_id": product.name}
        yield Planned("products", key, {"family": product.series}, once, PRODUCTS, product.line)
        amount = {"amount_minor": product.price_minor}
        price = {"product_key": key, "currency": CURRENCY, "valid_from": since}
        yield Planned("prices", external_key("price", product.name), amount, price, PRODUCTS, product.line)
    for key, (name, position, kind, probability_bp, category) in STAGES.items():
        stage = {"name": name, "position": position, "kind": kind, "probability_bp": probability_bp}
        yield Planned("stages", key, {}, {**stage, "category": category, "external_id": name}, DEALS, 1)


def account_key(name: str) -> str:
    return external_key("account", name)


def _customers(found: Opportunities) -> Iterator[Planned]:
    deals_of: dict[str, list[Opportunity]] = defaultdict(list)
    for deal in found.deals:
        if deal.customer is not None:
            deals_of[deal.customer].append(deal)
    office_of = {agent.name: agent.office for agent in found.agents}
    for customer in found.customers:
        deals = deals_of[customer.name]
        home = _home([office_of[deal.agent] for deal in deals])
        status = "customer" if any(deal.stage == "Won" for deal in deals) else "prospect"
        once: dict[str, Any] = {"name": customer.name, "external_id": customer.name, "status": status}
        once["territory_key"] = territory_key(home) if home is not None else None
        yield Planned("accounts", account_key(customer.name), _facts(customer), once, ACCOUNTS, customer.line)
    for name, deals in sorted(deals_of.items()):
        for agent, line in sorted({deal.agent: deal.line for deal in reversed(deals)}.items()):
            member = {"account_key": account_key(name), "user_key": user_key(agent)}
            yield Planned("account_members", external_key("sells", f"{agent}\0{name}"), {}, member, DEALS, line)


def _facts(customer: Customer) -> dict[str, Any]:
    return {
        "industry": customer.sector,
        "founded_year": customer.founded_year,
        "revenue_minor": customer.revenue_minor,
        "revenue_currency": CURRENCY if customer.revenue_minor is not None else None,
        "employees": customer.employees,
        "country": customer.country,
        "parent_key": account_key(customer.part_of) if customer.part_of is not None else None,
    }


def _home(offices: list[str]) -> str | None:
    """The region with most deals, the first by name where several have as many."""
    counted = Counter(offices)
    return min(counted, key=lambda office: (-counted[office], office), default=None)


def _deals(found: Opportunities) -> Iterator[Planned]:
    """Each deal with its one line beside it, so that no batch parts them."""
    stage_of = {name: key for key, (name, *_) in STAGES.items()}
    price_of = {product.name: product.price_minor for product in found.products}
    for deal in found.deals:
        key = external_key("deal", deal.name)
        amount_minor = deal.value_minor if deal.value_minor is not None else price_of[deal.product]
        closed = deal.stage in ("Won", "Lost")
        values = {
            "owner_key": user_key(deal.agent),
            "account_key": account_key(deal.customer) if deal.customer is not None else None,
            "stage_key": stage_of[deal.stage],
            "amount_minor": amount_minor,
            "currency": CURRENCY,
            "opened_on": deal.engaged_on,
            "close_on": deal.closed_on,
            "closed_at": day_start_ms(deal.closed_on, "UTC") + NOON_MS if closed and deal.closed_on else None,
            "lost_reason": LOST_REASON if deal.stage == "Lost" else None,
        }
        name = f"{deal.product} for {deal.customer}" if deal.customer is not None else f"{deal.product} ({deal.name})"
        once = {"name": name[:NAME_CHARACTERS_MAX], "external_id": deal.name}
        yield Planned("deals", key, values, once, DEALS, deal.line)
        line = {"product_key": external_key("product", deal.product), "unit_price_minor": amount_minor}
        first = {"deal_key": key, "position": 1, "quantity": "1"}
        yield Planned("deal_lines", external_key("line", deal.name), line, first, DEALS, deal.line)
