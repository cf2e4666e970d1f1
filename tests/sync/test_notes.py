"""Notes merge as documents (S25), through the server and from device to device."""

import base64
import time
from collections import Counter
from typing import Any

import pytest
import regex
from pycrdt import Doc, Text
from sqlalchemy import select

from sfa.db.tables import note_updates
from tests.office import Office, Phone
from tests.sync.device.pocket import pocket

NOTE = ("notes", "plan")


@pytest.fixture
def note(office: Office) -> Office:
    office.put((*NOTE, {"account_key": "acme", "author_key": "ana", "body": "preços e prazos"}))
    return office


def body(office: Office) -> str:
    return str(office.row(*NOTE)["body"])


def updates(office: Office) -> list[dict[str, Any]]:
    return office.all(select(note_updates).order_by(note_updates.c.number))


def test_two_people_who_write_in_one_note_both_keep_their_words(note: Office) -> None:
    ana, bob = note.phone("ana"), note.phone("bob")
    assert ana.edit(*NOTE, base=1, body="novos preços e prazos").outcome == "applied"
    assert updates(note) == []  # nobody met anybody: no document
    receipt = bob.edit(*NOTE, base=1, body="preços e prazos longos")
    assert (receipt.outcome, receipt.conflicts) == ("merged", [])
    assert body(note) == "novos preços e prazos longos"
    assert [row["rev"] for row in updates(note)] == [1, 2, 3]


def test_two_saves_of_one_device_on_one_base_double_no_words(note: Office) -> None:
    ana, bob = note.phone("ana"), note.phone("bob")
    ana.edit(*NOTE, base=1, body="preços, e prazos")
    for text in ("preços e prazos um", "preços e prazos um dois", "preços prazos um dois três"):
        bob.edit(*NOTE, base=1, body=text)
    assert body(note) == "preços, prazos um dois três"


def test_two_devices_write_twice_each_offline_in_three_scripts(note: Office) -> None:
    """Every word once, the same text everywhere, and the preview shows nothing twice."""
    start = "Visita às dez. 東京支店へ行く。 🎉👩‍👩‍👧"
    note.put((*NOTE, {"body": start}))
    ana, bob = pocket(note, "ana"), pocket(note, "bob")
    ana.sync()
    bob.sync()
    for text in (f"Olá! {start}", "Olá! Visita às dez horas. 東京支店へ明日行く。 🎉👩‍👩‍👧 🇵🇹"):
        ana.update(*NOTE, {"body": text})
    for text in (
        "Visita às dez. 大阪と東京支店へ行く。 🎉👩‍👩‍👧",
        "Visita amanhã às dez. 大阪と東京支店へ行く。 🎉🙏🏽👩‍👩‍👧 fim",
    ):
        bob.update(*NOTE, {"body": text})
    ana.sync()
    bob.sync()
    ana.sync()
    text = body(note)
    said = "Olá!Visitaamanhãàsdezhoras.大阪と東京支店へ明日行く。🎉🙏🏽👩‍👩‍👧🇵🇹fim"
    assert Counter(regex.findall(r"\X", text.replace(" ", ""))) == Counter(regex.findall(r"\X", said))
    assert {"Olá", "Visita", "amanhã", "às", "dez", "horas", "fim"} <= set(regex.findall(r"[\p{Latin}]+", text))
    for device in (ana, bob):
        assert device.list("notes")["plan"]["body"] == text


def test_a_device_previews_its_second_save_without_doubling_the_first(note: Office) -> None:
    ana, bob = pocket(note, "ana"), note.phone("bob")
    ana.sync()
    ana.update(*NOTE, {"body": "um preços e prazos"})
    bob.edit(*NOTE, base=1, body="preços e prazos dois")
    ana.update(*NOTE, {"body": "um três preços e prazos"})
    ana.sync()
    assert ana.list("notes")["plan"]["body"] == body(note) == "um três preços e prazos dois"


def test_what_a_screen_and_a_restored_conflict_write_is_in_the_document(note: Office) -> None:
    ana, bob = note.phone("ana"), note.phone("bob")
    ana.edit(*NOTE, base=1, body="preços e prazos a")
    bob.edit(*NOTE, base=1, body="b preços e prazos")
    note.put((*NOTE, {"body": "do ecrã: b preços e prazos a"}))
    ana.edit(*NOTE, base=3, body="b preços e prazos a fim")
    assert body(note) == "do ecrã: b preços e prazos a fim"
    bob.edit(*NOTE, base=99, body="de outro servidor")
    (conflict,) = note.rows("conflicts")
    assert (conflict["strategy"], conflict["status"], conflict["losing"]) == (
        "ask",
        "open",
        {"body": "de outro servidor"},
    )
    assert bob.do("conflict.restore", "conflicts", conflict["key"]).outcome == "applied"
    ana.edit(*NOTE, base=5, body="b preços e prazos a fim mesmo")
    assert "de outro servidor" in body(note)
    assert "mesmo" in body(note)


def test_a_note_of_100_kb_merges_and_one_that_would_be_longer_asks(note: Office) -> None:
    long = " ".join(f"palavra{i}" for i in range(9_000))[:99_000]
    note.put((*NOTE, {"body": long}))
    ana, bob = note.phone("ana"), note.phone("bob")
    ana.edit(*NOTE, base=2, body="início " + long + " fim")
    began = time.perf_counter()
    assert bob.edit(*NOTE, base=2, body=long.replace("palavra5000", "palavra5000 meio")).outcome == "merged"
    assert time.perf_counter() - began < 5
    assert (body(note)[:7], body(note)[-4:], body(note).count(" meio ")) == ("início ", " fim", 1)
    assert bob.edit(*NOTE, base=2, body=long + "x" * 990).outcome == "conflict"
    (conflict,) = note.rows("conflicts")
    assert conflict["losing"]["body"].endswith("xx")


def test_a_refused_unit_leaves_nothing_in_the_document(note: Office) -> None:
    ana, bob = note.phone("ana"), note.phone("bob")
    ana.edit(*NOTE, base=1, body="preços e prazos a")
    unit = {"id": "u", "size": 2}
    answer = bob.push(
        bob.mutation("update", *NOTE, base=1, set={"body": "b preços e prazos"}, unit=unit),
        bob.mutation("update", "contacts", "nobody", base=1, set={"name": "x"}, unit=unit),
    )
    assert [r.outcome for r in answer.receipts] == ["refused", "refused"]
    assert (body(note), updates(note)) == ("preços e prazos a", [])
    bob.edit(*NOTE, base=1, body="c preços e prazos")
    assert body(note) == "c preços e prazos a"


# -- devices that speak Yjs ---------------------------------------------------------------------


class Yjs:
    """A device's own document."""

    def __init__(self, *known: bytes) -> None:
        self.doc: Doc[Any] = Doc()
        self.doc["body"] = Text()
        for update in known:
            self.doc.apply_update(update)

    def insert(self, place: int, words: str) -> str:
        state = self.doc.get_state()
        self.doc["body"].insert(place, words)
        return base64.b64encode(self.doc.get_update(state)).decode()


def begin(ana: Phone, words: str) -> Yjs:
    mine = Yjs()
    update = mine.insert(0, words)
    fields = {"account_key": "acme", "author_key": "ana", "body_update": update}
    assert ana.do("create", "notes", "y", set=fields).rev == 1
    return mine


def test_updates_of_devices_that_speak_yjs_meet_plain_text(office: Office) -> None:
    ana, bob = office.phone("ana"), office.phone("bob")
    mine = begin(ana, "olá mundo")
    assert office.row("notes", "y")["body"] == "olá mundo"
    bob.edit("notes", "y", base=1, body="olá mundo novo")
    receipt = ana.edit("notes", "y", base=1, body_update=mine.insert(0, "🎉 "))
    assert receipt.outcome == "applied"
    bob.edit("notes", "y", base=1, body="olá mundo novo!")
    assert office.row("notes", "y")["body"] == "🎉 olá mundo novo!"
    (entry,) = [e for e in office.history("notes", "y") if e["rev"] == 3]
    assert entry["changes"] == {"body": ["olá mundo novo", "🎉 olá mundo novo"]}


def test_an_update_that_cannot_be_applied_is_refused_and_kept(office: Office) -> None:
    ana = office.phone("ana")
    mine = begin(ana, "olá")
    missing = mine.insert(0, "a")
    late = mine.insert(0, "b")
    assert missing != late
    bad = (1, "?", "AAAA" * 200_000, base64.b64encode(b"no update").decode(), base64.b64encode(b"").decode(), late)
    for value in bad:
        receipt = ana.edit("notes", "y", base=1, body_update=value)
        assert (receipt.outcome, receipt.code) in {
            ("refused", "note_update_invalid"),
            ("refused", "mutation_invalid"),
        }, value
    receipt = ana.edit("notes", "y", base=1, body_update=missing, body="both")
    assert receipt.code == "note_update_invalid"
    receipt = ana.edit("notes", "y", base=1, body_update=mine.insert(0, "x" * 100_000))
    assert receipt.code in ("note_too_long", "note_update_invalid")
    assert office.row("notes", "y")["body"] == "olá"
    assert len(office.rows("refusals")) == len(bad) + 2


def test_a_note_from_yjs_that_grows_too_long_is_refused_as_such(office: Office) -> None:
    ana = office.phone("ana")
    mine = begin(ana, "olá")
    assert ana.edit("notes", "y", base=1, body_update=mine.insert(0, "x" * 100_000)).code == "note_too_long"
    assert ana.edit("contacts", "carl", base=1, body_update="AAAA").code == "field_unknown"
