"""Figures in the place of what is rolled up: who may set them, on what they stand, what becomes of them (R25, R26)."""

from typing import Any

import pytest

from forecasting import overriding
from tests.crm.desk import Desk
from tests.forecasting.telling import code, deal, nodes, rollup
from tests.quotas.books import until

ANA, NORTH = "user:ana", "team:north"


def place(node: str, view: str = "commit", period: str = "q1") -> str:
    return f"/api/forecast/overrides/{period}/{node}/{view}"


def put(
    desk: Desk, as_: str, node: str, amount: int, *, level: str = "own", rev: int | None = None, **more: Any
) -> Any:
    """Set a figure, as who looked at revision `rev`, or saw that there was none."""
    asked = {**{name: more.pop(name) for name in ("view", "period") if name in more}}
    headers = {"Authorization": f"Bearer {desk.token(as_)}"}
    headers |= {"If-None-Match": "*"} if rev is None else {"If-Match": f'"{rev}"'}
    body = {"amount_minor": amount, **more}
    return desk.client.put(place(node, **asked), params={"level": level}, json=body, headers=headers)


def revert(desk: Desk, as_: str, node: str, rev: int | None, level: str = "own") -> Any:
    return desk.ask(as_, "DELETE", place(node), rev, params={"level": level})


def said(desk: Desk, as_: str, node: str, **more: Any) -> dict[str, Any]:
    answer = put(desk, as_, node, more.pop("amount", 600_000), **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def four(desk: Desk, node: str, as_: str = "root") -> tuple[int | None, ...]:
    told = nodes(rollup(desk, as_))[node]["views"]["commit"]
    return told["own"], told["rolled_up"], told["own_adjusted"], told["manager_adjusted"]


def listed(desk: Desk, as_: str = "root", **asked: Any) -> list[dict[str, Any]]:
    answer = desk.ask(as_, "GET", "/api/forecast/overrides", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


# -- setting ----------------------------------------------------------------------------------------------------------


def test_an_override_is_kept_with_the_value_that_it_was_based_on_r26(desk: Desk) -> None:
    answer = put(desk, "ana", ANA, 600_000, note="the second order comes")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    told = answer.json()
    assert (told["amount_minor"], told["based_on_minor"], told["currency"]) == (600_000, 500_000, "EUR")
    assert (told["author_key"], told["number"], told["status"], told["stale"]) == ("ana", 1, "standing", False)
    assert four(desk, ANA) == (500_000, 500_000, 600_000, 600_000)
    assert four(desk, NORTH) == (0, 500_000, 600_000, 600_000)
    assert desk.office.row("forecast_overrides", told["key"])["buckets"] == ["book:ana"]


def test_a_managers_figure_counts_above_and_those_below_do_not_see_it_r25(desk: Desk) -> None:
    told = said(desk, "mia", ANA, amount=450_000, level="manager")
    assert desk.office.row("forecast_overrides", told["key"])["buckets"] == ["manage:north"]
    assert four(desk, ANA) == (500_000, 500_000, 500_000, 450_000)
    assert four(desk, NORTH, "mia") == (0, 500_000, 450_000, None)
    assert four(desk, ANA, "ana") == (500_000, 500_000, 500_000, None)
    mine = rollup(desk, "ana")["nodes"][0]["views"]["commit"]
    assert (mine["code"], mine["overrides"]) == ("not_shown", [])
    assert listed(desk, "ana") == []
    assert [item["override"]["amount_minor"] for item in listed(desk, "mia")] == [450_000]


def test_a_policy_lets_those_below_see_the_managers_figure_r25(desk: Desk) -> None:
    said(desk, "mia", ANA, amount=450_000, level="manager")
    desk.office.put(("forecast_policies", "p", {"name": "P", "manager_figures": "shown"}))
    assert four(desk, ANA, "ana") == (500_000, 500_000, 500_000, 450_000)


def test_a_manager_says_the_total_of_his_team_and_the_director_says_another_r25(desk: Desk) -> None:
    said(desk, "mia", NORTH, amount=900_000)
    said(desk, "dirk", NORTH, amount=800_000, level="manager")
    assert four(desk, NORTH) == (0, 500_000, 900_000, 800_000)
    assert four(desk, "company") == (0, 500_000, 800_000, 800_000)


@pytest.mark.parametrize(
    ("as_", "node", "level", "expected"),
    [
        ("ana", ANA, "manager", (403, "override_not_direct")),  # oneself
        ("mia", ANA, "own", (403, "override_not_direct")),  # who carries it says his own
        ("dirk", ANA, "manager", (403, "override_not_direct")),  # a grandchild
        ("dirk", NORTH, "own", (403, "override_not_direct")),
        ("mia", NORTH, "manager", (403, "override_not_direct")),  # one's own team
        ("mia", "user:mia", "manager", (403, "override_not_direct")),
        ("dirk", "user:mia", "manager", (403, "override_not_direct")),  # hers is a part of her team's
        ("fay", ANA, "manager", (403, "override_not_direct")),
        ("root", NORTH, "own", (403, "override_not_direct")),
        ("ana", "user:bob", "own", (404, "not_found")),
        ("ana", NORTH, "own", (403, "override_not_direct")),  # she is in it and does not manage it
        ("mia", "user:cleo", "manager", (404, "not_found")),
        ("mia", "team:nowhere", "own", (404, "not_found")),
        ("dirk", "company", "own", (400, "request_invalid")),
        ("dirk", "territory:t-north", "own", (400, "request_invalid")),
        ("mia", NORTH, "boss", (400, "request_invalid")),
    ],
)
def test_one_says_his_own_totals_and_those_of_direct_reports_only_r25(
    desk: Desk, as_: str, node: str, level: str, expected: tuple[int, str]
) -> None:
    assert code(put(desk, as_, node, 1, level=level)) == expected
    assert desk.office.rows("forecast_overrides") == []


def test_what_cannot_be_a_figure_is_refused(desk: Desk) -> None:
    assert code(put(desk, "ana", ANA, 1, view="closed")) == (400, "request_invalid")
    assert code(put(desk, "ana", ANA, 1, period="q9")) == (422, "period_unknown")
    assert code(put(desk, "ana", ANA, 1, period="q0")) == (422, "forecast_period_over")
    assert code(put(desk, "ana", ANA, 10**16)) == (422, "field_invalid")
    assert code(put(desk, "ana", ANA, 1, currency="USD")) == (422, "field_invalid")
    assert code(desk.ask("ana", "PUT", place(ANA), json={"amount_minor": 1})) == (400, "request_invalid")
    assert code(desk.ask("ana", "DELETE", place(ANA))) == (400, "request_invalid")


# -- two at one cell --------------------------------------------------------------------------------------------------


def test_of_two_managers_at_one_cell_one_is_told_r26(desk: Desk) -> None:
    """Mia and Max manage north together; both saw no figure, and then both looked at the first."""
    desk.office.put(
        ("users", "cleo", {"role": "manager"}),
        ("team_members", "m-cleo", {"team_key": "north", "role": "manager"}),
    )
    assert put(desk, "mia", NORTH, 1).status_code == 200
    assert code(put(desk, "cleo", NORTH, 2)) == (412, "rev_stale")
    assert put(desk, "cleo", NORTH, 3, rev=1).json()["number"] == 2
    stale = put(desk, "mia", NORTH, 4, rev=1)
    assert code(stale) == (412, "rev_stale")
    assert stale.json()["rev"] == 2
    assert code(revert(desk, "mia", NORTH, 1)) == (412, "rev_stale")
    assert four(desk, NORTH)[2] == 3


# -- afterwards -------------------------------------------------------------------------------------------------------


def test_when_a_child_changes_it_is_shown_stale_with_the_delta_r26(desk: Desk) -> None:
    said(desk, "mia", NORTH, amount=900_000)
    desk.office.put(deal("d2", "bob", 7_000, "2026-02-01"))
    told = nodes(rollup(desk, "mia"))[NORTH]["views"]["commit"]
    assert (told["own_adjusted"], told["rolled_up"]) == (900_000, 507_000)
    (override,) = told["overrides"]
    assert (override["stale"], override["delta_minor"], override["based_on_minor"]) == (True, 7_000, 500_000)
    (item,) = listed(desk, "mia", node=NORTH, period="q1")
    assert item["override"] == override
    again = said(desk, "mia", NORTH, amount=950_000, rev=1)
    assert (again["based_on_minor"], again["stale"], again["number"]) == (507_000, False, 2)


def test_a_child_that_says_another_figure_makes_what_is_above_stale_r26(desk: Desk) -> None:
    said(desk, "mia", ANA, amount=450_000, level="manager")
    said(desk, "ana", ANA, amount=520_000)
    told = nodes(rollup(desk))[ANA]["views"]["commit"]["overrides"]
    assert [(o["level"], o["stale"], o["delta_minor"]) for o in told] == [
        ("own", False, None),
        ("manager", True, 20_000),
    ]


def test_a_figure_that_is_taken_back_is_in_the_history_r26(desk: Desk) -> None:
    said(desk, "ana", ANA, amount=600_000, note="first")
    said(desk, "ana", ANA, amount=700_000, rev=1)
    taken = revert(desk, "ana", ANA, 2)
    assert (taken.status_code, taken.json()["status"], taken.json()["cause"]) == (200, "reverted", "reverted")
    assert four(desk, ANA) == (500_000, 500_000, 500_000, 500_000)
    assert code(revert(desk, "ana", ANA, 3)) == (404, "not_found")
    said(desk, "ana", ANA, amount=800_000)
    (item,) = listed(desk, "ana")
    told = [(s["rev"], s["amount_minor"], s["based_on_minor"], s["status"], s["note"]) for s in item["history"]]
    assert told == [
        (1, 600_000, 500_000, "standing", "first"),
        (2, 700_000, 500_000, "standing", None),
        (3, 700_000, 500_000, "reverted", None),
        (4, 800_000, 500_000, "standing", None),
    ]
    assert {s["author_key"] for s in item["history"]} == {"ana"}


def superseded(desk: Desk, as_: str = "root") -> list[tuple[str, str]]:
    return [(item["override"]["status"], item["override"]["cause"]) for item in listed(desk, as_)]


def test_on_a_change_of_owner_it_is_superseded_with_the_cause_r26(desk: Desk) -> None:
    said(desk, "mia", NORTH, amount=900_000)
    desk.office.put(("team_members", "m-mia", {"user_key": "cleo"}), ("team_members", "m-cleo", {"user_key": "mia"}))
    assert superseded(desk) == [("superseded", "owner")]
    assert four(desk, NORTH)[2] == 500_000


def test_on_a_change_of_team_it_is_superseded_with_the_cause_r26(desk: Desk) -> None:
    said(desk, "ana", ANA)
    desk.office.put(("team_members", "m-ana", {"team_key": "south"}))
    assert superseded(desk) == [("superseded", "team")]
    assert four(desk, ANA) == (500_000, 500_000, 500_000, 500_000)


def test_on_a_change_of_the_period_it_is_superseded_with_the_cause_r26(desk: Desk) -> None:
    said(desk, "ana", ANA)
    desk.office.put(("fiscal_periods", "q1", {"end_on": "2026-04-05"}))
    assert superseded(desk) == [("superseded", "period")]


def test_what_is_superseded_is_written_down_once_and_stays_so_r26(desk: Desk) -> None:
    told = said(desk, "ana", ANA)
    said(desk, "mia", NORTH, amount=1)
    desk.office.put(("team_members", "m-ana", {"team_key": "south"}))
    now = desk.office.clock.now_ms()
    assert desk.office.database.write(overriding.supersede, now) == 1
    row = desk.office.row("forecast_overrides", told["key"])
    assert (row["status"], row["cause"], row["ended_at"]) == ("superseded", "team", now)
    assert desk.office.database.write(overriding.supersede, now + 1) == 0
    desk.office.put(("team_members", "m-ana", {"team_key": "north"}))
    assert four(desk, ANA)[2] == 500_000
    assert sorted(superseded(desk), key=str) == [("standing", None), ("superseded", "team")]
    assert said(desk, "ana", ANA)["number"] == 2


def test_a_period_that_is_deleted_takes_its_figures_out_and_not_away_r26(desk: Desk) -> None:
    said(desk, "ana", ANA)
    desk.office.delete("fiscal_periods", "q1")
    assert desk.office.database.write(overriding.supersede, desk.office.clock.now_ms()) == 1
    assert superseded(desk) == [("superseded", "period")]


def test_an_override_is_in_another_currency_at_the_rate_of_the_day_r34(desk: Desk) -> None:
    rate = {"base_currency": "EUR", "quote_currency": "USD", "rate": "1.2", "valid_from": "2026-01-01"}
    said(desk, "ana", ANA)
    told = nodes(rollup(desk, currency="USD"))[ANA]["views"]["commit"]
    assert (told["own_adjusted"], told["code"]) == (None, "rate_missing")
    desk.office.put(("rates", "r", rate))
    told = nodes(rollup(desk, currency="USD"))[ANA]["views"]["commit"]
    assert (told["rolled_up"], told["own_adjusted"]) == (600_000, 720_000)
    assert [o["stale"] for o in told["overrides"]] == [False]


def test_pages_of_overrides_follow_each_other_by_period(desk: Desk) -> None:
    said(desk, "ana", ANA)
    said(desk, "mia", NORTH)
    said(desk, "ana", ANA, period="q2")
    first = desk.get("mia", "/api/forecast/overrides?limit=2").json()
    rest = desk.get("mia", f"/api/forecast/overrides?limit=2&after={first['next']}").json()
    told = [(item["override"]["period_key"], item["override"]["key"]) for item in (*first["items"], *rest["items"])]
    assert (len(told), told, rest["next"]) == (3, sorted(told), None)
    whole = desk.get("mia", "/api/forecast/overrides").json()
    assert (len(whole["items"]), whole["next"]) == (2, first["next"])  # of one period, however long a page may be
    assert len(listed(desk, "ana", period="q2")) == 1
    assert code(desk.get("ana", "/api/forecast/overrides?node=company")) == (400, "request_invalid")


def test_nobody_writes_an_override_past_the_rules_r53(desk: Desk) -> None:
    row = {"period_key": "q1", "user_key": "ana", "view": "commit", "level": "own", "amount_minor": 1}
    answer = desk.ask("root", "POST", "/api/forecast_overrides", json={"key": "fo-x", "row": row})
    assert answer.status_code in (403, 404, 405, 422), answer.text
    assert desk.office.rows("forecast_overrides") == []


def test_a_standing_figure_of_last_quarter_does_not_count_in_the_next_r26(desk: Desk) -> None:
    said(desk, "ana", ANA)
    until(desk.office, "2026-04-02 08:00")
    desk.forget_tokens()
    assert rollup(desk, "ana", period="q2")["nodes"][0]["views"]["commit"]["own_adjusted"] == 0
