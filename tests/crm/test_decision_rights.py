"""Who decides (S1, R53): a conflict is settled by whoever may set its value."""

from tests.crm.desk import Desk
from tests.office import Office


def quarrel_about_territory(office: Office) -> str:
    """dirk moved the customer, root meant otherwise; ana, of its team, sees it. -> the conflict."""
    office.put(("account_members", "am-ana", {"account_key": "acme", "user_key": "ana"}))
    base = office.rev("accounts", "acme")
    assert office.phone("dirk").edit("accounts", "acme", base, territory_key="t-south").outcome == "applied"
    (key,) = office.phone("root").edit("accounts", "acme", base, territory_key=None).conflicts
    return key


def test_a_conflict_about_what_only_managers_set_is_dismissed_by_one_of_them(office: Office, desk: Desk) -> None:
    key = quarrel_about_territory(office)
    for command in ("conflict.restore", "conflict.dismiss"):
        assert office.phone("ana").do(command, "conflicts", key).code == "field_not_permitted"
    assert desk.post("ana", f"/api/conflicts/{key}/dismiss").json()["code"] == "field_not_permitted"
    assert office.row("conflicts", key)["status"] == "open"
    assert office.phone("dirk").do("conflict.dismiss", "conflicts", key).outcome == "applied"
    assert office.row("conflicts", key)["status"] == "dismissed"


def test_what_is_said_to_be_allowed_is_what_is_allowed(office: Office, desk: Desk) -> None:
    key = quarrel_about_territory(office)
    for user, expected in {"ana": (False, "field_not_permitted"), "dirk": (True, None)}.items():
        actions = desk.get(user, f"/api/conflicts/{key}").json()["actions"]
        assert [(a["allowed"], a["code"]) for a in actions] == [expected, expected]


def test_a_conflict_about_a_deletion_is_still_dismissed_by_who_may_change_the_row(office: Office) -> None:
    base = office.rev("contacts", "carl")
    office.phone("bob").do("delete", "contacts", "carl", base=base)
    (key,) = office.phone("ana").edit("contacts", "carl", base, title="Buyer").conflicts
    assert office.phone("ana").do("conflict.dismiss", "conflicts", key).outcome == "applied"
