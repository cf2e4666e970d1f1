"""A proposal from a phone without signal to the customer's PDF: what it said there is what was sent (R49, R50, R52)."""

from pathlib import Path

import msgspec
import pytest

from proposals.document import Document
from sync.device import drafting, proposals, sending
from sync.device.http import HttpTransport
from tests.deals.conftest import line
from tests.files.cabinet import opened
from tests.office import Office
from tests.proposals.rendering.orders import printed
from tests.proposals.selling import floors, limits, steps, template, versions
from tests.sync.device.pocket import Pocket, of_scope, pocket

TAX = ("VAT", 2_100)


@pytest.fixture
def ana(office: Office) -> Pocket:
    template(office)
    limits(office, rep=1_000, manager=2_000)
    line(office, "l1", "deal-a", quantity="3")
    phone = pocket(office, "ana")
    phone.sync()
    return phone


def drafted(phone: Pocket, discount_bp: int = 0) -> str:
    discounts = [{"share_bp": discount_bp}] if discount_bp else []
    said = {"template_key": "house", "discounts": discounts, "payment_days": 30}
    return drafting.draft(phone, "deal-a", said, tax=TAX)


def order(phone: Pocket, act: str, key: str, **arguments: object) -> None:
    if act == "send":
        sending.send(phone, key)
    else:
        phone.command(f"proposal.{act}", key, arguments)


def test_drafted_and_sent_in_a_basement_it_is_a_pdf_on_the_phone_when_there_is_signal(
    office: Office, ana: Pocket, tmp_path: Path
) -> None:
    """R50, R52, R53: the number is the server's; the total is the one that the phone showed."""
    key = drafted(ana, 500)
    before = proposals.shown(ana, key)
    assert (before.number, before.approval, before.priced and before.priced.total_minor) == (None, None, 344_85)
    order(ana, "send", key)
    assert proposals.shown(ana, key).waiting == ["create", "create", "proposal.send"]
    assert ana.sync().refused == ()
    told = proposals.shown(ana, key)
    assert (told.status, told.number, told.version, told.priced) == ("sent", "Q-2026-00001", 1, before.priced)
    document = msgspec.json.decode(versions(office, key)[0]["document"], type=Document)
    assert document.priced == before.priced
    assert (told.render_state, told.pdf) == ("queued", None)
    printed(office, tmp_path / "files")
    ana.sync()
    told = proposals.shown(ana, key)
    assert (told.render_state, told.problems) == ("rendered", [])
    assert told.pdf is not None
    assert ana.rows() == of_scope(office, "ana")
    with opened(office, tmp_path / "files") as cabinet:
        ana.transport = HttpTransport("http://testserver.local", cabinet.client)
        ana.login("ana@example.com", "correct horse")
        ana.fetch(told.pdf, tmp_path / "offer.pdf")
    assert (tmp_path / "offer.pdf").read_bytes() == b"%PDF- Pumps"


def test_what_needs_an_approval_is_not_sent_and_goes_again_when_it_has_it(office: Office, ana: Pocket) -> None:
    """R49: the rep's phone says by itself who must approve; the refused order is kept and repeated."""
    key = drafted(ana, 1_500)
    assert proposals.shown(ana, key).approval == "manager"
    order(ana, "send", key)
    ana.sync()
    (problem,) = proposals.refused(ana, key)
    assert (problem.code, problem.kind) == ("approval_needed", "proposal.send")
    order(ana, "submit", key)
    ana.sync()
    assert (proposals.shown(ana, key).status, proposals.shown(ana, key).needs) == ("in_approval", ["manager"])
    mia = pocket(office, "mia")
    mia.sync()
    seen = mia.get("proposals", key)
    assert seen is not None
    order(mia, "approve", key, submitted_at=seen["submitted_at"], text="Well done")
    mia.sync()
    assert len(drafting.resend(ana, key)) == 1
    ana.sync()
    told = proposals.shown(ana, key)
    assert (told.status, told.number, told.problems) == ("sent", "Q-2026-00001", [])
    assert steps(office, key) == [("asked", "ana", "manager"), ("approved", "mia", "manager")]


def test_a_manager_approves_only_what_his_phone_has_shown(office: Office, ana: Pocket) -> None:
    """R49: another submission, however good, is not what he looked at."""
    key = drafted(ana, 1_500)
    order(ana, "submit", key)
    ana.sync()
    mia = pocket(office, "mia")
    mia.sync()
    seen = mia.get("proposals", key)
    assert seen is not None
    order(mia, "approve", key, submitted_at=seen["submitted_at"])
    office.clock.advance(60_000)
    ana.update("proposals", key, {"discounts": [{"share_bp": 2_000}]})
    order(ana, "submit", key)
    ana.sync()
    mia.sync()
    (problem,) = proposals.refused(mia, key)
    assert problem.code == "approval_changed"
    assert proposals.shown(mia, key).status == "in_approval"
    assert [kind for kind, _, _ in steps(office, key)] == ["asked", "asked"]


def test_what_is_changed_after_its_approval_is_a_draft_at_once_and_so_at_the_server(
    office: Office, ana: Pocket
) -> None:
    """R49: and with as good values it needs nobody again."""
    key = drafted(ana, 1_000)
    order(ana, "submit", key)
    ana.sync()
    assert proposals.shown(ana, key).status == "approved"
    (made,) = ana.list("proposal_lines")
    ana.update("proposal_lines", made, {"text": "With seals"})
    assert (proposals.shown(ana, key).status, proposals.listed(ana)[key].status) == ("draft", "draft")
    ana.sync()
    assert proposals.shown(ana, key).status == office.row("proposals", key)["status"] == "draft"
    order(ana, "send", key)
    ana.sync()
    assert proposals.shown(ana, key).status == "sent"


def test_a_rep_is_told_the_role_that_a_margin_asks_for_and_never_why(office: Office, ana: Pocket) -> None:
    """R45: a pump of 100.00 costs 60.00; with 5 % off, less than the margin that a rep may go down to."""
    floors(office, rep=3_900, manager=3_700, director=0)
    ana.sync()
    key = drafted(ana, 500)
    assert proposals.shown(ana, key).approval is None
    order(ana, "submit", key)
    ana.sync()
    told = proposals.shown(ana, key)
    assert (told.approval, told.needs, told.status) == (None, ["director"], "in_approval")
    assert ana.list("margin_floors") == ana.list("unit_costs") == {}


def test_what_was_sent_meanwhile_takes_no_change_and_keeps_what_was_typed(office: Office, ana: Pocket) -> None:
    """R46, S19: the tablet edits without signal while the phone sends; after `revise` the edit goes again."""
    key = drafted(ana)
    ana.sync()
    tablet = pocket(office, "ana", device="tablet")
    tablet.sync()
    tablet.update("proposals", key, {"title": "Later title"})
    added = drafting.add_line(tablet, key, {"product_key": "pump"}, TAX)
    order(ana, "send", key)
    ana.sync()
    tablet.sync()
    kept = proposals.shown(tablet, key)
    assert {problem.code for problem in kept.problems} == {"proposal_locked"}
    assert (kept.title, kept.status, len(kept.lines)) == ("Pumps", "sent", 1)
    order(tablet, "revise", key)
    tablet.sync()
    drafting.resend(tablet, key)
    order(tablet, "send", key)
    tablet.sync()
    told = proposals.shown(tablet, key)
    assert (told.title, told.version, told.number, told.problems) == ("Later title", 2, "Q-2026-00001", [])
    assert [one.key for one in told.lines][-1] == added
    assert [version["status"] for version in versions(office, key)] in (["superseded", "sent"], ["sent", "superseded"])


def test_a_deal_of_many_lines_is_drafted_in_several_units(office: Office) -> None:
    """S20: a unit holds 100 mutations; here are 121."""
    template(office)
    lines = ({"deal_key": "deal-a", "product_key": "pump", "position": n, "unit_price_minor": n} for n in range(120))
    office.put(*(("deal_lines", f"l{n:03}", row) for n, row in enumerate(lines)))
    phone = pocket(office, "ana")
    phone.sync()
    key = drafted(phone)
    before = proposals.shown(phone, key)
    assert phone.sync().refused == ()
    assert len(office.rows("proposal_lines")) == 120
    assert proposals.shown(phone, key).priced == before.priced
