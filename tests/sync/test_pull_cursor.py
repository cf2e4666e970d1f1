"""Cursors: authenticated, bound, and never a reason to be stuck (S12, S14, S15, S35)."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from sfa.core.errors import Refused
from sfa.db import feed
from sfa.db.tables import clock
from sync import cursor as cursors
from sync.cursor import Cursor
from tests.office import SECRET, Office

texts = st.text(max_size=20)
numbers = st.integers(0, 2**62)
made = st.builds(
    Cursor, texts, texts, st.integers(1, 9), texts, numbers, numbers, st.dictionaries(texts, st.tuples(texts, texts))
)


@given(made)
def test_a_cursor_survives_its_coding(cursor: Cursor) -> None:
    """S12."""
    assert cursors.read(cursors.write(cursor, SECRET), SECRET) == cursor


@given(made, st.data())
def test_one_changed_bit_makes_a_cursor_worthless(cursor: Cursor, data: st.DataObject) -> None:
    """S12."""
    raw = bytearray(base64.urlsafe_b64decode(cursors.write(cursor, SECRET)))
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    assert cursors.read(base64.urlsafe_b64encode(raw).decode(), SECRET) is None


@given(made)
def test_another_servers_cursor_is_worthless(cursor: Cursor) -> None:
    """S12."""
    assert cursors.read(cursors.write(cursor, b"x" * 32), SECRET) is None


@given(st.text(max_size=200))
def test_any_text_may_be_offered_as_a_cursor(text: str) -> None:
    """S12, S15: the answer is a reset, never an error."""
    assert cursors.read(text, SECRET) is None


def changed(office: Office, **values: object) -> str:
    """The caught-up cursor of ana's phone with some parts replaced, signed by this server."""
    ana = office.phone("ana")
    ana.catch_up()
    assert ana.cursor is not None
    known = cursors.read(ana.cursor, SECRET)
    assert known is not None
    return cursors.write(msgspec.structs.replace(known, **values), SECRET)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"user": "bob"}, "cursor_foreign"),
        ({"device": "d-bob"}, "cursor_foreign"),
        ({"epoch": "another"}, "epoch_changed"),
        ({"contract": 99}, "contract_changed"),
        ({"epoch": "another", "c": 2**60, "g": 2**60}, "epoch_changed"),
    ],
)
def test_a_cursor_of_another_life_is_answered_by_a_reset_with_its_reason(
    office: Office, values: dict[str, object], reason: str
) -> None:
    """S12, S15: and the phone ends up right."""
    ana = office.phone("ana")
    ana.cursor = changed(office, **values)
    ana.catch_up(page_rows=5)
    assert ana.resets == ["no_cursor", reason]
    assert ana.sees() == office.visible("ana")


@pytest.mark.parametrize("text", ["x", "AAAA", "\x00", "ключ", "A" * 10_000, "=" * 8])
def test_a_cursor_that_nobody_made_is_answered_by_a_reset(shared_office: Office, text: str) -> None:
    """S12, S15."""
    page = shared_office.phone("bob").page(text)
    assert (page.reset, page.caught_up) == ("cursor_invalid", True)


def test_a_reset_keeps_the_old_copies_until_caught_up_and_then_sweeps(office: Office) -> None:
    """S15: the app is never empty, and what was deleted meanwhile goes."""
    ana = office.phone("ana")
    ana.catch_up()
    office.delete("contacts", "carl")
    ana.cursor = "lost"
    ana.catch_up(page_rows=2)
    assert ana.resets == ["no_cursor", "cursor_invalid"]
    assert ana.sees() == office.visible("ana")


def purge(office: Office, seq: int) -> None:
    office.database.write(feed.purge, seq)


@pytest.mark.parametrize("part", ["c", "g"])
def test_a_cursor_older_than_the_purge_is_reset(office: Office, part: str) -> None:
    """S14, S15: the horizon is compared with every position in it."""
    old = office.seq() - 1
    purge(office, old + 1)
    assert office.phone("ana").page(changed(office, **{part: old})).reset == "purged"
    assert office.phone("ana").page(changed(office, **{part: old + 1})).reset is None


def test_a_phone_that_slept_through_a_purge_loses_what_is_gone(office: Office) -> None:
    """S15."""
    ana = office.phone("ana")
    ana.catch_up()
    office.delete("contacts", "carl")
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-05"}))
    purge(office, office.seq())
    ana.catch_up()
    assert ana.resets == ["no_cursor", "purged"]
    assert ana.sees() == office.visible("ana")


def test_a_server_that_has_not_seen_what_the_device_has_does_not_answer(office: Office) -> None:
    """S12, S35: for `at_least` as for a cursor that is ahead."""
    ana, seq = office.phone("ana"), office.seq()
    assert ana.page(at_least=seq).seq == seq
    for ask in (
        {"at_least": seq + 1},
        {"cursor": changed(office, c=seq + 1)},
        {"cursor": changed(office, g=seq + 1)},
        {"cursor": changed(office), "at_least": seq + 1},
    ):
        with pytest.raises(Refused) as refused:
            ana.page(**ask)
        assert (refused.value.code, refused.value.details) == ("replica_behind", {"seq": seq})


def test_the_seq_of_a_push_is_enough_to_read_it_back(office: Office) -> None:
    """S35."""
    ana = office.phone("ana")
    ana.catch_up()
    answer = ana.push(ana.mutation("update", "contacts", "carl", base=1, set={"phone": "2"}))
    page = ana.page(ana.cursor, at_least=answer.seq)
    assert [i.key for change in page.changes for i in change.items] == ["carl"]


def test_a_new_epoch_resets_and_the_page_names_it(office: Office) -> None:
    """S12, S21: a restored backup is noticed."""

    def restore(connection: Connection) -> None:
        connection.execute(update(clock).values(epoch="restored"))

    ana = office.phone("ana")
    ana.catch_up()
    office.database.write(restore)
    ana.catch_up()
    assert ana.resets == ["no_cursor", "epoch_changed"]
    assert b'"epoch":"restored"' in ana.answer(ana.body((), pull=True, cursor=ana.cursor))
