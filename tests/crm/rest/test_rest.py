"""Every entity by REST: the rules, rights and rows of the sync, at general addresses (R53, S8, S10, S22)."""

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sfa.app.commands import COMMANDS
from sfa.core.access import SERVER_ONLY_ENTITIES
from sfa.core.entities import ENTITIES
from sfa.core.rules import TRANSITIONS
from sfa.crm.rest import listing
from sfa.crm.rest.changes import Asked, create
from sfa.crm.rest.listing import filters, orders
from sfa.crm.rest.repeats import forget, repeat_of
from sfa.crm.rest.routes import commands_of
from tests.builders import DAY_MS
from tests.crm.desk import Desk
from tests.office import Office

COST = {"product_key": "pump", "amount_minor": 1, "currency": "EUR", "valid_from": "2026-01-01"}
PLANNED = {"account_key": "acme", "owner_key": "ana"}


def make(desk: Desk, user: str, entity: str, key: str | None = None, **row: Any) -> Any:
    return desk.post(user, f"/api/{entity}", json={"row": row} | ({"key": key} if key else {}))


def patch(desk: Desk, user: str, path: str, rev: int | None = None, **row: Any) -> Any:
    return desk.ask(user, "PATCH", f"/api/{path}", rev, json={"row": row})


# -- one truth -----------------------------------------------------------------------------------------------------


def test_online_and_offline_writes_run_through_the_same_functions(office: Office, desk: Desk) -> None:
    """R53: the same order by phone and by REST makes the same row, or is refused with the same code."""
    phone = office.phone("ana")
    orders_: list[tuple[str, str, dict[str, Any]]] = [
        ("contacts", "c", {"account_key": "acme", "name": "Nora", "phone": "7"}),
        ("contacts", "c", {"account_key": "zeta", "name": "Nora"}),
        ("contacts", "c", {"account_key": "acme", "name": ""}),
        ("contacts", "c", {"account_key": "acme"}),
        ("contacts", "c", {"account_key": "acme", "name": "Nora", "wings": 2}),
        ("visits", "v", {**PLANNED, "status": "completed"}),
        ("visits", "v", {"account_key": "acme", "planned_at": 5}),
        ("deals", "d", {"name": "Big", "stage_key": "won", "owner_key": "ana"}),
        ("deals", "d", {"name": "Big", "stage_key": "lead", "amount_minor": 1}),
        ("deals", "d", {"name": "Big", "stage_key": "lead", "owner_key": "cleo"}),
        ("products", "p", {"name": "Valve"}),
        ("quotas", "q", {"user_key": "ana", "period_key": "x", "measure": "revenue", "target": 1, "currency": "EUR"}),
    ]
    for number, (entity, prefix, row) in enumerate(orders_):
        receipt = phone.do("create", entity, f"{prefix}{number}-phone", set=row)
        answer = make(desk, "ana", entity, f"{prefix}{number}-rest", **row)
        assert (answer.status_code == 201) == (receipt.outcome == "applied"), (row, answer.text)
        if receipt.outcome == "applied":
            assert office.row(entity, f"{prefix}{number}-rest") | {"key": "", "stamps": {}} == office.row(
                entity, f"{prefix}{number}-phone"
            ) | {"key": "", "stamps": {}}
        else:
            assert answer.json()["code"] == receipt.code


def test_a_phone_sees_what_rest_wrote_and_rest_shows_what_a_phone_wrote(office: Office, desk: Desk) -> None:
    """R53, S8: rows look exactly as the sync shows them."""
    made = make(desk, "ana", "contacts", account_key="acme", name="Nora").json()
    phone = office.phone("bob")
    phone.catch_up()
    assert phone.sees()["contacts", made["key"]] == made["row"]
    phone.edit("contacts", made["key"], phone="9")
    assert desk.get("ana", f"/api/contacts/{made['key']}").json() == {
        "key": made["key"],
        "rev": 2,
        "row": {**made["row"], "phone": "9"},
    }
    assert [e["device_key"] for e in office.history("contacts", made["key"])] == [None, "d-bob"]


def test_every_entity_transition_and_command_has_its_addresses(desk: Desk) -> None:
    known = desk.client.app.openapi_schema.to_schema()["paths"]
    for entity in ENTITIES:
        assert "get" in known[f"/api/{entity}"]
        assert "get" in known.get(f"/api/{entity}/{{key}}", {}) or entity == "merges"
        assert ("post" in known[f"/api/{entity}"]) == (entity not in SERVER_ONLY_ENTITIES)
    places = {name: rule.entity for name, rule in TRANSITIONS.items()}
    places |= {name: command.entity for name, command in COMMANDS.items()}
    for name, entity in places.items():
        assert name in commands_of(entity, COMMANDS)
        assert "post" in known[f"/api/{entity}/{{key}}/{name.partition('.')[2].replace('_', '-')}"]


# -- lists ---------------------------------------------------------------------------------------------------------


def every_key(desk: Desk, user: str, path: str) -> list[str]:
    found, after, pages = [], "", 0
    while True:
        page = desk.get(user, f"{path}{after}").json()
        found += [item["key"] for item in page["items"]]
        pages += 1
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"
        assert pages < 100


@pytest.mark.parametrize("user", ["ana", "cleo", "mia", "dirk", "fay", "root"])
def test_lists_show_what_the_scope_shows_and_nothing_else(office: Office, desk: Desk, user: str) -> None:
    """S10."""
    visible = office.visible(user)
    for entity in ENTITIES:
        if entity not in SERVER_ONLY_ENTITIES:
            expected = sorted(key for found, key in visible if found == entity)
            assert every_key(desk, user, f"/api/{entity}?limit=3") == expected


@pytest.mark.parametrize("scanned", [3, 20_000])
def test_pages_bring_every_row_once_in_the_stated_order(
    office: Office, desk: Desk, monkeypatch: pytest.MonkeyPatch, scanned: int
) -> None:
    """A window that ends before a page is full makes a short page, and loses nothing."""
    names = ["Ö", "b", "A", "b", "", "Zeta", "a~b", "ß", "b"]
    here = [("accounts", f"n{i}", {"name": n or "x", "territory_key": "t-north"}) for i, n in enumerate(names)]
    there = [("accounts", f"s{i}", {"name": f"S{i}", "territory_key": "t-south"}) for i in range(20)]
    office.put(*here, *there)
    monkeypatch.setattr(listing, "SCANNED_MAX", scanned)
    mine = {"acme", *(key for _, key, _ in here)}
    for order in ("key", "-key", "name", "-name"):
        found = every_key(desk, "ana", f"/api/accounts?limit=2&order={order}")
        assert sorted(found) == sorted(mine)
        if order.endswith("key"):
            assert found == sorted(mine, reverse=order.startswith("-"))
    forth, back = (every_key(desk, "ana", f"/api/accounts?limit=2&order={o}") for o in ("name", "-name"))
    assert forth == back[::-1]


def test_where_a_page_ends_says_nothing_of_rows_that_the_caller_does_not_see(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S13: a window may end at somebody else's customer. Found by reading: `next` said its key and name."""
    monkeypatch.setattr(listing, "SCANNED_MAX", 1)
    page = desk.get("cleo", "/api/accounts?order=name").json()
    assert page["items"] == []
    raw = base64.urlsafe_b64decode(page["next"] + "===")
    assert b"acme" not in raw.lower()
    for asked in ("accounts?order=-name", "contacts?order=name", "accounts?order=name&status=customer"):
        assert desk.get("cleo", f"/api/{asked}&after={page['next']}").json()["code"] == "request_invalid"
    assert desk.get("ana", f"/api/accounts?order=name&after={page['next']}").json()["code"] == "request_invalid"
    assert desk.get("cleo", f"/api/accounts?order=name&after={page['next']}").status_code == 200


def test_a_role_that_may_not_write_an_entity_is_not_told_which_keys_it_has(office: Office, desk: Desk) -> None:
    office.put(("unit_costs", "c1", COST))
    for key in ("c1", "c2"):
        assert desk.post("ana", "/api/unit_costs", json={"key": key, "row": {}}).json()["code"] == "not_permitted"


def test_a_list_is_filtered_by_references_states_and_what_has_an_index(office: Office, desk: Desk) -> None:
    office.put(
        ("visits", "v1", PLANNED),
        ("visits", "v2", {**PLANNED, "owner_key": "bob"}),
        ("tasks", "t1", {"owner_key": "ana", "title": "x"}),
    )
    desk.post("ana", "/api/visits/v1/cancel")
    assert every_key(desk, "ana", "/api/visits?account_key=acme&limit=1") == ["v1", "v2"]
    assert every_key(desk, "ana", "/api/visits?owner_key=bob&status=planned") == ["v2"]
    assert every_key(desk, "ana", "/api/visits?status=cancelled") == ["v1"]
    assert every_key(desk, "ana", "/api/visits?contact_key=null&limit=1") == ["v1", "v2"]
    assert every_key(desk, "ana", "/api/tasks?account_key=null&done=false") == ["t1"]
    assert every_key(desk, "ana", "/api/accounts?name=Acme") == ["acme"]
    assert every_key(desk, "ana", "/api/accounts?territory_key=t-south") == []
    refused = {
        "/api/visits?purpose=x": "request_invalid",
        "/api/visits?status=merry": "field_invalid",
        "/api/visits?order=purpose": "request_invalid",
        "/api/visits?limit=201": "request_invalid",
        "/api/visits?limit=x": "request_invalid",
        "/api/visits?after=%00": "request_invalid",
        "/api/visits?limit=1&limit=2": "request_invalid",
        "/api/accounts?order=name&after=acme": "request_invalid",
        "/api/tasks?done=perhaps": "field_invalid",
    }
    assert {path: desk.get("ana", path).json()["code"] for path in refused} == refused


def test_every_filter_and_order_of_every_entity_is_answered(desk: Desk) -> None:
    for entity in ENTITIES:
        if entity in SERVER_ONLY_ENTITIES:
            continue
        for order in orders(entity):
            assert desk.get("root", f"/api/{entity}?order=-{order}").status_code == 200
        for field in filters(entity):
            assert desk.get("root", f"/api/{entity}?{field}=null").status_code in (200, 422), (entity, field)


# -- one row -------------------------------------------------------------------------------------------------------


def test_what_is_out_of_scope_is_not_found_like_what_does_not_exist(office: Office, desk: Desk) -> None:
    """S10: for reading, changing, deleting and commands alike."""
    office.put(("visits", "vz", {"account_key": "zeta", "owner_key": "cleo"}))
    answers = []
    for account, visit in (("zeta", "vz"), ("nobody", "nobody"), ("a b", "a b")):
        asked = [
            desk.get("ana", f"/api/accounts/{account}"),
            patch(desk, "ana", f"accounts/{account}", city="x"),
            desk.ask("ana", "DELETE", f"/api/accounts/{account}"),
            desk.post("ana", f"/api/visits/{visit}/cancel"),
            desk.post("ana", f"/api/accounts/{account}/merge", json={"into": "acme"}),
        ]
        answers.append([(a.status_code, a.json()) for a in asked])
    assert answers[0] == answers[1] == answers[2]
    assert {status for status, _ in answers[0]} == {404}


def test_a_revision_that_is_no_longer_the_one_looked_at_is_refused(office: Office, desk: Desk) -> None:
    made = make(desk, "ana", "contacts", account_key="acme", name="Nora")
    path = f"contacts/{made.json()['key']}"
    assert (made.status_code, made.headers["etag"], made.headers["location"]) == (201, '"1"', f"/api/{path}")
    changed = patch(desk, "bob", path, 1, name="Nora B")
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    stale = patch(desk, "ana", path, 1, name="Nora A")
    assert (stale.status_code, stale.json()["code"], stale.json()["rev"]) == (412, "rev_stale", 2)
    assert desk.ask("ana", "DELETE", f"/api/{path}", 1).json()["code"] == "rev_stale"
    assert desk.ask("ana", "DELETE", f"/api/{path}", 2).status_code == 204
    assert desk.ask("ana", "DELETE", f"/api/{path}", 2).status_code == 204
    assert desk.get("ana", f"/api/{path}").status_code == 404
    assert patch(desk, "ana", path, name="x").status_code == 404
    assert office.rev("contacts", made.json()["key"]) == 3


def test_a_row_that_is_known_already_is_not_sent_again(desk: Desk) -> None:
    first = desk.get("ana", "/api/accounts/acme")
    headers = {"If-None-Match": first.headers["etag"], "Authorization": first.request.headers["authorization"]}
    again = desk.client.get("/api/accounts/acme", headers=headers)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


def test_what_is_said_as_it_stands_changes_nothing(office: Office, desk: Desk) -> None:
    """A row that was read may be sent back as a whole, read-only fields too."""
    seen = desk.get("ana", "/api/accounts/acme").json()
    answer = patch(desk, "ana", "accounts/acme", None, **seen["row"])
    assert (answer.status_code, answer.json()) == (200, seen)
    assert patch(desk, "ana", "accounts/acme", None, **{**seen["row"], "city": "Vigo"}).json()["rev"] == seen["rev"] + 1
    assert patch(desk, "ana", "accounts/acme", created_by="bob").json()["code"] == "field_read_only"
    assert patch(desk, "ana", "accounts/acme", territory_key="t-south").json()["code"] == "field_not_permitted"


def test_a_merged_key_leads_to_its_survivor(office: Office, desk: Desk) -> None:
    """S22."""
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl"}))
    assert desk.post("ana", "/api/contacts/karl/merge", json={"into": "carl"}).status_code == 200
    assert desk.get("ana", "/api/contacts/karl").json()["key"] == "carl"
    changed = patch(desk, "ana", "contacts/karl", phone="5").json()
    assert (changed["key"], changed["row"]["phone"]) == ("carl", "5")
    assert desk.ask("ana", "DELETE", "/api/contacts/karl").json()["code"] == "already_merged"
    assert desk.post("ana", "/api/contacts/karl/merge", json={"into": "carl"}).json()["code"] == "already_merged"


def test_a_day_by_rest_goes_through_the_states_of_a_visit_and_a_deal(office: Office, desk: Desk) -> None:
    """S27: the transitions of a phone, with their refusals; twice is once."""
    visit = make(desk, "ana", "visits", "v1", **PLANNED).json()["key"]
    assert desk.post("ana", f"/api/visits/{visit}/check-out").json()["code"] == "illegal_transition"
    arrived = desk.post("ana", f"/api/visits/{visit}/check-in", json={"latitude": 43.2, "longitude": -2.9})
    assert (arrived.json()["row"]["status"], arrived.json()["row"]["checked_in_at"]) == (
        "checked_in",
        office.clock.now_ms(),
    )
    office.clock.advance(60_000)
    left = desk.post("ana", f"/api/visits/{visit}/check-out", json={"outcome": "wants two"})
    office.clock.advance(60_000)
    again = desk.post("ana", f"/api/visits/{visit}/check-out", json={"outcome": "wants two"})
    assert left.json() == again.json()
    more = desk.post("ana", f"/api/visits/{visit}/check-out", json={"outcome": "wants three"}).json()
    assert (more["row"]["outcome"], more["row"]["checked_out_at"]) == (
        "wants three",
        left.json()["row"]["checked_out_at"],
    )
    assert desk.post("bob", f"/api/visits/{visit}/cancel").json()["code"] == "not_permitted"
    assert desk.post("ana", "/api/deals/deal-a/lose").json()["code"] == "reason_required"
    assert desk.post("ana", "/api/deals/deal-a/lose", json={"reason": "price"}).json()["row"]["lost_reason"] == "price"
    assert desk.post("ana", "/api/deals/deal-a/lose", json={"reason": "time"}).json()["code"] == "illegal_transition"
    assert desk.post("ana", "/api/deals/deal-a/win", 1).json()["code"] == "rev_stale"
    assert desk.post("ana", "/api/deals/deal-a/reopen", json={"stage_key": "lead"}).json()["row"]["closed_at"] is None
    assert [e["kind"] for e in office.history("deals", "deal-a")] == ["create", "deal.lose", "deal.reopen"]


def test_bodies_that_are_not_of_the_form_are_told_as_problems(desk: Desk) -> None:
    bodies = {
        b"": "json_invalid",
        b"{": "json_invalid",
        b"[]": "request_invalid",
        b'{"row": 1}': "request_invalid",
        b'{"row": {}, "more": 1}': "request_invalid",
        b'{"row": {}, "key": "a b"}': "key_invalid",
        b'{"row": ' + b'{"a":' * 50 + b"1" + b"}" * 51: "json_too_deep",
        b'{"row": {"name": "a\\u0000b", "account_key": "acme"}}': "field_invalid",
    }
    found = {body: desk.post("ana", "/api/contacts", content=body).json()["code"] for body in bodies}
    assert found == bodies
    assert desk.post("ana", "/api/deals/deal-a/win", content=b"[]").json()["code"] == "request_invalid"
    assert desk.post("ana", "/api/conflicts", json={}).status_code == 405


# -- sent again ----------------------------------------------------------------------------------------------------


def with_key(desk: Desk, user: str, key: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {desk.token(user)}", "Idempotency-Key": key}
    return desk.client.request(method, path, headers=headers, json=body)


def test_a_request_with_an_idempotency_key_is_done_once(office: Office, desk: Desk) -> None:
    body = {"row": {"account_key": "acme", "name": "Nora"}}
    first = with_key(desk, "ana", "k1", "POST", "/api/contacts", body)
    office.clock.advance(60_000)
    again = with_key(desk, "ana", "k1", "POST", "/api/contacts", body)
    assert (first.status_code, first.json(), first.headers["location"]) == (
        again.status_code,
        again.json(),
        again.headers["location"],
    )
    path = first.headers["location"]
    with_key(desk, "ana", "k2", "PATCH", path, {"row": {"phone": "1"}})
    with_key(desk, "bob", "k3", "PATCH", path, {"row": {"phone": "2"}})
    late = with_key(desk, "ana", "k2", "PATCH", path, {"row": {"phone": "1"}})
    assert (late.json()["row"]["phone"], late.headers["etag"]) == ("1", '"2"')
    assert desk.get("ana", path).json()["row"]["phone"] == "2"
    assert len(office.history("contacts", first.json()["key"])) == 3


def test_an_idempotency_key_belongs_to_one_request_of_one_person(office: Office, desk: Desk) -> None:
    body = {"row": {"account_key": "acme", "name": "Nora"}}
    with_key(desk, "ana", "k1", "POST", "/api/contacts", body)
    other = with_key(desk, "ana", "k1", "POST", "/api/contacts", {"row": {"account_key": "acme", "name": "Ida"}})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert with_key(desk, "ana", "k1", "POST", "/api/tasks", body).json()["code"] == "idempotency_key_reused"
    assert with_key(desk, "bob", "k1", "POST", "/api/contacts", body).status_code == 201
    assert with_key(desk, "ana", "x" * 256, "POST", "/api/contacts", body).json()["code"] == "request_invalid"
    assert len(office.rows("contacts")) == 4


def test_a_refused_request_leaves_its_idempotency_key_free(office: Office, desk: Desk) -> None:
    body = {"row": {"account_key": "later", "name": "Nora"}}
    assert with_key(desk, "ana", "k1", "POST", "/api/contacts", body).json()["code"] == "reference_unknown"
    office.put(("accounts", "later", {"name": "Later", "territory_key": "t-north"}))
    assert with_key(desk, "ana", "k1", "POST", "/api/contacts", body).status_code == 201


@pytest.mark.parametrize("boundary", ["before_commit", "after_commit"])
def test_a_server_that_dies_leaves_the_work_and_its_answer_or_neither(office: Office, boundary: str) -> None:
    asked = Asked("ana", "contacts", "n1", {"account_key": "acme", "name": "Nora"}, None, repeat_of("k1", b"x"))

    def dies(at: str) -> None:
        if at == boundary:
            raise RuntimeError("killed")

    office.database.probe = dies
    with pytest.raises(RuntimeError):
        office.database.write(create, office.clock.now_ms(), asked)
    office.database.probe = None
    answer = office.database.write(create, office.clock.now_ms() + 5, asked)
    row = office.row("contacts", "n1")
    assert (answer.status, answer.rev, row["rev"]) == (201, 1, 1)
    assert row["created_at"] == office.clock.now_ms() + (5 if boundary == "before_commit" else 0)


def test_of_two_equal_requests_at_once_one_waits_and_both_get_one_answer(office: Office, desk: Desk) -> None:
    body = {"row": {"account_key": "acme", "name": "Nora"}}
    desk.token("ana")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: with_key(desk, "ana", "k1", "POST", "/api/contacts", body), range(6)))
    assert len({answer.content for answer in found}) == 1, [answer.text for answer in found]
    assert {answer.status_code for answer in found} == {201}
    assert [row["name"] for row in office.rows("contacts")].count("Nora") == 1


def test_idempotency_keys_are_forgotten_after_a_day(office: Office, desk: Desk) -> None:
    body = {"row": {"account_key": "acme", "name": "Nora"}}
    first = with_key(desk, "ana", "k1", "POST", "/api/contacts", body).json()["key"]
    office.clock.advance(DAY_MS - 1)
    assert office.database.write(forget, office.clock.now_ms()) == 0
    office.clock.advance(1)
    desk.forget_tokens()
    assert with_key(desk, "ana", "k1", "POST", "/api/contacts", body).json()["key"] != first
    office.clock.advance(DAY_MS)
    assert office.database.write(forget, office.clock.now_ms()) == 1


def test_a_key_of_the_clients_own_makes_a_create_safe_to_repeat(office: Office, desk: Desk) -> None:
    row = {"account_key": "acme", "name": "Nora"}
    assert make(desk, "ana", "contacts", "n1", **row).status_code == 201
    again = make(desk, "ana", "contacts", "n1", **row)
    assert (again.status_code, again.json()["rev"]) == (200, 1)
    assert make(desk, "ana", "contacts", "n1", **{**row, "name": "Ida"}).json()["code"] == "key_taken"
    assert make(desk, "bob", "contacts", "n1", **row).json()["code"] == "key_taken"
    assert make(desk, "ana", "contacts", "zoe", account_key="acme", name="Zoe").json()["code"] == "key_taken"
