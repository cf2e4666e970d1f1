"""What deals were credited with and lost comes back as it was (R16, R21), on both databases."""

from typing import Any

from sqlalchemy import select

from sfa.db.credits import rebuild
from sfa.db.tables import kept_credits, kept_quantities
from tests.office import Office
from tests.quotas.ledger import at, line, stored, won, write

MOVED = ("accounts", "acme", {"territory_key": "t-south"})
INVOICED = ("credit_rules", "r", {"event": "invoiced", "valid_from": "2026-01-01", "valid_to": None})


def aside(office: Office) -> tuple[list[Any], list[Any]]:
    credits_ = office.all(select(kept_credits).order_by(*kept_credits.primary_key.columns))
    return credits_, office.all(select(kept_quantities).order_by(*kept_quantities.primary_key.columns))


def reopen(office: Office, key: str) -> None:
    receipt = office.phone("mia").do(
        "deal.reopen", "deals", key, base=office.rev("deals", key), set={"stage_key": "lead"}
    )
    assert receipt.outcome == "applied"


def test_r21_a_deal_that_is_deleted_and_revived_keeps_what_a_reopening_reversed(office: Office) -> None:
    ana = office.phone("ana")
    write(office, won("a", "2026-01-05"), line("l", "a", "2"))
    reopen(office, "a")
    before = stored(office)
    assert [(row["reversal"], row["cost_minor"]) for row in before[0]] == [(False, 120_00), (True, 120_00)]
    write(office, MOVED, line("l", "a", "7"), ("unit_costs", "c-pump", {"amount_minor": 1}))
    office.delete("deals", "a")
    assert (stored(office), aside(office)) == (([], []), before)
    assert office.database.write(rebuild) == 0
    assert aside(office) == before
    assert ana.edit("deals", "a", base=1, name="back").outcome in ("applied", "merged")
    assert (stored(office), aside(office)) == (before, ([], []))
    assert office.database.write(rebuild) == 0


def test_a_won_deal_that_is_deleted_and_revived_keeps_its_territory(office: Office) -> None:
    write(office, won("a", "2026-01-05"))
    before = stored(office)
    write(office, MOVED)
    office.delete("deals", "a")
    write(office, ("deals", "a", {"name": "back"}))
    assert (stored(office), aside(office)) == (before, ([], []))
    office.delete("deals", "a")
    write(office, ("deals", "a", {"account_key": "zeta"}))  # to another customer: the territory is that of today
    write(office, ("deals", "a", {"account_key": "acme"}))
    assert [row["territory_key"] for row in stored(office)[0]] == ["t-south"]


def test_a_deal_that_is_deleted_while_its_customers_are_merged_keeps_its_territory(office: Office) -> None:
    office.put(("accounts", "dup", {"name": "Acme again", "territory_key": "t-north"}))
    write(office, won("a", "2026-01-05", account_key="dup"))
    office.put(MOVED, ("accounts", "dup", {"territory_key": "t-south"}))
    office.delete("deals", "a")
    dirk = office.phone("dirk")
    merged = dirk.do("account.merge", "accounts", "dup", base=office.rev("accounts", "dup"), set={"into": "acme"})
    assert merged.outcome == "applied"
    write(office, ("deals", "a", {"name": "back"}))
    named = office.row("deals", "a")["account_key"]
    assert [(row["account_key"], row["territory_key"]) for row in stored(office)[0]] == [(named, "t-north")]


def test_a_rule_that_is_set_and_taken_back_moves_no_credit(office: Office) -> None:
    write(office, won("a", "2026-01-05"), line("l", "a", "2"))
    before = stored(office)
    write(office, MOVED, INVOICED)
    assert (stored(office), aside(office)) == (([], []), before)
    assert office.database.write(rebuild) == 0
    office.delete("credit_rules", "r")
    assert (stored(office), aside(office)) == (before, ([], []))
    assert office.database.write(rebuild) == 0


def test_a_deal_whose_other_event_comes_is_credited_where_its_customer_is_then(office: Office) -> None:
    write(office, won("a", "2026-01-05"))
    write(office, MOVED, INVOICED)
    write(office, ("deals", "a", {"invoiced_at": at("2026-02-01")}))
    assert [(row["event"], row["territory_key"]) for row in stored(office)[0]] == [("invoiced", "t-south")]
    assert aside(office) == ([], [])


def test_an_end_that_was_not_credited_at_its_reopening_is_not_afterwards(office: Office) -> None:
    write(office, won("a", "2026-01-05"))
    write(office, INVOICED)
    reopen(office, "a")
    write(office, ("deals", "a", {"amount_minor": 7}))
    assert stored(office) == ([], [])
    assert office.database.write(rebuild) == 0
