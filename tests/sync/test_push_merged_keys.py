"""Two rows that were one customer: what devices still send under the old key (S22)."""

import pytest
from sqlalchemy import select

from sfa.db.tables import redirects
from tests.office import Office

SECOND = ("contacts", "karl", {"account_key": "acme", "name": "Karl", "phone": "1", "email": "k@example.com"})


def merged(office: Office) -> None:
    """karl was merged into carl by mia; both had the phone 1."""
    office.put(SECOND)
    assert office.phone("mia").do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"}).outcome == (
        "applied"
    )


def leads(office: Office) -> dict[str, str]:
    return {r["loser_key"]: r["survivor_key"] for r in office.all(select(redirects))}


def test_a_merge_fills_gaps_moves_children_and_leaves_a_redirect(office: Office) -> None:
    """S22, S30: the survivor keeps what it has."""
    office.put(
        SECOND,
        ("visits", "v1", {"account_key": "acme", "owner_key": "ana", "contact_key": "karl"}),
        ("deals", "deal-a", {"contact_key": "karl"}),
    )
    office.phone("mia").do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"})
    survivor = office.row("contacts", "carl")
    assert (survivor["name"], survivor["email"], survivor["phone"]) == ("Carl", "k@example.com", "1")
    assert office.row("contacts", "karl")["gone"]
    assert [office.row("visits", "v1")["contact_key"], office.row("deals", "deal-a")["contact_key"]] == ["carl"] * 2
    assert leads(office) == {"karl": "carl"}


def test_an_update_of_a_merged_key_lands_on_the_survivor(office: Office) -> None:
    """S22: it is no conflict where the survivor says what the loser said when they were merged."""
    merged(office)
    receipt = office.phone("ana").edit("contacts", "karl", base=1, phone="5")
    assert (receipt.outcome, receipt.key, receipt.conflicts) == ("applied", "carl", [])
    assert office.row("contacts", "carl")["phone"] == "5"
    assert office.history("contacts", "carl")[-1]["via"] == "karl"
    assert office.row("contacts", "karl")["gone"]


def test_an_update_of_a_merged_key_meets_another_value_of_the_survivor_as_a_conflict(office: Office) -> None:
    """S22, S24."""
    merged(office)
    receipt = office.phone("ana").edit("contacts", "karl", base=1, name="Karl-Heinz")
    assert (receipt.key, len(receipt.conflicts)) == ("carl", 1)
    names = {office.row("contacts", "carl")["name"]}
    names |= {office.row("conflicts", receipt.conflicts[0])["losing"]["name"]}
    assert names == {"Carl", "Karl-Heinz"}


def test_a_deletion_of_a_merged_key_is_answered_and_changes_nothing(office: Office) -> None:
    """S22."""
    merged(office)
    before = office.row("contacts", "carl")
    assert office.phone("ana").do("delete", "contacts", "karl", base=1).code == "already_merged"
    assert office.row("contacts", "carl") == before


def test_references_in_a_mutation_follow_the_redirect(office: Office) -> None:
    """S22."""
    merged(office)
    ana = office.phone("ana")
    ana.do("create", "visits", "v1", set={"account_key": "acme", "contact_key": "karl"})
    assert office.row("visits", "v1")["contact_key"] == "carl"


def test_merged_accounts_take_their_children_along_and_later_children_follow(office: Office) -> None:
    """S8, S22, S30."""
    office.put(
        ("accounts", "acne", {"name": "Acne", "territory_key": "t-north", "tags": ["x"]}),
        ("contacts", "c9", {"account_key": "acne", "name": "Nine"}),
        ("notes", "n9", {"account_key": "acne", "author_key": "ana", "body": "hello"}),
    )
    mia, ana = office.phone("mia"), office.phone("ana")
    ana.catch_up()
    assert mia.do("account.merge", "accounts", "acne", base=1, set={"into": "acme"}).outcome == "applied"
    assert {office.row(e, k)["account_key"] for e, k in (("contacts", "c9"), ("notes", "n9"))} == {"acme"}
    assert office.row("accounts", "acme")["tags"] == ["x"]
    assert ana.do("create", "contacts", "late", set={"account_key": "acne", "name": "Late"}).outcome == "applied"
    assert office.row("contacts", "late")["account_key"] == "acme"
    assert office.row("accounts", "acne")["gone"]
    ana.catch_up()
    assert ana.sees() == office.visible("ana")


@pytest.mark.parametrize("together", [True, False])
def test_chains_are_flattened(office: Office, together: bool) -> None:
    """S22: one step leads to the survivor, in one push as in two."""
    office.put(SECOND, ("contacts", "kalle", {"account_key": "acme", "name": "Kalle"}))
    mia = office.phone("mia")
    steps = [
        mia.mutation("contact.merge", "contacts", "kalle", base=1, set={"into": "karl"}),
        mia.mutation("contact.merge", "contacts", "karl", base=1, set={"into": "carl"}),
    ]
    for push in [steps] if together else [[step] for step in steps]:
        assert {r.outcome for r in mia.push(*push).receipts} == {"applied"}
    assert leads(office) == {"kalle": "carl", "karl": "carl"}
    receipt = office.phone("ana").edit("contacts", "kalle", base=1, mobile="9")
    assert (receipt.key, office.row("contacts", "carl")["mobile"]) == ("carl", "9")


def test_an_edit_through_a_chain_made_in_the_same_push_lands_on_the_last_survivor(office: Office) -> None:
    """S22."""
    office.put(SECOND, ("contacts", "kalle", {"account_key": "acme", "name": "Kalle"}))
    mia = office.phone("mia")
    answer = mia.push(
        mia.mutation("contact.merge", "contacts", "kalle", base=1, set={"into": "karl"}),
        mia.mutation("contact.merge", "contacts", "karl", base=1, set={"into": "carl"}),
        mia.mutation("update", "contacts", "kalle", base=1, set={"mobile": "9"}),
        mia.mutation("create", "visits", "v1", set={"account_key": "acme", "contact_key": "kalle"}),
    )
    assert [r.code for r in answer.receipts] == [None] * 4
    assert answer.receipts[2].key == "carl"
    assert office.row("visits", "v1")["contact_key"] == "carl"


def test_cycles_are_refused(office: Office) -> None:
    """S22: the survivor cannot be merged into what was merged into it, nor a loser again."""
    merged(office)
    mia = office.phone("mia")
    assert mia.do("contact.merge", "contacts", "carl", base=1, set={"into": "karl"}).code == "merge_invalid"
    assert mia.do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"}).code == "already_merged"
    assert leads(office) == {"karl": "carl"}


def test_a_refused_merge_in_a_unit_leaves_no_redirect(office: Office) -> None:
    """S19, S20, S22."""
    office.put(SECOND)
    mia = office.phone("mia")
    unit = {"unit": {"id": "u", "size": 2}}
    mia.push(
        mia.mutation("contact.merge", "contacts", "karl", base=1, set={"into": "carl"}, **unit),
        mia.mutation("update", "contacts", "nobody", base=1, set={"name": "x"}, **unit),
    )
    assert (leads(office), office.row("contacts", "karl")["gone"]) == ({}, False)
    assert office.row("contacts", "carl")["email"] is None


def test_a_transition_of_a_merged_key_moves_the_survivor(office: Office) -> None:
    """S22: only accounts and contacts are merged, so a row under them keeps its own key."""
    office.put(("visits", "v1", {"account_key": "acme", "owner_key": "ana", "contact_key": "carl"}))
    merged(office)
    assert office.phone("ana").do("visit.check_in", "visits", "v1", base=1).key == "v1"


def test_conflicts_of_the_loser_are_settled_on_the_survivor(office: Office) -> None:
    """S22, S24."""
    office.put(SECOND)
    office.phone("bob").edit("contacts", "karl", base=1, title="Boss")
    (key,) = office.phone("ana").do("delete", "contacts", "karl", base=1).conflicts
    office.phone("mia").do("contact.merge", "contacts", "karl", base=1, set={"into": "carl"})
    assert office.row("conflicts", key)["row_key"] == "carl"
