"""`GET /api/deals/{key}/state`: what a deal says beyond its row, and to whom (R16, R20, R22, R24, R35, R36)."""

from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.deals.conftest import deal, line
from tests.office import Office


def test_a_deal_says_where_it_stands_and_what_is_missing_for_the_next_step(office: Office, desk: Desk) -> None:
    """R20: the same list for which a move is refused."""
    criteria = [{"kind": "field", "field": "next_step"}, {"kind": "lines", "at_least": 2}]
    office.put(("stages", "lead", {"exit_criteria": criteria}))
    line(office, "l1", "deal-a")
    told = desk.get("ana", "/api/deals/deal-a/state").json()
    assert (told["stage_key"], told["kind"], told["stage_since"], told["today"]) == ("lead", "open", NOW, "2026-01-05")
    assert told["ahead"]["stage_key"] == "offer"
    assert [(m["kind"], m.get("has")) for m in told["ahead"]["missing"]] == [("field", None), ("lines", 1)]
    refused = desk.post("ana", "/api/deals/deal-a/move", json={"stage_key": "offer"})
    assert (refused.status_code, refused.json()["code"]) == (422, "criteria_unmet")
    assert refused.json()["missing"] == told["ahead"]["missing"]


def test_the_last_open_stage_is_left_by_winning_and_a_closed_deal_has_nothing_ahead(office: Office, desk: Desk) -> None:
    """R20, R21."""
    assert desk.post("ana", "/api/deals/deal-a/move", json={"stage_key": "offer"}).status_code == 200
    assert desk.get("ana", "/api/deals/deal-a/state").json()["ahead"] == {"stage_key": None, "missing": []}
    assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
    assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
    told = desk.get("ana", "/api/deals/deal-a/state").json()
    assert (told["ahead"], told["kind"], told["ends"], told["category"]) == (None, "won", 1, "closed")
    assert desk.post("ana", "/api/deals/deal-a/sign").json()["row"]["signed_at"] == NOW
    office.clock.advance(1_000)
    assert desk.post("ana", "/api/deals/deal-a/sign").json()["row"]["signed_at"] == NOW
    assert desk.post("ana", "/api/deals/deal-a/invoice", json={"at": NOW + DAY_MS}).status_code == 422
    assert desk.post("ana", "/api/deals/deal-a/invoice", json={"at": NOW}).json()["row"]["invoiced_at"] == NOW
    reopened = desk.post("ana", "/api/deals/deal-a/reopen", json={"stage_key": "offer"}).json()["row"]
    assert (reopened["signed_at"], len(reopened["closings"])) == (None, 1)
    told = desk.get("ana", "/api/deals/deal-a/state").json()
    assert (told["ends"], told["ahead"]["stage_key"]) == (1, None)


def test_money_is_shared_to_the_cent_and_lines_are_compared_with_the_amount(office: Office, desk: Desk) -> None:
    """R16, R17, R35: whatever the amount is changed to."""
    thirds = [{"user_key": u, "share_bp": s} for u, s in (("ana", 3_334), ("bob", 3_333), ("mia", 3_333))]
    overlays = [{"user_key": "cleo", "share_bp": 5_000}]
    office.put(("deals", "deal-a", {"splits": thirds, "overlays": overlays, "amount_minor": 10_000}))
    line(office, "l1", "deal-a", quantity="0.5", unit_price_minor=1)
    line(office, "l2", "deal-a", quantity="1", unit_price_minor=9_000, discount_bp=1_000)
    told = desk.get("bob", "/api/deals/deal-a/state").json()
    assert [share["amount_minor"] for share in told["splits"]] == [3_334, 3_333, 3_333]
    assert told["overlays"] == [{"user_key": "cleo", "share_bp": 5_000, "amount_minor": 5_000}]
    assert told["lines"] == {
        "count": 2,
        "per": "line",
        "rounding": "half_up",
        "total_minor": 8_101,
        "difference_minor": 1_899,
    }
    even = desk.get("bob", "/api/deals/deal-a/state?per=document&rounding=half_even").json()["lines"]
    assert (even["total_minor"], even["rounding"]) == (8_100, "half_even")
    office.put(("deals", "deal-a", {"amount_minor": 10_001}))
    shared = [share["amount_minor"] for share in desk.get("bob", "/api/deals/deal-a/state").json()["splits"]]
    assert sum(shared) == 10_001
    assert desk.get("bob", "/api/deals/deal-a/state?per=page").json()["code"] == "request_invalid"


def test_costs_are_told_to_who_holds_them_and_to_nobody_else(office: Office, desk: Desk) -> None:
    """R36, R45: not even that there are any."""
    line(office, "l1", "deal-a", quantity="2", unit_price_minor=10_000)
    for user in ("ana", "mia", "root"):
        assert desk.get(user, "/api/deals/deal-a/state").json()["profit"] is None
    told = desk.get("dirk", "/api/deals/deal-a/state").json()["profit"]
    assert (told["cost_minor"], told["profit_minor"], told["cost_on"]) == (12_000, 8_000, "2026-01-05")
    assert (told["margin_bp"], told["markup_bp"], told["missing"]) == (4_000, 6_667, [])
    office.put(("products", "valve", {"name": "Valve"}))
    line(office, "l2", "deal-a", product_key="valve")
    told = desk.get("dirk", "/api/deals/deal-a/state").json()["profit"]
    assert (told["margin_bp"], told["missing"]) == (None, [{"product_key": "valve", "why": "no_cost"}])


def test_a_deal_out_of_sight_says_nothing(office: Office, desk: Desk) -> None:
    """S13: alike where there is none."""
    deal(office, "secret", owner_key="cleo", account_key="zeta")
    for key in ("secret", "nothing", "no key"):
        assert desk.get("ana", f"/api/deals/{key}/state").status_code == 404
    assert desk.get("dirk", "/api/deals/secret/state").status_code == 200


def test_a_visit_or_a_call_wakes_a_stalled_deal(office: Office, desk: Desk) -> None:
    """R22: the deal, its customer, and only what one sees."""
    office.put(("stages", "lead", {"stalled_days": 10}))
    office.clock.advance(11 * DAY_MS)
    told = desk.get("ana", "/api/deals/deal-a/state").json()
    assert (told["flags"], told["stalled_days"]) == (["stalled"], 11)
    later = NOW + 5 * DAY_MS
    office.put(("calls", "c1", {"account_key": "acme", "owner_key": "ana", "called_at": later}))
    told = desk.get("ana", "/api/deals/deal-a/state").json()
    assert (told["flags"], told["active_at"]) == ([], later)
    other = deal(office, "other", account_key="acme")
    office.put(("calls", "c2", {"account_key": "acme", "owner_key": "ana", "called_at": later + 1, "deal_key": other}))
    assert desk.get("ana", "/api/deals/deal-a/state").json()["active_at"] == later


def test_what_a_deal_was_is_rebuilt_with_the_probability_of_that_time(office: Office, desk: Desk) -> None:
    """R20: a stage that is edited afterwards rewrites nothing."""
    office.clock.advance(DAY_MS)
    desk.post("ana", "/api/deals/deal-a/move", json={"stage_key": "offer"})
    office.clock.advance(DAY_MS)
    desk.forget_tokens()
    office.put(("stages", "lead", {"probability_bp": 9_000}), ("stages", "offer", {"probability_bp": 100}))
    desk.post("ana", "/api/deals/deal-a/lose", json={"reason": "price"})
    was = desk.get("ana", f"/api/history/deals/deal-a?as_of={NOW + DAY_MS - 1}").json()
    assert (was["row"]["stage_key"], was["stage"]["probability_bp"]) == ("lead", 1_000)
    then = desk.get("ana", f"/api/history/deals/deal-a?as_of={NOW + DAY_MS}").json()
    assert (then["row"]["stage_key"], then["row"]["stage_since"]) == ("offer", NOW + DAY_MS)
    assert (then["row"]["lost_reason"], then["stage"]["probability_bp"]) == (None, 5_000)
