"""Who is woken, when, and by which process (S9, S33)."""

import pytest
from sqlalchemy import Connection, update

from sfa.core.errors import Refused
from sfa.db.database import open_database
from sfa.db.tables import refresh_tokens, wakes
from sync import registrations
from sync.live import Stream
from sync.protocol import (
    WAKE_BATCH,
    WAKE_CLAIM_MS,
    WAKE_EVERY_MS,
    WAKE_LIVE_MS,
    WAKE_RETRY_MAX_MS,
    WAKE_RETRY_MS,
    WAKE_SWEEP_MS,
)
from sync.wakes import claims, subscriptions
from sync.wakes.services import GONE, LATER, REFUSED, Outcome
from sync.wakes.subscriptions import Subscribe
from tests.builders import put_rows, register
from tests.office import Office
from tests.sync.wakes.company import Post, log_in, stored, subscribe

NORTH = ("contacts", "carl", {"phone": "77"})
SOUTH = ("contacts", "zoe", {"phone": "77"})


@pytest.fixture
def post(office: Office) -> Post:
    subscribe(office, "ana", "bob", "cleo")
    found = Post(office)
    assert found.look() == []
    office.clock.advance(1)
    return found


def test_who_holds_the_bucket_is_woken_once_and_nobody_else(office: Office, post: Post) -> None:
    office.put(NORTH)
    assert post.look() == ["to-ana", "to-bob"]
    assert post.settled() == []
    office.put(SOUTH)
    assert post.settled() == ["to-cleo"]


def test_who_wrote_it_is_not_woken_and_everybody_else_is(office: Office, post: Post) -> None:
    """Also by another process, which knows nothing of what this one answered."""
    office.phone("ana").edit("contacts", "carl", phone="5")
    assert post.look() == ["to-bob"]
    office.phone("ana").do("create", "contacts", "zz", set={"account_key": "zeta", "name": "Not hers"})
    assert office.rows("refusals") != []
    assert post.settled() == [], "a refusal of the own mutation is in the answer already"


def test_another_phone_of_the_same_person_is_woken(office: Office, post: Post) -> None:
    office.phone("ana", "d-ana-2").edit("contacts", "carl", phone="5")
    assert post.look() == ["to-ana", "to-bob"]


def test_own_news_and_others_news_together_wake(office: Office, post: Post) -> None:
    office.put(("accounts", "acme", {"phone": "8"}))
    office.phone("ana").edit("contacts", "carl", phone="5")
    assert post.look() == ["to-ana", "to-bob"]


def test_what_was_not_committed_wakes_nobody(office: Office, post: Post) -> None:
    """S9."""

    def fails(connection: Connection) -> None:
        put_rows(connection, [NORTH])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        office.database.write(fails)
    assert post.settled() == []


def test_a_scope_that_changed_wakes_its_user(office: Office, post: Post) -> None:
    member = {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}
    office.put(("territory_members", "tm-new", member))
    assert "to-ana" in post.settled()
    office.put(SOUTH)
    assert post.settled() == ["to-ana", "to-cleo"]
    office.delete("territory_members", "tm-new")
    assert "to-ana" in post.settled(), "what she lost must leave her phone"
    office.put(("contacts", "zoe", {"phone": "78"}))
    assert post.settled() == ["to-cleo"]


def test_much_news_is_one_wake_and_the_next_comes_after_the_pause(office: Office, post: Post) -> None:
    for number in range(5):
        office.put(("contacts", "zoe", {"phone": str(number)}))
    assert post.look() == ["to-cleo"]
    office.put(("contacts", "zoe", {"phone": "9"}))
    office.clock.advance(WAKE_EVERY_MS - 1)
    assert post.look() == []
    office.clock.advance(1)
    assert post.look() == ["to-cleo"], "it was not forgotten"
    office.clock.advance(WAKE_EVERY_MS)
    assert post.look() == []


def test_who_has_synced_meanwhile_is_not_woken(office: Office, post: Post) -> None:
    office.put(SOUTH)
    office.phone("cleo").catch_up()
    assert post.settled() == []
    office.put(("contacts", "zoe", {"phone": "3"}))
    assert post.look() == ["to-cleo"]


def test_what_devices_have_is_written_for_the_other_processes(office: Office, post: Post) -> None:
    office.put(SOUTH)
    office.phone("cleo").catch_up()
    notes = office.round.seen.reached()
    assert notes == {"d-cleo": office.seq()}
    office.database.write(claims.note_reached, list(notes.items()))
    row = stored(office, "d-cleo")
    assert row is not None
    assert row["seq"] == office.seq()
    office.database.write(claims.note_reached, [("d-cleo", 1)])
    assert stored(office, "d-cleo") == row, "older news is dropped"


def test_a_page_that_is_not_complete_says_nothing(office: Office, post: Post) -> None:
    office.put(SOUTH)
    office.phone("cleo").page(page_rows=1)
    assert office.round.seen.reached() == {}
    assert post.look() == ["to-cleo"]


# -- streams ----------------------------------------------------------------------------------------------------------


def test_who_has_a_stream_is_left_alone_by_every_process_and_woken_after_it(office: Office, post: Post) -> None:
    stream = Stream("cleo", "d-cleo")
    post.live._devices["d-cleo"] = [stream]
    assert post.look() == []
    other = Post(office)
    other.live._devices.clear()
    office.put(SOUTH)
    assert (post.look(), other.look()) == ([], [])
    office.clock.advance(WAKE_LIVE_MS // 2)
    post.look()  # says again that it has the stream
    office.clock.advance(WAKE_LIVE_MS // 2 + 1)
    assert other.look() == []
    del post.live._devices["d-cleo"]
    assert post.look() == ["to-cleo"], "nobody knows whether the stream was read"


def test_the_streams_of_a_process_that_died_hold_nobody_back(office: Office, post: Post) -> None:
    post.live._devices["d-cleo"] = [Stream("cleo", "d-cleo")]
    post.look()
    other = Post(office)
    office.put(SOUTH)
    assert other.look() == []
    office.clock.advance(WAKE_LIVE_MS + 1)
    assert other.look() == ["to-cleo"]


# -- processes --------------------------------------------------------------------------------------------------------


def test_of_two_processes_one_sends(office: Office, post: Post) -> None:
    second = open_database(office.database.url)
    other = Post(office, second)
    office.put(NORTH)
    assert sorted(post.look() + other.look()) == ["to-ana", "to-bob"]
    second.close()


class Died(BaseException):
    """The process ends between claim and note."""


def test_a_wake_that_was_lost_with_its_process_is_made_up(office: Office, post: Post) -> None:
    def dies(_address: str) -> None:
        raise Died

    post.paper.while_sending = dies
    office.put(SOUTH)
    with pytest.raises(Died):
        post.look()
    post.paper.take()
    post.paper.while_sending = None
    other = Post(office)
    assert other.look() == [], "it may still be being sent"
    office.clock.advance(WAKE_CLAIM_MS + 1)
    assert other.look() == ["to-cleo"]
    assert other.settled() == []


def test_a_process_that_starts_asks_for_everybody(office: Office) -> None:
    subscribe(office, "cleo")
    office.put(SOUTH)
    assert Post(office).look() == ["to-cleo"]


def test_everybody_is_asked_again_from_time_to_time(office: Office, post: Post) -> None:
    office.put(SOUTH)
    office.database.write(lambda c: c.execute(update(wakes).values(next_at=5)).rowcount)
    post.waker._seen["paper"] = claims.Seen(office.seq(), office.clock.now_ms())
    assert post.look() == []
    office.clock.advance(WAKE_SWEEP_MS)
    assert post.look() == ["to-cleo"]


def test_more_than_a_batch_is_woken_all_the_same(office: Office) -> None:
    def many(connection: Connection) -> None:
        for number in range(WAKE_BATCH + 7):
            register(connection, f"p-{number}", "cleo")

    office.database.write(many)
    for number in range(WAKE_BATCH + 7):
        log_in(office, f"p-{number}")
        wanted = Subscribe("paper", f"p-{number}")
        office.database.write(subscriptions.subscribe, f"p-{number}", wanted, office.clock.now_ms())
    post = Post(office)
    office.put(SOUTH)
    woken = post.look()
    assert len(woken) == len(set(woken)) == WAKE_BATCH + 7


# -- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LATER, REFUSED])
def test_what_failed_is_tried_again_with_growing_pauses(office: Office, post: Post, kind: str) -> None:
    office.put(SOUTH)
    for failures in range(3):
        post.paper.answers = [Outcome(kind, "HTTP 503")]
        assert post.look() == ["to-cleo"]
        office.clock.advance(WAKE_RETRY_MS * 2**failures - 1)
        assert post.look() == []
        office.clock.advance(1)
    assert post.look() == ["to-cleo"]
    row = stored(office, "d-cleo")
    assert row is not None
    assert (row["failures"], row["seq"]) == (0, office.seq())
    assert claims.retry_ms(60) == WAKE_RETRY_MAX_MS


def test_a_service_that_asks_for_time_gets_it(office: Office, post: Post) -> None:
    post.paper.answers = [Outcome(LATER, "HTTP 429", after_s=600)]
    office.put(SOUTH)
    assert post.look() == ["to-cleo"]
    office.clock.advance(599_999)
    assert post.look() == []
    office.clock.advance(1)
    assert post.look() == ["to-cleo"]


def test_an_exception_of_a_service_is_a_failure_and_hurts_nobody_else(office: Office, post: Post) -> None:
    post.paper.answers = [RuntimeError("with a secret in it")]
    office.put(NORTH)
    assert post.look() == ["to-ana", "to-bob"]
    office.clock.advance(WAKE_RETRY_MS)
    assert post.look() == ["to-ana"]


def test_a_dead_address_is_dropped_but_not_one_that_came_meanwhile(office: Office, post: Post) -> None:
    post.paper.answers = [Outcome(GONE, "HTTP 410")]
    office.put(SOUTH)
    assert post.look() == ["to-cleo"]
    assert stored(office, "d-cleo") is None

    subscribe(office, "cleo")
    now = office.clock.now_ms()

    def replaces(_address: str) -> None:
        post.paper.while_sending = None
        fresh = Subscribe("paper", "to-cleo-new")
        open_database(office.database.url).write(subscriptions.subscribe, "d-cleo", fresh, now)

    post.paper.answers, post.paper.while_sending = [Outcome(GONE, "HTTP 410")], replaces
    office.put(("contacts", "zoe", {"phone": "4"}))
    if office.database.dialect == "sqlite":
        assert post.settled() == ["to-cleo", "to-cleo-new"]


# -- subscriptions ----------------------------------------------------------------------------------------------------


def test_the_same_subscription_twice_changes_nothing_and_another_one_gets_what_was_not_told(
    office: Office, post: Post
) -> None:
    before = stored(office, "d-cleo")
    office.clock.advance(1000)
    subscribe(office, "cleo")
    assert stored(office, "d-cleo") == before
    post.paper.answers = [Outcome(LATER)]
    office.put(SOUTH)
    post.look()
    fresh = Subscribe("paper", "to-cleo-new")
    office.database.write(subscriptions.subscribe, "d-cleo", fresh, office.clock.now_ms())
    assert post.look() == ["to-cleo-new"], "at once, whatever the old address had to wait for"


@pytest.mark.parametrize("order", ["revoked", "wiped"])
def test_a_registration_that_is_ended_loses_its_subscription_and_gets_no_other(
    office: Office, post: Post, order: str
) -> None:
    end = ("root", "d-cleo", order, "end", office.clock.now_ms())
    office.database.write(registrations.end, *end)
    assert stored(office, "d-cleo") is None
    with pytest.raises(Refused) as refused:
        subscribe(office, "cleo")
    assert refused.value.code in ("device_revoked", "device_wiped")
    office.put(SOUTH)
    assert post.settled() == []


def test_who_logged_out_is_not_woken_until_the_next_login(office: Office, post: Post) -> None:
    ended = update(refresh_tokens).where(refresh_tokens.c.device_key == "d-cleo").values(revoked_at=1)
    office.database.write(lambda c: c.execute(ended).rowcount)
    office.put(SOUTH)
    assert post.settled() == []
    log_in(office, "d-cleo")
    office.put(("contacts", "zoe", {"phone": "5"}))
    assert post.look() == ["to-cleo"]


def test_without_subscriptions_nothing_is_written(office: Office) -> None:
    post = Post(office)
    post.look()
    office.put(SOUTH)
    boundaries: list[str] = []
    office.database.probe = boundaries.append
    assert post.look() == []
    assert boundaries == []
