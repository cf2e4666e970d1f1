"""Expenses and work: whose they are, their receipts, and what is refused, online and offline (R40, R53)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office

MONEY = {"amount_minor": 12_50, "currency": "EUR"}
MOVED = (("expenses", "e"), ("work_entries", "w"), ("expenses", "other"))
DAY = {"spent_on": "2026-01-05"}


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def spend(desk: Desk, as_: str, key: str, **values: Any) -> Any:
    return desk.post(as_, "/api/expenses", json={"key": key, "row": {"kind": "meal", **MONEY, **DAY, **values}})


def test_who_names_a_deal_or_a_visit_names_its_customer_with_it(office: Office, desk: Desk) -> None:
    """R40: at a screen and from a phone."""
    office.put(("visits", "v", {"account_key": "acme", "owner_key": "ana", "deal_key": "deal-a"}))
    assert spend(desk, "ana", "e1", deal_key="deal-a").status_code == 201
    phone = office.phone("ana")
    said = {"kind": "meal", **MONEY, **DAY, "visit_key": "v"}
    assert phone.do("create", "expenses", "e2", base=0, set=said).outcome == "applied"
    work = {"deal_key": "deal-a", "minutes": 30, "done_on": "2026-01-05"}
    assert phone.do("create", "work_entries", "w", base=0, set=work).outcome == "applied"
    for entity, key in (("expenses", "e1"), ("expenses", "e2"), ("work_entries", "w")):
        row = office.row(entity, key)
        assert (row["account_key"], row["deal_key"], row["owner_key"]) == ("acme", "deal-a", "ana")
    phone.catch_up()
    assert phone.sees()["expenses", "e2"]["account_key"] == "acme"


def test_what_is_named_together_belongs_together(office: Office, desk: Desk) -> None:
    """R53: the same code at a screen, from a phone and when it is changed later."""
    office.put(("accounts", "beta", {"name": "Beta", "territory_key": "t-north"}))
    office.put(("visits", "v", {"account_key": "beta", "owner_key": "ana"}))
    for wrong in ({"account_key": "beta", "deal_key": "deal-a"}, {"visit_key": "v", "deal_key": "deal-a"}):
        answer = spend(desk, "ana", "e", **wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "expense_elsewhere")
        said = {"kind": "meal", **MONEY, **DAY, **wrong}
        assert office.phone("ana").do("create", "expenses", "e", base=0, set=said).code == "expense_elsewhere"
    assert spend(desk, "ana", "e", account_key="beta").status_code == 201
    ana = office.phone("ana")
    assert ana.edit("expenses", "e", visit_key="v").outcome == "applied"
    assert ana.edit("expenses", "e", deal_key="deal-a").code == "expense_elsewhere"


def test_what_is_moved_to_another_customers_deal_is_that_customers(office: Office, desk: Desk) -> None:
    beta(office)
    ana = office.phone("ana")
    assert spend(desk, "ana", "e", deal_key="deal-a").status_code == 201
    assert ana.edit("expenses", "e", deal_key="deal-b").outcome == "applied"
    assert (office.row("expenses", "e")["account_key"], office.row("expenses", "e")["deal_key"]) == ("beta", "deal-b")
    assert ana.edit("expenses", "e", account_key="acme").code == "expense_elsewhere"
    assert ana.edit("expenses", "e", account_key="acme", deal_key=None).outcome == "applied"
    assert office.row("expenses", "e")["account_key"] == "acme"


def test_what_was_spent_on_a_deal_goes_with_it_to_another_customer(office: Office, desk: Desk) -> None:
    """R37: what the deal took is what its customer took."""
    beta(office)
    assert spend(desk, "ana", "e", deal_key="deal-a").status_code == 201
    assert spend(desk, "ana", "other", account_key="acme").status_code == 201
    work = {"deal_key": "deal-a", "minutes": 30, "done_on": "2026-01-05"}
    ana = office.phone("ana")
    assert ana.do("create", "work_entries", "w", base=0, set=work).outcome == "applied"
    assert ana.edit("deals", "deal-a", account_key="beta").outcome == "applied"
    found = {key: office.row(entity, key)["account_key"] for entity, key in MOVED}
    assert found == {"e": "beta", "w": "beta", "other": "acme"}
    assert ana.edit("expenses", "e", deal_key="deal-a", amount_minor=6).outcome == "applied"  # it names it again
    ana.catch_up()
    assert ana.sees()["expenses", "e"]["account_key"] == "beta"


def test_a_visit_is_about_a_deal_of_its_own_customer(office: Office, desk: Desk) -> None:
    beta(office)
    ana = office.phone("ana")
    said = {"account_key": "acme", "owner_key": "ana"}
    assert ana.do("create", "visits", "v", base=0, set={**said, "deal_key": "deal-b"}).code == "visit_elsewhere"
    assert ana.do("create", "visits", "v", base=0, set={**said, "deal_key": "deal-a"}).outcome == "applied"
    assert ana.edit("visits", "v", deal_key="deal-b").code == "visit_elsewhere"
    assert ana.edit("visits", "v", deal_key="deal-b", account_key="beta").outcome == "applied"


def beta(office: Office) -> None:
    """Another customer with a deal."""
    office.put(("accounts", "beta", {"name": "Beta", "territory_key": "t-north"}))
    deal = {"name": "B", "owner_key": "ana", "account_key": "beta", "stage_key": "lead"}
    office.put(("deals", "deal-b", {**deal, "amount_minor": 1, "currency": "EUR"}))


def test_an_expense_says_its_amount_and_a_sample_its_product(office: Office, desk: Desk) -> None:
    """R33, R34: amount and currency travel together."""
    base = {"account_key": "acme", "amount_minor": None, "currency": None}
    assert spend(desk, "ana", "e", **base).json()["code"] == "invariant_failed"
    assert spend(desk, "ana", "e", **base, kind="sample").json()["code"] == "invariant_failed"
    assert spend(desk, "ana", "e", account_key="acme", currency=None).json()["code"] == "invariant_failed"
    assert spend(desk, "ana", "e", account_key="acme", quantity="2").json()["code"] == "invariant_failed"
    assert spend(desk, "ana", "e", account_key="acme", amount_minor=-1).json()["code"] == "field_invalid"
    assert spend(desk, "ana", "s", **base, kind="sample", product_key="pump", quantity="2").status_code == 201
    assert office.rows("expenses")[0]["key"] == "s"


def test_a_receipt_is_a_file_that_its_author_sees(office: Office, desk: Desk) -> None:
    """R45: nobody names what he may not see, and learns nothing of it."""
    file = {"name": "r.txt", "media_type": "text/plain", "size": 1, "sha256": "0" * 64}
    office.put(
        ("attachments", "mine", {**file, "account_key": "acme", "author_key": "ana"}),
        ("attachments", "hers", {**file, "account_key": "zeta", "author_key": "cleo"}),
    )
    assert spend(desk, "ana", "e1", account_key="acme", receipt_key="mine").status_code == 201
    for key in ("hers", "nothing"):
        answer = spend(desk, "ana", "e2", account_key="acme", receipt_key=key).json()
        assert (answer["code"], answer["field"]) == ("reference_unknown", "receipt_key")


def test_a_receipt_is_seen_by_who_sees_the_expense(office: Office, desk: Desk) -> None:
    """R45: of the customer's other files colleagues see the rows."""
    file = {"name": "r.txt", "media_type": "text/plain", "size": 1, "sha256": "0" * 64, "author_key": "ana"}
    office.put(
        ("attachments", "slip", {**file, "account_key": "acme", "kind": "receipt"}),
        ("attachments", "photo", {**file, "account_key": "acme", "kind": "photo"}),
    )
    assert spend(desk, "ana", "e", account_key="acme", receipt_key="slip").status_code == 201
    for who, known in (("ana", {"slip", "photo"}), ("mia", {"slip", "photo"}), ("bob", {"photo"})):
        phone = office.phone(who)
        phone.catch_up()
        assert {key for entity, key in phone.sees() if entity == "attachments"} == known, who
        assert desk.get(who, "/api/attachments/slip").status_code == (200 if "slip" in known else 404)
    assert office.phone("ana").edit("attachments", "photo", kind="receipt").outcome == "applied"
    bob = office.phone("bob")
    bob.catch_up()
    assert not {key for entity, key in bob.sees() if entity == "attachments"}


def test_what_is_spent_is_its_owners_and_his_managers(office: Office, desk: Desk) -> None:
    """R45: a colleague sees the customer and not the expense."""
    spend(desk, "ana", "e1", account_key="acme")
    assert desk.get("mia", "/api/expenses/e1").status_code == 200
    assert desk.get("bob", "/api/expenses/e1").status_code == 404
    assert spend(desk, "bob", "e2", account_key="acme", owner_key="ana").json()["code"] == "field_not_permitted"
    assert spend(desk, "mia", "e3", account_key="acme", owner_key="ana").status_code == 201
    assert spend(desk, "fay", "e4", account_key="acme").json()["code"] == "not_permitted"
