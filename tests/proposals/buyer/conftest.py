"""A screen of one office for all tests of a module that do not mind each other: each has a proposal of its own."""

from collections.abc import Iterator

import pytest

from proposals.buyer.page.limits import Limits
from sfa.app.factory import Services
from tests.crm.desk import Desk, opened
from tests.office import Office


@pytest.fixture(scope="module")
def shared_desk(shared_office: Office) -> Iterator[Desk]:
    with opened(shared_office) as made:
        yield made


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    """Everybody begins with all that may be asked at once: the clock of tests stands still."""
    services: Services = shared_desk.client.app.state.services
    services.pages.limits = Limits(services.clock)
    return shared_desk
