"""The lock of calls: once, whoever looks and however late, and what arrives beside it (R29)."""

import threading

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasting import locking
from sfa.app import jobs
from sfa.core.forecast_cycles import LATE, LOCKED, REPLACED, SUBMITTED
from tests.forecasting.review import ENTITY, LOCK_AT, Q1, at, begun, call, locks, statuses, until
from tests.office import Office


def lock(office: Office) -> locking.Locked:
    return office.database.write(locking.run, office.clock.now_ms())


def test_what_counts_of_each_person_and_team_is_locked_and_told_to_phones(office: Office) -> None:
    begun(office)
    assert call(office.phone("ana"), "a").outcome == call(office.phone("bob"), "b").outcome == "applied"
    assert call(office.phone("mia"), "n", team_key="north").outcome == "applied"
    assert call(office.phone("mia"), "m").outcome == "applied"
    until(office, "2026-01-05 08:59")
    lock(office)
    assert set(statuses(office).values()) == {SUBMITTED}  # not yet
    assert locks(office) == set()  # the Monday before, the quarter had not begun
    until(office, "2026-01-05 09:00")
    assert lock(office) == locking.Locked(1, 4)
    assert set(statuses(office).values()) == {LOCKED}
    assert locks(office) == {("q1", "2026-01-05", LOCK_AT)}
    ana = office.phone("ana")
    ana.catch_up()
    assert ana.sees()[ENTITY, "a"]["status"] == LOCKED
    assert office.history(ENTITY, "a")[-1]["kind"] == "lock"


def test_a_second_run_a_late_one_and_one_without_calls_change_nothing_more(office: Office) -> None:
    begun(office)
    assert call(office.phone("ana"), "a").outcome == "applied"
    until(office, "2026-01-07 00:00")
    assert lock(office) == locking.Locked(1, 1)
    before = office.rows(ENTITY), locks(office), office.seq()
    assert lock(office) == locking.Locked(0, 0)
    assert (office.rows(ENTITY), locks(office), office.seq()) == before
    until(
        office, "2026-01-28 00:00"
    )  # three weeks without a server: calls of then are locked, empty locks are not made up
    assert lock(office) == locking.Locked(1, 0)
    assert {on for _, on, _ in locks(office)} == {"2026-01-05", "2026-01-26"}


def test_two_processes_lock_once(office: Office) -> None:
    begun(office)
    people = ("ana", "bob", "cleo", "mia")
    assert [call(office.phone(user), f"c-{user}").outcome for user in people] == ["applied"] * 4
    until(office, "2026-01-05 09:00")
    found: list[locking.Locked] = []
    ready = threading.Barrier(2)

    def work() -> None:
        ready.wait()
        found.append(lock(office))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((one.locks, one.calls) for one in found) == [(0, 0), (1, 4)]
    assert [row["rev"] for row in office.rows(ENTITY)] == [2, 2, 2, 2]


def test_a_call_while_the_lock_runs_counts_once(office: Office) -> None:
    """Made before the lock, it arrives as the job looks: either of the two locks it."""
    begun(office)
    assert call(office.phone("ana"), "first").outcome == "applied"
    until(office, "2026-01-05 09:00")
    ready = threading.Barrier(2)
    phone = office.phone("ana")

    def run() -> None:
        ready.wait()
        lock(office)

    def send() -> None:
        ready.wait()
        assert call(phone, "second", made="2026-01-05 08:59", due_on="2026-01-05").outcome == "applied"

    threads = [threading.Thread(target=run), threading.Thread(target=send)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lock(office)
    assert statuses(office) == {"first": REPLACED, "second": LOCKED}


def test_calls_that_a_file_stated_are_locked_like_others(office: Office) -> None:
    """Several wait of one person, as no call that was made leaves them: the one that was made last is locked."""
    begun(office)
    about = {"period_key": "q1", "user_key": "ana", "author_key": "ana", "currency": "EUR", "due_on": "2026-01-05"}
    for key, made in (("y", "2026-01-05 07:00"), ("x", "2026-01-05 08:00"), ("z", "2026-01-05 06:00")):
        office.put_server_row(ENTITY, key, {**about, "commit_minor": 1, "called_at": at(made)})
    until(office, "2026-01-05 09:00")
    assert lock(office).calls == 1
    assert statuses(office) == {"x": LOCKED, "y": REPLACED, "z": REPLACED}


def test_a_policy_that_changes_locks_what_was_called_for_the_old_day_on_that_day(office: Office) -> None:
    begun(office)
    until(office, "2026-01-06 08:00")
    assert call(office.phone("ana"), "monday").outcome == "applied"
    office.put(("forecast_policies", "p", {"lock_weekday": 3}))
    assert call(office.phone("ana"), "wednesday").outcome == "applied"
    until(office, "2026-01-07 09:00")
    assert lock(office) == locking.Locked(1, 1)
    until(office, "2026-01-12 09:00")
    assert lock(office) == locking.Locked(1, 1)
    assert statuses(office) == {"monday": LOCKED, "wednesday": LOCKED}
    assert {on for _, on, _ in locks(office)} == {"2026-01-07", "2026-01-12"}
    office.put(("forecast_policies", "p", {"lock_minute": 0}))  # by which that lock was at midnight
    made = call(office.phone("ana"), "late", made="2026-01-12 08:59", due_on="2026-01-12")
    assert (made.outcome, office.row(ENTITY, "late")["status"]) == ("applied", LOCKED)


def test_without_a_policy_calls_are_locked_on_mondays_at_ten(office: Office) -> None:
    office.put(Q1)
    assert call(office.phone("ana"), "a").outcome == "applied"
    until(office, "2026-01-05 09:00")
    assert lock(office) == locking.Locked(1, 1)


def test_the_job_of_the_table_locks(office: Office) -> None:
    begun(office)
    assert call(office.phone("ana"), "a").outcome == "applied"
    until(office, "2026-01-05 09:00")
    assert office.database.write(jobs.JOBS["lock_calls"].work, office.clock.now_ms()) == "1 locks, 1 calls locked"


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(5)), st.integers(0, 5))
def test_in_whatever_order_calls_arrive_and_the_lock_comes_the_same_one_counts(
    shared_office: Office, order: list[int], locks_after: int
) -> None:
    """Five calls of one person for one lock, made minute after minute; the lock falls between any two arrivals."""
    office, tag = shared_office, f"{''.join(map(str, order))}-{locks_after}"
    if office.find("forecast_policies", "p") is None:
        begun(office)
    period = ("fiscal_periods", tag, {"name": tag, "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"})
    office.put(period)
    if office.clock.now_ms() < LOCK_AT:
        until(office, "2026-01-05 09:30")
    for place, n in enumerate([*order, None]):
        if place == locks_after:
            lock(office)
        if n is not None:
            made = f"2026-01-05 08:1{n}"
            about = {"period_key": tag, "due_on": "2026-01-05"}
            assert call(office.phone("ana"), f"c{n}-{tag}", n, made, **about).outcome == "applied"
    found = {row["commit_minor"]: row["status"] for row in office.rows(ENTITY) if row["period_key"] == tag}
    assert found == {0: REPLACED, 1: REPLACED, 2: REPLACED, 3: REPLACED, 4: LOCKED}
    assert LATE not in found.values()
