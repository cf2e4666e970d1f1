"""`sfa device …`: what is learnt of a customer between visits: calls, needs, consents. Queued like every other edit."""

import click
import msgspec

from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.app.cli_device_words import find, find_given, instant
from sfa.core.consent import may_contact
from sfa.core.rules import check_values


@device.command("log-call")
@click.argument("account")
@click.option("--contact", help="Who was on the telephone.")
@click.option("--incoming", is_flag=True, help="They called.")
@click.option("--at", "when", help="ISO date and time, UTC unless it says otherwise; now by default.")
@click.option("--minutes", type=int)
@click.option("--outcome")
@on_desk
def log_call(
    desk: Desk,
    account: str,
    contact: str | None,
    incoming: bool,
    when: str | None,
    minutes: int | None,
    outcome: str | None,
) -> None:
    """Note down a call."""
    found = desk.device()
    values = {
        "account_key": find(found, "accounts", account),
        "contact_key": find_given(found, "contacts", contact),
        "direction": "in" if incoming else "out",
        "called_at": instant(when) if when is not None else desk.clock.now_ms(),
        "minutes": minutes,
        "outcome": outcome,
    }
    click.echo(found.create("calls", {name: value for name, value in values.items() if value is not None}))


@device.command("add-need")
@click.argument("account")
@click.argument("text")
@click.option("--not-needed", is_flag=True, help="What they do not need.")
@click.option("--contact", help="Who needs it.")
@click.option("--product", help="Which product would do.")
@on_desk
def add_need(desk: Desk, account: str, text: str, not_needed: bool, contact: str | None, product: str | None) -> None:
    """Note down what a customer needs."""
    found = desk.device()
    values = {
        "account_key": find(found, "accounts", account),
        "text": text,
        "kind": "non_need" if not_needed else "need",
        "contact_key": find_given(found, "contacts", contact),
        "product_key": find_given(found, "products", product),
    }
    click.echo(found.create("customer_needs", {name: value for name, value in values.items() if value is not None}))


@device.command("consent")
@click.argument("contact")
@click.argument("purpose")
@click.option("--channel", default="any", show_default=True)
@click.option("--withdrawn", is_flag=True, help="It is withdrawn, not given.")
@click.option("--source", help="How it was said.")
@click.option("--evidence", help="Where that can be seen.")
@on_desk
def consent(
    desk: Desk, contact: str, purpose: str, channel: str, withdrawn: bool, source: str | None, evidence: str | None
) -> None:
    """Note down what a person allows or withdraws."""
    found = desk.device()
    values = {
        "contact_key": find(found, "contacts", contact),
        "purpose": purpose,
        "channel": channel,
        "granted": not withdrawn,
        "decided_at": desk.clock.now_ms(),
        "source": source,
        "evidence": evidence,
    }
    click.echo(found.create("consents", {name: value for name, value in values.items() if value is not None}))


@device.command("may-contact")
@click.argument("contact")
@click.argument("purpose")
@click.argument("channel")
@as_json
@on_desk
def ask_may_contact(desk: Desk, contact: str, purpose: str, channel: str, is_json: bool) -> None:
    """Whether a person may be contacted for a purpose over a channel, as this device knows it."""
    check_values("consents", {"purpose": purpose, "channel": channel})
    found = desk.device()
    key = find(found, "contacts", contact)
    verdict = may_contact(found.list("consents", {"contact_key": key}).items(), purpose, channel, desk.clock.now_ms())
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdict), indent=2))
    else:
        click.echo(f"{'yes' if verdict.allowed else 'no'} ({verdict.reason})")
