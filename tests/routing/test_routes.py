"""`/api/route` at a screen, on both databases."""

from typing import Any

import pytest

from tests.builders import NOW
from tests.crm.desk import Desk
from tests.office import Office

DAY = "2026-01-05"
HOUR_MS = 3_600_000


def plan(office: Office, key: str, account: str, hour: float, owner: str = "ana", **more: Any) -> None:
    at = NOW + round(hour * HOUR_MS)  # NOW is nine o'clock of the day in Madrid
    office.put(("visits", key, {"account_key": account, "owner_key": owner, "planned_at": at, **more}))


@pytest.fixture
def town(office: Office) -> Office:
    """Three customers on a line, the middle one planned last, and one that nobody can find."""
    for i, key in enumerate(("west", "middle", "east")):
        place = {"latitude": 43.26, "longitude": -3.0 + i / 10}
        office.put(("accounts", key, {"name": key, "territory_key": "t-north", "tier": "B", **place}))
    for key, hour in (("west", 1.0), ("east", 1.5), ("middle", 2.0), ("acme", 3)):
        plan(office, f"v-{key}", key, hour)
    return office


def test_a_reps_day_in_its_best_order(town: Office, desk: Desk) -> None:
    found = desk.get("ana", f"/api/route?on={DAY}&start=43.26,-3.05&end=43.26,-2.75").json()
    assert [stop["key"] for stop in found["stops"]] == ["v-west", "v-middle", "v-east"]
    assert [(left["key"], left["reason"]) for left in found["left_out"]] == [("v-acme", "no_coordinates")]
    assert found["metres"] < 32_000, "nobody goes back on the way"
    strict = desk.get("ana", f"/api/route?on={DAY}&flexible_minutes=0").json()
    assert [stop["begin_at"] - NOW for stop in strict["stops"]] == [HOUR_MS, 2 * HOUR_MS], "fixed times are kept"
    assert [left["reason"] for left in strict["left_out"]] == ["no_coordinates", "no_room"]


def test_visits_of_other_days_of_others_and_done_ones_are_not_on_it(town: Office, desk: Desk) -> None:
    plan(town, "v-bob", "west", 2, owner="bob")
    plan(town, "v-later", "west", 24)
    plan(town, "v-done", "west", 4)
    town.phone("ana").do("visit.check_in", "visits", "v-done", base=1, set={})
    town.delete("visits", "v-middle")
    found = desk.get("ana", f"/api/route?on={DAY}").json()
    assert sorted(stop["key"] for stop in found["stops"]) == ["v-east", "v-west"]


def test_a_manager_sees_the_day_of_his_people_and_others_do_not(town: Office, desk: Desk) -> None:
    found = desk.get("mia", f"/api/route?on={DAY}&user=ana")
    assert (found.status_code, len(found.json()["stops"])) == (200, 3)
    for who, whom in (("bob", "ana"), ("cleo", "ana"), ("mia", "cleo"), ("ana", "nobody")):
        assert desk.get(who, f"/api/route?on={DAY}&user={whom}").json()["code"] == "not_found"


def test_a_visit_to_a_customer_that_the_rep_lost_is_not_told(town: Office, desk: Desk) -> None:
    town.put(("accounts", "west", {"territory_key": "t-south"}))
    found = desk.get("ana", f"/api/route?on={DAY}").json()
    assert sorted(stop["key"] for stop in found["stops"]) == ["v-east", "v-middle"]


def test_where_a_customer_is_that_the_caller_does_not_see_is_not_told(town: Office, desk: Desk) -> None:
    """S10: a visit that somebody went along to is seen, its customer is not."""
    town.put(("accounts", "west", {"territory_key": "t-south"}), ("visits", "v-west", {"participants": ["ana"]}))
    found = desk.get("ana", f"/api/route?on={DAY}").json()
    assert sorted(stop["key"] for stop in found["stops"]) == ["v-east", "v-middle"]
    reasons = {left["key"]: left["reason"] for left in found["left_out"]}
    assert reasons == {"v-acme": "no_coordinates", "v-west": "no_coordinates"}


def test_a_day_without_visits_is_an_empty_route(office: Office, desk: Desk) -> None:
    found = desk.get("ana", f"/api/route?on={DAY}").json()
    assert (found["stops"], found["left_out"], found["depart_at"], found["minutes"]) == ([], [], None, 0)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "request_invalid"),
        ("on=tomorrow", "field_invalid"),
        (f"on={DAY}&from=9", "request_invalid"),
        (f"on={DAY}&from=12:00&to=11:00", "request_invalid"),
        (f"on={DAY}&start=here", "request_invalid"),
        (f"on={DAY}&flexible_minutes=-1", "request_invalid"),
        ("on=9999-12-31", "period_unknown"),
    ],
)
def test_what_is_no_day_is_refused(office: Office, desk: Desk, query: str, code: str) -> None:
    answer = desk.get("ana", f"/api/route?{query}")
    assert (answer.status_code < 500, answer.json()["code"]) == (True, code)


def test_more_visits_than_the_limit_are_refused(office: Office, desk: Desk) -> None:
    office.put(
        *(("visits", f"v{i}", {"account_key": "acme", "owner_key": "ana", "planned_at": NOW + i}) for i in range(41))
    )
    assert desk.get("ana", f"/api/route?on={DAY}").json()["code"] == "route_too_large"


def test_given_stops_by_a_given_matrix(office: Office, desk: Desk) -> None:
    body = {
        "hours": {"from_at": NOW, "to_at": NOW + 8 * HOUR_MS, "start": {}, "end": {}},
        "stops": [{"key": "a", "service_minutes": 10}, {"key": "b", "fixed_at": NOW + HOUR_MS, "service_minutes": 10}],
        "matrix": {"seconds": [[0, 600, 600, 0], [600, 0, 60, 600], [600, 60, 0, 600], [0, 600, 600, 0]]},
    }
    found = desk.post("ana", "/api/route", json=body).json()
    assert [stop["key"] for stop in found["stops"]] == ["a", "b"]
    assert (found["minutes"], found["drive_minutes"], found["wait_minutes"]) == (41, 21, 0)
    body["stops"] = [{"key": str(i)} for i in range(41)]
    assert desk.post("ana", "/api/route", json=body).status_code == 400
    assert desk.client.post("/api/route", json=body).status_code == 401
