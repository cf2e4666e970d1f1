"""S16: digests on request, and buckets that a device asks to have again."""

import pytest

from sfa.core.digests import BucketDigest, of_rows
from sfa.core.errors import Refused
from sync.protocol import REFILL_MAX
from tests.builders import USERS
from tests.office import Office, Phone

NORTH = "territory:t-north"


def sums(phone: Phone) -> dict[str, BucketDigest]:
    """What a device reckons from its memberships."""
    rows: dict[str, list[tuple[str, str, int]]] = {}
    for (bucket, entity, key), item in phone.held.items():
        rows.setdefault(bucket, []).append((entity, key, item.rev))
    return {bucket: of_rows(found) for bucket, found in rows.items()}


@pytest.mark.parametrize("user", USERS)
def test_a_caught_up_page_has_the_digest_of_every_held_bucket_that_is_not_empty(office: Office, user: str) -> None:
    """S16: and it is the one that the device reckons from what it got."""
    phone = office.phone(user)
    assert phone.catch_up(digest=True)[-1].digests == sums(phone)
    office.put(("accounts", "acme", {"territory_key": "t-south"}), ("contacts", "zoe", {"title": "Buyer"}))
    office.delete("contacts", "carl")
    assert phone.catch_up(digest=True)[-1].digests == sums(phone)


def test_digests_are_told_only_on_request_and_only_at_the_end(office: Office) -> None:
    ana = office.phone("ana")
    pages = ana.catch_up(page_rows=4, digest=True)
    assert [page.digests is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert ana.page(ana.cursor).digests is None


@pytest.mark.parametrize("rows", [1, 5000])
def test_a_bucket_asked_for_comes_again_from_its_beginning_and_no_other(office: Office, rows: int) -> None:
    ana = office.phone("ana")
    ana.catch_up()
    page = ana.page(ana.cursor, refill=[NORTH], page_rows=rows)
    got = [(c.bucket, i.entity, i.key) for c in page.changes for i in c.items]
    while not page.caught_up:
        page = ana.page(page.cursor, page_rows=rows)
        got += [(c.bucket, i.entity, i.key) for c in page.changes for i in c.items]
    assert got == sorted(place for place in ana.held if place[0] == NORTH)
    assert (page.drops, page.reset) == ([], None)


def test_a_bucket_that_is_not_held_is_to_be_dropped_and_tells_nothing(office: Office) -> None:
    """S4: a bucket that exists and one that does not look the same."""
    ana = office.phone("ana")
    ana.catch_up()
    page = ana.page(ana.cursor, refill=["territory:t-south", "nowhere"])
    assert (page.drops, page.changes, page.caught_up) == (["nowhere", "territory:t-south"], [], True)


def test_no_more_buckets_than_the_limit_are_taken(office: Office) -> None:
    """S34."""
    ana = office.phone("ana")
    assert ana.page(refill=["x"] * REFILL_MAX).caught_up
    with pytest.raises(Refused, match=r"refill|length"):
        ana.page(refill=["x"] * (REFILL_MAX + 1))
