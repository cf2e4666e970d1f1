"""Tokens on the device, where two syncs of one store run at once: the app in front, and its job in the background."""

import threading
import time
from pathlib import Path

import pytest

from sfa.core.clock import VirtualClock
from sfa.core.ids import KeyMaker
from sync.device import ConnectionLost, Device, Store
from sync.device.store import Person
from tests.builders import NOW
from tests.sync.net import Net, key_of, net

__all__ = ["net"]


def test_a_token_that_another_sync_of_this_store_renewed_is_used_and_not_refreshed_again(tmp_path: Path) -> None:
    """A refresh token that comes back after its successor was used would end the whole login."""
    store, other = Store(tmp_path / "store"), Store(tmp_path / "store")
    store.set_state(user=Person("ana"), device_key="d-ana", access_token="old", refresh_token="r1")
    seen: list[tuple[str, str | None]] = []

    class Faster:
        def post(self, path: str, _body: bytes, token: str | None) -> tuple[int, bytes]:
            seen.append((path, token))
            if token == "new":
                raise ConnectionLost("far enough")
            other.set_state(access_token="new", refresh_token="r2")
            return 401, b'{"code": "token_expired"}'

    clock = VirtualClock(NOW)
    with pytest.raises(ConnectionLost):
        Device(store, Faster(), clock, KeyMaker(clock)).sync()
    assert seen == [("/sync", "old"), ("/sync", "new")]
    store.close()
    other.close()


def test_two_syncs_of_one_store_that_refresh_at_once_keep_the_login(net: Net, tmp_path: Path) -> None:
    """S31: each has an expired token and the same refresh token; one refreshes, the other takes what it got."""
    place = tmp_path / "store"
    first = Device(Store(place), net, net.office.clock, KeyMaker(net.office.clock))
    first.login("ana@example.com", "correct horse")
    first.sync()
    net.office.clock.advance(2 * 3600 * 1000)  # the access token is good for one hour
    gate = threading.Barrier(2, timeout=20)
    refreshed: list[str] = []

    class Slow:
        """Both hear of the expired token before either refreshes, and a refresh takes a while."""

        def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
            status, answer = net.post(path, body, token)
            if path == "/sync" and status == 401:
                gate.wait()
            if path == "/auth/refresh":
                refreshed.append(path)
                time.sleep(0.3)
            return status, answer

    failed: list[BaseException] = []

    def sync() -> None:
        try:
            Device(Store(place), Slow(), net.office.clock, KeyMaker(net.office.clock)).sync()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=sync) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failed == []
    assert len(refreshed) == 1
    net.office.clock.advance(2 * 3600 * 1000)
    first.sync()
    assert net.devices("ana")[key_of(first)]["state"] == "active"


def test_the_turn_of_one_that_died_goes_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.device.store.ALONE_TIMEOUT_S", 0.1)
    store, other = Store(tmp_path / "store"), Store(tmp_path / "store")
    with store.alone():
        with pytest.raises(ConnectionLost, match="another sync"), other.alone():
            raise AssertionError("two at once")
        other.set_state(epoch="e")  # an edit does not wait for it
    with pytest.raises(ZeroDivisionError), store.alone():
        raise ZeroDivisionError
    with other.alone():
        assert other.state().epoch == "e"


def test_the_files_of_a_store_are_its_owners_alone(tmp_path: Path) -> None:
    """They hold customers and tokens; an older file that others could read is closed to them."""
    place = tmp_path / "store"
    place.write_bytes(b"")
    place.chmod(0o644)
    store = Store(place)
    store.set_state(access_token="secret")
    with store.alone():
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert len(modes) > 2, "the write-ahead log is there too"
    assert set(modes.values()) == {0o600}, modes
    store.close()
