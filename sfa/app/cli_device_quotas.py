"""`sfa device …` of targets: listed with what was approved, challenged by whom they measure, approved by who plans."""

import click
import msgspec

from sfa.app import cli_device_tables as tables
from sfa.app.cli_device import Desk, as_json, device, on_desk, run
from sfa.app.cli_device_words import find
from sfa.core.targets import parse_target
from sync.device.quotas import quotas


@device.command("quotas")
@as_json
@on_desk
def shown(desk: Desk, is_json: bool) -> None:
    """Targets with their status, the version that counts, and a challenge that waits."""
    rows = {key: msgspec.structs.asdict(row) for key, row in quotas(desk.device()).items()}
    tables.show_rows("quotas shown", rows, set(), is_json=is_json)


@device.command()
@click.argument("quota")
@click.argument("text")
@click.option("--proposed", help="The target that would be right, as 60000.00 or as a count.")
@on_desk
def challenge(desk: Desk, quota: str, text: str, proposed: str | None) -> None:
    """Say that a target that measures you is wrong."""
    found = desk.device()
    key = find(found, "quotas", quota)
    said: dict[str, object] = {"text": text}
    if proposed is not None:
        row = found.list("quotas")[key]
        said["proposed"] = parse_target(proposed, row["measure"], row["currency"])
    run(desk, "quota.challenge", "quotas", key, said)


@device.command("approve-quota")
@click.argument("quota")
@click.option("--from", "valid_from", metavar="DAY", help="From which day it counts; today if nothing is said.")
@click.option("--reason", help="Kept with the version.")
@on_desk
def approve_quota(desk: Desk, quota: str, valid_from: str | None, reason: str | None) -> None:
    """Approve a target as this device shows it: another one that stands by then is refused."""
    found = desk.device()
    key = find(found, "quotas", quota)
    said = {"target": found.list("quotas")[key]["target"], "valid_from": valid_from, "reason": reason}
    run(desk, "quota.approve", "quotas", key, said)
