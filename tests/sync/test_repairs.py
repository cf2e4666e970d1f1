"""A refused mutation repaired and sent again: taken once, and what waited for it lands as well (S1, S2, S19, S20)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sync.protocol import Receipt
from tests.crm.desk import Desk, opened
from tests.office import Office, Phone

NAMELESS = {"account_key": "acme", "name": ""}
NAMED = {"account_key": "acme", "name": "Nora"}


def refused(phone: Phone, kind: str = "create", entity: str = "contacts", key: str = "c-1", **more: Any) -> str:
    """-> the refusal."""
    receipt = phone.do(kind, entity, key, **{"set": NAMELESS, **more})
    assert receipt.outcome == "refused"
    return f"{phone.device}.{receipt.n}"


def mend(
    phone: Phone, refusal: str, kind: str = "create", entity: str = "contacts", key: str = "c-1", **more: Any
) -> Receipt:
    return phone.do(kind, entity, key, repairs=refusal, **{"set": NAMED, **more})


def status(office: Office, refusal: str) -> Any:
    return office.row("refusals", refusal)["status"]


def test_a_repaired_mutation_lands_and_its_refusal_says_so(office: Office) -> None:
    ana = office.phone("ana")
    refusal = refused(ana)
    assert mend(ana, refusal).outcome == "applied"
    row = office.row("refusals", refusal)
    assert (row["status"], row["repaired_by"]) == ("repaired", "d-ana.2")
    assert (row["repaired_with"], row["mutation"]["set"]) == ({"key": "c-1", "set": NAMED}, NAMELESS)
    assert office.row("contacts", "c-1")["name"] == "Nora"
    assert office.history("contacts", "c-1")[0]["n"] == 2
    ana.catch_up()
    assert ana.sees() == office.visible("ana")


def test_the_same_repair_from_two_devices_is_taken_once(office: Office) -> None:
    """S2: and another repair of the same is kept, not taken."""
    ana, tablet = office.phone("ana"), office.phone("ana", "ana-2")
    refusal = refused(ana, "update", "contacts", "carl", set={"name": "", "title": "Boss"}, base=1)
    said = {"name": "Karl", "title": "Boss"}
    first = mend(ana, refusal, "update", "contacts", "carl", set=said, base=1)
    second = mend(tablet, refusal, "update", "contacts", "carl", set=said, base=1)
    assert (first.outcome, second.outcome, second.rev) == ("applied", "applied", first.rev)
    assert office.rev("contacts", "carl") == 2
    other = mend(tablet, refusal, "update", "contacts", "carl", set={"name": "Kurt"}, base=1)
    assert (other.outcome, other.code) == ("refused", "already_repaired")
    kept = office.row("refusals", f"ana-2.{other.n}")
    assert (kept["status"], kept["mutation"]["set"], kept["repairs_key"]) == ("open", {"name": "Kurt"}, None)
    assert office.row("contacts", "carl")["name"] == "Karl"


def test_two_devices_that_repair_at_the_same_moment_do_it_once(office: Office) -> None:
    """S2, S8."""
    ana, tablet = office.phone("ana"), office.phone("ana", "ana-2")
    refusal = refused(ana, "update", "contacts", "carl", set={"name": ""}, base=1)
    with ThreadPoolExecutor(2) as pool:
        said = {"set": {"name": "Karl"}, "base": 1}
        parts = [p.mutation("update", "contacts", "carl", repairs=refusal, **said) for p in (ana, tablet)]
        answers = list(pool.map(lambda pair: pair[0].push(pair[1]), zip((ana, tablet), parts, strict=True)))
    assert [a.receipts[0].outcome for a in answers] == ["applied", "applied"]
    assert office.rev("contacts", "carl") == 2


def test_what_waited_for_it_lands_in_its_order(office: Office) -> None:
    """S19: a customer, its contact, an edit of that, and a visit: all refused for one wrong letter."""
    ana = office.phone("ana")
    push = ana.push(
        ana.mutation("create", "accounts", "a-1", set={"name": "", "territory_key": "t-north"}),
        ana.mutation("create", "contacts", "c-1", set={"account_key": "a-1", "name": "Nora", "phone": "1"}),
        ana.mutation("update", "contacts", "c-1", set={"phone": "2"}),
        ana.mutation("create", "visits", "v-1", set={"account_key": "a-1", "contact_key": "c-1"}),
        ana.mutation("visit.check_in", "visits", "v-1"),
    )
    assert [r.code for r in push.receipts] == ["field_invalid", *["depends_on_refused"] * 4]
    office.clock.advance(3_600_000)
    receipt = mend(ana, "d-ana.1", "create", "accounts", "a-1", set={"name": "Nova", "territory_key": "t-north"})
    assert receipt.details is not None
    assert receipt.details["again"] == {f"d-ana.{n}": "applied" for n in (2, 3, 4, 5)}
    assert office.row("contacts", "c-1")["phone"] == "2"
    visit = office.row("visits", "v-1")
    assert (visit["status"], visit["checked_in_at"]) == ("checked_in", office.clock.now_ms() - 3_600_000)
    assert [row["status"] for row in office.rows("refusals")] == ["repaired"] * 5
    assert {row["strategy"] for row in office.rows("conflicts")} == set()
    assert [(e["device_key"], e["n"]) for e in office.history("contacts", "c-1")] == [("d-ana", 2), ("d-ana", 3)]
    ana.catch_up()
    assert ana.sees() == office.visible("ana")


def test_what_is_still_wrong_stays_refused_and_says_why(office: Office) -> None:
    """S19: it does not hold up the repair."""
    ana = office.phone("ana")
    first = refused(ana, "create", "accounts", "a-1", set={"name": "", "territory_key": "t-north"})
    second = refused(ana, "create", "contacts", "c-1", set={"account_key": "a-1", "name": ""})
    third = refused(ana, "update", "contacts", "c-1", set={"phone": "2"})
    assert [office.row("refusals", r)["code"] for r in (second, third)] == ["field_invalid", "depends_on_refused"]
    fourth = refused(ana, "create", "contacts", "c-2", set={"account_key": "a-1", "name": "Ok", "phone": "x" * 200})
    fifth = refused(ana, "create", "contacts", "c-3", set={"account_key": "a-1", "name": "Ok", "title": "Boss"})
    assert office.row("refusals", fifth)["code"] == "depends_on_refused"
    receipt = mend(ana, first, "create", "accounts", "a-1", set={"name": "Nova", "territory_key": "t-north"})
    assert receipt.details == {"again": {fifth: "applied"}}
    assert [status(office, r) for r in (second, third, fourth)] == ["open"] * 3
    assert mend(ana, second, set={"account_key": "a-1", "name": "Nora"}).details == {"again": {third: "applied"}}
    assert office.row("contacts", "c-1")["phone"] == "2"


def test_a_taken_key_is_given_up_and_what_named_it_follows(office: Office) -> None:
    """S18, S19: somebody else, out of sight, has the key."""
    ana = office.phone("ana")
    refusal = refused(ana, "create", "contacts", "zoe", set=NAMED)
    assert office.row("refusals", refusal)["code"] == "key_taken"
    waits = [
        refused(ana, "update", "contacts", "zoe", set={"title": "Boss"}),
        refused(ana, "create", "visits", "v-1", set={"account_key": "acme", "contact_key": "zoe"}),
    ]
    assert mend(ana, refusal, key="nora").details == {"again": dict.fromkeys(waits, "applied")}
    assert (office.row("contacts", "nora")["title"], office.row("visits", "v-1")["contact_key"]) == ("Boss", "nora")
    assert office.row("contacts", "zoe")["name"] == "Zoe"


def test_a_repair_that_is_refused_leaves_both_open_and_the_next_closes_both(office: Office) -> None:
    """S1: no try is lost, and none is left behind."""
    ana = office.phone("ana")
    first = refused(ana)
    bad = mend(ana, first, set={**NAMED, "language": "x" * 300})
    second = f"d-ana.{bad.n}"
    assert (bad.code, office.row("refusals", second)["repairs_key"]) == ("field_invalid", first)
    assert [status(office, r) for r in (first, second)] == ["open", "open"]
    assert mend(ana, second).outcome == "applied"
    assert [status(office, r) for r in (first, second)] == ["repaired", "repaired"]
    assert mend(ana, first).outcome == "applied"
    assert office.rev("contacts", "c-1") == 1


def test_a_unit_lands_whole_when_its_cause_is_repaired(office: Office) -> None:
    """S20."""
    ana, unit = office.phone("ana"), {"id": "u", "size": 3}
    push = ana.push(
        ana.mutation("create", "accounts", "a-1", set={"name": "Nova", "territory_key": "t-north"}, unit=unit),
        ana.mutation("create", "contacts", "c-1", set={"account_key": "a-1", "name": ""}, unit=unit),
        ana.mutation("create", "visits", "v-1", set={"account_key": "a-1", "contact_key": "c-1"}, unit=unit),
    )
    assert [r.code for r in push.receipts] == ["unit_failed", "field_invalid", "unit_failed"]
    alone = mend(ana, "d-ana.1", "create", "accounts", "a-1", set={"name": "Nova", "territory_key": "t-north"})
    assert (alone.code, alone.details) == ("unit_failed", {"n": 2, "because": "field_invalid"})
    assert office.find("accounts", "a-1") is None
    assert mend(ana, "d-ana.2", set={"account_key": "a-1", "name": "Nora"}).outcome == "applied"
    assert office.row("visits", "v-1")["contact_key"] == "c-1"
    assert {status(office, f"d-ana.{n}") for n in (1, 2, 3, 4)} == {"repaired"}


def test_what_was_written_since_is_not_overwritten_by_what_was_not_touched(office: Office) -> None:
    """S24: the repair corrects the name; the old title meets the newer one as what it is, old."""
    ana = office.phone("ana")
    refusal = refused(ana, "update", "contacts", "carl", set={"name": "", "title": "Old"}, base=1)
    office.clock.advance(60_000)
    ana.edit("contacts", "carl", 1, title="New")
    office.clock.advance(60_000)
    receipt = mend(ana, refusal, "update", "contacts", "carl", set={"name": "Karl", "title": "Old"}, base=1)
    row = office.row("contacts", "carl")
    assert (receipt.outcome, row["name"], row["title"]) == ("merged", "Karl", "New")
    assert office.row("conflicts", receipt.conflicts[0])["losing"] == {"title": "Old"}


def test_an_old_text_of_a_note_that_moved_on_asks_a_person(office: Office) -> None:
    """S25: whose words it was typed on is not known any more."""
    office.put(("notes", "n1", {"account_key": "acme", "author_key": "ana", "body": "one"}))
    ana = office.phone("ana")
    refusal = refused(ana, "update", "notes", "n1", set={"body": "one two", "visit_key": "nowhere"}, base=1)
    ana.edit("notes", "n1", 1, body="one two three")
    receipt = mend(ana, refusal, "update", "notes", "n1", set={"body": "one two"}, base=1)
    assert (receipt.outcome, office.row("notes", "n1")["body"]) == ("conflict", "one two three")
    assert office.row("conflicts", receipt.conflicts[0])["losing"] == {"body": "one two"}


def test_what_cannot_be_read_can_only_be_dismissed(office: Office) -> None:
    ana = office.phone("ana")
    ana.push({"n": 1, "entity": 7})
    ana.n = 1
    receipt = mend(ana, "d-ana.1")
    assert (receipt.code, status(office, "d-ana.1")) == ("repair_impossible", "open")
    assert ana.do("refusal.dismiss", "refusals", "d-ana.1", base=1).outcome == "applied"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"kind": "update"}, "mutation_invalid"),
        ({"entity": "accounts", "set": {"name": "x", "territory_key": "t-north"}}, "mutation_invalid"),
        ({"refusal": "d-ana.99"}, "row_unknown"),
        ({"refusal": "no such key!"}, "row_unknown"),
    ],
)
def test_a_repair_must_be_of_its_refusal(office: Office, more: dict[str, Any], code: str) -> None:
    ana = office.phone("ana")
    refusal = refused(ana)
    assert mend(ana, **{"refusal": refusal, **more}).code == code
    assert status(office, refusal) == "open"


def test_nobody_repairs_what_another_person_was_refused(office: Office) -> None:
    """S10."""
    refusal = refused(office.phone("ana"))
    assert mend(office.phone("bob"), refusal).code == "row_unknown"
    with opened(office) as desk:
        assert desk.post("mia", f"/api/refusals/{refusal}/repair", json={}).status_code == 404


def test_a_dismissed_refusal_can_still_be_repaired(office: Office) -> None:
    """S1."""
    ana = office.phone("ana")
    refusal = refused(ana)
    ana.do("refusal.dismiss", "refusals", refusal, base=1)
    assert mend(ana, refusal).outcome == "applied"
    assert ana.do("refusal.dismiss", "refusals", refusal, base=1).code == "conflict_closed"


# -- at a screen ------------------------------------------------------------------------------------------------------


def mended_online(desk: Desk, refusal: str, rev: int | None = None, **body: Any) -> Any:
    return desk.post("ana", f"/api/refusals/{refusal}/repair", rev, json=body)


def test_a_screen_repairs_by_saying_what_differs(office: Office) -> None:
    """S19: and the phone hears of it."""
    ana = office.phone("ana")
    refusal = refused(ana, set={**NAMELESS, "title": "Boss", "wings": 2})
    waits = refused(ana, "update", "contacts", "c-1", set={"phone": "2"})
    with opened(office) as desk:
        wrong = mended_online(desk, refusal, set={"name": "Nora"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "field_unknown")
        assert (status(office, refusal), len(office.rows("refusals"))) == ("open", 2), "no trace of a refused try"
        done = mended_online(desk, refusal, 1, set={"name": "Nora"}, without=["wings"])
        assert done.status_code == 200
        assert done.json()["receipt"]["details"] == {"again": {waits: "applied"}}
        assert (done.json()["refusal"]["row"]["status"], done.headers["ETag"]) == ("repaired", '"2"')
        again = mended_online(desk, refusal, 1, set={"name": "Nora"}, without=["wings"])
        assert (again.status_code, office.rev("contacts", "c-1")) == (200, 2)
        other = mended_online(desk, refusal, set={"name": "Dora"}, without=["wings"])
        assert (other.status_code, other.json()["code"]) == (409, "already_repaired")
    row = office.row("contacts", "c-1")
    assert (row["name"], row["title"], row["phone"]) == ("Nora", "Boss", "2")
    assert office.history("contacts", "c-1")[0]["device_key"] is None
    ana.catch_up()
    assert ana.sees() == office.visible("ana")


def test_a_phone_that_repairs_what_a_screen_repaired_says_the_same_once(office: Office) -> None:
    ana = office.phone("ana")
    refusal = refused(ana)
    with opened(office) as desk:
        mended_online(desk, refusal, set={"name": "Nora"})
    assert mend(ana, refusal).outcome == "applied"
    assert office.rev("contacts", "c-1") == 1


def test_a_screen_that_looked_at_an_older_refusal_is_told(office: Office) -> None:
    ana = office.phone("ana")
    refusal = refused(ana)
    ana.do("refusal.dismiss", "refusals", refusal, base=1)
    with opened(office) as desk:
        assert mended_online(desk, refusal, 1, set={"name": "Nora"}).json()["code"] == "rev_stale"
        assert mended_online(desk, refusal, 2, set={"name": "Nora"}).status_code == 200


@pytest.mark.parametrize(("other", "statuses"), [("Nora", [200, 200]), ("Dora", [200, 409])])
def test_two_screens_that_repair_at_the_same_moment_do_it_once(office: Office, other: str, statuses: list[int]) -> None:
    """S2, S8: on PostgreSQL both transactions are open at once."""
    refusal = refused(office.phone("ana"))
    with opened(office) as desk, ThreadPoolExecutor(2) as pool:
        desk.get("ana", "/api/refusals")
        names = ("Nora", other)
        answers = list(pool.map(lambda name: mended_online(desk, refusal, set={"name": name}), names))
    assert sorted(a.status_code for a in answers) == statuses
    assert office.rev("contacts", "c-1") == 1
