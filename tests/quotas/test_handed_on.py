"""R18: a leaver keeps the credit of what he won, however the deal is handed on."""

from typing import Any

import pytest

from tests.crm.desk import opened
from tests.office import Office
from tests.quotas.books import Q1, quota, win
from tests.quotas.ledger import values
from tests.sync.device.pocket import Pocket, pocket

HANDED_ON = [{"user_key": "ana", "share_bp": 10_000}, {"user_key": "bob", "share_bp": 0}]


@pytest.fixture
def book(office: Office) -> Office:
    """Ana won a deal, and the customer with it; mia manages her and Bob."""
    people = [quota(user, user_key=user) for user in ("ana", "bob")]
    firsts = [quota(f"{user}-new", "new_accounts", user_key=user) for user in ("ana", "bob")]
    office.put(("fiscal_periods", "q1", Q1), *people, *firsts)
    win(office.phone("ana"), "w", 500_000)
    office.clock.advance(86_400_000)
    return office


ANAS = {"ana": 500_000, "bob": 0, "ana-new": 1, "bob-new": 0}
BOBS = {"ana": 0, "bob": 500_000, "ana-new": 0, "bob-new": 1}


def splits(office: Office, key: str = "w") -> Any:
    return office.row("deals", key)["splits"]


def shown(device: Pocket) -> Any:
    return (device.get("deals", "w") or {})["splits"]


def test_r18_a_won_deal_that_a_phone_hands_on_leaves_its_credit_with_who_won_it(book: Office) -> None:
    assert book.phone("mia").edit("deals", "w", owner_key="bob").outcome == "applied"
    assert (splits(book), values(book)) == (HANDED_ON, ANAS)
    assert book.phone("mia").edit("deals", "w", amount_minor=600_000).outcome == "applied"
    assert values(book)["ana"] == 600_000


def test_r18_it_is_so_at_a_screen_and_history_tells_it(book: Office) -> None:
    with opened(book) as desk:
        answer = desk.ask(
            "mia", "PATCH", "/api/deals/w", json={"row": {"owner_key": "bob"}}, rev=book.rev("deals", "w")
        )
        assert answer.status_code == 200
        assert answer.json()["row"]["splits"] == HANDED_ON
    assert values(book) == ANAS


def test_r18_a_device_shows_it_before_it_syncs_and_is_right(book: Office) -> None:
    mia = pocket(book, "mia")
    mia.sync()
    mia.update("deals", "w", {"owner_key": "bob"})
    assert shown(mia) == HANDED_ON
    mia.sync()
    assert (shown(mia), splits(book), values(book)) == (HANDED_ON, HANDED_ON, ANAS)
    assert not mia.list("conflicts")


def test_r18_a_deal_is_handed_on_again_and_back(book: Office) -> None:
    mia = book.phone("mia")
    mia.edit("deals", "w", owner_key="bob")
    assert mia.edit("deals", "w", owner_key="mia").outcome == "applied"
    assert splits(book) == [{"user_key": "ana", "share_bp": 10_000}, {"user_key": "mia", "share_bp": 0}]
    assert mia.edit("deals", "w", owner_key="ana").outcome == "applied"
    assert values(book) == ANAS


def test_r18_who_wants_the_credit_moved_says_splits(book: Office) -> None:
    said: dict[str, Any] = {"owner_key": "bob", "splits": [{"user_key": "bob", "share_bp": 10_000}]}
    assert book.phone("mia").edit("deals", "w", **said).outcome == "applied"
    assert values(book) == BOBS


def test_r18_open_and_lost_deals_move_as_they_are(book: Office) -> None:
    mia = book.phone("mia")
    assert mia.edit("deals", "deal-a", owner_key="bob").outcome == "applied"
    assert splits(book, "deal-a") == []
    mia.do("deal.lose", "deals", "deal-a", base=book.rev("deals", "deal-a"), set={"reason": "price"})
    assert mia.edit("deals", "deal-a", owner_key="ana").outcome == "applied"
    assert splits(book, "deal-a") == []
