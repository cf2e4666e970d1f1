"""The job that makes price guides, who is told what, and the device that judges by them (R45)."""

from typing import Any

import pytest
from sqlalchemy import select

from sfa.core.errors import Refused
from sfa.db.tables import ROWS, history
from sfa.profit.price import guiding
from sfa.profit.price.guiding import Made
from sfa.profit.price.won_lines import SoldLine, sold_lines
from sync.device import pricing
from tests.builders import DAY_MS, NOW
from tests.deals.conftest import line
from tests.office import Office
from tests.profit.selling import at_screens, guided, won
from tests.sync.device.pocket import pocket

PRICES = [5_500 + 500 * n for n in range(10)]


def limit(role: str, bp: int, **values: Any) -> tuple[str, str, dict[str, Any]]:
    said = {"role": role, "limit_bp": bp, "valid_from": "2025-01-01", **values}
    return "discount_limits", f"{role}-{said['valid_from']}", said


def test_the_job_writes_what_is_new_and_nothing_the_second_time(office: Office) -> None:
    office.put(("accounts", "acme", {"industry": "food", "tier": "A"}), ("products", "pump", {"family": "pumps"}))
    won(office, PRICES)
    assert guided(office) == Made(8, 0, 0)
    places = {(row["family"], row["segment"]) for row in office.rows("price_guides")}
    assert places == {(f, s) for f in ("pumps", None) for s in ("food/A", "food/*", "*/A", None)}
    assert {(r["floor_bp"], r["norm_bp"], r["target_bp"], r["deals"]) for r in office.rows("price_guides")} == {
        (5_500, 7_500, 9_000, 10)
    }
    before = office.all(select(history.c.key, history.c.rev).where(history.c.entity == "price_guides"))
    office.clock.advance(DAY_MS)
    assert guided(office) == Made(0, 0, 8)
    assert office.all(select(history.c.key, history.c.rev).where(history.c.entity == "price_guides")) == before


def test_a_guide_goes_with_its_basis_and_comes_back_under_its_key(office: Office) -> None:
    won(office, PRICES[:5])
    assert guided(office) == Made(1, 0, 0)
    (row,) = office.rows("price_guides")
    office.delete("deal_lines", "w00-line")
    assert guided(office) == Made(0, 1, 0)
    won(office, [9_000], prefix="x")
    assert guided(office) == Made(1, 0, 0)
    (again,) = office.rows("price_guides")
    assert (again["key"], again["rev"]) == (row["key"], 3)


def test_only_what_stands_won_and_had_a_list_price_counts(office: Office) -> None:
    won(office, PRICES[:4])
    won(office, [100], "lost", stage_key="lost")
    won(office, [100], "open", closed_at=None, stage_key="offer")
    won(office, [100], "old", closed_at=NOW - 731 * DAY_MS)
    won(office, [100], "dollar", currency="USD")
    assert guided(office) == Made(0, 0, 0)
    won(office, [6_000], "fifth")
    assert guided(office) == Made(1, 0, 0)


def test_the_list_price_is_that_of_the_day_of_the_deal(office: Office) -> None:
    """R39: prices are dated; today's is not yesterday's."""
    office.put(("prices", "p-2", {"product_key": "pump", "amount_minor": 20_000, "currency": "EUR"} | _from_today()))
    won(office, [8_000] * 5)
    guided(office)
    assert [row["norm_bp"] for row in office.rows("price_guides")] == [8_000]


def _from_today() -> dict[str, str]:
    return {"valid_from": "2026-01-05"}


def test_costs_could_be_anything_and_the_guides_would_be_the_same(office: Office, other_office: Office) -> None:
    """R45: nobody can tell a cost from what guides say, because nothing of it went in."""
    for each, cost in ((office, 1), (other_office, 9_999)):
        each.put(("unit_costs", "c-pump", {"amount_minor": cost}))
        won(each, PRICES)
        guided(each)
    table = ROWS["price_guides"]
    said = [table.c[name] for name in table.c.keys() if name in guiding._SAID or name in ("key", "made_on", "doc")]  # noqa: SIM118
    assert office.all(select(*said)) == other_office.all(select(*said)) != []
    with at_screens(office) as one, at_screens(other_office) as other:
        for user in ("ana", "mia"):
            told = [desk.get(user, "/api/pricing/guides").content for desk in (one, other)]
            assert told[0] == told[1]
        told = [desk.get("dirk", "/api/pricing/guides").content for desk in (one, other)]
        assert told[0] != told[1]


def test_margins_are_for_who_sees_cost_and_the_others_are_told_that_they_are_left_out(office: Office) -> None:
    won(office, [8_000, 8_000, 8_000, 8_000, 12_000])
    guided(office)
    with at_screens(office) as desk:
        told = desk.get("ana", "/api/pricing/guides").json()
        assert (told["partial"], told["code"], told["items"][0]["margins"]) == (True, "not_permitted", None)
        told = desk.get("fay", "/api/pricing/guides").json()
        margins = {"target_bp": 2_500, "norm_bp": 2_500, "floor_bp": 2_500, "lines": 5, "costed": 5}
        assert (told["partial"], told["items"][0]["margins"]) == (False, margins)
        office.delete("unit_costs", "c-pump")
        none = {"target_bp": None, "norm_bp": None, "floor_bp": None, "lines": 5, "costed": 0}
        assert desk.get("dirk", "/api/pricing/guides").json()["items"][0]["margins"] == none


def test_guides_come_in_pages_and_by_family(office: Office) -> None:
    office.put(("accounts", "acme", {"industry": "food", "tier": "A"}), ("products", "pump", {"family": "pumps"}))
    won(office, PRICES)
    won(office, PRICES[:5], "big", quantity="10")
    guided(office)
    with at_screens(office) as desk:
        whole = desk.get("dirk", "/api/pricing/guides").json()["items"]
        assert len(whole) == 16
        pages, after = [], ""
        while True:
            page = desk.get("dirk", f"/api/pricing/guides?limit=3{after}").json()
            pages += page["items"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert pages == whole
        of = desk.get("dirk", "/api/pricing/guides?family=pumps").json()["items"]
        assert of == [item for item in whole if item["family"] == "pumps"]
        for wrong in ("limit=0", "limit=501", "after=%20"):
            assert desk.get("ana", f"/api/pricing/guides?{wrong}").json()["code"] == "request_invalid"


def test_nobody_writes_a_guide_by_hand(office: Office) -> None:
    receipt = office.phone("dirk").do("create", "price_guides", "mine", base=0, set={"target_bp": 1})
    assert receipt.code == "not_permitted"


def test_a_role_has_one_limit_for_a_family_on_a_day_online_and_offline(office: Office) -> None:
    """R53."""
    office.put(limit("rep", 1_000, valid_to="2026-01-01"))
    said = {"role": "rep", "limit_bp": 500, "valid_from": "2025-06-01"}
    receipt = office.phone("fay").do("create", "discount_limits", "twice", base=0, set=said)
    assert (receipt.code, receipt.details) == ("limit_twice", {"on": "2025-06-01", "key": "rep-2025-01-01"})
    with at_screens(office) as desk:
        answer = desk.post("fay", "/api/discount_limits", json={"row": said})
        assert (answer.status_code, answer.json()["code"]) == (422, "limit_twice")
        for other in ({"role": "manager"}, {"family": "pumps"}, {"valid_from": "2026-01-01"}):
            assert desk.post("fay", "/api/discount_limits", json={"row": {**said, **other}}).status_code == 201
    with pytest.raises(Refused, match="limit"):
        office.put(("discount_limits", "rep-2025-01-01", {"valid_to": None}))


def test_a_phone_judges_prices_without_signal_and_without_costs(office: Office) -> None:
    """R44, R45: guide, limit and list price are on the phone; a change in its queue counts at once."""
    office.put(limit("rep", 1_000), limit("manager", 3_000))
    won(office, PRICES)
    guided(office)
    line(office, "l1", "deal-a", unit_price_minor=9_500)
    phone = pocket(office, "ana")
    phone.sync()
    (told,) = pricing.priced(phone, "deal-a")
    assert (told.price_bp, told.verdict, told.approval.role) == (9_500, "above_target", None)
    phone.update("deal_lines", "l1", {"discount_bp": 2_000})
    (told,) = pricing.priced(phone, "deal-a")
    assert (told.price_bp, told.verdict, told.approval.role) == (7_600, "on_norm", "manager")
    phone.update("deal_lines", "l1", {"discount_bp": 5_000})
    (told,) = pricing.priced(phone, "deal-a")
    assert (told.price_bp, told.verdict, told.approval.role) == (4_750, "below_floor", "director")
    assert phone.list("unit_costs") == {}


def test_lines_of_some_families_are_those_among_the_lines_of_all(office: Office) -> None:
    """Also where a deal has lines of others: they say what it took off its amount."""
    office.put(("products", "pump", {"family": "pumps"}), ("products", "hose", {"name": "Hose", "family": "hoses"}))
    office.put(("prices", "hose-price", {"product_key": "hose", "amount_minor": 50_00, "currency": "EUR",
                                         "valid_from": "2025-01-01"}))  # fmt: skip
    won(office, PRICES)
    line(office, "more", "w00", product_key="hose", unit_price_minor=40_00)

    def lines(families: list[str] | None) -> list[SoldLine]:
        return office.database.read(lambda c: list(sold_lines(c, office.clock.now_ms(), families)))

    every = lines(None)
    assert {one.sold.family for one in every} == {"pumps", "hoses"}
    for family in ("pumps", "hoses"):
        assert lines([family]) == [one for one in every if one.sold.family == family]
    assert lines(["none"]) == []
