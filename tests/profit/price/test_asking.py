"""`POST /api/deals/{key}/what-if` and the same without signal (R44, R45): it writes nothing, and both agree."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.db.tables.rows import METADATA
from sfa.profit.price.whatif import Changes, LineChange
from sync.device import whatif
from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.builders import DAY_MS, NOW
from tests.deals.conftest import line, stated
from tests.office import Office
from tests.profit.selling import at_screens, guided, won
from tests.sync.device.pocket import pocket

PERIOD = {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}
QUOTA = {"user_key": "ana", "period_key": "FY2026.Q1", "measure": "revenue", "target": 1_000_000, "currency": "EUR"}
HALF = {"lines": {"l1": {"discount_bp": 5_000}}}
PATH = "/api/deals/deal-a/what-if"


@pytest.fixture
def sold(office: Office) -> Office:
    """A deal of ten pumps at 100.00, limits, a plan, a quota, rates of effort, a charge, and visits of the past."""
    since = {"valid_from": "2025-01-01"}
    office.put(
        ("fiscal_periods", "FY2026.Q1", PERIOD),
        ("quotas", "q-ana", QUOTA),
        ("discount_limits", "rep", {"role": "rep", "limit_bp": 1_000, **since}),
        ("discount_limits", "manager", {"role": "manager", "limit_bp": 4_000, **since}),
        ("cost_rates", "hour", {"kind": "visit_hour", "amount_minor": 4_000, "currency": "EUR", **since}),
        ("cost_rates", "capital", {"kind": "capital", "rate_bp": 1_000, **since}),
        ("commission_plans", "plan", _plan("revenue")),
        ("commission_assignments", "ca-ana", {"plan_key": "plan", "user_key": "ana", **since}),
        ("deals", "deal-a", {"amount_minor": 100_000, "payment_days": 30, "close_on": "2026-02-01"}),
        ("deal_charges", "freight", _charge("freight", 1_234)),
        ("deal_charges", "credit", _charge("credit_note", 500)),
    )
    line(office, "l1", "deal-a", quantity="10")
    visits = []
    for n in range(3):
        at = NOW - (n + 1) * 10 * DAY_MS
        done = {"status": "completed", "checked_in_at": at, "checked_out_at": at + 3_600_000}
        visits.append(("visits", f"v{n}", {"account_key": "acme", "owner_key": "ana", **done}))
    stated(office, *visits)
    won(office, [9_000] * 5)
    guided(office)
    return office


def _plan(measure: str) -> dict[str, Any]:
    tiers = [{"from_minor": 0, "rate_bp": 500}, {"from_minor": 100_000, "rate_bp": 1_000}]
    return {"name": "Plan", "measure": measure, "tiers": tiers, "currency": "EUR", "valid_from": "2025-01-01"}


def _charge(kind: str, amount: int) -> dict[str, Any]:
    said = {"deal_key": "deal-a", "kind": kind, "amount_minor": amount, "currency": "EUR"}
    return {**said, "booked_on": "2026-01-02"}


def everything(office: Office) -> dict[str, list[Any]]:
    """The whole database, table by table."""

    def read(connection: Connection) -> dict[str, list[Any]]:
        return {t.name: sorted(map(repr, connection.execute(select(t)))) for t in METADATA.sorted_tables}

    return office.database.read(read)


def test_the_director_sees_all_of_it_before_and_after(sold: Office) -> None:
    """R38, R44: every step, the approver, the commission and the quota."""
    with at_screens(sold) as desk:
        told = desk.post("dirk", PATH, json={**HALF, "payment_days": 60}).json()
    assert (told["partial"], told["code"], told["on"], told["rev"]) == (
        False,
        None,
        "2026-01-05",
        sold.rev("deals", "deal-a"),
    )
    assert [t["amount_minor"] for t in told["before"]["waterfall"]["totals"]] == [
        100_000,
        100_000,
        100_000 - 822 - 1_234 - 500,
        37_444,
        37_444 - 12_000,
        37_444 - 12_000 - 6_800,
    ]
    assert [step["delta_minor"] for step in told["steps"]] == [0, -50_000, -50_000, 0, 0, 0, 4_300]
    assert (told["before"]["approver"], told["after"]["approver"]) == (None, "director")
    assert told["before"]["cadence"] == {"visits_per_month": "1.00", "minutes_per_visit": 60, "months": 3}
    assert [line["verdict"] for line in (*told["before"]["lines"], *told["after"]["lines"])] == [
        "above_target",
        "below_floor",
    ]
    (quota,) = told["quotas"]
    assert (quota["now"], quota["before"], quota["after"]) == (36_000, 136_000, 86_000)
    assert (quota["before_bp"], quota["after_bp"]) == (1_360, 860)


def test_nothing_is_written(sold: Office) -> None:
    """R44: the whole database is what it was, row by row."""
    with at_screens(sold) as desk:
        for user in ("ana", "mia", "dirk", "fay"):
            assert desk.get(user, "/auth/me").status_code == 200  # the first use of a login is noted
        before = everything(sold)
        assert len(before) > 40
        assert before["deals"]
        for user in ("ana", "mia", "dirk", "fay"):
            assert desk.post(user, PATH, json=HALF).status_code == 200
        assert desk.post("ana", PATH, json={"lines": {"x": {}}}).status_code == 422
        assert everything(sold) == before
    phone = pocket(sold, "ana")
    phone.sync()
    held = phone.synced_rows()
    whatif.what_if(phone, "deal-a", msgspec.convert(HALF, Changes))
    assert not phone.pending()
    assert phone.synced_rows() == held


def test_a_rep_is_told_what_needs_no_cost_and_that_the_rest_is_left_out(sold: Office) -> None:
    """R45."""
    with at_screens(sold) as desk:
        answer = desk.post("ana", PATH, json=HALF)
        told = answer.json()
        assert (told["partial"], told["code"]) == (True, "not_permitted")
        totals = {t["total"]: (t["amount_minor"], t["code"]) for t in told["after"]["waterfall"]["totals"]}
        assert totals["invoice"] == (50_000, None)
        assert {totals[name] for name in ("pocket", "margin", "contribution", "profit")} == {(None, "not_permitted")}
        kinds = {i["item"]["kind"] for s in told["after"]["waterfall"]["steps"] for i in s["items"]}
        assert kinds == {"list", "discount", "invoice", "credit_note", "commission"}
        assert told["after"]["approver"] == "director"
        assert b"freight" not in answer.content
        assert b"1234" not in answer.content
        costly = answer.content
        sold.put(("unit_costs", "c-pump", {"amount_minor": 1}), ("cost_rates", "hour", {"amount_minor": 1}))
        assert desk.post("ana", PATH, json=HALF).content == costly, "costs are another matter"


def test_a_plan_on_margins_is_no_way_to_learn_a_cost(sold: Office) -> None:
    """R45."""
    assigned = {"plan_key": "margins", "user_key": "ana", "valid_from": "2025-01-01"}
    sold.put(("commission_plans", "margins", _plan("margin")), ("commission_assignments", "ca-margins", assigned))
    with at_screens(sold) as desk:
        for user, known in (("ana", False), ("dirk", True)):
            found = desk.post(user, PATH, json=HALF).json()["before"]["commission"]
            (paid,) = (each for each in found if each["plan_key"] == "margins")
            assert (paid["amount_minor"] is not None, paid["code"]) == (known, None if known else "not_permitted")
            assert {paid[name] is not None for name in ("period_key", "currency", "in_deal_minor")} == {known}


@pytest.mark.parametrize("role_of", ["overlay", "share", "ended"])
def test_a_phone_names_a_plan_on_margins_as_a_screen_does(sold: Office, role_of: str) -> None:
    """R44, R45: his device has the assignment and not the plan; both say `not_permitted`, and a director is told."""
    until = {"valid_to": "2025-06-01"} if role_of == "ended" else {}
    assigned = {"plan_key": "margins", "user_key": "ana", "valid_from": "2025-01-01", **until}
    plan = {**_plan("margin"), "overlay": role_of == "overlay"}
    sold.put(("commission_plans", "margins", plan), ("commission_assignments", "ca-margins", assigned))
    with at_screens(sold) as desk:
        for user in ("ana", "dirk", "mia"):
            told = desk.post(user, PATH, json=HALF).json()
            phone = pocket(sold, user)
            phone.sync()
            assert (phone.get("commission_plans", "margins") is not None) == (user == "dirk")
            own = msgspec.to_builtins(whatif.what_if(phone, "deal-a", msgspec.convert(HALF, Changes)))
            for side in ("before", "after"):
                assert own["compared"][side] == told[side]
                said = [p for p in told[side]["commission"] if p["plan_key"] == "margins"]
                if user == "ana" and role_of != "ended":
                    nothing = dict.fromkeys(("period_key", "amount_minor", "currency", "in_deal_minor"))
                    assert said == [{"user_key": "ana", "plan_key": "margins", **nothing, "code": "not_permitted"}]
                else:
                    assert len(said) == (user == "dirk" and role_of == "share")


def test_who_does_not_see_the_deal_is_told_that_there_is_none(sold: Office) -> None:
    with at_screens(sold) as desk:
        for user, path in (("cleo", PATH), ("ana", "/api/deals/none/what-if"), ("ana", "/api/deals/%20/what-if")):
            assert desk.post(user, path, json={}).json()["code"] == "not_found"
        assert desk.client.post(PATH, json={}).status_code == 401


def test_bad_wishes_are_refused(sold: Office) -> None:
    wrong: list[dict[str, Any]] = [
        {"lines": {"other": {"quantity": "1"}}},
        {"lines": {"l1": {"quantity": "-1"}}},
        {"lines": {"l1": {"discount_bp": 10_001}}},
        {"lines": {"l1": {"cost_minor": 1}}},
        {"payment_days": -1},
        {"visits_per_month": 2},
        {"months": 121},
        {"margin": 1},
    ]
    with at_screens(sold) as desk:
        for body in wrong:
            answer = desk.post("ana", PATH, json=body)
            assert (answer.status_code, answer.json()["code"]) in ((422, "row_unknown"), (400, "request_invalid")), body
        sold.put(("deals", "bare", {"name": "Bare", "owner_key": "ana", "stage_key": "lead"}))
        assert desk.post("ana", "/api/deals/bare/what-if", json={}).json()["code"] == "currency_unknown"


def test_a_won_deal_counts_once_in_its_quota_and_its_period(sold: Office) -> None:
    """R9, R41: the price that it might have had takes the place of the one that it had."""
    with at_screens(sold) as desk:
        open_ = desk.post("dirk", PATH, json=HALF).json()
        assert desk.post("ana", "/api/deals/deal-a/win").status_code == 200
        sold.clock.advance(1)
        told = desk.post("dirk", PATH, json=HALF).json()
    (quota,), (was,) = told["quotas"], open_["quotas"]
    assert quota["now"] == quota["before"] == was["before"]
    assert quota["after"] == was["after"]
    assert [p["amount_minor"] for p in told["before"]["commission"]] == [
        p["amount_minor"] for p in open_["before"]["commission"]
    ]


def test_money_of_another_currency_converts_at_its_day_or_is_said_to_be_missing(sold: Office) -> None:
    """R34."""
    sold.put(("deal_charges", "freight", {"currency": "USD"}))
    with at_screens(sold) as desk:
        told = desk.post("dirk", PATH, json={}).json()
        assert {"code": "rate_missing", "from_currency": "USD"}.items() <= told["before"]["waterfall"]["missing"][
            0
        ].items()
        assert told["before"]["waterfall"]["totals"][2]["amount_minor"] is None
        rate = {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.5", "valid_from": "2026-01-01"}
        sold.put(("rates", "usd", rate))
        told = desk.post("dirk", PATH, json={}).json()
        assert told["before"]["waterfall"]["totals"][2]["amount_minor"] == 100_000 - 822 - 617 - 500


def test_a_phone_without_signal_says_what_the_server_says(sold: Office) -> None:
    """R44: same rule, same rows; the director's phone has costs, the rep's has none."""
    changes = Changes({"l1": LineChange(discount_bp=3_000, quantity="12")}, 45, "2", 30, 2)
    body = msgspec.to_builtins(changes)
    with at_screens(sold) as desk:
        for user in ("ana", "dirk"):
            told = desk.post(user, PATH, json=body).json()
            phone = pocket(sold, user)
            phone.sync()
            own = msgspec.to_builtins(whatif.what_if(phone, "deal-a", changes))
            for side in ("before", "after"):
                assert own["compared"][side] == told[side]
            assert (own["partial"], own["on"]) == (told["partial"], told["on"])
            if user == "ana":
                assert own["quotas"] == told["quotas"]


def test_what_waits_in_the_queue_counts_on_the_phone(sold: Office) -> None:
    phone = pocket(sold, "ana")
    phone.sync()
    phone.update("deal_lines", "l1", {"discount_bp": 5_000})
    found = whatif.what_if(phone, "deal-a", Changes())
    assert found.compared.before.approver == "director"
    with pytest.raises(Refused, match="on this device"):
        whatif.what_if(phone, "deal-x", Changes())


@on_sqlite
def test_a_rep_asks_in_the_terminal(
    sold: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    shown = ana.run("what-if", "Pumps", "--discount", "l1=5000", "--payment-days", "60")
    assert "approval: none before, director after" in shown
    assert "not_permitted" in shown
    assert "500.00" in shown
    told = ana.json("what-if", "Pumps", "--price", "l1=9000", "--quantity", "l1=2", "--months", "1")
    assert told["compared"]["after"]["amount_minor"] == 18_000
    (row,) = ana.json("price", "Pumps")
    assert (row["verdict"], row["approval"]) == ("above_target", None)
    assert "LINE=VALUE" in ana.run("what-if", "Pumps", "--price", "l1", code=2)
    assert "field_invalid" in ana.run("what-if", "Pumps", "--discount", "l1=20000", code=1)
    assert ana.json("pending") == []
