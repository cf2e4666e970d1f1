"""The same repair brought twice changes nothing, and is told what became of the first (S2, S19)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, delete

from sfa.db.tables import receipts
from sync.protocol import Receipt
from tests.crm.desk import opened
from tests.office import Office, Phone
from tests.sync.test_repairs import NAMED, mend, mended_online, refused

OLD = {"body": "one two"}


def fate(receipt: Receipt) -> Receipt:
    """All but the number."""
    return msgspec.structs.replace(receipt, n=1)


@pytest.fixture
def phones(office: Office) -> tuple[Phone, Phone, str]:
    """Two phones of Ana, and the refusal of what she wrote to a note that has moved on since."""
    office.put(("notes", "n1", {"account_key": "acme", "author_key": "ana", "body": "one"}))
    ana, tablet = office.phone("ana"), office.phone("ana", "ana-2")
    refusal = refused(ana, "update", "notes", "n1", set={**OLD, "visit_key": "nowhere"}, base=1)
    ana.edit("notes", "n1", 1, body="one two three")
    return ana, tablet, refusal


def mend_note(phone: Phone, refusal: str, **said: Any) -> Receipt:
    return mend(phone, refusal, "update", "notes", "n1", set=said or OLD, base=1)


def test_the_second_of_two_phones_is_told_that_the_first_met_a_conflict(phones: tuple[Phone, Phone, str]) -> None:
    """S2, S19: whoever asks its user about the conflict, both may."""
    ana, tablet, refusal = phones
    first, second = mend_note(ana, refusal), mend_note(tablet, refusal)
    assert (first.outcome, len(first.conflicts), second.n) == ("conflict", 1, 1)
    assert fate(second) == fate(first)
    assert [row["key"] for row in ana.office.rows("conflicts")] == first.conflicts
    assert ana.office.row("notes", "n1")["body"] == "one two three"
    for phone in (ana, tablet):
        phone.catch_up()
        assert phone.sees() == ana.office.visible("ana")


def test_what_a_person_decided_since_does_not_change_what_became_of_it(phones: tuple[Phone, Phone, str]) -> None:
    """S18: receipts are for ever; the conflict's row tells how it stands."""
    ana, tablet, refusal = phones
    first = mend_note(ana, refusal)
    assert ana.do("conflict.restore", "conflicts", first.conflicts[0], base=1).outcome == "applied"
    assert fate(mend_note(tablet, refusal)) == fate(first)
    assert ana.office.row("notes", "n1")["body"] == "one two"


def test_a_repeat_in_the_same_push_is_told_it_too(phones: tuple[Phone, Phone, str]) -> None:
    """A copy of a phone that had both in its queue."""
    ana, _, refusal = phones
    twice = [ana.mutation("update", "notes", "n1", set=OLD, base=1, repairs=refusal) for _ in range(2)]
    first, second = ana.push(*twice).receipts
    assert (first.outcome, fate(second)) == ("conflict", fate(first))
    assert len(ana.office.rows("conflicts")) == 1


def test_other_words_are_still_another_repair(phones: tuple[Phone, Phone, str]) -> None:
    ana, tablet, refusal = phones
    mend_note(ana, refusal)
    other = mend_note(tablet, refusal, body="one two two")
    assert (other.code, other.conflicts) == ("already_repaired", [])


def test_it_is_told_what_was_merged_and_what_landed_with_it(office: Office) -> None:
    """S19: `details.again` of the first."""
    ana, tablet = office.phone("ana"), office.phone("ana", "ana-2")
    refusal = refused(ana, "create", "accounts", "a-1", set={"name": "", "territory_key": "t-north"})
    waits = refused(ana, set={"account_key": "a-1", "name": "Nora"})
    said: dict[str, Any] = {"set": {"name": "Nova", "territory_key": "t-north"}}
    first = mend(ana, refusal, "create", "accounts", "a-1", **said)
    office.put(("accounts", "a-1", {"name": "Later"}))
    second = mend(tablet, refusal, "create", "accounts", "a-1", **said)
    assert first.details == {"again": {waits: "applied"}}
    assert (fate(second), office.rev("accounts", "a-1")) == (fate(first), first.rev + 1)
    along = mend(tablet, waits, set={"account_key": "a-1", "name": "Nora"})
    assert (along.outcome, along.key, along.rev, along.details) == ("applied", "c-1", 1, None)


def test_a_try_that_was_refused_in_its_turn_is_repeated_with_the_words_that_landed(office: Office) -> None:
    """S1: the second phone saw only the later refusal."""
    ana, tablet = office.phone("ana"), office.phone("ana", "ana-2")
    first = refused(ana)
    tried = f"d-ana.{mend(ana, first, set={**NAMED, 'language': 'x' * 300}).n}"
    done = mend(ana, first)
    assert fate(mend(tablet, tried)) == fate(done)
    assert mend(tablet, tried, set={**NAMED, "language": "x" * 300}).code == "already_repaired"


def test_what_a_screen_repaired_is_told_by_its_conflicts(phones: tuple[Phone, Phone, str]) -> None:
    ana, tablet, refusal = phones
    with opened(ana.office) as desk:
        first = mended_online(desk, refusal, without=["visit_key"]).json()["receipt"]
        assert (first["outcome"], len(first["conflicts"])) == ("conflict", 1)
        again = mended_online(desk, refusal, without=["visit_key"]).json()["receipt"]
        assert (again["outcome"], again["conflicts"], again["rev"]) == ("conflict", first["conflicts"], first["rev"])
    second = mend_note(tablet, refusal)
    assert (second.outcome, second.conflicts, second.rev) == ("conflict", first["conflicts"], first["rev"])


def test_a_member_of_a_unit_that_was_taken_along_has_its_own_fate(office: Office) -> None:
    """S20: not that of the one that was repaired."""
    office.put(("notes", "n1", {"account_key": "acme", "author_key": "ana", "body": "one"}))
    ana, tablet, unit = office.phone("ana"), office.phone("ana", "ana-2"), {"id": "u", "size": 2}
    ana.push(
        ana.mutation("update", "notes", "n1", set=OLD, base=1, unit=unit),
        ana.mutation("update", "contacts", "carl", set={"name": ""}, base=1, unit=unit),
    )
    ana.edit("notes", "n1", 1, body="one two three")
    done = mend(ana, "d-ana.2", "update", "contacts", "carl", set={"name": "Karl"}, base=1)
    assert (done.outcome, done.conflicts) == ("applied", [])
    along = mend_note(tablet, "d-ana.1")
    assert (along.outcome, along.key, along.conflicts) == ("conflict", "n1", ["d-ana.1.0"])
    assert fate(mend(tablet, "d-ana.2", "update", "contacts", "carl", set={"name": "Karl"}, base=1)) == fate(done)


def test_where_the_first_receipt_is_not_kept_any_more_the_row_tells(office: Office) -> None:
    ana, tablet = office.phone("ana"), office.phone("ana", "ana-2")
    refusal = refused(ana)
    assert mend(ana, refusal).outcome == "applied"
    forget(office)
    second = mend(tablet, refusal)
    assert (second.outcome, second.key, second.rev) == ("applied", "c-1", 1)
    forget(office)
    office.put(("contacts", "c-1", {"name": "Later"}))
    third = mend(tablet, refusal)
    assert (third.outcome, third.rev) == ("merged", 2)


def test_a_conflict_is_told_also_without_the_first_receipt(phones: tuple[Phone, Phone, str]) -> None:
    ana, tablet, refusal = phones
    first = mend_note(ana, refusal)
    forget(ana.office)
    second = mend_note(tablet, refusal)
    assert (second.outcome, second.conflicts) == ("conflict", first.conflicts)


def test_a_row_that_left_the_scope_is_not_looked_at(office: Office) -> None:
    """S10: without a receipt of the first nothing is known but that it landed."""
    ana = office.phone("ana")
    refusal = refused(ana)
    with opened(office) as desk:
        assert mended_online(desk, refusal, set={"name": "Nora"}).status_code == 200
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    assert ("contacts", "c-1") not in office.visible("ana")
    second = mend(ana, refusal)
    assert (second.outcome, second.key, second.rev) == ("merged", "c-1", 0)


def forget(office: Office) -> None:
    def work(connection: Connection) -> None:
        connection.execute(delete(receipts))

    office.database.write(work)
