"""`proposal.resend` and `proposal.revoke_link`: a mail once more, and links that shall open nothing any more.

Both are asked for at a screen or on a phone that was offline, by whoever may change the proposal, and are done once:
who asks again within `AGAIN_MS`, or while the mail waits, has what he asked for.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from proposals import store
from proposals.buyer import links
from proposals.delivery import outbox
from proposals.delivery.sending import RECIPIENTS, TO_DECIDE
from proposals.lifecycle import WITH_BUYER
from sfa.core.errors import Refused
from sfa.core.fields import KEY_PATTERN
from sfa.crm import edits
from sfa.crm.commands import Command
from sfa.crm.edits import Who
from sfa.db import proposal_timeline as timeline
from sfa.db.cells import Cell
from sfa.db.writes import Door, Origin

ENTITY = "proposals"
RESEND, REVOKE = "proposal.resend", "proposal.revoke_link"
AGAIN_MS = 5 * 60_000
MAILS_MAX = 20  # of one version to one recipient
LINK_REVOKED = "link_revoked"
Key = Annotated[str, Meta(pattern=KEY_PATTERN)]
Wanted = TypeVar("Wanted", bound=Struct)


class Resend(Struct, frozen=True, forbid_unknown_fields=True):
    recipient_key: Key


class Revoke(Struct, frozen=True, forbid_unknown_fields=True):
    """Null: every link of the proposal, those too that were handed over by hand."""

    recipient_key: Key | None


def resend(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """The mail with the link, to the address that the recipient has now; a link that was revoked is a new one then."""
    asked = _read(RESEND, arguments, Resend)
    check_works(door, who, cell)
    version = with_buyer(door, cell, RESEND)
    recipient = _recipient(door, cell, asked.recipient_key)
    connection, now_ms, row = door.connection, door.now_ms, recipient.row
    mails = [
        mail
        for mail in outbox.of_proposal(connection, cell.key)
        if (mail.kind, mail.version, mail.recipient_key) == (outbox.OFFER, version.version, recipient.key)
    ]
    if any(_is_as_good(mail, row["email"], now_ms) for mail in mails):
        return
    ordinal = max((mail.ordinal for mail in mails), default=0) + 1
    if ordinal > MAILS_MAX:
        raise Refused("mail_limit", f"{MAILS_MAX} mails of this version went to this person", most=MAILS_MAX)
    outbox.queue(
        connection,
        now_ms,
        kind=outbox.OFFER,
        proposal_key=cell.key,
        version=version.version,
        recipient_key=recipient.key,
        to=row["email"],
        language=row["language"] or version.language,
        ordinal=ordinal,
    )
    begun = {"state": "new" if row["state"] == "bounced" else row["state"], "problem": None}
    changed = {field: value for field, value in begun.items() if row[field] != value}
    if changed:
        door.put(recipient, changed, origin, RESEND)


def revoke_link(door: Door, who: Who, cell: Cell, arguments: Mapping[str, Any], origin: Origin) -> None:
    """Whoever has one of these links has nothing any more; what waits to be mailed with one is dropped."""
    asked = _read(REVOKE, arguments, Revoke)
    check_works(door, who, cell)
    connection, at, key = door.connection, door.now_ms, asked.recipient_key
    if key is not None:
        _recipient(door, cell, key, gone_too=True)
    kinds = TO_DECIDE if key is None else outbox.KINDS
    outbox.drop(connection, cell.key, LINK_REVOKED, recipient_key=key, kinds=kinds)
    count = links.revoke(connection, cell.key, key, at, who.user_key)
    if count:
        of = cell.row["version"]
        detail = {"links": count}
        timeline.note(
            connection, cell.key, of, at, timeline.REVOKED, recipient_key=key, user_key=origin.author_key, detail=detail
        )


def check_works(door: Door, who: Who, cell: Cell) -> None:
    """Whoever may change the proposal."""
    if cell.gone:
        raise Refused("row_unknown", f"proposal {cell.key} is deleted", entity=ENTITY, key=cell.key)
    edits.check_rights(who, ENTITY, (), creating=False)
    edits.check_owned(door, who, cell)


def with_buyer(door: Door, cell: Cell, act: str) -> store.Version:
    """The version that the buyer has and may answer, also while it is revised."""
    number = cell.row["version"]
    found = store.version_of(door.connection, cell.key, number) if number else None
    if found is None or found.status not in WITH_BUYER:
        status = found.status if found is not None else cell.row["status"]
        raise Refused("illegal_transition", f"{act}: the proposal is {status}", status=status)
    return found


def _is_as_good(mail: outbox.Mail, address: str, now_ms: int) -> bool:
    """Whether a mail that is there does what is asked for."""
    if mail.to_address != address:
        return False
    return mail.state in outbox.WAITS or (mail.state == outbox.SENT and mail.asked_at > now_ms - AGAIN_MS)


def _recipient(door: Door, cell: Cell, key: str, *, gone_too: bool = False) -> Cell:
    found = door.cell(RECIPIENTS, key)
    if not found.rev or found.row["proposal_key"] != cell.key or (found.gone and not gone_too):
        raise Refused("row_unknown", f"the proposal has no recipient {key}", entity=RECIPIENTS, key=key)
    return found


def _read(command: str, arguments: Mapping[str, Any], kind: type[Wanted]) -> Wanted:
    try:
        return msgspec.convert(dict(arguments), kind)
    except msgspec.ValidationError as error:
        raise Refused("command_invalid", f"{command}: {error}") from None


COMMANDS: dict[str, Command] = {
    RESEND: Command(ENTITY, resend, alone=True, handed=False),
    REVOKE: Command(ENTITY, revoke_link, alone=True, handed=False),
}
