"""`sfa quarantine …`: what revoked devices drained, looked at and decided about by whoever may review it (S31).

The terminal has no login: `--as` names the reviewer, and what that person may not see or decide is refused here as over
REST. Every change of a drain is a decision of this person, and is stored as such.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from sfa.app.cli_database import current_database, user_key_of
from sfa.app.commands import COMMANDS
from sfa.core.clock import SystemClock
from sfa.core.errors import Refused
from sfa.db import scope
from sfa.db.database import Database
from sfa.db.tables import ROWS
from sync import quarantine as kept
from sync import registrations, review
from sync.quarantine import DrainView, QuarantineView
from sync.review import Decision

DUE_TRIES_MAX = 3
_USERS = ROWS["users"].c

reviewer_option = click.option("--as", "email", required=True, help="E-mail of the person who reviews.")
device_argument = click.argument("device")
drain_argument = click.argument("drain")


@click.group()
def quarantine() -> None:
    """Review what revoked devices drained."""


@quarantine.command("list")
@reviewer_option
@click.option("--all", "everything", is_flag=True, help="Decided ones too.")
def list_drains(email: str, everything: bool) -> None:
    """List the drains that wait for a decision."""
    with current_database() as database:
        reviewer = database.read(user_key_of, email)
        for device in database.read(registrations.listed, reviewer).devices:
            if device.quarantined is None or "review" not in device.rights:
                continue
            for drain in database.read(kept.view, reviewer, device.key).drains:
                if drain.waiting or everything:
                    click.echo(f"{device.key}  {drain.drain}  {device.user_key}  {_told(drain)}")


def _told(drain: DrainView) -> str:
    came = f"{len(drain.received)} of {drain.parts} parts, " if drain.parts > 1 else ""
    decided = sorted({f"{part.decision} by {part.decided_by}" for part in drain.received if part.decision})
    at = datetime.fromtimestamp(drain.received[0].drained_at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{at}  {came}{drain.size} changes, {drain.waiting} waiting{''.join(f', {word}' for word in decided)}"


@quarantine.command()
@device_argument
@drain_argument
@reviewer_option
def show(device: str, drain: str, email: str) -> None:
    """Print the changes of a drain, one JSON line each. DRAIN may be the beginning of its name."""
    with current_database() as database:
        reviewer = database.read(user_key_of, email)
        found = _find(database.read(kept.view, reviewer, device), drain)
        for part in found.received:
            for mutation in database.read(kept.content, reviewer, device, found.drain, part.part).mutations:
                click.echo(msgspec.json.encode(mutation).decode())


@quarantine.command()
@device_argument
@drain_argument
@reviewer_option
@click.option("--leave-out", "left_out", type=int, multiple=True, help="Number of a change that is not applied.")
@click.option("--reason", help="Why that is left out.")
def apply(device: str, drain: str, email: str, left_out: tuple[int, ...], reason: str | None) -> None:
    """Apply a drain in its author's name and with the author's rights."""
    _decide(device, drain, email, Decision("apply", list(left_out), reason))


@quarantine.command()
@device_argument
@drain_argument
@reviewer_option
@click.option("--reason", required=True)
def discard(device: str, drain: str, email: str, reason: str) -> None:
    """Apply nothing of a drain; it stays readable."""
    _decide(device, drain, email, Decision("discard", reason=reason))


def _decide(device: str, drain: str, email: str, asked: Decision) -> None:
    if asked.reason is not None and not 0 < len(asked.reason) <= review.REASON_MAX:
        raise Refused("request_invalid", f"a reason has 1 to {review.REASON_MAX} characters")
    now_ms = SystemClock().now_ms()
    with current_database() as database:
        reviewer = database.read(user_key_of, email)
        name = _find(database.read(kept.view, reviewer, device), drain).drain
        args = (reviewer, device, name, asked, now_ms, COMMANDS)
        done: DrainView = _until_effective(database, now_ms, review.review, *args)
        while kept.is_under_way(done):
            done = _until_effective(database, now_ms, review.review, *args)
    for part in done.received:
        outcomes = part.result.outcomes if part.result is not None else {}
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "nothing applied"
        click.echo(f"part {part.part}: {part.decision} by {part.decided_by}: {counts}")


def _until_effective(database: Database, now_ms: int, work: Callable[..., Any], *args: Any) -> Any:
    """Dated assignments whose day has come are made effective first, as before a sync (S11)."""
    for _ in range(DUE_TRIES_MAX):
        try:
            return database.write(work, *args)
        except scope.Due:
            database.write(scope.make_due, now_ms)
    raise Refused("server_busy", "assignments are being made effective: try again")


def _find(view: QuarantineView, begin: str) -> DrainView:
    found = [drain for drain in view.drains if drain.drain.startswith(begin)]
    if len(found) != 1:
        raise Refused("not_found", f"{len(found)} drains of this device begin with {begin!r}")
    return found[0]
