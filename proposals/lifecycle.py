"""Where a proposal and what was sent of it may go (pure, for devices too).

A proposal is a draft, in approval or approved until it is sent; people change it in these states alone, and a change
makes it a draft again. What was sent is a version of its own: the proposal goes on as a draft when it is revised, and
with the next sending the older version is superseded (R46). What a prospect does with a version (viewed, accepted,
declined, expired) is `proposals.buyer`. What was accepted stays: it is neither revised nor withdrawn. Where another
offer about the deal was accepted, a proposal is superseded; it is revised if the deal goes on.
"""

from collections.abc import Mapping
from typing import Any

from sfa.core.errors import Refused

DRAFT, IN_APPROVAL, APPROVED, SENT, VIEWED = "draft", "in_approval", "approved", "sent", "viewed"
ACCEPTED, DECLINED, EXPIRED = "accepted", "declined", "expired"
SUPERSEDED, WITHDRAWN = "superseded", "withdrawn"
OPEN = (DRAFT, IN_APPROVAL, APPROVED)
WITH_BUYER = (SENT, VIEWED)  # a version that the buyer may still accept
OVER = (ACCEPTED, DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN)  # a version stays there

SUBMIT, APPROVE, REJECT, SEND, REVISE, WITHDRAW = "submit", "approve", "reject", "send", "revise", "withdraw"
FROM: Mapping[str, tuple[str, ...]] = {
    SUBMIT: (DRAFT,),
    APPROVE: (IN_APPROVAL,),
    REJECT: (IN_APPROVAL,),
    SEND: OPEN,
    REVISE: (SENT, VIEWED, DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN),
    WITHDRAW: WITH_BUYER,
}
# Who asks for what stands already has got it: twice is once.
ALREADY: Mapping[str, tuple[str, ...]] = {
    SUBMIT: (IN_APPROVAL, APPROVED),
    APPROVE: (APPROVED,),
    REJECT: (),
    SEND: (),  # which version is meant says whether it was: `is_to_send`
    REVISE: OPEN,
    WITHDRAW: (WITHDRAWN,),
}


def goes_on(act: str, status: str) -> bool:
    """Whether there is anything to do; refuses what the state forbids."""
    if status in FROM[act]:
        return True
    if status in ALREADY[act]:
        return False
    raise Refused("illegal_transition", f"proposal.{act}: the proposal is {status}", status=status)


def is_to_send(row: Mapping[str, Any], version: int) -> bool:
    """Whether this version is the next one, to be sent now; False where it was sent. Whoever asks for another one, or
    for one that nobody has begun, looked at something else."""
    if version <= row["version"]:
        return False
    if version > row["version"] + 1:
        raise changed(row)
    return goes_on(SEND, row["status"])


def is_to_withdraw(row: Mapping[str, Any], version: int, status: str | None) -> bool:
    """Whether the version meant, which is `status` or was never sent, is to be withdrawn; False where it is already."""
    if status == WITHDRAWN:
        return False
    if row["version"] and version != row["version"]:
        raise changed(row)
    return goes_on(WITHDRAW, status or row["status"])


def changed(row: Mapping[str, Any], **more: Any) -> Refused:
    return Refused("proposal_changed", version=row["version"], **more)


def check_open(status: str) -> None:
    """People change what was not sent; what was is revised first."""
    if status not in OPEN:
        raise Refused("proposal_locked", f"the proposal is {status}: revise it first", status=status)
