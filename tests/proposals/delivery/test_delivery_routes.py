"""Links by hand and what was mailed, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.proposals.delivery.post import CARL, mailed, people, sent

LINKS, DELIVERIES = "/api/proposals/p1/links", "/api/proposals/p1/deliveries"


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def test_a_link_is_answered_once_said_nowhere_else_and_kept_by_no_cache(desk: Desk) -> None:
    sent(desk.office)
    mailed(desk.office)
    answer = desk.post("ana", LINKS, json={"kind": "buyer"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    url = answer.json()["url"]
    assert desk.post("ana", LINKS, json={}).json() == answer.json()
    told = desk.get("mia", DELIVERIES)
    assert told.status_code == 200
    assert url.rpartition("/")[2] not in told.text
    assert [(mail["kind"], mail["to"], mail["state"]) for mail in told.json()["mails"]] == [("offer", CARL, "sent")]
    assert {link["recipient_key"] for link in told.json()["links"]} == {None, people(desk.office)[CARL]["key"]}


def test_strangers_and_strange_words_are_refused(desk: Desk) -> None:
    sent(desk.office)
    assert desk.post("cleo", LINKS, json={"kind": "staff"}).status_code == 404
    assert desk.get("cleo", DELIVERIES).status_code == 404
    assert desk.post("fay", LINKS, json={"kind": "buyer"}).status_code == 403
    assert desk.post("fay", LINKS, json={"kind": "staff"}).status_code == 201
    bodies: list[Any] = [{"kind": "x"}, {"recipient_key": 5}, {"other": 1}, [], {"kind": None}]
    for body in bodies:
        assert desk.post("ana", LINKS, json=body).status_code == 400
    for name in ("nobody", "\x00", "x" * 500):
        assert desk.post("ana", LINKS, json={"recipient_key": name}).status_code == 422
    assert desk.post("ana", "/api/proposals/none/links", json={}).status_code == 404


def test_the_commands_are_those_of_a_phone(desk: Desk) -> None:
    """R53."""
    sent(desk.office)
    mailed(desk.office)
    key = people(desk.office)[CARL]["key"]
    desk.office.clock.advance(6 * 60_000)
    for _ in range(2):
        assert desk.post("ana", "/api/proposals/p1/resend", json={"recipient_key": key}).status_code == 200
    assert len(mailed(desk.office).taken) == 1
    assert desk.post("ana", "/api/proposals/p1/revoke-link", json={"recipient_key": key}).status_code == 200
    assert all(link["revoked_at"] for link in desk.get("ana", DELIVERIES).json()["links"])
