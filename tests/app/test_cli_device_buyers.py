"""`sfa device proposal …`: recipients, questions and outcomes in a terminal without signal."""

from collections.abc import Callable
from pathlib import Path

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.deals.conftest import line
from tests.files.cabinet import padded
from tests.office import Office


@on_sqlite
def test_a_rep_says_who_gets_an_offer_and_follows_it(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
    tmp_path: Path,
) -> None:
    """R51."""
    line(office, "l1", "deal-a", quantity="3", unit_price_minor=4_500)
    office.put(("contacts", "carl", {"email": "carl@buyer.example"}))
    ana, content = terminals("ana"), padded(200_000)
    login(ana, "ana")
    ana.run("sync")
    picture = tmp_path / "sealed.jpg"
    picture.write_bytes(content)
    file = ana.run("attach", "deals", "Pumps", str(picture))
    ana.signal = False
    key = ana.run("proposal", "draft", "Pumps", "title=Three pumps")
    carl = ana.run("proposal", "add-recipient", "Three pumps", "--contact", "Carl")
    dora = ana.run("proposal", "add-recipient", key, "name=Dora", "email=dora@buyer.example", "role=reader")
    assert "carl@buyer.example" in ana.run("proposal", "recipients", key)
    ana.run("proposal", "remove-recipient", "Dora")
    assert [row["key"] for row in ana.json("proposal", "recipients", key)] == [carl]
    assert dora not in ana.run("proposal", "recipients", key)
    assert "not opened yet" in ana.run("proposal", "follow", key)
    assert "file_awaited" in ana.run("proposal", "final", key, "x.pdf", code=1)
    assert "field_required" in ana.run("proposal", "add-recipient", key, "name=Dora", code=1)
    ana.signal = True
    ana.run("sync")
    outcome = {"kind": "accepted", "version": 1, "at": 5, "by": "Carl", "reason": None, "total_minor": 135_00}
    told = {"version": 1, "opened_at": 2, "opens": 4, "outcome": outcome, "final_key": file, "certificate_key": file}
    office.put_server_row("proposals", key, told)
    asked = {"proposal_key": key, "version": 1, "asked_by": "Carl", "asked_at": 1, "text": "Does it fit?"}
    office.put_server_row("proposal_questions", "q1", asked)
    ana.run("sync")
    followed = ana.run("proposal", "follow", key)
    for words in ("opened 4 times", "Does it fit?", "accepted by Carl at 135.00 EUR", "the sealed PDF is there"):
        assert words in followed
    assert ana.run("proposal", "final", key, str(tmp_path / "final.jpg")) == str(tmp_path / "final.jpg")
    assert (tmp_path / "final.jpg").read_bytes() == content
    ana.run("proposal", "certificate", key, str(tmp_path / "certificate.jpg"))
    assert (tmp_path / "certificate.jpg").read_bytes() == content
    ana.signal = False
    ana.run("proposal", "answer", "q1", "It does.")
    ana.run("proposal", "mail-again", key)
    ana.run("proposal", "revoke-link", key, "--recipient", "Carl")
    (shown,) = ana.json("proposal", "questions")
    assert (shown["answer"], shown["is_waiting"]) == ("It does.", True)
    assert "It does." in ana.run("proposal", "questions", key)
    assert ana.json("proposal", "follow", key)["outcome"] == outcome
    assert [item["kind"] for item in ana.json("pending")] == [
        "proposal_question.answer",
        "proposal.resend",
        "proposal.revoke_link",
    ]
