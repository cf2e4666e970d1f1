"""Orders that waited on a device: they send and withdraw the version that was meant, or nothing (R46)."""

from typing import Any

import pytest

from sync.device import drafting, proposals, sending
from sync.protocol import Receipt
from tests.office import Office, Phone
from tests.proposals.selling import LINE, given, offered, order, seen, template, versions
from tests.sync.device.pocket import pocket


def late(phone: Phone, act: str, **arguments: Any) -> dict[str, Any]:
    """An order of what is seen now, to be pushed later."""
    office = phone.office
    said = {**seen(office, act), **arguments}
    return phone.mutation(f"proposal.{act}", "proposals", "p1", base=office.rev("proposals", "p1"), set=said)


def pushed(phone: Phone, mutation: dict[str, Any]) -> Receipt:
    return phone.push(mutation).receipts[0]


def states(office: Office) -> list[tuple[int, str, int]]:
    return [(row["version"], row["status"], row["total_minor"]) for row in versions(office)]


def test_an_old_order_to_send_does_not_send_the_next_version(office: Office) -> None:
    ana, tablet = offered(office), office.phone("ana", "d-tablet")
    queued = late(tablet, "send")
    order(ana, "send")
    order(ana, "revise")
    ana.edit("proposal_lines", "p1-1", unit_price_minor=1)
    assert pushed(tablet, queued).outcome == "applied"  # what it meant was sent
    assert (states(office), office.row("proposals", "p1")["status"]) == ([(1, "sent", 300_00)], "draft")


def test_an_order_of_another_total_sends_nothing(office: Office) -> None:
    """R52: and takes no number; of what was sent with another total it is told, too."""
    ana, tablet = offered(office), office.phone("ana", "d-tablet")
    queued = [late(tablet, "send"), late(tablet, "send")]
    ana.edit("proposal_lines", "p1-1", unit_price_minor=99_00)
    refused = pushed(tablet, queued[0])
    assert (refused.code, refused.details) == ("proposal_changed", {"version": 0, "total_minor": 297_00})
    assert (given(office), states(office)) == ({}, [])
    order(ana, "send")
    refused = pushed(tablet, queued[1])
    assert (refused.code, refused.details) == ("proposal_changed", {"version": 1, "total_minor": 297_00})
    assert states(office) == [(1, "sent", 297_00)]


def test_a_version_that_nobody_has_begun_is_not_sent(office: Office) -> None:
    ana = offered(office)
    assert order(ana, "send", version=2).code == "proposal_changed"
    order(ana, "send")
    assert order(ana, "send", version=2).code == "illegal_transition"
    assert states(office) == [(1, "sent", 300_00)]


def test_an_old_order_to_withdraw_does_not_withdraw_the_next_version(office: Office) -> None:
    ana, tablet = offered(office), office.phone("ana", "d-tablet")
    order(ana, "send")
    queued = late(tablet, "withdraw")
    order(ana, "revise")
    order(ana, "send")
    assert pushed(tablet, queued).code == "proposal_changed"
    assert states(office) == [(1, "superseded", 300_00), (2, "sent", 300_00)]


def test_what_was_withdrawn_already_is_done_whatever_came_after(office: Office) -> None:
    ana, tablet = offered(office), office.phone("ana", "d-tablet")
    order(ana, "send")
    queued = late(tablet, "withdraw")
    for act in ("withdraw", "revise", "send"):
        order(ana, act)
    assert pushed(tablet, queued).outcome == "applied"
    assert states(office) == [(1, "withdrawn", 300_00), (2, "sent", 300_00)]


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("send", {}),
        ("send", {"version": 1}),
        ("send", {"total_minor": 300_00}),
        ("send", {"version": 0, "total_minor": 300_00}),
        ("withdraw", {}),
        ("withdraw", {"reason": "Dear"}),
    ],
)
def test_an_order_that_does_not_say_what_it_means_is_refused(office: Office, act: str, said: dict[str, Any]) -> None:
    ana = offered(office)
    receipt = ana.do(f"proposal.{act}", "proposals", "p1", base=office.rev("proposals", "p1"), set=said)
    assert (receipt.code, states(office)) == ("command_invalid", [])


def test_a_device_counts_the_versions_that_it_has_queued(office: Office) -> None:
    """Sent, revised, changed and sent again without signal, they are two versions; then the second one is withdrawn."""
    template(office)
    ana = pocket(office, "ana")
    ana.sync()
    key = drafting.draft(ana, "deal-a", {"template_key": "house"}, lines=False)
    (line := {**LINE, "unit_price_minor": 100_00}).pop("quantity")
    drafting.add_line(ana, key, line)
    for title in ("First", "Second"):
        ana.update("proposals", key, {"title": title})
        sending.send(ana, key)
        sending.send(ana, key)  # twice is once
        ana.command("proposal.revise", key, {})
    sending.withdraw(ana, key, "Dear")
    assert ana.sync().refused == ()
    found = [(row["version"], row["status"], row["cause"]) for row in versions(office, key)]
    assert found == [(1, "superseded", "version 2"), (2, "withdrawn", "Dear")]


def test_what_is_sent_again_after_a_refusal_means_what_the_device_shows_by_then(office: Office) -> None:
    template(office)
    ana = pocket(office, "ana")
    ana.sync()
    key = drafting.draft(ana, "deal-a", {"template_key": "house"}, lines=False)
    line = drafting.add_line(ana, key, LINE)
    ana.sync()
    sending.send(ana, key)
    office.put(("proposal_lines", line, {"quantity": "2"}))
    ana.sync()
    (problem,) = proposals.refused(ana, key)
    assert problem.code == "proposal_changed"
    assert len(drafting.resend(ana, key)) == 1
    ana.sync()
    assert proposals.refused(ana, key) == []
    assert [(row["version"], row["total_minor"]) for row in versions(office, key)] == [(1, 200_00)]
