"""The sweep over what nobody answered (R47, R48)."""

import pytest

from proposals.buyer import expiry
from sfa.app.jobs import expire_proposals
from tests.builders import DAY_MS
from tests.office import Office
from tests.proposals.buyer.answers import (
    accept,
    answers,
    decline,
    events,
    link,
    recipient,
    refused,
    sent,
    standing,
    statuses,
    told,
)
from tests.proposals.selling import order


def sweep(office: Office) -> str:
    return office.database.write(expire_proposals, office.clock.now_ms())


def test_what_is_over_is_told_once(office: Office) -> None:
    """R47, R48: one state, one answer, one event of each kind; and it can be revised."""
    sent(office)
    office.clock.advance(29 * DAY_MS)
    assert sweep(office) == "0 expired"
    office.clock.advance(2 * DAY_MS)
    assert [sweep(office), sweep(office)] == ["1 expired", "0 expired"]
    assert (statuses(office), office.row("proposals", "p1")["status"]) == (["expired"], "expired")
    assert [(answer["kind"], answer["by"]) for answer in answers(office)] == [("expired", None)]
    assert office.row("proposals", "p1")["outcome"]["kind"] == "expired"
    assert (events(office), told(office, "proposal.expired")) == (["sent", "expired"], ["proposal.expired"])
    assert standing(office, link(office)).state == "expired"
    assert [refused(work, office, link(office)) for work in (accept, decline)] == ["proposal_expired"] * 2
    ana = office.phone("ana")
    assert order(ana, "revise").outcome == "applied"


def test_only_what_the_buyer_has_is_touched(office: Office) -> None:
    """R47: not what was accepted, declined, withdrawn, superseded, nor what was never sent."""
    for n in range(1, 6):
        key = f"p{n}"
        sent(office, recipient(f"r{n}", "Rosa", proposal=key), key=key)
    decline(office, link(office, "r2", key="p2"))
    ana = office.phone("ana")
    order(ana, "withdraw", "p3")
    for act in ("revise", "send", "revise"):
        order(ana, act, "p4")
    accept(office, link(office, "r1", key="p1"))  # supersedes what is left
    office.clock.advance(400 * DAY_MS)
    before = {f"p{n}": (statuses(office, f"p{n}"), events(office, f"p{n}")) for n in range(1, 6)}
    assert sweep(office) == "0 expired"
    assert {f"p{n}": (statuses(office, f"p{n}"), events(office, f"p{n}")) for n in range(1, 6)} == before
    assert office.row("proposals", "p4")["status"] == "draft"


def test_one_that_is_revised_goes_on_as_a_draft(office: Office) -> None:
    sent(office)
    ana = office.phone("ana")
    order(ana, "revise")
    office.clock.advance(40 * DAY_MS)
    assert sweep(office) == "1 expired"
    row = office.row("proposals", "p1")
    assert (row["status"], row["outcome"]["kind"], statuses(office)) == ("draft", "expired", ["expired"])


def test_a_batch_is_not_held_up_by_days_that_go_on_elsewhere(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """R47: each in the zone of its own document, in bounded batches of which few documents are read at once."""
    monkeypatch.setattr(expiry, "DOCUMENTS_AT_ONCE", 1)
    office.put(("organisations", "org", {"zone": "Pacific/Pago_Pago"}))
    sent(office, recipient("r1", "Rosa", proposal="p1"), key="p1", valid_until="2026-01-10")
    sent(office, recipient("r2", "Rosa", proposal="p2"), key="p2", valid_until="2026-01-10")
    office.put(("organisations", "org", {"zone": "Pacific/Kiritimati"}))
    sent(office, recipient("r3", "Rosa", proposal="p3"), key="p3", valid_until="2026-01-10")
    office.clock.advance(5 * DAY_MS + 3 * 3_600_000)  # 10 January 11:00 UTC: the 11th in Kiritimati, the 9th in Pago
    done = [office.database.write(expiry.expire, office.clock.now_ms(), 1) for _ in range(2)]
    assert done == [1, 0]
    assert [statuses(office, key) for key in ("p1", "p2", "p3")] == [["sent"], ["sent"], ["expired"]]
    office.clock.advance(2 * DAY_MS)
    assert [office.database.write(expiry.expire, office.clock.now_ms(), 1) for _ in range(3)] == [1, 1, 0]
