"""The company of `tests.builders` with a folder for files, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.files.cabinet import Cabinet, opened
from tests.office import Office


@pytest.fixture
def cabinet(office: Office, tmp_path: Path) -> Iterator[Cabinet]:
    with opened(office, tmp_path / "files") as found:
        yield found
