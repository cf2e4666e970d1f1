"""One open visit for each person: refused at a screen, kept and asked about when phones were offline (R13)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfa.crm.open_visits import meets
from tests.crm.desk import Desk
from tests.office import Office
from tests.visits.conftest import asked, visit

MINUTE = 60_000
instants = st.integers(0, 20)
ends = st.one_of(st.none(), instants)


@given(instants, ends, instants, ends)
def test_two_visits_meet_whichever_is_asked_first(
    start: int, end: int | None, other: int, other_end: int | None
) -> None:
    end = end if end is None else max(end, start + 1)
    other_end = other_end if other_end is None else max(other_end, other + 1)
    mine = range(start, end if end is not None else 100)
    theirs = range(other, other_end if other_end is not None else 100)
    assert meets(start, end, other, other_end) == bool(set(mine) & set(theirs))
    assert meets(start, end, other, other_end) == meets(other, other_end, start, end)


def test_at_a_screen_the_second_check_in_is_refused_and_names_the_first(office: Office, desk: Desk) -> None:
    """R13."""
    visit(office, "v1"), visit(office, "v2")
    assert desk.post("ana", "/api/visits/v1/check-in").status_code == 200
    refused = desk.post("ana", "/api/visits/v2/check-in")
    assert (refused.status_code, refused.json()["code"]) == (409, "visit_open")
    assert refused.json()["key"] == "v1"
    assert desk.post("ana", "/api/visits/v1/check-out", json={"outcome": "sold"}).status_code == 200
    assert desk.post("ana", "/api/visits/v2/check-in").status_code == 200


def test_the_open_visit_of_somebody_else_is_no_hindrance(office: Office, desk: Desk) -> None:
    """R13."""
    visit(office, "v1"), visit(office, "v2", owner_key="bob")
    assert desk.post("ana", "/api/visits/v1/check-in").status_code == 200
    assert desk.post("bob", "/api/visits/v2/check-in").status_code == 200


def offline_pair(office: Office) -> tuple[Any, Any]:
    """ana's phone and her tablet check in on two visits, neither knowing of the other."""
    visit(office, "v1"), visit(office, "v2")
    phone, tablet = office.phone("ana"), office.phone("ana", "d-tablet")
    now = office.clock.now_ms()
    first = phone.do("visit.check_in", "visits", "v1", base=1, at=now - 60 * MINUTE)
    second = tablet.do("visit.check_in", "visits", "v2", base=1, at=now - 30 * MINUTE)
    return first, second


def test_an_offline_pair_becomes_a_conflict_and_both_check_ins_are_kept(office: Office) -> None:
    """R13: a conflict, not an error."""
    first, second = offline_pair(office)
    assert first.outcome == "applied"
    assert (second.outcome, second.conflicts) == ("conflict", ["d-tablet.1.0"])
    assert [row["status"] for row in office.rows("visits")] == ["checked_in", "checked_in"]
    assert asked(office) == [("v2", "v1", "open")]


def test_the_conflict_is_taken_back_by_restoring_and_settled_by_dismissing(office: Office, desk: Desk) -> None:
    """R13: a person decides."""
    _, second = offline_pair(office)
    (key,) = second.conflicts
    told = desk.get("mia", f"/api/conflicts/{key}").json()
    assert [action["allowed"] for action in told["actions"]] == [True, True]
    assert desk.post("ana", f"/api/conflicts/{key}/restore").status_code == 200
    row = office.row("visits", "v2")
    assert (row["status"], row["checked_in_at"], row["verdict"]) == ("planned", None, None)
    assert office.row("visits", "v1")["status"] == "checked_in"


def test_a_check_out_that_shows_that_they_never_met_dismisses_the_conflict(office: Office) -> None:
    """R13: the phone was only late with what it sent."""
    visit(office, "v1"), visit(office, "v2")
    now = office.clock.now_ms()
    tablet, phone = office.phone("ana", "d-tablet"), office.phone("ana")
    tablet.do("visit.check_in", "visits", "v2", base=1, at=now - 20 * MINUTE)
    late = phone.do("visit.check_in", "visits", "v1", base=1, at=now - 60 * MINUTE)
    assert late.outcome == "conflict"
    phone.do("visit.check_out", "visits", "v1", base=1, at=now - 30 * MINUTE)
    assert [row["status"] for row in office.rows("conflicts")] == ["dismissed"]


def test_visits_that_are_over_and_met_are_asked_about_too(office: Office) -> None:
    """R13: the second phone synced when both were over."""
    visit(office, "v1"), visit(office, "v2")
    now = office.clock.now_ms()
    phone, tablet = office.phone("ana"), office.phone("ana", "d-tablet")
    for kind, minutes in (("visit.check_in", 60), ("visit.check_out", 30)):
        phone.do(kind, "visits", "v1", base=1, at=now - minutes * MINUTE)
    assert tablet.do("visit.check_in", "visits", "v2", base=1, at=now - 70 * MINUTE).outcome == "applied"
    met = tablet.do("visit.check_out", "visits", "v2", base=1, at=now - 40 * MINUTE)
    assert met.conflicts == ["d-tablet.2.0"]


def test_one_after_the_other_is_no_conflict(office: Office) -> None:
    """R13: also when the end of one is the beginning of the next."""
    visit(office, "v1"), visit(office, "v2")
    now, phone = office.clock.now_ms(), office.phone("ana")
    sent = [("visit.check_in", "v1", 60), ("visit.check_out", "v1", 30), ("visit.check_in", "v2", 30)]
    for kind, key, minutes in sent:
        assert phone.do(kind, "visits", key, base=1, at=now - minutes * MINUTE).outcome == "applied"
    assert office.rows("conflicts") == []


def test_what_a_person_dismissed_is_not_asked_again(office: Office, desk: Desk) -> None:
    _, second = offline_pair(office)
    assert desk.post("ana", f"/api/conflicts/{second.conflicts[0]}/dismiss").status_code == 200
    done = office.phone("ana").do("visit.check_out", "visits", "v1", base=1)
    assert done.outcome == "applied"
    assert [row["status"] for row in office.rows("conflicts")] == ["dismissed"]


def test_of_two_check_ins_at_once_one_is_refused(office: Office, desk: Desk) -> None:
    """R13: whichever process gets there first, on both databases."""
    for n in range(4):
        visit(office, f"v{n}")
    desk.get("ana", "/auth/me")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: desk.post("ana", f"/api/visits/v{n}/check-in").status_code, range(4)))
    assert sorted(answers) == [200, 409, 409, 409]
