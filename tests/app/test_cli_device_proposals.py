"""`sfa device proposal …`: an offer drafted in a basement, refused, repaired, and its PDF on the terminal's disk."""

from collections.abc import Callable
from pathlib import Path

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.deals.conftest import line
from tests.files.cabinet import padded
from tests.office import Office
from tests.profit.price.test_guiding import limit


@on_sqlite
def test_a_rep_drafts_an_offer_without_signal_and_sees_what_it_comes_to(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """R33, R35, R44: the worked example, and its options."""
    office.put(limit("rep", 1_000))
    line(office, "l1", "deal-a", quantity="3", unit_price_minor=10_000)
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    key = ana.run("proposal", "draft", "Pumps", "title=Three pumps", "--tax", "VAT=2100")
    pump = ana.json("list", "proposal_lines")[0]["key"]
    ana.run("edit", "proposal_lines", pump, "unit_price_minor=4500", 'discounts=[{"amount_minor": 6000}]')
    told = ana.run("proposal", "show", "Three pumps")
    assert "total                              90.75 EUR" in told
    assert "VAT 21.00 %                        15.75 EUR" in told
    assert "balance on acceptance              90.75 EUR" in told
    assert "by its discounts it needs the approval of: manager" in told
    assert "not sent yet: create, create, update" in told
    option = ana.run("proposal", "add-line", "Three pumps", "name=Hose", "unit_price_minor=1000", "optional=true")
    ana.run("edit", "proposal_lines", option, "chosen=false", "quantity_max=5")
    ana.run("proposal", "add-line", key, "--product", "Pump", "quantity=0", "name=Spare")
    (listed,) = ana.json("proposal", "list")
    assert (listed["title"], listed["deal"], listed["total_minor"], len(listed["waiting"])) == (
        "Three pumps",
        "Pumps",
        9_075,
        6,
    )
    assert "90.75" in ana.run("proposal", "list")
    chosen = ana.run("proposal", "choose", key, "--take", "Hose", "--quantity", "Hose=5")
    assert "total                             140.75 EUR" in chosen
    assert "choice_invalid" in ana.run("proposal", "choose", key, "--quantity", "Hose=6", code=1)
    assert "choice_invalid" in ana.run("proposal", "choose", key, "--leave", "Pump", code=1)
    assert "row_unknown" in ana.run("proposal", "choose", key, "--take", "Roof", code=1)
    assert "NAME=BASISPOINTS" in ana.run("proposal", "draft", "Pumps", "--tax", "VAT", code=2)
    assert "file_awaited" in ana.run("proposal", "pdf", key, "x.pdf", code=1)
    ana.signal = True
    assert "refused" not in ana.run("sync")
    (shown,) = ana.json("list", "proposals")
    assert (shown["key"], shown["title"], shown["status"]) == (key, "Three pumps", "draft")
    assert len(office.rows("proposal_lines")) == 3


@on_sqlite
def test_a_refused_draft_is_listed_with_its_reason_and_sent_again(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """S19."""
    line(office, "l1", "deal-a")
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    key = ana.run("proposal", "draft", "Pumps", "contact_key=carl")
    office.delete("contacts", "carl")
    assert "reference_unknown" in ana.run("sync")
    assert [row["code"] for row in ana.json("proposal", "refused")] == ["reference_unknown", "unit_failed"]
    assert ana.run("proposal", "resend", key, "contact_key=null") == "2 changes are queued again"
    assert "refused" not in ana.run("sync")
    assert office.row("proposals", key)["contact_key"] is None
    assert ana.run("proposal", "refused") == "no refused changes"


@on_sqlite
def test_the_pdf_comes_as_a_file_when_the_server_has_it(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
    tmp_path: Path,
) -> None:
    ana, content = terminals("ana"), padded(1_200_000)
    login(ana, "ana")
    ana.run("sync")
    picture = tmp_path / "offer.jpg"
    picture.write_bytes(content)
    file = ana.run("attach", "deals", "Pumps", str(picture))
    key = ana.run("proposal", "draft", "Pumps", "title=Printed")
    ana.run("sync")
    office.put_server_row("proposals", key, {"pdf_key": file, "render_state": "rendered"})
    ana.run("sync")
    assert "the PDF is there" in ana.run("proposal", "show", "Printed")
    folder = tmp_path / "here"
    folder.mkdir()
    assert ana.run("proposal", "pdf", "Printed", str(folder)) == str(folder / "offer.jpg")
    assert (folder / "offer.jpg").read_bytes() == content
    assert ana.run("download", file, str(folder / "copy.jpg")) == str(folder / "copy.jpg")
    assert (folder / "copy.jpg").read_bytes() == content


@on_sqlite
def test_everything_that_is_ordered_of_an_offer_is_queued_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """R53."""
    office.put(("proposals", "p1", {"deal_key": "deal-a", "author_key": "ana", "title": "Offer", "currency": "EUR"}))
    office.put(("proposal_lines", "p1-1", {"proposal_key": "p1", "name": "Pump", "unit_price_minor": 100}))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    for words in (["submit"], ["render"], ["send"], ["revise"]):
        ana.run("proposal", *words, "Offer")
    ana.run("proposal", "withdraw", "Offer", "--reason", "too dear")
    ana.run("proposal", "approve", "Offer", "--text", "good")
    ana.run("proposal", "reject", "Offer", "not like this")
    queued = [(item["kind"], item.get("set", {})) for item in ana.json("pending")]
    assert queued == [
        ("proposal.submit", {}),
        ("proposal.render", {}),
        ("proposal.send", {"version": 1, "total_minor": 100}),
        ("proposal.revise", {}),
        ("proposal.withdraw", {"version": 1, "reason": "too dear"}),
        ("proposal.approve", {"text": "good"}),
        ("proposal.reject", {"text": "not like this"}),
    ]
    ana.signal = True
    ana.run("sync")
    assert office.row("proposals", "p1")["render_state"] == "queued"
