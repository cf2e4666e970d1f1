"""What the server keeps comes to a device whole or not at all, and goes on where it was cut."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sync.device import ConnectionLost, Device, ServerRefused, Store, fetching
from sync.device.http import HttpTransport
from sync.device.transport import Content
from tests.files.cabinet import Cabinet, digest, opened, padded, values
from tests.office import Office
from tests.sync.device.pocket import pocket

CONTENT = padded(2_500_000)
pytestmark = pytest.mark.parametrize("office", ["sqlite"], indirect=True)


class Cut(HttpTransport):
    """`asked` are the ranges; the answers of those numbered in `lose` never come, `garbled` ones come wrong."""

    def __init__(self, client: httpx.Client) -> None:
        super().__init__("http://testserver.local", client)
        self.asked: list[str] = []
        self.lose: set[int] = set()
        self.garble: set[int] = set()

    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Content, token: str | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        status, told, content = super().send(method, path, headers, body, token)
        if status in (200, 206):
            self.asked.append(headers.get("Range", "all"))
            if len(self.asked) in self.lose:
                raise ConnectionLost("the answer was lost")
            content = bytes(len(content)) if len(self.asked) in self.garble else content
        return status, told, content


@pytest.fixture
def cabinet(office: Office, tmp_path: Path) -> Iterator[Cabinet]:
    office.put(("attachments", "offer", values(CONTENT, author_key="ana")))
    with opened(office, tmp_path / "files") as found:
        found.upload("offer", CONTENT)
        yield found


@pytest.fixture
def line(cabinet: Cabinet) -> Cut:
    return Cut(cabinet.client)


@pytest.fixture
def bob(cabinet: Cabinet, line: Cut) -> Iterator[Device]:
    clock = cabinet.office.clock
    store = Store()
    found = Device(store, line, clock, KeyMaker(clock))
    found.login("bob@example.com", "correct horse")
    found.sync()
    yield found
    store.close()


def test_a_file_comes_in_pieces_and_is_what_the_row_says(bob: Device, line: Cut, tmp_path: Path) -> None:
    target = tmp_path / "offer.jpg"
    assert bob.fetch("offer", target) == len(CONTENT)
    assert digest(target.read_bytes()) == digest(CONTENT)
    assert line.asked == ["bytes=0-1048575", "bytes=1048576-2097151", "bytes=2097152-2499999"]
    assert list(tmp_path.glob(".*part")) == []


def test_it_goes_on_where_it_was_cut_and_is_not_there_before(bob: Device, line: Cut, tmp_path: Path) -> None:
    target = tmp_path / "offer.jpg"
    line.lose = {2}
    with pytest.raises(ConnectionLost):
        bob.fetch("offer", target)
    assert not target.exists()
    bob.fetch("offer", target)
    assert target.read_bytes() == CONTENT
    assert [asked.split("-")[0] for asked in line.asked] == [
        "bytes=0",
        "bytes=1048576",
        "bytes=1048576",
        "bytes=2097152",
    ]


def test_a_piece_of_something_else_is_fetched_again_once(bob: Device, line: Cut, tmp_path: Path) -> None:
    line.garble = {2}
    bob.fetch("offer", tmp_path / "offer.jpg")
    assert (tmp_path / "offer.jpg").read_bytes() == CONTENT
    line.garble = {len(line.asked) + 1, len(line.asked) + 4}
    with pytest.raises(Refused) as refused:
        bob.fetch("offer", tmp_path / "other.jpg")
    assert refused.value.code == "file_differs"
    assert sorted(path.name for path in tmp_path.glob("*.*") if "other" in path.name) == []


def test_an_access_token_that_ended_is_renewed_on_the_way(bob: Device, cabinet: Cabinet, tmp_path: Path) -> None:
    cabinet.advance(3_600_000)
    assert bob.fetch("offer", tmp_path / "offer.jpg") == len(CONTENT)


def test_a_file_whose_row_or_bytes_are_missing_is_refused_at_once(
    bob: Device, cabinet: Cabinet, line: Cut, tmp_path: Path
) -> None:
    cabinet.office.put(("attachments", "late", values(b"later", author_key="ana")))
    bob.sync()
    for key, code in (("late", "file_awaited"), ("nothing", "row_unknown")):
        with pytest.raises(Refused) as refused:
            bob.fetch(key, tmp_path / "x")
        assert refused.value.code == code
    assert line.asked == []


def test_what_the_server_no_longer_gives_is_told_as_it_says_it(bob: Device, cabinet: Cabinet, tmp_path: Path) -> None:
    cabinet.office.delete("attachments", "offer")
    with pytest.raises(ServerRefused) as refused:
        bob.fetch("offer", tmp_path / "x")
    assert refused.value.code == "not_found"


def test_a_line_that_carries_no_files_says_so(cabinet: Cabinet, tmp_path: Path) -> None:
    ana = pocket(cabinet.office, "ana")
    ana.sync()
    with pytest.raises(Refused) as refused:
        fetching.fetch(ana.store, ana.transport, "offer", tmp_path / "x")
    assert refused.value.code == "request_invalid"
