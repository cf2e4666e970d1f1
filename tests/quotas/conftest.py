"""Screens for the tests of this slice."""

from collections.abc import Iterator

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as opened_desk:
        yield opened_desk
