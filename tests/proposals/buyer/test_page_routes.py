"""The prospect's page over HTTP: what it shows, what it keeps to itself, what it takes (R45, R46, R50)."""

from collections.abc import Iterator

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office
from tests.proposals.buyer.paging import linked, sent


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made


def test_the_page_shows_the_offer(desk: Desk) -> None:
    sent(desk)
    ines = linked(desk, "p1-ines")
    page = ines.get()
    print(page.text[:3000])
    assert page.status_code == 200
