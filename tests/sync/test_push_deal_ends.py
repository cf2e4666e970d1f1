"""Ends of deals, and what they credit, go only by a dated reversal, whoever takes them away; who may say when (R21)."""

from typing import Any

import pytest
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.db.tables.figures import credited
from sfa.db.writes import Door, Origin
from tests.builders import DAY_MS, NOW
from tests.office import Office

ASKING = ("stages", "lead", {"exit_criteria": [{"kind": "lines", "at_least": 1}]})
OPENED = {"stage_key": "lead", "closed_at": None, "lost_reason": None}


def credit(office: Office) -> list[tuple[int, bool]]:
    query = select(credited.c.at, credited.c.reversal).where(credited.c.deal_key == "deal-a")
    found = office.database.read(lambda connection: connection.execute(query).all())
    return sorted((at, is_reversal) for at, is_reversal in found)


def conflict(office: Office, losing: dict[str, Any], group: str = "stage", strategy: str = "ask") -> str:
    said = {"entity": "deals", "row_key": "deal-a", "field_group": group, "strategy": strategy, "losing": losing}
    told = {"standing": {}, "author_key": "mia", "device_key": "d-mia", "n": 1, "reason": "concurrent"}
    office.put_server_row("conflicts", "old", {**said, **told, "status": "open"})
    return "old"


def imported(office: Office, entity: str, key: str, values: dict[str, Any]) -> str:
    def work(connection: Connection) -> str:
        now = office.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
        outcome = edits.imported(door, entity, key, values, {}, origin)
        door.flush()
        return outcome

    return office.database.write(work)


# -- restoring and importing -------------------------------------------------------------------------------------------


def test_a_conflict_of_an_older_server_reverses_the_end_that_it_opens(office: Office) -> None:
    """R21: it says nothing of `closings`."""
    ana = office.phone("ana")
    ana.do("deal.win", "deals", "deal-a", base=1)
    ana.do("deal.sign", "deals", "deal-a", base=2)
    office.clock.advance(DAY_MS)
    assert ana.do("conflict.restore", "conflicts", conflict(office, OPENED)).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["closed_at"], row["signed_at"]) == (None, None)
    assert [(end["closed_at"], end["signed_at"]) for end in row["closings"]] == [(NOW, NOW)]
    assert credit(office) == [(NOW, False), (NOW + DAY_MS, True)]


def test_a_loss_that_is_put_back_over_a_win_takes_its_credit_back_on_that_day(office: Office) -> None:
    """R21; and the other way round what the win asks is asked again."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.win", "deals", "deal-a", base=1)
    receipt = mia.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"})
    office.clock.advance(DAY_MS)
    assert mia.do("conflict.restore", "conflicts", receipt.conflicts[0]).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], [end["stage_key"] for end in row["closings"]]) == ("lost", ["won"])
    assert credit(office) == [(NOW, False), (NOW + DAY_MS, True)]


def test_a_win_that_met_a_loss_is_put_back_only_with_all_that_it_asks(office: Office) -> None:
    """R20."""
    office.put(ASKING)
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"})
    receipt = mia.do("deal.win", "deals", "deal-a", base=1)
    assert receipt.outcome == "conflict"
    assert mia.do("conflict.restore", "conflicts", receipt.conflicts[0]).code == "criteria_unmet"
    office.put(("deal_lines", "l1", {"deal_key": "deal-a", "product_key": "pump"}))
    assert mia.do("conflict.restore", "conflicts", receipt.conflicts[0]).outcome == "applied"
    assert office.row("deals", "deal-a")["stage_key"] == "won"


def test_a_file_that_opens_a_won_deal_reverses_its_end_once(office: Office) -> None:
    """R21: the same file again changes nothing."""
    ana = office.phone("ana")
    ana.do("deal.win", "deals", "deal-a", base=1)
    ana.do("deal.sign", "deals", "deal-a", base=2)
    office.clock.advance(DAY_MS)
    assert imported(office, "deals", "deal-a", OPENED) == "updated"
    assert credit(office) == [(NOW, False), (NOW + DAY_MS, True)]
    assert office.row("deals", "deal-a")["signed_at"] is None
    assert imported(office, "deals", "deal-a", OPENED) == "unchanged"
    moved = {"stage_key": "won", "closed_at": NOW - DAY_MS, "lost_reason": None, "signed_at": NOW - DAY_MS}
    assert imported(office, "deals", "deal-a", moved) == "updated"
    assert imported(office, "deals", "deal-a", moved) == "unchanged"
    assert len(office.row("deals", "deal-a")["closings"]) == 1


def test_words_about_a_loss_are_not_put_on_a_deal_that_was_reopened(office: Office) -> None:
    """R21."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"})
    receipt = mia.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "too late"})
    (key,) = receipt.conflicts
    ana.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "lead"})
    assert mia.do("conflict.restore", "conflicts", key).code == "illegal_transition"
    assert office.row("deals", "deal-a")["lost_reason"] is None


def test_who_has_a_share_in_a_deal_that_was_won_does_not_delete_it(office: Office) -> None:
    """R21, R53."""
    halves = [{"user_key": user, "share_bp": 5_000} for user in ("ana", "bob")]
    office.put(("deals", "deal-a", {"splits": halves}))
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"))
    assert bob.do("delete", "deals", "deal-a", base=office.rev("deals", "deal-a")).code == "not_permitted"
    bob.do("deal.reopen", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={"stage_key": "lead"})
    assert bob.do("delete", "deals", "deal-a", base=office.rev("deals", "deal-a")).code == "not_permitted"
    assert ana.do("delete", "deals", "deal-a", base=office.rev("deals", "deal-a")).outcome == "applied"


# -- signing and invoicing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["sign", "invoice"])
def test_one_who_signs_and_one_who_invoices_do_not_meet(office: Office, first: str) -> None:
    """R9, S24: both stand, in either order."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.win", "deals", "deal-a", base=1)
    second = {"sign": "invoice", "invoice": "sign"}[first]
    assert ana.do(f"deal.{first}", "deals", "deal-a", base=2).outcome == "applied"
    assert mia.do(f"deal.{second}", "deals", "deal-a", base=2).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["signed_at"], row["invoiced_at"], office.rows("conflicts")) == (NOW, NOW, [])


def test_an_older_conflict_of_signing_takes_no_signature_away(office: Office) -> None:
    """R9: then both were one value."""
    ana = office.phone("ana")
    ana.do("deal.win", "deals", "deal-a", base=1)
    ana.do("deal.sign", "deals", "deal-a", base=2)
    losing = {"stage_key": "won", "closed_at": NOW, "closings": [], "signed_at": None, "invoiced_at": NOW}
    assert ana.do("conflict.restore", "conflicts", conflict(office, losing)).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["signed_at"], row["invoiced_at"], row["closings"]) == (NOW, NOW, [])


def test_a_signature_goes_with_the_end_that_is_reopened_and_stays_where_it_is_not(office: Office) -> None:
    """R21, S24."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.win", "deals", "deal-a", base=1)
    ana.do("deal.sign", "deals", "deal-a", base=2)
    assert mia.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "lead"}).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["signed_at"], [end["signed_at"] for end in row["closings"]]) == (None, [NOW])
    late = ana.do("deal.invoice", "deals", "deal-a", base=3)
    assert late.outcome == "conflict"
    assert ana.do("conflict.restore", "conflicts", late.conflicts[0]).code == "illegal_transition"
    mia.do("deal.win", "deals", "deal-a", base=4)
    mia.do("deal.sign", "deals", "deal-a", base=5)
    again = ana.do("deal.reopen", "deals", "deal-a", base=3, set={"stage_key": "offer"})
    assert again.outcome == "conflict"
    assert office.row("deals", "deal-a")["signed_at"] == NOW


def test_when_a_deal_was_signed_is_corrected_by_somebody_above(office: Office) -> None:
    """R9, R53: the owner says it first; not before the deal was opened."""
    office.put(("deals", "deal-a", {"splits": [{"user_key": user, "share_bp": 5_000} for user in ("ana", "bob")]}))
    office.put(("deals", "deal-a", {"opened_on": "2025-12-20"}))
    ana, bob, mia = (office.phone(user) for user in ("ana", "bob", "mia"))
    ana.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"))
    rev = office.rev("deals", "deal-a")
    assert ana.do("deal.sign", "deals", "deal-a", base=rev, set={"at": 0}).code == "command_invalid"
    assert ana.do("deal.sign", "deals", "deal-a", base=rev, set={"at": NOW - DAY_MS}).outcome == "applied"
    rev, other = office.rev("deals", "deal-a"), {"at": NOW - 2 * DAY_MS}
    for phone in (ana, bob):
        assert phone.do("deal.sign", "deals", "deal-a", base=rev, set=other).code == "field_not_permitted"
    assert mia.do("deal.sign", "deals", "deal-a", base=rev, set=other).outcome == "applied"
    assert office.row("deals", "deal-a")["signed_at"] == NOW - 2 * DAY_MS


def test_a_phone_whose_clock_is_fast_signs_now(office: Office) -> None:
    """S28: what it said outright was not in the future for it."""
    ana = office.phone("ana")
    ana.do("deal.win", "deals", "deal-a", base=1)
    fast = office.clock.now_ms() + 120_000
    mutation = {**ana.mutation("deal.sign", "deals", "deal-a", base=2, set={"at": fast}), "at": fast}
    (receipt,) = ana.push(mutation, now=fast).receipts
    assert receipt.outcome in ("applied", "merged")
    assert office.row("deals", "deal-a")["signed_at"] == NOW


# -- stages and shares -------------------------------------------------------------------------------------------------


def test_a_stage_that_deals_are_or_ended_in_stays_what_it_is(office: Office) -> None:
    """R21: another kind would rewrite what was credited."""
    office.put(("stages", "won_", {"name": "Won too", "kind": "won", "position": 90}))
    ana, dirk = office.phone("ana"), office.phone("dirk")
    assert dirk.edit("stages", "won_", kind="lost").outcome == "applied"
    assert dirk.edit("stages", "lead", kind="won").code == "stage_in_use"
    ana.do("deal.win", "deals", "deal-a", base=1)
    ana.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "lead"})
    assert dirk.edit("stages", "won", kind="lost").code == "stage_in_use"
    assert dirk.edit("stages", "won", name="Ours").outcome == "applied"
    with pytest.raises(Refused, match="Deals are, or ended"):
        imported(office, "stages", "won", {"kind": "open"})


def test_a_deal_whose_won_stage_was_deleted_is_signed(office: Office) -> None:
    """R9: before stages were kept that deals ended in."""

    def lose(connection: Connection) -> None:
        door = Door(connection, NOW)
        door.delete(door.cell("stages", "won"), Origin(author_key=None, at=NOW, stored_at=NOW))
        door.flush()

    ana = office.phone("ana")
    ana.do("deal.win", "deals", "deal-a", base=1)
    office.database.write(lose)
    assert ana.do("deal.sign", "deals", "deal-a", base=2).outcome == "applied"
    assert len(credit(office)) == 1


def test_nobody_has_an_overlay_beside_what_he_has_of_the_deal(office: Office) -> None:
    """R16."""
    ana = office.phone("ana")
    receipt = ana.edit("deals", "deal-a", overlays=[{"user_key": "ana", "share_bp": 10_000}])
    assert (receipt.code, receipt.details) == ("splits_invalid", {"field": "overlays", "twice": ["ana"]})
    halves = [{"user_key": user, "share_bp": 5_000} for user in ("ana", "bob")]
    both = ana.edit("deals", "deal-a", splits=halves, overlays=[{"user_key": "bob", "share_bp": 1}])
    assert both.code == "splits_invalid"
    assert ana.edit("deals", "deal-a", overlays=[{"user_key": "bob", "share_bp": 1}]).outcome == "applied"
