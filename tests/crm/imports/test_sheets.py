"""A CSV file of any entity: idempotent, with the rights of who imports, resumable after a kill (R53)."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm.imports import sheets
from sfa.crm.imports.columns import IDENTITY, Stated, header_faults, in_order, known
from sfa.crm.imports.routes import faults_csv
from sfa.crm.imports.table import Fault
from tests.crm.desk import Desk, opened
from tests.office import Office

NORTH = ("territories", "t-north", {"external_id": "N"})
PUMP = ("products", "pump", {"external_id": "P-1"})


@pytest.fixture
def desk(office: Office) -> Any:
    office.put(NORTH, PUMP, ("accounts", "acme", {"external_id": "A-1"}))
    with opened(office) as made:
        yield made


@pytest.fixture
def desk_alone(office: Office) -> Any:
    """With a server whose routes no other test has."""
    office.put(NORTH)
    with opened(office, alone=True) as made:
        yield made


def send(desk: Desk, user: str, entity: str, text: str, query: str = "") -> Any:
    return desk.post(
        user,
        f"/api/imports/{entity}{query}",
        content=text.encode(),
    )


def told(answer: Any) -> list[tuple[int, str | None, str]]:
    return [(fault["line"], fault["field"], fault["code"]) for fault in answer.json()["faults"]]


def test_a_file_creates_rows_changes_them_and_then_does_nothing(office: Office, desk: Desk) -> None:
    text = (
        "external_id,name,territory_external_id,city,tags,revenue,revenue_currency\n"
        "A-1,Acme Ltd,N,Bilbao,tender;export,1250.50,EUR\n"
        'A-2,"Bolt, Nut & Co",N,,,,\n'
    )
    first = send(desk, "mia", "accounts", text).json()
    assert first["counts"] == {"created": 1, "updated": 1, "unchanged": 0, "deleted": 0}
    assert (first["faults"], first["done"], first["lines"]) == ([], 2, 2)
    acme = office.row("accounts", "acme")
    assert (acme["name"], acme["tags"], acme["revenue_minor"]) == ("Acme Ltd", ["tender", "export"], 125050)
    (bolt,) = [row for row in office.rows("accounts") if row["external_id"] == "A-2"]
    assert (bolt["name"], bolt["territory_key"], bolt["created_by"]) == ("Bolt, Nut & Co", "t-north", "mia")
    seq = office.seq()
    assert send(desk, "mia", "accounts", text).json()["counts"]["unchanged"] == 2
    assert office.seq() == seq
    assert office.history("accounts", "acme")[-1]["kind"] == "import"


def test_every_kind_of_file_is_taken(office: Office, desk: Desk) -> None:
    files = {
        "contacts": "external_id,name,account_external_id,phone\nC-1,Nora,A-1,+34 944 1\n",
        "products": "external_id,name,active\nP-1,Pump X,no\nP-2,Valve,yes\n",
        "prices": "product_external_id,currency,valid_from,amount\nP-1,EUR,2027-01-01,12.50\n",
        "users": "external_id,name,email,role\nU-1,Nora,nora@example.com,rep\n",
        "territories": "external_id,name\nN,North West\nW,West\n",
        "territory_edges": "territory_external_id,valid_from,parent_external_id\nW,2026-01-01,N\n",
        "territory_members": "territory_external_id,user_external_id,valid_from\nW,U-1,2026-01-01\n",
    }
    for entity, text in files.items():
        answer = send(desk, "root", entity, text)
        assert answer.status_code == 200, answer.text
        assert answer.json()["faulty"] == 0, (entity, answer.text)
        assert send(desk, "root", entity, text).json()["counts"]["unchanged"] == answer.json()["lines"]
    assert [row["amount_minor"] for row in office.rows("prices") if row["valid_from"] == "2027-01-01"] == [1250]


def test_a_file_corrects_the_price_of_a_day_and_makes_no_second_one(office: Office, desk: Desk) -> None:
    """R39: a line that finds its row by product, currency and day changes it."""
    send(desk, "root", "products", "external_id,name,active\nP-1,Pump X,yes\n")
    (product,) = (row["key"] for row in office.rows("products") if row["external_id"] == "P-1")
    by_hand = {"product_key": product, "currency": "EUR", "valid_from": "2027-01-01", "amount_minor": 10_00}
    office.put(("prices", "by-hand", by_hand))
    head = "product_external_id,currency,valid_from,amount\n"
    assert send(desk, "root", "prices", f"{head}P-1,EUR,2027-01-01,12.50\n").json()["counts"]["updated"] == 1
    twice = send(desk, "root", "prices", f"{head}P-1,EUR,2027-02-01,1\nP-1,EUR,2027-02-01,2\n")
    assert told(twice) == [(3, "product_key", "duplicate_external_id")]
    rows = office.rows("prices")
    of_product = [row for row in rows if row["product_key"] == product and row["valid_from"] >= "2027"]
    assert sorted((row["valid_from"], row["amount_minor"]) for row in of_product) == [
        ("2027-01-01", 12_50),
        ("2027-02-01", 1_00),
    ]


def test_bad_lines_are_told_with_number_and_code_and_the_others_are_written(office: Office, desk: Desk) -> None:
    text = (
        "external_id,name,territory_external_id,employees,website\n"
        "B-1,Good,N,5,\n"
        "B-2,,N,5,\n"
        "B-3,Many,N,lots,\n"
        "B-4,Where,X,1,\n"
        ",Who,N,1,\n"
        "B-1,Twice,N,1,\n"
        "B-5,Short,N\n"
        '"B-6","Two\nlines",N,-1,\n'
        "B-7,Good too,N,,\n"
    )
    for query in ("?dry_run=true", ""):
        answer = send(desk, "mia", "accounts", text, query)
        assert sorted(told(answer)) == [
            (3, None, "field_required"),
            (4, "employees", "field_invalid"),
            (5, "territory_external_id", "reference_unknown"),
            (6, "external_id", "field_required"),
            (7, "external_id", "duplicate_external_id"),
            (8, None, "field_invalid"),
            (9, "employees", "field_invalid"),
        ]
        assert answer.json()["counts"]["created"] == 2
        assert (len(office.rows("accounts")) == 2) == bool(query)
    answer = send(desk, "mia", "accounts", text)  # once more: what was written stands
    key = answer.json()["key"]
    assert answer.json()["counts"]["unchanged"] == 2
    assert desk.get("mia", f"/api/imports/runs/{key}").json() == answer.json()
    assert desk.get("mia", f"/api/imports/runs/{key}/faults.csv").text.startswith("line,field,code,text\n")
    assert desk.get("dirk", f"/api/imports/runs/{key}").json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("name,city", "field_required"),
        ("external_id,wings", "field_unknown"),
        ("external_id,external_id", "field_invalid"),
        ("external_id,territory_key,territory_external_id", "field_invalid"),
        ("external_id,revenue", "field_required"),
        ("external_id,created_by", "field_unknown"),
    ],
)
def test_a_wrong_header_writes_nothing(desk: Desk, header: str, code: str) -> None:
    answer = send(desk, "mia", "accounts", f"{header}\nx,y\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "import_invalid")
    assert code in {error["code"] for error in answer.json()["errors"]}


def test_who_may_not_write_an_entity_does_not_import_it(office: Office, desk: Desk) -> None:
    """R53: role and scope are those of every other edit."""
    people = "external_id,name,email\nU-9,Ida,ida@example.com\n"
    assert send(desk, "ana", "accounts", "external_id,name\nX,Y\n").json()["code"] == "not_permitted"
    assert send(desk, "mia", "users", people).json()["code"] == "not_permitted"
    assert send(desk, "mia", "users", people, "?dry_run=true").json()["code"] == "not_permitted"
    assert send(desk, "root", "deals", "external_id\nX\n").json()["code"] == "entity_unknown"
    office.put(("accounts", "zeta", {"external_id": "Z"}))
    south = send(desk, "mia", "accounts", "external_id,name,territory_key\nZ,Mine now,t-north\nY,New,t-south\n")
    assert [code for _, _, code in told(south)] == ["duplicate_external_id", "out_of_scope"]
    assert office.row("accounts", "zeta")["name"] == "Zeta"


def test_lines_may_name_rows_of_the_same_file_in_any_order(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"L-{i},Storey {i},N,{f'L-{i + 1}' if i < 9 else ''}" for i in range(10)]
    text = "external_id,name,territory_external_id,parent_external_id\n" + "\n".join(lines) + "\nC,Loop,N,C\n"
    monkeypatch.setattr(sheets, "BATCH_LINES", 3)
    for query in ("?dry_run=true", ""):
        answer = send(desk, "mia", "accounts", text, query)
        assert told(answer) == [(12, "parent_external_id", "reference_unknown")], answer.text
        assert answer.json()["counts"]["created"] == 10
    rows = {row["external_id"]: row for row in office.rows("accounts")}
    assert all(rows[f"L-{i}"]["parent_key"] == rows[f"L-{i + 1}"]["key"] for i in range(9))


def accounts_file(count: int) -> bytes:
    lines = (f"F-{i},Firm {i},{'N' if i % 7 else 'nowhere'}" for i in range(count))
    return ("external_id,name,territory_external_id\n" + "\n".join(lines) + "\n").encode()


def test_an_import_that_was_killed_goes_on_where_it_was(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before a commit the batch is not there; killed after it, it is not done again."""
    office.put(NORTH)
    monkeypatch.setattr(sheets, "BATCH_LINES", 10)
    sheet = sheets.read_sheet("mia", "accounts", accounts_file(60))
    dice = random.Random(7)

    def dies(boundary: str) -> None:
        if boundary == dying:
            raise RuntimeError("killed")

    deaths, now = 0, office.database.write(sheets.start, office.clock.now_ms(), sheet)
    for _ in range(200):
        now = office.database.write(sheets.start, office.clock.now_ms(), sheet)
        while now.done < now.lines:
            dying = dice.choice(("before_commit", "after_commit", "", ""))
            office.database.probe = dies
            try:
                now = office.database.write(sheets.advance, office.clock.now_ms(), sheet)
            except RuntimeError:
                deaths += 1
                break
            finally:
                office.database.probe = None
        if now.done == now.lines:
            break
    assert deaths > 2
    assert (now.done, now.faulty, now.counts["created"]) == (60, 9, 51)
    rows = [row for row in office.rows("accounts") if row["external_id"] and row["external_id"].startswith("F-")]
    assert len(rows) == 51
    assert {row["rev"] for row in rows} == {1}


def test_two_imports_of_one_file_at_once_share_the_work(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.put(NORTH)
    monkeypatch.setattr(sheets, "BATCH_LINES", 5)
    with opened(office, alone=True) as desk:
        desk.token("mia")
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda _: send(desk, "mia", "accounts", accounts_file(40).decode()), range(3)))
    assert {answer.status_code for answer in found} == {200}
    rows = [row for row in office.rows("accounts") if row["external_id"] and row["external_id"].startswith("F-")]
    assert len(rows) == 34
    assert {row["rev"] for row in rows} == {1}


def test_what_is_known_of_old_imports_is_forgotten(office: Office, desk: Desk) -> None:
    key = send(desk, "mia", "accounts", "external_id,name\nA-1,Acme\n").json()["key"]
    office.clock.advance(sheets.KEPT_MS)
    assert office.database.write(sheets.forget, office.clock.now_ms()) == 1
    desk.forget_tokens()
    assert desk.get("mia", f"/api/imports/runs/{key}").status_code == 404


def test_a_dry_run_writes_nothing(office: Office, desk: Desk) -> None:
    def counted(connection: Connection) -> int:
        return len(connection.exec_driver_sql("SELECT key FROM import_runs").all())

    before = office.seq()
    assert (
        send(desk, "mia", "accounts", "external_id,name\nA-1,Other\n", "?dry_run=true").json()["counts"]["updated"] == 1
    )
    assert (office.seq(), office.database.read(counted)) == (before, 0)


def test_a_fault_that_looks_like_a_formula_is_told_as_text() -> None:
    fault = Fault("f", 2, "=cmd", "field_invalid", "=1+1")
    said = faults_csv(sheets.Progress("", "accounts", False, 1, 1, {}, 1, [fault]))
    assert said.splitlines()[1] == "2,'=cmd,field_invalid,'=1+1"


@given(st.permutations(range(8)), st.lists(st.integers(0, 9), min_size=8, max_size=8))
def test_lines_come_after_those_that_they_name(order: list[int], parents: list[int]) -> None:
    lines = [Stated(i, {"external_id": str(i)}, {"parent_key": str(parents[i])}) for i in range(8)]
    found = in_order("accounts", [lines[i] for i in order])
    assert sorted(item.line for item in found) == list(range(8))
    place = {item.line: at for at, item in enumerate(found)}
    for item in found:
        above, seen = item, set()
        while above.line not in seen and (up := parents[above.line]) < 8:
            seen.add(above.line)
            above = lines[up]
        if above.line not in seen and parents[item.line] < 8:  # no circle above it
            assert place[parents[item.line]] < place[item.line]


@pytest.mark.parametrize("entity", sorted(IDENTITY))
def test_every_identity_can_be_stated(entity: str) -> None:
    columns = known(entity)
    assert header_faults(entity, "f", IDENTITY[entity]) == ()
    assert set(IDENTITY[entity]) <= columns.keys()


@pytest.mark.parametrize("lines", ["X,A\nY,B\n", "X,A\n\n", "\n\n", 'X,A\n"Y\n', "X,A,B\nY\n"])
def test_every_line_counts_for_the_limit_blank_and_bad_ones_too(monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    text = f"\nexternal_id,name\n{lines}".encode()
    monkeypatch.setattr(sheets, "LINES_MAX", 2)
    sheets.read_sheet("mia", "accounts", text)
    monkeypatch.setattr(sheets, "LINES_MAX", 1)
    with pytest.raises(Refused) as refused:
        sheets.read_sheet("mia", "accounts", text)
    assert refused.value.code == "import_invalid"


def test_large_files_are_read_one_at_a_time_beside_everything_else(
    office: Office, desk_alone: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that takes long to read keeps nobody waiting but the next file."""
    desk = desk_alone
    read, begun, go_on = sheets.read_sheet, threading.Event(), threading.Event()
    at_once, most = 0, 0

    def slow(*args: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        begun.set()
        assert go_on.wait(20)
        at_once -= 1
        return read(*args)

    desk.get("mia", "/auth/me")
    monkeypatch.setattr(sheets, "read_sheet", slow)
    with ThreadPoolExecutor(3) as pool:
        texts = [f"external_id,name,territory_external_id\nS-{n},Slow,N\n" for n in range(3)]
        answers = [pool.submit(send, desk, "mia", "accounts", text) for text in texts]
        assert begun.wait(20)
        assert desk.get("mia", "/api/accounts/acme").status_code == 200
        assert not any(answer.done() for answer in answers)
        go_on.set()
        assert [answer.result().json()["counts"]["created"] for answer in answers] == [1, 1, 1]
    assert most == 1


def test_a_line_finds_rows_by_their_name_elsewhere_as_far_as_its_sender_sees_them(office: Office, desk: Desk) -> None:
    """S10: acme is in the north; whether somebody else's customer has the same name is not told."""
    office.put(("teams", "team-south", {"name": "South"}), ("users", "sia", {"name": "Sia", **SIA}))
    office.put(
        ("team_members", "sia-m", {"team_key": "team-south", "user_key": "sia", "role": "manager", **SINCE}),
        ("territory_members", "sia-t", {"territory_key": "t-south", "user_key": "sia", **SINCE}),
    )
    text = "external_id,name,account_external_id\nC-1,Nora,A-1\n"
    found = office.database.read(sheets.rehearse, office.clock.now_ms(), sheet_of("sia", text))
    assert [(fault.field, fault.code) for fault in found.faults] == [("account_external_id", "reference_unknown")]
    assert "no row" in found.faults[0].text
    office.put(("accounts", "zeta", {"external_id": "A-1"}))  # two have it, and each sees one of them
    for user in ("sia", "mia"):
        seen = office.database.read(sheets.rehearse, office.clock.now_ms(), sheet_of(user, text))
        assert (seen.faulty, seen.counts["created"]) == (0, 1), user


def test_an_identity_that_is_taken_is_told_alike_whoever_has_it(office: Office, desk: Desk) -> None:
    """S10: by a customer of the south, or by two that mia sees."""
    office.put(("accounts", "zeta", {"external_id": "Z-1"}))
    twins = (
        ("accounts", f"twin-{n}", {"name": "Twin", "territory_key": "t-north", "external_id": "T-1"}) for n in (1, 2)
    )
    office.put(*twins)
    text = "external_id,name,territory_external_id\nZ-1,Mine,N\nT-1,Mine,N\n"
    faults = send(desk, "mia", "accounts", text).json()["faults"]
    assert [(fault["line"], fault["code"]) for fault in faults] == [
        (2, "duplicate_external_id"),
        (3, "duplicate_external_id"),
    ]
    assert len({fault["text"] for fault in faults}) == 1
    assert not any(word in str(faults) for word in ("zeta", "twin", "Zeta", "Twin"))


SINCE = {"valid_from": "2025-01-01"}
SIA = {"email": "sia@example.com", "role": "manager"}


def sheet_of(user: str, text: str) -> sheets.Sheet:
    return sheets.read_sheet(user, "contacts", text.encode())


def test_a_file_that_is_not_utf_8_or_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sheets.read_sheet("mia", "accounts", b"external_id,name\nX,\xff\nY,Z\n")
    assert [(fault.line, fault.code) for fault in found.faults] == [(2, "field_invalid")]
    monkeypatch.setattr(sheets, "LINES_MAX", 1)
    with pytest.raises(Refused) as refused:
        sheets.read_sheet("mia", "accounts", b"external_id,name\nX,A\nY,Z\n")
    assert refused.value.code == "import_invalid"
