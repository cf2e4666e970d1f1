"""S13, S30: a suggestion that two rows are one lies where both lie, at every moment."""

import pytest

from sfa.crm.finder import suggestion_key
from tests.crm.test_finder import find
from tests.office import Office

PAIR = suggestion_key("accounts", "acme", "acme-2")


def pair(office: Office) -> None:
    """acme and acme-2 lie in the north and are suggested to be one."""
    office.clock.advance(1000)
    office.put(("accounts", "acme-2", {"name": "Acme", "territory_key": "t-north", "city": "Bilbao"}))
    find(office)
    assert office.row("suggestions", PAIR)["buckets"] == ["territory:t-north"]


@pytest.mark.parametrize("moved", ["acme", "acme-2"])
def test_a_suggestion_leaves_with_the_first_of_its_rows_that_leaves(office: Office, moved: str) -> None:
    """S13: whoever gets one row only is not told the key of the other, not even until the job runs."""
    pair(office)
    ana, cleo, root = office.phone("ana"), office.phone("cleo"), office.phone("root")
    for phone in (ana, cleo, root):
        phone.catch_up()
    assert (ana.keys("suggestions"), cleo.keys("suggestions")) == ({PAIR}, set())
    assert office.phone("dirk").edit("accounts", moved, territory_key="t-south").outcome == "applied"
    assert office.row("suggestions", PAIR)["buckets"] == []
    for phone in (ana, cleo, root):
        phone.catch_up()
        assert phone.keys("suggestions") == set()
        assert phone.sees() == office.visible(phone.user)


def test_a_suggestion_follows_when_both_rows_have_moved(office: Office) -> None:
    pair(office)
    cleo = office.phone("cleo")
    for moved in ("acme", "acme-2"):
        office.put(("accounts", moved, {"territory_key": "t-south"}))
    cleo.catch_up()
    assert office.row("suggestions", PAIR)["buckets"] == ["territory:t-south"]
    assert cleo.keys("suggestions") == {PAIR}


def test_a_suggestion_about_contacts_leaves_when_one_of_their_customers_moves(office: Office) -> None:
    office.put(("accounts", "sur", {"name": "Sur", "territory_key": "t-north"}))
    office.put(("contacts", "karl", {"account_key": "sur", "name": "Carl", "phone": "1"}))
    find(office)
    key = suggestion_key("contacts", "carl", "karl")
    values = {"entity": "contacts", "row_key": "karl", "other_key": "carl", "kind": "duplicate", "score_bp": 9000}
    if office.find("suggestions", key) is None:
        office.put_server_row("suggestions", key, values)
    assert office.row("suggestions", key)["buckets"] == ["territory:t-north"]
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    assert office.row("suggestions", key)["buckets"] == []


def test_who_is_on_the_team_of_one_customer_only_is_not_told_of_the_pair(office: Office) -> None:
    """A pair that parts in some buckets stays in those that the two share."""
    pair(office)
    office.put(("account_members", "am", {"account_key": "acme", "user_key": "cleo"}))
    cleo = office.phone("cleo")
    cleo.catch_up()
    assert ("accounts", "acme") in cleo.sees()
    assert office.row("suggestions", PAIR)["buckets"] == ["territory:t-north"]
    assert cleo.keys("suggestions") == set()
