"""A merge of customers takes along what was credited and taken back there (R3), on both databases."""

from typing import Any

from sqlalchemy import select

from sfa.db.credits import rebuild
from sfa.db.tables import kept_credits
from tests.db.test_credits import closing
from tests.office import Office
from tests.quotas.ledger import stored, won, write


def test_r3_a_merge_makes_what_was_reopened_and_what_is_kept_aside_the_survivors_too(office: Office) -> None:
    office.put(("accounts", "acme", {"territory_key": "t-south"}), ("accounts", "dup", {"name": "Acme again"}))
    office.put(("accounts", "dup", {"territory_key": "t-north"}))
    write(office, won("a", "2026-01-10", account_key="dup"), won("gone", "2026-01-10", account_key="dup"))
    opened = {"stage_key": "offer", "closed_at": None, "closings": [closing("2026-01-10", "2026-01-20")]}
    write(office, ("deals", "a", opened), ("deals", "gone", opened))
    office.delete("deals", "gone")
    kept = select(kept_credits.c.account_key)

    def counted() -> list[tuple[Any, Any]]:
        return [(row["account_key"], row["territory_key"]) for row in stored(office)[0]]

    def aside() -> list[str]:
        return [row["account_key"] for row in office.all(kept)]

    assert (counted(), aside()) == ([("dup", "t-north")] * 2, ["dup"] * 2)
    dirk = office.phone("dirk")
    dirk.do("account.merge", "accounts", "dup", base=office.rev("accounts", "dup"), set={"into": "acme"})
    assert (counted(), aside()) == ([("acme", "t-north")] * 2, ["acme"] * 2)
    assert office.database.write(rebuild) == 0
    dirk.do("account.unmerge", "accounts", "acme", set={"loser": "dup"})
    assert (counted(), aside()) == ([("dup", "t-north")] * 2, ["dup"] * 2)
