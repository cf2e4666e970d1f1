"""S13, R13: the question about two open visits lies where one of them lies and never names the other."""

from importlib import import_module

import pytest
from sqlalchemy import Connection, delete, update

from sfa.db.reissue import reissue
from sfa.db.tables import ROWS, visit_pairs
from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import asked, visit

MINUTE = 60_000


@pytest.fixture
def split(office: Office) -> Office:
    """ana sells in the north and in the south; v1 is at Zeta in the south, v2 at Acme in the north."""
    assigned = {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}
    office.put(("territory_members", "tm-ana-south", assigned))
    visit(office, "v1", account_key="zeta")
    visit(office, "v2")
    return office


def pair(office: Office) -> str:
    """Checked in on both, neither phone knowing of the other; -> the conflict, about v2."""
    phone, tablet, now = office.phone("ana"), office.phone("ana", "d-tablet"), office.clock.now_ms()
    phone.do("visit.check_in", "visits", "v1", base=1, at=now - 60 * MINUTE)
    met = tablet.do("visit.check_in", "visits", "v2", base=1, at=now - 30 * MINUTE)
    assert met.outcome == "conflict"
    (key,) = met.conflicts
    return key


def test_who_sees_one_of_the_visits_is_not_told_the_key_of_the_other(split: Office) -> None:
    """S13: bob sees v2 in the north and knows nothing of the south; ana is asked all the same (R13)."""
    key = pair(split)
    bob, ana = split.phone("bob"), split.phone("ana")
    for phone in (bob, ana):
        phone.catch_up()
        assert phone.sees() == split.visible(phone.user)
    assert ("visits", "v1") not in bob.sees()
    assert "v1" not in str(bob.sees())
    assert key in ana.keys("conflicts")


def test_a_customer_that_leaves_takes_no_question_along(office: Office) -> None:
    """S13, R13: both were in the north; then v1 is in the south. bob still sees what is asked, ana is still asked."""
    visit(office, "v1", account_key=_second(office)), visit(office, "v2")
    key = pair(office)
    assert office.phone("dirk").edit("accounts", "acme-2", territory_key="t-south").outcome == "applied"
    bob, ana = office.phone("bob"), office.phone("ana")
    for phone in (bob, ana):
        phone.catch_up()
        assert key in phone.keys("conflicts")
        assert phone.sees() == office.visible(phone.user)
    assert "v1" not in str(bob.sees())
    assert asked(office) == [("v2", "v1", "open")]


def test_a_customer_that_leaves_with_the_asking_visit_takes_the_question_along(office: Office) -> None:
    """R13: to who sees that visit from then on."""
    visit(office, "v1"), visit(office, "v2", account_key=_second(office))
    key = pair(office)
    assert office.phone("dirk").edit("accounts", "acme-2", territory_key="t-south").outcome == "applied"
    cleo = office.phone("cleo")
    cleo.catch_up()
    assert key in cleo.keys("conflicts")
    assert "v1" not in str(cleo.sees())


def test_the_other_visit_is_told_to_who_sees_it(split: Office, desk: Desk) -> None:
    """S13: bob sees the question and not the other visit; ana and the manager of both see it."""
    key = pair(split)
    for who, rows in (("ana", ["v1"]), ("mia", ["v1"]), ("bob", [])):
        told = desk.get(who, f"/api/conflicts/{key}").json()
        assert [row["key"] for row in told["about"]] == rows, who


def _second(office: Office) -> str:
    office.put(("accounts", "acme-2", {"name": "Other", "territory_key": "t-north", "city": "Bilbao"}))
    return "acme-2"


def test_a_pair_without_a_name_is_settled_by_either_check_out(split: Office) -> None:
    """R13: v1 was over before v2 began, its phone was only late."""
    key, now = pair(split), split.clock.now_ms()
    assert split.phone("ana").do("visit.check_out", "visits", "v1", base=2, at=now - 40 * MINUTE).outcome == "applied"
    assert split.row("conflicts", key)["status"] == "dismissed"


def test_a_pair_without_a_name_is_settled_by_the_check_out_of_the_asking_visit(split: Office) -> None:
    """R13: v2 is sent first although it began later."""
    phone, tablet, now = split.phone("ana"), split.phone("ana", "d-tablet"), split.clock.now_ms()
    tablet.do("visit.check_in", "visits", "v2", base=1, at=now - 20 * MINUTE)
    late = phone.do("visit.check_in", "visits", "v1", base=1, at=now - 60 * MINUTE)
    assert late.outcome == "conflict"
    phone.do("visit.check_out", "visits", "v1", base=2, at=now - 30 * MINUTE)
    assert [row["status"] for row in split.rows("conflicts")] == ["dismissed"]


def test_a_pair_without_a_name_that_did_meet_is_asked_once(split: Office, desk: Desk) -> None:
    """R13: what a person dismissed is not asked again by the check-outs."""
    key = pair(split)
    assert desk.post("ana", f"/api/conflicts/{key}/dismiss").status_code == 200
    for device, visit_key in (("d-ana", "v1"), ("d-tablet", "v2")):
        phone = split.phone("ana", None if device == "d-ana" else device)
        assert phone.do("visit.check_out", "visits", visit_key, base=2).outcome == "applied"
    assert [row["status"] for row in split.rows("conflicts")] == ["dismissed"]


def test_a_pair_without_a_name_is_taken_back_by_restoring(split: Office, desk: Desk) -> None:
    """R13: a manager of both, or the owner, decides as ever."""
    key = pair(split)
    assert desk.post("mia", f"/api/conflicts/{key}/restore").status_code == 200
    assert split.row("visits", "v2")["status"] == "planned"


def test_a_screen_names_an_open_visit_only_to_who_sees_it(split: Office, desk: Desk) -> None:
    """S13: the customer of v1 went where ana does not sell; she is told to check out, of what she is not."""
    assert desk.post("ana", "/api/visits/v1/check-in").status_code == 200
    split.put(("territory_members", "tm-ana-south", {"valid_to": "2025-02-01"}))
    refused = desk.post("ana", "/api/visits/v2/check-in")
    assert (refused.status_code, refused.json()["code"]) == (409, "visit_open")
    assert "v1" not in refused.text


def test_a_pair_named_before_the_upgrade_is_kept_apart_and_asked_on(split: Office) -> None:
    """S13: the migration takes the name out of the row, `sfa reissue conflicts` out of the documents of devices."""
    key, bob, ana = pair(split), split.phone("bob"), split.phone("ana")

    def before(connection: Connection) -> None:
        connection.execute(delete(visit_pairs))
        connection.execute(update(ROWS["conflicts"]).where(ROWS["conflicts"].c.key == key).values(other_key="v1"))

    split.database.write(before)
    split.database.write(reissue, "conflicts", "", split.clock.now_ms())
    bob.catch_up()
    split.database.write(import_module("sfa.db.migrations.versions.0022_visit_pairs").keep_pairs)
    split.database.write(reissue, "conflicts", "", split.clock.now_ms())
    for phone in (bob, ana):
        phone.catch_up()
        assert key in phone.keys("conflicts")
    assert "v1" not in str(bob.sees())
    assert asked(split) == [("v2", "v1", "open")]
