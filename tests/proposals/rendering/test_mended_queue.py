"""Orders that others would delay, drop or take: whose turn comes, who is refused what, who is thought dead."""

import pytest

from proposals.rendering import queue
from proposals.rendering.queue import AGED_MS, QUEUED, SENT, STALE_MS
from sfa.core.errors import Refused
from sfa.db.database import Database
from tests.proposals.rendering.orders import asked
from tests.proposals.rendering.test_queue import NOW, claimed


def test_what_is_sent_waits_for_no_stream_of_drafts_for_ever(database: Database) -> None:
    """Two people order drafts as fast as they are printed; what a third one sent has its turn after a minute."""
    database.write(queue.ask, NOW, asked("sent", "Sent", priority=SENT, asked_by="mia", kind=queue.FINAL))
    for n in range(4):
        database.write(queue.ask, NOW + n, asked(f"d{n}", "Draft", asked_by=f"u{n % 2}"))
    first = claimed(database, NOW + 10)
    assert first is not None
    assert first.proposal_key == "d0"
    found = []
    for n in range(4):
        database.write(queue.ask, NOW + AGED_MS + n, asked(f"more{n}", "Draft", asked_by=f"u{n % 2}"))
        render = claimed(database, NOW + AGED_MS + 20 + n, f"c{n}")
        assert render is not None
        found.append(render.proposal_key)
    assert "sent" in found[:2]


def test_who_is_refused_for_too_many_drafts_drops_nobody_elses(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "DRAFTS_WAITING_MAX", 1)
    of_mia = database.write(queue.ask, NOW, asked("shared", "Old", asked_by="mia"))
    database.write(queue.ask, NOW, asked("other"))

    def refused(connection: object) -> str:
        """As a push does it: the refusal is this order's, and what was written before is committed."""
        with pytest.raises(Refused) as caught:
            queue.ask(connection, NOW + 1, asked("shared", "New"))  # type: ignore[arg-type]
        return caught.value.code

    assert database.write(refused) == "render_queue_full"
    assert database.read(queue.read, "shared", of_mia.digest).state == QUEUED


def test_a_newer_draft_of_the_same_proposal_needs_no_room_of_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "DRAFTS_WAITING_MAX", 1)
    database.write(queue.ask, NOW, asked(title="Old"))
    new = database.write(queue.ask, NOW + 1, asked(title="New"))
    assert database.read(queue.newest, "prop-a") == new


def test_clocks_of_two_servers_that_differ_by_a_minute_take_nothing_from_each_other(database: Database) -> None:
    database.write(queue.ask, NOW, asked())
    assert claimed(database, NOW) is not None
    assert claimed(database, NOW + 60_000 + 30_000, "ahead") is None
    assert STALE_MS >= 60_000 + 30_000
