"""What other rows forbid: two quotas of one kind, two teams on one day; online, offline and at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.crm.beside import first_shared_day
from tests.crm.desk import Desk
from tests.office import Office
from tests.quotas.conftest import ANAS

pytestmark = pytest.mark.usefixtures("planned")

days = st.sampled_from([f"2026-01-{day:02}" for day in range(1, 29)])


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    start, end = draw(days), draw(st.none() | days.filter(lambda day: day > "2026-01-01"))
    return {"valid_from": start, "valid_to": end if end is None or end > start else None}


@given(spans(), spans())
def test_the_first_shared_day_is_the_first_of_the_days_of_both(one: dict[str, Any], other: dict[str, Any]) -> None:
    """R18."""
    both = [
        day
        for day in (f"2026-01-{day:02}" for day in range(1, 32))
        if all(r["valid_from"] <= day and (r["valid_to"] is None or day < r["valid_to"]) for r in (one, other))
    ]
    assert first_shared_day(one, other) == first_shared_day(other, one) == (both[0] if both else None)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "quota_twice"),
        ({"target": 5, "currency": "USD", "counts_no_show": True}, "quota_twice"),
        ({"user_key": "bob"}, None),
        ({"period_key": "FY2026.Q1"}, None),
        ({"measure": "margin"}, None),
        ({"overlay": True}, None),
        ({"measure": "quantity", "currency": None, "unit": "piece"}, None),
        ({"user_key": None}, "quota_owner_invalid"),
        ({"team_key": "north"}, "quota_owner_invalid"),
        ({"currency": None}, "invariant_failed"),
        ({"measure": "quantity", "currency": None}, None),
        ({"measure": "margin", "unit": "piece"}, "invariant_failed"),
        ({"unit": "piece"}, "invariant_failed"),
        ({"account_tier": "A"}, "invariant_failed"),
        ({"period_key": "FY2027"}, "reference_unknown"),
    ],
)
def test_a_quota_is_one_of_its_kind_and_says_what_it_measures(
    planned: Office, desk: Desk, changed: dict[str, Any], code: str | None
) -> None:
    """R11: the same for a phone and a screen."""
    row = {**ANAS, **changed}
    told = desk.post("mia", "/api/quotas", json={"key": "q-2", "row": row})
    assert (told.status_code, told.json().get("code")) == ((422, code) if code else (201, None)), told.json()
    if code is None:
        planned.phone("mia").do("delete", "quotas", "q-2", base=1)
    assert planned.phone("mia").do("create", "quotas", "q-3", set=row).code == code


def test_a_quota_does_not_become_the_twin_of_another(planned: Office) -> None:
    planned.put(("quotas", "q-bob", {**ANAS, "user_key": "bob"}))
    receipt = planned.phone("mia").edit("quotas", "q-bob", user_key="ana")
    assert (receipt.code, receipt.details) == ("quota_twice", {"key": "q-ana"})
    assert planned.phone("mia").do("delete", "quotas", "q-ana", base=1).outcome == "applied"
    assert planned.phone("mia").edit("quotas", "q-bob", user_key="ana").outcome == "applied"
    assert planned.phone("mia").edit("quotas", "q-ana", target=7).code == "quota_twice", "nor come back as one"


def test_two_quotas_in_one_push_are_seen(planned: Office) -> None:
    phone = planned.phone("mia")
    row = {**ANAS, "user_key": "bob"}
    answer = phone.push(*(phone.mutation("create", "quotas", key, set=row) for key in ("q-1", "q-2")))
    assert [receipt.code for receipt in answer.receipts] == [None, "quota_twice"]


def test_of_two_servers_that_make_the_same_quota_one_is_refused(planned: Office) -> None:
    """PostgreSQL: neither sees the other's row before it commits."""
    row = {**ANAS, "user_key": "bob"}

    def make(number: int) -> str:
        user = ("mia", "dirk", "fay", "root")[number]
        return str(planned.phone(user).do("create", "quotas", f"q-{number}", set=row).code)

    with ThreadPoolExecutor(4) as pool:
        codes = sorted(pool.map(make, range(4)))
    assert codes == ["None", "quota_twice", "quota_twice", "quota_twice"]


MEMBER = {"team_key": "south", "user_key": "ana"}


@pytest.mark.parametrize(
    ("values", "on"),
    [
        ({"valid_from": "2026-02-01"}, "2026-02-01"),
        ({"valid_from": "2024-01-01"}, "2025-01-01"),
        ({"valid_from": "2024-01-01", "valid_to": "2025-01-01"}, None),
        ({"valid_from": "2026-02-01", "role": "manager"}, None),
        ({"valid_from": "2026-02-01", "team_key": "north"}, "2026-02-01"),
    ],
)
def test_nobody_is_a_member_of_two_teams_on_one_day(office: Office, values: dict[str, Any], on: str | None) -> None:
    """R18: by sync, with the first day."""
    receipt = office.phone("root").do("create", "team_members", "m-2", set={**MEMBER, **values})
    if on is None:
        assert receipt.outcome == "applied", receipt
    else:
        assert (receipt.code, receipt.details) == ("membership_overlap", {"on": on, "key": "m-ana", "team": "north"})


def test_who_moves_on_day_forty_leaves_the_one_team_as_he_joins_the_other(planned: Office, desk: Desk) -> None:
    """R18: by REST; the other way round there is no day for both."""
    body = {"key": "m-2", "row": {**MEMBER, "valid_from": "2026-02-10"}}
    assert desk.post("root", "/api/team_members", json=body).json()["code"] == "membership_overlap"
    ended = desk.ask("root", "PATCH", "/api/team_members/m-ana", json={"row": {"valid_to": "2026-02-10"}})
    assert ended.status_code == 200, ended.json()
    assert desk.post("root", "/api/team_members", json=body).status_code == 201
    again = desk.ask("root", "PATCH", "/api/team_members/m-ana", json={"row": {"valid_to": None}})
    assert (again.json()["code"], again.json()["on"]) == ("membership_overlap", "2026-02-10")


def test_of_two_servers_that_put_one_person_into_two_teams_one_is_refused(office: Office) -> None:
    """R18 on PostgreSQL: each is fine alone."""
    office.put(("users", "eve", {"name": "Eve", "email": "eve@example.com", "role": "rep"}))

    def join(number: int) -> str:
        user, team = (("root", "north"), ("dirk", "south"))[number]
        row = {"user_key": "eve", "team_key": team, "valid_from": "2026-01-01"}
        return str(office.phone(user).do("create", "team_members", f"m-{number}", set=row).code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(join, range(2))) == ["None", "membership_overlap"]


def test_a_quota_in_the_way_is_named_only_to_who_sees_it(planned: Office) -> None:
    """S13: whose quotas a manager does not see tell nothing of themselves, neither key nor that they are there."""
    planned.put(("quotas", "q-dirk", {**ANAS, "user_key": "dirk"}))
    mia = planned.phone("mia")
    told = [
        mia.do("create", "quotas", "q-1", set={**ANAS, "user_key": "dirk"}),
        mia.do("create", "quotas", "q-2", set={**ANAS, "user_key": "dirk", "measure": "margin"}),
        mia.edit("quotas", "q-ana", base=1, user_key="dirk"),
    ]
    assert [(receipt.code, receipt.details) for receipt in told] == [("out_of_scope", None)] * 3
    assert planned.phone("fay").do("create", "quotas", "q-3", set={**ANAS, "user_key": "dirk"}).details == {
        "key": "q-dirk"
    }


def test_a_quantity_of_neither_unit_nor_product_counts_pieces(planned: Office, desk: Desk) -> None:
    """R11: a device that knows neither field sets quotas of quantities as before."""
    quantity = {**ANAS, "measure": "quantity", "currency": None, "target": 5_000_000}
    mia = planned.phone("mia")
    mia.contract = 1
    assert mia.do("create", "quotas", "q-1", set=quantity).outcome == "applied"
    assert planned.row("quotas", "q-1")["unit"] == "piece"
    assert mia.edit("quotas", "q-1", target=7_000_000).outcome == "applied"
    assert mia.edit("quotas", "q-1", measure="total_contacts").outcome == "applied"
    assert planned.row("quotas", "q-1")["unit"] is None
    assert mia.edit("quotas", "q-1", measure="quantity").outcome == "applied"
    assert planned.row("quotas", "q-1")["unit"] == "piece"
    told = desk.post("mia", "/api/quotas", json={"key": "q-2", "row": {**quantity, "period_key": "FY2026.Q1"}})
    assert (told.status_code, planned.row("quotas", "q-2")["unit"]) == (201, "piece")
