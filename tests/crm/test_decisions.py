"""Conflicts, refusals and suggestions at a screen: listed, explained and decided as on a phone (S1, S24, S30)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sfa.crm.decisions import Wanted, page
from sfa.crm.finder import find
from tests.crm.desk import Desk
from tests.office import Office


def quarrel(office: Office, field: str = "phone", value: str = "2", other: str = "3") -> str:
    """bob writes, ana wrote a minute earlier and arrives later; -> the closed conflict that keeps ana's word."""
    office.phone("bob").edit("contacts", "carl", None, **{field: value})
    at = office.clock.now_ms() - 60_000
    (key,) = office.phone("ana").do("update", "contacts", "carl", base=1, at=at, set={field: other}).conflicts
    return key


def quarrel_about_parent(office: Office, key: str = "acme") -> str:
    """An open conflict: whose parent the customer has is a person's decision."""
    office.put(("accounts", "p1", {"name": "P", "territory_key": "t-north"}))
    office.put(("accounts", "p2", {"name": "Q", "territory_key": "t-north"}))
    base = office.rev("accounts", key)
    office.phone("bob").edit("accounts", key, base, parent_key="p1")
    (found,) = office.phone("ana").edit("accounts", key, base, parent_key="p2").conflicts
    return found


def refuse(office: Office, name: str = "") -> str:
    """ana makes a contact without a name; -> the refusal."""
    ana = office.phone("ana")
    receipt = ana.do("create", "contacts", "c-1", set={"account_key": "acme", "name": name})
    assert receipt.outcome == "refused"
    return f"d-ana.{receipt.n}"


def twins(office: Office) -> str:
    """karl is suggested to be carl; -> the suggestion."""
    office.put(("contacts", "carl", {"name": "Carl Ruiz", "phone": "+34 944 123 456"}))
    office.clock.advance(1000)
    office.put(("contacts", "karl", {"account_key": "acme", "name": "Karl Ruiz", "phone": "944 123 456"}))
    office.database.write(find, office.clock.now_ms())
    (found,) = office.rows("suggestions")
    return str(found["key"])


# -- lists --------------------------------------------------------------------------------------------------------


def test_each_list_shows_what_the_scope_shows_and_nothing_else(office: Office, desk: Desk) -> None:
    """S10: a conflict lies with its row, a refusal with its author alone."""
    conflict, refusal, suggestion = quarrel_about_parent(office), refuse(office), twins(office)
    seen = {
        user: [desk.keys(user, f"/api/{what}") for what in ("conflicts", "refusals", "suggestions")]
        for user in ("ana", "mia", "cleo", "root")
    }
    assert seen["ana"] == [[conflict], [refusal], [suggestion]]
    assert seen["mia"] == [[conflict], [], [suggestion]]
    assert seen["cleo"] == [[], [], []]
    assert seen["root"] == [[conflict], [], [suggestion]]


def test_a_list_is_filtered_by_status_entity_row_and_kind(office: Office, desk: Desk) -> None:
    opened, closed = quarrel_about_parent(office), quarrel(office)
    assert desk.keys("ana", "/api/conflicts") == [opened]
    assert desk.keys("ana", "/api/conflicts?status=closed") == [closed]
    assert desk.keys("ana", "/api/conflicts?status=closed&entity=contacts&row=carl&kind=latest") == [closed]
    assert desk.keys("ana", "/api/conflicts?status=closed&entity=accounts") == []
    assert desk.keys("ana", "/api/conflicts?status=closed&row=acme") == []
    assert desk.keys("ana", "/api/conflicts?status=closed&kind=ask") == []
    assert desk.get("ana", "/api/conflicts?status=merry").json()["code"] == "field_invalid"
    assert desk.get("ana", "/api/conflicts?limit=201").json()["code"] == "request_invalid"
    assert desk.get("ana", "/api/conflicts?after=x").json()["code"] == "request_invalid"


def test_pages_bring_everything_once_and_the_newest_first(office: Office, desk: Desk) -> None:
    ana, made = office.phone("ana"), []
    for i in range(7):
        receipt = ana.do("update", "contacts", "nobody", set={"name": f"x{i}"})
        made.append(f"d-ana.{receipt.n}")
        office.clock.advance(1000 * (i % 2))  # some in the same millisecond
    found, after = [], ""
    while True:
        page = desk.get("ana", f"/api/refusals?limit=2{after}").json()
        found += [item["key"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert found == made[::-1]


# -- in words -----------------------------------------------------------------------------------------------------


def test_a_conflict_is_told_with_both_sides_and_their_times(office: Office, desk: Desk) -> None:
    """S24, S28: who wrote what, by the device's clock and corrected, and why it is settled so."""
    key = quarrel(office)
    told = desk.get("mia", f"/api/conflicts/{key}").json()
    assert (told["code"], told["row"]["status"]) == ("latest", "closed")
    assert "later time" in told["why"]
    lost, stood = told["lost"], told["stood"]
    assert (lost["author"], lost["values"], lost["device_key"], lost["n"]) == ("Ana", {"phone": "3"}, "d-ana", 1)
    assert (stood["author"], stood["values"], stood["device_key"]) == ("Bob", {"phone": "2"}, "d-bob")
    assert lost["device_at"] == lost["at"] == office.clock.now_ms() - 60_000 < stood["at"]
    assert told["now"] == {"phone": "2"}
    assert {a["action"]: a["allowed"] for a in told["actions"]} == {"restore": True, "dismiss": True}
    assert "Ana" in told["text"]
    assert "Bob" in told["text"]


def test_whose_earlier_value_lost_is_told_too(office: Office, desk: Desk) -> None:
    """S24: the later edit arrives later; the value that stood before is the one that lost."""
    bob, ana = office.phone("bob"), office.phone("ana")
    bob.edit("contacts", "carl", phone="2")
    office.clock.advance(60_000)
    (key,) = ana.edit("contacts", "carl", 1, phone="3").conflicts
    told = desk.get("ana", f"/api/conflicts/{key}").json()
    assert (told["lost"]["author"], told["lost"]["values"]) == ("Bob", {"phone": "2"})
    assert (told["stood"]["author"], told["stood"]["values"]) == ("Ana", {"phone": "3"})


def test_what_the_caller_may_not_do_is_said_with_its_code(office: Office, desk: Desk) -> None:
    """R53."""
    key = quarrel(office)
    actions = {a["action"]: a for a in desk.get("fay", f"/api/conflicts/{key}").json()["actions"]}
    assert (actions["restore"]["allowed"], actions["restore"]["code"]) == (False, "not_permitted")
    assert desk.post("fay", f"/api/conflicts/{key}/restore").json()["code"] == "not_permitted"
    desk.post("ana", f"/api/conflicts/{key}/restore")
    actions = {a["action"]: a for a in desk.get("ana", f"/api/conflicts/{key}").json()["actions"]}
    assert {a["code"] for a in actions.values()} == {"conflict_closed"}


def test_a_refusal_is_told_with_its_content_and_what_waits_for_it(office: Office, desk: Desk) -> None:
    """S19."""
    cause = refuse(office)
    receipt = office.phone("ana").do("update", "contacts", "c-1", set={"title": "Buyer"})
    told = desk.get("ana", f"/api/refusals/{cause}").json()
    assert (told["code"], told["sent"]["values"]["set"]["name"]) == ("field_invalid", "")
    assert told["waiting"] == [f"d-ana.{receipt.n}"]
    assert desk.get("ana", f"/api/refusals/d-ana.{receipt.n}").json()["waits_for"] == cause
    assert desk.get("mia", f"/api/refusals/{cause}").status_code == 404


def test_a_suggestion_is_told_with_both_rows(office: Office, desk: Desk) -> None:
    """S30."""
    key = twins(office)
    told = desk.get("ana", f"/api/suggestions/{key}").json()
    assert (told["code"], [row["key"] for row in told["about"]]) == ("duplicate", ["karl", "carl"])
    assert {a["action"] for a in told["actions"] if a["allowed"]} == {"accept", "decline"}


@pytest.mark.parametrize("what", ["conflicts", "refusals", "suggestions"])
def test_what_is_out_of_sight_answers_like_what_is_not_there(office: Office, desk: Desk, what: str) -> None:
    """S10."""
    keys = {"conflicts": quarrel(office), "refusals": refuse(office), "suggestions": twins(office)}
    action = "accept" if what == "suggestions" else "dismiss"
    hidden = [desk.get("cleo", f"/api/{what}/{keys[what]}"), desk.post("cleo", f"/api/{what}/{keys[what]}/{action}")]
    unknown = [desk.get("cleo", f"/api/{what}/nothing"), desk.post("cleo", f"/api/{what}/nothing/{action}")]
    assert [(a.status_code, a.content) for a in hidden] == [(404, a.content) for a in unknown]


# -- decisions ----------------------------------------------------------------------------------------------------


def test_restoring_puts_the_value_back_keeps_the_winner_and_reaches_phones(office: Office, desk: Desk) -> None:
    """S1, S24: what the restored value replaces can be restored in its turn."""
    key, bob = quarrel(office), office.phone("bob")
    bob.catch_up()
    answer = desk.post("ana", f"/api/conflicts/{key}/restore", rev=1)
    assert (answer.status_code, answer.headers["ETag"], answer.json()["row"]["status"]) == (200, '"2"', "restored")
    assert office.row("contacts", "carl")["phone"] == "3"
    assert office.history("contacts", "carl")[-1]["author_key"] == "ana"
    bob.catch_up()
    assert bob.sees() == office.visible("bob")
    (back,) = desk.keys("bob", "/api/conflicts?status=closed")
    assert desk.get("bob", f"/api/conflicts/{back}").json()["lost"]["author"] == "Bob"
    desk.post("bob", f"/api/conflicts/{back}/restore")
    assert office.row("contacts", "carl")["phone"] == "2"
    assert len(desk.keys("bob", "/api/conflicts?status=closed")) == 1


def test_the_same_decision_twice_happens_once_and_is_answered_again(office: Office, desk: Desk) -> None:
    """S2: the answer was lost, the request is sent again with the revision of the first."""
    key = quarrel(office)
    first = desk.post("ana", f"/api/conflicts/{key}/restore", rev=1)
    again = desk.post("ana", f"/api/conflicts/{key}/restore", rev=1)
    assert (again.status_code, again.json()) == (200, first.json())
    assert office.rev("contacts", "carl") == 3


def test_of_two_managers_one_is_told_that_the_other_decided(office: Office, desk: Desk) -> None:
    key = quarrel_about_parent(office)
    assert desk.post("mia", f"/api/conflicts/{key}/dismiss", rev=1).status_code == 200
    late = desk.post("dirk", f"/api/conflicts/{key}/restore", rev=1)
    assert (late.status_code, late.json()["code"], late.json()["rev"]) == (412, "rev_stale", 2)
    same = desk.post("dirk", f"/api/conflicts/{key}/dismiss", rev=1)
    assert same.status_code == 412
    assert desk.post("dirk", f"/api/conflicts/{key}/dismiss").status_code == 200
    assert desk.post("dirk", f"/api/conflicts/{key}/restore", rev=2).status_code == 200  # still one call away (S1)
    closed = desk.post("mia", f"/api/conflicts/{key}/dismiss")
    assert (closed.status_code, closed.json()["code"], closed.json()["settled"]) == (409, "conflict_closed", "restored")


def test_two_who_decide_at_the_same_moment_do_not_both_win(office: Office, desk: Desk) -> None:
    """S8: the row is locked before it is looked at, on both databases."""
    key = quarrel_about_parent(office)
    for user in ("mia", "dirk"):
        desk.get(user, "/api/conflicts")  # logged in before the race
    with ThreadPoolExecutor(2) as pool:
        orders = [("mia", "restore"), ("dirk", "dismiss")]
        answers = list(pool.map(lambda o: desk.post(o[0], f"/api/conflicts/{key}/{o[1]}", rev=1), orders))
    assert sorted(a.status_code for a in answers) == [200, 412]
    assert office.rev("conflicts", key) == 2


def test_a_phone_and_a_screen_decide_by_the_same_rules(office: Office, desk: Desk) -> None:
    key = quarrel(office)
    office.phone("bob").do("conflict.dismiss", "conflicts", key, base=1)
    assert desk.post("ana", f"/api/conflicts/{key}/dismiss").json()["rev"] == 2
    assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 200
    assert office.phone("bob").do("conflict.restore", "conflicts", key, base=1).code == "conflict_closed"


def test_a_suggestion_is_accepted_or_declined_once(office: Office, desk: Desk) -> None:
    """S22, S30."""
    key = twins(office)
    assert desk.post("mia", f"/api/suggestions/{key}/accept", rev=1).status_code == 200
    assert (office.row("contacts", "karl")["gone"], office.row("suggestions", key)["status"]) == (True, "accepted")
    rev = office.rev("suggestions", key)
    assert desk.post("mia", f"/api/suggestions/{key}/accept", rev=1).json()["rev"] == rev
    assert desk.post("mia", f"/api/suggestions/{key}/decline").json()["code"] == "conflict_closed"


def test_only_its_author_dismisses_a_refusal(office: Office, desk: Desk) -> None:
    """S19: and its content stays."""
    key = refuse(office)
    assert desk.post("mia", f"/api/refusals/{key}/dismiss").status_code == 404
    assert desk.post("ana", f"/api/refusals/{key}/dismiss").json()["row"]["status"] == "dismissed"
    assert office.row("refusals", key)["mutation"]["key"] == "c-1"


def test_who_left_decides_nothing(office: Office, desk: Desk) -> None:
    key = quarrel(office)
    desk.get("ana", "/api/conflicts")
    office.put(("users", "ana", {"active": False}))
    assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 401
    assert office.row("contacts", "carl")["phone"] == "2"


@pytest.mark.parametrize("header", ['"x"', "1.5", '"-1"', '"1", "2"'])
def test_a_broken_if_match_is_refused(office: Office, desk: Desk, header: str) -> None:
    key = quarrel(office)
    desk.get("ana", "/api/conflicts")
    headers: dict[str, Any] = {"Authorization": f"Bearer {desk._tokens['ana']}", "If-Match": header}
    answer = desk.client.post(f"/api/conflicts/{key}/restore", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_invalid")


def test_ones_own_refusals_are_read_off_an_index_past_nobody_elses(office: Office) -> None:
    """S19: however many others have."""
    for user in ("ana", "bob"):
        for i in range(3):
            office.phone(user).do("update", "contacts", "nobody", set={"name": f"x{i}"})
    asked: list[tuple[str, Any]] = []

    def listen(_c: Any, _cursor: Any, sql: str, values: Any, *_: Any) -> None:
        if "refusals" in sql:
            asked.append((sql, values))

    def work(connection: Connection) -> tuple[int, str]:
        event.listen(connection, "before_cursor_execute", listen)
        found = page(connection, "ana", "refusals", Wanted())
        event.remove(connection, "before_cursor_execute", listen)
        (sql, values) = asked[0]
        if connection.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
            plan = connection.exec_driver_sql(f"EXPLAIN {sql}", values).all()
        return len(found.items), str(plan)

    count, plan = office.database.read(work)
    assert count == 3
    assert "ix_refusals_author_key_status_created_at_key" in plan
    assert "TEMP B-TREE" not in plan
