"""Dated rates as rows (R34): one of a pair on a day, never zero, corrected in place."""

from collections.abc import Iterator

import pytest
from sqlalchemy import update

from sfa.db.tables import ROWS
from tests.crm.desk import Desk, opened
from tests.office import Office


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


JANUARY = {"base_currency": "USD", "quote_currency": "AUD", "rate": "1.39", "valid_from": "2026-01-01"}


def test_r34_a_second_rate_of_a_pair_on_one_day_is_refused_by_a_push(office: Office) -> None:
    fay = office.phone("fay")
    assert fay.do("create", "rates", "r1", set=JANUARY).outcome == "applied"
    receipt = fay.do("create", "rates", "r2", set={**JANUARY, "rate": "1.40"})
    assert (receipt.outcome, receipt.code, receipt.details) == (
        "refused",
        "rate_twice",
        {"key": "r1", "field": "valid_from"},
    )
    assert [row["rate"] for row in office.rows("rates")] == ["1.39"]


def test_r34_two_of_one_push_are_refused_too(office: Office) -> None:
    fay = office.phone("fay")
    first, second = (fay.mutation("create", "rates", key, set=JANUARY) for key in ("r1", "r2"))
    outcomes = [receipt.outcome for receipt in fay.push(first, second).receipts]
    assert outcomes == ["applied", "refused"]


def test_r34_another_day_another_pair_and_the_other_direction_are_taken(office: Office) -> None:
    fay = office.phone("fay")
    fay.do("create", "rates", "r1", set=JANUARY)
    others = ({"valid_from": "2026-02-01"}, {"base_currency": "EUR"}, {"base_currency": "AUD", "quote_currency": "USD"})
    for number, other in enumerate(others, 2):
        assert fay.do("create", "rates", f"r{number}", set={**JANUARY, **other}).outcome == "applied"


def test_r34_a_rate_is_moved_onto_no_other_day_that_has_one(office: Office) -> None:
    fay = office.phone("fay")
    fay.do("create", "rates", "r1", set=JANUARY)
    fay.do("create", "rates", "r2", set={**JANUARY, "valid_from": "2026-02-01"})
    assert fay.edit("rates", "r2", valid_from="2026-01-01").code == "rate_twice"
    assert fay.edit("rates", "r1", rate="1.41").outcome == "applied", "a correction changes the row that is there"


def test_r34_a_deleted_rate_leaves_its_day_free_and_does_not_come_back_onto_it(office: Office) -> None:
    fay = office.phone("fay")
    fay.do("create", "rates", "r1", set=JANUARY)
    fay.do("delete", "rates", "r1", base=office.rev("rates", "r1"))
    assert fay.do("create", "rates", "r2", set=JANUARY).outcome == "applied"
    assert fay.edit("rates", "r1", rate="1.42").code == "rate_twice"


def test_r34_a_rate_of_zero_is_refused(office: Office) -> None:
    receipt = office.phone("fay").do("create", "rates", "r1", set={**JANUARY, "rate": "0.000"})
    assert (receipt.outcome, receipt.code) == ("refused", "invariant_failed")


def test_r34_the_screen_says_the_same_with_status_422(desk: Desk) -> None:
    assert desk.post("fay", "/api/rates", json={"key": "r1", "row": JANUARY}).status_code == 201
    again = desk.post("fay", "/api/rates", json={"key": "r2", "row": JANUARY})
    assert (again.status_code, again.json()["code"], again.json()["key"]) == (422, "rate_twice", "r1")


COST = {"product_key": "nut", "amount_minor": 100, "currency": "EUR", "valid_from": "2027-01-01"}


def test_r39_a_second_cost_of_a_product_that_begins_on_one_day_is_refused(office: Office) -> None:
    """In whichever currency: two costs of one day would leave the margin to the order of rows."""
    office.put(("products", "nut", {"name": "Nut"}))
    fay = office.phone("fay")
    assert fay.do("create", "unit_costs", "c1", set=COST).outcome == "applied"
    again = fay.do("create", "unit_costs", "c2", set={**COST, "currency": "USD"})
    assert (again.code, again.details) == ("cost_twice", {"key": "c1", "field": "valid_from"})
    assert fay.do("create", "unit_costs", "c2", set={**COST, "valid_from": "2027-02-01"}).outcome == "applied"
    assert fay.edit("unit_costs", "c2", valid_from="2027-01-01").code == "cost_twice"
    assert fay.edit("unit_costs", "c1", amount_minor=90).outcome == "applied"
    fay.do("delete", "unit_costs", "c1", base=office.rev("unit_costs", "c1"))
    assert fay.edit("unit_costs", "c2", valid_from="2027-01-01").outcome == "applied"


PRICE = {**COST, "product_key": "pump"}


def test_r39_a_second_price_of_a_product_in_one_currency_that_begins_on_one_day_is_refused(office: Office) -> None:
    """Two prices of one day would leave the list to the keys of rows; in another currency it is another price."""
    fay = office.phone("fay")
    assert fay.do("create", "prices", "p1", set=PRICE).outcome == "applied"
    again = fay.do("create", "prices", "p2", set={**PRICE, "amount_minor": 101})
    assert (again.outcome, again.code, again.details) == (
        "refused",
        "price_twice",
        {"key": "p1", "field": "valid_from"},
    )
    assert fay.do("create", "prices", "p2", set={**PRICE, "currency": "USD"}).outcome == "applied"
    assert fay.edit("prices", "p2", amount_minor=90, currency="EUR").code == "price_twice"
    assert fay.do("create", "prices", "p3", set={**PRICE, "valid_from": "2027-02-01"}).outcome == "applied"
    assert fay.edit("prices", "p3", valid_from="2027-01-01").code == "price_twice"
    assert fay.edit("prices", "p1", amount_minor=90).outcome == "applied", "a correction changes the row that is there"
    fay.do("delete", "prices", "p1", base=office.rev("prices", "p1"))
    assert fay.edit("prices", "p3", valid_from="2027-01-01").outcome == "applied"
    assert fay.edit("prices", "p1", amount_minor=91).code == "price_twice", "it does not come back onto it"


def test_r39_of_two_prices_of_before_there_was_the_rule_either_may_be_changed(office: Office) -> None:
    fay, prices = office.phone("fay"), ROWS["prices"]
    fay.do("create", "prices", "p1", set=PRICE)
    fay.do("create", "prices", "p2", set={**PRICE, "valid_from": "2027-02-01"})
    older = update(prices).where(prices.c.key == "p2").values(valid_from=PRICE["valid_from"])
    office.database.write(lambda connection: connection.execute(older))
    assert fay.edit("prices", "p2", amount_minor=90).outcome == "applied"
    assert fay.edit("prices", "p2", valid_to="2027-06-01").outcome == "applied"
    assert fay.edit("prices", "p2", valid_from="2027-03-01").outcome == "applied"
    assert fay.edit("prices", "p2", valid_from="2027-01-01").code == "price_twice"


def test_r39_two_prices_of_one_push_are_refused_too(office: Office) -> None:
    fay = office.phone("fay")
    first, second = (fay.mutation("create", "prices", key, set=PRICE) for key in ("p1", "p2"))
    assert [receipt.outcome for receipt in fay.push(first, second).receipts] == ["applied", "refused"]


def test_r39_the_screen_refuses_a_second_price_with_status_422(desk: Desk) -> None:
    assert desk.post("fay", "/api/prices", json={"key": "p1", "row": PRICE}).status_code == 201
    again = desk.post("fay", "/api/prices", json={"key": "p2", "row": PRICE})
    assert (again.status_code, again.json()["code"], again.json()["key"]) == (422, "price_twice", "p1")
