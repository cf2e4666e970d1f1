"""How a quota goes from draft to approved and back, and what becomes of a challenge (R5): pure.

Approving appends a version that counts from a day on; what is approved is read-only until it is a draft again, and the
version that stands goes on counting until the next one is approved. Asked twice by the same person it happens once; a
second person who is too late is told. Whoever is measured may challenge; the decision and the challenge both stay, and
an accepted one makes the quota a draft with the new target, which is approved like any other.

The functions answer what is to be written, None where it stands already, or refuse. Who may is `sfa.quotas.commands`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from sfa.core.errors import Refused
from sfa.core.fields import KEY_PATTERN, MONEY_MAX, Day

DRAFT, APPROVED = "draft", "approved"
Target = Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
Words = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]
Row = Mapping[str, Any]


class Approve(Struct, frozen=True, forbid_unknown_fields=True):
    """`valid_from`: the local day of the approval unless it is said, at most the last one of the period. `target` is
    the one that was looked at: another one that stands by now is not approved unseen."""

    valid_from: Day | None = None
    reason: Words | None = None
    target: Target | None = None


class Reset(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Challenge(Struct, frozen=True, forbid_unknown_fields=True):
    """`proposed` is the target that would be right, in the quota's own unit."""

    text: Words
    proposed: Target | None = None


class Decide(Struct, frozen=True, forbid_unknown_fields=True):
    """Accepting sets `target`, or else what the challenge proposed; or leaves it to whoever changes the draft."""

    challenge_key: Annotated[str, Meta(pattern=KEY_PATTERN)]
    accept: bool
    answer: Words
    target: Target | None = None


def approve(
    quota: Row, versions: Sequence[Row], asked: Approve, user: str | None, today: str, last_on: str
) -> dict[str, Any] | None:
    """The next version, without who and when; `last_on` is the last day of the quota's period. What is in force does
    not count from an earlier day again; what is not in force yet is superseded, from whichever day on."""
    last = versions[-1] if versions else None
    if asked.target is not None and asked.target != quota["target"]:
        text = f"the target is {quota['target']} now, not {asked.target}"
        raise Refused("rev_stale", text, target=quota["target"])
    if quota["status"] == APPROVED and last is not None:
        if user == last["approved_by"] and asked.valid_from in (None, last["valid_from"]):
            return None
        said = f"{last['approved_by']} approved it before, as version {last['number']}"
        raise Refused("quota_approved", said, version=last["number"], approved_by=last["approved_by"])
    now = min(today, last_on)
    counting = [(v["valid_from"], v["number"]) for v in versions if v["valid_from"] <= now]
    earliest, number = max(counting, default=("", 0))
    valid_from = asked.valid_from or now
    if valid_from < earliest:
        text = f"version {number} counts from {earliest}: the next one not before"
        raise Refused("field_invalid", text, field="valid_from", earliest=earliest)
    if valid_from > last_on:
        text = f"the period ends with {last_on}: a target that counts from {valid_from} on would never count"
        raise Refused("field_invalid", text, field="valid_from", latest=last_on)
    return {
        "number": quota["approvals"] + 1,
        "target": quota["target"],
        "currency": quota["currency"],
        "valid_from": valid_from,
        "reason": asked.reason,
    }


def reset(quota: Row) -> dict[str, Any] | None:
    """What the quota says then."""
    return {"status": DRAFT} if quota["status"] == APPROVED else None


def challenge(challenges: Mapping[str, Row], asked: Challenge, user: str) -> dict[str, Any] | None:
    """The new challenge, without when. One of a person waits at a time."""
    for key in sorted(challenges):
        row = challenges[key]
        if row["status"] == "open" and row["author_key"] == user:
            if (row["text"], row["proposed"]) == (asked.text, asked.proposed):
                return None
            raise Refused("challenge_open", key=key)
    return {"author_key": user, "text": asked.text, "proposed": asked.proposed}


def decide(quota: Row, made: Row, asked: Decide, user: str | None) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """-> what the challenge says then, without when, and what changes of the quota."""
    if asked.target is not None and not asked.accept:
        raise Refused("command_invalid", "quota.decide: a target is set by accepting", field="target")
    status = "accepted" if asked.accept else "declined"
    if made["status"] != "open":
        if (made["status"], made["decided_by"], made["answer"]) == (status, user, asked.answer):
            return None
        raise Refused("challenge_decided", f"{made['decided_by']} {made['status']} it before", status=made["status"])
    if user is not None and user == made["author_key"]:
        raise Refused("not_permitted", "somebody else decides your challenge")
    said = {"status": status, "answer": asked.answer, "decided_by": user}
    if not asked.accept:
        return said, {}
    target = asked.target if asked.target is not None else made["proposed"]
    wanted = {"status": DRAFT, "target": target if target is not None else quota["target"]}
    return said, {field: value for field, value in wanted.items() if quota[field] != value}
