"""Movement between two snapshots at a screen: complete for every node, the same bytes again, and told in part (R28)."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from forecasting import moving
from forecasting.answers import Fact
from forecasting.bridging import bridged
from forecasting.movement import Bridge
from forecasting.moving import Asked, MovedPage, Movement
from forecasting.spots import EVERYTHING
from sfa.core.errors import Refused
from sfa.core.forecast import BUCKETS
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk, opened
from tests.forecasting.selling import DOLLARS, OFFER, Q1, Q2, basis, order, shares, take
from tests.office import Office

PEOPLE = ("ana", "bob", "cleo", "mia")
NODES = ("company", "team:all-sales", "team:north", "team:south", *(f"user:{user}" for user in PEOPLE))
OTHERS = ("territory:t-north", "territory:t-south", "territory:", "product:pump", "product:")


def bridge(office: Office, was: int, now: int, node: str = "company", period: str = Q1, user: str = "root") -> Movement:
    """Between the days so many after the first."""
    return office.database.read(moving.movement, user, asked(was, now, node, period))


def asked(was: int, now: int, node: str = "company", period: str = Q1) -> Asked:
    def day(n: int) -> str:
        return f"2026-01-{5 + n:02}" if n < 27 else f"2026-02-{n - 26:02}"

    return Asked(period=period, node=node, since=day(was), to=day(now))


def bars(found: Movement) -> dict[str, dict[str, int]]:
    return {bar.name: bar.amounts for bar in found.classes if bar.deals}


def deals(office: Office, was: int, now: int, node: str = "company", **more: Any) -> MovedPage:
    args = {"into": None, "after": None, "limit": 100, **more}
    return office.database.read(moving.moved_deals, "root", asked(was, now, node), **args)


def test_a_week_of_the_company_class_by_class_r28(selling: Office) -> None:
    take(selling)
    order(selling, "deal.win", "deal-a")
    selling.put(
        ("deals", "deal-b", {"amount_minor": 120_000}),
        ("deals", "deal-c", {"close_on": "2026-04-20"}),
        ("deals", "deal-d", {"name": "Tanks", **OFFER, "amount_minor": 1_000, "currency": "EUR"}),
    )
    take(selling, 7)
    found = bridge(selling, 0, 7)
    assert found.opening.amounts == {"pipeline": 615_000}
    assert bars(found) == {
        "won": {"closed": 500_000, "pipeline": -500_000},
        "new": {"pipeline": 1_000},
        "pushed_out": {"pipeline": -15_000},
        "up": {"pipeline": 20_000},
    }
    assert found.closing.amounts == {"closed": 500_000, "pipeline": 121_000}
    assert (found.since.number, found.to.number, found.partial) == (1, 2, False)
    later = bridge(selling, 0, 7, period=Q2)
    assert bars(later) == {"pulled_in": {"pipeline": 15_000}}
    assert [(d.deal_key, d.into, d.was, d.now, d.total_minor) for d in deals(selling, 0, 7).items] == [
        ("deal-a", "won", "pipeline", "closed", 0),
        ("deal-d", "new", None, "pipeline", 1_000),
        ("deal-c", "pushed_out", "pipeline", None, -15_000),
        ("deal-b", "up", "pipeline", "pipeline", 20_000),
    ]
    assert [d.name for d in deals(selling, 0, 7, into="up").items] == ["Valves"]


def test_who_takes_a_deal_over_has_it_transferred_in_and_the_company_nothing_r28(selling: Office) -> None:
    take(selling)
    selling.put(
        ("deals", "deal-c", {"owner_key": "cleo"}),
        ("deals", "deal-b", {"splits": shares(bob=5_000, cleo=5_000)}),
        ("team_members", "m-ana", {"valid_to": "2026-01-07"}),
        ("team_members", "m-ana2", {"team_key": "south", "user_key": "ana", "valid_from": "2026-01-07"}),
    )
    take(selling, 7)
    assert bars(bridge(selling, 0, 7)) == {}
    assert bars(bridge(selling, 0, 7, "user:bob")) == {"transferred_out": {"pipeline": -25_000}}
    assert bars(bridge(selling, 0, 7, "user:cleo")) == {"transferred_in": {"pipeline": 25_000}}
    assert bars(bridge(selling, 0, 7, "team:north")) == {"transferred_out": {"pipeline": -525_000}}
    assert bars(bridge(selling, 0, 7, "team:south")) == {"transferred_in": {"pipeline": 525_000}}
    assert bars(bridge(selling, 0, 7, "user:ana")) == {}


def test_a_deal_whose_day_is_over_slips_and_out_of_an_ended_period_into_the_running_one_r22(selling: Office) -> None:
    selling.put(
        ("deals", "deal-a", {"close_on": "2026-01-06"}),
        (
            "fiscal_periods",
            "jan",
            {"name": "January", "kind": "month", "start_on": "2026-01-01", "end_on": "2026-02-01"},
        ),
        (
            "fiscal_periods",
            "feb",
            {"name": "February", "kind": "month", "start_on": "2026-02-01", "end_on": "2026-03-01"},
        ),
    )
    for day in (0, 7, 28):
        take(selling, day)
    assert bars(bridge(selling, 0, 7, period="jan")) == {"category": {"pipeline": -500_000, "slipped": 500_000}}
    assert bars(bridge(selling, 7, 28, period="jan")) == {"pushed_out": {"slipped": -500_000}}
    assert bars(bridge(selling, 7, 28, period="feb")) == {"pulled_in": {"slipped": 500_000}}


def test_other_rates_move_no_deal_and_are_one_bar_r28(selling: Office) -> None:
    """Both ends are at the rates of the first day; a credit is at that of its own."""
    take(selling)
    selling.put(("rates", "usd2", {**DOLLARS, "rate": "0.6", "valid_from": "2026-01-07"}))
    take(selling, 7)
    found = bridge(selling, 0, 7)
    assert (bars(found), found.unchanged) == ({}, 3)
    assert found.rates.amounts == {"pipeline": 3_000}
    assert found.closing.total_minor == found.opening.total_minor + 3_000
    order(selling, "deal.win", "deal-c", day=8)
    take(selling, 9)
    won = bridge(selling, 0, 9)
    assert bars(won) == {"won": {"closed": 18_000, "pipeline": -15_000}}
    selling.put(("rates", "usd2", {"rate": "0.7"}))  # corrected afterwards: a listed restatement (R34)
    take(selling, 10)
    restated = bridge(selling, 9, 10)
    assert (bars(restated), restated.rates.amounts) == ({}, {"closed": 3_000})


def test_a_win_that_is_taken_back_and_won_again_moves_each_time_r21(selling: Office) -> None:
    take(selling)
    order(selling, "deal.win", "deal-a", day=1)
    take(selling, 2)
    order(selling, "deal.reopen", "deal-a", day=3, stage_key="offer")
    take(selling, 4)
    order(selling, "deal.lose", "deal-a", day=5, reason="price")
    take(selling, 6)
    assert bars(bridge(selling, 0, 2)) == {"won": {"closed": 500_000, "pipeline": -500_000}}
    assert bars(bridge(selling, 2, 4)) == {"category": {"closed": -500_000, "pipeline": 500_000}}
    assert bars(bridge(selling, 4, 6)) == {"lost": {"pipeline": -500_000}}
    assert bars(bridge(selling, 0, 6)) == {"lost": {"pipeline": -500_000}}
    order(selling, "deal.reopen", "deal-a", day=7, stage_key="offer")
    take(selling, 8)
    selling.delete("deals", "deal-a")
    take(selling, 9)
    assert bars(bridge(selling, 6, 8)) == {"new": {"pipeline": 500_000}}
    assert bars(bridge(selling, 8, 9)) == {"removed": {"pipeline": -500_000}}


# -- any history ------------------------------------------------------------------------------------------------------


def some_day(choice: random.Random, office: Office, day: int) -> None:
    """A few things happen."""
    office.clock.advance(max(0, NOW + day * DAY_MS - office.clock.now_ms()))
    made = [row["key"] for row in office.rows("deals") if not row["gone"]]
    for n in range(choice.randint(1, 4)):
        key = choice.choice(made)
        row = office.row("deals", key)
        is_open = row["closed_at"] is None
        match choice.randint(0, 9):
            case 0:
                values: dict[str, Any] = {"name": f"D{day}.{n}", **OFFER, "owner_key": choice.choice(PEOPLE)}
                values |= {"amount_minor": choice.randint(1, 10**6), "currency": choice.choice(["EUR", "USD"])}
                office.put(
                    ("deals", f"new-{day}-{n}", {**values, "account_key": choice.choice(["acme", "zeta", None])})
                )
            case 1 if is_open:
                order(office, "deal.win", key, day=day)
            case 2 if is_open:
                order(office, "deal.lose", key, day=day, reason="price")
            case 3 if not is_open:
                order(office, "deal.reopen", key, day=day, stage_key="lead")
            case 4 if is_open:
                office.put(
                    ("deals", key, {"amount_minor": choice.randint(0, 10**6), "currency": row["currency"] or "EUR"})
                )
            case 5 if is_open:
                office.put(("deals", key, {"close_on": f"2026-0{choice.randint(1, 5)}-1{choice.randint(0, 9)}"}))
            case 6 if is_open:
                judged = choice.choice(["commit", "likely", "best_case", "omitted", None])
                office.put(("deals", key, {"category": judged}))
            case 7 if is_open:
                owner, partner = choice.sample(PEOPLE[:3], 2)
                office.put(("deals", key, {"owner_key": owner, "splits": shares(**{owner: 7_000, partner: 3_000})}))
            case 8:
                office.put(
                    (
                        "rates",
                        f"r{day}",
                        {**DOLLARS, "rate": f"0.{choice.randint(3, 9)}", "valid_from": f"2026-01-{5 + day:02}"},
                    )
                )
            case 9:
                office.put(("deals", key, {"account_key": choice.choice(["acme", "zeta"])}))


def sums(facts: Iterable[Fact], node: str) -> Counter[str]:
    """By bucket, off the facts that a roll-up is made of."""
    found = Counter[str]()
    for fact in facts:
        kind, _, _ = node.partition(":")
        path = fact.territory if kind == "territory" else (*fact.place.path, f"user:{fact.user_key}")
        if not fact.overlay and (kind == "company" or node in path):
            found[fact.bucket] += fact.amount_minor or 0
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_every_bridge_of_any_history_balances_with_what_was_frozen_r28(selling: Office, seed: int) -> None:
    choice, days = random.Random(seed), 8
    for day in range(days):
        some_day(choice, selling, day)
        take(selling, day)
    pairs = [*((was, was + 1) for was in range(days - 1)), (0, days - 1), (2, 6)]
    moved = 0
    for was, now in pairs:
        by_node = bridges(selling, was, now)
        facts = {n: basis(selling, n).facts for n in (was + 1, now + 1)}
        for node, found in by_node.items():
            if not node.startswith("product"):
                opening, closing = sums(facts[was + 1], node), sums(facts[now + 1], node)
                for bucket in BUCKETS:
                    assert found.opening.amounts.get(bucket, 0) == opening[bucket], (node, bucket)
                    assert found.closing.amounts.get(bucket, 0) == closing[bucket], (node, bucket)
            parts = [found.opening, *found.classes, found.rates]
            for bucket in BUCKETS:
                assert sum(p.amounts.get(bucket, 0) for p in parts) == found.closing.amounts.get(bucket, 0)
            assert sum(p.total_minor for p in parts) == found.closing.total_minor
            moved += sum(bar.deals for bar in found.classes)
        for many in (PEOPLE_NODES, PRODUCT_NODES, PLACE_NODES):
            for end in ("opening", "closing", "rates"):
                whole = getattr(by_node["company"], end).total_minor
                assert sum(getattr(by_node[n], end).total_minor for n in many if n in by_node) == whole, (many, end)
        assert not any(bar.deals for bar in by_node["company"].classes if bar.name.startswith("transferred"))
    assert moved > 20


PEOPLE_NODES = tuple(f"user:{user}" for user in (*PEOPLE, "dirk"))
PRODUCT_NODES, PLACE_NODES = OTHERS[3:], OTHERS[:3]


def bridges(office: Office, was: int, now: int) -> dict[str, Bridge]:
    """Of every node in which there is something."""

    def work(connection: Connection) -> dict[str, Bridge]:
        ends, found = moving.compared(connection, asked(was, now)), {}
        for node in dict.fromkeys((*NODES, *OTHERS, *PEOPLE_NODES)):
            with suppress(Refused):
                found[node] = bridged(connection, ends, node, EVERYTHING).bridge
        return found

    return office.database.read(work)


# -- at a screen ------------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(selling: Office) -> Iterator[Desk]:
    take(selling)
    selling.put(("deals", "deal-b", {"amount_minor": 120_000}), ("deals", "deal-a", {"amount_minor": 400_000}))
    take(selling, 7)
    with opened(selling) as found:
        yield found


PATH = f"/api/forecast/movement?period={Q1}&from=2026-01-05&to=2026-01-12"


def test_everybody_is_told_what_is_his_and_that_there_is_more_r30(desk: Desk) -> None:
    whole = desk.get("fay", PATH).json()
    assert (whole["closing"]["total_minor"], whole["partial"]) == (535_000, False)
    anas = desk.get("ana", f"{PATH}&node=company").json()
    assert (anas["closing"]["total_minor"], anas["partial"], anas["why"]) == (400_000, True, ["not_seen"])
    mias = desk.get("mia", f"{PATH}&node=company").json()
    assert mias["closing"]["total_minor"] == 400_000 + 72_000 + 15_000
    assert desk.get("mia", f"{PATH}&node=team:north").json()["partial"] is False
    assert desk.get("dirk", PATH).json()["partial"] is False
    assert desk.get("ana", f"{PATH}&node=user:ana").json()["classes"][-1]["total_minor"] == -100_000
    for node in ("user:cleo", "team:south", "user:nobody", "team:nothing"):
        assert desk.get("ana", f"{PATH}&node={node}").json()["code"] == "not_found", node
    shown = desk.get("ana", PATH.replace("movement?", "movement/deals?")).json()
    assert [(item["deal_key"], item["total_minor"]) for item in shown["items"]] == [("deal-a", -100_000)]
    assert [desk.get(user, PATH).json()["node"] for user in ("ana", "mia")] == ["user:ana", "team:north"]


def test_the_same_two_snapshots_give_the_same_bytes_r27(desk: Desk) -> None:
    before = desk.get("fay", PATH).content
    desk.office.put(("deals", "deal-a", {"amount_minor": 1}), ("users", "bob", {"active": False}))
    assert desk.get("fay", PATH).content == before


def test_deals_behind_a_bridge_come_in_pages_that_sum_to_its_bars_r28(desk: Desk) -> None:
    path, found, after = PATH.replace("movement?", "movement/deals?"), [], ""
    while True:
        page = desk.get("fay", f"{path}&limit=1{after}").json()
        found += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    told = {bar["name"]: bar["total_minor"] for bar in desk.get("fay", PATH).json()["classes"] if bar["deals"]}
    assert told == {"up": 20_000, "down": -100_000}
    assert [(item["into"], item["total_minor"]) for item in found] == list(told.items())
    assert [i["deal_key"] for i in desk.get("fay", f"{path}&class=down").json()["items"]] == ["deal-a"]


def test_without_days_it_is_the_last_week_of_the_running_quarter_r28(desk: Desk) -> None:
    found = desk.get("fay", "/api/forecast/movement").json()
    assert (found["since"]["taken_on"], found["to"]["taken_on"]) == ("2026-01-05", "2026-01-12")
    assert found["period"]["key"] == Q1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("from=2026-01-01", "forecast_snapshot_missing"),
        ("to=2025-01-01", "forecast_snapshot_missing"),
        ("from=2026-01-12&to=2026-01-05", "request_invalid"),
        ("from=tomorrow", "field_invalid"),
        ("period=nope", "period_unknown"),
        ("currency=USD", "forecast_currency_fixed"),
        ("node=everything", "request_invalid"),
        ("node=user:", "request_invalid"),
    ],
)
def test_what_cannot_be_bridged_is_refused(desk: Desk, query: str, code: str) -> None:
    assert desk.get("fay", f"/api/forecast/movement?{query}").json()["code"] == code
    assert desk.get("fay", f"/api/forecast/movement/deals?{query}").json()["code"] == code


def test_a_class_that_is_none_and_pages_of_no_size_are_refused(desk: Desk) -> None:
    for query in ("class=sideways", "limit=0", "limit=1001", "after=-1"):
        assert desk.get("fay", f"/api/forecast/movement/deals?{query}").json()["code"] == "request_invalid"


def test_snapshots_are_listed_and_given_out_whole_to_who_sees_everything_r27(desk: Desk) -> None:
    listed = desk.get("ana", "/api/forecast/snapshots").json()
    assert [item["number"] for item in listed["items"]] == [2, 1]
    page = desk.get("ana", "/api/forecast/snapshots?limit=1").json()
    assert page["next"] == 2
    assert [i["number"] for i in desk.get("ana", "/api/forecast/snapshots?limit=1&before=2").json()["items"]] == [1]
    answer = desk.get("fay", "/api/forecast/snapshots/1")
    assert hashlib.sha256(answer.content).hexdigest() == listed["items"][1]["digest"]
    assert answer.headers["ETag"] == f'"{listed["items"][1]["digest"]}"'
    assert msgspec.json.decode(answer.content.splitlines()[0].split(b" ", 2)[2])["name"] == "Pumps"
    assert desk.get("dirk", "/api/forecast/snapshots/1").json()["code"] == "not_permitted"
    for number in (9, 0, -1, 2**31 - 1, 10**30):
        assert desk.get("fay", f"/api/forecast/snapshots/{number}").json()["code"] == "not_found"
    for query in ("limit=0", "before=-1", f"before={10**30}"):
        assert desk.get("fay", f"/api/forecast/snapshots?{query}").json()["code"] == "request_invalid"
