"""The four files of the CRM Sales Opportunities set: what each line must say, and how the lines fit together.

Promises: `read_opportunities` answers the good records and a fault for every other line; a good record refers to good
records only. The set's known misspellings are put right by `CORRECTIONS`, nothing else is. Pure but for reading files.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from sfa.crm.imports.record import Record
from sfa.crm.imports.table import Fault, Table, read_table

CURRENCY = "USD"
TEAMS, PRODUCTS, ACCOUNTS, DEALS = "sales_teams.csv", "products.csv", "accounts.csv", "sales_pipeline.csv"
COLUMNS: dict[str, tuple[str, ...]] = {
    TEAMS: ("sales_agent", "manager", "regional_office"),
    PRODUCTS: ("product", "series", "sales_price"),
    ACCOUNTS: ("account", "sector", "year_established", "revenue", "employees", "office_location", "subsidiary_of"),
    DEALS: (
        *("opportunity_id", "sales_agent", "product", "account"),
        *("deal_stage", "engage_date", "close_date", "close_value"),
    ),
}
OPEN, CLOSED = ("Prospecting", "Engaging"), ("Won", "Lost")
CORRECTIONS: dict[str, dict[str, str]] = {
    "sector": {"technolgy": "technology"},
    "office_location": {"Philipines": "Philippines"},
    "product": {"GTXPro": "GTX Pro"},
}


class Agent(Struct, frozen=True):
    line: int
    name: str
    leader: str
    office: str


class Product(Struct, frozen=True):
    line: int
    name: str
    series: str | None
    price_minor: int


class Customer(Struct, frozen=True):
    line: int
    name: str
    sector: str | None
    founded_year: int | None
    revenue_minor: int | None
    employees: int | None
    country: str | None
    part_of: str | None


class Opportunity(Struct, frozen=True):
    """`value_minor` is what the file says of the amount; nothing (or a lost deal's zero) is None."""

    line: int
    name: str  # the opportunity_id
    agent: str
    product: str
    customer: str | None
    stage: str
    engaged_on: str | None
    closed_on: str | None
    value_minor: int | None


class Opportunities(Struct, frozen=True):
    """`usable` is False where a header is wrong: then nothing may be imported, good lines or not."""

    agents: tuple[Agent, ...]
    products: tuple[Product, ...]
    customers: tuple[Customer, ...]
    deals: tuple[Opportunity, ...]
    faults: tuple[Fault, ...]
    usable: bool = True


Item = TypeVar("Item", Agent, Product, Customer, Opportunity)


def read_opportunities(folder: Path) -> Opportunities:
    """All four files, or `import_file_missing` for the first one that is not there."""
    tables = {file: read_table(folder, file, columns) for file, columns in COLUMNS.items()}
    faults = [fault for table in tables.values() for fault in table.faults]
    if not all(table.usable for table in tables.values()):
        return Opportunities((), (), (), (), tuple(faults), usable=False)
    agents = _one_office_for_each_leader(_read(tables[TEAMS], _agent, "sales_agent", faults), faults)
    products = _read(tables[PRODUCTS], _product, "product", faults)
    customers = _without_loops(_read(tables[ACCOUNTS], _customer, "account", faults), faults)
    deals = _with_known_names(
        _read(tables[DEALS], _deal, "opportunity_id", faults), agents, products, customers, faults
    )
    order = list(COLUMNS)
    faults.sort(key=lambda f: (order.index(f.file), f.line))
    return Opportunities(
        tuple(agents.values()), tuple(products.values()), tuple(customers.values()), tuple(deals), tuple(faults)
    )


def _read(table: Table, read: Callable[[Record], Item | None], identity: str, faults: list[Fault]) -> dict[str, Item]:
    """The good records by name; a name that comes again is a fault of the later line."""
    found: dict[str, Item] = {}
    seen: dict[str, int] = {}
    for line in table.lines:
        record = Record(table.file, line, faults)
        name = line.values[identity]
        if name in seen:
            record.fault(identity, "duplicate_external_id", f"{name[:60]!r} is on line {seen[name]} already")
            continue
        if name:
            seen[name] = line.number
        item = read(record)
        if item is not None and record.good:
            found[item.name] = item
    return found


def _agent(record: Record) -> Agent | None:
    record.required(("sales_agent", "manager", "regional_office"))
    name, leader, office = (record.text(f) for f in ("sales_agent", "manager", "regional_office"))
    if name is None or leader is None or office is None:
        return None
    if name == leader:
        record.fault("manager", "hierarchy_cycle", f"{name!r} cannot be the manager of themselves")
    return Agent(record.line, name, leader, office)


def _product(record: Record) -> Product | None:
    record.required(("product", "sales_price"))
    name, price_minor = record.text("product"), record.money("sales_price", CURRENCY)
    series = record.text("series")
    return None if name is None or price_minor is None else Product(record.line, name, series, price_minor)


def _customer(record: Record) -> Customer | None:
    record.required(("account",))
    name = record.text("account")
    values = (
        record.text("sector", CORRECTIONS["sector"]),
        record.whole("year_established", 9999),
        record.millions("revenue", CURRENCY),
        record.whole("employees"),
        record.text("office_location", CORRECTIONS["office_location"]),
        record.text("subsidiary_of"),
    )
    return None if name is None else Customer(record.line, name, *values)


def _deal(record: Record) -> Opportunity | None:
    record.required(("opportunity_id", "sales_agent", "product", "deal_stage"))
    name, agent, product = (record.text(f) for f in ("opportunity_id", "sales_agent", "product"))
    stage = record.choice("deal_stage", (*OPEN, *CLOSED))
    engaged_on, closed_on = record.day("engage_date"), record.day("close_date")
    value_minor = record.money("close_value", CURRENCY)
    if stage in CLOSED:
        record.required(("close_date",))
    if stage == "Won":
        record.required(("close_value",))
    if engaged_on is not None and closed_on is not None and closed_on < engaged_on:
        record.fault("close_date", "invariant_failed", f"the deal closes before it begins on {engaged_on}")
    if name is None or agent is None or product is None or stage is None:
        return None
    if stage != "Won" and not value_minor:
        value_minor = None  # the set writes 0 for what was lost; that is no price
    customer = record.text("account")
    return Opportunity(record.line, name, agent, product, customer, stage, engaged_on, closed_on, value_minor)


def _one_office_for_each_leader(agents: Mapping[str, Agent], faults: list[Fault]) -> dict[str, Agent]:
    """A manager's team lies in one region: a second one would give it two parents on one day."""
    offices: dict[str, Agent] = {}
    good: dict[str, Agent] = {}
    for agent in agents.values():
        first = offices.setdefault(agent.leader, agent)
        if first.office == agent.office:
            good[agent.name] = agent
        else:
            text = f"{agent.leader!r} leads a team in {first.office!r} (line {first.line})"
            faults.append(Fault(TEAMS, agent.line, "regional_office", "hierarchy_overlap", text))
    return good


def _without_loops(customers: Mapping[str, Customer], faults: list[Fault]) -> dict[str, Customer]:
    """The customers, parents first, without those whose parent is unknown, bad or a part of themselves."""
    good: dict[str, Customer] = {}
    bad: set[str] = set()
    for customer in customers.values():
        chain: dict[str, Customer] = {}
        above: Customer | None = customer
        while above is not None and not (above.name in good or above.name in bad or above.name in chain):
            chain[above.name] = above
            above = customers.get(above.part_of or "")
        for item in reversed(chain.values()):
            parent = item.part_of
            if parent is None or parent in good:
                good[item.name] = item
                continue
            if parent in chain and parent not in bad:
                code, text = "hierarchy_cycle", f"{parent!r} would be a part of itself"
            else:
                code, text = "reference_unknown", f"{parent!r} is on no good line of {ACCOUNTS}"
            bad.add(item.name)
            faults.append(Fault(ACCOUNTS, item.line, "subsidiary_of", code, text))
    return good


def _with_known_names(
    deals: Mapping[str, Opportunity],
    agents: Mapping[str, Agent],
    products: Mapping[str, Product],
    customers: Mapping[str, Customer],
    faults: list[Fault],
) -> Iterable[Opportunity]:
    """The deals whose agent, product and account are good lines of the other files."""
    good = []
    for deal in deals.values():
        product = deal.product if deal.product in products else CORRECTIONS["product"].get(deal.product, deal.product)
        unknown = [
            Fault(DEALS, deal.line, field, "reference_unknown", f"{name!r} is on no good line of {file}")
            for field, name, known, file in (
                ("sales_agent", deal.agent, agents, TEAMS),
                ("product", product, products, PRODUCTS),
                ("account", deal.customer, customers, ACCOUNTS),
            )
            if name is not None and name not in known
        ]
        faults.extend(unknown)
        if not unknown:
            good.append(msgspec.structs.replace(deal, product=product))
    return good
