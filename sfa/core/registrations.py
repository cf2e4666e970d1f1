"""The life of a registration, and who may see and end one (S31): pure.

    active -> revoked -> drained        the person left: the queue may come in once, then the device erases
    active, revoked, drained -> wiped   the device is lost: it erases at once

No state leads back to `active`. Every place that meets a registration asks `check_active`, every route `rights_on`.
"""

from sfa.core.errors import Refused

ACTIVE, REVOKED, DRAINED, WIPED = "active", "revoked", "drained", "wiped"
STATES = (ACTIVE, REVOKED, DRAINED, WIPED)

SEE, END, REVIEW = "see", "end", "review"
NOTHING: frozenset[str] = frozenset()


def check_active(state: str) -> None:
    """Refuses a registration that was ended. `drain` says that its queue may still be sent: also by a second copy of
    the device, when a first one has drained."""
    if state == WIPED:
        raise Refused("device_wiped")
    if state != ACTIVE:
        raise Refused("device_revoked", drain=True)


def state_after(state: str, order: str) -> str:
    """What a registration becomes when it is `revoked` or `wiped`; an order that came before changes nothing."""
    if order == WIPED:
        return WIPED
    return REVOKED if state == ACTIVE else state


def rights_on(user: str, role: str, held: frozenset[str], owner: str) -> frozenset[str]:
    """What a person may do with a registration of `owner`: `see` it, `end` it (revoke, wipe), `review` what it left.

    Everybody sees and ends the own ones. A manager or director does so for people whose book he holds, and reviews
    what they left; an administrator for everybody. Nobody else knows that it exists.
    """
    if role == "admin":
        return frozenset({SEE, END, REVIEW})
    if owner == user:
        return frozenset({SEE, END})
    if role in ("manager", "director") and f"book:{owner}" in held:
        return frozenset({SEE, END, REVIEW})
    return NOTHING
