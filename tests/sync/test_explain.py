"""Why a caller has or lacks a row, and what became of a mutation; never a word about what is out of scope."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from sfa.app.settings import Settings
from sfa.core.registrations import DRAINED
from sfa.db.tables import devices, drains
from sfa.web.auth import set_password_hash
from sync import explain
from sync.explain import MUTATION_CODES, ROW_CODES, MutationExplained, RowExplained
from tests.builders import NOW
from tests.house.tree import document
from tests.office import Office
from tests.served import served
from tests.sync.net import CHEAP

DAY_MS = 24 * 3600 * 1000


def row(office: Office, user: str, entity: str, key: str) -> RowExplained:
    return office.database.read(explain.row, user, entity, key)


def mutation(office: Office, user: str, n: int, device: str | None = None) -> MutationExplained:
    return office.database.read(explain.mutation, user, device or f"d-{user}", n)


def without_key(told: RowExplained) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(told, key=""))


def test_a_row_that_is_held_names_its_buckets_and_since_when(office: Office) -> None:
    told = row(office, "ana", "accounts", "acme")
    assert (told.code, told.rev, [p.bucket for p in told.places]) == ("held", 1, ["territory:t-north"])
    (place,) = told.places
    assert place.entry_seq is not None
    assert place.until_seq is None
    assert 0 < place.since_seq <= office.seq()


@pytest.mark.parametrize("entity", ["accounts", "contacts", "deals", "unit_costs"])
def test_out_of_scope_and_unknown_get_the_same_answer(office: Office, entity: str) -> None:
    hidden = {"accounts": "zeta", "contacts": "zoe", "deals": "deal-a", "unit_costs": "c-pump"}[entity]
    user = "cleo" if entity == "deals" else "ana"
    assert row(office, user, entity, hidden).code == "unknown"
    assert without_key(row(office, user, entity, hidden)) == without_key(row(office, user, entity, "nothing"))


def test_a_deleted_hidden_row_is_as_unknown_as_a_living_one(office: Office) -> None:
    office.delete("contacts", "zoe")
    assert without_key(row(office, "ana", "contacts", "zoe")) == without_key(row(office, "ana", "contacts", "nothing"))


def test_a_deleted_row_says_so_to_who_had_it_and_not_to_who_came_later(office: Office) -> None:
    office.delete("contacts", "carl")
    assert row(office, "ana", "contacts", "carl").code == "deleted"
    member = {"territory_key": "t-north", "user_key": "cleo", "valid_from": "2025-01-01"}
    office.put(("territory_members", "tm-late", member))
    assert row(office, "cleo", "accounts", "acme").code == "held"
    assert row(office, "cleo", "contacts", "carl").code == "unknown"


def test_a_row_that_moved_away_does_not_say_where_it_is(office: Office) -> None:
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    told = row(office, "ana", "accounts", "acme")
    assert (told.code, told.rev, [p.bucket for p in told.places]) == ("moved_away", None, ["territory:t-north"])
    office.delete("accounts", "acme")
    assert row(office, "ana", "accounts", "acme") == told, "what became of it there is not told either"
    assert row(office, "cleo", "accounts", "acme").code == "deleted"


def test_a_lost_bucket_is_named_with_its_interval(office: Office) -> None:
    office.delete("territory_members", "tm-ana")
    office.delete("team_members", "m-ana")
    told = row(office, "ana", "accounts", "acme")
    assert (told.code, told.rev) == ("bucket_lost", None)
    assert all(place.until_seq is not None for place in told.places)
    office.put(("contacts", "new", {"account_key": "acme", "name": "After"}))
    assert row(office, "ana", "contacts", "new").code == "unknown"


def test_an_aged_row_is_on_the_server_only(office: Office) -> None:
    from sfa.app.jobs import age_rows

    office.put(("visits", "old", {"account_key": "acme", "owner_key": "ana", "planned_at": NOW - 100 * DAY_MS}))
    office.put(("organisations", "org", {"history_days": 90}))
    office.database.write(age_rows, office.clock.now_ms())
    assert row(office, "ana", "visits", "old").code == "aged"
    member = {"territory_key": "t-north", "user_key": "cleo", "valid_from": "2025-01-01"}
    office.put(("territory_members", "tm-late", member))
    assert row(office, "cleo", "visits", "old").code == "aged"


def test_a_merged_row_leads_to_its_survivor_as_far_as_the_caller_sees(office: Office) -> None:
    office.put(("accounts", "acme-2", {"name": "Acme again", "territory_key": "t-north"}))
    office.phone("dirk").do("account.merge", "accounts", "acme-2", base=1, set={"into": "acme"})
    told = row(office, "ana", "accounts", "acme-2")
    assert (told.code, told.merged_into) == ("merged", "acme")
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    assert row(office, "ana", "accounts", "acme-2").merged_into is None


def test_an_unknown_row_names_the_own_refusals_about_it(office: Office) -> None:
    office.phone("ana").do("create", "contacts", "c-1", set={"account_key": "zeta", "name": "Dora"})
    told = row(office, "ana", "contacts", "c-1")
    assert (told.code, told.refusals) == ("unknown", ["d-ana.1"])
    assert row(office, "bob", "contacts", "c-1").refusals == []


def test_a_mutation_says_what_became_of_it(office: Office) -> None:
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.do("create", "contacts", "c-1", set={"account_key": "acme", "name": "Dora"})
    ana.do("create", "contacts", "c-2", set={"account_key": "zeta", "name": "Dora"})
    applied = mutation(office, "ana", 1)
    assert (applied.code, applied.revisions) == ("applied", [1])
    assert applied.receipt is not None
    assert applied.receipt.digest == ""
    refused = mutation(office, "ana", 2)
    assert refused.receipt is not None
    assert (refused.code, refused.receipt.code, refused.refusal) == ("refused", "reference_unknown", "open")
    late = mutation(office, "ana", 3)
    assert (late.code, late.expected_n) == ("not_arrived", 3)
    office.clock.advance(60_000)
    bob.edit("contacts", "carl", 1, phone="2")
    ana.do("update", "contacts", "carl", base=1, at=NOW, set={"phone": "3"})
    lost = mutation(office, "ana", 3)
    assert (lost.code, lost.conflicts) == ("merged", {"d-ana.3.0": "closed"})


def test_an_edit_of_a_merged_key_names_it_and_the_row_that_it_reached(office: Office) -> None:
    office.put(("accounts", "acme-2", {"name": "Acme again", "territory_key": "t-north"}))
    ana = office.phone("ana")
    ana.edit("accounts", "acme-2", city="Vigo")
    office.phone("dirk").do("account.merge", "accounts", "acme-2", base=2, set={"into": "acme"})
    ana.do("update", "accounts", "acme-2", base=2, set={"website": "https://acme.example"})
    before, after = mutation(office, "ana", 1), mutation(office, "ana", 2)
    assert before.merged_into == "acme"
    assert after.receipt is not None
    assert (after.receipt.key, after.via) == ("acme", "acme-2")


def test_another_persons_registration_is_as_unknown_as_none(office: Office) -> None:
    office.phone("ana").do("create", "contacts", "c-1", set={"account_key": "acme", "name": "Dora"})
    for user in ("bob", "mia", "root"):
        hidden, none = mutation(office, user, 1, "d-ana"), mutation(office, user, 1, "d-none")
        assert hidden.code == "unknown"
        assert msgspec.structs.replace(hidden, device="") == msgspec.structs.replace(none, device="")


@pytest.mark.parametrize(
    ("decision", "code"), [(None, "in_quarantine"), ("discard", "discarded"), ("apply", "not_arrived")]
)
def test_what_was_drained_waits_or_was_discarded(office: Office, decision: str | None, code: str) -> None:
    def drained(connection: Any) -> None:
        connection.execute(devices.update().where(devices.c.key == "d-ana").values(state=DRAINED))
        row = {"device_key": "d-ana", "drain": "d", "part": 1, "parts": 1, "drained_at": NOW, "digest": "", "size": 1}
        connection.execute(drains.insert(), {**row, "body": b"{}", "decision": decision})

    office.database.write(drained)
    assert mutation(office, "ana", 1).code == code


def test_every_code_is_documented() -> None:
    text = document("docs/api.md").split("### GET /sync/explain", 1)[1].split("\n## ", 1)[0]
    assert [code for code in {**ROW_CODES, **MUTATION_CODES} if f"`{code}`" not in text] == []


@pytest.fixture
def client(office: Office) -> Iterator[TestClient[Litestar]]:
    office.database.write(set_password_hash, "ana", CHEAP.hash("correct horse"), NOW)
    with served(Settings(), office.clock, office.database, CHEAP) as app, TestClient(app) as made:
        device = {"name": "phone", "platform": "test", "app_version": "1"}
        body = {"email": "ana@example.com", "password": "correct horse", "device": device}
        made.headers["Authorization"] = f"Bearer {made.post('/auth/login', json=body).json()['access_token']}"
        yield made


def test_it_is_asked_over_http_for_a_row_or_a_mutation(office: Office, client: TestClient[Litestar]) -> None:
    def ask(**asked: Any) -> Any:
        return client.get("/sync/explain", params=asked).json()

    office.phone("ana").do("create", "contacts", "c-1", set={"account_key": "acme", "name": "Dora"})
    assert ask(entity="accounts", key="acme")["code"] == "held"
    assert ask(entity="accounts", key="zeta")["code"] == "unknown"
    assert ask(device="d-ana", n=1)["receipt"]["outcome"] == "applied"
    assert ask(entity="invoices", key="a")["code"] == "entity_unknown"
    assert ask(entity="accounts", key="a b")["code"] == "key_invalid"
    assert ask(device="d\x00", n=1)["code"] == "key_invalid"
    for wrong in (
        {},
        {"entity": "accounts"},
        {"device": "d-ana"},
        {"device": "d-ana", "n": 0},
        {"device": "d", "n": "x"},
    ):
        assert ask(**wrong)["code"] == "request_invalid"
    assert ask(entity="accounts", key="acme", device="d-ana", n=1)["code"] == "request_invalid"
