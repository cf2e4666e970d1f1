"""A client written from docs/mobile.md alone works: it loses nothing and ends with the server's rows (issue 3).

Each story runs the page's 150 lines on `node`, start by start of the app, against a real `sfa serve` with a seeded
company. The network is cut at chosen bytes, app and server are killed, two phones and two people edit the same rows.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sfa.db.database import Database, open_database
from sfa.db.scope import renew_epoch
from tests.house.tree import document
from tests.sync.clients.served import PASSWORD, PATIENCE_S, App, Server, equal, needs_node, sfa, truth
from tests.sync.clients.tunnel import Tunnel

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("waiting"),  # mostly waits for processes and clocks: one worker does, the others compute
]


class Company:
    """A seeded company behind a running server."""

    def __init__(self, server: Server, database: Database, folder: Path) -> None:
        self.server, self.database, self.folder = server, database, folder
        self.emails: dict[str, str] = {}
        self.tunnels: list[Tunnel] = []

    def blank(self, name: str, page_rows: int = 50) -> App:
        """A new installation that nobody has used yet."""
        app = App(name, self.server, self.folder, page_rows)
        self.tunnels.append(app.tunnel)
        return app

    def app(self, name: str, user: str, page_rows: int = 50) -> App:
        """A new installation, logged in and synced."""
        app = self.blank(name, page_rows)
        app.do(["login", self.emails[user], PASSWORD], ["sync"])
        return app

    def agree(self, app: App) -> None:
        """The app holds exactly the server's rows of its user, and its queue is answered."""
        stored = app.stored()
        assert [item["n"] for item in stored["outbox"] if item["outcome"] is None] == []
        assert equal(app.rows(), truth(self.database, stored["user_key"])) == []


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow])]
)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One company for all stories of this module; each has users, customers and keys that it does not mind sharing."""
    needs_node()
    folder = tmp_path_factory.mktemp("clients")
    url = f"sqlite:///{folder / 'sfa.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").create("clients")
    said = sfa(url, "seed", *_words(r"sfa seed (.+)").split())
    made = Company(Server(url, folder), open_database(url), folder)
    made.emails = {line.split()[0]: line.split()[1] for line in said.splitlines() if "@" in line}
    made.server.start()
    try:
        yield made
    finally:
        made.server.kill()
        made.database.close()
        if request.param == "postgresql":
            request.getfixturevalue("postgres").drop("clients")


@pytest.fixture
def company(served: Company, tmp_path: Path) -> Iterator[Company]:
    """The company, with a folder for this story's apps."""
    found = Company(served.server, served.database, tmp_path)
    found.emails = served.emails
    yield found
    for tunnel in found.tunnels:
        tunnel.close()


def _words(pattern: str) -> str:
    """What docs/mobile.md says at this place."""
    (found,) = re.findall(pattern, document("docs/mobile.md"))
    return str(found)


def accounts(app: App, user: str) -> list[str]:
    """Keys of customers that this user may edit, in order."""
    rows = [(entity, key, row) for (entity, key), (_, row) in app.rows().items()]
    covered = {row["territory_key"] for e, _, row in rows if e == "territory_members" and row["user_key"] == user}
    return sorted(key for e, key, row in rows if e == "accounts" and row["territory_key"] in covered)


def contact(key: str, account: str, name: str) -> list[Any]:
    return ["edit", "contacts", key, "create", {"account_key": account, "name": name}]


def test_the_client_is_as_short_as_the_page_says() -> None:
    lines = document("tests/sync/clients/small_client.mjs").splitlines()
    assert len(lines) <= int(_words(r"a client of (\d+) lines"))
    assert max(map(len, lines)) <= 120


def test_the_first_steps_in_a_shell_are_answered(company: Company) -> None:
    """Section 1 of the page, as it is typed; only the port is this server's."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    blocks = re.findall(r"^```sh\n(.*?)^```$", document("docs/mobile.md"), re.MULTILINE | re.DOTALL)
    login, sync = (block.replace(":8080/", f":{company.server.port}/") for block in blocks[1:])
    told = _shell(login)
    assert told["user"]["email"] == company.emails["rep-0001"]
    first = _shell(sync.replace("…access_token…", told["access_token"]).replace("…user.key…", told["user"]["key"]))
    assert (first["page"]["reset"], first["page"]["rows"]) == ("no_cursor", 3)


def _shell(words: str) -> Any:
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return json.loads(done.stdout)


def test_the_first_sync_comes_page_by_page_and_survives_a_kill_in_the_middle(company: Company) -> None:
    app = company.blank("phone", page_rows=20)
    app.do(["login", company.emails["rep-0001"], PASSWORD])
    app.tunnel.stall_after(3)
    process = app.start(["sync"])
    assert app.tunnel.stalled.wait(30)
    process.kill()
    process.communicate()
    half = app.stored()
    assert 0 < len(half["rows"]) < len(truth(company.database, half["user_key"]))
    assert half["sweeping"]
    app.tunnel.fate = "open"
    app.do(["sync"])
    company.agree(app)
    assert app.stored()["generation"] == 1  # it went on and did not start over


def test_a_day_without_signal_and_with_a_bad_line_lands_once(company: Company) -> None:
    app = company.app("phone", "rep-0001")
    one, two, *_ = accounts(app, "rep-0001")
    unit = {"id": "u-1", "size": 2}
    app.do(
        contact("day-c-1", one, "Dora Ruiz"),
        ["edit", "contacts", "day-c-1", "update", {"title": "Buyer"}],
        ["edit", "visits", "day-v-1", "create", {"account_key": one, "owner_key": "rep-0001"}],
        ["edit", "visits", "day-v-1", "visit.check_in", {}],
        ["edit", "visits", "day-v-1", "visit.check_out", {"outcome": "They order"}],
        ["edit", "contacts", "day-c-2", "create", {"account_key": two, "name": "Eva"}, unit],
        ["edit", "notes", "day-n-1", "create", {"account_key": two, "author_key": "rep-0001", "body": "Ask Eva"}, unit],
        contact("day-c-3", "no-such-customer", "Nobody"),
    )
    seen = app.do(["view", "visits"])["day-v-1"]
    assert seen["status"] == "completed"  # before any server heard of it
    for fate in ("cut_request", "cut_answer", "cut_answer"):
        app.tunnel.fate = fate
        assert app.run(["sync"])[0]["failed"] == "connection_lost"
        assert {item["outcome"] for item in app.stored()["outbox"]} == {None}
    assert app.tunnel.cut >= 3
    app.tunnel.fate = "open"
    app.do(["sync"])
    company.agree(app)
    told = app.receipts()
    assert [told[n]["outcome"] for n in sorted(told)] == ["applied"] * 7 + ["refused"]
    assert told[8]["code"] == "reference_unknown"
    rows = app.rows()
    assert [rows["contacts", "day-c-1"][0], rows["visits", "day-v-1"][0], rows["notes", "day-n-1"][0]] == [
        2,
        3,
        1,
    ]  # each once
    assert rows["visits", "day-v-1"][1]["outcome"] == "They order"
    refusals = [row for (entity, _), (_, row) in rows.items() if entity == "refusals"]
    assert ("reference_unknown", "day-c-3") in {(row["code"], row["mutation"]["key"]) for row in refusals}


def test_two_phones_and_a_manager_edit_the_same_rows_and_agree(company: Company) -> None:
    phone, tablet = company.app("phone", "rep-0001"), company.app("tablet", "rep-0001")
    boss = company.app("boss", "director-1")
    one, two, three, *_ = accounts(phone, "rep-0001")
    phone.do(
        contact("two-c-1", one, "Dora"), ["edit", "notes", "two-n-1", "create", note(one, "Blue pumps.")], ["sync"]
    )
    for app in (tablet, boss):
        app.do(["sync"])
    boss.do(
        ["edit", "contacts", "two-c-1", "update", {"phone": "1"}],
        ["edit", "notes", "two-n-1", "update", {"body": "Blue pumps. Call on Friday."}],
        ["edit", "accounts", one, "update", {"parent_key": three}],
    )
    tablet.do(["edit", "contacts", "two-c-1", "update", {"email": "dora@example.com"}])
    phone.do(
        ["edit", "contacts", "two-c-1", "update", {"phone": "2", "title": "Buyer"}],
        ["edit", "notes", "two-n-1", "update", {"body": "Two blue pumps."}],
        ["edit", "accounts", one, "update", {"parent_key": two}],
    )
    for app in (phone, boss, tablet, phone, boss):
        app.do(["sync"])
    for app in (phone, tablet, boss):
        company.agree(app)
    rows = phone.rows()
    person = rows["contacts", "two-c-1"][1]
    assert (person["title"], person["email"], person["phone"]) == ("Buyer", "dora@example.com", "2")
    assert rows["notes", "two-n-1"][1]["body"] == "Two blue pumps. Call on Friday."
    conflicts = {key: row for (entity, key), (_, row) in rows.items() if entity == "conflicts"}
    conflicts = {key: row for key, row in conflicts.items() if row["row_key"] in ("two-c-1", one)}
    told = {(row["field_group"], row["status"]) for row in conflicts.values()}
    assert told == {("phone", "closed"), ("parent_key", "open")}
    for key, row in conflicts.items():
        phone.do(["edit", "conflicts", key, "conflict.restore" if row["status"] == "open" else "conflict.dismiss"])
    for app in (phone, boss, tablet):
        app.do(["sync"])
        company.agree(app)
    assert boss.rows()["accounts", one][1]["parent_key"] == three


def note(account: str, body: str) -> dict[str, Any]:
    return {"account_key": account, "author_key": "rep-0001", "body": body}


def test_it_outlives_the_server_that_dies_and_one_that_is_restored(company: Company) -> None:
    app = company.app("phone", "rep-0001")
    one = accounts(app, "rep-0001")[0]
    app.do(contact("dead-c-1", one, "Dora"), ["sync"], contact("dead-c-2", one, "Eva"))
    app.address = f"http://127.0.0.1:{company.server.port}"  # a tunnel without a server would still take calls
    company.server.kill()
    assert app.run(["sync"])[0]["failed"] == "connection_lost"
    company.database.write(renew_epoch, "e" * 32)
    company.server.start()
    app.do(["sync"])
    company.agree(app)
    assert app.stored()["generation"] == 2
    assert {("contacts", "dead-c-1"), ("contacts", "dead-c-2")} <= app.rows().keys()
    assert len(app.receipts()) == 2  # kept: no receipt is seven days old


def test_a_copied_phone_moves_its_queue_to_a_new_registration(company: Company) -> None:
    app = company.app("phone", "rep-0001")
    one = accounts(app, "rep-0001")[0]
    clone = company.blank("copy")
    clone.store.write_text(app.store.read_text())
    app.do(contact("copy-c-1", one, "Dora"), ["sync"])
    clone.do(contact("copy-c-2", one, "Eva"), ["sync"])
    assert clone.stored()["registration"] == "reused"
    clone.do(["login", company.emails["rep-0001"], PASSWORD], ["sync"])
    assert clone.stored()["device_id"] != app.stored()["device_id"]
    app.do(["sync"])
    for one_of_both in (app, clone):
        company.agree(one_of_both)
        assert {("contacts", "copy-c-1"), ("contacts", "copy-c-2")} <= one_of_both.rows().keys()


def test_a_revoked_phone_drains_and_erases_and_a_wiped_one_erases(company: Company) -> None:
    app, lost = company.app("phone", "rep-0001"), company.app("lost", "rep-0001")
    one = accounts(app, "rep-0001")[0]
    app.do(contact("gone-c-1", one, "Dora"))
    lost.do(contact("gone-c-2", one, "Eva"))
    with httpx.Client(base_url=f"http://127.0.0.1:{company.server.port}") as http:
        login = {"email": company.emails["admin-1"], "password": PASSWORD}
        device = {"name": "screen", "platform": "test", "app_version": "1"}
        token = http.post("/auth/login", json={**login, "device": device}).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        key = app.stored()["device_id"]
        assert http.post(f"/api/devices/{key}/revoke").is_success
        assert http.post(f"/api/devices/{lost.stored()['device_id']}/wipe").is_success
        assert app.run(["sync"])[0]["failed"] == "device_revoked"
        assert lost.run(["sync"])[0]["failed"] == "device_wiped"
        for ended in (app, lost):
            assert (ended.stored()["rows"], ended.stored()["outbox"]) == ({}, [])
        (drain,) = http.get(f"/api/devices/{key}/quarantine").json()["drains"]
        assert drain["size"] == 1
