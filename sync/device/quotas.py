"""Quotas as a device shows them, without signal: status, the version that counts, and the challenge that waits (R5).

What is queued is on top: a challenge that was not sent yet is shown as `queued`. Reads only.
"""

from typing import Any

from msgspec import Struct

from sfa.core.targets import format_target
from sync.device.client import Device

CHALLENGE = "quota.challenge"


class QuotaShown(Struct, frozen=True):
    """`version` is the number of the latest approval (0: never approved) and `valid_from` its first day; `approved` is
    its target, `target` that of the row, both as decimal text. `challenge` is null, or queued, open, accepted or
    declined: the latest one."""

    owner: str
    period_key: str
    measure: str
    target: str
    currency: str | None
    status: str
    version: int
    approved: str | None
    valid_from: str | None
    challenge: str | None


def quotas(device: Device, where: dict[str, Any] | None = None) -> dict[str, QuotaShown]:
    """key -> what an app shows of it, by period and measure."""
    latest: dict[str, dict[str, Any]] = {}
    for row in device.list("quota_versions").values():
        if row["number"] > latest.get(row["quota_key"], {"number": 0})["number"]:
            latest[row["quota_key"]] = row
    asked: dict[str, str] = {}
    challenges = device.list("quota_challenges").values()
    for row in sorted(challenges, key=lambda row: (row["status"] == "open", row["created_at"] or 0)):
        asked[row["quota_key"]] = row["status"]
    asked |= {item.key: "queued" for item in device.pending() if item.kind == CHALLENGE}
    rows = device.list("quotas", where or {})
    order = sorted(rows, key=lambda key: (rows[key]["period_key"], rows[key]["measure"], key))
    return {key: _shown(rows[key], latest.get(key), asked.get(key)) for key in order}


def _shown(row: dict[str, Any], version: dict[str, Any] | None, challenge: str | None) -> QuotaShown:
    unit = row["measure"], row["currency"]
    return QuotaShown(
        owner=row["user_key"] or row["team_key"] or row["territory_key"] or "",
        period_key=row["period_key"],
        measure=row["measure"],
        target=format_target(row["target"], *unit),
        currency=row["currency"],
        status=row["status"],
        version=version["number"] if version is not None else 0,
        approved=format_target(version["target"], row["measure"], version["currency"]) if version is not None else None,
        valid_from=version["valid_from"] if version is not None else None,
        challenge=challenge,
    )
