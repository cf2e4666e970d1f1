"""Who owes a call is reminded by a task, once for each lock, and the call finishes it (R29)."""

import threading

from forecasting import locking, reminding
from sfa.app import jobs
from sfa.crm.calling import reminder_key
from sfa.db.tables import ROWS
from tests.forecasting.review import begun, call, until
from tests.office import Office


def remind(office: Office) -> int:
    return office.database.write(reminding.run, office.clock.now_ms())


def tasks(office: Office) -> set[tuple[str, str, str | None, bool]]:
    """(whose, title, due, done) of every reminder."""
    return {
        (row["owner_key"], row["title"], row["due_on"], row["done"])
        for row in office.rows("tasks")
        if row["key"].startswith("call-")
    }


MIAS = ("mia", "Call your forecast of North for Q1", "2026-01-12", False)
ANAS = ("ana", "Call your forecast for Q1", "2026-01-12", False)
BOBS = ("bob", "Call your forecast for Q1", "2026-01-12", False)
DIRKS = ("dirk", "Call your forecast of All sales for Q1", "2026-01-12", False)


def owed(office: Office) -> Office:
    """Ana has an open deal, of which Bob has a share; Cleo has nothing; a quota of Cleo is of another quarter."""
    begun(office, remind_minutes=120)
    shares = [{"user_key": "ana", "share_bp": 6_000}, {"user_key": "bob", "share_bp": 4_000}]
    office.put(
        ("deals", "deal-a", {"close_on": "2026-02-01", "splits": shares}),
        ("quotas", "q", {"user_key": "cleo", "period_key": "q2", "measure": "total_contacts", "target": 1}),
    )
    until(office, "2026-01-12 07:00")
    return office


def test_everybody_with_open_money_and_every_manager_is_reminded_once(office: Office) -> None:
    owed(office)
    office.put(("users", "fay", {"role": "finance"}))
    assert remind(office) == 4
    assert tasks(office) == {ANAS, BOBS, MIAS, DIRKS}
    before = office.rows("tasks"), office.seq()
    assert remind(office) == 0
    assert (office.rows("tasks"), office.seq()) == before


def test_two_processes_remind_once(office: Office) -> None:
    owed(office)
    found: list[int] = []
    ready = threading.Barrier(2)

    def work() -> None:
        ready.wait()
        found.append(remind(office))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 4]
    assert tasks(office) == {ANAS, BOBS, MIAS, DIRKS}


def test_nobody_is_reminded_too_early_or_where_the_policy_says_so(office: Office) -> None:
    owed(office)
    until(office, "2026-01-19 06:59")
    assert remind(office) == 0
    office.put(("forecast_policies", "p", {"remind_minutes": 0}))
    until(office, "2026-01-19 08:59")
    assert remind(office) == 0
    assert tasks(office) == set()


def test_a_quota_of_the_period_is_owed_for_and_who_left_or_may_not_call_is_not_asked(office: Office) -> None:
    owed(office)
    office.put(("quotas", "q1", {"user_key": "cleo", "period_key": "q1", "measure": "total_contacts", "target": 1}))
    office.put(("users", "bob", {"active": False}), ("users", "mia", {"role": "finance"}))
    assert remind(office) == 3
    assert {owner for owner, *_ in tasks(office)} == {"ana", "cleo", "dirk"}


def test_deals_that_are_closed_deleted_or_of_later_owe_nothing(office: Office) -> None:
    owed(office)
    office.put(("deals", "later", {"name": "L", "owner_key": "cleo", "stage_key": "lead", "close_on": "2026-04-01"}))
    assert (
        office.phone("ana").do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a")).outcome == "applied"
    )
    assert remind(office) == 2
    assert {owner for owner, *_ in tasks(office)} == {"mia", "dirk"}


def test_who_has_called_is_not_reminded_and_who_calls_is_done(office: Office) -> None:
    owed(office)
    assert call(office.phone("ana"), "early").outcome == "applied"
    assert remind(office) == 3
    assert tasks(office) == {BOBS, MIAS, DIRKS}
    assert call(office.phone("mia"), "n", team_key="north").outcome == "applied"
    assert call(office.phone("mia"), "m").outcome == "applied"  # of herself: another matter than the team's
    assert tasks(office) == {BOBS, (*MIAS[:3], True), DIRKS}
    until(office, "2026-01-12 10:00")
    assert call(office.phone("bob"), "b", due_on="2026-01-12").outcome == "applied"  # late, and named
    assert (*BOBS[:3], True) in tasks(office)


def test_a_call_for_a_lock_after_the_next_one_leaves_the_next_one_owed(office: Office) -> None:
    owed(office)
    assert remind(office) == 4
    assert call(office.phone("ana"), "ahead", due_on="2026-01-19").outcome == "applied"
    assert call(office.phone("mia"), "far", team_key="north", due_on="2026-01-26").outcome == "applied"
    assert tasks(office) == {ANAS, BOBS, MIAS, DIRKS}
    assert call(office.phone("ana"), "now").outcome == "applied"
    assert (*ANAS[:3], True) in tasks(office)
    until(office, "2026-01-12 10:00")  # the lock has been: the next call is for that of a week later
    assert call(office.phone("bob"), "after").outcome == "applied"
    assert (*BOBS[:3], True) in tasks(office)


def test_of_two_managers_both_are_reminded_and_one_call_does_for_both(office: Office) -> None:
    owed(office)
    second = {"team_key": "north", "user_key": "dirk", "role": "manager", "valid_from": "2025-01-01"}
    office.put(("team_members", "m-d", second))
    assert remind(office) == 5
    assert call(office.phone("dirk"), "n", team_key="north").outcome == "applied"
    done = {(owner, title) for owner, title, _, is_done in tasks(office) if is_done}
    assert done == {("mia", MIAS[1]), ("dirk", MIAS[1])}


def test_the_task_comes_back_with_the_next_lock_and_is_one_of_the_period(office: Office) -> None:
    owed(office)
    remind(office)
    (mine,) = (row["key"] for row in office.rows("tasks") if row["owner_key"] == "ana")
    ana = office.phone("ana")
    assert ana.do("delete", "tasks", mine, base=1).outcome == "applied"
    assert remind(office) == 0  # what he does with it until the next lock is his own affair
    until(office, "2026-01-12 09:00")
    office.database.write(locking.run, office.clock.now_ms())
    until(office, "2026-01-19 08:00")
    assert remind(office) == 4
    assert {due for _, _, due, _ in tasks(office)} == {"2026-01-19"}
    assert len(office.all(ROWS["tasks"].select())) == 4
    assert call(ana, "late", made="2026-01-12 08:00", due_on="2026-01-12").outcome == "applied"
    assert (*ANAS[:2], "2026-01-19", False) in tasks(office)  # for the lock before: this one is still owed


def test_who_takes_the_key_of_anothers_reminder_does_not_keep_it(office: Office) -> None:
    owed(office)
    key = reminder_key("q1", "user", "ana", "ana")
    taken = {"title": "mine", "owner_key": "bob", "done": True}
    assert office.phone("bob").do("create", "tasks", key, set=taken).outcome == "applied"
    assert remind(office) == 4
    assert tasks(office) == {ANAS, BOBS, MIAS, DIRKS}
    for user, has_it in (("ana", True), ("bob", False)):
        phone = office.phone(user)
        phone.catch_up()
        assert (key in phone.keys("tasks")) == has_it, user


def test_a_reminder_that_was_handed_away_comes_back_with_the_next_lock(office: Office) -> None:
    owed(office)
    remind(office)
    mine = reminder_key("q1", "team", "north", "mia")
    assert office.phone("mia").edit("tasks", mine, owner_key="bob").outcome == "applied"
    assert ("bob", *MIAS[1:]) in tasks(office)
    assert remind(office) == 0
    until(office, "2026-01-19 08:00")
    assert remind(office) == 4
    assert {(owner, title) for owner, title, *_ in tasks(office)} == {one[:2] for one in (ANAS, BOBS, MIAS, DIRKS)}


def test_nobody_is_reminded_of_a_lock_that_has_been_where_the_minute_moved_later_that_day(office: Office) -> None:
    begun(office)
    until(office, "2026-01-12 09:01")
    office.database.write(locking.run, office.clock.now_ms())
    office.put(("forecast_policies", "p", {"lock_minute": 900, "remind_minutes": 600}))
    until(office, "2026-01-12 09:30")
    assert remind(office) == 0
    until(office, "2026-01-19 08:00")
    assert remind(office) > 0
    assert {due for _, _, due, _ in tasks(office)} == {"2026-01-19"}


def test_a_task_reaches_the_phone_of_its_owner_and_the_job_is_in_the_table(office: Office) -> None:
    owed(office)
    assert office.database.write(jobs.JOBS["remind_of_calls"].work, office.clock.now_ms()) == "4 reminded"
    ana = office.phone("ana")
    ana.catch_up()
    assert [row["title"] for (entity, _), row in ana.sees().items() if entity == "tasks"] == [ANAS[1]]
