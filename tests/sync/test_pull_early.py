"""What today needs comes first on a first sync (S13), and nothing that holds later depends on it (S3, S4, S14)."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sfa.db import today
from sync.protocol import Page
from tests.builders import DAY_MS, NOW
from tests.office import Office, Phone
from tests.sync.device.pocket import of_scope

HOUR_MS = 3_600_000
MIDNIGHT = NOW - 9 * HOUR_MS  # in Madrid it is nine o'clock
Row = tuple[str, str, dict[str, Any]]


def account(key: str, territory: str = "t-north") -> Row:
    return "accounts", key, {"name": key.title(), "territory_key": territory}


def visit(key: str, at: int | None, account_key: str = "acme", owner: str = "ana", **more: Any) -> Row:
    return "visits", key, {"account_key": account_key, "owner_key": owner, "planned_at": at, **more}


def contact(key: str, account_key: str) -> Row:
    return "contacts", key, {"account_key": account_key, "name": key}


def first_pages(phone: Phone, **fields: Any) -> list[Page]:
    """Pages until the one that says that today is there, kept as `catch_up` does."""
    pages: list[Page] = []
    while not pages or pages[-1].early == "part":
        page = phone.page(phone.cursor, early=True, **fields)
        take(phone, page)
        pages.append(page)
    return pages


def take(phone: Phone, page: Page) -> None:
    for place in [place for place in phone.held if place[0] in page.drops]:
        del phone.held[place]
    for change in page.changes:
        for item in change.items:
            phone.held.pop((change.bucket, item.entity, item.key), None)
            if not item.gone:
                phone.held[change.bucket, item.entity, item.key] = item
    phone.cursor = page.cursor


def told(pages: Iterable[Page], entity: str) -> set[str]:
    return {i.key for page in pages for c in page.changes for i in c.items if i.entity == entity}


def test_the_visits_of_today_and_tomorrow_come_first_with_what_hangs_on_them(office: Office) -> None:
    office.put(account("near"), account("far"), contact("near-1", "near"), contact("far-1", "far"))
    office.put(
        visit("first", MIDNIGHT, "near"),
        visit("last", MIDNIGHT + 2 * DAY_MS - 1, "near"),
        visit("yesterday", MIDNIGHT - 1, "far"),
        visit("the-day-after", MIDNIGHT + 2 * DAY_MS, "far"),
        visit("of-bob", NOW, "far", "bob"),
        visit("cancelled", NOW, "far"),
        ("notes", "note-near", {"account_key": "near", "author_key": "bob", "body": "Ring twice", "written_at": NOW}),
        ("deals", "deal-near", {"name": "N", "owner_key": "ana", "account_key": "near", "stage_key": "lead"}),
        ("deals", "deal-won", {"name": "W", "owner_key": "ana", "account_key": "near", "stage_key": "lead"}),
        ("deal_lines", "line-near", {"deal_key": "deal-near", "product_key": "pump"}),
        ("tasks", "due", {"owner_key": "ana", "title": "Call", "due_on": "2026-01-06", "account_key": "far"}),
        ("tasks", "later", {"owner_key": "ana", "title": "Call", "due_on": "2026-01-07"}),
        ("tasks", "done", {"owner_key": "ana", "title": "Call", "due_on": "2026-01-05", "done": True}),
    )
    other = office.phone("ana", "other")
    other.do("visit.cancel", "visits", "cancelled", base=1)
    other.do("deal.win", "deals", "deal-won", base=1)
    ana = office.phone("ana")
    (page,) = first_pages(ana)
    assert (page.reset, page.early, page.caught_up) == ("no_cursor", "complete", False)
    assert told([page], "visits") == {"first", "last"}
    assert told([page], "accounts") == {"near", "far"}  # far: a task of today names it
    assert told([page], "contacts") == {"near-1"}
    assert told([page], "notes") == {"note-near"}
    assert told([page], "deals") == {"deal-near"}
    assert (told([page], "deal_lines"), told([page], "products")) == ({"line-near"}, {"pump"})
    assert told([page], "tasks") == {"due"}
    assert told([page], "stages") == {"lead", "offer", "won", "lost"}
    assert told([page], "users") == {"ana", "bob"}
    assert told([page], "organisations") == {"org"}
    assert told([page], "prices") == set()
    rest = ana.catch_up()
    assert [page.early for page in rest] == [None]
    assert ana.sees() == office.visible("ana")


def test_a_visit_that_is_under_way_is_todays_work_although_it_was_planned_for_yesterday(office: Office) -> None:
    office.put(
        account("old"), visit("begun", MIDNIGHT - 1), visit("unplanned", None), visit("past", MIDNIGHT - 2, "old")
    )
    other = office.phone("ana", "other")
    for key in ("begun", "unplanned"):
        taken = other.do("visit.check_in", "visits", key, base=1)
        assert taken.outcome != "refused", "two are open, so the second one asks a person (R13)"
    assert told(first_pages(office.phone("ana")), "visits") == {"begun", "unplanned"}


def test_the_days_are_those_of_the_organisation(office: Office) -> None:
    office.put(
        visit("tonight-there", NOW + 18 * HOUR_MS + 2 * DAY_MS - DAY_MS), visit("in-two-days", NOW + 40 * HOUR_MS)
    )
    assert "in-two-days" not in told(first_pages(office.phone("ana", "p1")), "visits")
    office.put(("organisations", "org", {"zone": "America/Los_Angeles"}))  # still midnight of the same day there
    found = told(first_pages(office.phone("ana", "p2")), "visits")
    assert found == {"in-two-days", "tonight-there"}


def test_who_does_not_ask_is_served_as_before(office: Office) -> None:
    office.put(visit("now", NOW))
    page = office.phone("ana").page()
    assert (page.early, page.caught_up) == (None, True)


def test_a_delta_and_a_new_territory_bring_nothing_early(office: Office) -> None:
    office.put(visit("now", NOW))
    ana = office.phone("ana")
    ana.catch_up(early=True)
    office.put(
        ("territory_members", "tm-x", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"})
    )
    pages = ana.catch_up(early=True)
    assert [page.early for page in pages] == [None]
    assert ana.sees() == office.visible("ana")


def test_a_reset_begins_with_today_too_and_an_empty_day_is_soon_told(office: Office) -> None:
    ana = office.phone("ana")
    ana.catch_up()
    page = ana.page("spoilt", early=True)
    assert (page.reset, page.early) == ("cursor_invalid", "complete")
    assert told([page], "visits") == set()


def test_who_holds_nothing_is_caught_up_at_once(office: Office) -> None:
    office.put(("users", "cleo", {"active": False}))
    page = office.phone("cleo").page(early=True)
    assert (page.early, page.caught_up, page.rows) == (None, True, 0)


def test_only_rows_of_the_scope_come_early(office: Office) -> None:
    """S4, S10: the visit is Ana's, the customer is somebody else's by now."""
    office.put(contact("zeta-2", "zeta"), visit("lost", NOW, "zeta"), visit("kept", NOW, "acme"))
    pages = first_pages(office.phone("ana"))
    assert told(pages, "visits") == {"kept"}
    assert told(pages, "accounts") == {"acme"}
    assert told(pages, "contacts") == {"carl"}


def test_a_visit_held_through_the_account_team_comes_in_the_bucket_that_is_held(office: Office) -> None:
    office.put(("account_members", "am", {"account_key": "zeta", "user_key": "ana"}), visit("guest", NOW, "zeta"))
    ana = office.phone("ana")
    first_pages(ana)
    assert ("user:ana", "visits", "guest") in ana.held
    ana.catch_up()
    assert ana.sees() == office.visible("ana")


CHANGES: dict[str, Callable[[Office], object]] = {
    "changed": lambda office: office.put(("visits", "now", {"purpose": "New"}), ("accounts", "acme", {"city": "Leon"})),
    "deleted": lambda office: office.delete("visits", "now"),
    "moved": lambda office: office.put(("accounts", "acme", {"territory_key": "t-south"})),
    "moved and back": lambda office: (
        office.put(("accounts", "acme", {"territory_key": "t-south"})),
        office.put(("accounts", "acme", {"territory_key": "t-north"})),
    ),
    "aged": lambda office: office.put(("visits", "now", {"planned_at": NOW - 600 * DAY_MS})),
    "bucket lost": lambda office: office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-02"})),
    "bucket lost and regained": lambda office: (
        office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-02"})),
        office.delete("visits", "now"),
        office.put(("territory_members", "tm-ana", {"valid_to": None})),
    ),
    "everything lost": lambda office: office.put(("users", "ana", {"active": False})),
    "planned for today meanwhile": lambda office: office.put(account("new"), visit("soon", NOW, "new")),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("rows", "part"), [(1, 0.5), (1, 1.0), (4, 0.1), (500, 1.0)])
def test_whatever_happens_between_an_early_page_and_the_fill_the_device_ends_exact(
    office: Office, change: str, rows: int, part: float
) -> None:
    """S13, S16: changed, gone, moved, dropped, after a part of the early pages."""
    office.put(contact("c1", "acme"), visit("now", NOW), visit("soon-too", NOW + DAY_MS))
    pages = len(first_pages(office.phone("ana", "count"), page_rows=rows))
    ana = office.phone("ana")
    for _ in range(max(1, round(part * pages))):
        take(ana, ana.page(ana.cursor, early=True, page_rows=rows))
    assert ana.held
    CHANGES[change](office)
    sums = ana.catch_up(early=True, page_rows=rows, digest=True)[-1].digests
    assert ana.sees() == of_scope(office, "ana")
    held = Counter(bucket for bucket, _, _ in ana.held)
    assert {bucket: told.count for bucket, told in (sums or {}).items()} == held


def test_the_number_of_questions_does_not_grow_with_the_day(office: Office) -> None:
    def questions() -> int:
        asked: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            asked.append(statement)

        def look(connection: Connection) -> int:
            event.listen(connection, "before_cursor_execute", note)
            today.needed(connection, "ana", NOW)
            event.remove(connection, "before_cursor_execute", note)
            return len(asked)

        return office.database.read(look)

    office.put(
        visit("one", NOW), ("deals", "d", {"name": "D", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"})
    )
    office.put(
        ("deal_lines", "l", {"deal_key": "d", "product_key": "pump"}),
        ("tasks", "t", {"owner_key": "ana", "title": "T", "due_on": "2026-01-05"}),
    )
    few = questions()
    office.put(*(account(f"a{i}") for i in range(40)))
    office.put(*(visit(f"v{i}", NOW + i, f"a{i % 40}") for i in range(80)))
    office.put(*(contact(f"c{i}", f"a{i % 40}") for i in range(160)))
    assert questions() <= few + 1
    assert few < 25


def test_what_comes_early_is_bounded(office: Office) -> None:
    office.put(*(visit(f"v{i:03}", NOW + i) for i in range(today.VISITS_MAX + 40)))
    office.put(*(contact(f"c{i:03}", "acme") for i in range(today.CONTACTS_EACH + 30)))
    notes = [
        ("notes", f"n{i}", {"account_key": "acme", "author_key": "ana", "body": "x" * size, "written_at": NOW + i})
        for i, size in enumerate((1, 2, 3, 4, 5, today.NOTE_CHARACTERS_MAX + 1))
    ]
    office.put(*notes)
    pages = first_pages(office.phone("ana"))
    assert len(told(pages, "visits")) <= today.VISITS_MAX + today.VISITS_EACH
    assert len(told(pages, "contacts")) == today.CONTACTS_EACH
    assert told(pages, "notes") == {"n4", "n3", "n2"}  # the last ones, but for one that is too long
