"""What notes cost is bounded, whatever was typed (S25): counted in comparisons, steps and updates, not in seconds."""

import base64
from typing import Any

import pytest
from pycrdt import Doc, Text
from sqlalchemy import select

from sfa.db.tables import note_updates
from sync import notes, words
from tests.office import Office, Phone

NOTE = ("notes", "plan")
START = "preços e prazos"


@pytest.fixture
def note(office: Office) -> Office:
    office.put((*NOTE, {"account_key": "acme", "author_key": "ana", "body": START}))
    return office


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many updates each building of a document applied."""
    counts: list[int] = []
    real = notes._made_of

    def counting(updates: Any) -> Doc[Any]:
        known = list(updates)
        counts.append(len(known))
        return real(known)

    monkeypatch.setattr(notes, "_made_of", counting)
    return counts


def body(office: Office) -> str:
    return str(office.row(*NOTE)["body"])


def losing(office: Office) -> list[str]:
    return [row["losing"]["body"] for row in office.rows("conflicts") if row["strategy"] == "ask"]


def rows(office: Office) -> list[dict[str, Any]]:
    return office.all(select(note_updates).order_by(note_updates.c.number))


def written(phone: Phone, count: int, start: int = 1) -> None:
    """The note saved so often by one device, each time with one word more at its end."""
    for part in range(0, count, 100):
        edits = range(part, min(part + 100, count))
        texts = [" ".join((START, *(f"a{n}" for n in range(i + 1)))) for i in edits]
        phone.push(
            *(
                phone.mutation("update", *NOTE, base=start + i, set={"body": t})
                for i, t in zip(edits, texts, strict=True)
            )
        )


def test_a_push_that_used_up_its_comparisons_asks_and_loses_nothing(
    note: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes, "WORK_MAX", 100)
    note.phone("ana").edit(*NOTE, base=1, body=f"novos {START}")
    bob = note.phone("bob")
    long = " ".join(f"b{i}" for i in range(40))
    first, second = (
        bob.mutation("update", *NOTE, base=1, set={"body": f"{START} {more}"}) for more in (long, f"{long} fim")
    )
    answer = bob.push(first, second)
    assert [r.outcome for r in answer.receipts] == ["conflict", "conflict"]
    assert body(note) == f"novos {START}"
    assert sorted(losing(note)) == [f"{START} {long}", f"{START} {long} fim"]
    assert bob.edit(*NOTE, base=1, body=f"{START} b").outcome == "merged"  # another push has its own
    assert body(note) == f"novos {START} b"


def test_a_first_meeting_takes_over_a_long_history_in_few_steps(note: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    real = notes.write

    def counting(doc: Doc[Any], found: list[words.Change], client: int) -> bytes:
        steps.append(str(doc["body"]))
        return real(doc, found, client)

    monkeypatch.setattr(notes, "write", counting)
    written(note.phone("ana"), 250)
    assert note.rev(*NOTE) == 251
    bob = note.phone("bob")
    assert bob.edit(*NOTE, base=1, body=f"{START}, bob").outcome == "merged"
    assert len(steps) <= notes.STEPS_MAX + 3
    assert bob.edit(*NOTE, base=1, body=f"{START}, bob outra").outcome == "merged"
    assert len(steps) <= notes.STEPS_MAX + 6
    said = body(note).replace(",", "").split()
    assert sorted(said) == sorted([*START.split(), "bob", "outra", *(f"a{n}" for n in range(250))])


def test_an_edit_on_a_revision_that_was_taken_over_with_others_is_asked_about(note: Office) -> None:
    written(note.phone("ana"), 250)
    note.phone("bob").edit(*NOTE, base=1, body=f"{START}, bob")
    text = " ".join((START, *(f"a{n}" for n in range(49))))
    zoe = note.phone("bob", "d-zoe")
    assert zoe.edit(*NOTE, base=50, body=f"zoe {text}").outcome == "conflict"
    assert losing(note) == [f"zoe {text}"]
    text = " ".join((START, *(f"a{n}" for n in range(199))))
    assert zoe.edit(*NOTE, base=200, body=f"zoe {text}").outcome == "merged"
    assert body(note).split().count("zoe") == body(note).split().count("a180") == 1


def test_a_device_whose_own_edits_were_taken_over_with_others_doubles_nothing(note: Office) -> None:
    ana = note.phone("ana")
    written(ana, 120)
    note.put((*NOTE, {"body": f"ecrã {body(note)}"}))
    texts = " ".join((START, *(f"a{n}" for n in range(121))))
    assert ana.edit(*NOTE, base=1, body=texts).outcome in ("merged", "conflict")
    assert body(note).split().count("a5") == 1
    assert body(note).split().count("ecrã") == 1


def test_what_a_refused_unit_typed_is_not_in_the_document_of_the_same_push(note: Office) -> None:
    note.phone("ana").edit(*NOTE, base=1, body=f"novos {START}")
    bob, unit = note.phone("bob"), {"id": "u", "size": 2}
    answer = bob.push(
        bob.mutation("update", *NOTE, base=1, set={"body": f"{START} um"}),
        bob.mutation("update", *NOTE, base=1, set={"body": f"{START} um nunca"}, unit=unit),
        bob.mutation("update", "contacts", "nobody", base=1, set={"name": "x"}, unit=unit),
        bob.mutation("update", *NOTE, base=1, set={"body": f"{START} um dois"}),
    )
    assert [r.outcome for r in answer.receipts] == ["merged", "refused", "refused", "merged"]
    assert body(note) == f"novos {START} um dois"
    note.phone("ana").edit(*NOTE, base=1, body=f"novos {START}!")
    assert body(note) == f"novos {START}! um dois"


# -- many updates -------------------------------------------------------------------------------------------------


def keystrokes(phone: Phone, count: int, known: Doc[Any]) -> None:
    edits = []
    for _ in range(count):
        state = known.get_state()
        known["body"] += "x"
        update = base64.b64encode(known.get_update(state)).decode()
        edits.append(phone.mutation("update", "notes", "y", base=1, set={"body_update": update}))
    assert {r.outcome for r in phone.push(*edits).receipts} == {"applied"}


@pytest.fixture
def typist(office: Office) -> Doc[Any]:
    mine: Doc[Any] = Doc()
    mine["body"] = Text("olá ")
    update = base64.b64encode(mine.get_update()).decode()
    fields = {"account_key": "acme", "author_key": "ana", "body_update": update}
    assert office.phone("ana").do("create", "notes", "y", set=fields).rev == 1
    return mine


def test_the_documents_of_yjs_devices_cost_what_was_typed_and_not_its_square(
    office: Office, typist: Doc[Any], applied: list[int]
) -> None:
    ana = office.phone("ana")
    for _ in range(3):
        applied.clear()
        keystrokes(ana, 150, typist)
        assert sum(applied) <= notes.SNAPSHOT_EVERY + 150 + 5  # the document once, and one trial for each
    assert office.row("notes", "y")["body"] == "olá " + "x" * 450
    whole = [row for row in rows(office) if row["base"] == notes.SNAPSHOT]
    assert len(whole) == 4
    assert [row["number"] for row in rows(office)] == list(range(1, 456))


def test_plain_text_on_old_and_new_bases_merges_with_a_document_of_many_updates(
    office: Office, typist: Doc[Any], applied: list[int]
) -> None:
    keystrokes(office.phone("ana"), 350, typist)
    bob, zoe = office.phone("bob"), office.phone("bob", "d-zoe")
    applied.clear()
    zoe.edit("notes", "y", base=340, body="zoe olá " + "x" * 339)
    assert sum(applied) <= 2 * notes.SNAPSHOT_EVERY + 10
    for text in ("olá bob ", "olá bob outra "):
        assert bob.edit("notes", "y", base=1, body=text).outcome == "merged"
    said = str(office.row("notes", "y")["body"])
    assert [said.count(word) for word in ("zoe", "olá", "bob", "outra", "x")] == [1, 1, 1, 1, 350]
