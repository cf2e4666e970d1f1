"""The overlay is a prediction by the server's own merge: it must be right whenever the device could know."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from sfa.core.shapes import SHAPES
from sfa.core.transitions import Lookup
from sync.device.outbox import Queued
from sync.device.overlay import Synced, blank, completed, on_top
from sync.merge import Edit, merge

GROUPS = SHAPES["accounts"].groups
ME, OTHER = "d-me", "d-other"
FIELDS = {
    "phone": st.sampled_from([None, "1", "2"]),
    "city": st.sampled_from([None, "Bilbao", "Cadiz"]),
    "street": st.sampled_from([None, "Main", "Side"]),
    "territory_key": st.sampled_from([None, "t1", "t2"]),
    "tags": st.lists(st.sampled_from("abc"), unique=True),
}
EDITS = st.sampled_from(sorted(FIELDS)).flatmap(lambda field: FIELDS[field].map(lambda value: {field: value}))


def no_stages(_entity: str, _key: str) -> None:
    return None


def account(**values: Any) -> dict[str, Any]:
    return {**blank("accounts"), "name": "Acme", **values}


def whole(values: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    shape = SHAPES["accounts"]
    fields = [f for field in values for f in shape.groups[shape.group_of[field]]]
    return {**{f: row[f] for f in fields}, **values}


def queued(n: int, kind: str, fields: dict[str, Any], base: Synced | None, at: int = 10, **kept: Any) -> Queued:
    known = {"outcome": None, "rev": 0, "seq": 0, **kept}
    row = base.row if base is not None else None
    rev = base.rev if base is not None else 0
    return Queued(n, "accounts", "a", kind, at, rev, fields, None, row, receipt=None, **known)


def shown(synced: Synced | None, *queue: Queued, seen_seq: int = -1) -> dict[str, Any] | None:
    return on_top(synced, queue, seen_seq, ME, "me", Lookup(no_stages))


class Server:
    """The server's side of one row: real stamps, real merge, real values at a base."""

    def __init__(self, row: dict[str, Any], rev: int) -> None:
        self.row, self.rev = row, rev
        self.stamps: dict[str, list[Any]] = {}
        self.past = {rev: row}

    def take(self, values: dict[str, Any], base: int, device: str, at: int) -> None:
        edit = Edit(values, base, device, at)
        past = self.past[base]
        merged = merge("accounts", self.row, self.rev, self.stamps, edit, lambda field: past[field])
        if not merged.values:
            return
        self.row, self.rev = {**self.row, **merged.values}, self.rev + 1
        self.past[self.rev] = self.row
        for group in {SHAPES["accounts"].group_of[field] for field in merged.values}:
            own = device if group in merged.verbatim else None
            self.stamps[group] = [self.rev, own, at, device]

    def synced(self) -> Synced:
        return Synced(self.rev, self.row)


@given(st.lists(EDITS, max_size=5))
def test_without_others_edits_the_overlay_is_the_edits_in_order(edits: list[dict[str, Any]]) -> None:
    base = Synced(5, account())
    expected, queue = base.row, []
    for n, edit in enumerate(edits, start=1):
        queue.append(queued(n, "update", whole(edit, expected), base))
        expected = {**expected, **edit}
    assert shown(base, *queue) == expected


@given(st.lists(EDITS, max_size=4), st.lists(EDITS, min_size=1, max_size=4))
def test_the_overlay_says_what_the_server_will_say_when_others_edited_before(
    theirs: list[dict[str, Any]], mine: list[dict[str, Any]]
) -> None:
    """S24, S29: own edits later than the foreign ones, which is what the device assumes."""
    server = Server(account(), 5)
    base, view, queue = server.synced(), account(), []
    for n, edit in enumerate(mine, start=1):
        queue.append(queued(n, "update", whole(edit, view), base, at=100 + n))
        view = {**view, **edit}
    for edit in theirs:
        server.take(whole(edit, server.row), server.rev, OTHER, 50)
    # What somebody changed and changed back leaves no trace that a device could see.
    assume(all(any(server.row[f] != base.row[f] for f in GROUPS[group]) for group in server.stamps))
    predicted = shown(server.synced(), *queue)
    for item in queue:
        server.take(item.fields, item.base, ME, item.at)
    assert predicted == server.row


@given(st.lists(EDITS, min_size=1, max_size=5), st.data())
def test_an_acknowledged_edit_that_the_synced_row_holds_is_not_laid_again(
    mine: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Whatever part of the queue was acknowledged and synced, the user sees the same."""
    server = Server(account(), 5)
    base, view, queue = server.synced(), account(), []
    for n, edit in enumerate(mine, start=1):
        queue.append(queued(n, "update", whole(edit, view), base, at=100 + n))
        view = {**view, **edit}
    part = data.draw(st.integers(0, len(queue)))
    kept = []
    for item in queue[:part]:
        server.take(item.fields, item.base, ME, item.at)
        kept.append(queued(item.n, "update", item.fields, base, item.at, outcome="applied", rev=server.rev, seq=9))
    for seen_seq in (8, 9):
        assert shown(server.synced(), *kept, *queue[part:], seen_seq=seen_seq) == view


@given(EDITS, EDITS)
def test_an_acknowledged_edit_does_not_hide_what_somebody_wrote_after_it(
    mine: dict[str, Any], later: dict[str, Any]
) -> None:
    server = Server(account(), 5)
    base = server.synced()
    values = whole(mine, base.row)
    server.take(values, base.rev, ME, 100)
    kept = queued(1, "update", values, base, 100, outcome="applied", rev=server.rev, seq=9)
    server.take(whole(later, server.row), server.rev, OTHER, 200)
    assert shown(server.synced(), kept, seen_seq=8) == server.row


@given(EDITS)
def test_a_refused_edit_and_one_in_conflict_leave_the_view(mine: dict[str, Any]) -> None:
    base = Synced(5, account())
    for outcome in ("refused", "conflict", "skipped"):
        assert shown(base, queued(1, "update", mine, base, outcome=outcome, seq=9)) == base.row


@given(EDITS)
def test_a_queued_create_is_a_whole_row_and_edits_of_it_are_seen(edit: dict[str, Any]) -> None:
    create = queued(1, "create", {"name": "New"}, None, at=7)
    row = shown(None, create, queued(2, "update", edit, None))
    assert row == {**blank("accounts"), "created_at": 7, "created_by": "me", "name": "New", **edit}
    assert row.keys() == SHAPES["accounts"].types.keys()


@given(EDITS)
def test_an_edit_queued_on_an_own_create_stays_seen_when_the_create_comes_back_alone(edit: dict[str, Any]) -> None:
    create = queued(1, "create", {"name": "New"}, None, outcome="applied", rev=1, seq=9)
    update = queued(2, "update", whole(edit, account()), None)
    synced = Synced(1, account(name="New", created_at=3, created_by="me"))
    assert shown(synced, create, update, seen_seq=9) == {**synced.row, **edit}


def test_a_deleted_row_is_not_seen_unless_somebody_wrote_into_it_since() -> None:
    """S26."""
    base = Synced(5, account())
    delete = queued(1, "delete", {}, base)
    assert shown(base, delete) is None
    changed = Synced(6, account(city="Bilbao"))
    assert shown(changed, delete) == changed.row


def test_what_waits_for_a_person_is_shown_as_it_stands() -> None:
    """S24, `ask`: two people moved one account to different territories."""
    base = Synced(5, account(territory_key="t1"))
    mine = queued(1, "update", {"territory_key": "t2"}, base)
    assert shown(base, mine) == account(territory_key="t2")
    moved = Synced(6, account(territory_key="t3"))
    assert shown(moved, mine) == moved.row


def visit(**values: Any) -> dict[str, Any]:
    return {**blank("visits"), "account_key": "a", "owner_key": "me", **values}


def command(n: int, kind: str, base: Synced, at: int, **kept: Any) -> Queued:
    known = {"outcome": None, "rev": 0, "seq": 0, **kept}
    return Queued(n, "visits", "v", kind, at, base.rev, {}, None, base.row, receipt=None, **known)


def test_commands_move_a_record_through_its_states_and_go_on_after_the_first_came_back() -> None:
    """S27."""
    base = Synced(1, visit())
    check_in, check_out = command(1, "visit.check_in", base, 10), command(2, "visit.check_out", base, 20)
    both = visit(status="completed", checked_in_at=10, checked_out_at=20, verdict="unverifiable")
    assert shown(base, check_in, check_out) == both
    came_back = Synced(2, visit(status="checked_in", checked_in_at=9, verdict="unverifiable"))  # at corrected time
    acknowledged = command(1, "visit.check_in", base, 10, outcome="applied", rev=2, seq=4)
    assert shown(came_back, acknowledged, check_out) == {**both, "checked_in_at": 9}


def test_a_command_against_what_another_one_did_meanwhile_shows_what_stands() -> None:
    """S27."""
    base = Synced(1, visit())
    cancelled = Synced(2, visit(status="cancelled"))
    assert shown(cancelled, command(1, "visit.check_in", base, 10)) == cancelled.row


def test_settling_a_conflict_shows_its_new_status_only() -> None:
    row = {**blank("conflicts"), "entity": "deals", "row_key": "d", "status": "open"}
    restore = Queued(1, "conflicts", "c", "conflict.restore", 1, 1, {}, None, row, None, 0, 0, None)
    assert on_top(Synced(1, row), [restore], -1, ME, "me", Lookup(no_stages)) == {**row, "status": "restored"}


def test_a_visit_of_an_older_document_is_checked_in_all_the_same() -> None:
    """S32: what the entity has gained since is at its default."""
    old = {f: v for f, v in visit().items() if f not in ("verdict", "distance_m", "submitted", "participants")}
    assert completed("visits", old) == visit()
    check_in = command(1, "visit.check_in", Synced(1, old), 10)
    seen = shown(Synced(1, completed("visits", old)), check_in)
    assert seen == visit(status="checked_in", checked_in_at=10, verdict="unverifiable")
