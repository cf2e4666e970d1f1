"""What a proposal is to those who get it, on a device: recipients, opens, questions, the outcome (R48, R51, R53).

Recipients are written beside a draft, and questions answered, without signal. What buyers do comes by sync.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from msgspec import Struct

from sfa.core.errors import Refused
from sync.device.client import Device
from sync.device.outbox import Queued
from sync.device.proposals import LINES, PROPOSALS, QUESTIONS, RECIPIENTS, Problem, refused, stored_file, the_row

ANSWER, RESEND, REVOKE = "proposal_question.answer", "proposal.resend", "proposal.revoke_link"
Row = Mapping[str, Any]


class Recipient(Struct, frozen=True):
    """Who gets it: `state` is new until a link was mailed, then mailed, bounced, opened, signed or declined; `problem`
    says by its code why nothing arrived. `waiting` is what is queued about it."""

    key: str
    name: str
    email: str
    language: str | None
    role: str
    position: int
    state: str
    problem: str | None
    mailed_at: int | None
    opened_at: int | None
    last_opened_at: int | None
    opens: int
    answered_at: int | None
    opted_out_at: int | None
    waiting: list[str]


class Question(Struct, frozen=True):
    """`about` is the name of the section or line that it is about. `is_waiting`: its answer was not sent yet."""

    key: str
    proposal_key: str
    version: int
    asked_by: str
    asked_at: int
    about: str | None
    text: str
    answer: str | None
    answered_at: int | None
    answered_by: str | None
    is_waiting: bool


class Followed(Struct, frozen=True):
    """What became of a proposal: `outcome` is {kind: accepted | declined | expired, version, at, by, reason,
    total_minor}. `final` and `certificate` are attachments, once the server has them."""

    key: str
    title: str
    number: str | None
    version: int
    status: str
    currency: str
    sent_at: int | None
    opened_at: int | None
    last_opened_at: int | None
    opens: int
    recipients: list[Recipient]
    questions: list[Question]
    outcome: dict[str, Any] | None
    final: str | None
    certificate: str | None
    problems: list[Problem]


# -- recipients -------------------------------------------------------------------------------------------------------


def add_recipient(device: Device, proposal: str, values: Row | None = None, contact: str | None = None) -> str:
    """Whom it shall be mailed to; -> the row's key. Name and address are those of the contact, unless `values` say
    others; signers sign in the order in which they were added."""
    the_row(device, proposal)
    said: dict[str, Any] = {}
    if contact is not None:
        person = device.get("contacts", contact)
        if person is None:
            raise Refused("row_unknown", f"there is no contacts row {contact!r} on this device", key=contact)
        said = {"contact_key": contact, "name": person["name"], "email": person["email"]}
    said |= dict(values or {})
    for field in ("name", "email"):
        if not said.get(field):
            raise Refused("field_required", f"a recipient needs its {field}", field=field)
    others = device.list(RECIPIENTS, {"proposal_key": proposal}).values()
    said.setdefault("position", max((row["position"] for row in others), default=-1) + 1)
    return device.create(RECIPIENTS, {"proposal_key": proposal, **said})


def remove_recipient(device: Device, key: str) -> int:
    """-> the mutation's number"""
    if device.get(RECIPIENTS, key) is None:
        raise Refused("row_unknown", f"there is no {RECIPIENTS} row {key!r} on this device", key=key)
    return device.delete(RECIPIENTS, key)


def recipients(device: Device, proposal: str) -> list[Recipient]:
    """In the order in which they sign."""
    rows, pending = device.list(RECIPIENTS, {"proposal_key": proposal}), device.pending()
    ordered = sorted(rows, key=lambda key: (rows[key]["position"], key))
    told = [field for field in Recipient.__struct_fields__ if field not in ("key", "waiting")]
    return [
        Recipient(key=key, **{field: rows[key][field] for field in told}, waiting=_waiting(pending, {key}))
        for key in ordered
    ]


def _waiting(pending: Sequence[Queued], keys: Set[str]) -> list[str]:
    return [item.kind for item in pending if item.entity == RECIPIENTS and item.key in keys]


# -- questions --------------------------------------------------------------------------------------------------------


def questions(device: Device, proposal: str | None = None) -> list[Question]:
    """The oldest first, with answers that were not sent yet; of all proposals unless one is named."""
    rows = device.list(QUESTIONS, {"proposal_key": proposal} if proposal is not None else None)
    queued = {item.key: item for item in device.pending() if item.kind == ANSWER}
    places = _places(device, {row["proposal_key"] for row in rows.values()}) if rows else {}
    ordered = sorted(rows, key=lambda key: (rows[key]["asked_at"], key))
    return [_question(key, rows[key], queued.get(key), places) for key in ordered]


def _question(key: str, row: Row, queued: Queued | None, places: Mapping[str, str]) -> Question:
    is_waiting = queued is not None and row["answered_at"] is None
    return Question(
        key=key,
        proposal_key=row["proposal_key"],
        version=row["version"],
        asked_by=row["asked_by"],
        asked_at=row["asked_at"],
        about=places.get(row["place"], row["place"]) if row["place"] is not None else None,
        text=row["text"],
        answer=queued.fields.get("text") if queued is not None and is_waiting else row["answer"],
        answered_at=row["answered_at"],
        answered_by=row["answered_by"],
        is_waiting=is_waiting,
    )


def _places(device: Device, proposals: Set[str]) -> dict[str, str]:
    """Sections and lines by their keys, as they are called now."""
    found = {key: str(line["name"]) for key, line in device.list(LINES).items() if line["proposal_key"] in proposals}
    for key in proposals:
        for section in (device.get(PROPOSALS, key) or {}).get("sections", ()):
            found[section["key"]] = section["title"]
    return found


def answer(device: Device, question: str, text: str) -> int:
    """Once: what was answered stays. -> the mutation's number"""
    row = device.get(QUESTIONS, question)
    if row is None:
        raise Refused("row_unknown", f"there is no {QUESTIONS} row {question!r} on this device", key=question)
    return device.command(ANSWER, question, {"text": text})


# -- mail -------------------------------------------------------------------------------------------------------------


def resend(device: Device, proposal: str, recipient: str | None = None) -> list[int]:
    """Mail the link once more, to one recipient or to all. -> the mutations' numbers"""
    the_row(device, proposal)
    people = [recipient] if recipient is not None else [one.key for one in recipients(device, proposal)]
    if not people:
        raise Refused("field_required", "nobody is to get this proposal: add a recipient", field="recipient_key")
    return [device.command(RESEND, proposal, {"recipient_key": key}) for key in people]


def revoke(device: Device, proposal: str, recipient: str | None = None) -> int:
    """Links open nothing any more: of one recipient, or all that there are. -> the mutation's number"""
    the_row(device, proposal)
    return device.command(REVOKE, proposal, {"recipient_key": recipient})


# -- following --------------------------------------------------------------------------------------------------------


def followed(device: Device, key: str) -> Followed:
    """Refuses `row_unknown` for a proposal that is not here."""
    row = the_row(device, key)
    return Followed(
        key=key,
        title=row["title"],
        number=row["number"],
        version=row["version"],
        status=row["status"],
        currency=row["currency"],
        sent_at=row["sent_at"],
        opened_at=row["opened_at"],
        last_opened_at=row["last_opened_at"],
        opens=row["opens"],
        recipients=recipients(device, key),
        questions=questions(device, key),
        outcome=row["outcome"],
        final=stored_file(device, row["final_key"]),
        certificate=stored_file(device, row["certificate_key"]),
        problems=refused(device, key),
    )
