"""What the seeded simulation found, each as the shortest story that shows it."""

import random

from sfa.core.clock import VirtualClock
from sfa.core.ids import KeyMaker
from sync.device.client import Device
from sync.device.store import Store
from sync.device.transport import ConnectionLost
from tests.builders import NOW
from tests.office import Office, Phone


def told_keys(phone: Phone) -> set[str]:
    """Every key that the next sync tells, living or gone."""
    return {item.key for page in phone.catch_up() for change in page.changes for item in change.items}


def test_a_team_member_moved_to_another_account_no_longer_sees_the_first(office: Office) -> None:
    """Promise 4: the account that he left is looked at as well as the one that he came to."""
    office.put(("account_members", "m", {"account_key": "acme", "user_key": "cleo"}))
    cleo = office.phone("cleo")
    cleo.catch_up()
    assert {"acme", "zeta"} <= cleo.keys("accounts")
    office.put(("accounts", "other", {"name": "Other", "territory_key": "t-north"}))
    office.put(("account_members", "m", {"account_key": "other"}))
    cleo.catch_up()
    assert cleo.keys("accounts") == {"other", "zeta"}
    assert office.row("accounts", "acme")["buckets"] == ["territory:t-north"]


def test_nobody_is_told_the_key_of_a_row_that_left_a_bucket_before_he_was_granted_it(office: Office) -> None:
    """S13: the delta of a bucket granted since the cursor begins with the grant."""
    cleo = office.phone("cleo")
    cleo.catch_up()
    office.delete("contacts", "carl")
    office.put(
        ("territory_members", "tm", {"territory_key": "t-north", "user_key": "cleo", "valid_from": "2025-01-01"})
    )
    assert "carl" not in told_keys(cleo)
    assert "acme" in cleo.keys("accounts")


def test_who_held_a_bucket_before_is_told_of_what_left_it_meanwhile(office: Office) -> None:
    """The other side of it: a bucket taken and given back between two syncs is no new bucket."""
    ana = office.phone("ana")
    ana.catch_up()
    office.delete("territory_members", "tm-ana")
    office.delete("contacts", "carl")
    office.put(("territory_members", "tm-ana", {"territory_key": "t-north"}))
    ana.catch_up()
    assert ana.sees().keys() == office.visible("ana").keys()


def test_a_deleted_row_that_moves_is_told_to_nobody_in_its_new_place(office: Office) -> None:
    """S13: the children of a merged account move with it, the deleted ones too, and were never seen over there."""
    cleo = office.phone("cleo")
    cleo.catch_up()
    office.delete("contacts", "carl")
    root = office.phone("root")
    assert root.do("account.merge", "accounts", "acme", set={"into": "zeta"}).outcome == "applied"
    assert "carl" not in told_keys(cleo)
    assert office.row("contacts", "carl")["buckets"] == ["territory:t-south"]


def test_a_queued_command_that_the_device_does_not_know_leaves_the_row_readable() -> None:
    """A newer server's command: what it does is seen when it comes back."""

    class Silent:
        def post(self, path: str, body: bytes, token: str | None) -> tuple[int, bytes]:
            raise ConnectionLost(f"{path}, {len(body)} bytes, token {token}")

    clock = VirtualClock(NOW)
    device = Device(Store(), Silent(), clock, KeyMaker(clock, random.Random(1).getrandbits))
    device.create("tasks", {"title": "Call", "owner_key": "ana"}, "t")
    device.command("task.delegate", "t", {"to": "bob"}, "tasks")
    row = device.get("tasks", "t")
    assert row is not None
    assert row["title"] == "Call"
