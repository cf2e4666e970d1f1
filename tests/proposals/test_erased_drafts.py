"""A person erased: no PDF that was printed of a draft for that person can be had again (R46 keeps what was sent)."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from sfa.crm.erasure import erase_person
from sfa.db.tables import blobs
from sfa.db.writes import Door, Origin
from tests.office import Office
from tests.proposals.rendering.orders import printed
from tests.proposals.selling import offered, order, versions


def erase(office: Office) -> None:
    def work(connection: Connection) -> None:
        now = office.clock.now_ms()
        erase_person(Door(connection, now), "carl", Origin(author_key="root", at=now, stored_at=now), "asked")

    office.database.write(work)


def contents(office: Office) -> dict[str, str]:
    return {row["sha256"]: row["state"] for row in office.all(select(blobs))}


@pytest.mark.parametrize("since", ["for that person still", "for another since", "printed anew for another since"])
def test_a_drafts_pdf_does_not_come_back(office: Office, tmp_path: Path, since: str) -> None:
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl"}))
    ana = offered(office, contact_key="carl")
    order(ana, "render")
    printed(office, tmp_path)
    key = office.row("proposals", "p1")["pdf_key"]
    file: dict[str, Any] = office.row("attachments", key)
    assert contents(office) == {file["sha256"]: "kept"}
    if since != "for that person still":
        ana.edit("proposals", "p1", contact_key="karl", title="Now for another")
    if since == "printed anew for another since":
        office.clock.advance(1_000)
        order(ana, "render")
        printed(office, tmp_path)
    erase(office)
    assert (office.row("attachments", key)["gone"], office.row("attachments", key)["stored"]) == (True, False)
    assert set(contents(office).values()) == {"going"}
    assert (office.row("proposals", "p1")["pdf_key"], office.row("proposals", "p1")["render_state"]) == (None, None)
    assert ana.edit("attachments", key, name=file["name"]).code == "proposal_kept"
    assert office.row("attachments", key)["gone"]


def test_the_pdf_of_what_was_sent_stays(office: Office, tmp_path: Path) -> None:
    """R46: also where a draft of it had been printed before."""
    ana = offered(office, contact_key="carl")
    order(ana, "render")
    printed(office, tmp_path)
    office.clock.advance(1_000)
    order(ana, "send")
    printed(office, tmp_path)
    (version,) = versions(office)
    erase(office)
    assert versions(office) == [version]
    assert contents(office)[version["pdf_sha256"]] == "kept"
    row = office.row("attachments", version["pdf_key"])
    assert (row["gone"], row["stored"], office.row("proposals", "p1")["pdf_key"]) == (False, True, version["pdf_key"])


def test_drafts_for_others_stay(office: Office, tmp_path: Path) -> None:
    ana = offered(office)
    order(ana, "render")
    printed(office, tmp_path)
    erase(office)
    assert not office.row("attachments", office.row("proposals", "p1")["pdf_key"])["gone"]
