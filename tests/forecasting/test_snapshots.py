"""A snapshot a day: what it keeps, what it costs, and that nothing changes it afterwards (R27)."""

import json
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Connection, func, select, update

from forecasting import kept, taking
from forecasting.answers import Basis
from forecasting.documents import DEAL, DONE, KINDS, digest_of, kind_of, written
from sfa.app import jobs
from sfa.core.credits import day_of
from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.db.credits import rebuild
from sfa.db.tables import credited, forecast_snapshots, forecast_versions
from sfa.db.writes import Door, Origin
from sfa.profit.company.surroundings import read_exchange
from tests.builders import DAY_MS, NOW
from tests.forecasting.selling import Q1, Q2, basis, order, shares, take
from tests.office import Office


def documents(office: Office, number: int) -> list[tuple[str, str, str]]:
    return office.database.read(lambda c: list(kept.documents(c, number)))


def versions(office: Office, kind: str) -> int:
    query = select(func.count()).select_from(forecast_versions).where(forecast_versions.c.kind == kind)
    return int(office.database.read(lambda c: c.execute(query).scalar_one()))


def proven(office: Office, number: int) -> bool:
    return office.database.read(lambda c: kept.proven(c, kept.numbered(c, number)))


def summed(found: Basis) -> dict[tuple[str, str], int | None]:
    return {(fact.deal_key, fact.user_key): fact.amount_minor for fact in found.facts}


def test_a_snapshot_keeps_what_every_deal_brings_r27(selling: Office) -> None:
    assert take(selling).startswith("snapshot 1 of 2026-01-05")
    found = basis(selling, 1)
    assert summed(found) == {
        ("deal-a", "ana"): 500_000,
        ("deal-b", "bob"): 60_000,
        ("deal-b", "cleo"): 40_000,
        ("deal-c", "bob"): 15_000,
    }
    by_deal = {fact.deal_key: fact for fact in found.facts}
    assert by_deal["deal-c"].weighted_minor == 7_500
    assert {fact.deal_key: fact.place.path for fact in found.facts}["deal-a"] == ("team:all-sales", "team:north")
    assert by_deal["deal-b"].territory == ("territory:t-south",)
    assert by_deal["deal-b"].products == (("pump", 7),)
    assert [(r.currency, r.rate, r.rate_on) for r in found.rates] == [("USD", "0.5", "2025-01-01")]
    assert (found.as_of, found.snapshot, found.currency, found.zone) == ("2026-01-05", 1, "EUR", "Europe/Madrid")


def test_a_day_has_one_snapshot_however_often_it_is_taken_r27(selling: Office) -> None:
    take(selling)
    before = documents(selling, 1)
    found = selling.database.read(taking.look, NOW + DAY_MS)
    assert take(selling) == "none to take"
    assert take(selling, 1).startswith("snapshot 2 of 2026-01-06")
    assert selling.database.write(taking.keep, found) == "none to take"
    assert documents(selling, 1) == before
    assert [s.number for s in selling.database.read(kept.listing, None, 9)] == [2, 1]


def test_a_snapshot_waits_for_its_minute_of_the_companys_day_r32(selling: Office) -> None:
    """It is nine in the morning in Madrid."""
    assert selling.database.read(taking.look, NOW, 541) is None
    assert selling.database.read(taking.look, NOW, 540) is not None


def test_a_day_costs_what_changed_on_it_r27(selling: Office) -> None:
    take(selling)
    assert take(selling, 1).endswith(": 0 versions")
    selling.put(("deals", "deal-b", {"amount_minor": 120_000}))
    assert take(selling, 2).endswith(": 1 versions")
    assert versions(selling, DEAL) == 4
    assert [dict(summed(basis(selling, n)))["deal-b", "bob"] for n in (1, 2, 3)] == [60_000, 60_000, 72_000]


def test_frozen_means_frozen_r27(selling: Office) -> None:
    """Deals, lines, rates, people, teams, territories, stages, calendars and the company itself change; the snapshot of
    last month is the same bytes, and so is all that is read off it."""
    order(selling, "deal.win", "deal-a")
    take(selling)
    before, told = documents(selling, 1), [basis(selling, 1, period) for period in (Q1, Q2)]
    selling.put(
        ("deals", "deal-b", {"amount_minor": 1, "owner_key": "ana", "splits": [], "close_on": "2026-05-01"}),
        ("deal_lines", "line-b1", {"unit_price_minor": 1_000}),
        ("rates", "usd", {"rate": "0.9"}),
        ("users", "bob", {"name": "Robert", "active": False}),
        ("team_members", "m-ana", {"valid_to": "2025-06-01"}),
        ("team_edges", "e-south", {"parent_key": "north"}),
        ("teams", "north", {"name": "Far north"}),
        ("accounts", "zeta", {"territory_key": "t-north"}),
        ("stages", "offer", {"probability_bp": 9_000, "category": "commit"}),
        ("products", "pump", {"name": "Big pump"}),
        ("fiscal_periods", Q1, {"name": "First", "end_on": "2026-03-15"}),
        ("fiscal_periods", Q2, {"start_on": "2026-03-15"}),
        ("organisations", "org", {"zone": "America/Lima", "currency": "USD"}),
    )
    selling.delete("deals", "deal-c")
    order(selling, "deal.reopen", "deal-a", day=1, stage_key="offer")
    for day in (1, 2, 31):
        take(selling, day)
    assert documents(selling, 1) == before
    assert [basis(selling, 1, period) for period in (Q1, Q2)] == told
    assert documents(selling, 2) != before
    for number in (1, 2, 3, 4):
        assert proven(selling, number), number


def test_a_version_that_somebody_touched_is_found_by_the_digest_r27(selling: Office) -> None:
    take(selling)
    query = forecast_versions.update().where(forecast_versions.c.key == "deal-a").values(doc='{"name":"other"}')
    selling.database.write(lambda c: c.execute(query).rowcount)
    assert not proven(selling, 1)


def test_a_deal_that_is_done_with_stays_in_every_later_snapshot_and_is_read_no_more_r27(selling: Office) -> None:
    take(selling)
    order(selling, "deal.win", "deal-a", day=1)
    for day in (1, 2, 3, 4):
        take(selling, day)
    closed = [
        {(f.deal_key, f.bucket): f.amount_minor for f in basis(selling, n).facts}.get(("deal-a", "closed"))
        for n in (1, 2, 3, 4, 5)
    ]
    assert closed == [None, 500_000, 500_000, 500_000, 500_000]
    kinds = [[kind for kind, key, _ in documents(selling, n) if key == "deal-a"] for n in (1, 2, 3, 4, 5)]
    assert kinds == [[DEAL], [DEAL], [DONE], [DONE], [DONE]]
    assert (versions(selling, DEAL), versions(selling, DONE)) == (4, 1)


def test_what_was_done_with_before_a_period_is_passed_over_and_known_when_it_opens_again_r27(selling: Office) -> None:
    selling.put(
        (
            "fiscal_periods",
            "later",
            {"name": "Later", "kind": "month", "start_on": "2026-01-08", "end_on": "2026-02-08"},
        )
    )
    order(selling, "deal.win", "deal-a")
    for day in (1, 2, 3, 4):
        take(selling, day)
    read = selling.database.read(lambda c: kept.deals(c, 4, kept.done_from(c, "2026-01-08")))
    assert sorted(read) == ["deal-b", "deal-c"]
    order(selling, "deal.reopen", "deal-a", day=4, stage_key="offer")
    take(selling, 5)

    def paired(connection: Connection) -> list[kept.Pair]:
        same, others = kept.between(connection, 4, 5, kept.done_from(connection, "2026-01-08"))
        return list(kept.pairs(connection, 4, 5, [*same, *others]))

    found = selling.database.read(paired)
    ((was, now),) = [(was, now) for key, was, now in found if key == "deal-a"]
    assert was is not None
    assert now is not None
    assert (was.state, now.state) == ("won", "open")
    facts = [(f.bucket, f.amount_minor) for f in basis(selling, 5, "later").facts if f.deal_key == "deal-a"]
    assert facts == [("closed", -500_000)]


def test_a_corrected_rate_of_the_past_restates_later_snapshots_alone_r34(selling: Office) -> None:
    order(selling, "deal.win", "deal-c")
    take(selling, 1)
    selling.put(
        ("rates", "usd2", {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.7", "valid_from": "2026-01-06"})
    )
    take(selling, 2)
    selling.put(("rates", "usd", {"rate": "0.6"}))
    take(selling, 3)
    worth = [summed(basis(selling, n))["deal-c", "bob"] for n in (1, 2, 3)]
    assert worth == [15_000, 15_000, 18_000]


def test_holes_are_named_and_never_zero_r34(selling: Office) -> None:
    selling.put(
        ("deals", "deal-a", {"amount_minor": None, "currency": None}),
        ("deals", "deal-b", {"close_on": None}),
        ("deals", "deal-c", {"currency": "CHF"}),
        ("users", "bob", {"active": False}),
    )
    take(selling)
    found = basis(selling, 1)
    holes = {(f.deal_key, f.user_key): (f.bucket, f.amount_minor, f.holes) for f in found.facts}
    assert holes == {
        ("deal-a", "ana"): ("pipeline", None, ("amount_missing",)),
        ("deal-b", "bob"): ("undated", 60_000, ("close_on_missing", "owner_missing")),
        ("deal-b", "cleo"): ("undated", 40_000, ("close_on_missing",)),
        ("deal-c", "bob"): ("pipeline", None, ("rate_missing", "owner_missing")),
    }
    assert {f.deal_key for f in basis(selling, 1, Q2).facts} == set()
    assert selling.database.read(lambda c: kept.numbered(c, 1).missing) == ["CHF"]


def test_the_digest_is_of_every_document_in_order_r27(selling: Office) -> None:
    take(selling)
    snapshot = selling.database.read(kept.newest)
    found = documents(selling, 1)
    assert snapshot is not None
    assert snapshot.digest == digest_of(found)
    assert found == sorted(found, key=lambda d: (KINDS.index(d[0]), d[1]))
    assert {**dict.fromkeys(KINDS, 0), "versions": len(found)}.keys() == snapshot.counted.keys()
    assert snapshot.counted["versions"] == len(found) == sum(snapshot.counted[kind] for kind in KINDS)
    assert json.loads(found[0][2])["name"] == "Pumps"


def test_what_is_asked_of_a_day_is_the_snapshot_of_that_day_or_the_last_before_r27(selling: Office) -> None:
    take(selling)
    take(selling, 3)

    def on(day: str) -> int:
        return selling.database.read(lambda c: kept.as_of(c, day).number)

    assert [on(day) for day in ("2026-01-05", "2026-01-07", "2026-01-08", "2026-06-01")] == [1, 1, 2, 2]
    with pytest.raises(Refused) as refused:
        on("2026-01-04")
    assert refused.value.code == "forecast_snapshot_missing"
    with pytest.raises(Refused) as unknown:
        basis(selling, 1, "no-such-period")
    assert unknown.value.code == "period_unknown"


def test_a_snapshot_read_off_changes_is_the_one_read_off_everything_r27(selling: Office) -> None:
    """What was read because it changed makes the same documents as reading all."""
    take(selling)
    order(selling, "deal.win", "deal-a")
    selling.put(
        ("deals", "deal-c", {"overlays": shares(ana=1_000)}), ("accounts", "zeta", {"territory_key": "t-north"})
    )
    changes = selling.database.read(taking.look, NOW + DAY_MS)

    def everything(connection: Connection) -> Any:
        connection.execute(forecast_versions.delete())
        connection.execute(forecast_snapshots.delete())
        return taking.look(connection, NOW + DAY_MS)

    whole = selling.database.write(everything)
    assert changes is not None
    assert whole is not None
    assert changes.snapshot.digest == whole.snapshot.digest
    assert structs.replace(changes.snapshot, number=1, counted={}) == structs.replace(whole.snapshot, counted={})


def stands(office: Office) -> dict[tuple[str, str], str]:
    """The deals that the newest snapshot kept."""

    def read(connection: Connection) -> dict[tuple[str, str], str]:
        return {(kind, key): text for kind in (DEAL, DONE) for kind, key, text in kept.current(connection, kind)}

    return office.database.read(read)


def is_whole(office: Office) -> bool:
    """Whether the newest snapshot is what one would be that reads every deal."""

    def read(connection: Connection) -> dict[tuple[str, str], str]:
        firm, now = taking.read_firm(connection), office.clock.now_ms()
        exchange = read_exchange(connection, firm.zone)
        found = taking._deals(connection, None, firm, exchange)
        return {(kind_of(deal, day_of(now, firm.zone)), key): written(deal) for key, deal in found}

    return stands(office) == office.database.read(read)


def at_day(office: Office, day: int) -> None:
    office.clock.advance(NOW + day * DAY_MS - office.clock.now_ms())
    take(office, day)


def test_a_deal_that_is_too_old_for_devices_is_read_again_when_it_changes_r27(selling: Office) -> None:
    for key in ("deal-a", "deal-b", "deal-c"):
        order(selling, "deal.win", key)
    at_day(selling, 2_000)
    selling.database.write(jobs.JOBS["age_rows"].work, selling.clock.now_ms())
    at_day(selling, 2_001)
    assert selling.row("deals", "deal-b")["aged"]
    at_day(selling, 2_002)
    selling.put(("deals", "deal-b", {"amount_minor": 7}))
    selling.delete("deals", "deal-c")
    at_day(selling, 2_003)
    assert is_whole(selling)
    assert {key for _, key in stands(selling)} == {"deal-a", "deal-b"}


def test_an_old_deal_that_is_imported_is_in_the_next_snapshot_r27(selling: Office) -> None:
    take(selling)
    values = {"name": "Old", "owner_key": "ana", "account_key": "acme", "stage_key": "won", "amount_minor": 1_000}
    values |= {"currency": "EUR", "close_on": "2024-02-10", "closed_at": NOW - 695 * DAY_MS}
    origin = Origin(author_key=None, at=NOW, stored_at=NOW)

    def bring(connection: Connection) -> None:
        door = Door(connection, NOW)
        edits.imported(door, "deals", "old", values, {}, origin)
        door.flush()

    selling.database.write(bring)
    at_day(selling, 1)
    assert is_whole(selling)
    assert (DONE, "old") in stands(selling)


def test_the_lines_of_a_closed_deal_are_read_again_when_they_change_r27(selling: Office) -> None:
    selling.put(("products", "hose", {"name": "Hose"}), ("products", "tap", {"name": "Tap"}))
    for key in ("deal-b", "deal-c"):
        order(selling, "deal.win", key)
    at_day(selling, 1)
    at_day(selling, 2)
    before = stands(selling)
    selling.put(("deal_lines", "line-b1", {"product_key": "hose"}))
    at_day(selling, 3)
    assert is_whole(selling)
    assert stands(selling)[DONE, "deal-b"] != before[DONE, "deal-b"]
    selling.delete("deal_lines", "line-b1")
    at_day(selling, 4)
    assert is_whole(selling)


def test_credits_that_a_rebuild_puts_right_are_in_the_next_snapshot_r27(selling: Office) -> None:
    order(selling, "deal.win", "deal-a")
    selling.database.write(lambda c: c.execute(update(credited).values(amount_minor=5)))
    at_day(selling, 1)
    at_day(selling, 2)
    assert selling.database.write(rebuild) == 1
    at_day(selling, 3)
    assert is_whole(selling)
    assert selling.database.write(rebuild) == 0
    at_day(selling, 4)
    assert is_whole(selling)


def test_a_clock_that_was_ahead_once_costs_no_day_its_snapshot_r27(selling: Office) -> None:
    take(selling)
    assert take(selling, 4_000).startswith("snapshot 2 of 2036-12-18")
    assert take(selling) == "none to take"
    selling.put(("deals", "deal-b", {"amount_minor": 7}))
    assert take(selling, 1).startswith("snapshot 3 of 2026-01-06: 1 versions")
    assert take(selling, 1) == "none to take"
    assert take(selling, 2).startswith("snapshot 4 of 2026-01-07: 0 versions")
    assert selling.database.read(lambda c: kept.as_of(c, "2026-01-06").number) == 3
