"""Mail servers that refuse, are away, want a login, die in the middle; servers of ours that do (R55)."""

import asyncio
import logging

import pytest
from aiosmtpd.smtp import AuthResult
from sqlalchemy import Connection, select

from proposals.delivery import outbox, outcomes
from proposals.delivery.outbox import KEPT_TRYING_MS, STALE_MS, Mail
from proposals.delivery.running import UNSET_MS
from sfa.db.tables import webhook_events
from tests.office import Office
from tests.proposals.delivery.post import (
    CARL,
    Server,
    events,
    given_links,
    mail_server,
    mailed,
    mailing,
    outbox_rows,
    people,
    sent,
    way,
)


def only(office: Office) -> dict[str, object]:
    (row,) = outbox_rows(office)
    return row


def test_an_address_that_takes_no_mail_is_said_with_its_status_and_not_tried_again(office: Office) -> None:
    sent(office)
    server = Server()
    server.answers[CARL] = "550 5.1.1 No such person here"
    mailed(office, server)
    row = people(office)[CARL]
    assert (row["state"], row["problem"]) == ("bounced", "5.1.1")
    mail = only(office)
    assert (mail["state"], mail["code"], mail["problem"]) == ("bounced", "5.1.1", "5.1.1 No such person here")
    assert events(office) == ["sent", "bounced"]
    office.clock.advance(86_400_000)
    assert mailed(office).taken == []


def test_a_mail_server_that_is_busy_is_asked_again_with_growing_pauses(office: Office) -> None:
    """The Message-ID is the same at every try, so that a mail which got through twice is recognised."""
    sent(office)
    server = Server()
    server.answers[CARL] = "451 4.7.1 Greylisted, try again"
    named = set()
    for pause in (30_000, 90_000, 270_000):
        mailed(office, server)
        mail = only(office)
        assert (mail["state"], mail["code"]) == ("queued", "4.7.1")
        assert mail["due_at"] == office.clock.now_ms() + pause
        named.add(mail["message_id"])
        office.clock.advance(pause - 1)
        tries = server.tries
        assert mailed(office, server).tries == tries
        office.clock.advance(1)
    server.answers.clear()
    ((_, message),) = mailed(office, server).taken
    assert named == {message["Message-ID"]}
    assert only(office)["attempts"] == 4
    assert events(office) == ["sent", "mailed"]


def test_content_that_is_refused_for_good_is_told_like_a_bounce(office: Office) -> None:
    sent(office)
    server = Server()
    server.to_content = "554 5.6.0 Nobody reads this"
    mailed(office, server)
    assert (people(office)[CARL]["state"], people(office)[CARL]["problem"]) == ("bounced", "5.6.0")


def test_a_policy_about_the_sender_is_no_bad_address(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody sets it right, and the mail goes: the recipient's row says nothing of a bounce meanwhile."""
    sent(office)
    server = Server()
    server.answers[CARL] = "550 5.7.26 This sender is not authenticated"
    with caplog.at_level(logging.WARNING, "sfa.mail"):
        mailed(office, server)
    assert (only(office)["state"], only(office)["code"]) == ("queued", "5.7.26")
    assert people(office)[CARL]["state"] == "new"
    assert "a policy refuses it" in caplog.text
    office.clock.advance(30_000)
    server.answers.clear()
    assert len(mailed(office, server).taken) == 1
    assert (people(office)[CARL]["state"], events(office)) == ("mailed", ["sent", "mailed"])


def test_where_no_mail_server_answers_mails_wait_and_health_says_so(office: Office) -> None:
    sent(office)
    server = Server()

    async def play() -> str:
        async with mail_server(server):
            post = way(server)
        async with mailing(office, post) as mailer:  # nobody listens any more
            await mailer.run_all()
            mailer.start()
            return mailer.state

    assert asyncio.run(play()) == "failing"
    assert (only(office)["state"], only(office)["code"]) == ("queued", "mail_unreachable")
    office.clock.advance(30_000)
    assert len(mailed(office).taken) == 1


def test_a_login_that_is_refused_keeps_mails_waiting_and_is_said_once(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    sent(office, *((f"r-{n}", {"name": "P", "email": f"p{n}@buyer.example"}) for n in range(3)))
    server = Server()

    async def play() -> None:
        how = {"auth_require_tls": False, "authenticator": lambda *_: AuthResult(success=False, handled=False)}
        async with mail_server(server, **how), mailing(office, way(server, "user:wrong@")) as mailer:
            await mailer.run_all()
            office.clock.advance(UNSET_MS)
            await mailer.run_all()

    with caplog.at_level(logging.ERROR, "sfa.mail"):
        asyncio.run(play())
    assert [record.message.startswith("the mail server takes no mail from us") for record in caplog.records] == [True]
    assert "wrong" not in caplog.text
    assert {(mail["state"], mail["attempts"]) for mail in outbox_rows(office)} == {("queued", 0)}
    assert server.tries == 0
    office.clock.advance(UNSET_MS)
    assert len(mailed(office).taken) == 3


def test_tls_that_is_required_and_not_offered_sends_nothing(office: Office) -> None:
    sent(office)
    server = Server()

    async def play() -> None:
        async with mail_server(server), mailing(office, way(server, tls="require")) as mailer:
            await mailer.run_all()

    asyncio.run(play())
    assert (server.taken, only(office)["code"]) == ([], "mail_tls")


def test_a_mail_server_that_dies_in_the_middle_is_asked_again_and_the_story_ends_once(office: Office) -> None:
    """R55: it took the mail and died before it said so: a second mail with the same Message-ID, one story."""
    sent(office)
    server = Server()

    async def play() -> None:
        stopped = asyncio.Event()

        async def stop() -> None:
            stopped.set()
            await asyncio.sleep(60)

        server.before_word = stop
        async with mail_server(server), mailing(office, way(server)) as mailer:
            running = asyncio.create_task(mailer.run_all())
            await stopped.wait()
            server.hang_up()
            await running

    asyncio.run(play())
    assert (only(office)["state"], only(office)["code"]) == ("queued", "mail_unreachable")
    assert events(office) == ["sent"]
    server.before_word = None
    office.clock.advance(30_000)
    mailed(office, server)
    first, second = server.to(CARL)
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_body(("plain",)).get_content() == second.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert events(office) == ["sent", "mailed"]
    assert len(given_links(office)) == 1


def test_a_process_that_died_after_the_mail_servers_word_is_taken_over(office: Office) -> None:
    """R55: what it would have said is said by another, once; who comes late says nothing."""
    sent(office)
    now = office.clock.now_ms

    def claim(connection: Connection) -> Mail | None:
        return outbox.claim(connection, now(), "dead", "<fixed@company.example>")

    held = office.database.write(claim)
    assert held is not None
    assert mailed(office).taken == []
    office.clock.advance(STALE_MS + 1)
    ((_, message),) = mailed(office).taken
    assert message["Message-ID"] == "<fixed@company.example>"
    assert not office.database.write(outcomes.sent, now(), held)
    assert events(office) == ["sent", "mailed"]


def test_a_server_that_stops_gives_back_what_it_has(office: Office) -> None:
    sent(office)
    server = Server()

    async def play() -> None:
        begun = asyncio.Event()

        async def holds() -> None:
            begun.set()
            await asyncio.sleep(60)

        server.before_word = holds
        async with mail_server(server), mailing(office, way(server)) as mailer:
            mailer.grace_s = 0.0
            running = asyncio.create_task(mailer.run_all())
            await begun.wait()
            running.cancel()
            await mailer.close()

    asyncio.run(play())
    assert (only(office)["state"], only(office)["attempts"], only(office)["claimed_by"]) == ("queued", 0, None)


def test_two_servers_share_what_waits_and_mail_each_once(office: Office) -> None:
    sent(office, *((f"r-{n}", {"name": "P", "email": f"p{n}@buyer.example"}) for n in range(8)))
    server = Server()

    async def play() -> None:
        async with mail_server(server), mailing(office, way(server)) as one, mailing(office, way(server)) as two:
            await asyncio.gather(one.run_all(), two.run_all())

    asyncio.run(play())
    assert sorted(to for to, _ in server.taken) == [f"p{n}@buyer.example" for n in range(8)]
    assert events(office) == ["sent", *["mailed"] * 8]


def test_what_could_not_be_sent_for_days_is_given_up_and_the_row_says_so(office: Office) -> None:
    sent(office)
    office.clock.advance(KEPT_TRYING_MS + 1)
    assert mailed(office).taken == []
    assert only(office)["state"] == "failed"
    assert people(office)[CARL]["problem"] == "mail_too_old"


def test_without_a_mail_server_nothing_is_tried(office: Office) -> None:
    sent(office)

    async def play() -> tuple[int, str]:
        async with mailing(office, None) as mailer:
            mailer.start()
            return await mailer.run_all(), mailer.state

    assert asyncio.run(play()) == (0, "off")
    assert only(office)["state"] == "queued"
    assert [row["kind"] for row in office.all(select(webhook_events.c.kind))] == ["proposal.sent"]


def test_a_running_server_hears_of_an_offer_and_mails_it(office: Office) -> None:
    server = Server()

    async def play() -> None:
        got = asyncio.Event()

        async def told() -> None:
            got.set()

        server.before_word = told
        async with mail_server(server), mailing(office, way(server)) as mailer:
            mailer.start()
            await asyncio.to_thread(sent, office)
            async with asyncio.timeout(30):
                await got.wait()
            await mailer.run_all()

    asyncio.run(play())
    assert len(server.taken) == 1
