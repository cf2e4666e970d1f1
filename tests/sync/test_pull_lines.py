"""A page in lines: each one a small page with a cursor of its own, behind which a device goes on (S12, S14, S21)."""

from typing import Any

import msgspec
import pytest

from sfa.core.errors import Refused
from sync.protocol import PAGE_BYTES_MAX, PAGE_BYTES_MIN, Line, Page, SyncAnswer
from sync.round import Round
from sync.sheet import FIRST_LINE_BYTES, At, Sheet
from tests.builders import NOW
from tests.office import SECRET, Office, Phone

LINE_BYTES = 900


def lines_of(phone: Phone, *mutations: Any, **fields: Any) -> tuple[SyncAnswer, list[Page]]:
    """-> (the head, every page of the answer)."""
    answer = phone.answer(phone.body(mutations, pull=True, lines=True, **fields))
    assert answer.endswith(b"\n")
    first, *rest = answer.splitlines()
    head = msgspec.json.decode(first, type=SyncAnswer)
    assert head.page is not None
    return head, [head.page, *(msgspec.json.decode(line, type=Line).page for line in rest)]


def entries(*pages: Page) -> list[tuple[str, str, str, int, bool]]:
    return [(c.bucket, i.entity, i.key, i.rev, i.gone) for page in pages for c in page.changes for i in c.items]


@pytest.fixture
def small(office: Office) -> Office:
    """Lines of a few rows, and enough rows for many."""
    office.round = Round(office.database, office.clock, SECRET, office.round.commands, line_bytes=LINE_BYTES)
    office.put(*(("contacts", f"c{i:02}", {"account_key": "acme", "name": f"Contact {i}"}) for i in range(20)))
    office.put(("visits", "now", {"account_key": "acme", "owner_key": "ana", "planned_at": NOW}))
    return office


def test_the_lines_of_a_page_are_that_page(small: Office) -> None:
    whole = small.phone("ana").page()
    head, pages = lines_of(small.phone("ana"))
    assert len(pages) > 10
    assert entries(*pages) == entries(whole)
    assert [page.reset for page in pages] == ["no_cursor"] + [None] * (len(pages) - 1)
    assert [page.caught_up for page in pages] == [False] * (len(pages) - 1) + [True]
    assert {page.seq for page in pages} == {whole.seq}
    assert sum(page.rows for page in pages) == whole.rows
    assert head.push is None


def test_a_device_goes_on_behind_any_line_and_gets_the_rest_and_nothing_twice(small: Office) -> None:
    """S12: what has arrived is not sent again."""
    ana = small.phone("ana")
    _, pages = lines_of(ana)
    for i, page in enumerate(pages[:-1]):
        assert entries(*lines_of(ana, cursor=page.cursor)[1]) == entries(*pages[i + 1 :])


def test_what_changes_behind_a_line_is_in_the_delta_of_its_cursor(small: Office) -> None:
    """S13: the server that goes on is no longer the one that made the line."""
    count = len(lines_of(small.phone("ana"), early=True)[1])
    assert count > 10
    for i in range(0, count, 4):
        phone = small.phone("ana", f"p{i}")
        _, pages = lines_of(phone, early=True)
        new = ("contacts", f"x{i}", {"account_key": "acme", "name": "New"})
        small.put(("contacts", f"c{i % 10:02}", {"phone": str(i)}), new)
        small.delete("contacts", f"c{10 + i // 4 % 10:02}")
        for page in pages[: i + 1]:
            for change in page.changes:
                phone.held.update({(change.bucket, item.entity, item.key): item for item in change.items})
            phone.cursor = page.cursor
        phone.catch_up()
        assert phone.sees() == small.visible("ana")


def test_a_delta_is_cut_into_lines_too_in_the_order_of_the_feed(small: Office) -> None:
    ana = small.phone("ana")
    ana.catch_up()
    small.put(*(("contacts", f"c{i:02}", {"phone": str(i)}) for i in range(20)))
    small.delete("contacts", "carl")
    _, pages = lines_of(ana, cursor=ana.cursor)
    whole = ana.page(ana.cursor)
    assert len(pages) > 3
    assert entries(*pages) == entries(whole)
    for i, page in enumerate(pages[:-1]):
        assert entries(*lines_of(ana, cursor=page.cursor)[1]) == entries(*pages[i + 1 :])


def test_receipts_and_drops_come_with_the_first_line_and_digests_with_the_last(small: Office) -> None:
    """S16, S21."""
    ana = small.phone("ana")
    ana.catch_up()
    small.put(
        ("territory_members", "tm-x", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"}),
        ("territory_members", "tm-ana", {"valid_to": "2026-01-02"}),
        *(("contacts", f"z{i:02}", {"account_key": "zeta", "name": f"Contact {i}"}) for i in range(20)),
    )
    task = ana.mutation("create", "tasks", "t", set={"title": "Call"})
    head, pages = lines_of(ana, task, cursor=ana.cursor, digest=True)
    assert head.push is not None
    assert [receipt.outcome for receipt in head.push.receipts] == ["applied"]
    assert [page.drops for page in pages] == [["territory:t-north"]] + [[]] * (len(pages) - 1)
    assert [page.digests is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert len(pages) > 3


def test_the_line_that_ends_what_is_early_says_so(small: Office) -> None:
    _, pages = lines_of(small.phone("ana"), early=True)
    said = [page.early for page in pages]
    end = said.index("complete")
    assert said == ["part"] * end + ["complete"] + [None] * (len(pages) - end - 1)
    assert 0 < end < len(pages) - 2
    assert pages[-1].caught_up  # the rest comes along in the same answer


def test_a_poll_is_one_line(small: Office) -> None:
    ana = small.phone("ana")
    ana.catch_up()
    _, pages = lines_of(ana, cursor=ana.cursor)
    assert [(page.rows, page.caught_up) for page in pages] == [(0, True)]


def test_no_pull_is_one_line_without_a_page(small: Office) -> None:
    ana = small.phone("ana")
    answer = ana.answer(ana.body([ana.mutation("create", "tasks", "t", set={"title": "Call"})], lines=True))
    assert answer.count(b"\n") == 1
    assert msgspec.json.decode(answer, type=SyncAnswer).page is None


def test_a_page_may_be_asked_for_in_few_bytes(small: Office) -> None:
    """S14: for a client that takes no lines this bounds what a lost answer costs."""
    ana = small.phone("ana")
    pages = ana.catch_up(page_bytes=PAGE_BYTES_MIN)
    assert len(pages) > 10
    assert ana.sees() == small.visible("ana")
    for page in pages:
        size = sum(len(msgspec.json.encode(item)) for change in page.changes for item in change.items)
        assert size <= PAGE_BYTES_MIN or page.rows == 1
    for wrong in (PAGE_BYTES_MIN - 1, PAGE_BYTES_MAX + 1):
        with pytest.raises(Refused) as caught:
            ana.page(page_bytes=wrong)
        assert caught.value.code == "request_invalid"


def test_a_line_is_as_long_as_its_cursor_is_worth() -> None:
    """A director's cursor of hundreds of buckets would otherwise be most of what travels."""
    for cursor_bytes, least in ((200, 10_000), (5_000, 50_000)):
        sheet = Sheet(At(0, {}), 10_000, 1 << 30, 10_000, cursor_bytes)
        for i in range(1_000):
            assert sheet.add("all", b"x" * 500)
            sheet.at.c = i
        first, *middle, _last = sheet.finished()
        assert first.rows * 500 <= FIRST_LINE_BYTES
        assert {part.rows * 500 for part in middle} == {least}
        assert first.at.c == first.rows - 1
