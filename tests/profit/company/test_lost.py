"""R42: what lost deals promised and what was sunk into them, on both databases."""

from typing import Any

from sqlalchemy import Connection, insert

from sfa.core.days import start_of_ms
from sfa.db.tables import deal_quote_lines, deal_quotes
from sfa.profit.company.fact_sums import Asked
from sfa.profit.company.lost import Lost, losses
from sfa.profit.company.surroundings import read_world
from sfa.profit.deal import pnl
from tests.office import Office
from tests.profit.books import ZONE, at, leg, rate, visit
from tests.quotas.ledger import line, won, write

RATES = (rate("v", "visit_hour", 60_00), rate("w", "work_hour", 60_00), rate("k", "kilometre", 50))


def found(office: Office, from_on: str = "2026-01-01", to_on: str = "2027-01-01") -> list[Lost]:
    start, end = start_of_ms(from_on, ZONE), start_of_ms(to_on, ZONE)
    asked = Asked(from_on=from_on, to_on=to_on, start=start, end=end)
    return office.database.read(lambda c: losses(c, read_world(c), asked))


def lost(key: str, day: str, amount: int = 500_00, **values: Any) -> tuple[str, str, dict[str, Any]]:
    return won(key, day, amount, **{"stage_key": "lost", "opened_on": "2026-01-02", **values})


def test_r42_a_lost_deal_costs_its_expected_pocket_margin_and_its_sunk_effort(office: Office) -> None:
    write(office, *RATES, rate("c", "capital", 1_000), ("lost_reasons", "price", {"name": "Price"}))
    write(office, lost("a", "2026-03-10", payment_days=73, lost_reason_key="price"), line("l", "a", "5"))
    write(office, visit("v", "2026-02-01", 30, deal_key="a"), leg("g", "2026-02-01", 10_000, visit_key="v"))
    write(office, ("work_entries", "k", {"owner_key": "bob", "deal_key": "a", "minutes": 90, "done_on": "2026-02-02"}))
    write(office, visit("late", "2026-03-11", 60, deal_key="a"))
    (loss,) = found(office)
    assert loss.margin_minor == 500_00 - 10_00 - 300_00  # 73 days at 10 % a year are a fiftieth
    assert loss.effort_minor == 30_00 + 5_00 + 90_00
    assert loss.lost_minor == 315_00
    assert (loss.account_key, loss.owner_key, loss.reason_key, loss.at) == ("acme", "ana", "price", at("2026-03-10"))
    assert [found(office, "2026-04-01"), found(office, to_on="2026-03-10")] == [[], []]


def test_r40_effort_that_names_the_customer_only_is_shared_among_the_deals_open_on_that_day(office: Office) -> None:
    office.put(("deals", "deal-a", {"opened_on": "2026-02-15"}))
    write(office, *RATES, lost("a", "2026-03-10"), line("l", "a"), lost("b", "2026-02-10"), line("m", "b"))
    write(office, visit("v1", "2026-02-01", 1, hour=9), visit("v2", "2026-02-12", 60), visit("v3", "2026-02-20", 61))
    assert {loss.deal_key: loss.effort_minor for loss in found(office)} == {"a": 50 + 60_00 + 30_50, "b": 50}


def test_a_loss_costs_the_same_whatever_span_is_asked_about(office: Office) -> None:
    write(office, *RATES, lost("a", "2026-03-10", opened_on="2026-02-10"), line("l", "a", "5"))
    write(office, ("work_entries", "k", {"owner_key": "bob", "deal_key": "a", "minutes": 60, "done_on": "2026-01-20"}))
    write(office, visit("v", "2026-01-21", 30, deal_key="a"))
    whole, march = found(office), found(office, "2026-03-01", "2026-04-01")
    assert [loss.effort_minor for loss in whole] == [90_00]
    assert march == whole


def test_a_lost_deal_without_a_customer_costs_the_effort_that_names_it(office: Office) -> None:
    write(office, *RATES, lost("a", "2026-03-10", account_key=None), line("l", "a", "5"), lost("b", "2026-03-10"))
    write(office, ("work_entries", "k", {"owner_key": "bob", "deal_key": "a", "minutes": 60, "done_on": "2026-02-20"}))
    spent = {"owner_key": "bob", "deal_key": "a", "amount_minor": 7_00, "currency": "EUR", "spent_on": "2026-02-21"}
    write(office, ("expenses", "e", {**spent, "kind": "meal"}), visit("v", "2026-02-20", 30, deal_key="a"))
    write(office, line("m", "b"), visit("w", "2026-02-22", 15, deal_key="b"))
    assert {loss.deal_key: loss.effort_minor for loss in found(office)} == {"a": 97_00, "b": 15_00}


def test_r39_the_last_quote_before_the_loss_says_what_it_promised(office: Office) -> None:
    write(office, *RATES, lost("a", "2026-03-10"), line("l", "a", "5"))

    def quote(connection: Connection) -> None:
        for number, day, amount in ((1, "2026-02-01", 450_00), (2, "2026-02-20", 420_00), (3, "2026-03-11", 1)):
            head = {"deal_key": "a", "number": number, "quoted_at": at(day), "amount_minor": amount, "currency": "EUR"}
            connection.execute(insert(deal_quotes), {**head, "digest": "x", "rates": []})
            said = {"deal_key": "a", "number": number, "line_key": "l", "position": 0, "product_key": "pump"}
            price: dict[str, Any] = {"quantity": "4.5", "unit_price_minor": 100_00, "discount_bp": 0}
            cost = {"cost_minor": 33_33, "cost_currency": "EUR"}
            connection.execute(insert(deal_quote_lines), {**said, **price, **cost})

    office.database.write(quote)
    assert [loss.margin_minor for loss in found(office)] == [420_00 - 149_99]  # 149.985, half up


def test_r42_a_deal_that_is_opened_again_takes_its_loss_back(office: Office) -> None:
    write(office, *RATES, lost("a", "2026-03-10"), line("l", "a"))
    closing = {"stage_key": "lost", "closed_at": at("2026-03-10"), "reopened_at": at("2026-04-02"), "owner_key": "ana"}
    closing |= {"amount_minor": 500_00, "currency": "EUR", "lost_reason_key": None, "splits": [], "overlays": []}
    write(office, ("deals", "a", {"stage_key": "lead", "closed_at": None, "closings": [closing]}))
    assert [(loss.at, loss.lost_minor) for loss in found(office)] == [
        (at("2026-03-10"), 440_00),
        (at("2026-04-02"), -440_00),
    ]


def test_r34_a_lost_deal_without_a_cost_is_named_and_not_zero(office: Office) -> None:
    write(office, *RATES, ("products", "hose", {"name": "Hose"}), lost("a", "2026-03-10"), line("l", "a", "1", "hose"))
    (loss,) = found(office)
    assert (loss.margin_minor, loss.effort_minor, loss.lost_minor) == (None, 0, None)
    assert loss.missing == [{"code": "cost_missing", "of": "goods", "product_key": "hose", "on": "2026-03-10"}]


def test_r39_a_quote_promised_what_its_own_rates_said(office: Office) -> None:
    """Capital and rates as it kept them, a rate that it did not keep as on its day: never those of the loss. It is the
    margin that the quoted side of the P&L shows."""
    write(office, *RATES, rate("c", "capital", 9_000), lost("a", "2026-03-10"), line("l", "a", "5"))
    write(office, lost("b", "2026-03-10"), line("m", "b", "5"))
    for base, days in (("USD", (("01-01", "0.5"), ("02-15", "0.8"), ("03-01", "0.1"))), ("GBP", (("01-01", "1.5"),))):
        for day, value in days:
            said = {"base_currency": base, "quote_currency": "EUR", "rate": value, "valid_from": f"2026-{day}"}
            write(office, ("rates", f"{base}-{day}", said))
    kept = {"from": "GBP", "to": "EUR", "rate": "2", "rate_on": "2026-01-01", "inverse": False}

    def quote(connection: Connection) -> None:
        for deal, currency, rates, cost in (("a", "USD", [], "EUR"), ("b", "EUR", [kept], "GBP")):
            head = {"deal_key": deal, "number": 1, "quoted_at": at("2026-02-20"), "amount_minor": 1_000_00}
            head |= {"currency": currency, "payment_days": 73, "capital_bp": 1_000, "capital_key": "c", "digest": "x"}
            frozen = [{**one, "numerator": "2", "denominator": "1"} for one in rates]
            connection.execute(insert(deal_quotes), {**head, "rates": frozen})
            of = {"deal_key": deal, "number": 1, "line_key": "l", "position": 0, "product_key": "pump", "quantity": "2"}
            of |= {"unit_price_minor": 100_00, "discount_bp": 0, "cost_minor": 30_00, "cost_currency": cost}
            connection.execute(insert(deal_quote_lines), of)

    office.database.write(quote)
    margins = {loss.deal_key: loss.margin_minor for loss in found(office)}
    assert margins == {"a": 800_00 - 16_00 - 60_00, "b": 1_000_00 - 20_00 - 120_00}  # 73 days at 10 %: a fiftieth
    for deal, margin in margins.items():
        side = office.database.read(pnl.told, "dirk", at("2026-04-01"), deal, None, "EUR").quoted
        assert side is not None
        assert {total.total: total.amount_minor for total in side.totals}["margin"] == margin


def test_r34_a_quote_without_a_rate_of_capital_is_named_with_its_own_day(office: Office) -> None:
    write(office, *RATES, rate("c", "capital", 1_000), lost("a", "2026-03-10"), line("l", "a", "5"))

    def quote(connection: Connection) -> None:
        head = {"deal_key": "a", "number": 1, "quoted_at": at("2026-02-20"), "amount_minor": 1_000_00, "rates": []}
        connection.execute(insert(deal_quotes), {**head, "currency": "EUR", "payment_days": 30, "digest": "x"})
        of = {"deal_key": "a", "number": 1, "line_key": "l", "position": 0, "product_key": "pump", "quantity": "2"}
        of |= {"unit_price_minor": 100_00, "discount_bp": 0, "cost_minor": 30_00, "cost_currency": "EUR"}
        connection.execute(insert(deal_quote_lines), of)

    office.database.write(quote)
    (loss,) = found(office)
    assert loss.missing == [{"code": "cost_missing", "of": "capital", "on": "2026-02-20"}]


def test_r40_effort_of_another_currency_converts_before_it_is_shared(office: Office) -> None:
    """What SQL does not add up comes fact by fact, to the same deals."""
    usd = ("cost_rates", "u", {"kind": "visit_hour", "user_key": "ana", "amount_minor": 61_00, "currency": "USD",
                               "valid_from": "2025-01-01"})  # fmt: skip
    rates = {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.5", "valid_from": "2026-01-01"}
    write(office, *RATES, usd, ("rates", "r", rates), lost("a", "2026-03-10"), lost("b", "2026-03-10"))
    write(office, line("l", "a"), line("m", "b"))
    write(office, visit("v", "2026-02-01"))
    told = {loss.deal_key: loss.effort_minor for loss in found(office)}
    assert told == {"a": 10_17, "b": 10_17}  # the third deal, which stays open, has the 10.16 that are left of 30.50
