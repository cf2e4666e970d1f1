import shutil
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from sfa.app.seed.company import make_company
from sfa.app.seed.customers import Customers
from sfa.app.seed.made import Days, Dice, Made, key_maker
from sfa.app.seed.write import seed
from sfa.core.entities import ENTITIES
from sfa.core.errors import Refused
from sfa.core.hierarchy import Edge, Tree
from sfa.core.ids import check_key
from sfa.core.rules import broken, check_required, check_values
from sfa.core.shapes import SHAPES
from sfa.db.database import Database, open_database
from sfa.db.tables import ROWS, clock, credentials, feed, history
from sfa.db.writes import Door
from sfa.web.auth import find_candidate

TODAY = "2026-03-02"


def make(reps: int, accounts: int, number: int, today: str = TODAY) -> list[Made]:
    days, dice = Days(today), Dice(number)
    company = make_company(reps, days, dice)
    customers = Customers(company, accounts, days, dice, key_maker(number, days))
    return [*company.rows, *(row for place in range(accounts) for row in customers.make(place))]


def state(database: Database) -> list[Any]:
    """Every stored row, version and feed entry."""
    tables = [*ROWS.values(), history, feed]
    return database.read(
        lambda c: [
            c.execute(select(clock.c.seq)).scalar_one(),
            *(c.execute(select(t).order_by(*t.primary_key.columns)).all() for t in tables),
        ]
    )


@settings(max_examples=20)
@given(
    st.integers(1, 150),
    st.integers(0, 60),
    st.integers(),
    st.dates(date(2000, 1, 1), date(2150, 1, 1)).map(lambda day: day.isoformat()),
)
def test_every_made_row_obeys_the_rules_and_refers_to_rows_before_it(
    reps: int, accounts: int, number: int, today: str
) -> None:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    now_ms = Days(today).now_ms
    for made in make(reps, accounts, number, today):
        place = (made.entity, check_key(made.key))
        assert (place in rows) == (made.kind != "create")
        check_values(made.entity, made.values)
        if made.kind == "create":
            check_required(made.entity, made.values)
        for field, target in SHAPES[made.entity].references.items():
            assert made.values.get(field) is None or (target, made.values[field]) in rows, field
        assert made.author is None or ("users", made.author) in rows
        assert made.at <= now_ms
        rows[place] = {**dict.fromkeys(SHAPES[made.entity].types), **SHAPES[made.entity].defaults} | rows.get(place, {})
        rows[place].update(made.values)
        assert broken(made.entity, rows[place]) is None, rows[place]
    for entity, child in (("team_edges", "team_key"), ("territory_edges", "territory_key")):
        edges = [row for (of, _), row in rows.items() if of == entity]
        Tree([Edge(e[child], e["parent_key"], e["valid_from"], e["valid_to"]) for e in edges])
    emails = [row["email"] for (of, _), row in rows.items() if of == "users"]
    assert len(set(emails)) == len(emails)


def test_a_company_has_something_of_everything_that_people_work_with() -> None:
    made = make(16, 100, 1)
    server_only = {"refusals", "conflicts", "suggestions", "handovers", "visit_amendments"}
    server_only |= {"period_closings", "quota_versions", "quota_challenges", "price_guides", "forecast_overrides"}
    without = {"attachments"}  # there are no bytes for them
    without |= {"proposal_recipients", "proposal_questions"}
    without |= {"proposals", "proposal_lines", "proposal_templates", "margin_floors"}  # the demo makes them
    assert {row.entity for row in made} == set(ENTITIES) - server_only - without
    assert {row.values["role"] for row in made if row.entity == "users"} == {
        *("rep", "manager", "director", "finance", "admin")
    }
    assert {row.kind for row in made if row.entity == "deals"} == {"create", "deal.move", "deal.win", "deal.lose"}
    assert {row.values.get("status", "planned") for row in made if row.entity == "visits"} >= {"planned", "completed"}
    assert sum(row.entity == "users" and row.values["role"] == "manager" for row in made) == 2


def test_a_deals_amount_is_the_sum_of_its_lines() -> None:
    made = make(8, 60, 5)
    worth: dict[str, int] = defaultdict(int)
    for row in made:
        if row.entity == "deal_lines":
            v = row.values
            exact = int(v["quantity"]) * v["unit_price_minor"] * (10_000 - v["discount_bp"])
            worth[v["deal_key"]] += (exact + 5_000) // 10_000
    assert {r.key: r.values["amount_minor"] for r in made if r.entity == "deals" and r.kind == "create"} == worth


def test_every_rep_has_customers_and_a_territory_of_their_own() -> None:
    made = make(10, 55, 2)
    of_territory: dict[str, int] = defaultdict(int)
    for row in made:
        if row.entity == "accounts":
            of_territory[row.values["territory_key"]] += 1
    covered = {row.values["territory_key"] for row in made if row.entity == "territory_members"}
    assert set(of_territory) == covered
    assert set(of_territory.values()) == {5, 6}


def test_the_same_arguments_make_the_same_company_and_others_another() -> None:
    assert make(9, 30, 7) == make(9, 30, 7)
    assert make(9, 30, 7) != make(9, 30, 8)


def test_two_databases_with_the_same_seed_are_equal_byte_for_byte(sqlite_template: Path, tmp_path: Path) -> None:
    states = []
    for name in ("one.db", "two.db"):
        database = open_database(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / name)}", durable=False)
        seed(database, reps=9, accounts=40, seed=3, today=TODAY, password_hash="x")
        states.append(state(database))
        database.close()
    assert states[0] == states[1]


def test_the_door_knows_every_row_where_it_lies_and_everybody_can_log_in(database: Database) -> None:
    counts, emails = seed(database, reps=9, accounts=40, seed=3, today=TODAY, password_hash="a hash")
    for entity, table in ROWS.items():
        query = select(table.c.key, table.c.buckets)
        stored = database.read(lambda c, q: c.execute(q).all(), query)
        assert len(stored) == counts[entity], entity
        assert all(buckets for _, buckets in stored), entity

    def settled(connection: Any) -> list[tuple[str, ...]]:
        """What the door would say of stored deals, reckoned anew from their accounts."""
        door = Door(connection, Days(TODAY).now_ms)
        keys = connection.execute(select(ROWS["deals"].c.key)).scalars().all()
        door.load("deals", keys, "none")
        cells = door.cells_of("deals")
        before = [cell.buckets for cell in cells]
        for cell in cells:
            cell.moved = True
        return [b for b, cell in zip(before, cells, strict=True) if b != door.buckets(cell)]

    assert database.read(settled) == []
    candidate = database.read(find_candidate, emails["rep-0001"])
    assert candidate is not None
    hashes = database.read(lambda c: c.execute(select(credentials.c.password_hash)).scalars().all())
    assert hashes == ["a hash"] * counts["users"]


def test_a_company_is_not_seeded_over_another_one(database: Database) -> None:
    seed(database, reps=1, accounts=1, seed=1, today=TODAY, password_hash="x")
    with pytest.raises(Refused) as refused:
        seed(database, reps=1, accounts=1, seed=1, today=TODAY, password_hash="x")
    assert refused.value.code == "key_taken"
