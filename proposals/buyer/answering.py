"""What a buyer answers: signs and by that accepts, or declines, once and for all (R46, R47, R48, R55).

An answer is one transaction under the locks of the deal and of the proposal, which sending, withdrawing and revising
take as well: of all that happen at once one is first, and the others meet what it left. Whoever has the last signature
ends the version, and with it the deal is won at what was accepted. The same person who answers again the same is told
so. A browser says which options are taken and what it was shown; every amount is the server's.
"""

from msgspec import Struct
from sqlalchemy import Connection

from proposals.buyer import cases, deciding, links
from proposals.buyer.consent import consent_text
from proposals.buyer.links import Link
from proposals.buyer.signatures import DRAWING_BYTES_MAX
from proposals.evidence.timeline import Visitor
from proposals.lifecycle import ACCEPTED, SUPERSEDED
from sfa.core.pricing.choosing import Choices

__all__ = ["DRAWING_BYTES_MAX", "Acceptance", "Answered", "Decline", "Standing", "accept", "consent_text", "decline"]
SIGNED = "signed"
REASON_MAX = 2_000


class Acceptance(Struct, frozen=True, kw_only=True):
    """What was signed, as the browser says it. `method` is typed or drawn, `drawing` the PNG of the latter.
    `consent_digest` is of `consent_text` as it was shown, `digest` that of the version that was looked at,
    `total_minor` what it came to with these `choices`."""

    link: Link
    name: str
    method: str
    drawing: bytes | None = None
    consent_digest: str
    digest: str
    total_minor: int
    choices: Choices = cases.NO_CHOICES
    visitor: Visitor = Visitor()


class Decline(Struct, frozen=True, kw_only=True):
    link: Link
    name: str
    reason: str = ""
    visitor: Visitor = Visitor()


class Answered(Struct, frozen=True, kw_only=True):
    """`kind` is signed (others sign after), accepted or declined; `again`: it was so already, by the same person."""

    kind: str
    again: bool
    at: int
    total_minor: int | None


class Standing(Struct, frozen=True, kw_only=True):
    """What the page shows. `state` is one of `deciding.STATES`; `may_answer` whether this link signs or declines at
    all, `may_sign` whether it can now. `choices` are those of the first signer, which nobody changes any more (null:
    nobody signed). `at`, `by`, `reason` and `total_minor` are of the answer. Where it is superseded, `newest` is the
    version that stands now, and `newest_link` this recipient's own link to it."""

    state: str
    may_answer: bool
    may_sign: bool
    name: str
    waits_for: str | None
    signed: tuple[deciding.Given, ...]
    left: tuple[str, ...]
    choices: Choices | None
    at: int | None
    by: str | None
    reason: str | None
    total_minor: int | None
    newest: int
    newest_link: Link | None


def standing(connection: Connection, now_ms: int, link: Link) -> Standing:
    """Reads only. Refuses `not_found` of what was never sent."""
    found = cases.found(connection, link)
    case, answer = found.case, found.answer
    state = deciding.standing(case, now_ms)
    left = deciding.left(case)
    may_answer = deciding.may_answer(case)
    return Standing(
        state=state,
        may_answer=may_answer,
        may_sign=may_answer and state == deciding.OPEN,
        name=found.name,
        waits_for=left[0].name if state == deciding.WAITS else None,
        signed=case.signed,
        left=tuple(signer.name for signer in left),
        choices=found.choices,
        at=answer.at if answer is not None else found.version.ended_at,
        by=answer.by if answer is not None else None,
        reason=answer.reason if answer is not None else None,
        total_minor=answer.total_minor if answer is not None and answer.kind == ACCEPTED else None,
        newest=found.newest,
        newest_link=_newest_link(connection, found) if state == SUPERSEDED else None,
    )


def _newest_link(connection: Connection, found: cases.Found) -> Link | None:
    mine, newest = found.link.recipient_key, found.newest
    if mine is None or newest == found.link.version:
        return None
    there = links.of_version(connection, found.link.proposal_key, newest)
    return next((link for link in there if link.recipient_key == mine), None)


def accept(connection: Connection, now_ms: int, asked: Acceptance) -> Answered:
    """Raises `scope.Due` as every online write does."""
    raise NotImplementedError


def decline(connection: Connection, now_ms: int, asked: Decline) -> Answered:
    """Raises `scope.Due` as every online write does."""
    raise NotImplementedError
