"""Mails that came back: a delivery status notification (RFC 3464) says of which mail, and why.

It names our mail by its Message-ID, in the part that it returns or in its own headers. That is all that is believed of
it: whoever forges one, and knows a Message-ID that nobody can guess, marks a mail as bounced and does nothing else. A
delay is no bounce, and a message that is no such notification changes nothing.
"""

import re
from email import message_from_bytes, policy
from email.message import Message

from msgspec import Struct
from sqlalchemy import Connection

from proposals.delivery import outbox, outcomes

BYTES_MAX = 1 << 20  # what is longer is cut: reports come first, the mail that they return after
PARTS_MAX = 50
NOT_A_REPORT, NOT_FAILED, UNKNOWN, BOUNCED, BEFORE = "no_report", "not_failed", "unknown", "bounced", "bounced_before"
_ID = re.compile(r"<[^<>\s]{1,300}>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_NAMES = ("message-id", "original-message-id", "x-original-message-id", "in-reply-to", "references")


class Report(Struct, frozen=True):
    """`message_ids` may each be that of our mail; `status` is null where the report names no failure."""

    message_ids: tuple[str, ...]
    status: str | None
    problem: str


def read(body: bytes) -> Report | None:
    """None for what is no notification (pure); whatever bytes these are, nothing is raised."""
    try:
        return _read(message_from_bytes(body[:BYTES_MAX], policy=policy.compat32))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _read(message: Message) -> Report | None:
    parts = [part for part, _ in zip(message.walk(), range(PARTS_MAX), strict=False)]
    reports = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    if not reports:
        return None
    found: list[str] = []
    for part in (*parts[1:], parts[0]):
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                found += _ids(message_from_bytes(payload, policy=policy.compat32))
        found += _ids(part)
    status, problem = None, ""
    for block in (block for report in reports for block in _blocks(report)):
        said = _STATUS.search(str(block.get("Status", "")))
        if str(block.get("Action", "")).strip().lower() == "failed" or (said and said.group()[0] == "5"):
            status = said.group() if said and said.group()[0] in "45" else "5.0.0"
            problem = " ".join(str(block.get("Diagnostic-Code", "")).split())[:300]
            break
    return Report(tuple(dict.fromkeys(found)), status, "".join(c for c in problem if c.isprintable()))


def _ids(part: Message) -> list[str]:
    return [each for name in _NAMES for value in part.get_all(name, []) for each in _ID.findall(str(value))]


def _blocks(report: Message) -> list[Message]:
    payload = report.get_payload()
    return [block for block in payload if isinstance(block, Message)][:PARTS_MAX] if isinstance(payload, list) else []


def take(connection: Connection, now_ms: int, body: bytes) -> str:
    """What came of it: one of the words above. The same notification again changes nothing."""
    report = read(body)
    if report is None:
        return NOT_A_REPORT
    if report.status is None:
        return NOT_FAILED
    mails = (outbox.of_message(connection, each) for each in report.message_ids[:PARTS_MAX])
    mail = next((each for each in mails if each is not None), None)
    if mail is None:
        return UNKNOWN
    return BOUNCED if outcomes.came_back(connection, now_ms, mail, report.status, report.problem) else BEFORE
