"""When a figure stands no more, who finds that first, and what stays as it was (R26)."""

from typing import Any

import pytest

from forecasting import overriding
from forecasting.standing import OVERRIDES, Stored, read_overrides
from tests.crm.desk import Desk
from tests.forecasting.telling import code, nodes, rollup
from tests.forecasting.test_hidden_figures import move
from tests.forecasting.test_overrides import ANA, NORTH, four, listed, put, revert, said, superseded
from tests.quotas.books import win


def supersede(desk: Desk) -> int:
    return desk.office.database.write(overriding.supersede, desk.office.clock.now_ms())


def test_a_figure_that_was_set_anew_since_it_was_read_is_left_alone_r26(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(desk, "ana", ANA, amount=1)
    standing = OVERRIDES.c.status == "standing"
    read = desk.office.database.read(lambda c: read_overrides(c, standing))
    move(desk)
    assert said(desk, "ana", ANA, amount=777, rev=1)["status"] == "standing"
    with monkeypatch.context() as patched:
        patched.setattr(overriding, "read_overrides", lambda *_: read)
        assert supersede(desk) == 0
    assert [(i["override"]["amount_minor"], i["override"]["status"]) for i in listed(desk, "ana")] == [
        (777, "standing")
    ]
    assert supersede(desk) == 0


def test_where_the_figure_stands_no_more_there_is_none_before_the_job_says_so_r26(desk: Desk) -> None:
    said(desk, "ana", ANA, amount=1)
    move(desk)
    again = said(desk, "ana", ANA, amount=2)
    assert (again["number"], again["status"], again["rev"]) == (2, "standing", 2)
    assert code(put(desk, "ana", ANA, 3)) == (412, "rev_stale")


def test_a_period_that_is_over_keeps_its_figures_r26(desk: Desk) -> None:
    said(desk, "ana", ANA, amount=777)
    said(desk, "mia", NORTH, amount=888)
    desk.office.clock.advance(200 * 86_400_000)
    desk.forget_tokens()
    move(desk, "2026-07-01")
    desk.office.put(("users", "ana", {"active": False}), ("team_members", "m-mia", {"valid_to": "2026-07-01"}))
    assert supersede(desk) == 0
    assert {item["override"]["status"] for item in listed(desk)} == {"standing"}
    assert four(desk, NORTH)[2] == 888


def test_the_job_reads_no_figures_of_periods_that_are_over(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which there are more with each quarter, every minute."""
    said(desk, "ana", ANA, amount=1)
    desk.office.clock.advance(200 * 86_400_000)
    judged: list[int] = []

    def watched(*args: Any) -> list[Stored]:
        found = read_overrides(*args)
        judged.append(len(found))
        return found

    monkeypatch.setattr(overriding, "read_overrides", watched)
    assert (supersede(desk), judged) == (0, [0])


def test_who_moved_before_the_period_was_over_took_his_figure_out_of_it_r26(desk: Desk) -> None:
    said(desk, "ana", ANA, amount=777)
    desk.office.clock.advance(200 * 86_400_000)
    desk.forget_tokens()
    move(desk, "2026-03-31")
    assert superseded(desk) == [("superseded", "team")]


def test_a_figure_of_whom_the_tree_does_not_know_is_refused_r25(desk: Desk) -> None:
    """Fay keeps the books: she sells nothing and is in no team, so that her figure would count nowhere."""
    assert code(put(desk, "fay", "user:fay", 5_000)) == (403, "override_not_direct")
    assert desk.office.rows("forecast_overrides") == []


@pytest.mark.parametrize("asked", ["period=%00", "period=a%2Fb", "after=%00", "after=fo-nothing", "after=a%20b"])
def test_what_is_no_key_is_refused_and_not_asked_of_the_database(desk: Desk, asked: str) -> None:
    assert code(desk.get("ana", f"/api/forecast/overrides?{asked}")) == (400, "request_invalid")


def test_nobody_takes_a_figure_out_of_a_period_that_is_over_r26(desk: Desk) -> None:
    """As nobody sets one there."""
    said(desk, "ana", ANA, amount=777)
    desk.office.clock.advance(200 * 86_400_000)
    desk.forget_tokens()
    assert code(revert(desk, "ana", ANA, 1)) == (422, "forecast_period_over")
    assert code(put(desk, "ana", ANA, 5, rev=1)) == (422, "forecast_period_over")
    assert four(desk, ANA)[2] == 777


def test_who_moves_after_a_period_moves_no_figure_of_it_r18_r26(desk: Desk) -> None:
    win(desk.office.phone("ana"), "won", 1_000)
    said(desk, "ana", ANA, amount=777)
    desk.office.clock.advance(200 * 86_400_000)
    desk.forget_tokens()
    before = rollup(desk)
    assert four(desk, NORTH) == (0, 1_000, 777, 777)
    move(desk, "2026-07-01")
    q3 = {"name": "Q3", "kind": "quarter", "start_on": "2026-07-01", "end_on": "2026-10-01"}
    desk.office.put(("fiscal_periods", "q3", q3))
    late = {"name": "New", "email": "new@example.com", "role": "rep"}
    member = {"team_key": "south", "user_key": "new", "valid_from": "2026-07-01"}
    desk.office.put(("users", "new", late), ("team_members", "m-new", member))
    after = rollup(desk)
    assert after["nodes"] == before["nodes"]
    assert {"user:ana", "user:new"} <= set(nodes(rollup(desk, period="q3", node="team:south")))
    assert nodes(rollup(desk, "mia"))[ANA]["parent"] == NORTH
