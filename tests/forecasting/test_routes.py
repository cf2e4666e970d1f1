"""Roll-ups at a screen: periods, currencies, dimensions, who sees what, what is kept (R22-R25, R30, R32, R34)."""

from typing import Any

import pytest
from msgspec import structs

from forecasting.answers import Basis, PeriodTold
from forecasting.facts import basis_of
from forecasting.reading import read_raw
from forecasting.service import Forecasts, Wanted
from tests.crm.desk import Desk
from tests.forecasting.telling import code, commits, deal, nodes, rollup
from tests.office import Office
from tests.quotas.books import until, win


def test_a_director_and_a_rep_see_the_same_money_at_their_levels_r25(desk: Desk) -> None:
    assert commits(desk) == {
        "company": 500_000,
        "team:all-sales": 500_000,
        "team:north": 500_000,
        "team:south": 0,
        "user:ana": 500_000,
        "user:bob": 0,
        "user:cleo": 0,
        "user:dirk": 0,
        "user:mia": 0,
    }
    assert commits(desk, "ana") == {"user:ana": 500_000}
    assert list(commits(desk, "mia")) == ["team:north", "user:ana", "user:bob", "user:mia"]


def test_without_a_period_it_is_the_running_quarter_and_its_weighted_amount_r23_r32(desk: Desk) -> None:
    answer = desk.get("ana", "/api/forecast/rollup").json()
    assert (answer["period"]["key"], answer["as_of"], answer["as_of_snapshot"]) == ("q1", "2026-01-05", None)
    commit = answer["nodes"][0]["buckets"]["commit"]
    assert commit == {"amount_minor": 500_000, "weighted_minor": 50_000, "deals": 1}


def test_a_policy_says_of_which_kind_the_period_is(desk: Desk) -> None:
    month = {"name": "January", "kind": "month", "start_on": "2026-01-01", "end_on": "2026-02-01"}
    desk.office.put(("fiscal_periods", "jan", month), ("forecast_policies", "p", {"name": "P", "period_kind": "month"}))
    assert desk.get("ana", "/api/forecast/rollup").json()["period"]["key"] == "jan"


def test_overdue_open_deals_stay_in_the_slipped_bucket_of_the_running_period_r22(desk: Desk) -> None:
    until(desk.office, "2026-04-02 08:00")
    found = rollup(desk, "ana", period="q2")["nodes"][0]["buckets"]
    assert (found["slipped"]["amount_minor"], found["commit"]["amount_minor"]) == (500_000, 0)
    assert rollup(desk, "ana", period="q1")["nodes"][0]["buckets"]["slipped"]["deals"] == 0


def test_a_deal_is_in_the_period_of_its_day_and_in_no_other_r22_r31(desk: Desk) -> None:
    """Days are half-open: the first of April is the second quarter's; what has no day is told of the running one."""
    desk.office.put(deal("last", "bob", 1, "2026-03-31"), deal("first", "bob", 20, "2026-04-01"))
    desk.office.put(deal("no-day", "bob", 300, None))
    told = {key: rollup(desk, "bob", period=key) for key in ("q0", "q1", "q2")}
    assert {key: found["nodes"][0]["buckets"]["commit"]["amount_minor"] for key, found in told.items()} == {
        "q0": 0,
        "q1": 1,
        "q2": 20,
    }
    assert {key: found["missing_count"] for key, found in told.items()} == {"q0": 0, "q1": 1, "q2": 0}


def test_the_day_that_decides_is_the_organisations_r32(desk: Desk) -> None:
    """Until 23:00 UTC it is the tenth in Madrid, on which the deal may still close."""
    until(desk.office, "2026-02-10 22:59")
    assert rollup(desk, "ana")["nodes"][0]["buckets"]["commit"]["deals"] == 1
    until(desk.office, "2026-02-10 23:00")
    assert rollup(desk, "ana")["nodes"][0]["buckets"]["slipped"]["deals"] == 1


def test_what_is_won_is_closed_in_the_tree_of_its_own_day_r18(desk: Desk) -> None:
    """Ana wins in north, and moves to south on 1 February."""
    win(desk.office.phone("ana"), "won", 70_000)
    until(desk.office, "2026-02-01 08:00")
    desk.office.put(
        ("team_members", "m-ana", {"valid_to": "2026-02-01"}),
        ("team_members", "m-ana-2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-02-01"}),
    )
    told = {(n["parent"], n["node"]): n["views"]["commit"]["rolled_up"] for n in rollup(desk)["nodes"]}
    assert told["team:north", "user:ana"] == 70_000
    assert told["team:south", "user:ana"] == 500_000
    assert told[None, "company"] == 570_000
    assert commits(desk, "mia")["team:north"] == 70_000
    assert commits(desk, "ana") == {"user:ana": 570_000}


def test_a_reversal_counts_negative_in_its_own_period_r21(desk: Desk) -> None:
    phone = desk.office.phone("ana")
    win(phone, "won", 70_000)
    until(desk.office, "2026-04-02 08:00")
    reopened = phone.do("deal.reopen", "deals", "won", base=2, set={"stage_key": "lead"})
    assert reopened.outcome == "applied", reopened
    assert rollup(desk, "ana", period="q1")["nodes"][0]["buckets"]["closed"]["amount_minor"] == 70_000
    assert rollup(desk, "ana", period="q2")["nodes"][0]["buckets"]["closed"]["amount_minor"] == -70_000


def test_open_money_is_converted_at_the_rate_of_the_reports_day_and_closed_at_its_own_r34(desk: Desk) -> None:
    """1 USD = 1.39 AUD from 1 January, 1.42 from 1 February: 1,390 AUD closed in January are 1,000.00 USD for ever."""
    rates = (("r1", "1.39", "2026-01-01"), ("r2", "1.42", "2026-02-01"))
    desk.office.put(
        *(
            ("rates", key, {"base_currency": "USD", "quote_currency": "AUD", "rate": rate, "valid_from": day})
            for key, rate, day in rates
        ),
        deal("open", "ana", 139_000, "2026-03-01", currency="AUD"),
        ("deals", "deal-a", {"amount_minor": None, "currency": None}),
    )
    win(desk.office.phone("ana"), "won", 139_000, "AUD")
    told = rollup(desk, "ana", currency="USD")["nodes"][0]["buckets"]
    assert (told["closed"]["amount_minor"], told["commit"]["amount_minor"]) == (100_000, 100_000)
    until(desk.office, "2026-02-01 08:00")
    desk.forget_tokens()
    found = rollup(desk, "ana", currency="USD")
    told = found["nodes"][0]["buckets"]
    assert (told["closed"]["amount_minor"], told["commit"]["amount_minor"]) == (100_000, 97_887)
    assert [(rate["open"], rate["rate"], rate["rate_on"]) for rate in found["rates"]] == [
        (False, "1.39", "2026-01-01"),
        (True, "1.42", "2026-02-01"),
    ]


def test_a_forecast_with_holes_says_which_r34(desk: Desk) -> None:
    desk.office.put(
        deal("no-amount", "ana", None, "2026-02-01"),
        deal("no-day", "bob", 7, None),
        deal("no-rate", "cleo", 9, "2026-02-01", currency="USD"),
        deal("left", "bob", 5, "2026-02-01"),
    )
    desk.office.put(("users", "bob", {"active": False}))
    found = rollup(desk)
    assert [(hole["code"], hole["key"]) for hole in found["missing"]] == [
        ("amount_missing", "no-amount"),
        ("close_on_missing", "no-day"),
        ("owner_missing", "left"),
        ("owner_missing", "no-day"),
        ("rate_missing", "no-rate"),
    ]
    assert found["partial"]
    assert nodes(found)["user:bob"]["missing"] == {"close_on_missing": 1, "owner_missing": 2}
    assert nodes(found)["user:mia"]["partial"] is False
    assert [hole["key"] for hole in rollup(desk, "ana")["missing"]] == ["no-amount"]


def test_who_may_not_see_all_of_a_node_is_told_so_r30(desk: Desk) -> None:
    desk.office.put(deal("d2", "bob", 7, "2026-02-01"))
    found = rollup(desk, "ana", node="team:north")
    assert (found["partial"], found["why"]) == (True, ["not_seen"])
    assert {node["node"]: node["views"]["commit"]["rolled_up"] for node in found["nodes"]} == {
        "team:north": 500_000,
        "user:ana": 500_000,
    }
    assert commits(desk, "mia", node="team:north")["team:north"] == 500_007
    assert commits(desk, "dirk")["team:all-sales"] == 500_007


@pytest.mark.parametrize("node", ["team:south", "user:cleo", "user:nobody", "team:nowhere", "territory:t-south"])
def test_what_somebody_may_not_see_at_all_is_not_found_r30(desk: Desk, node: str) -> None:
    assert code(desk.get("ana", f"/api/forecast/nodes/{node}?period=q1")) == (404, "not_found")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("period=q9", (422, "period_unknown")),
        ("period=..", (422, "period_unknown")),
        ("by=colour", (400, "request_invalid")),
        ("node=planet:earth", (400, "request_invalid")),
        ("node=territory:t-north", (400, "request_invalid")),
        ("currency=XXL", (422, "currency_unknown")),
        ("as_of=2026-01-06", (400, "request_invalid")),
        ("as_of=2026-02-30", (422, "field_invalid")),
        ("as_of=2025-12-31", (404, "forecast_snapshot_missing")),
        ("depth=-1", (400, "request_invalid")),
    ],
)
def test_what_cannot_be_answered_is_said_by_code(desk: Desk, asked: str, expected: tuple[int, str]) -> None:
    assert code(desk.get("ana", f"/api/forecast/rollup?{asked}")) == expected


def test_outside_the_calendar_there_is_no_period(desk: Desk) -> None:
    until(desk.office, "2027-01-05 08:00")
    desk.forget_tokens()
    assert code(desk.get("root", "/api/forecast/rollup")) == (422, "period_unknown")


def test_by_territory_and_product_the_money_is_the_same_r19(desk: Desk) -> None:
    line = {"deal_key": "deal-a", "product_key": "pump", "quantity": "2", "unit_price_minor": 10}
    desk.office.put(("deal_lines", "l1", line), deal("d2", "cleo", 90, "2026-02-01", account_key="zeta"))
    assert commits(desk, by="territory") == {
        "company": 500_090,
        "territory:t-north": 500_000,
        "territory:t-south": 90,
    }
    assert commits(desk, by="product") == {"company": 500_090, "product:": 90, "product:pump": 500_000}
    assert commits(desk, by="team") == {
        "company": 500_090,
        "team:all-sales": 500_090,
        "team:north": 500_000,
        "team:south": 90,
    }
    assert commits(desk, "ana", by="territory") == {"company": 500_000, "territory:t-north": 500_000}


def test_a_node_tells_those_directly_below_it(desk: Desk) -> None:
    found = desk.get("root", "/api/forecast/nodes/team:all-sales?period=q1").json()
    assert [node["node"] for node in found["nodes"]] == ["team:all-sales", "team:north", "team:south", "user:dirk"]


# -- what it is made of -----------------------------------------------------------------------------------------------


def pages(desk: Desk, as_: str, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        more: dict[str, str] = {"after": after} if after is not None else {}
        answer = desk.ask(as_, "GET", "/api/forecast/deals", params={"period": "q1", "limit": 2, **asked, **more})
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        after = found[-1]["next"]
        if after is None:
            return found


def test_the_deals_of_a_node_sum_to_it_over_all_pages_r23(desk: Desk) -> None:
    half = [{"user_key": "ana", "share_bp": 5_000}, {"user_key": "cleo", "share_bp": 5_000}]
    desk.office.put(deal("d2", "ana", 101, "2026-02-01", splits=half), deal("d3", "bob", 7, "2026-02-01"))
    desk.office.put(deal("d4", "bob", 3, "2026-02-01", category="best_case"), deal("d5", "bob", 11, None))
    found = pages(desk, "mia", node="team:north", bucket="commit")
    told = [(item["deal_key"], item["user_key"], item["amount_minor"]) for page in found for item in page["items"]]
    assert told == [("d2", "ana", 51), ("d3", "bob", 7), ("deal-a", "ana", 500_000)]
    assert nodes(rollup(desk, "mia"))["team:north"]["buckets"]["commit"]["amount_minor"] == 500_058
    everything = [item for page in pages(desk, "mia", node="team:north") for item in page["items"]]
    assert [item["bucket"] for item in everything] == ["commit", "commit", "best_case", "commit"]
    assert [item["deal_key"] for item in pages(desk, "mia", bucket="undated")[0]["items"]] == ["d5"]


def test_a_deal_that_the_caller_may_not_see_is_counted_and_not_told_r30(desk: Desk) -> None:
    """Mia managed Ana while she won a deal; Ana, her deal and its customer are the south's by now."""
    win(desk.office.phone("ana"), "won", 70_000, account_key=None)
    until(desk.office, "2026-02-01 08:00")
    desk.office.put(
        ("team_members", "m-ana", {"valid_to": "2026-02-01"}),
        ("team_members", "m-ana-2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-02-01"}),
    )
    (page,) = pages(desk, "mia", node="team:north", bucket="closed")
    assert (page["items"], page["partial"]) == ([], True)
    assert page["hidden"] == {"count": 1, "amount_minor": 70_000, "weighted_minor": 70_000}


def test_a_place_of_another_list_is_refused(desk: Desk) -> None:
    assert code(desk.get("ana", "/api/forecast/deals?period=q1&after=abc")) == (400, "request_invalid")
    assert code(desk.get("ana", "/api/forecast/deals?period=q1&bucket=soon")) == (400, "request_invalid")
    assert code(desk.get("ana", "/api/forecast/deals?period=q1&limit=0")) == (400, "request_invalid")
    assert code(desk.get("ana", "/api/forecast/deals?period=q1&node=user:bob")) == (404, "not_found")


# -- what is kept -----------------------------------------------------------------------------------------------------


def warmth(desk: Desk, as_: str = "root", path: str = "/api/forecast/rollup?period=q1") -> str:
    answer = desk.get(as_, path)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["sfa-forecast"])


def test_a_roll_up_is_made_once_until_something_changes(desk: Desk) -> None:
    assert [warmth(desk), warmth(desk), warmth(desk, "ana")] == ["cold", "warm", "warm"]
    desk.office.put(deal("d2", "bob", 7, "2026-02-01"))
    assert warmth(desk) == "cold"
    assert commits(desk)["user:bob"] == 7


def test_the_next_day_it_is_made_anew_r22(desk: Desk) -> None:
    warmth(desk)
    until(desk.office, "2026-02-11 08:00")
    desk.forget_tokens()
    assert rollup(desk)["nodes"][0]["buckets"]["slipped"]["deals"] == 1


def test_the_same_question_gives_the_same_bytes(desk: Desk, quarters: Office) -> None:
    first = desk.get("root", "/api/forecast/rollup?period=q1").content
    quarters.clock.advance(60_000)
    assert desk.get("root", "/api/forecast/rollup?period=q1").content == first


def test_what_people_look_at_is_made_ahead_after_a_change(desk: Desk) -> None:
    forecasts = desk.client.app.state.services.forecasts
    warmth(desk)
    with desk.client.portal() as portal:
        assert portal.call(forecasts.warm) == 0
    desk.office.put(deal("d2", "bob", 7, "2026-02-01"))
    with desk.client.portal() as portal:
        assert portal.call(forecasts.warm) == 1
    assert warmth(desk) == "warm"
    assert commits(desk)["user:bob"] == 7


def test_a_day_that_is_over_is_answered_from_what_was_frozen_r27(desk: Desk) -> None:
    """By whoever keeps snapshots; overrides are not among them."""
    services = desk.client.app.state.services

    def past(connection: Any, world: Any, day: str, period: PeriodTold, currency: str, by: str) -> Basis:
        live = basis_of(read_raw(connection, world, period, by), world, period, currency=currency, by=by)
        return structs.replace(live, as_of=day, snapshot=7)

    forecasts = Forecasts(services.screens, past)
    with desk.client.portal() as portal:
        found, warm = portal.call(forecasts.rollup, "root", Wanted("q1", as_of="2026-01-04"))
        assert portal.call(forecasts.rollup, "root", Wanted("q1", as_of="2026-01-04"))[1]
    assert (found.as_of, found.as_of_snapshot, warm) == ("2026-01-04", 7, False)
    told = found.nodes[0].views["commit"]
    assert (told.rolled_up, told.manager_adjusted, told.code) == (500_000, None, "not_kept")


def test_a_caller_who_left_is_told_nothing_r30(desk: Desk) -> None:
    warmth(desk, "bob")
    desk.office.put(("users", "bob", {"active": False}))
    assert desk.get("bob", "/api/forecast/rollup?period=q1").status_code == 401
