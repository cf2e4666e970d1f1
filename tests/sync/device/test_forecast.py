"""The own forecast on a device: what the server's rows come to after a sync, and ahead of it while work waits; calls
named without signal (R16, R22-R24, R29, R34)."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from forecasting import locking
from forecasting.answers import Fact
from forecasting.facts import basis_of
from forecasting.reading import find_period, read_raw, read_world
from sfa.core.errors import Refused
from sfa.core.forecast import BUCKETS
from sfa.core.forecast_cycles import Lock
from sfa.core.money import allocate
from sfa.db.tables import ROWS, credited
from sync.device.forecast import Hole, OwnForecast, Sum, call, own_forecast
from tests.crm.desk import opened
from tests.forecasting.review import ENTITY, LOCK_AT, Q1, Q2, begun, refusals, statuses, until
from tests.office import Office
from tests.quotas.ledger import at as noon
from tests.quotas.ledger import rate, shares, won, write
from tests.sync.device.pocket import Pocket, pocket

TODAY = "2026-01-05"
RATES = (rate("USD", "EUR", "0.9", "2025-01-01"), rate("USD", "EUR", "0.5", "2026-01-04"))
USD = {"2026-01-03": Fraction(9, 10), TODAY: Fraction(1, 2)}


def half_up(value: Fraction) -> int:
    size = (2 * abs(value).numerator + value.denominator) // (2 * value.denominator)
    return int(size if value >= 0 else -size)


def recounted(office: Office, user: str, start: str = "2026-01-01", end: str = "2026-04-01") -> dict[str, list[int]]:
    """(amount, weighted, deals) of each bucket off the server's tables, by plain arithmetic; overlays apart."""
    found: dict[str, list[int]] = {}
    counted: set[tuple[str, str]] = set()

    def add(bucket: str, deal: str, amount: int, likely: int) -> None:
        sums = found.setdefault(bucket, [0, 0, 0])
        sums[0] += amount
        sums[1] += likely
        sums[2] += (bucket, deal) not in counted
        counted.add((bucket, deal))

    stages = {row["key"]: row for row in office.all(ROWS["stages"].select())}
    for deal in office.rows("deals"):
        if deal["closed_at"] is not None or deal["close_on"] is None or not start <= TODAY < end:
            continue
        stage = stages[deal["stage_key"]]
        bucket = deal["category"] or (stage["category"] if stage["category"] != "closed" else None) or "pipeline"
        if deal["close_on"] < TODAY:
            bucket = "omitted" if bucket == "omitted" else "slipped"
        elif not start <= deal["close_on"] < end:
            continue
        splits = deal["splits"] or [{"user_key": deal["owner_key"], "share_bp": 10_000}]
        parts = allocate(deal["amount_minor"], [s["share_bp"] for s in splits])
        mine = [("", part) for split, part in zip(splits, parts, strict=True) if split["user_key"] == user]
        mine += [
            ("overlay ", half_up(Fraction(deal["amount_minor"] * share["share_bp"], 10_000)))
            for share in deal["overlays"]
            if share["user_key"] == user
        ]
        for beside, part in mine:
            worth = part if deal["currency"] == "EUR" else half_up(part * USD[TODAY])
            add(beside + bucket, deal["key"], worth, half_up(Fraction(worth * stage["probability_bp"], 10_000)))
    c = credited.c
    for row in office.all(select(credited).where(c.user_key == user, c.at >= noon(start, 0), c.at < noon(end, 0))):
        then = USD["2026-01-03" if row["rated_at"] < noon("2026-01-04", 0) else TODAY]
        worth = row["amount_minor"] if row["currency"] == "EUR" else half_up(row["amount_minor"] * then)
        worth = -worth if row["reversal"] else worth
        add("overlay closed" if row["overlay"] else "closed", row["deal_key"], worth, worth)
    return found


def as_counted(own: OwnForecast) -> dict[str, list[int]]:
    def told(buckets: Mapping[str, Sum], beside: str) -> dict[str, list[int]]:
        return {beside + b: [s.amount_minor, s.weighted_minor, s.deals] for b, s in buckets.items()}

    return told(own.buckets, "") | told(own.overlay, "overlay ")


def facts_of(office: Office) -> list[Fact]:
    """What the server's roll-up is folded from."""

    def work(connection: Connection) -> list[Fact]:
        world = read_world(connection, now_ms=office.clock.now_ms())
        period = find_period(connection, "q1", world.today, world.period_kind)
        return basis_of(read_raw(connection, world, period), world, period).facts

    return office.database.read(work)


def rolled_up(facts: list[Fact], user: str) -> dict[str, list[int]]:
    """The same of the server's facts."""
    found: dict[str, list[int]] = {}
    deals: dict[str, set[str]] = {}
    for fact in facts:
        if fact.user_key == user and fact.bucket in BUCKETS:
            bucket = f"overlay {fact.bucket}" if fact.overlay else fact.bucket
            sums = found.setdefault(bucket, [0, 0, 0])
            sums[0] += fact.amount_minor or 0
            sums[1] += fact.weighted_minor or 0
            deals.setdefault(bucket, set()).add(fact.deal_key)
            sums[2] = len(deals[bucket])
    return found


def agreed(office: Office, device: Pocket) -> OwnForecast:
    device.sync()
    own = own_forecast(device, "q1")
    facts = facts_of(office)
    assert as_counted(own) == recounted(office, "ana") == rolled_up(facts, "ana")
    assert own.holes == sorted({Hole(code, f.deal_key) for f in facts if f.user_key == "ana" for code in f.holes})
    return own


def open_deal(key: str, close_on: str | None, amount: int | None = 100_00, **values: Any) -> tuple[str, str, Any]:
    money = {"amount_minor": amount, "currency": "EUR" if amount is not None else None}
    return (
        "deals",
        key,
        {"name": key, "owner_key": "ana", "stage_key": "offer", "close_on": close_on, **money, **values},
    )


SURE = ("stages", "sure", {"name": "Sure", "position": 3, "probability_bp": 9_000, "category": "best_case"})
JUST_OVER = (
    "fiscal_periods",
    "over",
    {"name": "Over", "kind": "quarter", "start_on": "2025-10-01", "end_on": TODAY},
)


def found_company(office: Office) -> None:
    begun(office)
    write(office, *RATES, SURE, JUST_OVER)
    write(office, open_deal("stage", "2026-02-03", 20_00, stage_key="sure"))
    write(office, open_deal("commit", "2026-02-01", 300_00, category="commit"), open_deal("pipe", "2026-03-31", 50_01))
    write(office, open_deal("old", "2026-01-04", 70_00), open_deal("left", "2026-01-04", category="omitted"))
    write(office, open_deal("later", "2026-04-01"), open_deal("never", None), open_deal("blank", "2026-02-02", None))
    write(office, open_deal("usd", "2026-02-02", 10_01, currency="USD", category="likely"))
    write(office, open_deal("yen", "2026-02-02", 5, currency="JPY", category="likely"))
    write(office, open_deal("bobs", "2026-02-02", 100_01, owner_key="bob", splits=shares(bob=5_000, ana=5_000)))
    write(office, open_deal("seen", "2026-02-02", 99_99, owner_key="bob", overlays=shares(ana=1_000)))
    write(office, won("w", "2026-01-02", 400_00), won("x", "2026-01-03", 77_77, currency="USD"))
    write(office, won("o", "2026-01-03", 999, owner_key="bob", overlays=shares(ana=1_000)))


def test_after_a_sync_a_device_says_what_the_servers_rows_come_to(office: Office) -> None:
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    own = own_forecast(device)
    assert (own.period_key, own.as_of, own.currency) == ("q1", TODAY, "EUR")
    assert own.buckets == {
        "closed": Sum(400_00 + 69_99, 400_00 + 69_99, 2),
        "commit": Sum(300_00, 150_00, 1),
        "best_case": Sum(20_00, 18_00, 1),  # as its stage says, for nobody judged it
        "likely": Sum(5_01, 2_51, 2),  # 10.01 USD at today's half; the yen have no rate
        "pipeline": Sum(50_01 + 50_00, 25_01 + 25_00, 3),  # Ana's half of Bob's; one without an amount
        "slipped": Sum(70_00, 35_00, 1),
        "omitted": Sum(100_00, 50_00, 1),
    }
    assert own.views == {
        "commit": 769_99,
        "likely": 775_00,
        "best_case": 795_00,
        "pipeline": 895_01,
    }
    assert own.overlay == {"closed": Sum(1_00, 1_00, 1), "pipeline": Sum(10_00, 5_00, 1)}
    assert own.holes == [
        Hole("amount_missing", "blank"),
        Hole("close_on_missing", "deal-a"),
        Hole("close_on_missing", "never"),
        Hole("rate_missing", "yen"),
    ]
    office.delete("deals", "yen")
    office.delete("deals", "blank")
    agreed(office, device)
    q2 = own_forecast(device, "q2")
    assert (q2.buckets, q2.holes) == ({"pipeline": Sum(100_00, 50_00, 1)}, [])
    over = own_forecast(device, "over")  # it ended last night: nothing is open in it, and nothing waits for a day
    assert (over.buckets, over.holes, over.lock) == ({"closed": own.buckets["closed"]}, [], None)
    assert own_forecast(device, currency="USD").buckets["commit"].amount_minor == 600_00


def test_a_device_and_the_roll_up_of_the_server_say_the_same_of_ones_own_node(office: Office) -> None:
    """Every bucket, view, overlay and hole, in every period and currency."""
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    with opened(office) as desk:
        for period in ("q1", "q2"):
            for currency in ("EUR", "USD", "JPY"):
                own = own_forecast(device, period, currency)
                asked = f"/api/forecast/nodes/user:ana?period={period}&currency={currency}"
                told = desk.get("ana", asked).json()
                (node,) = told["nodes"]
                for said, here in (("buckets", own.buckets), ("overlay", own.overlay)):
                    there = {bucket: Sum(**money) for bucket, money in node[said].items()}
                    assert {b: m for b, m in there.items() if m != Sum()} == {
                        b: m for b, m in here.items() if m != Sum()
                    }
                assert {view: amounts["own"] for view, amounts in node["views"].items()} == own.views
                assert sorted(Hole(hole["code"], hole["key"]) for hole in told["missing"]) == own.holes


def test_work_that_waits_shows_ahead_and_agrees_once_it_is_sent(office: Office) -> None:
    begun(office)
    write(office, *RATES, open_deal("a", "2026-02-01", 200_00), open_deal("b", "2026-02-01", 80_00))
    device = pocket(office, "ana")
    before = agreed(office, device).views
    device.update("deals", "a", {"category": "commit"})
    device.command("deal.win", "b", {})
    device.update("deals", "deal-a", {"close_on": "2026-02-02"})
    ahead = own_forecast(device, "q1")
    assert ahead.views["commit"] == before["commit"] + 280_00
    assert ahead.views["pipeline"] == before["pipeline"] + 5_000_00
    assert agreed(office, device) == ahead


def test_what_was_won_and_is_not_signed_yet_is_a_hole_on_a_device_as_at_the_server_r17(office: Office) -> None:
    """At once, in the period in which it was won, until the signature comes."""
    begun(office)
    write(office, ("credit_rules", "r", {"event": "signed", "valid_from": "2025-01-01"}))
    write(office, open_deal("a", "2026-02-01", 200_00))
    write(office, open_deal("c", "2026-02-01", owner_key="bob", overlays=shares(ana=1_000)))
    device = pocket(office, "ana")
    device.sync()
    device.command("deal.win", "a", {})
    hole, undated = Hole("credit_awaited", "a"), Hole("close_on_missing", "deal-a")
    ahead = own_forecast(device, "q1")
    assert (ahead.holes, ahead.buckets) == ([undated, hole], {})
    assert own_forecast(device, "q2").holes == []
    assert agreed(office, device) == ahead
    base = office.rev("deals", "c")
    assert office.phone("bob").do("deal.win", "deals", "c", base=base).outcome == "applied"
    assert agreed(office, device).holes == [undated, hole, Hole("credit_awaited", "c")]  # her overlay
    device.command("deal.sign", "a", {"at": office.clock.now_ms()})
    signed = own_forecast(device, "q1")
    assert (signed.holes, signed.views["commit"]) == ([undated, Hole("credit_awaited", "c")], 200_00)
    assert agreed(office, device) == signed


DEALS = st.lists(
    st.fixed_dictionaries(
        {
            "amount_minor": st.integers(-(10**6), 10**9),
            "currency": st.sampled_from(("EUR", "USD")),
            "owner_key": st.sampled_from(("ana", "bob")),
            "category": st.sampled_from((None, "commit", "likely", "best_case", "pipeline", "omitted")),
            "stage_key": st.sampled_from(("lead", "sure", "won", "lost")),
            "day": st.sampled_from(("2025-12-31", "2026-01-03", "2026-01-05", "2026-03-31", "2026-04-01", None)),
            "share": st.sampled_from((0, 1, 3_333, 9_999)),
            "overlay": st.sampled_from((0, 1, 5_000, 10_000)),
            "reopened": st.booleans(),
            "signed_at": st.sampled_from((None, noon("2026-01-04"), noon("2026-04-02"))),
        }
    ),
    max_size=5,
)
EVENT = st.sampled_from(("won", "signed", "invoiced"))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DEALS, EVENT, st.sampled_from(("2025-01-01", "2026-01-04")))
def test_whatever_the_deals_a_device_and_the_server_agree(
    shared_office: Office, deals: list[dict[str, Any]], event: str, from_on: str
) -> None:
    """Every bucket, overlay and hole, whatever credits a win (R17)."""
    office = shared_office
    if office.find("fiscal_periods", "q1") is None:
        office.put(Q1, Q2)
        write(office, *RATES, SURE)
    for old in office.rows("deals"):
        office.delete("deals", old["key"])
    write(office, ("credit_rules", "r", {"event": event, "valid_from": from_on}))
    first = len(office.all(select(ROWS["deals"].c.key)))
    for n, said in enumerate(deals, first):
        write(office, ("deals", f"d{n}", _deal(f"d{n}", dict(said))))
    device = pocket(office, "ana")
    agreed(office, device)
    device.store.close()


def _deal(key: str, said: dict[str, Any]) -> dict[str, Any]:
    day, share, overlay, reopened = (said.pop(name) for name in ("day", "share", "overlay", "reopened"))
    owner, other = said["owner_key"], {"ana": "bob", "bob": "ana"}[said["owner_key"]]
    splits = shares(**{owner: 10_000 - share, other: share}) if share else []
    beside = shares(**{other: overlay}) if overlay and not share else []
    row = {**said, "name": key, "splits": splits, "overlays": beside, "close_on": day, "closings": []}
    if said["stage_key"] in ("won", "lost"):
        row["closed_at"] = noon(day or "2026-01-02")
    elif reopened:  # it was won, and taken back since
        ended = {"closed_at": noon("2026-01-03"), "reopened_at": noon("2026-01-04"), "event": "won", "stage_key": "won"}
        same = {f: row[f] for f in ("owner_key", "amount_minor", "currency", "splits", "overlays")}
        row["closings"] = [{**ended, **same, "signed_at": None, "invoiced_at": None}]
    return row


# -- calls ------------------------------------------------------------------------------------------------------------


def test_a_call_without_signal_over_the_lock_counts_and_comes_back_locked(office: Office) -> None:
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    own = own_forecast(device)
    assert (own.lock, own.call) == (Lock(TODAY, LOCK_AT), None)
    key = call(device, 650_00, likely_minor=700_00, note="sure")
    assert own_forecast(device).call == key
    shown = device.get(ENTITY, key)
    assert shown is not None
    assert (shown["status"], shown["due_on"], shown["author_key"]) == ("submitted", None, "ana")
    until(office, "2026-01-05 10:30")
    office.database.write(locking.run, office.clock.now_ms())
    device.sync()
    locked = device.get(ENTITY, key)
    assert locked is not None
    assert (locked["status"], locked["due_on"]) == ("locked", TODAY)
    assert locked["called_at"] == LOCK_AT - 3_600_000
    assert locked["based_on"] == {"commit": 769_99, "likely": 775_00, "best_case": 795_00, "pipeline": 895_01}
    assert own_forecast(device).call is None  # the next lock's is still owed


def test_a_device_tells_no_second_lock_of_a_day_on_which_its_call_was_locked(office: Office) -> None:
    """The policy's minute moved later that day, after the lock."""
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    call(device, 650_00)
    device.sync()
    until(office, "2026-01-05 09:01")
    office.database.write(locking.run, office.clock.now_ms())
    office.put(("forecast_policies", "p", {"lock_minute": 900}))
    until(office, "2026-01-05 09:30")
    device.sync()
    own = own_forecast(device)
    assert (own.lock, own.call) == (Lock("2026-01-12", LOCK_AT + 7 * 86_400_000 + 5 * 3_600_000), None)


def test_a_second_call_takes_the_place_of_the_first_and_a_refused_one_is_told(office: Office) -> None:
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    first = call(device, 1)
    office.clock.advance(1)
    second = call(device, 2)
    assert own_forecast(device).call == second
    team = call(device, 3, team_key="north")
    odd = call(device, 4, due_on="2026-01-06")
    device.sync()
    assert statuses(office) == {first: "replaced", second: "submitted"}
    assert sorted(refusals(office)) == sorted([("ana", team, "not_permitted"), ("ana", odd, "forecast_due_invalid")])
    assert {row["code"] for row in device.refusals().values()} == {"not_permitted", "forecast_due_invalid"}
    assert own_forecast(device).call == second


def test_a_manager_calls_for_his_team_on_his_phone_and_what_he_does_not_know_is_not_told(office: Office) -> None:
    found_company(office)
    device = pocket(office, "mia")
    device.sync()
    key = call(device, 9, team_key="north")
    device.sync()
    row = office.row(ENTITY, key)
    assert (row["team_key"], row["user_key"], row["based_on"], row["status"]) == ("north", None, None, "submitted")


def test_without_a_period_or_with_a_currency_of_nobody_a_device_says_so(office: Office) -> None:
    device = pocket(office, "ana")
    device.sync()
    for asked in (None, "q1"):
        with pytest.raises(Refused) as refused:
            own_forecast(device, asked)
        assert refused.value.code == "period_unknown"
    office.put(Q1)
    device.sync()
    with pytest.raises(Refused) as refused:
        call(device, 1, currency="XQX")
    assert refused.value.code == "currency_unknown"
    assert device.pending() == []
