"""What was accepted is printed, sealed and filed, once, whatever dies in between (R48, R50)."""

import asyncio
import io
import logging
import os
import signal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pikepdf
import pytest
from sqlalchemy import select, update

from proposals.buyer import links, questions
from proposals.delivery import handing
from proposals.delivery.handing import Wanted
from proposals.delivery.preparing import Site
from proposals.evidence import filing, keys, queue
from proposals.evidence.accepted import accepted_of
from proposals.evidence.certificate import certificate, final
from proposals.evidence.inspecting import inspect
from proposals.evidence.queue import ATTEMPTS_MAX, FAILED, QUEUED, SEALED, SEALING, STALE_MS
from proposals.evidence.testimony import read_testimony
from proposals.rendering.press import Press
from proposals.rendering.queue import DONE
from proposals.rendering.values import Order
from proposals.templates.template import BUILT_IN
from sfa.core.apart import WORKER_DIED, Failed
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_answers, proposal_renders, proposal_signatures, seal_keys, webhook_events
from sfa.web.secret import Secret
from tests.office import Office
from tests.proposals.buyer.answers import VISITOR, accept, drawing, events, link, recipient, sent, signatures
from tests.proposals.evidence.sealed import SECRET, Hand, answer, content, sealed, server
from tests.proposals.selling import order

pytestmark = pytest.mark.xdist_group("sealed proposals")


def accepted(office: Office, **said: Any) -> None:
    """By Carla, of an offer whose PDF was printed."""
    sent(office)
    accept(office, link(office), **said)
    printed(office)


def printed(office: Office) -> None:
    change = update(proposal_renders).values(state=DONE)
    office.database.write(lambda connection: connection.execute(change))


def told(office: Office) -> int:
    query = select(webhook_events.c.event_key).where(webhook_events.c.kind == "proposal.sealed")
    return len(office.all(query))


def test_what_was_accepted_is_sealed_and_devices_get_both_files(office: Office, tmp_path: Path) -> None:
    """R48: the row, the attachments, the timeline and the news say the same digests."""
    accepted(office)
    assert sealed(office, tmp_path) == 1
    found, row = answer(office), office.row("proposals", "p1")
    assert (found["seal_state"], found["stamped"], found["claimed_by"]) == (SEALED, False, None)
    assert (row["final_key"], row["certificate_key"]) == (found["final_key"], found["certificate_key"])
    (key,) = office.database.read(keys.known)
    for kind in ("final", "certificate"):
        file = office.row("attachments", found[f"{kind}_key"])
        assert file["sha256"] == found[f"{kind}_sha256"]
        assert (file["proposal_key"], file["deal_key"], file["stored"]) == ("p1", "deal-a", True)
        assert inspect(content(tmp_path, file["sha256"])).is_whole_by(key.fingerprint)
    names = [office.row("attachments", found[f"{kind}_key"])["name"] for kind in ("final", "certificate")]
    assert [name.rsplit(" ", 1)[-1] for name in names] == ["signed.pdf", "certificate.pdf"]
    assert events(office) == ["sent", "signed", "accepted", "sealed"]
    assert told(office) == 1
    phone = office.phone("ana")
    phone.catch_up()
    assert {row["final_key"], row["certificate_key"]} <= phone.keys("attachments")
    assert sealed(office, tmp_path) == 0


def test_the_certificate_tells_who_when_where_from_and_of_what(office: Office, tmp_path: Path) -> None:
    """R48, R45: whatever the company knows beside that stays with it."""
    accepted(office, method="drawn", drawing=drawing())
    hand = Hand()
    sealed(office, tmp_path, hand)
    final, certificate = hand.orders
    assert (final.form, certificate.form) == ("final", "certificate")
    assert final.evidence is not None
    assert certificate.evidence is not None
    assert final.evidence.body == bytes(answer(office)["document"])
    said, found = read_testimony(certificate.evidence.body), answer(office)
    assert said.accepted == accepted_of(final.evidence.body)
    assert (said.accepted_digest, said.final_pdf) == (found["digest"], found["final_sha256"])
    (signed,) = said.accepted.signatures
    assert (signed.name, signed.address, signed.agent) == ("Carla Ruiz", "192.0.2.7", "A browser")
    assert [event.kind for event in said.events] == ["sent", "signed", "accepted"]
    assert [event.who for event in said.events] == ["Company S.L.", "Carla Ruiz", "Carla Ruiz"]
    assert b"unmet" not in certificate.evidence.body
    assert sha256(final.assets[signed.picture_sha256 or ""]).hexdigest() == signed.picture_sha256
    assert final.evidence.verify_url == "https://offers.example/verify"


def test_an_answer_is_the_companys_also_where_it_is_for_a_buyer(office: Office, tmp_path: Path) -> None:
    """R48: who asked is named beside the question, and not beside the answer."""
    sent(office)
    asked = office.database.write(
        questions.ask, office.clock.now_ms(), link(office), "Carla Ruiz", "Loud?", None, VISITOR
    )
    ana, said = office.phone("ana"), {"text": "No."}
    base = office.rev("proposal_questions", asked.key)
    assert ana.do("proposal_question.answer", "proposal_questions", asked.key, base=base, set=said).outcome == "applied"
    accept(office, link(office))
    printed(office)
    hand = Hand()
    sealed(office, tmp_path, hand)
    (paper,) = (order.evidence for order in hand.orders if order.form == "certificate")
    assert paper is not None
    told = {event.kind: event.who for event in read_testimony(paper.body).events}
    assert (told["asked"], told["answered"]) == ("Carla Ruiz", "Company S.L.")


def test_people_are_named_as_they_were_and_who_did_not_sign_what_was_accepted_is_not(
    office: Office, tmp_path: Path
) -> None:
    """R48, R45: signers may not have known of each other's readers, nor of older versions."""
    sent(office, recipient("carla", "Carla Ruiz"), recipient("rolf", "Rolf", role="reader"))
    now = office.clock.now_ms()
    for version, who in ((1, "carla"), (2, "carla"), (2, "rolf"), (2, None)):
        if version == 2 and who == "carla":
            assert [order(office.phone("ana"), name).outcome for name in ("revise", "send")] == ["applied"] * 2
        at, name = link(office, who, version=version), f"Named by {who}"
        office.database.write(questions.ask, now, at, name, f"What? {version} {who}", None, VISITOR)
    accept(office, link(office, version=2), name="C. Ruiz")
    printed(office)
    office.put_server_row("proposal_recipients", "carla", {"name": "Somebody else"})
    hand = Hand()
    sealed(office, tmp_path, hand)
    (paper,) = (order.evidence for order in hand.orders if order.form == "certificate")
    assert paper is not None
    told = read_testimony(paper.body).events
    company = "Company S.L."
    assert [(event.kind, event.version, event.who, event.address) for event in told] == [
        ("sent", 1, company, None),
        ("asked", 1, "", None),
        ("superseded", 1, company, None),
        ("sent", 2, company, None),
        ("asked", 2, "Named by carla", "192.0.2.7"),
        ("asked", 2, "", None),
        ("asked", 2, "", None),
        ("signed", 2, "C. Ruiz", "192.0.2.7"),
        ("accepted", 2, "C. Ruiz", "192.0.2.7"),
    ]
    assert {event.agent for event in told} == {None, VISITOR.agent}
    for secret in (b"Rolf", b"rolf", b"Named by None", b"Somebody else"):
        assert secret not in paper.body


@pytest.mark.parametrize("whose", ["carla", None])
def test_what_is_signed_by_a_link_that_was_handed_over_says_so(
    office: Office, tmp_path: Path, whose: str | None
) -> None:
    """R48: nobody of the company signs as the buyer without a trace."""
    sent(office, recipient("carla", "Carla Ruiz", role="signer" if whose else "reader"))
    now, site = office.clock.now_ms(), Site("https://offers.example", b"k" * 32)
    given = office.database.write(handing.hand_over, now, "ana", "p1", Wanted(recipient_key=whose), site, "lk")
    by = office.database.read(links.found, given.url.rpartition("/")[2], now)
    assert by is not None
    accept(office, by)
    printed(office)
    (row,) = signatures(office)
    assert (row["link_key"], row["handed_over"], row["email"]) == ("lk", True, None)
    _, linked, signed, _accepted = office.database.read(timeline.events_of, "p1")
    assert (linked.kind, linked.user_key, msgspec.json.decode(linked.detail)["link_key"]) == ("linked", "ana", "lk")
    said = msgspec.json.decode(signed.detail)
    assert (said["link_key"], said["handed_over"], said["handed_over_by"]) == ("lk", True, "ana")
    hand = Hand()
    sealed(office, tmp_path, hand)
    bodies = [order.evidence.body for order in hand.orders if order.evidence is not None]
    told = read_testimony(bodies[1])
    assert [event.who for event in told.events] == ["Company S.L."] * 2 + ["Carla Ruiz"] * 2
    document = told.accepted.document
    pages = (
        final(document, BUILT_IN["classic"], bodies[0], ""),
        certificate(document, BUILT_IN["classic"], bodies[1], ""),
    )
    for page in pages:
        assert "handed over by Company S.L." in page.html
        assert "carla@buyer.example" not in page.html


def test_two_that_seal_the_same_file_it_once(office: Office, tmp_path: Path) -> None:
    """R48: the first was thought dead, and comes to its end after the second."""
    accepted(office)
    hand = Hand()

    async def story() -> None:
        hand.hold = asyncio.Event()
        async with (
            server(office, tmp_path, hand, beat_s=1_000) as (first, _),
            server(office, tmp_path, Hand()) as (
                second,
                _f,
            ),
        ):
            slow = asyncio.create_task(first.one())
            await hand.begun.wait()
            office.clock.advance(STALE_MS + 1)
            assert await second.one()
            hand.hold.set()
            await slow

    asyncio.run(story())
    assert answer(office)["attempts"] == 2
    assert (events(office).count("sealed"), told(office)) == (1, 1)
    kept = answer(office)
    assert office.row("proposals", "p1")["final_key"] == kept["final_key"]
    assert len([row for row in office.rows("attachments") if row["proposal_key"] == "p1"]) == 2


def test_a_server_that_stops_gives_back_what_it_was_sealing(office: Office, tmp_path: Path) -> None:
    accepted(office)

    async def story() -> None:
        hand = Hand()
        hand.hold = asyncio.Event()
        async with server(office, tmp_path, hand) as (sealer, files):
            sealer.start()
            await hand.begun.wait()
            query = select(proposal_answers.c.seal_state)
            assert await files.database.read_async(lambda c: c.execute(query).scalar()) == SEALING

    asyncio.run(story())
    assert (answer(office)["seal_state"], answer(office)["attempts"]) == (QUEUED, 0)
    assert sealed(office, tmp_path) == 1
    assert events(office).count("sealed") == 1


def test_a_printing_process_that_dies_is_tried_again_and_not_for_ever(office: Office, tmp_path: Path) -> None:
    accepted(office)

    def dies(_order: Order) -> bytes:
        raise Failed(WORKER_DIED)

    for attempt in range(1, ATTEMPTS_MAX + 1):
        assert sealed(office, tmp_path, Hand(dies)) == 1
        found = answer(office)
        assert (found["attempts"], found["code"]) == (attempt, WORKER_DIED)
        assert sealed(office, tmp_path, Hand(dies)) == 0  # it waits
        office.clock.advance(2_000 * 5**attempt)
    assert answer(office)["seal_state"] == FAILED
    assert office.database.write(queue.again, office.clock.now_ms(), "p1") == 1
    assert sealed(office, tmp_path) == 1
    assert answer(office)["seal_state"] == SEALED


def test_one_whose_process_died_each_time_is_given_up(office: Office, tmp_path: Path) -> None:
    accepted(office)
    for _ in range(ATTEMPTS_MAX):
        assert office.database.write(queue.claim, office.clock.now_ms(), "dead") is not None
        office.clock.advance(STALE_MS + 1)
    assert office.database.write(queue.claim, office.clock.now_ms(), "another") is None
    assert (answer(office)["seal_state"], answer(office)["code"]) == (FAILED, WORKER_DIED)


def test_it_waits_for_the_offer_that_is_still_being_printed(office: Office, tmp_path: Path) -> None:
    """R46: the certificate names the PDF that the buyer was sent."""
    sent(office)
    accept(office, link(office))
    hand = Hand()
    assert sealed(office, tmp_path, hand) == 1
    assert (answer(office)["seal_state"], answer(office)["attempts"], hand.orders) == (QUEUED, 0, [])
    printed(office)
    office.clock.advance(2_000)
    assert sealed(office, tmp_path, hand) == 1
    assert answer(office)["seal_state"] == SEALED


def test_nothing_is_sealed_that_is_not_what_was_signed(office: Office, tmp_path: Path) -> None:
    """R46, R48: whoever changes what is kept gets no seal for it."""
    accepted(office, method="drawn", drawing=drawing())
    change = update(proposal_signatures).values(picture=b"another one")
    office.database.write(lambda connection: connection.execute(change))
    sealed(office, tmp_path)
    assert (answer(office)["seal_state"], answer(office)["code"]) == (FAILED, "document_invalid")
    change = update(proposal_answers).values(document=bytes(answer(office)["document"]).replace(b"Carla", b"Clara"))
    office.database.write(lambda connection: connection.execute(change))
    office.database.write(queue.again, office.clock.now_ms())
    sealed(office, tmp_path)
    assert (answer(office)["seal_state"], answer(office)["code"]) == (FAILED, "document_invalid")


def test_a_file_of_somebody_else_under_our_key_is_left_alone(office: Office, tmp_path: Path) -> None:
    accepted(office)
    key = filing.attachment_key("p1", 1, "final")
    forged = {"account_key": "acme", "deal_key": "deal-a", "name": "P.pdf", "media_type": "application/pdf"}
    office.put_server_row("attachments", key, {**forged, "size": 9, "sha256": "a" * 64, "author_key": "ana"})
    sealed(office, tmp_path)
    row = office.row("proposals", "p1")
    assert row["final_key"] != key
    assert office.row("attachments", key)["sha256"] == "a" * 64


def test_without_a_key_that_can_be_used_everything_waits_and_the_log_says_so_once(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    accepted(office)
    office.database.write(keys.current, office.clock.now_ms(), b"x" * 32, "Company")  # by another secret
    with caplog.at_level(logging.ERROR):
        assert sealed(office, tmp_path) == 1
    assert caplog.text.count("nothing can be sealed") == 1
    found = answer(office)
    assert (found["seal_state"], found["code"], found["attempts"]) == (QUEUED, "seal_key_unusable", 0)
    wrap = Secret(SECRET).derive(keys.PURPOSE)
    office.clock.advance(60_000)
    office.database.write(keys.rotate, office.clock.now_ms(), wrap, "Company")
    assert sealed(office, tmp_path) == 1
    assert answer(office)["seal_key"] == "own-000002"


def test_the_key_is_encrypted_and_two_who_make_it_at_once_get_one(office: Office) -> None:
    now_ms, wrap = office.clock.now_ms(), b"w" * 32
    one = office.database.write(keys.current, now_ms, wrap, "Company S.L.")
    two = office.database.write(keys.current, now_ms, wrap, "Another name")
    assert one == two
    (row,) = office.all(select(seal_keys))
    assert one.private_key not in bytes(row["private_key"])
    with pytest.raises(Refused, match="seal_key_unusable"):
        office.database.write(keys.current, now_ms, b"v" * 32, "Company S.L.")


def test_while_files_cannot_be_kept_it_waits(office: Office, tmp_path: Path) -> None:
    accepted(office)

    def full(_order: Order) -> bytes:
        raise Refused("storage_full")

    for _ in range(ATTEMPTS_MAX + 1):
        sealed(office, tmp_path, Hand(full))
        office.clock.advance(60_000)
    assert (answer(office)["seal_state"], answer(office)["attempts"]) == (QUEUED, 0)
    sealed(office, tmp_path)
    assert answer(office)["seal_state"] == SEALED


def test_several_sign_and_the_certificate_names_each(office: Office, tmp_path: Path) -> None:
    """R48: a final file exists only when the last one has signed."""
    people = (recipient("carla", "Carla Ruiz"), recipient("dario", "Darío Sanz", position=1))
    sent(office, *people)
    accept(office, link(office))
    printed(office)
    assert sealed(office, tmp_path) == 0
    accept(office, link(office, "dario"), name="Darío Sanz")
    hand = Hand()
    assert sealed(office, tmp_path, hand) == 1
    body = hand.orders[1].evidence
    assert body is not None
    assert [each.name for each in read_testimony(body.body).accepted.signatures] == ["Carla Ruiz", "Darío Sanz"]


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
def test_a_printing_process_that_is_killed_leaves_one_seal_in_the_end(office: Office, tmp_path: Path) -> None:
    """R46, R48: with real printing processes; what is embedded is what was accepted, to the byte."""
    accepted(office, method="drawn", drawing=drawing())

    async def killed() -> None:
        press = Press(1)
        async with server(office, tmp_path, press) as (sealer, _):
            task = asyncio.create_task(sealer.one())
            while not press.pids:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.001)
            os.kill(press.pids[0], signal.SIGKILL)
            assert await task

    asyncio.run(killed())
    assert (answer(office)["seal_state"], answer(office)["code"]) == (QUEUED, WORKER_DIED)
    office.clock.advance(2_000)
    assert sealed(office, tmp_path, Press(1)) == 1
    found = answer(office)
    assert (found["seal_state"], events(office).count("sealed"), told(office)) == (SEALED, 1, 1)
    with pikepdf.open(io.BytesIO(content(tmp_path, found["final_sha256"]))) as final:
        assert final.attachments["accepted.json"].get_file().read_bytes() == bytes(found["document"])
    with pikepdf.open(io.BytesIO(content(tmp_path, found["certificate_sha256"]))) as certificate:
        said = read_testimony(certificate.attachments["evidence.json"].get_file().read_bytes())
    assert said.final_pdf == found["final_sha256"]
