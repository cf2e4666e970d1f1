"""R37 for any company: whatever was sold, spent and booked, every dimension equals a recount and the same total."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from sfa.db.writes import Door, Origin
from tests.builders import NOW
from tests.office import Office
from tests.profit.books import Row, at, charge, check_recounted, leg, paid, rate, visit
from tests.quotas.ledger import line, shares, won
from tests.quotas.ledger import rate as exchange

DAYS = st.sampled_from(("2026-01-01", "2026-01-31", "2026-02-01", "2026-03-29", "2026-12-31", "2027-01-01"))
PEOPLE = st.sampled_from(("ana", "bob", "cleo"))
CUSTOMERS = st.sampled_from(("acme", "zeta"))
MONEY = st.integers(-3_000, 100_000)
COST = st.integers(0, 10_000)
CURRENCIES = st.sampled_from(("EUR", "EUR", "EUR", "JPY", "USD"))
SHARES = st.integers(1, 9_999).map(lambda bp: shares(ana=bp, bob=10_000 - bp))
DEALS = st.lists(
    st.tuples(DAYS, MONEY, CURRENCIES, PEOPLE, CUSTOMERS, st.sampled_from((None, 30, 45)), SHARES | st.just([])),
    max_size=5,
)
LINES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.sampled_from(("pump", "valve", "hose")),
        st.sampled_from(("1", "2.5", "0", "0.333333333333", "7")),
        st.integers(0, 9_999),
        st.integers(0, 10_000),
    ),
    max_size=8,
)
VISITS = st.lists(st.tuples(DAYS, st.integers(0, 500), PEOPLE, CUSTOMERS, st.booleans()), max_size=5)
LEGS = st.lists(st.tuples(DAYS, st.integers(0, 99_999) | st.none(), PEOPLE, st.integers(0, 5)), max_size=4)
CHARGES = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(("freight", "goods_return", "credit_note")), COST, DAYS, CURRENCIES),
    max_size=4,
)
EXPENSES = st.lists(st.tuples(DAYS, COST | st.none(), PEOPLE, CUSTOMERS | st.none(), CURRENCIES), max_size=4)
WORK = st.lists(st.tuples(DAYS, st.integers(1, 600), PEOPLE, CUSTOMERS), max_size=3)
PAID = st.lists(st.tuples(st.integers(0, 4), DAYS, MONEY, PEOPLE, CURRENCIES), max_size=4)
COMPANIES = st.fixed_dictionaries(
    {
        "deals": DEALS,
        "lines": LINES,
        "visits": VISITS,
        "legs": LEGS,
        "charges": CHARGES,
        "expenses": EXPENSES,
        "work": WORK,
        "paid": PAID,
    }
)


class Done(Exception):
    """Nothing of an example stays."""


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(company=COMPANIES)
def test_r37_every_dimension_of_any_company_is_the_same_money(shared_office: Office, company: dict[str, Any]) -> None:
    def work(connection: Connection) -> None:
        door, origin = Door(connection, NOW), Origin(author_key=None, at=NOW, stored_at=NOW)
        for entity, key, values in rows_of(company):
            door.put(door.cell(entity, key), values, origin, "update")
        door.flush()
        count = len(company["deals"])
        paid(connection, *(_paid(one, count) for one in company["paid"]))
        check_recounted(connection)
        raise Done

    try:
        shared_office.database.write(work)
    except Done:
        return
    raise AssertionError("an example was kept")


def _paid(said: Any, deals: int) -> dict[str, Any]:
    number, day, amount, user, currency = said
    row = {"user_key": user, "at": at(day), "amount_minor": amount, "currency": currency}
    return {**row, "deal_key": f"d{number}" if number < deals else None}


def rows_of(company: dict[str, Any]) -> list[Row]:
    found: list[Row] = [
        exchange("EUR", "JPY", "160.3", "2025-01-01"),
        exchange("USD", "EUR", "0.9137", "2025-01-01"),
        exchange("USD", "EUR", "0.8821", "2026-02-01"),
        ("products", "valve", {"name": "Valve"}),
        ("products", "hose", {"name": "Hose"}),
        *(
            ("unit_costs", f"c-{product}-{since}", {"product_key": product, "amount_minor": cost, "currency": "EUR",
                                                    "valid_from": since})
            for product, cost, since in (("valve", 333, "2025-01-01"), ("valve", 335, "2026-02-01"),
                                         ("hose", 1, "2025-01-01"))
        ),
        rate("r1", "visit_hour", 61_17),
        rate("r2", "visit_hour", 99_99, "2026-02-01", user_key="ana"),
        rate("r3", "visit_hour", 7_001, user_key="cleo", currency="JPY"),
        rate("r4", "work_hour", 44_44),
        rate("r5", "kilometre", 43),
        rate("r6", "capital", 777),
        rate("r7", "capital", 901, "2026-02-01", valid_to="2026-12-31"),
    ]  # fmt: skip
    for n, (day, amount, currency, owner, customer, terms, splits) in enumerate(company["deals"]):
        more = {"owner_key": owner, "account_key": customer, "payment_days": terms, "splits": splits}
        found.append(won(f"d{n}", day, amount, currency=currency, **more))
    deals = len(company["deals"])
    for n, (deal, product, quantity, price, discount) in enumerate(company["lines"]):
        if deal < deals:
            entity, key, said = line(f"l{n}", f"d{deal}", quantity, product)
            found.append((entity, key, {**said, "unit_price_minor": price, "discount_bp": discount, "position": n % 2}))
    for n, (day, minutes, owner, customer, _) in enumerate(company["visits"]):
        found.append(visit(f"v{n}", day, minutes, owner_key=owner, account_key=customer))
    for n, (day, minutes, owner, _, corrected) in enumerate(company["visits"]):
        if corrected:
            said = {"visit_key": f"v{n}", "author_key": owner, "amended_at": NOW, "reason": "so", "ordinal": 1}
            new = at(day) + (minutes + 7) * 60_000
            found.append(("visit_amendments", f"a{n}", {**said, "field": "checked_out_at", "old": None, "new": new}))
    for n, (day, metres, owner, visited) in enumerate(company["legs"]):
        of = f"v{visited}" if visited < len(company["visits"]) else None
        found.append(leg(f"w{n}", day, metres, owner_key=owner, visit_key=of))
    for n, (deal, kind, amount, day, currency) in enumerate(company["charges"]):
        if deal < deals:
            back = {"product_key": "valve", "quantity": "1.5"} if kind == "goods_return" else {}
            found.append(charge(f"c{n}", f"d{deal}", kind, amount, day, currency=currency, **back))
    for n, (day, amount, owner, customer, currency) in enumerate(company["expenses"]):
        said = {"owner_key": owner, "account_key": customer, "spent_on": day}
        money = {"kind": "sample", "product_key": "valve", "quantity": "3"}
        if amount is not None:
            money = {"kind": "meal", "amount_minor": amount, "currency": currency}
        found.append(("expenses", f"e{n}", {**said, **money}))
    for n, (day, minutes, owner, customer) in enumerate(company["work"]):
        said = {"owner_key": owner, "account_key": customer, "minutes": minutes, "done_on": day}
        found.append(("work_entries", f"k{n}", said))
    return found
