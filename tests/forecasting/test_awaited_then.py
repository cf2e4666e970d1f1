"""What awaited its credit on a day that is over is told by the snapshot of that day as it was told then (R17, R27)."""

from typing import Any

import pytest
from sqlalchemy import Connection

from forecasting import kept, moving, taking
from forecasting.documents import DEAL, DONE, Firm, digest_of, written
from forecasting.moving import Asked
from sfa.db.tables import forecast_snapshots, forecast_versions
from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.forecasting.selling import order, shares
from tests.forecasting.telling import nodes, rollup
from tests.quotas.books import win

TAKEN = ("as_of_snapshot", "seq", "rates")
_V, _S = forecast_versions, forecast_snapshots


@pytest.fixture
def invoiced(desk: Desk) -> Desk:
    """Of Ana and Cleo with an overlay, in dollars, at a customer of the north; and one that is invoiced already."""
    office = desk.office
    office.put(
        ("credit_rules", "r", {"event": "invoiced", "valid_from": "2025-01-01"}),
        ("currencies", "USD", {"code": "USD", "name": "US dollar", "minor_digits": 2}),
        ("rates", "usd", {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.5", "valid_from": "2025-01-01"}),
    )
    split = {"splits": shares(ana=6_000, cleo=4_000), "overlays": shares(bob=1_000)}
    win(office.phone("ana"), "won", 70_001, "USD", **split)
    win(office.phone("ana"), "done", 9_000)
    order(office, "deal.invoice", "done")
    return desk


def next_day(desk: Desk, day: int) -> str:
    desk.office.clock.advance(NOW + day * DAY_MS - desk.office.clock.now_ms())
    desk.forget_tokens()
    return desk.office.database.write(taking.take, desk.office.clock.now_ms())


def compared(found: dict[str, Any]) -> dict[str, Any]:
    for name in TAKEN:
        found.pop(name)
    for node in found["nodes"]:
        for view in node["views"].values():
            for name in ("own_adjusted", "manager_adjusted", "code"):
                view.pop(name)
    return found


def test_a_frozen_roll_up_has_the_holes_that_the_live_one_had_r17(invoiced: Desk) -> None:
    desk = invoiced
    next_day(desk, 0)
    kinds = ("owner", "team", "territory", "product")
    live = {by: rollup(desk, by=by) for by in kinds}
    told = [(hole["code"], hole["key"], hole["user_key"]) for hole in live["owner"]["missing"]]
    assert told == [("credit_awaited", "won", user) for user in ("ana", "bob", "cleo")]
    listed = desk.get("root", "/api/forecast/deals?period=q1&bucket=awaited").json()["items"]
    assert [item["amount_minor"] for item in listed] == [21_001, 3_500, 14_000]
    next_day(desk, 1)
    for by in kinds:
        then = rollup(desk, by=by, as_of="2026-01-05")
        assert (then["as_of_snapshot"], compared(then)) == (1, compared(live[by])), by
    assert rollup(desk, period="q2", as_of="2026-01-05")["missing"] == []
    again = desk.get("root", "/api/forecast/deals?period=q1&bucket=awaited&as_of=2026-01-05").json()["items"]
    assert again == listed


def test_it_is_told_each_day_until_it_is_credited_and_beside_every_movement_r17(invoiced: Desk) -> None:
    desk = invoiced
    for day in (0, 1, 2):
        next_day(desk, day)
    order(desk.office, "deal.invoice", "won", day=2)
    next_day(desk, 3)
    next_day(desk, 4)
    days = [f"2026-01-0{n}" for n in (5, 6, 7, 8)]
    assert [rollup(desk, as_of=day)["missing_count"] for day in days] == [3, 3, 3, 0]
    assert nodes(rollup(desk, as_of=days[-1]))["company"]["buckets"]["closed"]["amount_minor"] == 9_000 + 35_000 + 1
    found = desk.office.database.read(moving.movement, "root", Asked("q1", "user:cleo", days[0], days[2]))
    assert [(hole.code, hole.key, hole.user_key) for hole in found.missing] == [("credit_awaited", "won", "cleo")]
    whole = desk.office.database.read(moving.movement, "root", Asked("q1", "company", days[2], days[3]))
    assert {bar.name: bar.amounts for bar in whole.classes if bar.deals} == {"won": {"closed": 35_001}}
    with_later = desk.office.database.read(moving.movement, "root", Asked("q2", "company", days[0], days[2]))
    assert with_later.missing == []


def test_what_was_kept_before_it_was_told_is_read_as_it_was_and_made_anew_once_r27(invoiced: Desk) -> None:
    """As a snapshot of an earlier version left it: no parts of what is won, and a company without a form."""
    desk = invoiced
    next_day(desk, 0)

    def as_before(connection: Connection) -> str:
        ((key, deal),) = [(k, d) for k, d in kept.deals(connection, 1, None).items() if d.is_awaited]
        old = {DEAL: None, DONE: written(type(deal)(**{n: getattr(deal, n) for n in OF_DONE}))}
        connection.execute(_V.delete().where(_V.c.key == key))
        connection.execute(_V.insert(), {"kind": DONE, "key": key, "from_no": 1, "doc": old[DONE]})
        text = written(Firm("Europe/Madrid", "EUR")).replace(',"form":1', "")
        connection.execute(_V.update().where(_V.c.kind == "organisation").values(doc=text))
        digest = digest_of(kept.documents(connection, 1))
        connection.execute(_S.update().values(digest=digest))
        return digest

    digest = desk.office.database.write(as_before)
    next_day(desk, 1)
    next_day(desk, 2)
    snapshots = desk.office.database.read(lambda c: [(kept.numbered(c, n), kept.firm(c, n).form) for n in (1, 2, 3)])
    assert snapshots[0][0].digest == digest
    assert desk.office.database.read(lambda c: all(kept.proven(c, snapshot) for snapshot, _ in snapshots))
    assert [form for _, form in snapshots] == [1, 2, 2]
    assert [snapshot.counted["versions"] for snapshot, _ in snapshots[1:]] == [3, 0]  # the company, and both deals
    assert [rollup(desk, as_of=f"2026-01-0{n}")["missing_count"] for n in (5, 6)] == [0, 3]


OF_DONE = ("name", "owner_key", "stage_key", "state", "account_key", "territory_key", "amount_minor", "currency",
           "close_on", "closed_on", "products", "credits")  # fmt: skip
