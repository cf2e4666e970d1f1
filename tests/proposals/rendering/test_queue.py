"""The queue of what is to be printed: whose turn it is, and whose it is no more."""

import pytest

from proposals.rendering import queue
from proposals.rendering.queue import DONE, FAILED, FINAL, QUEUED, RENDERING, SENT, STALE_MS, Render
from sfa.core.errors import Refused
from sfa.db.database import Database
from tests.proposals.rendering.orders import asked, document

NOW = 1_767_600_000_000


def claimed(database: Database, now_ms: int = NOW, me: str = "me") -> Render | None:
    found = database.write(queue.claim, now_ms, me)
    return found[0] if found is not None else None


def turns(database: Database, now_ms: int = NOW) -> list[str]:
    """The proposals in the order in which they are claimed, a millisecond apart."""
    found: list[str] = []
    while (render := claimed(database, now_ms + len(found), f"c{len(found)}")) is not None:
        found.append(render.proposal_key)
    return found


def test_a_draft_that_somebody_waits_for_comes_before_what_is_sent(database: Database) -> None:
    for at, (key, priority) in enumerate((("s1", SENT), ("s2", SENT), ("d1", queue.WAITED_FOR))):
        database.write(queue.ask, NOW + at, asked(key, key, priority=priority))
    assert turns(database, NOW + 10) == ["d1", "s1", "s2"]


def test_who_orders_many_holds_up_nobody(database: Database) -> None:
    for n in range(4):
        database.write(queue.ask, NOW + n, asked(f"ana-{n}", "Many"))
    database.write(queue.ask, NOW + 5, asked("bob-0", "One", asked_by="bob"))
    database.write(queue.ask, NOW + 6, asked("bob-1", "Two", asked_by="bob"))
    assert turns(database, NOW + 10) == ["ana-0", "bob-0", "ana-1", "bob-1", "ana-2", "ana-3"]


def test_the_same_document_is_one_order_and_is_printed_once(database: Database) -> None:
    one = database.write(queue.ask, NOW, asked())
    two = database.write(queue.ask, NOW + 1, asked())
    assert (one.digest, one.state, one.asked_at) == (two.digest, QUEUED, two.asked_at)
    render = claimed(database)
    assert render is not None
    assert claimed(database, me="other") is None
    assert database.write(queue.put, render, state=DONE, ended_at=NOW)
    again = database.write(queue.ask, NOW + 2, asked())
    assert again.state == DONE
    assert claimed(database, NOW + 3) is None


def test_a_newer_draft_takes_the_place_of_one_that_nobody_has_begun(database: Database) -> None:
    old = database.write(queue.ask, NOW, asked(title="Old"))
    new = database.write(queue.ask, NOW + 1, asked(title="New"))
    with pytest.raises(Refused):
        database.read(queue.read, old.proposal_key, old.digest)
    assert turns(database, NOW + 1) == [new.proposal_key]


def test_what_is_sent_is_never_dropped_for_a_newer_one(database: Database) -> None:
    for version in (1, 2):
        paper = document(number="P-2026-000001", version=version)
        database.write(queue.ask, NOW + version, asked(document=paper, kind=FINAL, priority=SENT))
    assert turns(database, NOW + 10) == ["prop-a", "prop-a"]


def test_an_order_whose_process_is_silent_is_taken_over_and_the_old_one_ends_nothing(database: Database) -> None:
    database.write(queue.ask, NOW, asked())
    first = claimed(database, NOW, "first")
    assert first is not None
    assert database.write(queue.beat, NOW + 20_000, first)
    assert claimed(database, NOW + 20_000 + STALE_MS, "early") is None
    second = claimed(database, NOW + 20_001 + STALE_MS, "second")
    assert second is not None
    assert second.attempts == 2
    assert not database.write(queue.beat, NOW, first)
    assert not database.write(queue.again, NOW, first, "worker_died", "")
    assert database.write(queue.beat, NOW, second)


def test_an_order_that_has_lost_three_processes_is_to_be_given_up(database: Database) -> None:
    database.write(queue.ask, NOW, asked())
    now_ms = NOW
    for attempt in range(3):
        render = claimed(database, now_ms, f"p{attempt}")
        assert render is not None
        now_ms += STALE_MS + 1
    assert claimed(database, now_ms, "fourth") is None
    assert database.read(queue.free, now_ms) == (False, True)
    assert [render.attempts for render in database.write(queue.given_up, now_ms)] == [3]


def test_what_is_tried_again_waits_longer_each_time_and_says_why(database: Database) -> None:
    database.write(queue.ask, NOW, asked())
    for attempt, pause in ((1, 2_000), (2, 10_000)):
        render = claimed(database, NOW + attempt * 60_000, f"p{attempt}")
        assert render is not None
        assert database.write(queue.again, NOW + attempt * 60_000, render, "timed_out", "slow")
        found = database.read(queue.read, render.proposal_key, render.digest)
        assert (found.state, found.code, found.due_at) == (QUEUED, "timed_out", NOW + attempt * 60_000 + pause)
        assert database.read(queue.next_due, NOW + attempt * 60_000) == found.due_at
        assert database.read(queue.free, NOW + attempt * 60_000) == (False, False)


def test_what_is_given_back_was_never_begun(database: Database) -> None:
    database.write(queue.ask, NOW, asked())
    render = claimed(database)
    assert render is not None
    assert render.state == RENDERING
    assert database.write(queue.give_back, render)
    found = database.read(queue.read, render.proposal_key, render.digest)
    assert (found.state, found.attempts) == (QUEUED, 0)


def test_an_order_that_failed_begins_anew_when_it_is_asked_for_again(database: Database) -> None:
    database.write(queue.ask, NOW, asked())
    render = claimed(database)
    assert render is not None
    database.write(queue.put, render, state=FAILED, code="timed_out", ended_at=NOW)
    found = database.write(queue.ask, NOW + 1, asked())
    assert (found.state, found.attempts, found.code) == (QUEUED, 0, None)


def test_drafts_of_one_person_are_bounded_and_what_is_sent_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "DRAFTS_WAITING_MAX", 2)
    for n in range(2):
        database.write(queue.ask, NOW, asked(f"p{n}"))
    with pytest.raises(Refused) as refused:
        database.write(queue.ask, NOW, asked("p3"))
    assert refused.value.code == "render_queue_full"
    database.write(queue.ask, NOW, asked("p3", asked_by="bob"))
    database.write(queue.ask, NOW, asked("p4", document=document(number="P-1"), kind=FINAL))
    assert sorted(turns(database)) == ["p0", "p1", "p3", "p4"]


def test_how_a_draft_ended_is_forgotten_after_a_while_and_what_was_sent_is_not(database: Database) -> None:
    for key, paper, kind in (("a", document(), "draft"), ("b", document(number="P-1"), FINAL)):
        database.write(queue.ask, NOW, asked(key, document=paper, kind=kind))
        render = claimed(database)
        assert render is not None
        database.write(queue.put, render, state=DONE, ended_at=NOW)
    assert database.write(queue.forget, NOW + queue.KEPT_MS) == 0
    assert database.write(queue.forget, NOW + queue.KEPT_MS + 1) == 1
    assert database.read(queue.newest, "a") is None
    assert database.read(queue.newest, "b") is not None
