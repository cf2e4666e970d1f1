"""What an offer said, frozen with its day's list prices and costs, from a screen and from a phone (R39, R45, R53)."""

from typing import Any

from sqlalchemy import select

from sfa.db.tables import deal_quote_lines, deal_quotes
from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office
from tests.profit.conftest import amounts, items, later, rates

PNL = "/api/deals/deal-a/pnl"
LINE = {"deal_key": "deal-a", "product_key": "pump", "quantity": "3", "unit_price_minor": 100_00, "discount_bp": 1_000}


def offered(office: Office, **values: Any) -> None:
    office.put(("deal_lines", "l1", LINE), ("deals", "deal-a", {"amount_minor": 270_00, "payment_days": 50, **values}))


def heads(office: Office) -> list[dict[str, Any]]:
    return office.all(select(deal_quotes).order_by(deal_quotes.c.number))


def quoted(office: Office, desk: Desk, query: str = "", as_: str = "dirk") -> dict[str, Any]:
    office.clock.advance(1)
    found: dict[str, Any] = desk.get(as_, PNL + query).json()
    return found


def test_a_quote_keeps_the_prices_and_costs_of_its_day_beside_what_it_comes_to(office: Office, desk: Desk) -> None:
    """R39: both with date and currency."""
    rates(office)
    offered(office)
    assert desk.post("ana", "/api/deals/deal-a/quote").status_code == 200
    later(office, desk, 3)
    office.put(
        (
            "unit_costs",
            "c2",
            {"product_key": "pump", "amount_minor": 70_00, "currency": "EUR", "valid_from": "2026-01-07"},
        ),
        (
            "prices",
            "p2",
            {"product_key": "pump", "amount_minor": 120_00, "currency": "EUR", "valid_from": "2026-01-07"},
        ),
        ("deal_lines", "l1", {"quantity": "2"}),
        ("deals", "deal-a", {"amount_minor": 180_00}),
    )
    desk.post("ana", "/api/deals/deal-a/win")
    found = quoted(office, desk)
    offer = found["quoted"]
    assert (offer["frozen"], offer["number"], offer["quoted_at"], offer["quoted_by"]) == (True, 1, NOW, "ana")
    assert offer["on"] == "2026-01-05"
    assert amounts(found, "quoted") == {
        "list": 300_00,
        "invoice": 270_00,
        "pocket": 267_30,
        "margin": 87_30,
        "contribution": None,
        "profit": None,
    }
    assert {t["code"] for t in offer["totals"][-2:]} == {"not_quoted"}
    assert (amounts(found)["list"], amounts(found)["invoice"], amounts(found)["margin"]) == (240_00, 180_00, 38_20)
    assert [i["basis"]["cost_minor"] for i in items(found, "goods", "quoted")] == [60_00]


def test_the_same_values_quoted_again_are_the_same_quote_and_others_the_next(office: Office, desk: Desk) -> None:
    """R39: whatever costs do meanwhile."""
    offered(office)
    for _ in range(2):
        assert desk.post("ana", "/api/deals/deal-a/quote").status_code == 200
    office.put(("unit_costs", "c-pump", {"amount_minor": 1}))
    desk.post("mia", "/api/deals/deal-a/quote")
    assert [(h["number"], h["amount_minor"]) for h in heads(office)] == [(1, 270_00)]
    office.clock.advance(1_000)
    office.put(("deals", "deal-a", {"amount_minor": 250_00}))
    desk.post("ana", "/api/deals/deal-a/quote")
    office.put(("deals", "deal-a", {"amount_minor": 270_00}))
    office.clock.advance(1_000)
    desk.post("ana", "/api/deals/deal-a/quote")
    assert [(h["number"], h["amount_minor"]) for h in heads(office)] == [(1, 270_00), (2, 250_00), (3, 270_00)]
    found = quoted(office, desk, f"?as_of={NOW + 1_001}")
    assert (found["quoted"]["number"], amounts(found, "quoted")["invoice"]) == (2, 250_00)


def test_a_phone_queues_a_quote_and_the_server_freezes_what_stands_when_it_lands(office: Office, desk: Desk) -> None:
    """R53: its own edits of the same push among it, at its corrected time, once."""
    offered(office)
    phone = office.phone("ana")
    rev = office.rev("deal_lines", "l1")
    edit = phone.mutation("update", "deal_lines", "l1", base=rev, set={"quantity": "5"})
    amount = phone.mutation(
        "update", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={"amount_minor": 450_00}
    )
    order = phone.mutation("deal.quote", "deals", "deal-a", base=0, set={})
    office.clock.advance(60_000)
    body = phone.body([edit, amount, order])
    for _ in range(2):
        phone.answer(body)
    (head,) = heads(office)
    assert (head["amount_minor"], head["quoted_by"]) == (450_00, "ana")
    assert NOW <= head["quoted_at"] < NOW + 60_000
    (line,) = office.all(select(deal_quote_lines))
    assert (line["quantity"], line["list_minor"], line["cost_minor"], line["cost_key"]) == (
        "5",
        100_00,
        60_00,
        "c-pump",
    )


def test_an_open_deal_that_was_never_quoted_is_shown_as_it_stands(office: Office, desk: Desk) -> None:
    """R39: a closed one without a quote has nothing quoted."""
    offered(office, payment_days=None)
    found = quoted(office, desk)
    assert (found["quoted"]["frozen"], found["quoted"]["number"]) == (False, None)
    assert (amounts(found, "quoted")["margin"], amounts(found)["invoice"]) == (90_00, 0)
    desk.post("ana", "/api/deals/deal-a/win")
    assert quoted(office, desk)["quoted"] is None


def test_a_quoted_cost_is_told_to_who_sees_cost_and_to_nobody_else(office: Office, desk: Desk) -> None:
    """R45: on no path, devices included."""
    office.put(("unit_costs", "c-pump", {"amount_minor": 57_31}))
    offered(office)
    desk.post("ana", "/api/deals/deal-a/quote")
    phone = office.phone("ana")
    answers = [phone.answer(phone.body((), pull=True)).decode(), desk.post("ana", "/api/deals/deal-a/quote").text]
    answers += [desk.get("ana", PNL + way).text for way in ("", ".csv")]
    for answer in answers:
        assert "5731" not in answer
        assert "17193" not in answer
        assert "57.31" not in answer
    assert "5731" in quoted_text(office, desk)
    found = quoted(office, desk, as_="ana")
    assert amounts(found, "quoted")["invoice"] == 270_00
    assert amounts(found, "quoted")["margin"] is None


def quoted_text(office: Office, desk: Desk) -> str:
    office.clock.advance(1)
    return str(desk.get("fay", PNL).text)


def test_who_may_not_change_a_deal_may_not_quote_it_and_nobody_quotes_nothing(office: Office, desk: Desk) -> None:
    """R53: refused alike at a screen and from a phone, and nothing is kept."""
    offered(office, amount_minor=None, currency=None)
    refused = desk.post("ana", "/api/deals/deal-a/quote")
    assert (refused.status_code, refused.json()["code"]) == (422, "quote_empty")
    assert office.phone("ana").do("deal.quote", "deals", "deal-a", base=0, set={}).code == "quote_empty"
    offered(office, currency="EUR")
    assert desk.post("bob", "/api/deals/deal-a/quote").json()["code"] == "not_permitted"
    assert desk.post("cleo", "/api/deals/deal-a/quote").status_code == 404
    assert office.phone("cleo").do("deal.quote", "deals", "deal-a", base=0, set={}).code == "row_unknown"
    answer = desk.post("ana", "/api/deals/deal-a/quote", json={"amount_minor": 1})
    assert answer.json()["code"] == "command_invalid"
    desk.post("ana", "/api/deals/deal-a/win")
    assert desk.post("ana", "/api/deals/deal-a/quote").json()["code"] == "illegal_transition"
    assert heads(office) == []


def test_rates_that_are_corrected_later_change_nothing_that_was_quoted(office: Office, desk: Desk) -> None:
    """R39: the capital rate and the rates of exchange are those of the day of the offer."""
    rates(office)
    usd = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.10", "valid_from": "2025-01-01"}
    office.put(("rates", "usd", usd), ("unit_costs", "c-pump", {"currency": "USD"}))
    offered(office)
    assert desk.post("ana", "/api/deals/deal-a/quote").status_code == 200
    before = amounts(quoted(office, desk), "quoted")
    assert None not in [before[name] for name in ("list", "invoice", "pocket", "margin")]
    office.put(("cost_rates", "r-capital", {"rate_bp": 7_300}), ("rates", "usd", {"rate": "2.00"}))
    assert amounts(quoted(office, desk), "quoted") == before
    office.delete("cost_rates", "r-capital")
    office.delete("rates", "usd")
    assert amounts(quoted(office, desk), "quoted") == before
    assert amounts(quoted(office, desk, "?currency=EUR"), "quoted") == before
