"""What a change of scope does to phones: drops, fills, moves, and nothing that was never allowed (S4, S8, S10-S13)."""

from typing import Any

import pytest

from sync.protocol import Page
from tests.builders import DAY_MS
from tests.office import Office, Phone


def keys(pages: list[Page]) -> set[str]:
    return {item.key for page in pages for change in page.changes for item in change.items}


def moved_together(office: Office, *phones: Phone) -> None:
    for phone in phones:
        phone.catch_up(page_rows=3)
        assert phone.sees() == office.visible(phone.user), phone.user


def test_a_revoked_bucket_is_one_drop_however_many_rows_it_had(office: Office) -> None:
    """S4, S13a."""
    office.put(*(("contacts", f"c{i}", {"account_key": "acme", "name": "C"}) for i in range(30)))
    ana = office.phone("ana")
    ana.catch_up()
    assert "carl" in ana.keys("contacts")
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-05"}))
    pages = ana.catch_up()
    assert [drop for page in pages for drop in page.drops] == ["territory:t-north"]
    assert keys(pages) == {"tm-ana"}
    assert ana.keys("contacts") == set()
    moved_together(office, ana)


def test_a_grant_fills_its_bucket_and_nothing_else(office: Office) -> None:
    """S13c."""
    ana = office.phone("ana")
    ana.catch_up()
    office.put(
        ("territory_members", "tm-2", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2026-01-01"})
    )
    pages = ana.catch_up(page_rows=1)
    assert keys(pages) == {"tm-2", "zeta", "zoe"}
    moved_together(office, ana)


def test_revoked_and_granted_again_between_two_polls_loses_nothing(office: Office) -> None:
    """S13: with a change meanwhile, that the phone was not told of."""
    ana = office.phone("ana")
    ana.catch_up()
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-05"}))
    office.delete("contacts", "carl")
    office.put(("contacts", "c1", {"account_key": "acme", "name": "C"}))
    office.put(("territory_members", "tm-ana", {"valid_to": None}))
    moved_together(office, ana)
    assert ana.keys("contacts") == {"c1"}


def test_a_bucket_lost_while_it_is_being_filled_is_dropped(office: Office) -> None:
    """S13."""
    ana = office.phone("ana")
    office.put(*(("contacts", f"c{i}", {"account_key": "acme", "name": "C"}) for i in range(20)))
    page = ana.page(page_rows=45)
    assert not page.caught_up
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-05"}))
    page = ana.page(page.cursor)
    assert page.drops == ["territory:t-north"]
    assert page.caught_up


def test_scope_and_data_changed_in_one_transaction_arrive_together(office: Office) -> None:
    """S11, S12: the customer moves to the south in the moment in which ana does."""
    ana, bob = office.phone("ana"), office.phone("bob")
    ana.catch_up()
    bob.catch_up()
    office.put(
        ("accounts", "acme", {"territory_key": "t-south"}),
        ("territory_members", "tm-ana", {"territory_key": "t-south"}),
        ("contacts", "c1", {"account_key": "acme", "name": "C"}),
    )
    moved_together(office, ana, bob)
    assert ana.keys("contacts") == {"carl", "zoe", "c1"}
    assert bob.keys("contacts") == set()


def test_a_moved_account_takes_everything_below_it_along(office: Office) -> None:
    """S8: gone in the old bucket, an entry in the new one, in one transaction."""
    office.put(
        ("visits", "v1", {"account_key": "acme", "owner_key": "ana"}),
        ("notes", "n1", {"account_key": "acme", "author_key": "ana"}),
        ("deal_lines", "l1", {"deal_key": "deal-a", "product_key": "pump"}),
    )
    bob, cleo = office.phone("bob"), office.phone("cleo")
    bob.catch_up()
    cleo.catch_up()
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    moved = {"acme", "carl", "v1", "n1", "l1", "deal-a"}
    assert keys(cleo.catch_up()) == moved
    assert keys(bob.catch_up()) == moved
    assert not moved & {key for _, key in bob.sees()}
    assert moved <= {key for _, key in cleo.sees()}
    moved_together(office, bob, cleo, office.phone("ana"), office.phone("mia"))


def test_a_contact_that_changes_its_account_moves(office: Office) -> None:
    """S8."""
    ana, cleo = office.phone("ana"), office.phone("cleo")
    moved_together(office, ana, cleo)
    office.put(("contacts", "carl", {"account_key": "zeta"}))
    moved_together(office, ana, cleo)
    assert "carl" in cleo.keys("contacts") - ana.keys("contacts")


def test_a_child_added_while_its_account_moves_lands_in_the_new_bucket(office: Office) -> None:
    """S8: in one transaction, in either order."""
    ana, cleo = office.phone("ana"), office.phone("cleo")
    child = ("contacts", "c1", {"account_key": "acme", "name": "C"})
    move = ("accounts", "acme", {"territory_key": "t-south"})
    office.put(child, move, ("contacts", "c2", {"account_key": "acme", "name": "D"}))
    moved_together(office, ana, cleo)
    assert cleo.keys("contacts") == {"zoe", "carl", "c1", "c2"}


# -- where rows lie --------------------------------------------------------------------------------------------------


def test_a_deal_lies_with_its_territory_its_owner_and_its_split_partners(office: Office) -> None:
    """S10."""
    shares = [{"user_key": "ana", "share_bp": 7_000}, {"user_key": "cleo", "share_bp": 3_000}]
    office.put(("deals", "deal-a", {"splits": shares}))
    assert office.row("deals", "deal-a")["buckets"] == ["book:ana", "territory:t-north", "user:cleo"]
    cleo = office.phone("cleo")
    cleo.catch_up()
    assert cleo.keys("deals") == {"deal-a"}
    assert (cleo.keys("accounts"), cleo.keys("contacts")) == ({"zeta"}, {"zoe"})
    office.put(("deals", "deal-a", {"splits": []}))
    moved_together(office, cleo)
    assert cleo.keys("deals") == set()


def test_a_deal_without_an_account_lies_in_its_owners_book(office: Office) -> None:
    """S10: seen by the owner and the managers above, not by the colleague of the territory."""
    office.put(("deals", "free", {"name": "F", "owner_key": "ana", "stage_key": "lead"}))
    assert office.row("deals", "free")["buckets"] == ["book:ana"]
    sees = {u for u in ("ana", "bob", "cleo", "mia", "dirk", "fay") if ("deals", "free") in office.visible(u)}
    assert sees == {"ana", "mia", "dirk", "fay"}


def test_an_account_team_member_gets_the_customer_but_not_other_peoples_deals(office: Office) -> None:
    """S10: 71 of 85 real accounts are sold by agents of several regions."""
    office.put(
        ("visits", "v1", {"account_key": "acme", "owner_key": "ana"}),
        ("notes", "n1", {"account_key": "acme", "author_key": "ana"}),
    )
    cleo = office.phone("cleo")
    cleo.catch_up()
    office.put(("account_members", "am-1", {"account_key": "acme", "user_key": "cleo"}))
    moved_together(office, cleo)
    mine = {(e, k) for e, k in cleo.sees() if k in ("acme", "carl", "v1", "n1", "deal-a", "am-1")}
    assert mine == {
        ("accounts", "acme"),
        ("contacts", "carl"),
        ("visits", "v1"),
        ("notes", "n1"),
        ("account_members", "am-1"),
    }
    office.put(("deals", "hers", {"name": "H", "owner_key": "cleo", "account_key": "acme", "stage_key": "lead"}))
    moved_together(office, cleo)
    assert cleo.keys("deals") == {"hers"}
    office.delete("account_members", "am-1")
    moved_together(office, cleo)
    assert cleo.keys("accounts") == {"zeta"}


def test_a_team_member_moved_to_another_account_leaves_the_first(office: Office) -> None:
    """S4, S8."""
    office.put(
        ("accounts", "beta", {"name": "Beta", "territory_key": "t-north"}),
        ("account_members", "am-1", {"account_key": "acme", "user_key": "cleo"}),
    )
    cleo = office.phone("cleo")
    moved_together(office, cleo)
    office.put(("account_members", "am-1", {"account_key": "beta"}))
    moved_together(office, cleo)
    assert cleo.keys("accounts") == {"beta", "zeta"}
    office.put(("account_members", "am-1", {"user_key": "ana"}))
    moved_together(office, cleo, office.phone("ana"))


@pytest.mark.parametrize("user", ["ana", "bob", "cleo", "mia", "root"])
def test_costs_never_reach_who_may_not_see_them(office: Office, user: str) -> None:
    """S10, R45: not by any page, nor after a change."""
    phone = office.phone(user)
    phone.catch_up()
    office.put(("unit_costs", "c-pump", {"amount_minor": 7}))
    phone.catch_up()
    assert phone.keys("unit_costs") == set()
    assert "cost:all" not in office.held(user)


def test_costs_reach_directors_and_finance(office: Office) -> None:
    """S10."""
    for user in ("dirk", "fay"):
        office.phone(user).catch_up()
        assert office.phone(user).keys("unit_costs") == {"c-pump"}


@pytest.mark.parametrize(
    ("values", "sees"),
    [
        ({"user_key": "ana"}, {"ana", "mia", "dirk", "fay", "root"}),
        ({"team_key": "north"}, {"ana", "bob", "mia", "dirk", "fay", "root"}),
        ({"territory_key": "t-south"}, {"cleo", "dirk", "fay", "root"}),
    ],
)
def test_quotas_are_seen_by_whom_they_bind_and_the_managers_above(
    office: Office, values: dict[str, Any], sees: set[str]
) -> None:
    """S10."""
    period = {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"}
    quota = {"period_key": "q1", "measure": "new_accounts", "target": 5, **values}
    office.put(("fiscal_periods", "q1", period), ("quotas", "quota", quota))
    users = ("ana", "bob", "cleo", "mia", "dirk", "fay", "root")
    assert {u for u in users if ("quotas", "quota") in office.visible(u)} == sees


# -- dated assignments -----------------------------------------------------------------------------------------------


def test_a_dated_membership_takes_effect_on_its_day_with_the_next_pull(office: Office) -> None:
    """S11: lazily, without any job, at the organisation's midnight (Madrid, 23:00 UTC)."""
    ana = office.phone("ana")
    ana.catch_up()
    office.put(
        ("territory_members", "tm-2", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2026-01-07"})
    )
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-07"}))
    moved_together(office, ana)
    assert ana.keys("accounts") == {"acme"}
    office.clock.advance(DAY_MS + 15 * 3_600_000 - 1)
    moved_together(office, ana)
    assert ana.keys("accounts") == {"acme"}
    office.clock.advance(1)
    pages = ana.catch_up()
    assert [drop for page in pages for drop in page.drops] == ["territory:t-north"]
    assert ana.keys("accounts") == {"zeta"}


def test_a_dated_membership_takes_effect_before_a_push_too(office: Office) -> None:
    """S11: rights are those of the day."""
    ana = office.phone("ana")
    office.put(("territory_members", "tm-ana", {"valid_to": "2026-01-06"}))
    assert ana.edit("contacts", "carl", base=1, phone="2").outcome == "applied"
    office.clock.advance(DAY_MS)
    assert ana.edit("contacts", "carl", base=2, phone="3").outcome == "handed_over"
    assert office.row("contacts", "carl")["phone"] == "2"


def test_a_leaver_holds_nothing(office: Office) -> None:
    """S4, S10: and his managers keep his book."""
    ana, mia = office.phone("ana"), office.phone("mia")
    moved_together(office, ana, mia)
    office.put(("users", "ana", {"active": False}))
    ana.catch_up()
    assert (ana.sees(), office.held("ana")) == ({}, frozenset())
    moved_together(office, mia)
    assert "deal-a" in mia.keys("deals")
