"""Tokens on the device, where two syncs of one store run at once: the app in front, and its job in the background."""

from pathlib import Path

import pytest

from sfa.core.clock import VirtualClock
from sfa.core.ids import KeyMaker
from sync.device import ConnectionLost, Device, Store
from sync.device.store import Person
from tests.builders import NOW


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
