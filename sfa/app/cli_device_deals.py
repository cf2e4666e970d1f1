"""`sfa device …`: deals through their stages, what they lack, who decides, without signal."""

import click

from sfa.app.cli_device import Desk, as_json, device, on_desk, run
from sfa.app.cli_device_tables import show_rows
from sfa.app.cli_device_words import find, find_given, instant
from sfa.core.criteria import ROLES
from sync.device import deals

when = click.option("--at", help="ISO date and time, UTC unless it says otherwise; now without it.")
stage_option = click.option("--stage", help="The stage; the only one of the pipeline without it.")


@device.command("move-deal")
@click.argument("deal")
@click.argument("stage")
@on_desk
def move_deal(desk: Desk, deal: str, stage: str) -> None:
    """Move a deal to another open stage."""
    run(desk, "deal.move", "deals", deal, _to(desk, stage))


@device.command("transfer-deal")
@click.argument("deal")
@click.argument("stage")
@click.option("--pipeline", help="None without it: the stages of every pipeline.")
@on_desk
def transfer_deal(desk: Desk, deal: str, stage: str, pipeline: str | None) -> None:
    """Move a deal to another pipeline and an open stage there."""
    found = desk.device()
    there = find_given(found, "pipelines", pipeline)
    run(desk, "deal.transfer", "deals", deal, {"pipeline_key": there, "stage_key": find(found, "stages", stage)})


@device.command()
@click.argument("deal")
@stage_option
@on_desk
def win(desk: Desk, deal: str, stage: str | None) -> None:
    """Win a deal."""
    run(desk, "deal.win", "deals", deal, _to(desk, stage))


@device.command()
@click.argument("deal")
@click.argument("reason", required=False)
@click.option("--because", help="A reason of the company's list; its name is the REASON that is not given.")
@click.option("--competitor", help="Who won it.")
@stage_option
@on_desk
def lose(
    desk: Desk, deal: str, reason: str | None, because: str | None, competitor: str | None, stage: str | None
) -> None:
    """Lose a deal, with the reason."""
    found = desk.device()
    said = {
        "reason": reason,
        "reason_key": find_given(found, "lost_reasons", because),
        "competitor_key": find_given(found, "competitors", competitor),
        **_to(desk, stage),
    }
    run(desk, "deal.lose", "deals", deal, said)


@device.command("reopen-deal")
@click.argument("deal")
@click.argument("stage")
@on_desk
def reopen_deal(desk: Desk, deal: str, stage: str) -> None:
    """Open a closed deal again; what it was credited is reversed."""
    run(desk, "deal.reopen", "deals", deal, _to(desk, stage))


@device.command("sign-deal")
@click.argument("deal")
@when
@on_desk
def sign_deal(desk: Desk, deal: str, at: str | None) -> None:
    """Say that a won deal was signed."""
    run(desk, "deal.sign", "deals", deal, _at(at))


@device.command("invoice-deal")
@click.argument("deal")
@when
@on_desk
def invoice_deal(desk: Desk, deal: str, at: str | None) -> None:
    """Say that a won deal was invoiced."""
    run(desk, "deal.invoice", "deals", deal, _at(at))


@device.command("add-role")
@click.argument("deal")
@click.argument("contact")
@click.argument("role", type=click.Choice(ROLES), default="other")
@on_desk
def add_role(desk: Desk, deal: str, contact: str, role: str) -> None:
    """Say what part a person has in the decision about a deal."""
    found = desk.device()
    values = {"deal_key": find(found, "deals", deal), "contact_key": find(found, "contacts", contact), "role": role}
    click.echo(found.create("deal_contacts", values))


@device.command()
@click.argument("deal")
@as_json
@on_desk
def lacks(desk: Desk, deal: str, is_json: bool) -> None:
    """What a deal lacks before it can go on to the next stage, or be won."""
    found = desk.device()
    key = find(found, "deals", deal)
    missing = deals.lacking(found, key)
    rows = {str(place): {"stage": m.stage_key, "missing": m.text} for place, m in enumerate(missing, 1)}
    if rows or is_json:
        show_rows("lacks", rows, set(), is_json=is_json)
    else:
        click.echo("nothing is missing")


def _to(desk: Desk, stage: str | None) -> dict[str, str | None]:
    return {"stage_key": find_given(desk.device(), "stages", stage)}


def _at(text: str | None) -> dict[str, int | None]:
    return {"at": instant(text) if text is not None else None}
