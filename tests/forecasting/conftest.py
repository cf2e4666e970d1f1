"""Screens for the tests of this wing."""

from collections.abc import Iterator

import pytest

from tests.crm.desk import Desk, opened
from tests.office import Office


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    with opened(office) as made:
        yield made
