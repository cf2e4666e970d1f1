"""Administrators decide what other systems are told; nobody else sees an endpoint, and nobody sees a secret twice."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select, update

from sfa.app.jobs import JOBS
from sfa.db.outgoing import KINDS
from sfa.db.tables import webhook_deliveries, webhook_endpoints, webhook_events
from sfa.web.hooks import deliveries, replaying
from sfa.web.hooks.endpoints import ENDPOINTS_MAX
from sfa.web.hooks.replaying import DEAD_KEPT_MS, DELIVERED_KEPT_MS
from sfa.web.hooks.sending import Outcome
from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.web.hooks.posting import happened, standing

URL = "https://hooks.example.com/in"


@pytest.fixture
def desk(office: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    async def resolve(host: str, port: int) -> list[str]:
        return {"inside.example.com": ["93.184.215.14", "10.0.0.1"], "nowhere.example.com": []}.get(
            host, ["93.184.215.14"]
        )

    with opened(office) as made:
        made.client.app.state.services.hooks.sender.resolve = resolve
        yield made


def made(desk: Desk, key: str = "crm", **said: Any) -> dict[str, Any]:
    answer = desk.post("root", "/api/webhooks", json={"url": URL, "key": key, **said})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_endpoint_gets_a_secret_that_is_told_once(desk: Desk) -> None:
    first = made(desk, about="The ERP", kinds=["deal.won"])
    assert first["secret"].startswith("whsec_")
    assert len(base64.b64decode(first["secret"].removeprefix("whsec_"))) == 32
    assert (first["about"], first["kinds"], first["active"]) == ("The ERP", ["deal.won"], True)
    assert made(desk)["secret"] is None  # the same key again is the same endpoint
    listed = desk.get("root", "/api/webhooks").json()
    assert [item["secret"] for item in listed["items"]] == [None]
    assert set(listed["kinds"]) == KINDS
    (row,) = desk.office.all(select(webhook_endpoints))
    assert first["secret"].encode() not in bytes(row["secret"])
    clash = desk.post("root", "/api/webhooks", json={"url": "https://other.example.com/", "key": "crm"})
    assert refused(clash) == (400, "request_invalid")


def test_whoever_is_no_administrator_is_refused_everywhere(desk: Desk) -> None:
    made(desk)
    happened(desk.office, "e1")
    for user in ("ana", "mia", "dirk", "fay"):
        for method, path, said in (
            ("GET", "/api/webhooks", None),
            ("POST", "/api/webhooks", {"url": "https://inside.example.com/"}),
            ("PATCH", "/api/webhooks/crm", {"url": "https://inside.example.com/"}),
            ("PATCH", "/api/webhooks/crm", {"active": False}),
            ("DELETE", "/api/webhooks/crm", None),
            ("POST", "/api/webhooks/crm/rotate", {}),
            ("POST", "/api/webhooks/crm/test", None),
            ("POST", "/api/webhooks/crm/replay", {"since": 0}),
            ("GET", "/api/webhooks/crm/deliveries", None),
            ("POST", "/api/webhooks/crm/deliveries/e1/replay", None),
        ):
            answer = desk.ask(user, method, path, json=said) if said is not None else desk.ask(user, method, path)
            assert refused(answer) == (403, "not_permitted"), (user, method, path)
    assert standing(desk.office, "e1")["state"] == "queued"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://inside.example.com/", "address"),
        ("https://nowhere.example.com/", "unresolved"),
        ("http://hooks.example.com/", "scheme"),
        ("https://127.0.0.1/", "host"),
        ("https://hooks.example.com:22/", "port"),
    ],
)
def test_an_address_is_looked_at_when_it_is_given(desk: Desk, url: str, reason: str) -> None:
    made(desk)
    for answer in (
        desk.post("root", "/api/webhooks", json={"url": url}),
        desk.ask("root", "PATCH", "/api/webhooks/crm", json={"url": url}),
    ):
        assert refused(answer) == (422, "webhook_url_refused")
        assert answer.json()["reason"] == reason
    assert len(desk.get("root", "/api/webhooks").json()["items"]) == 1


def test_what_is_wrong_is_said_and_changes_nothing(desk: Desk) -> None:
    made(desk)

    def post(**said: Any) -> tuple[int, str]:
        return refused(desk.post("root", "/api/webhooks", json=said))

    assert post(url=URL, kinds=["deal.lost"]) == (422, "webhook_kind_unknown")
    assert post(url=URL, about="a\x00b") == (400, "request_invalid")
    assert post(url=URL, key="a b") == (422, "key_invalid")
    assert post(url=5)[0] == 400
    assert post(url=URL, secret="mine")[0] == 400
    for path in ("nobody", "%00", "a%20b"):
        assert desk.ask("root", "PATCH", f"/api/webhooks/{path}", json={}).status_code == 404
        assert desk.get("root", f"/api/webhooks/{path}/deliveries").status_code == 404
        assert desk.post("root", f"/api/webhooks/{path}/test").status_code == 404
        assert desk.post("root", f"/api/webhooks/crm/deliveries/{path}:1/replay").status_code == 404
    for since in (-1, 2**80, "x"):
        assert desk.post("root", "/api/webhooks/crm/replay", json={"since": since}).status_code == 400
    assert desk.get("root", "/api/webhooks/crm/deliveries?state=sent").status_code == 400
    assert desk.get("root", "/api/webhooks/crm/deliveries?limit=0").status_code == 400
    assert desk.get("root", "/api/webhooks/crm/deliveries?after=x").status_code == 400


def test_a_company_has_a_bounded_number_of_endpoints(desk: Desk) -> None:
    for n in range(ENDPOINTS_MAX):
        desk.office.clock.advance(100)
        made(desk, f"e{n}")
    assert refused(desk.post("root", "/api/webhooks", json={"url": URL})) == (409, "webhook_limit")


def test_one_that_is_switched_off_is_given_nothing_and_begins_anew(desk: Desk) -> None:
    made(desk)
    happened(desk.office, "e1")
    off = desk.ask("root", "PATCH", "/api/webhooks/crm", json={"active": False}).json()
    assert (off["active"], off["problem"]) == (False, "an administrator switched it off")
    assert standing(desk.office, "e1")["state"] == "dropped"
    since = desk.office.clock.now_ms() + 1
    happened(desk.office, "e2")
    assert refused(desk.post("root", "/api/webhooks/crm/test")) == (409, "webhook_off")
    assert refused(desk.post("root", "/api/webhooks/crm/replay", json={"since": 0})) == (409, "webhook_off")
    on = desk.ask("root", "PATCH", "/api/webhooks/crm", json={"active": True, "about": "again"}).json()
    assert (on["active"], on["problem"], on["about"]) == (True, None, "again")
    happened(desk.office, "e3")
    assert desk.post("root", "/api/webhooks/crm/replay", json={"since": since}).json() == {"count": 1}
    assert standing(desk.office, "e2")["state"] == "queued"
    assert desk.post("root", "/api/webhooks/crm/replay", json={"since": 0}).json() == {"count": 1}
    assert desk.post("root", "/api/webhooks/crm/replay", json={"since": 0}).json() == {"count": 0}
    assert standing(desk.office, "e1")["state"] == "queued"


def test_what_it_missed_is_of_its_kinds(desk: Desk) -> None:
    happened(desk.office, "e1", "e2")
    happened(desk.office, "w1", kind="deal.won")
    made(desk, kinds=["deal.won"])
    desk.post("root", "/api/webhooks/crm/test")
    made(desk, "other")
    assert desk.post("root", "/api/webhooks/crm/replay", json={"since": 0}).json() == {"count": 1}
    assert desk.post("root", "/api/webhooks/other/replay", json={"since": 0}).json() == {"count": 3}


def ended(office: Office, *events: str, status: int = 204) -> None:
    """As a server that posts them: delivered, or failed for the last time."""
    d = webhook_deliveries
    office.database.write(lambda c: c.execute(update(d).values(attempts=8)).close())
    (claimed,) = office.database.write(deliveries.claim, office.clock.now_ms(), "me")
    for event in events:
        sent = office.database.read(deliveries.ready, claimed, event)
        assert sent is not None
        if status == 204:
            office.database.write(deliveries.delivered, office.clock.now_ms(), sent, Outcome(204))
        else:
            office.database.write(deliveries.failed, office.clock.now_ms(), sent, Outcome(status, "broken"), 0.5)
    office.database.write(deliveries.give_back, claimed)


def test_one_event_is_sent_again_however_it_ended(desk: Desk) -> None:
    made(desk)
    happened(desk.office, "e1", "sent:e2:1")
    ended(desk.office, "e1")
    ended(desk.office, "sent:e2:1", status=500)
    assert standing(desk.office, "sent:e2:1")["state"] == "dead"
    for event in ("e1", "sent:e2:1"):
        again = desk.post("root", f"/api/webhooks/crm/deliveries/{event}/replay").json()
        assert (again["state"], again["attempts"], again["due_at"]) == ("queued", 0, desk.office.clock.now_ms())
    other = made(desk, "other")
    assert desk.post("root", f"/api/webhooks/{other['key']}/deliveries/e1/replay").status_code == 404


def test_deliveries_are_listed_page_by_page_the_newest_first(desk: Desk) -> None:
    made(desk)
    happened(desk.office, *(f"e{n}" for n in range(5)))
    ended(desk.office, "e0", "e3")
    path = "/api/webhooks/crm/deliveries"
    found, after = list[str](), ""
    while True:
        page = desk.get("root", f"{path}?limit=2{after}").json()
        found += [item["event"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == ["e4", "e3", "e2", "e1", "e0"]
    done = desk.get("root", f"{path}?state=delivered").json()["items"]
    assert [(item["event"], item["status"], item["kind"]) for item in done] == [
        ("e3", 204, "proposal.sent"),
        ("e0", 204, "proposal.sent"),
    ]
    sealed = desk.get("root", f"{path}?limit=1").json()["next"]
    assert refused(desk.get("root", f"{path}?state=queued&after={sealed}")) == (400, "request_invalid")


def test_one_that_is_deleted_takes_its_deliveries_with_it(desk: Desk) -> None:
    made(desk)
    happened(desk.office, "e1")
    for _ in range(2):
        assert desk.ask("root", "DELETE", "/api/webhooks/crm").status_code == 204
    assert desk.office.all(select(webhook_deliveries)) == []
    assert desk.get("root", "/api/webhooks").json()["items"] == []


def test_a_test_event_is_for_one_endpoint_whatever_it_wants(desk: Desk) -> None:
    made(desk, kinds=["deal.won"])
    made(desk, "other")
    said = desk.post("root", "/api/webhooks/crm/test").json()
    assert (said["kind"], said["state"]) == ("webhook.test", "queued")
    assert desk.get("root", "/api/webhooks/other/deliveries").json()["items"] == []


def test_a_new_secret_is_told_once_too_and_the_old_one_signs_for_a_day(desk: Desk) -> None:
    first = made(desk)
    answer = desk.post("root", "/api/webhooks/crm/rotate", json={})
    assert answer.headers["cache-control"] == "no-store"
    second = answer.json()
    assert second["secret"] not in (None, first["secret"])
    assert second["both_until"] == desk.office.clock.now_ms() + 86_400_000
    assert desk.post("root", "/api/webhooks/crm/rotate", json={"at_once": True}).json()["both_until"] is None


def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(office: Office) -> None:
    with opened(office) as desk:
        made_at = office.clock.now_ms()
        desk.client.app.state.services.hooks.sender.resolve = _public
        made(desk)
        happened(office, "done", "dead", "waits")
        ended(office, "done")
        ended(office, "dead", status=500)
    work = JOBS["forget_webhooks"].work
    assert office.database.write(work, made_at + DELIVERED_KEPT_MS) == "0 deliveries, 0 events"
    assert office.database.write(work, made_at + DELIVERED_KEPT_MS + 10_000) == "1 deliveries, 1 events"
    assert office.database.write(work, made_at + DEAD_KEPT_MS + 10_000) == "1 deliveries, 1 events"
    assert [row["event_key"] for row in office.all(select(webhook_events))] == ["waits"]
    assert office.database.write(replaying.forget, made_at + 10 * DEAD_KEPT_MS) == (0, 0)


async def _public(_host: str, _port: int) -> list[str]:
    return ["93.184.215.14"]
