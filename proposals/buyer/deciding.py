"""What stands for who opens a link, whose turn it is, and what an answer meets (pure; R46, R47, R48).

A version is answered while the buyer has it, its last day is not over in the zone that is printed on it, and its deal
has not ended otherwise. Signers sign in the order of `position`; who only reads never signs. A link that was handed
over by hand signs where no signer is named, and none was when the version was sent. What the first signer chose is
everybody's.
"""

from collections.abc import Sequence

from msgspec import Struct

from proposals.lifecycle import ACCEPTED, DECLINED, EXPIRED, SUPERSEDED, WITH_BUYER, WITHDRAWN
from sfa.core.days import local_day
from sfa.core.errors import Refused

OPEN, SIGNED_BY_YOU, WAITS, CLOSED = "open", "signed_by_you", "waits_for", "closed"
STATES = (OPEN, SIGNED_BY_YOU, WAITS, ACCEPTED, DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN, CLOSED)
REFUSES = {
    EXPIRED: "proposal_expired",
    SUPERSEDED: "proposal_superseded",
    WITHDRAWN: "proposal_withdrawn",
    ACCEPTED: "proposal_answered",
    DECLINED: "proposal_answered",
    CLOSED: "proposal_closed",
}


class Signer(Struct, frozen=True, kw_only=True):
    """Who signs: the key of a recipient, or `link:` and that of a link that was handed over."""

    key: str
    name: str
    position: int = 0


class Given(Struct, frozen=True, kw_only=True):
    """A signature that is there."""

    key: str
    name: str
    at: int


class Case(Struct, frozen=True, kw_only=True):
    """All that decides. `status` is the version's, `deal_ended` whether its deal was lost or deleted, `named` are the
    signers that the proposal names, `signed` who did, in their order. `me` is who has the link, and `answers` whether
    that link may answer at all: a reader's does not, nor does one of the company's own people. `was_named`: the version
    was sent to a signer, who may be taken off by now."""

    status: str
    valid_until: str
    zone: str
    deal_ended: bool
    named: tuple[Signer, ...]
    signed: tuple[Given, ...]
    me: str
    was_named: bool = False
    is_reader: bool = False
    is_staff: bool = False


def is_over(valid_until: str, zone: str, now_ms: int) -> bool:
    """Whether the last day is over, as that zone counts days: one of 23 or 25 hours where clocks change (R47)."""
    return local_day(now_ms, zone) > valid_until


def in_turn(named: Sequence[Signer]) -> list[Signer]:
    return sorted(named, key=lambda signer: (signer.position, signer.key))


def left(case: Case) -> list[Signer]:
    """Who has not signed yet, the next one first."""
    done = {given.key for given in case.signed}
    return [signer for signer in in_turn(case.named) if signer.key not in done]


def may_answer(case: Case) -> bool:
    """Whether this link is of somebody who signs or declines, now or later."""
    if case.is_reader or case.is_staff:
        return False
    return any(signer.key == case.me for signer in case.named) or not (case.named or case.was_named)


def standing(case: Case, now_ms: int) -> str:
    """One of `STATES`. Of two reasons why nothing can be answered the one that is stored comes first."""
    if case.status not in WITH_BUYER:
        return case.status
    if case.deal_ended:
        return CLOSED
    if is_over(case.valid_until, case.zone, now_ms):
        return EXPIRED
    before = left(case)
    if case.signed and not before:
        return CLOSED  # who had to sign as well was erased: nobody accepts alone what was signed with others
    if any(given.key == case.me for given in case.signed):
        return SIGNED_BY_YOU
    if may_answer(case) and before and before[0].key != case.me:
        return WAITS
    return OPEN


def is_last(case: Case) -> bool:
    """Whether nobody is left when this one has signed."""
    return all(signer.key == case.me for signer in left(case))


def check_signs(case: Case, now_ms: int) -> None:
    """Refuses what stands in the way of a signature. Who signed before is not asked here."""
    state = _check_open(case, now_ms)
    if state == WAITS:
        first = left(case)[0]
        raise Refused("not_your_turn", f"{first.name} signs first", waits_for=first.name)


def check_declines(case: Case, now_ms: int) -> None:
    """Any signer who has not signed may say no, also before it is his turn."""
    if _check_open(case, now_ms) == SIGNED_BY_YOU:
        raise Refused("proposal_answered", "you signed it", status="signed")


def _check_open(case: Case, now_ms: int) -> str:
    state = standing(case, now_ms)
    code = REFUSES.get(state)
    if code is not None:
        more = {"valid_until": case.valid_until} if state == EXPIRED else {"status": state}
        raise Refused(code, **more)
    if not may_answer(case):
        raise Refused("not_your_turn", "this link is for reading", waits_for=None)
    return state
