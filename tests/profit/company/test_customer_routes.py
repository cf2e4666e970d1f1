"""Profit at a screen, on both databases: pages, order, explanations, CSV, and who is told."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.profit.books import at, charge, leg, rate, visit
from tests.quotas.ledger import line, won, write

SPAN = "from=2026-01-01&to=2027-01-01&as_of=2026-12-31"
RATES = (rate("v", "visit_hour", 60_00), rate("k", "kilometre", 50), rate("c", "capital", 1_000))


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    write(office, *RATES, won("a", "2026-01-10", 1_000_00, payment_days=73), line("la", "a", "10"))
    write(office, won("b", "2026-01-20", 200_00, account_key="zeta", owner_key="cleo"), line("lb", "b", "2"))
    write(office, visit("v1", "2026-01-08", 30), leg("g", "2026-01-08", 1_000, visit_key="v1"))
    write(office, *(visit(f"z{n}", f"2026-01-0{n}", 120, account_key="zeta", owner_key="cleo") for n in (7, 8)))
    write(office, charge("f", "a", "freight", 5_00, "2026-01-12"))
    with opened(office) as made:
        yield made


def test_r45_only_roles_that_see_cost_are_told(desk: Desk) -> None:
    paths = ("profit/customer", "profit/whales", "accounts/acme/profit", "campaigns/fair/roi")
    desk.office.put(("campaigns", "fair", {"name": "Fair", "start_on": "2026-01-01"}))
    for user, status in (("ana", 403), ("mia", 403), ("root", 403), ("fay", 200), ("dirk", 200)):
        for path in paths:
            answer = desk.get(user, f"/api/{path}?{SPAN}")
            assert answer.status_code == status, (user, path, answer.text)
            if status == 403:
                assert answer.json()["code"] == "not_permitted"
                assert not any(word in answer.text for word in ("_minor", "6000", "60000", "EUR"))


def test_customers_are_told_by_profit_with_the_company_s_total_page_by_page(desk: Desk) -> None:
    whole = desk.get("fay", f"/api/profit/customer?{SPAN}").json()
    assert [(item["key"], item["name"], item["profit_minor"]) for item in whole["items"]] == [
        ("acme", "Acme", 1_000_00 - 20_00 - 5_00 - 600_00 - 30_00 - 50),
        ("zeta", "Zeta", 200_00 - 120_00 - 240_00),
    ]
    assert whole["total"]["profit_minor"] == 344_50 - 160_00
    assert (whole["partial"], whole["currency"], whole["next"]) == (False, "EUR", None)
    first = desk.get("fay", f"/api/profit/customer?{SPAN}&limit=1&sort=revenue&order=up").json()
    then = desk.get("fay", f"/api/profit/customer?{SPAN}&limit=1&sort=revenue&order=up&after={first['next']}").json()
    assert [page["items"][0]["key"] for page in (first, then)] == ["zeta", "acme"]
    assert then["next"] is None
    assert then["total"] == first["total"] == whole["total"]
    other = desk.get("fay", f"/api/profit/rep?{SPAN}&limit=1&sort=revenue&order=up&after={first['next']}")
    assert other.json()["code"] == "request_invalid"


def test_every_dimension_is_told_and_has_the_same_total(desk: Desk) -> None:
    totals = [
        desk.get("fay", f"/api/profit/{dimension}?{SPAN}").json()["total"]["earned"]
        for dimension in ("customer", "product", "rep", "team", "territory", "period")
    ]
    assert totals == [totals[0]] * 6


def test_r43_the_last_point_of_the_whale_curve_is_the_company_s_profit(desk: Desk) -> None:
    told = desk.get("fay", f"/api/profit/whales?{SPAN}").json()
    assert [(p["key"], p["cumulative_minor"]) for p in told["items"]] == [("acme", 344_50), ("zeta", 184_50)]
    assert (told["total_minor"], told["peak_minor"], told["lost_minor"]) == (184_50, 344_50, -160_00)
    behind = desk.get("fay", f"/api/profit/whales?{SPAN}&after=1&limit=1").json()
    assert ([p["key"] for p in behind["items"]], behind["next"]) == (["zeta"], None)


def test_a_customer_s_profit_is_the_sum_of_the_rows_that_are_listed(desk: Desk) -> None:
    told, items, after = {}, [], ""
    while True:
        told = desk.get("fay", f"/api/accounts/acme/profit?{SPAN}&limit=2{after}").json()
        items += told["items"]
        if told["next"] is None:
            break
        after = f"&after={told['next']}"
    assert sum(item["amount_minor"] for item in items) == told["earned"]["profit_minor"] == 344_50
    assert {(item["kind"], item["entity"], item["row_key"]) for item in items} == {
        ("invoice", "deals", "a"),
        ("goods", "deals", "a"),
        ("terms", "deals", "a"),
        ("freight", "deal_charges", "f"),
        ("visits", "visits", "v1"),
        ("travel", "travel_legs", "g"),
    }
    assert told["phases"]["acquisition_minor"] == 30_50  # all of it before the first credit
    assert told["phases"]["retention_minor"] == 0
    assert told["value"]["lifetime"]["code"] == "history_too_small"
    (visited,) = [item for item in items if item["kind"] == "visits"]
    assert visited["basis"] == {"ms": 1_800_000, "rate_minor": 60_00, "rate_key": "v"}


def test_r30_a_director_of_one_region_is_told_that_the_figure_is_partial(desk: Desk) -> None:
    desk.office.put(("team_members", "m-dirk", {"team_key": "south"}))
    told = desk.get("dirk", f"/api/profit/customer?{SPAN}").json()
    assert ([item["key"] for item in told["items"]], told["partial"]) == (["zeta"], True)
    assert told["total"]["profit_minor"] == -160_00
    assert desk.get("dirk", f"/api/accounts/acme/profit?{SPAN}").status_code == 404
    assert desk.get("dirk", f"/api/profit/whales?{SPAN}").json()["partial"] is True


def test_the_csv_says_what_the_json_says(desk: Desk) -> None:
    desk.office.put(("accounts", "zeta", {"name": "=1+1"}))
    answer = desk.get("fay", f"/api/profit/customer?{SPAN}&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(answer.text.splitlines()))
    assert [(ln["key"], ln["name"], ln["profit"]) for ln in lines] == [
        ("acme", "Acme", "344.50"),
        ("zeta", "'=1+1", "-160.00"),
        ("", "total", "184.50"),
    ]
    for path in ("profit/whales", "accounts/acme/profit"):
        assert len(desk.get("fay", f"/api/{path}?{SPAN}&format=csv").text.splitlines()) > 2


def test_r12_the_same_instant_gives_the_same_bytes_and_what_came_later_is_not_counted(desk: Desk) -> None:
    path = "/api/profit/customer?from=2026-01-01&to=2027-01-01&as_of=2026-01-09"
    before = desk.get("fay", path)
    write(desk.office, visit("v9", "2026-01-10", 60))
    again = desk.get("fay", path)
    assert before.content == again.content
    kinds = {item["key"]: item["earned"]["kinds"] for item in before.json()["items"]}
    assert kinds == {"acme": {"visits": -30_00, "travel": -50}, "zeta": {"visits": -240_00}}


@pytest.mark.parametrize(
    "query",
    ["from=2026-02-01&to=2026-02-01", "from=x&to=2026-01-01", f"{SPAN}&limit=0", f"{SPAN}&sort=name",
     f"{SPAN}&format=pdf", f"{SPAN}&order=side", f"{SPAN}&period=week", f"{SPAN}&after=abc"],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(desk: Desk, query: str) -> None:
    answer = desk.get("fay", f"/api/profit/customer?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_what_does_not_exist_is_not_found(desk: Desk) -> None:
    for path in ("profit/moon", "accounts/nobody/profit", "campaigns/none/roi"):
        assert desk.get("fay", f"/api/{path}?{SPAN}").status_code == 404


def test_r42_lost_deals_stand_beside_and_change_no_profit(desk: Desk) -> None:
    before = desk.get("fay", f"/api/profit/customer?{SPAN}").json()
    gone: dict[str, Any] = {"stage_key": "lost", "opened_on": "2026-02-01"}
    write(desk.office, won("x", "2026-02-10", 300_00, **gone), line("lx", "x", "2"))
    write(desk.office, visit("vx", "2026-02-02", 60, deal_key="x"))
    told = desk.get("fay", f"/api/profit/customer?{SPAN}&sort=lost").json()
    acme = told["items"][0]
    assert acme["key"] == "acme"
    assert acme["lost"] == {"count": 1, "lost_minor": 240_00, "margin_minor": 180_00, "effort_minor": 60_00}
    assert told["lost_by_reason"] == [{"reason_key": None, "lost": acme["lost"]}]
    assert told["total"]["profit_minor"] == before["total"]["profit_minor"] - 60_00  # the visit costs what it costs
    assert at("2026-02-10") > 0


def test_campaigns_tell_their_cost_their_deals_and_their_return(desk: Desk) -> None:
    office = desk.office
    office.put(("campaigns", "fair", {"name": "Fair", "start_on": "2026-01-01"}))
    office.put(("campaigns", "mail", {"name": "Mail", "start_on": "2026-01-01"}))
    spent = {"campaign_key": "fair", "amount_minor": 100_00, "currency": "EUR", "booked_on": "2026-01-05"}
    office.put(("campaign_costs", "s", spent))
    for n, (campaign, day) in enumerate((("fair", "2026-01-06"), ("mail", "2026-01-07"), ("fair", "2026-01-11"))):
        touched = {"campaign_key": campaign, "account_key": "acme", "touched_at": at(day)}
        office.put(("campaign_touches", f"t{n}", touched))
    told = desk.get("fay", f"/api/campaigns/fair/roi?{SPAN}").json()
    pocket_profit = 1_000_00 - 20_00 - 5_00 - 600_00
    assert (told["cost_minor"], told["brought_minor"], told["deals"]) == (100_00, pocket_profit // 2, 1)
    assert told["roi_bp"] == round((pocket_profit // 2 - 100_00) / 100_00 * 10_000)
    assert (told["model"], told["items"][0]["weight"], told["items"][0]["touches"]) == ("linear", 500_000, 1)
    assert desk.get("fay", f"/api/campaigns/mail/roi?{SPAN}").json()["roi_bp"] is None  # it cost nothing
    office.put(("organisations", "org", {"attribution": "first"}))
    assert desk.get("fay", f"/api/campaigns/fair/roi?{SPAN}").json()["brought_minor"] == pocket_profit
    office.put(("organisations", "org", {"attribution": "last"}))
    assert desk.get("fay", f"/api/campaigns/fair/roi?{SPAN}").json()["brought_minor"] == 0
