"""How a note came to be, told to whoever sees it; and its document, for apps that speak Yjs (S25)."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import clients
from tests.crm.desk import Desk, opened
from tests.office import Office

NOTE = ("notes", "plan")
START = "preços e prazos"


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    office.put((*NOTE, {"account_key": "acme", "author_key": "ana", "body": START}))
    with opened(office) as found:
        yield found


def history(desk: Desk, as_: str = "ana", more: str = "") -> Any:
    answer = desk.get(as_, f"/api/notes/plan/history{more}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def body(office: Office) -> str:
    return str(office.row(*NOTE)["body"])


def test_each_version_says_who_changed_which_words_and_when(office: Office, desk: Desk) -> None:
    office.clock.advance(5_000)
    at = office.clock.now_ms() - 1_000
    office.phone("ana").do("update", *NOTE, base=1, at=at, set={"body": "novos preços"})
    office.phone("bob").edit(*NOTE, base=1, body="preços e prazos longos 👩‍👩‍👧")
    found = history(desk)["items"]
    assert [v["rev"] for v in found] == [3, 2, 1]
    assert [v["author_key"] for v in found[:2]] == ["bob", "ana"]
    assert (found[1]["device_at"], found[1]["at"], found[1]["device_key"]) == (at, at, "d-ana")
    assert found[1]["edits"] == [
        {"start": 0, "removed": "", "added": "novos "},
        {"start": 6, "removed": " e prazos", "added": ""},
    ]
    assert "longos" in "".join(edit["added"] for edit in found[0]["edits"])
    assert all(version["text"] is None for version in found)


def test_any_version_is_read_whole(office: Office, desk: Desk) -> None:
    office.phone("ana").edit(*NOTE, body="outro texto")
    office.put((*NOTE, {"written_at": 5}))
    texts = [desk.get("ana", f"/api/notes/plan/history/{rev}").json()["text"] for rev in (1, 2, 3)]
    assert texts == [START, "outro texto", "outro texto"]
    assert desk.get("ana", "/api/notes/plan/history/0").status_code == 404


def test_a_long_history_comes_in_pages(office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.note_history.ROWS_AT_ONCE", 2)
    for i in range(5):
        office.put((*NOTE, {"body": f"versão {i}"}))
        office.put((*NOTE, {"written_at": i}))
    first = history(desk, more="?limit=4")
    assert (len(first["items"]), first["next"]) == (4, first["items"][-1]["rev"])
    second = history(desk, more=f"?limit=4&before={first['next']}")
    assert (len(second["items"]), second["next"]) == (2, None)
    revs = [v["rev"] for v in first["items"] + second["items"]]
    assert revs == sorted(revs, reverse=True)
    assert desk.get("ana", "/api/notes/plan/history?limit=101").json()["code"] == "request_invalid"


def test_a_page_of_versions_compares_a_bounded_number_of_words(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.note_history.WORK_MAX", 100)
    for text in ("alfa " * 20, "beta " * 20, "gama " * 20):
        office.put((*NOTE, {"body": text}))
    assert [v["edits"] is None for v in history(desk)["items"]] == [True, True, True, True]
    assert desk.get("ana", "/api/notes/plan/history/3").json()["text"] == "beta " * 20
    monkeypatch.setattr("sync.note_history.WORK_MAX", 500)
    assert [v["edits"] is None for v in history(desk)["items"]][::3] == [False, True]


@pytest.mark.parametrize("rev", [-1, 2**53 + 1, 2**63 - 1, 10**20])
def test_a_revision_out_of_range_is_refused(desk: Desk, rev: int) -> None:
    answer = desk.get("ana", f"/api/notes/plan/history?before={rev}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    answer = desk.get("ana", f"/api/notes/plan/history/{rev}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_nothing_is_told_to_whoever_does_not_see_the_note(office: Office, desk: Desk) -> None:
    """S13: a note out of scope, a deleted one and none at all get one answer."""
    office.put((*NOTE, {"body": "segredo"}))
    for path in ("history", "history/1", "document"):
        answers = [desk.get("cleo", f"/api/notes/{key}/{path}") for key in ("plan", "nothing", "no key!")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.json()["code"] for answer in answers}) == 1
    office.delete(*NOTE)
    assert {desk.get("ana", f"/api/notes/plan/{p}").status_code for p in ("history", "document")} == {404}


# -- Yjs ----------------------------------------------------------------------------------------------------------


def typed(update: str | None, *edits: tuple[int, int, str]) -> dict[str, str]:
    found: dict[str, str] = clients.run("note.mjs", {"update": update, "edits": edits})
    return found


def document(desk: Desk) -> str:
    return str(desk.get("ana", "/api/notes/plan/document").json()["update"])


def test_a_yjs_app_takes_the_document_and_its_words_merge_with_plain_text(office: Office, desk: Desk) -> None:
    given = document(desk)
    app = typed(given, (len(START), 0, " 東京 🎉"))
    assert app["text"] == f"{START} 東京 🎉"
    office.phone("bob").edit(*NOTE, base=1, body=f"novos {START}")
    receipt = office.phone("ana").do("update", *NOTE, base=1, set={"body_update": app["update"]})
    assert receipt.outcome in ("applied", "merged")
    assert body(office) == f"novos {START} 東京 🎉"
    assert typed(document(desk))["text"] == body(office)


def test_two_yjs_apps_write_twice_each_offline(office: Office, desk: Desk) -> None:
    given = document(desk)
    ana, bob = office.phone("ana"), office.phone("bob")
    ours = typed(given, (0, 0, "Olá! "), (5, 0, "Bom dia. "))
    theirs = typed(given, (len(START), 0, " às dez"), (len(START), 0, " amanhã"))
    for phone, app in ((bob, theirs), (ana, ours), (bob, theirs)):
        phone.do("update", *NOTE, base=1, set={"body_update": app["update"]})
    assert body(office) == "Olá! Bom dia. preços e prazos amanhã às dez"
    assert typed(document(desk))["text"] == body(office)


def test_the_document_is_the_same_however_often_it_is_asked_for(office: Office, desk: Desk) -> None:
    office.phone("ana").edit(*NOTE, body="novos preços e prazos")
    assert document(desk) == document(desk)
    assert office.row(*NOTE)["rev"] == 2
    assert desk.get("bob", "/api/notes/plan/document").json()["rev"] == 2
