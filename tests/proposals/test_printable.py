"""Nothing is approved or sent that can never be printed (R46)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import insert

from proposals import printable
from proposals.document import LINES_MAX, Document, Picture, Section
from sfa.core.errors import Refused
from sfa.db.tables import proposal_assets
from tests.office import Office
from tests.proposals import builders
from tests.proposals.selling import given, offered, order, versions

SAMPLE = builders.document()


def longer(**more: Any) -> Document:
    return msgspec.structs.replace(SAMPLE, **more)


PICTURE = Picture("a" * 64, "image/png", 1, 1, "x")
LONG = {
    "lines": longer(items=SAMPLE.items[:1] * (LINES_MAX + 1)),
    "sections": longer(sections=tuple(Section(key=f"s{n}", title="x") for n in range(101))),
    "pictures": longer(sections=(Section(key="s", title="x", pictures=(PICTURE,) * 21),)),
    "texts": longer(sections=tuple(Section(key=f"s{n}", title="x", text="word " * 10_000) for n in range(11))),
    "size": longer(
        items=tuple(msgspec.structs.replace(SAMPLE.items[0], sku="🥐" * 500) for _ in range(2_000)), zone="x"
    ),
}


@pytest.mark.parametrize("what", [*LONG])
def test_what_is_longer_than_can_be_printed_is_refused_and_says_what(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "size":
        monkeypatch.setattr(printable, "JSON_MAX", 1 << 20)
    with pytest.raises(Refused) as refused:
        printable.check(LONG[what])
    said = refused.value.details
    assert (refused.value.code, said["what"]) == ("proposal_too_long", what)
    assert said["found"] > said["most"]


def test_what_is_as_long_as_may_be_is_printed() -> None:
    printable.check(longer(items=SAMPLE.items[:1] * LINES_MAX))


@pytest.mark.parametrize("act", ["submit", "send", "render"])
def test_nobody_submits_or_sends_what_is_too_long(office: Office, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printable, "LINES_MAX", 1)
    ana = offered(office)
    ana.do("create", "proposal_lines", "p1-2", set={"proposal_key": "p1", "name": "More", "unit_price_minor": 1})
    receipt = order(ana, act)
    assert (receipt.code, given(office), versions(office)) == ("proposal_too_long", {}, [])
    row = office.row("proposals", "p1")
    assert (row["status"], row["render_state"]) == ("draft", None)
    monkeypatch.setattr(printable, "LINES_MAX", 2)
    assert order(ana, act).outcome == "applied"


def test_pictures_that_are_too_large_together_are_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = {"sha256": "c" * 64, "alt": "The roof"}
    ana = offered(office, sections=[{"key": "s", "title": "Roof", "pictures": [photo]}])
    kept = {"media_type": "image/png", "width": 9, "height": 9, "size": 11, "name": "x", "at": 1}
    row = {"sha256": photo["sha256"], "proposal_key": "p1", **kept}
    office.database.write(lambda connection: connection.execute(insert(proposal_assets), row))
    monkeypatch.setattr(printable, "PICTURE_BYTES_MAX", 10)
    assert order(ana, "send").code == "proposal_too_long"
    monkeypatch.setattr(printable, "PICTURE_BYTES_MAX", 11)
    assert order(ana, "send").outcome == "applied"
