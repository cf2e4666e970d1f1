"""Customers with what belongs to them, at a screen, on both databases (R19)."""

import threading
from typing import Any

import pytest

from sfa.core.errors import Refused
from sfa.crm import families
from sfa.db.database import open_database
from tests.builders import put_rows
from tests.crm.desk import Desk
from tests.office import Office


def sums(desk: Desk, who: str, key: str, part: str = "family") -> Any:
    return desk.get(who, f"/api/accounts/{key}/rollup").json()[part]


@pytest.fixture
def group(office: Office) -> Office:
    """acme > iberia > bilbao, and acme > cadiz (in the south) > burgos (in the north)."""
    north, south = {"territory_key": "t-north"}, {"territory_key": "t-south"}
    office.put(
        ("accounts", "iberia", {"name": "Iberia", "parent_key": "acme", **north}),
        ("accounts", "bilbao", {"name": "Bilbao", "parent_key": "iberia", **north}),
        ("accounts", "cadiz", {"name": "Cadiz", "parent_key": "acme", **south}),
        ("accounts", "burgos", {"name": "Burgos", "parent_key": "cadiz", **north}),
    )
    office.put(
        ("contacts", "bea", {"account_key": "bilbao", "name": "Bea"}),
        ("contacts", "cris", {"account_key": "cadiz", "name": "Cris"}),
        *(
            ("deals", f"d-{key}", {"name": key, "owner_key": owner, "account_key": key, "stage_key": "lead", **money})
            for key, owner, money in (
                ("iberia", "ana", {"amount_minor": 10**15, "currency": "EUR"}),
                ("bilbao", "bob", {"amount_minor": -7, "currency": "EUR"}),
                ("burgos", "ana", {"amount_minor": 250, "currency": "USD"}),
                ("cadiz", "cleo", {"amount_minor": 9, "currency": "EUR"}),
            )
        ),
        ("deals", "d-blank", {"name": "?", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}),
        ("visits", "v1", {"account_key": "bilbao", "owner_key": "bob"}),
        ("visits", "v2", {"account_key": "cadiz", "owner_key": "cleo"}),
        ("visits", "v3", {"account_key": "acme", "owner_key": "ana"}),
    )
    return office


def test_a_tree_has_each_customer_that_the_caller_sees_once(group: Office, desk: Desk) -> None:
    """R19: who is passed over leaves no gap: below him comes below the one above him."""
    found = desk.get("ana", "/api/accounts/acme/tree").json()
    assert [(n["key"], n["under_key"], n["depth"]) for n in found["items"]] == [
        ("acme", None, 0),
        ("burgos", "acme", 1),  # not 2: that would say that there is somebody between
        ("iberia", "acme", 1),
        ("bilbao", "iberia", 2),
    ]
    assert (found["above"], found["more"]) == ([], False)
    everything = desk.get("dirk", "/api/accounts/acme/tree").json()
    assert [n["key"] for n in everything["items"]] == ["acme", "cadiz", "iberia", "bilbao", "burgos"]
    chain = desk.get("ana", "/api/accounts/bilbao/tree").json()["above"]
    assert [(n["key"], n["under_key"], n["depth"]) for n in chain] == [("acme", None, 2), ("iberia", "acme", 1)]
    (over,) = desk.get("ana", "/api/accounts/burgos/tree").json()["above"]
    assert (over["key"], over["depth"]) == ("acme", 1)


def test_more_says_nothing_of_customers_that_the_caller_does_not_see(
    group: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S10, R19: four are hers, and they are all in an answer of four, however many others hang between them."""
    south = {"territory_key": "t-south", "parent_key": "acme"}
    group.put(*(("accounts", f"s{n}", {"name": f"A{n}", **south}) for n in range(5)))
    monkeypatch.setattr(families, "NODES_MAX", 4)
    found = desk.get("ana", "/api/accounts/acme/tree").json()
    assert ([n["key"] for n in found["items"]], found["more"]) == (["acme", "burgos", "iberia", "bilbao"], False)
    assert desk.get("dirk", "/api/accounts/acme/tree").json()["more"] is True
    monkeypatch.setattr(families, "NODES_MAX", 3)
    assert desk.get("ana", "/api/accounts/acme/tree").json()["more"] is True


def test_sums_count_every_leaf_once_and_only_what_the_caller_sees(group: Office, desk: Desk) -> None:
    """R19, R34: currencies are not added."""
    found = sums(desk, "ana", "acme")
    assert (found["accounts"], found["contacts"], found["visits"]) == (4, 2, 2)
    assert found["open_deals"] == [
        {"currency": "EUR", "deals": 3, "amount_minor": 10**15 - 7 + 500_000},
        {"currency": "USD", "deals": 1, "amount_minor": 250},
        {"currency": None, "deals": 1, "amount_minor": 0},
    ]
    everything = sums(desk, "dirk", "acme")
    assert (everything["accounts"], everything["contacts"], everything["visits"]) == (5, 3, 3)
    own = sums(desk, "ana", "acme", "own")
    assert (own["accounts"], own["contacts"], own["visits"]) == (1, 1, 1)


def test_won_deals_and_deleted_rows_no_longer_count_and_a_check_out_does(group: Office, desk: Desk) -> None:
    ana = group.phone("ana")
    assert sums(desk, "ana", "acme")["last_visit_at"] is None
    ana.do("visit.check_in", "visits", "v3", base=1, set={})
    group.clock.advance(600_000)
    ana.do("visit.check_out", "visits", "v3", base=2, set={})
    ana.do("deal.win", "deals", "d-iberia", base=1, set={})
    group.delete("contacts", "bea")
    found = sums(desk, "ana", "acme")
    assert (found["contacts"], found["visits_completed"], found["last_visit_at"]) == (1, 1, group.clock.now_ms())
    assert found["open_deals"][0] == {"currency": "EUR", "deals": 2, "amount_minor": 499_993}


def test_who_does_not_see_the_customer_is_told_nothing(group: Office, desk: Desk) -> None:
    for what in ("tree", "rollup", "timeline"):
        assert desk.get("ana", f"/api/accounts/cadiz/{what}").json()["code"] == "not_found"
        assert desk.get("ana", f"/api/accounts/nobody/{what}").json()["code"] == "not_found"
        assert desk.get("ana", f"/api/accounts/{'x' * 80}/{what}").json()["code"] == "not_found"


def test_a_merged_key_leads_to_the_family_of_its_survivor(group: Office, desk: Desk) -> None:
    group.put(("accounts", "acme2", {"name": "Acme 2", "territory_key": "t-north"}))
    group.put(("accounts", "branch", {"name": "Branch", "territory_key": "t-north", "parent_key": "acme2"}))
    assert (
        group.phone("ana").do("account.merge", "accounts", "acme2", base=1, set={"into": "acme"}).outcome == "applied"
    )
    found = desk.get("ana", "/api/accounts/acme2/tree").json()
    assert found["key"] == "acme"
    assert "branch" in [node["key"] for node in found["items"]]


def test_a_circle_is_refused(group: Office, desk: Desk) -> None:
    """R19."""
    receipt = group.phone("ana").edit("accounts", "acme", parent_key="bilbao")
    assert (receipt.outcome, receipt.code) == ("refused", "hierarchy_cycle")
    assert group.phone("ana").edit("accounts", "iberia", parent_key="iberia").code == "hierarchy_cycle"


def test_two_moves_that_are_fine_alone_and_a_circle_together_do_not_both_land(office: Office) -> None:
    """R19: a > b stands, c > d stands; b > c and d > a at the same moment."""
    for key, parent in (("b", None), ("a", "b"), ("d", None), ("c", "d")):
        office.put(("accounts", key, {"name": key, "territory_key": "t-north", "parent_key": parent}))
    first, second = (open_database(office.database.url, durable=False) for _ in range(2))
    holding, go_on = threading.Event(), threading.Event()

    def pause(boundary: str) -> None:
        if boundary == "before_commit":
            holding.set()
            assert go_on.wait(20)

    first.probe = pause
    outcomes: list[str] = []

    def move(database: Any, key: str, parent: str) -> None:
        try:
            database.write(put_rows, [("accounts", key, {"parent_key": parent})])
            outcomes.append("landed")
        except Refused as refused:
            outcomes.append(refused.code)

    one = threading.Thread(target=move, args=(first, "b", "c"))
    other = threading.Thread(target=move, args=(second, "d", "a"))
    one.start()
    assert holding.wait(20)
    other.start()
    other.join(0.5)
    assert other.is_alive(), "the second one waits for the first"
    go_on.set()
    one.join(20)
    other.join(20)
    first.close()
    second.close()
    assert outcomes == ["landed", "hierarchy_cycle"]


def test_a_circle_of_older_data_ends_and_counts_each_customer_once(group: Office, desk: Desk) -> None:
    from sqlalchemy import update

    from sfa.db.tables import ROWS

    table = ROWS["accounts"]
    group.database.write(lambda c: c.execute(update(table).where(table.c.key == "acme").values(parent_key="bilbao")))
    found = desk.get("ana", "/api/accounts/acme/tree").json()
    assert sorted(node["key"] for node in found["items"]) == ["acme", "bilbao", "burgos", "iberia"]
    assert sums(desk, "ana", "acme")["accounts"] == 4
