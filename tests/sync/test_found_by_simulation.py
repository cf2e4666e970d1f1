"""What the seeded simulation found, each as the shortest story that shows it."""

from tests.builders import NOW
from tests.office import Office, Phone
from tests.sync.device.pocket import alone


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
    device = alone()
    device.create("tasks", {"title": "Call", "owner_key": "ana"}, "t")
    device.command("task.delegate", "t", {"to": "bob"}, "tasks")
    row = device.get("tasks", "t")
    assert row is not None
    assert row["title"] == "Call"


def test_who_closes_a_deal_as_lost_for_another_reason_agrees_and_his_reason_is_kept(office: Office) -> None:
    """S1, S27: the same thing done twice is no quarrel, but a word that a person typed stays to be found."""
    ana, mia = office.phone("ana"), office.phone("mia")
    mia.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "price"})
    receipt = ana.do("deal.lose", "deals", "deal-a", base=1, set={"reason": "they moved"})
    assert (receipt.outcome, office.row("deals", "deal-a")["lost_reason"]) == ("merged", "price")
    (key,) = receipt.conflicts
    found = office.row("conflicts", key)
    assert (found["status"], found["losing"]) == ("closed", {"lost_reason": "they moved"})


def test_the_outcome_of_a_visit_that_two_people_checked_out_is_merged_like_any_field(office: Office) -> None:
    """S24, S27: the first said nothing about it."""
    office.put(("visits", "v", {"account_key": "acme", "owner_key": "ana"}))
    ana, tablet = office.phone("ana"), office.phone("ana", "tablet")
    ana.do("visit.check_in", "visits", "v", base=1)
    ana.do("visit.check_out", "visits", "v", base=2)
    receipt = tablet.do("visit.check_out", "visits", "v", base=2, set={"outcome": "sold"})
    assert (receipt.outcome, office.row("visits", "v")["outcome"]) == ("applied", "sold")


def test_an_edit_of_a_merged_key_keeps_a_group_whole(office: Office) -> None:
    """S22, S24: a street is no field of its own where the cities differ."""
    office.put(("accounts", "old", {"name": "Old", "territory_key": "t-north", "city": "Vigo"}))
    ana = office.phone("ana")
    office.phone("root").do("account.merge", "accounts", "old", set={"into": "acme"})
    address = {"street": "Gran Via 1", "postal_code": None, "city": "Vigo", "region": None, "country": None}
    receipt = ana.do("update", "accounts", "old", base=1, at=NOW + 1, set=address)
    said = [office.row("accounts", "acme"), *(office.row("conflicts", key)["losing"] for key in receipt.conflicts)]
    assert {f: said[0][f] for f in address} in (address, {**address, "street": None, "city": "Bilbao"})
    assert any(row.get("street") == "Gran Via 1" and row.get("city") == "Vigo" for row in said)


def test_the_conflict_of_a_deal_line_goes_with_the_account_that_moves_while_the_line_is_edited(office: Office) -> None:
    """S8, S10: three storeys below the account, one of them touched in the same transaction and one not."""
    office.put(("deal_lines", "line", {"deal_key": "deal-a", "product_key": "pump"}))
    ana, bob, mia = office.phone("ana"), office.phone("bob"), office.phone("mia")
    mia.edit("deal_lines", "line", quantity="2")
    (key,) = ana.edit("deal_lines", "line", base=1, quantity="3").conflicts
    bob.catch_up()
    assert key in bob.keys("conflicts")
    office.put(("accounts", "acme", {"territory_key": "t-south"}), ("deal_lines", "line", {"position": 7}))
    assert office.row("conflicts", key)["buckets"] == office.row("deal_lines", "line")["buckets"]
    bob.catch_up()
    assert bob.sees().keys() == office.visible("bob").keys()


def test_who_loses_a_bucket_as_a_row_comes_into_it_is_never_told_of_that_row(office: Office) -> None:
    """S13: not even when he gets the bucket back after the row has gone; ends are numbered before entries."""
    ana = office.phone("ana")
    ana.catch_up()
    office.put_and_delete(
        [("contacts", "secret", {"account_key": "acme", "name": "Secret"})], [("territory_members", "tm-ana")]
    )
    office.delete("contacts", "secret")
    office.put(("territory_members", "tm-ana", {"territory_key": "t-north"}))
    assert "secret" not in told_keys(ana)
    assert ana.sees().keys() == office.visible("ana").keys()
