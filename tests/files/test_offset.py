"""The offset rule as a property: whatever is sent, cut and lied about, the offset is what was counted, and the file is
the file."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfa.files.local import Folder
from tests.files.cabinet import Cabinet, digest, jpeg, padded

SIZE = 9_000
CONTENT = padded(SIZE)
PIECE = 1_000

steps = st.lists(
    st.tuples(
        st.sampled_from(["whole", "cut", "elsewhere", "too much", "wrong checksum"]),
        st.integers(1, 4_000),
        st.integers(1, 5),
    ),
    max_size=12,
)


@pytest.fixture
def piecemeal(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> Cabinet:
    """Pieces reach the disk each kilobyte."""
    monkeypatch.setattr(Folder, "flush_bytes", PIECE)
    return cabinet


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(steps)
def test_the_offset_is_what_lies_there_and_the_file_is_whole(
    piecemeal: Cabinet, played: list[tuple[str, int, int]]
) -> None:
    cabinet, stands = piecemeal, 0
    place = cabinet.begin("pic", CONTENT)
    for kind, size, pieces in played:
        rest = CONTENT[stands : min(stands + size, SIZE - 1)]
        match kind:
            case "whole" if rest:
                assert cabinet.add(place, stands, rest).status_code == 204
                stands += len(rest)
            case "cut" if rest:
                cabinet.cut(place, stands, rest, pieces)
                stands += len(rest)
            case "elsewhere":
                assert cabinet.add(place, stands + size, b"x").status_code in (409, 413)
            case "too much":
                assert cabinet.add(place, stands, CONTENT[stands:] + b"x").status_code == 413
            case "wrong checksum":
                answer = cabinet.add(place, stands, rest, Upload_Checksum="sha1 " + "A" * 27 + "=")
                assert answer.status_code == 460
        assert cabinet.offset(place) == stands
    assert cabinet.add(place, stands, CONTENT[stands:]).status_code == 204
    assert cabinet.offset(place) == SIZE
    assert cabinet.contents() == [digest(CONTENT)]
    assert cabinet.parts() == []
    path = next(Path(cabinet.folder).glob("blobs/*/*/*"))
    assert path.read_bytes() == CONTENT
    cabinet.tus("DELETE", place)


def test_a_piece_is_on_the_disk_before_it_counts(piecemeal: Cabinet) -> None:
    """What was counted is there even if nothing after it ever happens."""
    place = piecemeal.begin("pic", CONTENT)
    piecemeal.cut(place, 0, CONTENT[:4_500], pieces=9)
    assert piecemeal.offset(place) == 4_500
    parts = sorted(Path(piecemeal.folder).glob("parts/*/*"))
    assert b"".join(path.read_bytes() for path in parts) == CONTENT[:4_500]


def test_bytes_of_a_request_that_lost_its_place_are_not_part_of_the_file(piecemeal: Cabinet) -> None:
    place = piecemeal.begin("pic", CONTENT)
    key = place.rpartition("/")[2]
    piecemeal.files.place.put_part(key, f"{0:015d}-zombie", [b"of an older request"])
    assert piecemeal.add(place, 0, CONTENT).status_code == 204
    assert piecemeal.contents() == [digest(CONTENT)]
    assert piecemeal.parts() == []
    assert jpeg()[:2] == CONTENT[:2]
