"""A device is killed at any line of its own code: nothing is lost, nothing happens twice, the store is whole.

Every line that runs in `sync/device` is a place to die: the app is gone, its file is opened again, and it syncs.
"""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import sync.device
from tests.office import Office
from tests.sync.device.pocket import Pocket, of_scope, pocket

CODE = str(Path(sync.device.__file__).parent)
LINES_MAX = 20_000
# The device's own file is what matters here.
on_sqlite = pytest.mark.parametrize("office", ["sqlite"], indirect=True)
steps = pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])  # every eleventh line, or all


class Killed(BaseException):
    """The process is gone."""


class Mortal(sqlite3.Connection):
    """A connection of a process that may be dead: a dead one executes nothing, so no cleanup can help it."""

    dead = False

    def execute(self, *args: Any) -> sqlite3.Cursor:
        if self.dead and args[0] != "ROLLBACK":
            raise Killed
        return super().execute(*(("SELECT 1",) if self.dead else args))


def mortal(path: str, **options: Any) -> sqlite3.Connection:
    return sqlite3.connect(path, factory=Mortal, **options)


def killed_at(line: int, act: Callable[[], object], connection: Mortal) -> bool:
    """Run until the n-th line inside the device's code; -> whether it came to that line."""
    left = line

    def local(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left == 0:
                connection.dead = True
                raise Killed
        return local

    def trace(frame: FrameType, _event: str, _arg: Any) -> Any:
        return local if frame.f_code.co_filename.startswith(CODE) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except Killed:
        return True
    finally:
        sys.settrace(before)
    return False


def connection_of(device: Pocket) -> Mortal:
    found = device.store._connection
    assert isinstance(found, Mortal)
    return found


def work(device: Pocket, key: str) -> None:
    """What a rep does before a sync: two edits that belong together, and one more."""
    with device.unit():
        device.create("contacts", {"account_key": "acme", "name": key}, key=key)
        device.update("contacts", key, {"phone": "1"})
    device.update("contacts", key, {"mobile": "2"})


def check(office: Office, device: Pocket, key: str) -> None:
    assert list(device.pending()) == []
    assert device.rows() == of_scope(office, "ana")
    assert [(entry["kind"], entry["rev"]) for entry in office.history("contacts", key)] == [
        ("create", 1),
        ("update", 2),
        ("update", 3),
    ]
    assert {name: device.list("contacts")[key][name] for name in ("phone", "mobile")} == {"phone": "1", "mobile": "2"}


@on_sqlite
@steps
@pytest.mark.parametrize("start", ["delta", "reset"])
def test_a_sync_killed_at_any_line_is_made_good_by_the_next_one(
    office: Office, tmp_path: Path, start: str, step: int
) -> None:
    """S2, S15, S18."""
    path = tmp_path / "store.db"
    device = pocket(office, "ana", path, connect=mortal)
    device.sync()
    for line in range(1, LINES_MAX, step):
        key = f"{start}-{line}"
        work(device, key)
        if start == "reset":
            device.store.set_state(cursor=None)
        died = killed_at(line, lambda d=device: d.sync(page_rows=25), connection_of(device))  # type: ignore[misc]
        device.store.close()
        device = device.reopened(path, mortal)
        shown = device.list("contacts").get(key)
        assert shown is not None, "what the user typed is seen at any time"
        assert len(device.list("accounts")) >= 1, "the app is never empty"
        device.sync()
        check(office, device, key)
        office.delete("contacts", key)
        if not died:
            assert line > 100
            return
    raise AssertionError("the sync never ended")


@on_sqlite
@steps
def test_an_edit_killed_at_any_line_is_queued_whole_or_not_at_all(office: Office, tmp_path: Path, step: int) -> None:
    """S17, S20."""
    path = tmp_path / "store.db"
    device = pocket(office, "ana", path, connect=mortal)
    device.sync()
    sizes = set()
    for line in range(1, LINES_MAX, step):
        key = f"edit-{line}"
        died = killed_at(line, lambda d=device, k=key: work(d, k), connection_of(device))  # type: ignore[misc]
        device.store.close()
        device = device.reopened(path, mortal)
        numbers = [found.n for found in device.pending()]
        sizes.add(len(numbers))
        assert len(numbers) in (0, 2, 3)
        device.sync()
        assert list(device.pending()) == []
        assert device.rows() == of_scope(office, "ana")
        if numbers:
            office.delete("contacts", key)
        if not died:
            assert sizes == {0, 2, 3}
            return
    raise AssertionError("the edits never ended")
