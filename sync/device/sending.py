"""Sending a proposal and taking back what was sent, as orders that mean one version (R46): queued without signal.

A device says which version it means and what that came to on its screen, counting what is queued already; of another one
the server refuses `proposal_changed`, and where the version was sent or withdrawn already, it is done.
"""

from typing import Any

from sfa.core.errors import Refused
from sync.device.client import Device
from sync.device.proposals import PROPOSALS, shown, the_row

SEND, REVISE, WITHDRAW = "proposal.send", "proposal.revise", "proposal.withdraw"
WITH_BUYER = ("sent", "viewed")


def send(device: Device, key: str) -> int:
    """Ask that it be sent as it stands here. Refuses as pricing does what has no price. -> the mutation's number"""
    return device.command(SEND, key, meant(device, key))


def withdraw(device: Device, key: str, reason: str | None = None) -> int:
    """Ask that what was sent last, or is queued to be, be offered no more. -> the mutation's number"""
    version, _ = _reached(device, key)
    said = {"reason": reason} if reason is not None else {}
    return device.command(WITHDRAW, key, {"version": max(version, 1), **said})


def meant(device: Device, key: str) -> dict[str, Any]:
    """What `proposal.send` says of a proposal as this device shows it."""
    told = shown(device, key)
    if told.priced is None:
        raise Refused(told.problems[0].code, told.problems[0].text, key=key)
    version, is_sent = _reached(device, key)
    return {"version": version if is_sent else version + 1, "total_minor": told.priced.total_minor}


def _reached(device: Device, key: str) -> tuple[int, bool]:
    """The last version, and whether nothing newer is begun: of the row and of what is queued."""
    row = the_row(device, key)
    version, is_sent = int(row["version"]), row["status"] in WITH_BUYER
    for item in device.pending():
        if (item.entity, item.key) != (PROPOSALS, key):
            continue
        if item.kind == SEND and item.fields.get("version", 0) > version:
            version, is_sent = item.fields["version"], True
        elif item.kind == REVISE:
            is_sent = False
    return version, is_sent
