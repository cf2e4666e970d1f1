"""Mails that came back later, as notifications of the recipient's mail server."""

from email.message import EmailMessage

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from proposals.delivery import bounces
from sfa.app.cli import main
from tests.office import Office
from tests.proposals.delivery.post import CARL, events, mailed, outbox_rows, people, sent
from tests.proposals.selling import order

PARTS = """\
From: MAILER-DAEMON@mx.example
To: sales@company.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not work.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; carl@buyer.example
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 <carl@buyer.example>: no such person

--b
Content-Type: {returned}

From: sales@company.example
Message-ID: {message_id}
Subject: Offer

--b--
"""


def report(
    message_id: object, action: str = "failed", status: str = "5.1.1", returned: str = "message/rfc822"
) -> bytes:
    said = {"action": action, "status": status, "returned": returned, "message_id": message_id}
    return PARTS.format(**said).encode()


def take(office: Office, body: bytes) -> str:
    return office.database.write(bounces.take, office.clock.now_ms(), body)


def message_id(office: Office) -> object:
    return outbox_rows(office)[0]["message_id"]


@pytest.mark.parametrize("returned", ["message/rfc822", "text/rfc822-headers"])
def test_a_mail_that_came_back_is_said_once(office: Office, returned: str) -> None:
    sent(office)
    mailed(office)
    body = report(message_id(office), returned=returned)
    assert [take(office, body) for _ in range(2)] == ["bounced", "bounced_before"]
    row = people(office)[CARL]
    assert (row["state"], row["problem"]) == ("bounced", "5.1.1")
    assert (outbox_rows(office)[0]["state"], outbox_rows(office)[0]["code"]) == ("bounced", "5.1.1")
    assert events(office) == ["sent", "mailed", "bounced"]


def test_a_reply_that_names_the_mail_in_its_own_headers_is_enough(office: Office) -> None:
    sent(office)
    mailed(office)
    body = report("<other@mx.example>").replace(
        b"Subject: Und", f"References: {message_id(office)}\nSubject: Und".encode()
    )
    assert take(office, body) == "bounced"


def test_a_delay_or_a_mail_of_somebody_else_changes_nothing(office: Office) -> None:
    sent(office)
    mailed(office)
    known = message_id(office)
    assert take(office, report(known, action="delayed", status="4.4.1")) == "not_failed"
    assert take(office, report(known, action="delivered", status="2.0.0")) == "not_failed"
    assert take(office, report("<unknown@company.example>")) == "unknown"
    reply = EmailMessage()
    reply["In-Reply-To"] = str(known)
    reply.set_content("I am on holiday.")
    assert take(office, reply.as_bytes()) == "no_report"
    assert (people(office)[CARL]["state"], events(office)) == ("mailed", ["sent", "mailed"])


def test_what_a_buyer_did_weighs_more_and_a_newer_version_is_not_judged_by_an_older_mail(office: Office) -> None:
    """A forged notification can mark a mail, and nothing else."""
    ana = sent(office)
    mailed(office)
    first = message_id(office)
    key = people(office)[CARL]["key"]
    office.put_server_row("proposal_recipients", key, {"state": "opened"})
    assert take(office, report(first)) == "bounced"
    assert people(office)[CARL]["state"] == "opened"
    order(ana, "revise")
    order(ana, "send")
    mailed(office)
    assert people(office)[CARL]["state"] == "mailed"


@given(st.binary(max_size=2_000) | st.binary(max_size=200).map(lambda more: report("<a@b>") + more))
def test_whatever_bytes_come_nothing_is_raised(body: bytes) -> None:
    bounces.read(body)


@given(st.integers(0, len(report("<a@b>"))), st.binary(max_size=40))
def test_a_notification_that_was_torn_is_read_as_far_as_it_goes(place: int, inserted: bytes) -> None:
    whole = report("<a@b>")
    found = bounces.read(whole[:place] + inserted + whole[place:])
    assert found is None or found.status is None or found.status[0] in "45"


def test_the_terminal_takes_one_from_a_pipe(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(office)
    mailed(office)
    monkeypatch.setenv("SFA_DATABASE_URL", office.database.url)
    body = report(message_id(office))
    runs = [CliRunner().invoke(main, ["mail", "bounce"], input=each) for each in (body, b"nothing")]
    assert [(run.exit_code, run.output) for run in runs] == [(0, "bounced\n"), (0, "no_report\n")]
