"""Pages: a first sync, a delta and what ends in `caught_up` (S3, S5, S13, S14)."""

import pytest

from sync import pull
from sync.protocol import PAGE_ROWS_MAX, Page
from tests.builders import USERS
from tests.office import SECRET, Office


def items(pages: list[Page]) -> list[tuple[str, str, str, bool]]:
    return [(c.bucket, i.entity, i.key, i.gone) for page in pages for c in page.changes for i in c.items]


def test_the_first_page_resets_and_says_why(shared_office: Office) -> None:
    """S15: never silently."""
    page = shared_office.phone("ana", "p1").page()
    assert (page.reset, page.caught_up, page.drops) == ("no_cursor", True, [])
    assert page.rows == len(items([page]))


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("rows", [1, 7, PAGE_ROWS_MAX])
def test_pages_until_caught_up_are_everything_visible_and_nothing_else(
    shared_office: Office, user: str, rows: int
) -> None:
    """S3, S4, S10, S14: whatever the size of a page, for every role."""
    phone = shared_office.phone(user, f"p-{user}-{rows}")
    pages = phone.catch_up(page_rows=rows)
    assert phone.sees() == shared_office.visible(user)
    assert {place[0] for place in phone.held} <= shared_office.held(user)
    assert [page.reset for page in pages] == ["no_cursor"] + [None] * (len(pages) - 1)
    assert [page.caught_up for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(page.rows <= rows for page in pages)
    assert len(items(pages)) == len(set(items(pages)))


def test_a_page_ends_at_its_bytes_but_one_row_always_fits(shared_office: Office) -> None:
    """S14: a page is never stuck behind a large row."""
    puller = pull.Puller("ana", "d-ana")
    cursor, pages, now = None, 0, shared_office.clock.now_ms()
    while True:
        page = shared_office.database.read(pull.page, puller, cursor, now, SECRET, pull.Scopes(), PAGE_ROWS_MAX, 0, 1)
        assert page.rows <= 1
        cursor, pages = page.cursor, pages + 1
        if page.caught_up:
            break
    assert pages >= len(shared_office.visible("ana"))


def test_a_poll_without_news_is_empty_and_keeps_its_place(office: Office) -> None:
    """S5."""
    ana = office.phone("ana")
    ana.catch_up()
    page = ana.page(ana.cursor)
    assert (page.rows, page.changes, page.drops, page.reset, page.caught_up) == (0, [], [], None, True)
    assert page.cursor == ana.cursor


def test_a_delta_is_only_what_changed_and_only_once(office: Office) -> None:
    """S5, S7: three versions of a row travel as one."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.catch_up()
    for phone in ("2", "3", "4"):
        bob.edit("contacts", "carl", phone=phone)
    office.put(("contacts", "zoe", {"phone": "9"}), ("products", "pump", {"family": "F"}))
    pages = ana.catch_up(page_rows=1)
    assert sorted(items(pages)) == [
        ("all", "products", "pump", False),
        ("territory:t-north", "contacts", "carl", False),
    ]
    assert ana.sees() == office.visible("ana")


def test_a_deletion_arrives_as_gone_and_a_return_as_the_row(office: Office) -> None:
    """S13, S26."""
    ana = office.phone("ana")
    ana.catch_up()
    office.delete("contacts", "carl")
    assert items(ana.catch_up()) == [("territory:t-north", "contacts", "carl", True)]
    office.put(("contacts", "carl", {"phone": "2"}))
    assert items(ana.catch_up()) == [("territory:t-north", "contacts", "carl", False)]
    assert ana.sees() == office.visible("ana")


def test_a_row_changed_while_its_bucket_is_being_filled_arrives_in_its_last_state(office: Office) -> None:
    """S13b: entries of a bucket that is being filled are in the delta too."""
    office.put(*((("contacts", f"c{i:02}", {"account_key": "acme", "name": str(i)})) for i in range(20)))
    ana = office.phone("ana")
    steps = 0
    while True:
        page = ana.page(ana.cursor, page_rows=3)
        ana.cursor = page.cursor
        for change in page.changes:
            for item in change.items:
                place = (change.bucket, item.entity, item.key)
                ana.held.pop(place, None)
                if not item.gone:
                    ana.held[place] = item
        if page.caught_up:
            break
        steps += 1
        if steps % 3 == 0 and steps < 30:
            office.put_and_delete(
                [
                    ("contacts", f"c{steps % 20:02}", {"phone": str(steps)}),
                    ("contacts", f"new{steps}", {"account_key": "acme", "name": "new"}),
                ],
                [("contacts", f"c{(steps + 7) % 20:02}")],
            )
    assert steps > 20
    assert ana.sees() == office.visible("ana")


def test_a_push_and_its_page_come_in_one_round_trip(office: Office) -> None:
    """S21: the page shows what the push did."""
    ana = office.phone("ana")
    ana.catch_up()
    body = ana.body(
        [ana.mutation("update", "contacts", "carl", base=1, set={"phone": "2"})], pull=True, cursor=ana.cursor
    )
    assert b'"phone":"2"' in ana.answer(body)


def test_every_phone_of_everybody_converges_after_a_day_of_work(office: Office) -> None:
    """S3."""
    ana, bob, mia, cleo, dirk = (office.phone(u) for u in ("ana", "bob", "mia", "cleo", "dirk"))
    for phone in (ana, bob, mia, cleo, dirk):
        phone.catch_up()
    ana.do("create", "visits", "v1", set={"account_key": "acme"})
    bob.edit("contacts", "carl", base=1, phone="2")
    ana.edit("contacts", "carl", base=1, phone="3")
    mia.edit("deals", "deal-a", base=1, amount_minor=7)
    ana.edit("deals", "deal-a", base=1, amount_minor=9)
    dirk.edit("accounts", "acme", base=1, territory_key="t-south")
    cleo.do("delete", "contacts", "zoe", base=1)
    for user in ("ana", "bob", "mia", "cleo", "dirk"):
        office.phone(user).catch_up(page_rows=2)
        assert office.phone(user).sees() == office.visible(user), user
