"""What a device counts of deals stays what the server counts: stages and products that deals name, past rules."""

from typing import Any

from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.db.credits import rebuild
from sfa.db.writes import Door, Origin
from sync.device.attainment import own_figures
from tests.office import Office
from tests.quotas.books import Q1, Q2, quota, until, win
from tests.quotas.ledger import line, stored, values, won, write
from tests.sync.device.pocket import Pocket, pocket


def held(device: Pocket) -> dict[str, int | None]:
    return {key: own.figure.value if own.figure else None for key, own in own_figures(device).items()}


def test_r21_a_stage_that_deals_were_won_or_lost_in_is_not_deleted(office: Office) -> None:
    big = {"name": "Big", "position": 8, "kind": "won"}
    office.put(("stages", "won-big", big), ("stages", "won-no", {**big, "position": 9}))
    write(office, won("a", "2026-01-02", stage_key="won-big"))
    dirk = office.phone("dirk")
    assert dirk.do("delete", "stages", "won-no", base=1).outcome == "applied"
    receipt = dirk.do("delete", "stages", "won-big", base=1)
    assert (receipt.code, receipt.details) == ("stage_in_use", {"key": "won-big"})
    dirk.do("deal.reopen", "deals", "a", base=1, set={"stage_key": "lead"})
    assert dirk.do("delete", "stages", "won-big", base=1).code == "stage_in_use"


def test_a_stage_is_not_deleted_by_the_transaction_that_wins_a_deal_in_it(office: Office) -> None:
    def work(connection: Any) -> str:
        now = office.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
        door.put(door.cell("deals", "deal-a"), {"stage_key": "won", "closed_at": now}, origin)
        try:
            edits.delete(door, edits.TRUSTED, door.cell("stages", "won"), origin)
        except Refused as refused:
            return refused.code
        return "deleted"

    assert office.database.write(work) == "stage_in_use"


def test_a_product_that_lines_name_is_not_deleted(office: Office) -> None:
    office.put(("products", "salt", {"name": "Salt", "unit": "kg"}))
    write(office, won("a", "2026-01-02"), line("l", "a", "2.5", "salt"))
    dirk = office.phone("dirk")
    receipt = dirk.do("delete", "products", "salt", base=1)
    assert (receipt.code, receipt.details) == ("product_in_use", {"key": "salt"})
    office.delete("deal_lines", "l")
    assert dirk.do("delete", "products", "salt", base=1).outcome == "applied"


def test_r21_a_rule_that_changes_after_a_reopening_changes_nothing_on_server_or_device(office: Office) -> None:
    office.put(("fiscal_periods", "q1", Q1), ("fiscal_periods", "q2", Q2))
    office.put(quota("a1", user_key="ana"), quota("a2", period="q2", user_key="ana"))
    win(office.phone("ana"), "w", 500_000)
    until(office, "2026-04-02 08:00")
    base = office.rev("deals", "w")
    office.phone("mia").do("deal.reopen", "deals", "w", base=base, set={"stage_key": "lead"})
    assert office.row("deals", "w")["closings"][0]["event"] == "won"
    device = pocket(office, "ana")
    device.sync()
    office.clock.advance(1_000)
    assert values(office) == held(device) == {"a1": 500_000, "a2": -500_000}
    office.put(("credit_rules", "r", {"event": "invoiced", "valid_from": "2026-01-01"}))
    device.sync()
    assert values(office) == held(device) == {"a1": 500_000, "a2": -500_000}
    assert office.database.write(rebuild) == 0


def test_r9_an_end_that_no_event_had_credited_is_not_credited_by_a_later_rule(office: Office) -> None:
    office.put(("credit_rules", "r", {"event": "invoiced", "valid_from": "2026-01-01"}))
    win(office.phone("ana"), "w", 500_000)
    base = office.rev("deals", "w")
    office.phone("mia").do("deal.reopen", "deals", "w", base=base, set={"stage_key": "lead"})
    assert office.row("deals", "w")["closings"][0]["event"] is None
    office.delete("credit_rules", "r")
    assert stored(office) == ([], [])
    assert office.database.write(rebuild) == 0
