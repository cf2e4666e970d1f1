"""What a buyer answers: signs and by that accepts, or declines, once and for all (R46, R47, R48, R55).

An answer is one transaction under the locks of the deal and of the proposal, which sending, withdrawing and revising
take as well: of all that happen at once one is first, and the others meet what it left. Whoever has the last signature
ends the version, and with it the deal is won at what was accepted. The same person who answers again the same is told
so. A browser says which options are taken and what it was shown; every amount is the server's.
"""

from msgspec import Struct
from sqlalchemy import Connection

from proposals.buyer import cases, deciding, ending, holding, links, signatures, signing, tidings
from proposals.buyer.asked import Acceptance, Decline
from proposals.buyer.consent import consent_text
from proposals.buyer.holding import Held
from proposals.buyer.links import Link
from proposals.buyer.questions import cleaned
from proposals.buyer.signatures import DRAWING_BYTES_MAX
from proposals.buyer.signing import Chosen
from proposals.lifecycle import ACCEPTED, DECLINED, SUPERSEDED
from sfa.core.pricing.choosing import Choices
from sfa.db.proposal_timeline import Visitor

__all__ = ["DRAWING_BYTES_MAX", "Acceptance", "Answered", "Decline", "Standing", "accept", "consent_text", "decline"]
SIGNED = "signed"
REASON_MAX = 2_000


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
    same = (link for link in there if (link.recipient_key, link.made_by) == (mine, found.link.made_by))
    return next(same, None)


def accept(connection: Connection, now_ms: int, asked: Acceptance) -> Answered:
    """Raises `scope.Due` as every online write does."""
    held = holding.hold(connection, now_ms, asked.link)
    case = held.found.case
    mine = next((given for given in case.signed if given.key == asked.link.signer), None)
    if mine is None:
        deciding.check_signs(case, held.door.now_ms)
        this = signing.sign(held, asked)
        name = signatures.name_of(asked.name)
        if not deciding.is_last(case):
            tidings.signed(held, name)
            held.door.flush()
            return Answered(kind=SIGNED, again=False, at=held.door.now_ms, total_minor=this.document.priced.total_minor)
        return _accept(held, this, name, asked.visitor)
    if case.status == ACCEPTED:
        return Answered(kind=ACCEPTED, again=True, at=mine.at, total_minor=_total(held))
    deciding.check_signs(case, held.door.now_ms)
    total = signing.chosen(held, cases.NO_CHOICES).document.priced.total_minor
    return Answered(kind=SIGNED, again=True, at=mine.at, total_minor=total)


def _accept(held: Held, this: Chosen, name: str, visitor: Visitor) -> Answered:
    total = ending.accept(held, this, name, visitor)
    held.door.flush()
    return Answered(kind=ACCEPTED, again=False, at=held.door.now_ms, total_minor=total)


def _total(held: Held) -> int | None:
    return held.found.answer.total_minor if held.found.answer is not None else None


def decline(connection: Connection, now_ms: int, asked: Decline) -> Answered:
    """Raises `scope.Due` as every online write does. One signer who says no ends it for all."""
    held = holding.hold(connection, now_ms, asked.link)
    answer = held.found.answer
    mine = answer is not None and (answer.kind, answer.recipient_key) == (DECLINED, asked.link.recipient_key)
    if answer is not None and mine and deciding.may_answer(held.found.case):
        return Answered(kind=DECLINED, again=True, at=answer.at, total_minor=None)
    deciding.check_declines(held.found.case, held.door.now_ms)
    name = cleaned(asked.name, lines=False)[: signatures.NAME_MAX] or held.found.name
    ending.decline(held, name, cleaned(asked.reason)[:REASON_MAX], asked.visitor)
    held.door.flush()
    return Answered(kind=DECLINED, again=False, at=held.door.now_ms, total_minor=None)
