"""`sfa device route`, without signal."""

from collections.abc import Callable
from pathlib import Path

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals
from tests.builders import NOW
from tests.office import Office

__all__ = ["terminals"]
HOUR_MS = 3_600_000


@on_sqlite
def test_a_phone_orders_the_day_as_the_server_does_without_signal(
    office: Office, terminals: Callable[[str], Terminal], tmp_path: Path
) -> None:
    for i, key in enumerate(("west", "middle", "east")):
        place = {"latitude": 43.26, "longitude": -3.0 + i / 10}
        office.put(("accounts", key, {"name": f"The {key}", "territory_key": "t-north", **place}))
    for hour, key in enumerate(("west", "east", "middle", "acme"), start=1):
        at = NOW + hour * HOUR_MS
        office.put(("visits", f"v-{key}", {"account_key": key, "owner_key": "ana", "planned_at": at}))
    office.put(("visits", "v-bob", {"account_key": "west", "owner_key": "bob", "planned_at": NOW + HOUR_MS}))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    words = ("route", "--on", "2026-01-05", "--start", "43.26,-3.05", "--end", "43.26,-2.75")
    found = ana.json(*words)
    assert [stop["key"] for stop in found["stops"]] == ["v-west", "v-middle", "v-east"]
    text = ana.run(*words)
    assert "The middle" in text
    assert "left out: Acme: nobody knows where it is" in text
    assert ana.run("route", "--on", "2026-01-06") == "no visits are planned"
    assert "not a time" in ana.run("route", "--from", "9", code=1)
