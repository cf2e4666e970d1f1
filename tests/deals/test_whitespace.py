"""What similar customers buy and this one does not: equal to a recount, in scope, bounded, and told why."""

import itertools
from collections.abc import Mapping
from random import Random
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfa.deals import whitespace
from sfa.deals.whitespace import BY, SIZES, attempts, size_of
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.deals.conftest import stated
from tests.office import Office

FOOD = {"industry": "food", "tier": "A", "employees": 60, "territory_key": "t-north"}
PRODUCTS = ("pump", "valve", "hose", "seal")


def company(office: Office, peers: int, **values: Any) -> list[str]:
    office.put(*(("products", key, {"name": key.title(), "family": key[0].upper()}) for key in PRODUCTS))
    office.put(("accounts", "acme", FOOD))
    names = [f"peer-{n}" for n in range(peers)]
    office.put(*(("accounts", name, {"name": name, **FOOD, **values}) for name in names))
    return names


def sold(office: Office, key: str, account: str, product: str, minor: int = 100, **values: Any) -> None:
    won = {"stage_key": "won", "closed_at": NOW - DAY_MS, "currency": "EUR", "amount_minor": minor}
    made = {"name": key, "owner_key": "ana", "account_key": account, **won, **values}
    line = {"deal_key": key, "product_key": product, "unit_price_minor": minor}
    stated(office, ("deals", key, made), ("deal_lines", f"l-{key}", line))


def told(desk: Desk, query: str = "", user: str = "ana") -> Mapping[str, Any]:
    answer = desk.get(user, f"/api/accounts/acme/whitespace{query}")
    assert answer.status_code == 200, answer.text
    found: Mapping[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("of", ["product", "family"])
def test_gaps_and_their_numbers_equal_a_recount(office: Office, desk: Desk, of: str) -> None:
    """R34: shares of the peers, medians of the buyers, each currency by itself."""
    rng = Random(3)
    peers = company(office, 7)
    bought: dict[str, dict[str, dict[str, int]]] = {}
    for n in range(40):
        account, product = rng.choice([*peers, "acme"] if n % 8 == 0 else peers), rng.choice(PRODUCTS[:3])
        currency, minor = rng.choice(("EUR", "USD")), rng.randrange(1, 10_000)
        sold(office, f"s{n}", account, product, minor, currency=currency)
        what = product if of == "product" else product[0].upper()
        paid = bought.setdefault(what, {}).setdefault(account, {})
        paid[currency] = paid.get(currency, 0) + minor
    found = told(desk, f"?of={of}")
    assert (found["peers"], found["by"], found["reason"]) == (7, ["industry", "tier", "size"], None)
    gaps = {what: buyers for what, buyers in bought.items() if "acme" not in buyers}
    name = "product_key" if of == "product" else "family"
    assert {item[name]: item["buyers"] for item in found["items"]} == {w: len(b) for w, b in gaps.items()}
    assert [item["buyers"] for item in found["items"]] == sorted((len(b) for b in gaps.values()), reverse=True)
    for item in found["items"]:
        buyers = gaps[item[name]]
        assert item["share_bp"] == round(len(buyers) * 10_000 / 7)
        for spent in item["spent"]:
            paid_in = [paid[spent["currency"]] for paid in buyers.values() if spent["currency"] in paid]
            assert spent["buyers"] == len(paid_in)
            assert abs(spent["median_minor"] - median(paid_in)) <= 0.5


def test_only_what_the_caller_sees_counts(office: Office, desk: Desk) -> None:
    """S13, R30: customers, deals and products of another region are not told, not even as numbers."""
    peers = company(office, 5)
    south = [f"south-{n}" for n in range(9)]
    office.put(*(("accounts", name, {"name": name, **FOOD, "territory_key": "t-south"}) for name in south))
    for name in south:
        sold(office, f"d-{name}", name, "seal", owner_key="cleo")
    sold(office, "mine", peers[0], "valve")
    sold(office, "open", peers[1], "hose", stage_key="lead", closed_at=None)
    sold(office, "lost", peers[1], "hose", stage_key="lost", lost_reason="price")
    sold(office, "long-ago", peers[1], "hose", closed_at=NOW - 900 * DAY_MS)
    found = told(desk)
    assert (found["peers"], [(i["product_key"], i["buyers"]) for i in found["items"]]) == (5, [("valve", 1)])
    assert (told(desk, user="dirk")["peers"], told(desk, user="dirk")["items"][0]["buyers"]) == (14, 9)
    assert [i["product_key"] for i in told(desk, "?days=1000")["items"]] == ["hose", "valve"]
    assert desk.get("cleo", "/api/accounts/acme/whitespace").status_code == 404


def test_too_few_peers_are_said_and_traits_given_up_one_by_one(office: Office, desk: Desk) -> None:
    """R30: a comparison with four says that it is none."""
    company(office, 4)
    few = told(desk)
    assert (few["reason"], few["peers"], few["items"], few["by"]) == ("too_few_peers", 4, [], ["industry"])
    office.put(*(("accounts", f"small-{n}", {"name": "S", **FOOD, "employees": 3}) for n in range(3)))
    wider = told(desk)
    assert (wider["reason"], wider["peers"], wider["by"]) == (None, 7, ["industry", "tier"])
    assert wider["like"] == {"industry": "food", "tier": "A"}
    assert told(desk, "?by=size,industry")["reason"] == "too_few_peers"
    office.put(("accounts", "acme", {"industry": None, "tier": None, "employees": None}))
    assert (told(desk)["reason"], told(desk)["by"]) == ("too_few_peers", [])
    assert desk.get("ana", "/api/accounts/acme/whitespace?by=tier").json()["code"] == "request_invalid"


def test_what_the_customer_says_of_a_product_stands_beside_the_gap(office: Office, desk: Desk) -> None:
    peers = company(office, 5)
    for n, product in enumerate(("valve", "hose")):
        sold(office, f"s{n}", peers[n], product)
    need = {"account_key": "acme", "product_key": "hose", "kind": "non_need"}
    office.put(("customer_needs", "n1", need))
    office.put(("customer_needs", "n2", {**need, "product_key": "valve", "kind": "need", "valid_to": "2026-01-05"}))
    assert {i["product_key"]: i["said"] for i in told(desk)["items"]} == {"valve": None, "hose": "non_need"}


def test_the_numbers_are_bounded_and_say_so(office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    peers = company(office, 8)
    for n, name in enumerate(peers):
        sold(office, f"s{n}", name, PRODUCTS[1 + n % 2])
    monkeypatch.setattr(whitespace, "PEERS_MAX", 6)
    monkeypatch.setattr(whitespace, "LINES_MAX", 5)
    found = told(desk)
    assert (found["peers"], found["more_peers"], found["partial"]) == (6, True, True)
    assert sum(item["buyers"] for item in found["items"]) == 5
    monkeypatch.setattr(whitespace, "WINDOW", 3)
    assert told(desk)["reason"] == "too_few_peers"


@pytest.mark.parametrize("query", ["by=mood", "by=tier,tier", "of=colour", "days=0", "limit=0", "limit=201"])
def test_a_comparison_asked_for_otherwise_is_refused(desk: Desk, query: str) -> None:
    assert desk.get("ana", f"/api/accounts/acme/whitespace?{query}").json()["code"] == "request_invalid"


@given(st.integers(0, 10**7))
def test_every_number_of_employees_lies_in_one_band(employees: int) -> None:
    bands = [band for band in SIZES if band[0] <= employees and (band[1] is None or employees <= band[1])]
    assert bands == ([size_of(employees)] if employees else [])


@given(st.sets(st.sampled_from(BY)))
def test_each_attempt_gives_up_one_trait_of_the_one_before(known: set[str]) -> None:
    found = attempts(known, None)
    assert [len(by) for by in found] == list(range(len(known), 0, -1))
    assert all(set(after) < set(before) for before, after in itertools.pairwise(found))
