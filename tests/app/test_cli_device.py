"""`sfa device …` against the whole application, in process."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from litestar.testing import TestClient

from sfa.app.cli_device import default_folder, device, store_name
from sfa.app.cli_device_words import fields_of, instant
from sfa.app.settings import Settings
from sfa.core.errors import Refused
from sfa.web.auth import set_password_hash
from sync.device import ConnectionLost, Transport
from sync.device.http import HttpTransport
from tests.builders import NOW
from tests.files.cabinet import padded
from tests.office import Office
from tests.served import served

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
on_sqlite = pytest.mark.parametrize("office", ["sqlite"], indirect=True)


class Terminal:
    """A terminal on one folder of stores. `signal` cuts the connection."""

    def __init__(self, connect: Callable[[str], Transport], folder: Path) -> None:
        self.connect, self.folder, self.signal = connect, folder, True

    def run(self, *words: str, code: int = 0) -> str:
        def connect(server: str) -> Transport:
            return self.connect(server) if self.signal else NoSignal()

        result = CliRunner().invoke(device, ["--store", str(self.folder), *words], obj=connect)
        assert result.exit_code == code, result.output
        return result.output.strip()

    def json(self, *words: str) -> Any:
        return msgspec.json.decode(self.run(*words, "--json"))


class NoSignal:
    def post(self, path: str, _body: bytes, _token: str | None) -> tuple[int, bytes]:
        raise ConnectionLost(f"no signal for {path}")


@pytest.fixture
def terminals(office: Office, tmp_path: Path) -> Iterator[Callable[[str], Terminal]]:
    """name of a folder -> a terminal."""
    for user in ("ana", "bob"):
        office.database.write(set_password_hash, user, CHEAP.hash("correct horse"), NOW)
    settings = Settings(files_url=f"file://{tmp_path}/files")
    with served(settings, office.clock, office.database, CHEAP) as app, TestClient(app) as client:
        yield lambda name: Terminal(lambda server: HttpTransport(server, client), tmp_path / name)


def login(terminal: Terminal, user: str) -> str:
    words = ("--server", "http://testserver.local", "--email", f"{user}@example.com", "--password", "correct horse")
    return terminal.run("login", *words)


@on_sqlite
def test_a_rep_works_a_day_offline_and_agrees_with_the_server_in_the_evening(
    office: Office, terminals: Callable[[str], Terminal]
) -> None:
    ana = terminals("ana")
    assert login(ana, "ana") == "Ana (rep) is logged in"
    first = ana.run("sync")
    assert "rows received" in first
    assert re.search(r"^today is ready after [1-9]\d? KB$", first, re.MULTILINE)
    assert "today is ready" not in ana.run("sync")
    ana.signal = False
    contact = ana.run("add-contact", "Acme", "Nora", "phone=600 1")
    ana.run("edit", "contacts", contact, "title=Buyer", "phone=600")
    ana.run("note", "acme", "Wants pumps")
    visit = ana.run("plan-visit", "Acme", "--at", "2026-01-06T10:00", "--purpose", "Offer")
    ana.run("check-in", visit, "--latitude", "43.2", "--longitude", "-2.9")
    ana.run("check-out", visit, "--outcome", "Good")
    ana.run("move-deal", "Pumps", "Offer")
    account = ana.run("add-account", "Beta", "territory_key=t-north", "city=Bilbao")
    assert [item["n"] for item in ana.json("pending")] == list(range(1, 9))
    (nora,) = [row for row in ana.json("list", "contacts") if row["key"] == contact]
    assert (nora["title"], nora["phone"]) == ("Buyer", "600")
    assert "no connection" in ana.run("sync", code=3)
    ana.signal = True
    assert ana.run("sync").startswith("8 pushed (8 applied)")
    assert ana.run("pending") == "nothing is queued"
    assert office.row("contacts", contact)["phone"] == "600"
    assert office.row("visits", visit)["status"] == "completed"
    assert office.row("accounts", account)["city"] == "Bilbao"
    ana.run("win", "deal-a")
    ana.run("delete", "contacts", contact)
    assert "2 applied" in ana.run("sync")
    assert office.row("deals", "deal-a")["stage_key"] == "won"


@on_sqlite
def test_conflicts_and_refusals_are_shown_and_a_conflict_is_restored(
    office: Office, terminals: Callable[[str], Terminal]
) -> None:
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.run("edit", "deals", "Pumps", "amount_minor=700000")
    ana.run("edit", "accounts", "Acme", "territory_key=t-south")
    office.put(("deals", "deal-a", {"amount_minor": 900000, "currency": "EUR"}))
    told = ana.run("sync")
    assert "1 conflict, 1 refused" in told
    assert "(field_not_permitted)" in told
    (conflict,) = ana.json("conflicts")
    assert conflict["losing"] == {"amount_minor": 700000, "currency": "EUR"}
    assert "field_not_permitted" in ana.run("refusals")
    ana.run("restore", conflict["key"])
    ana.run("sync")
    assert ana.json("show", "deals", "Pumps")["amount_minor"] == 700000
    assert ana.json("conflicts") == []


@on_sqlite
def test_what_was_queued_for_a_lost_customer_is_handed_over_and_decided(
    office: Office, terminals: Callable[[str], Terminal]
) -> None:
    """S37."""
    office.put(("accounts", "north-2", {"name": "Other", "territory_key": "t-south"}))
    ana, bob = terminals("ana"), terminals("bob")
    office.put(("territory_members", "tm-bob", {"territory_key": "t-south"}))
    for terminal, user in ((ana, "ana"), (bob, "bob")):
        login(terminal, user)
        terminal.run("sync")
    ana.run("edit", "accounts", "Acme", "phone=600")
    ana.run("edit", "contacts", "Carl", "phone=700")
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    told = ana.run("sync")
    assert "2 handed_over" in told
    assert "handed over accounts acme: You no longer have this row" in told
    assert ana.json("list", "accounts") == []
    assert [row["status"] for row in ana.json("handovers")] == ["open", "open"]
    bob.run("sync")
    first, second = (row["key"] for row in bob.json("suggestions"))
    bob.run("accept", first)
    bob.run("decline", second, "--reason", "Carl left")
    assert "2 applied" in bob.run("sync")
    assert bob.json("show", "accounts", "Acme")["phone"] == "600"
    ana.run("sync")
    decided = [(row["status"], row["decided_by"], row["reason"]) for row in ana.json("handovers")]
    assert decided == [("accepted", "bob", None), ("declined", "bob", "Carl left")]


@on_sqlite
def test_two_people_share_a_tablet_and_each_keeps_the_own_queue(
    office: Office, terminals: Callable[[str], Terminal]
) -> None:
    """S23."""
    tablet = terminals("tablet")
    login(tablet, "ana")
    tablet.run("sync")
    tablet.run("add-contact", "Acme", "Of Ana")
    tablet.run("logout")
    login(tablet, "bob")
    tablet.run("sync")
    assert tablet.json("pending") == []
    login(tablet, "ana")
    assert [item["set"]["name"] for item in tablet.json("pending")] == ["Of Ana"]
    tablet.run("sync")
    (created,) = [row for row in office.rows("contacts") if row["name"] == "Of Ana"]
    assert created["created_by"] == "ana"


@on_sqlite
def test_what_is_wrong_is_told_in_one_line_with_its_code(office: Office, terminals: Callable[[str], Terminal]) -> None:
    ana = terminals("ana")
    assert "(unauthenticated)" in ana.run("list", "accounts", code=1)
    words = ("--server", "http://testserver.local", "--email", "ana@example.com", "--password")
    assert "(login_failed)" in ana.run("login", *words, "wrong", code=1)
    login(ana, "ana")
    ana.run("sync")
    assert "(row_unknown)" in ana.run("show", "accounts", "Nobody", code=1)
    assert "(field_unknown)" in ana.run("edit", "accounts", "Acme", "colour=red", code=1)
    assert "(field_invalid)" in ana.run("edit", "accounts", "Acme", "tier=Z", code=1)
    assert "FIELD=VALUE" in ana.run("edit", "accounts", "Acme", "tier", code=2)
    ana.run("list", "planets", code=2)


def test_values_are_typed_as_their_field_is() -> None:
    texts = ("phone=600", "employees=12", 'tags=["a"]', "latitude=1.5", "city=null", "name=a=b")
    assert fields_of("accounts", texts) == {
        "phone": "600",
        "employees": 12,
        "tags": ["a"],
        "latitude": 1.5,
        "city": None,
        "name": "a=b",
    }
    with pytest.raises(Refused):
        fields_of("accounts", ["nothing=1"])
    with pytest.raises(click.UsageError):
        instant("tomorrow")
    assert instant("2026-01-05T08:00") == instant("2026-01-05T09:00+01:00") == NOW


def test_every_user_at_every_server_has_a_store_of_the_own_in_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {store_name(server, email) for server in ("http://a:1", "http://b") for email in ("x@y.z", "v@y.z")}
    assert len(names) == 4
    assert all("/" not in name for name in names)
    assert store_name("http://a:1", "X@y.z") == store_name("http://a:1", "x@y.z")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "sfa"


@on_sqlite
def test_decisions_are_made_offline_and_land_with_the_next_sync(
    office: Office, terminals: Callable[[str], Terminal]
) -> None:
    """S19, S24, S30: restore, dismiss, accept and decline wait in the queue like every edit."""
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl"}))
    for key, status in (("dup-1", "open"), ("dup-2", "open")):
        values = {"entity": "contacts", "row_key": "karl", "other_key": "carl", "kind": "duplicate", "score_bp": 9000}
        office.put_server_row("suggestions", key, {**values, "status": status})
    phone, bob = office.phone("ana"), office.phone("bob")
    opened = []
    for parent in ("p1", "p2"):
        office.put(("accounts", parent, {"name": parent, "territory_key": "t-north"}))
        base = office.rev("accounts", "acme")
        bob.edit("accounts", "acme", base, parent_key=parent)
        opened += phone.edit("accounts", "acme", base, parent_key=None).conflicts
    refusal = phone.edit("contacts", "nobody", base=1, name="x")
    nameless = phone.do("create", "contacts", "c-9", set={"account_key": "acme", "name": "", "title": "Boss"})
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    assert sorted(row["key"] for row in ana.json("conflicts")) == sorted(opened)
    assert [row["key"] for row in ana.json("suggestions")] == ["dup-1", "dup-2"]
    ana.signal = False
    ana.run("restore", opened[0])
    ana.run("dismiss", opened[1])
    ana.run("dismiss", f"d-ana.{refusal.n}")
    ana.run("repair", f"d-ana.{nameless.n}", "name=Nora")
    ana.run("decline", "dup-2")
    ana.run("accept", "dup-1")
    assert (ana.json("conflicts"), ana.json("refusals"), ana.json("suggestions")) == ([], [], [])
    ana.signal = True
    assert ana.run("sync").startswith("6 pushed (6 applied)")
    assert [office.row("conflicts", key)["status"] for key in opened] == ["restored", "dismissed"]
    assert [office.row("suggestions", key)["status"] for key in ("dup-1", "dup-2")] == ["accepted", "declined"]
    assert office.row("contacts", "karl")["gone"]
    assert (office.row("contacts", "c-9")["name"], office.row("contacts", "c-9")["title"]) == ("Nora", "Boss")
    assert "are meant by" in ana.run("dismiss", "nothing", code=1)


@on_sqlite
def test_a_photo_is_attached_offline_and_uploaded_by_the_next_sync(
    terminals: Callable[[str], Terminal], tmp_path: Path
) -> None:
    ana, bob = terminals("ana"), terminals("bob")
    for terminal, user in ((ana, "ana"), (bob, "bob")):
        login(terminal, user)
        terminal.run("sync")
    ana.signal = False
    photo = tmp_path / "factory.jpg"
    photo.write_bytes(padded(700_000))
    key = ana.run("attach", "accounts", "Acme", str(photo), "--kind", "photo")
    assert "waits  factory.jpg" in ana.run("files")
    assert "no connection" in ana.run("sync", code=3)
    ana.signal = True
    assert "uploaded factory.jpg" in ana.run("sync")
    assert ana.json("files") == [], "sent: nothing waits"
    ana.run("sync")
    assert ana.run("files") == "no files wait"
    bob.run("sync")
    (seen,) = bob.json("list", "attachments")
    assert (seen["key"], seen["stored"], seen["sniffed_type"]) == (key, True, "image/jpeg")
    odd = tmp_path / "odd"
    odd.write_bytes(b"?")
    assert "field_required" in ana.run("attach", "accounts", "Acme", str(odd), code=1)
