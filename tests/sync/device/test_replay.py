"""A recorded session played again: nothing differs on the same rules, and what a rule changes is told."""

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sync import policy
from sync.device import ConnectionLost, Device, trace
from sync.device.replay import Difference, Replay, Target
from tests.office import Office
from tests.sync.device.pocket import LOST_ANSWER, Line, pocket

DAY_MS = 24 * 3_600_000


class Session:
    """A rep's device whose exchanges are written down."""

    def __init__(self, office: Office, user: str, folder: Path) -> None:
        self.office, self.path = office, folder / "trace.jsonl"
        self.phone = pocket(office, user, folder / "store.sqlite")
        self.key = f"d-{user}"
        self.clock = VirtualClock(office.clock.now_ms() + 90_000)
        self.device = self.open()

    def open(self) -> Device:
        head = trace.Head(trace.FORMAT, "1", self.phone.line.user, self.key, self.clock.now_ms())
        recorder = trace.Recorder(self.phone.line, self.path, head, self.clock)
        return Device(self.phone.store, recorder, self.clock, KeyMaker(self.clock))

    def advance(self, by_ms: int) -> None:
        self.clock.advance(by_ms)
        self.office.clock.advance(by_ms)


@pytest.fixture
def session(office: Office, tmp_path: Path) -> Iterator[Session]:
    made = Session(office, "ana", tmp_path)
    yield made
    made.phone.store.close()


def a_day(session: Session, *, meanwhile: Callable[[], object] = lambda: None) -> None:
    """First sync, work without signal, a lost answer, a conflict, a refusal, and the evening's sync."""
    device = session.device
    device.sync(page_rows=3)
    contact = device.create("contacts", {"account_key": "acme", "name": "Nora", "phone": "600 1"})
    device.update("contacts", contact, {"title": "Buyer"})
    device.update("contacts", "carl", {"phone": "600 9"})
    meanwhile()
    session.advance(3_600_000)
    session.phone.line.faults = [LOST_ANSWER]
    with pytest.raises(ConnectionLost):
        device.sync()
    device.update("contacts", "carl", {"title": "Boss"})
    device.update("accounts", "acme", {"territory_key": "t-south"})
    session.advance(60_000)
    device.sync(page_rows=2)
    session.advance(DAY_MS)
    device.sync()


def again(office: Office, session: Session, at: int = 0) -> list[Difference]:
    """The trace played in another office, `at` later."""
    head, exchanges = trace.read(session.path)
    line = Line(office, head.user, office.phone(head.user, "d-replay").device)
    office.clock.advance(at)

    def shift(server_now: int) -> int:
        office.clock.advance(max(0, server_now + at - office.clock.now_ms()))
        return at

    target = Target(head.user, line.device, lambda body: line.post("/sync", body, "a"), shift)
    return [difference for step in Replay(head, exchanges, target).steps() for difference in step]


def test_nothing_differs_where_the_same_rules_meet_the_same_rows(session: Session, other_office: Office) -> None:
    a_day(session)
    assert session.device.refusals()
    assert again(other_office, session) == []


def test_a_trace_is_played_at_another_time_as_well(session: Session, other_office: Office) -> None:
    """S28: instants move along with the clocks."""
    a_day(session)
    assert again(other_office, session, at=40 * DAY_MS) == []


def test_another_rule_shows_in_receipts_and_rows(
    session: Session, other_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def colleague(office: Office) -> Callable[[], object]:
        return lambda: office.put(("contacts", "carl", {"phone": "700 7"}))

    a_day(session, meanwhile=colleague(session.office))
    colleague(other_office)()
    monkeypatch.setitem(policy.STRATEGIES, ("contacts", "phone"), "ask")
    found = again(other_office, session)
    assert {d.what for d in found if d.own} >= {"contacts carl: phone"}
    assert any(d.what.endswith("outcome") or "strategy" in d.what for d in found)


def test_rows_that_others_changed_are_told_apart(session: Session, other_office: Office) -> None:
    a_day(session, meanwhile=lambda: session.office.put(("accounts", "beta", {"name": "Beta 2"})))
    assert {(d.what, d.own) for d in again(other_office, session)} <= {
        ("accounts beta: name", False),
        ("accounts beta: rev", False),
    }


def test_a_trace_that_begins_in_the_middle_is_compared_from_there(session: Session, other_office: Office) -> None:
    for office in (session.office, other_office):
        office.put(("contacts", "carl", {"title": "Clerk"}))
    session.device.sync()
    session.device.update("contacts", "carl", {"phone": "1"})
    session.device.sync()
    other_office.put(("contacts", "carl", {"phone": "1"}))
    session.path.unlink()
    session.device = session.open()
    session.device.update("contacts", "carl", {"title": "Chief"})
    session.device.sync()
    _, exchanges = trace.read(session.path)
    assert exchanges[0].request["mutations"][0]["n"] == 2
    assert [d.what for d in again(other_office, session) if "rev" not in d.what] == []


def test_a_device_killed_between_request_and_answer_leaves_a_request_without_one(session: Session) -> None:
    a_day(session)
    lines = session.path.read_bytes().splitlines(keepends=True)
    session.path.write_bytes(b"".join(lines[:-1]) + lines[-1][:40])
    _, exchanges = trace.read(session.path)
    assert exchanges[-1].answer is None
    assert sum(exchange.answer is None for exchange in exchanges) == 2


def test_a_trace_is_its_owners_only_and_holds_no_token(session: Session) -> None:
    a_day(session)
    tokens = session.phone.store.state()
    assert tokens.refresh_token == "r"
    assert stat.S_IMODE(session.path.stat().st_mode) == 0o600
    assert b"token" not in session.path.read_bytes()


def test_a_file_that_is_no_trace_or_anothers_is_refused(session: Session, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("hello\n")
    with pytest.raises(Refused, match="no line of a trace"):
        trace.read(wrong)
    wrong.write_text("")
    with pytest.raises(Refused, match="no trace of format"):
        trace.read(wrong)
    a_day(session)
    session.key = "another"
    with pytest.raises(Refused, match="another registration"):
        session.open()
