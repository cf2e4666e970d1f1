"""docs/mobile.md is right: each of its exchanges is answered so, and what it names exists."""

import json
import re

import msgspec

from sfa.app.commands import COMMANDS
from sfa.core.digests import of_rows
from sfa.core.errors import CATALOGUE
from sfa.core.rules import TRANSITIONS
from sync import protocol
from tests.house.tree import ROOT, document
from tests.office import Office
from tests.sync.mobile_page import Exchange, Meanwhile, players, script
from tests.sync.test_golden import differences

EXCHANGES_MIN = 25


def page() -> str:
    return document("docs/mobile.md")


def exchanges() -> list[Exchange]:
    return [part for part in script(page()) if isinstance(part, Exchange)]


def test_every_exchange_of_the_page_is_answered_as_it_is_written(office: Office) -> None:
    player, client = players(office)
    with client:
        for part in script(page()):
            if isinstance(part, Meanwhile):
                player.meanwhile(part.words)
                continue
            for status, body in player.play(part):
                shown = body[part.member] if part.member is not None and part.member in body else body
                assert status == part.status, f"line {part.line}: {body}"
                if part.method == "GET":  # shown in part: such answers grow
                    shown = {name: value for name, value in shown.items() if name in part.answer}
                assert differences(part.answer, shown) == [], f"line {part.line}"


def test_the_page_has_no_line_that_looks_like_an_exchange_and_is_none() -> None:
    """An arrow that the script does not read would be an example that nobody plays."""
    found = exchanges()
    arrows = re.findall(r"^([→←])", page(), re.MULTILINE)
    assert arrows == ["→", "←"] * len(found)
    assert len(found) >= EXCHANGES_MIN
    assert [part.line for part in found if part.status == 0 or part.answer is None] == []


def test_every_request_of_the_page_is_of_the_documented_types() -> None:
    for part in exchanges():
        if part.path == "/sync":
            assert msgspec.json.decode(json.dumps(part.request), type=protocol.SyncRequest).now == part.request["now"]
            for mutation in part.request.get("mutations", ()):
                assert msgspec.convert(mutation, protocol.Mutation).n == mutation["n"]


def test_the_page_speaks_a_contract_version_that_is_served() -> None:
    """The newest one, but for the exchange that shows how an app is answered that is too old."""
    said = {part.request["contract"] for part in exchanges() if part.path == "/sync" and part.status != 426}
    assert said == {protocol.CONTRACT_MAX}


def test_every_outcome_is_told_and_every_command_that_is_told_exists() -> None:
    assert [name for name in protocol.RECEIPT_OUTCOMES if f"| `{name}` |" not in page()] == []
    table = page().split("### Commands")[1].split("\n### ")[0]
    told = re.findall(r"`([a-z]+\.[a-z_]+)`", _first_cells(table.split("| kind |")[1]))
    assert len(told) > 14
    assert [name for name in told if name not in TRANSITIONS and name not in COMMANDS] == []


def test_every_code_in_a_table_of_codes_is_one_of_the_catalogue() -> None:
    """First cells of the tables of section 6 and 19; `…` stands for the rest of a name."""
    codes: list[str] = []
    for heading in ("## 6. Receipts", "## 19. Errors of a whole request"):
        body = page().split(heading)[1].split("\n## ")[0]
        tables = body.split("| `code` |")[1:]
        codes += [code for table in tables for code in re.findall(r"`([a-z_]+)`", _first_cells(table))]
    assert len(codes) > 30
    assert [code for code in codes if code not in CATALOGUE] == []


def _first_cells(table: str) -> str:
    rows = table.split("\n\n")[0].split("\n")[1:]
    return "\n".join(row.split("|")[1] for row in rows if row.startswith("|"))


def test_the_digests_of_the_page_are_those_of_the_product() -> None:
    one, two = ("contacts", "carl", 1), ("contacts", "dora", 2)
    assert f"`{of_rows([one]).sum}`" in page()
    assert f"`{of_rows([one, two]).sum}`" in page()


def test_every_link_of_the_page_leads_somewhere() -> None:
    headings = {_anchor(title) for title in re.findall(r"^#+ (.+)$", page(), re.MULTILINE)}
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page()):
        if target:
            assert (ROOT / "docs" / target).exists(), target
            if anchor:
                titles = re.findall(r"^#+ (.+)$", document(f"docs/{target}"), re.MULTILINE)
                assert anchor in {_anchor(title) for title in titles}, f"{target}#{anchor}"
        else:
            assert anchor in headings, anchor


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_the_local_schema_of_the_page_can_be_made() -> None:
    import sqlite3
    from contextlib import closing

    (schema,) = re.findall(r"^```sql\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema)
        connection.execute("INSERT INTO state (id) VALUES (1)")
        assert connection.execute("SELECT next_n, cursor FROM state").fetchall() == [(1, None)]


def test_a_wrong_answer_on_the_page_is_found(office: Office) -> None:
    """The comparison bites: one number, one word and one member too few."""
    part = next(part for part in exchanges() if part.path == "/sync")
    player, client = players(office)
    with client:
        ((_, body),) = player.play(part)
    assert differences(part.answer, body) == []
    spoilt = json.loads(json.dumps(part.answer))
    spoilt["page"]["rows"] += 1
    spoilt["page"]["changes"][0]["items"][0]["row"]["name"] = "Another"
    del spoilt["now"]
    assert len(differences(spoilt, body)) == 3


def test_an_answer_in_lines_is_what_the_page_says(office: Office) -> None:
    """The first line is an answer with the first part of the page; each further one is a page with its own cursor."""
    player, client = players(office)
    with client:
        asked = {"user": "ana", "now": office.clock.now_ms(), "contract": protocol.CONTRACT_MAX, "lines": True}
        player.meanwhile("sync ana")  # logs the phone in
        headers = {"Authorization": f"Bearer {player.phone('ana').token}"}
        answer = client.post("/sync", json=asked, headers=headers)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.content.endswith(b"\n")
    first, *further = (json.loads(line) for line in answer.content.splitlines())
    assert {"contract", "epoch", "now", "page"} <= first.keys()
    assert len(further) >= 1
    assert [line.keys() for line in further] == [{"page"}] * len(further)
    assert len({line["page"]["cursor"] for line in (first, *further)}) == 1 + len(further)
    assert further[-1]["page"]["caught_up"]
