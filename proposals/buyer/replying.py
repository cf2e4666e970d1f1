"""`proposal_question.answer`: somebody of the company answers what a buyer asked, at a screen or on a phone."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from proposals import store
from proposals.buyer.questions import ENTITY, TEXT_MAX, cleaned
from proposals.delivery import outbox
from sfa.core.errors import Refused
from sfa.crm import edits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin

ANSWER = "proposal_question.answer"


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX)]


def answer(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Once: the same again is done already, anything else is refused (`question_answered`). By whoever may change the
    proposal. The mail is asked for in the same transaction."""
    try:
        text = cleaned(msgspec.convert(dict(arguments), Answer).text)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"{ANSWER}: {error}") from None
    if not text:
        raise Refused("command_invalid", f"{ANSWER}: text is empty")
    if cell.gone:
        raise Refused("row_unknown", f"question {cell.key} is deleted", entity=ENTITY, key=cell.key)
    edits.check_rights(who, "proposals", (), creating=False)
    edits.check_owned(door, who, cell)
    row = cell.row
    if row["answered_at"] is not None:
        if row["answer"] == text:
            return
        raise Refused("question_answered", "somebody answered it before", key=cell.key)
    door.put(cell, {"answer": text, "answered_at": origin.at, "answered_by": who.user_key}, origin, ANSWER)
    detail = {"question": cell.key}
    of = {"recipient_key": row["recipient_key"], "user_key": who.user_key}
    connection, key, version = door.connection, row["proposal_key"], row["version"]
    timeline.note(connection, key, version, door.now_ms, timeline.ANSWERED, detail=detail, **of)
    _mail_asker(door, cell)


def _mail_asker(door: Door, cell: Cell) -> None:
    """Who asked by a link that was handed over reads the answer on the page: nobody knows an address."""
    row = cell.row
    if row["recipient_key"] is None:
        return
    recipient = door.cell("proposal_recipients", row["recipient_key"], "none")
    if recipient.exists:
        language = recipient.row["language"]
        outbox.queue(
            door.connection,
            door.now_ms,
            kind="answer",
            proposal_key=row["proposal_key"],
            version=row["version"],
            recipient_key=recipient.key,
            to=recipient.row["email"],
            language=language or store.version_of(door.connection, row["proposal_key"], row["version"]).language,
            about={"question_key": cell.key},
        )


COMMANDS = {ANSWER: Command(ENTITY, answer, alone=True)}
