"""What no text can hold in PostgreSQL, asked of every route that takes a text: an answer, never a failure."""

from collections.abc import Iterator

import pytest

from sfa.web.openapi import description
from tests.crm.desk import Desk, opened
from tests.office import Office

ASKED = {"from": "2026-01-01", "to": "2027-01-01", "on": "2026-01-05", "purpose": "marketing", "channel": "email"}
ASKED |= {"q": "pump", "entity": "deals", "key": "deal-a"}
STREAMS = {"/sync/live"}


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as found:
        yield found


def questions(desk: Desk) -> Iterator[str]:
    """Every GET with one of its parameters a NUL, the others as they are required."""
    for path, operations in sorted(description(desk.client.app)["paths"].items()):
        if "get" not in operations or path in STREAMS:
            continue
        place = "/".join("deal-a" if word.startswith("{") else word for word in path.split("/"))
        asked = [p for p in operations["get"].get("parameters", []) if p["in"] == "query"]
        needed = {p["name"]: ASKED[p["name"]] for p in asked if p["required"]}
        for parameter in asked:
            said = {**needed, parameter["name"]: "%00"}
            yield f"{place}?{'&'.join(f'{name}={value}' for name, value in said.items())}"


def test_a_nul_in_a_question_is_answered_by_every_route(desk: Desk) -> None:
    asked = 0
    failed = []
    for path in questions(desk):
        desk.office.clock.advance(200)
        answer = desk.get("dirk", path)
        asked += 1
        if answer.status_code >= 500 or answer.status_code == 429:
            failed.append((path, answer.status_code))
    assert failed == []
    assert asked > 50


def test_a_family_with_a_nul_is_a_question_that_is_refused(desk: Desk) -> None:
    assert desk.get("dirk", "/api/pricing/guides?family=%00").json()["code"] == "request_invalid"
