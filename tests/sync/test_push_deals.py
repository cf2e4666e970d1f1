"""Deals that phones move, close, sign and reopen: by the same rules as at a screen, once, and without a lost end."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from sync.protocol import PushAnswer
from tests.builders import DAY_MS, NOW
from tests.office import Office, Phone

CRITERIA = [{"kind": "lines", "at_least": 1}, {"kind": "role", "role": "decision_maker"}]
ASKING = ("stages", "lead", {"exit_criteria": CRITERIA})


def outcomes(answer: PushAnswer) -> list[str]:
    return [receipt.code or receipt.outcome for receipt in answer.receipts]


def line(phone: Phone, key: str, deal: str) -> dict[str, Any]:
    return phone.mutation("create", "deal_lines", key, set={"deal_key": deal, "product_key": "pump"})


def role(phone: Phone, key: str, deal: str, contact: str = "carl", part: str = "decision_maker") -> dict[str, Any]:
    said = {"deal_key": deal, "contact_key": contact, "role": part}
    return phone.mutation("create", "deal_contacts", key, set=said)


# -- what a stage asks -------------------------------------------------------------------------------------------------


def test_a_phone_that_skips_what_a_stage_asks_is_refused_with_all_that_is_missing(office: Office) -> None:
    """R20, S27: nothing half-done."""
    office.put(ASKING)
    ana = office.phone("ana")
    receipt = ana.do("deal.win", "deals", "deal-a", base=1)
    assert (receipt.outcome, receipt.code) == ("refused", "criteria_unmet")
    assert receipt.details is not None
    assert [m["kind"] for m in receipt.details["missing"]] == ["lines", "role"]
    assert office.row("deals", "deal-a")["stage_key"] == "lead"
    assert ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"}).outcome == "applied"


def test_what_a_stage_asks_may_come_in_the_same_push(office: Office) -> None:
    """R20, S17: in the order of the queue."""
    office.put(ASKING)
    ana = office.phone("ana")
    win = ana.mutation("deal.win", "deals", "deal-a", base=1)
    made = [line(ana, "l1", "deal-a"), role(ana, "r1", "deal-a")]
    again = ana.mutation("deal.win", "deals", "deal-a", base=1)
    assert outcomes(ana.push(win, *made, again)) == ["criteria_unmet", "applied", "applied", "applied"]
    drop = ana.mutation("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "lead"})
    gone = ana.mutation("delete", "deal_lines", "l1", base=1)
    third = ana.mutation("deal.win", "deals", "deal-a", base=2)
    assert outcomes(ana.push(drop, gone, third)) == ["applied", "applied", "criteria_unmet"]


def test_moving_many_deals_asks_the_database_no_more_than_moving_a_few(office: Office) -> None:
    """S8: lines and roles of all of them in one question each."""
    office.put(ASKING)
    deal = {"name": "D", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}

    def asked(names: list[str]) -> int:
        office.put(*(("deals", name, deal) for name in names))
        office.put(*(("deal_lines", f"l-{name}", {"deal_key": name, "product_key": "pump"}) for name in names))
        office.put(
            *(("deal_contacts", f"r-{n}", {"deal_key": n, "contact_key": "carl", "role": "champion"}) for n in names)
        )
        told: list[str] = []

        def note(connection: Connection, cursor: Any, statement: str, *more: Any) -> None:
            told.append(statement)

        ana = office.phone("ana")
        moves = [ana.mutation("deal.move", "deals", name, base=1, set={"stage_key": "offer"}) for name in names]
        event.listen(Engine, "before_cursor_execute", note)
        assert set(outcomes(ana.push(*moves))) == {"criteria_unmet"}
        event.remove(Engine, "before_cursor_execute", note)
        return sum("deal_lines" in statement or "deal_contacts" in statement for statement in told)

    few = asked([f"a{n}" for n in range(3)])
    assert 2 <= few == asked([f"b{n}" for n in range(40)])


# -- twice -------------------------------------------------------------------------------------------------------------


def test_two_devices_that_reopen_a_deal_do_it_once_and_the_end_is_kept(office: Office) -> None:
    """R21, S27."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.win", "deals", "deal-a", base=1)
    office.clock.advance(DAY_MS)
    assert ana.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "offer"}).outcome == "applied"
    office.clock.advance(DAY_MS)
    assert mia.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "offer"}).outcome in ("applied", "merged")
    row = office.row("deals", "deal-a")
    assert (row["closed_at"], row["stage_since"]) == (None, NOW + DAY_MS)
    (end,) = row["closings"]
    assert (end["stage_key"], end["closed_at"], end["reopened_at"]) == ("won", NOW, NOW + DAY_MS)
    assert (end["amount_minor"], end["currency"], end["owner_key"]) == (500000, "EUR", "ana")


def test_two_devices_that_sign_a_deal_sign_it_once(office: Office) -> None:
    """R9: the first one's instant stands."""
    ana, mia = office.phone("ana"), office.phone("mia")
    assert ana.do("deal.sign", "deals", "deal-a", base=1).code == "illegal_transition"
    ana.do("deal.win", "deals", "deal-a", base=1)
    office.clock.advance(1_000)
    ana.do("deal.sign", "deals", "deal-a", base=2)
    office.clock.advance(1_000)
    mia.do("deal.sign", "deals", "deal-a", base=2)
    assert office.row("deals", "deal-a")["signed_at"] == NOW + 1_000
    assert office.rows("conflicts") == []
    assert ana.do("deal.invoice", "deals", "deal-a", base=3, set={"at": NOW + DAY_MS}).code == "command_invalid"
    assert ana.do("deal.invoice", "deals", "deal-a", base=3, set={"at": NOW + 1}).outcome == "applied"


def test_an_end_that_was_reversed_survives_a_conflict_that_is_restored(office: Office) -> None:
    """R21, S24: Mia wins again what Ana saw lost and reopened at the same time."""
    ana, mia = office.phone("ana"), office.phone("mia")
    ana.do("deal.win", "deals", "deal-a", base=1)
    mia.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "offer"})
    mia.do("deal.win", "deals", "deal-a", base=3)
    office.clock.advance(DAY_MS)
    receipt = ana.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "lead"})
    assert receipt.outcome == "conflict"
    office.clock.advance(DAY_MS)
    assert ana.do("conflict.restore", "conflicts", receipt.conflicts[0]).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], row["closed_at"]) == ("lead", None)
    assert [end["reopened_at"] for end in row["closings"]] == [NOW, NOW + 2 * DAY_MS]


def test_an_app_of_version_1_wins_loses_and_reopens_as_ever(office: Office) -> None:
    """S32: what it does not know is kept for it."""
    ana = office.phone("ana")
    ana.contract = 1
    assert ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"}).outcome == "applied"
    assert ana.do("deal.reopen", "deals", "deal-a", base=2, set={"stage_key": "offer"}).outcome == "applied"
    assert ana.do("deal.win", "deals", "deal-a", base=3).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert [end["lost_reason"] for end in row["closings"]] == ["price"]
    ana.catch_up()
    assert "closings" not in ana.sees()["deals", "deal-a"]


# -- losing ------------------------------------------------------------------------------------------------------------


def test_a_loss_says_which_competitor_won_where_its_reason_asks(office: Office) -> None:
    """R21."""
    office.put(("lost_reasons", "rival", {"name": "Somebody else", "asks_competitor": True}))
    office.put(("competitors", "acme-pumps", {"name": "Acme Pumps"}))
    ana = office.phone("ana")
    receipt = ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason_key": "rival"})
    assert (receipt.code, receipt.details) == (
        "loss_incomplete",
        {"field": "competitor_key", "missing": ["competitor_key"]},
    )
    said = {"reason_key": "rival", "competitor_key": "acme-pumps"}
    assert ana.do("deal.lose", "deals", "deal-a", base=1, set=said).outcome == "applied"
    row = office.row("deals", "deal-a")
    assert (row["lost_reason"], row["competitor_key"]) == ("Somebody else", "acme-pumps")
    assert ana.edit("deals", "deal-a", lost_reason_key="rival").code == "field_read_only"


# -- pipelines, shares, people -----------------------------------------------------------------------------------------


def test_a_stage_that_is_over_takes_no_deal_of_a_later_day(office: Office) -> None:
    """R20, R32: midnight of the organisation, not of London; late commands count by their own day."""
    midnight = NOW - 9 * 3_600_000  # 00:00 in Madrid, 23:00 UTC of the day before
    office.put(("stages", "offer", {"valid_from": "2025-01-01", "valid_to": "2026-01-05"}))
    office.put(*(("deals", name, {"name": "D", "owner_key": "ana", "stage_key": "lead"}) for name in ("d1", "d2")))
    ana = office.phone("ana")
    on_time = ana.do("deal.move", "deals", "d1", base=1, at=midnight - 1, set={"stage_key": "offer"})
    late = ana.do("deal.move", "deals", "d2", base=1, at=midnight, set={"stage_key": "offer"})
    assert (on_time.outcome, late.code) == ("applied", "stage_not_offered")
    assert late.details is not None
    assert late.details["offered"] == ["lead"]


def test_a_deal_begins_in_the_pipeline_of_its_stage_and_leaves_it_by_command(office: Office) -> None:
    """R20."""
    office.put(("pipelines", "renewals", {"name": "Renewals"}))
    office.put(("stages", "due", {"name": "Due", "pipeline_key": "renewals"}))
    ana = office.phone("ana")
    assert ana.do("create", "deals", "d1", set={"name": "D", "stage_key": "due"}).outcome == "applied"
    assert office.row("deals", "d1")["pipeline_key"] == "renewals"
    assert ana.edit("deals", "d1", pipeline_key=None).code == "field_read_only"
    assert ana.do("deal.move", "deals", "deal-a", base=1, set={"stage_key": "due"}).code == "stage_not_offered"
    moved = ana.do("deal.transfer", "deals", "d1", base=1, set={"pipeline_key": None, "stage_key": "lead"})
    assert moved.outcome == "applied"
    assert office.row("deals", "d1")["pipeline_key"] is None


def test_splits_that_do_not_total_all_land_nowhere(office: Office) -> None:
    """R16: 99.99 % is refused, with what is missing; overlays are bound to no total."""
    thirds = [{"user_key": user, "share_bp": 3_333} for user in ("ana", "bob", "mia")]
    ana = office.phone("ana")
    receipt = ana.edit("deals", "deal-a", splits=thirds, overlays=[{"user_key": "cleo", "share_bp": 10_000}])
    assert receipt.code == "splits_invalid"
    assert receipt.details is not None
    assert receipt.details["missing_bp"] == 1
    assert office.row("deals", "deal-a")["overlays"] == []
    overlays = [{"user_key": user, "share_bp": 10_000} for user in ("cleo", "mia")]
    assert ana.edit("deals", "deal-a", overlays=overlays).outcome == "applied"
    assert ana.edit("deals", "deal-a", overlays=[{"user_key": "nobody", "share_bp": 1}]).code == "reference_unknown"
    assert "deal-a" in {key for entity, key in office.visible("cleo") if entity == "deals"}
    assert office.phone("cleo").edit("deals", "deal-a", next_step="mine").code == "not_permitted"


def test_a_deal_with_splits_is_handed_to_a_new_owner_who_shares_in_it(office: Office) -> None:
    """R16."""
    halves = [{"user_key": user, "share_bp": 5_000} for user in ("ana", "mia")]
    office.put(("deals", "deal-a", {"splits": halves}))
    mia = office.phone("mia")
    receipt = mia.edit("deals", "deal-a", owner_key="bob")
    assert receipt.details is not None
    assert (receipt.code, receipt.details["missing"]) == ("splits_invalid", ["bob"])
    other = [{"user_key": user, "share_bp": 5_000} for user in ("bob", "mia")]
    assert mia.edit("deals", "deal-a", owner_key="bob", splits=other).outcome == "applied"


def test_a_person_is_in_a_deal_once_whoever_adds_him(office: Office) -> None:
    """R20: the second one is told which row stands."""
    ana, mia = office.phone("ana"), office.phone("mia")
    assert outcomes(ana.push(role(ana, "r1", "deal-a"), role(ana, "r2", "deal-a"))) == ["applied", "contact_there"]
    (receipt,) = mia.push(role(mia, "r3", "deal-a", part="champion")).receipts
    assert receipt.details is not None
    assert (receipt.code, receipt.details["key"]) == ("contact_there", "r1")
    assert mia.edit("deal_contacts", "r1", role="champion").outcome == "applied"
    assert ana.do("delete", "deal_contacts", "r1", base=office.rev("deal_contacts", "r1")).outcome == "applied"
    assert outcomes(ana.push(role(ana, "r4", "deal-a"))) == ["applied"]
    assert ana.edit("deal_contacts", "r1", note="back").code == "contact_there"


@pytest.mark.parametrize(("parent", "code"), [(None, "contact_elsewhere"), ("holding", None)])
def test_a_person_of_another_customer_has_no_part_but_one_of_the_family(
    office: Office, parent: str | None, code: str | None
) -> None:
    """R20."""
    office.put(("accounts", "holding", {"name": "Holding", "territory_key": "t-north"}))
    office.put(("accounts", "acme", {"parent_key": "holding"}))
    office.put(("accounts", "sister", {"name": "Sister", "territory_key": "t-north", "parent_key": parent}))
    office.put(("contacts", "sue", {"account_key": "sister", "name": "Sue"}))
    ana = office.phone("ana")
    (receipt,) = ana.push(role(ana, "r1", "deal-a", contact="sue")).receipts
    assert receipt.code == code
    office.put(("deals", "free", {"name": "Free", "owner_key": "ana", "stage_key": "lead"}))
    assert outcomes(ana.push(role(ana, "r2", "free", contact="sue"))) == ["applied"]
