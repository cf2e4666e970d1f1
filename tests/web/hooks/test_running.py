"""Events reach a receiver on loopback, signed, in order, and in spite of what receivers do."""

import asyncio

import msgspec
import pytest
from sqlalchemy import update
from standardwebhooks import Webhook

from sfa.core.clock import SystemClock
from sfa.db.tables import webhook_endpoints
from sfa.web.hooks import deliveries, endpoints
from sfa.web.hooks.backoff import OFF_AFTER_MS, PAUSES_MS
from sfa.web.hooks.endpoints import Rotate
from sfa.web.hooks.running import Hooks
from sfa.web.hooks.signing import BOTH_MS, Seals
from sfa.web.secret import Secret
from tests.office import Office
from tests.sync.wakes.pushes import Answer, Service, http1
from tests.web.hooks.posting import (
    SEALS,
    aside,
    endpoint,
    happened,
    ids,
    is_signed,
    row_of,
    server,
    standing,
    told,
    until,
    url_of,
)


def rotated(office: Office, asked: Rotate) -> str:
    now_ms = office.clock.now_ms()
    made = aside(lambda: office.database.write(endpoints.rotate, now_ms, "root", "crm", asked, SEALS))
    assert made.secret is not None
    return made.secret


def test_an_event_arrives_once_signed_as_the_standard_says(office: Office) -> None:
    office.clock.advance(max(0, SystemClock().now_ms() - office.clock.now_ms()))  # the library looks at the wall clock

    async def story(hooks: Hooks, service: Service) -> None:
        secret = endpoint(office, url_of(service))
        happened(office, "sent-1")
        await hooks.run_all()
        (asked,) = service.asked
        assert (asked.method, asked.path, asked.headers["content-type"]) == ("POST", "/hook", "application/json")
        found = Webhook(secret).verify(asked.body, asked.headers)
        assert (found["type"], found["data"]) == ("proposal.sent", {"proposal_key": "sent-1"})
        assert found["timestamp"].endswith("Z")
        await hooks.run_all()

    service = told(office, story)
    assert len(service.asked) == 1
    found = standing(office, "sent-1")
    assert (found["state"], found["attempts"], found["status"], found["problem"]) == ("delivered", 1, 204, None)


def test_events_arrive_in_the_order_in_which_they_happened(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "SET_MAX", 20)

    async def story(hooks: Hooks, service: Service) -> None:
        endpoint(office, url_of(service))
        happened(office, *(f"e{n:02}" for n in range(45)))
        await hooks.run_all()

    assert ids(told(office, story)) == [f"e{n:02}" for n in range(45)]


def test_an_endpoint_is_told_the_kinds_that_it_wants(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        endpoint(office, url_of(service), kinds=["deal.won", "proposal.opened"])
        happened(office, "a")
        happened(office, "b", kind="deal.won")
        await hooks.run_all()

    assert ids(told(office, story)) == ["b"]


def test_what_failed_comes_again_after_its_pauses_and_then_is_dead(office: Office) -> None:
    service = Service(Answer(500))

    async def play() -> None:
        async with http1(service, None), server(office) as hooks:
            endpoint(office, url_of(service))
            happened(office, "e1")
            await hooks.run_all()
            for n, pause in enumerate(PAUSES_MS, 1):
                assert standing(office, "e1")["due_at"] == office.clock.now_ms() + pause
                office.clock.advance(pause - 1)
                await hooks.run_all()
                assert len(service.asked) == n
                office.clock.advance(1)
                await hooks.run_all()

    asyncio.run(play())
    found = standing(office, "e1")
    assert (found["state"], found["attempts"], found["status"]) == ("dead", 9, 500)
    assert (found["problem"], set(ids(service))) == ("answered 500", {"e1"})
    assert len({asked.body for asked in service.asked}) == 1
    assert (row_of(office)["active"], row_of(office)["problem"]) == (True, "answered 500")


def test_one_that_works_again_has_no_trouble_any_more(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.script = [Answer(500)]
        endpoint(office, url_of(service))
        happened(office, "e1", "e2")
        await hooks.run_all()
        assert ids(service) == ["e1", "e2"]  # one that fails holds nobody up
        assert row_of(office)["failing_since"] is None
        office.clock.advance(PAUSES_MS[0])
        await hooks.run_all()
        assert ids(service) == ["e1", "e2", "e1"]

    told(office, story)
    assert standing(office, "e1")["state"] == "delivered"


def test_a_redirect_is_followed_nowhere(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.usual = Answer(307, (("location", f"http://127.0.0.1:{service.port}/elsewhere"),))
        endpoint(office, url_of(service))
        happened(office, "e1")
        await hooks.run_all()

    service = told(office, story)
    assert [asked.path for asked in service.asked] == ["/hook"]
    assert (standing(office, "e1")["state"], standing(office, "e1")["status"]) == ("queued", 307)


def test_a_huge_answer_is_left_where_it_is(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.usual = Answer(200, body=b"x" * (64 << 20))
        endpoint(office, url_of(service))
        happened(office, "e1")
        await hooks.run_all()

    told(office, story)
    assert standing(office, "e1")["state"] == "delivered"


def test_an_endpoint_that_wants_no_more_is_switched_off_and_what_waits_is_dropped(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.usual = Answer(410)
        endpoint(office, url_of(service))
        happened(office, "e1", "e2", "e3")
        await hooks.run_all()
        happened(office, "e4")
        await hooks.run_all()

    assert ids(told(office, story)) == ["e1"]
    assert [standing(office, key)["state"] for key in ("e1", "e2", "e3")] == ["dropped"] * 3
    assert (row_of(office)["active"], row_of(office)["problem"]) == (False, "it answered 410: it wants no more")


def test_one_that_asks_for_time_gets_it_for_all_that_waits(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.script = [Answer(429, (("retry-after", "90"),))]
        endpoint(office, url_of(service))
        happened(office, "e1", "e2")
        await hooks.run_all()
        assert ids(service) == ["e1"]
        office.clock.advance(89_000)
        happened(office, "e3")
        await hooks.run_all()
        assert ids(service) == ["e1"]
        office.clock.advance(1_000)
        await hooks.run_all()

    assert ids(told(office, story)) == ["e1", "e1", "e2", "e3"]


def test_one_that_failed_everything_for_days_is_switched_off_and_says_why(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.usual = Answer(500)
        endpoint(office, url_of(service))
        happened(office, "e1")
        await hooks.run_all()
        office.clock.advance(OFF_AFTER_MS - 10_000)
        happened(office, "e2")
        await hooks.run_all()
        assert row_of(office)["active"]
        office.clock.advance(10_000)
        await hooks.run_all()

    told(office, story)
    row = row_of(office)
    assert (row["active"], row["problem"]) == (False, "everything failed for five days, at last: answered 500")
    assert standing(office, "e1")["state"] == standing(office, "e2")["state"] == "dropped"


def test_one_that_does_not_answer_holds_up_nobody_but_itself(office: Office) -> None:
    """And is left alone for a while, so that what waits for it keeps its attempts."""
    slow, quick = Service(Answer(204, delay_s=60)), Service(Answer(204))

    async def play() -> None:
        async with http1(slow, None), http1(quick, None), server(office, timeout_s=1.0) as hooks:
            endpoint(office, url_of(slow), "slow")
            endpoint(office, url_of(quick), "quick")
            happened(office, "e1", "e2", "e3")
            await hooks.take()
            await until(lambda: len(quick.asked) == 3)
            assert standing(office, "e1", "slow")["state"] == "sending"
            await hooks.run_all()

    asyncio.run(play())
    assert (ids(quick), ids(slow)) == (["e1", "e2", "e3"], ["e1"])
    assert standing(office, "e1", "slow")["problem"] == "no answer within 1 seconds"
    assert [standing(office, key, "slow")["attempts"] for key in ("e1", "e2", "e3")] == [1, 0, 0]
    assert row_of(office, "slow")["paused_until"] == office.clock.now_ms() + PAUSES_MS[0]


def test_both_secrets_sign_for_a_day_after_a_rotation(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        old = endpoint(office, url_of(service))
        new, again = (rotated(office, Rotate()) for _ in range(2))
        happened(office, "e1")
        await hooks.run_all()
        assert [is_signed(service.asked[0], key) for key in (old, new, again)] == [True] * 3
        office.clock.advance(BOTH_MS)
        happened(office, "e2")
        await hooks.run_all()
        assert [is_signed(service.asked[1], key) for key in (old, new, again)] == [False, False, True]
        last = rotated(office, Rotate(at_once=True))
        happened(office, "e3")
        await hooks.run_all()
        assert [is_signed(service.asked[2], key) for key in (again, last)] == [False, True]

    told(office, story)


def test_a_secret_that_cannot_be_read_switches_its_endpoint_off(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        endpoint(office, url_of(service))
        happened(office, "e1")
        hooks.seals = Seals(Secret("another secret of the server, later on"))
        await hooks.run_all()

    assert told(office, story).asked == []
    assert (row_of(office)["active"], standing(office, "e1")["state"]) == (False, "dropped")
    assert "cannot be read" in row_of(office)["problem"]


def test_a_server_that_stops_gives_back_what_it_has(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        service.usual = Answer(204, delay_s=60)
        endpoint(office, url_of(service))
        happened(office, "e1", "e2")
        await hooks.take()
        await until(lambda: bool(service.asked))

    told(office, story)
    for key in ("e1", "e2"):
        found = standing(office, key)
        assert (found["state"], found["attempts"], found["claimed_by"]) == ("queued", 0, None)


def test_a_server_hears_of_an_event_by_itself(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        endpoint(office, url_of(service))
        hooks.start()
        base = aside(lambda: office.rev("deals", "deal-a"))
        aside(lambda: office.phone("ana").do("deal.win", "deals", "deal-a", base=base, set={}))
        await until(lambda: bool(service.asked))

    (asked,) = told(office, story).asked
    assert msgspec.json.decode(asked.body)["data"]["deal_key"] == "deal-a"


def test_an_endpoint_switched_off_while_it_is_served_gets_nothing_more(office: Office) -> None:
    async def story(hooks: Hooks, service: Service) -> None:
        endpoint(office, url_of(service))
        happened(office, "e1", "e2")
        await hooks.take()
        off = update(webhook_endpoints).values(active=False)
        aside(lambda: office.database.write(lambda connection: connection.execute(off).close()))
        await hooks.run_all()

    assert len(told(office, story).asked) <= 1
