"""Strange questions get an answer below 500, on every route that is described: NUL, numbers beyond the database's."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from proposals.buyer.page.limits import Limits
from sfa.app.factory import Services
from tests.crm.desk import Desk, opened
from tests.crm.test_decisions import refuse
from tests.office import Office

STRANGE = ("\x00", "a\x00", "99999999999999999999", "-99999999999999999999", "9223372036854775807", "-1")
ELSEWHERE = ("/api/notes/", "/quarantine", "/live")  # tested with what they show, or never ending


@pytest.fixture(scope="module")
def shared_desk(shared_office: Office) -> Iterator[Desk]:
    with opened(shared_office) as made:
        yield made


def questions(description: dict[str, Any]) -> Iterator[str]:
    """Every GET route, once for each of its parameters and each strange value; the others are left as they may be."""
    for path, verbs in description["paths"].items():
        if "get" not in verbs or any(part in path for part in ELSEWHERE):
            continue
        parameters = verbs["get"].get("parameters", [])
        names = {where: [p["name"] for p in parameters if p["in"] == where] for where in ("path", "query")}
        plain = path
        for name in names["path"]:
            plain = plain.replace(f"{{{name}}}", "k-1")
        for value in STRANGE:
            yield from (path.replace(f"{{{name}}}", quote(value)) for name in names["path"])
            yield from (f"{plain}?{name}={quote(value)}" for name in names["query"])


@pytest.mark.parametrize("user", ["ana", "root"])
def test_no_value_of_a_parameter_is_the_servers_mistake(shared_desk: Desk, user: str) -> None:
    description = shared_desk.client.get("/schema/openapi.json").json()
    asked = list(questions(description))
    assert len(asked) > 50
    found: dict[str, int] = {}
    services: Services = shared_desk.client.app.state.services
    for path in asked:
        shared_desk.office.clock.advance(100)  # more would be too many requests
        services.pages.limits = Limits(services.clock)  # and more guesses of tokens too
        found[path] = shared_desk.get(user, path).status_code
    assert [path for path, status in found.items() if status >= 500 or status == 429] == []


@pytest.mark.parametrize("what", ["conflicts", "refusals", "suggestions"])
@pytest.mark.parametrize("asked", ["entity=%00", "row=a%00", "kind=%00", "entity=a%20b", "row=%2F"])
def test_a_filter_that_no_row_can_meet_is_refused_in_clear_words(shared_desk: Desk, what: str, asked: str) -> None:
    answer = shared_desk.get("ana", f"/api/{what}?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")
    assert f"`{asked.partition('=')[0]}`" in answer.text


def test_refusals_of_something_unknown_are_found_by_its_name(office: Office, desk: Desk) -> None:
    assert office.phone("ana").do("create", "boats", "b-1", set={}).code == "entity_unknown"
    refuse(office)
    assert desk.keys("ana", "/api/refusals?entity=boats") == ["d-ana.1"]
