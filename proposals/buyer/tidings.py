"""Who is told of an answer: the other signers, the rep, other systems. All of it waits in the same transaction."""

from collections.abc import Mapping
from typing import Any

from proposals.buyer import deciding
from proposals.buyer.holding import Held
from proposals.delivery import outbox
from proposals.delivery.sending import OVER, TO_DECIDE, event_key
from sfa.db.outgoing import emit


def signed(held: Held, name: str) -> None:
    """One of several: the rep, and whoever signs next."""
    _rep(held, outbox.SIGNED, {"name": name}, ordinal=len(held.found.case.signed) + 1)
    after = [one for one in deciding.left(held.found.case) if one.key != held.link.signer]
    for one in held.found.recipients:
        if after and one["key"] == after[0].key:
            _recipient(held, outbox.SIGNED, one, {"name": name})


def accepted(held: Held, name: str, said: Mapping[str, Any]) -> None:
    """Everybody who has a part in it. That the deal was won is told by the door, as of any other."""
    outbox.drop(held.door.connection, held.proposal.key, OVER, kinds=TO_DECIDE)
    _tell(held, "proposal.accepted", said)
    _rep(held, outbox.ANSWERED, {"name": name})
    for one in held.found.recipients:
        _recipient(held, outbox.ANSWERED, one, {"name": name})


def declined(held: Held, name: str, reason: str) -> None:
    outbox.drop(held.door.connection, held.proposal.key, OVER, kinds=TO_DECIDE)
    _tell(held, "proposal.declined", {"recipient_key": held.link.recipient_key})
    _rep(held, outbox.DECLINED, {"name": name, "reason": reason})


def _tell(held: Held, kind: str, said: Mapping[str, Any]) -> None:
    link, version = held.link, held.found.version
    data = {"proposal_key": link.proposal_key, "deal_key": held.deal.key, "version": link.version}
    data |= {"number": version.number, "currency": version.currency, **said}
    emit(held.door.connection, kind, event_key(kind, link.proposal_key, link.version), held.door.now_ms, data)


def _rep(held: Held, kind: str, about: Mapping[str, Any], ordinal: int = 1) -> None:
    """Whoever has the deal by now."""
    owner = held.door.cell("users", held.deal.row["owner_key"], "none")
    if owner.exists and owner.row["active"]:
        _queue(held, kind, owner.row["email"], held.proposal.row["language"], about, ordinal, user_key=owner.key)


def _recipient(held: Held, kind: str, one: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    language = one["language"] or held.found.document.language
    _queue(held, kind, one["email"], language, about, 1, recipient_key=one["key"])


def _queue(
    held: Held, kind: str, to: str, language: str, about: Mapping[str, Any], ordinal: int, **whom: str | None
) -> None:
    of = {"proposal_key": held.link.proposal_key, "version": held.link.version, "ordinal": ordinal}
    said: dict[str, Any] = {**of, **whom, "to": to, "language": language, "about": about}
    outbox.queue(held.door.connection, held.door.now_ms, kind=kind, **said)
