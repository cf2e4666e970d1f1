"""What is refused, how it is told, and that it tells nothing about what the author may not see (S1, S18, S19, S23)."""

from typing import Any

import msgspec
import pytest

from sync.protocol import Receipt
from tests.office import Office

PLAIN = {"account_key": "acme", "name": "New"}


def told(receipt: Receipt, key: str) -> Any:
    """A receipt without its number, with every trace of the key replaced."""
    text = msgspec.json.encode(msgspec.structs.replace(receipt, n=0)).decode()
    return text.replace(key, "KEY")


@pytest.mark.parametrize(
    ("kind", "entity", "hidden", "values"),
    [
        ("update", "contacts", "zoe", {"name": "x"}),
        ("update", "accounts", "zeta", {"territory_key": "t-north"}),
        ("delete", "contacts", "zoe", {}),
        ("delete", "accounts", "zeta", {}),
        ("deal.win", "deals", "deal-z", {}),
        ("deal.move", "deals", "deal-z", {"stage_key": "offer"}),
        ("visit.check_in", "visits", "visit-z", {}),
        ("account.merge", "accounts", "zeta", {"into": "acme"}),
        ("update", "unit_costs", "c-pump", {"amount_minor": 1}),
        ("conflict.dismiss", "conflicts", "d-cleo.1.0", {}),
        ("refusal.dismiss", "refusals", "d-cleo.2", {}),
    ],
)
def test_a_hidden_row_is_refused_like_one_that_does_not_exist(
    office: Office, kind: str, entity: str, hidden: str, values: dict[str, Any]
) -> None:
    """S10, S19: the receipts differ in nothing but the key."""
    office.put(
        ("deals", "deal-z", {"name": "Z", "owner_key": "cleo", "account_key": "zeta", "stage_key": "lead"}),
        ("visits", "visit-z", {"account_key": "zeta", "owner_key": "cleo"}),
    )
    office.phone("dirk").edit("contacts", "zoe", phone="2")
    assert office.phone("cleo").do("delete", "contacts", "zoe", base=1).conflicts == ["d-cleo.1.0"]
    office.phone("cleo").edit("contacts", "nobody", base=1, name="x")
    assert office.find(entity, hidden) is not None
    ana = office.phone("ana")
    exists = ana.do(kind, entity, hidden, base=1, set=values)
    unknown = ana.do(kind, entity, "no-such-row", base=1, set=values)
    assert exists.code == unknown.code == "row_unknown"
    assert told(exists, hidden) == told(unknown, "no-such-row")


@pytest.mark.parametrize(
    ("entity", "field", "hidden"),
    [("contacts", "account_key", "zeta"), ("deals", "contact_key", "zoe"), ("accounts", "parent_key", "zeta")],
)
def test_a_reference_to_a_hidden_row_is_refused_like_one_to_nothing(
    office: Office, entity: str, field: str, hidden: str
) -> None:
    """S10, S19."""
    ana = office.phone("ana")
    rows = {"contacts": "carl", "deals": "deal-a", "accounts": "acme"}
    exists = ana.edit(entity, rows[entity], None, **{field: hidden})
    unknown = ana.edit(entity, rows[entity], None, **{field: "no-such-row"})
    assert exists.code == unknown.code == "reference_unknown"
    assert told(exists, hidden) == told(unknown, "no-such-row")


def test_a_merge_into_a_hidden_row_is_refused_like_one_into_nothing(office: Office) -> None:
    """S10, S22."""
    ana = office.phone("ana")
    exists = ana.do("contact.merge", "contacts", "carl", base=1, set={"into": "zoe"})
    unknown = ana.do("contact.merge", "contacts", "carl", base=1, set={"into": "no-such-row"})
    assert told(exists, "zoe") == told(unknown, "no-such-row")


# -- create of a key that exists -------------------------------------------------------------------------------------


def test_create_of_a_visible_key_merges_as_an_update(office: Office) -> None:
    """S18: a device that lost its memory of having created the row."""
    ana = office.phone("ana")
    receipt = ana.do("create", "contacts", "carl", set={**PLAIN, "name": "Carl", "mobile": "7"})
    row = office.row("contacts", "carl")
    assert receipt.outcome == "merged"
    assert (row["name"], row["mobile"], row["phone"], row["rev"]) == ("Carl", "7", "1", 2)


def test_create_of_a_visible_key_meets_foreign_values_as_a_conflict(office: Office) -> None:
    """S18, S24."""
    office.phone("bob").edit("contacts", "carl", phone="2")
    receipt = office.phone("ana").do("create", "contacts", "carl", set={**PLAIN, "phone": "3"})
    assert receipt.outcome == "merged"
    assert {c["field_group"] for c in office.rows("conflicts")} == {"name", "phone"}


def test_create_of_an_invisible_key_is_taken(office: Office) -> None:
    """S18: the one thing that must be told, so that the device can choose another key."""
    receipt = office.phone("ana").do("create", "contacts", "zoe", set=PLAIN)
    assert (receipt.outcome, receipt.code, receipt.rev) == ("refused", "key_taken", 0)
    assert office.row("contacts", "zoe")["name"] == "Zoe"


# -- refusals as rows ------------------------------------------------------------------------------------------------


def test_a_refusal_keeps_the_whole_mutation_in_its_authors_bucket_only(office: Office) -> None:
    """S1, S10, S19."""
    ana = office.phone("ana")
    sent = ana.mutation("create", "contacts", "c1", set={**PLAIN, "name": "", "phone": "7"}, unit=None)
    receipt = ana.push(sent).receipts[0]
    (kept,) = office.rows("refusals")
    assert kept["mutation"] == sent
    assert (kept["entity"], kept["row_key"], kept["kind"]) == ("contacts", "c1", "create")
    assert (kept["code"], kept["text"]) == (receipt.code, receipt.text)
    assert kept["buckets"] == ["user:ana"]
    for user, keys in (("ana", {"d-ana.1"}), ("bob", set()), ("mia", set()), ("dirk", set()), ("root", set())):
        phone = office.phone(user)
        phone.catch_up()
        assert phone.keys("refusals") == keys


def test_a_refusal_can_be_dismissed_by_its_author(office: Office) -> None:
    """S19: its content stays."""
    ana = office.phone("ana")
    ana.edit("contacts", "nobody", base=1, name="x")
    for _ in range(2):
        assert ana.do("refusal.dismiss", "refusals", "d-ana.1").outcome == "applied"
    (kept,) = office.rows("refusals")
    assert (kept["status"], kept["mutation"]["key"], kept["rev"]) == ("dismissed", "nobody", 2)


# -- what depends on a refused row -----------------------------------------------------------------------------------


def test_what_depends_on_a_refused_create_says_so_in_one_push(office: Office) -> None:
    """S19: the whole chain, with the number of the first cause of each."""
    ana = office.phone("ana")
    answer = ana.push(
        ana.mutation("create", "accounts", "a1", set={"name": "", "territory_key": "t-north"}),
        ana.mutation("create", "contacts", "c1", set={"account_key": "a1", "name": "C"}),
        ana.mutation("update", "contacts", "c1", base=1, set={"phone": "1"}),
        ana.mutation("create", "contacts", "c2", set=PLAIN),
    )
    assert [(r.code, r.depends_on_n) for r in answer.receipts] == [
        ("field_invalid", None),
        ("depends_on_refused", 1),
        ("depends_on_refused", 2),
        (None, None),
    ]
    assert [r["depends_on_n"] for r in office.rows("refusals")] == [None, 1, 2]


def test_what_depends_on_a_refused_create_says_so_in_a_later_push(office: Office) -> None:
    """S19."""
    ana = office.phone("ana")
    ana.do("create", "accounts", "a1", set={"name": "", "territory_key": "t-north"})
    receipt = ana.do("create", "contacts", "c1", set={"account_key": "a1", "name": "C"})
    assert (receipt.code, receipt.depends_on_n) == ("depends_on_refused", 1)
    assert ana.do("create", "accounts", "a1", set={"name": "Fine", "territory_key": "t-north"}).outcome == "applied"
    assert ana.do("create", "contacts", "c1", set={"account_key": "a1", "name": "C"}).outcome == "applied"


def test_a_dismissed_refusal_is_nobodys_cause_any_more(office: Office) -> None:
    """S19."""
    ana = office.phone("ana")
    ana.do("create", "accounts", "a1", set={"name": "", "territory_key": "t-north"})
    ana.do("refusal.dismiss", "refusals", "d-ana.1")
    receipt = ana.do("create", "contacts", "c1", set={"account_key": "a1", "name": "C"})
    assert (receipt.code, receipt.depends_on_n) == ("reference_unknown", None)


def test_somebody_elses_refused_create_is_no_cause(office: Office) -> None:
    """S10, S19: that would tell what another person typed."""
    office.phone("bob").do("create", "accounts", "a1", set={"name": "", "territory_key": "t-north"})
    receipt = office.phone("ana").do("create", "contacts", "c1", set={"account_key": "a1", "name": "C"})
    assert (receipt.code, receipt.depends_on_n) == ("reference_unknown", None)


# -- rights ----------------------------------------------------------------------------------------------------------

NOTHING_TO_WRITE: dict[str, dict[str, Any]] = {
    "accounts": {"name": "x", "territory_key": "t-north"},
    "quotas": {"user_key": "ana", "period_key": "q1", "measure": "new_accounts", "target": 1},
    "products": {"name": "x"},
    "teams": {"name": "x"},
    "unit_costs": {"product_key": "pump", "amount_minor": 1, "currency": "EUR", "valid_from": "2026-01-01"},
}
MAY = {
    "accounts": {"ana", "mia", "dirk", "root"},
    "quotas": {"mia", "dirk", "fay", "root"},
    "products": {"dirk", "fay", "root"},
    "teams": {"dirk", "root"},
    "unit_costs": {"dirk", "fay"},
}


@pytest.mark.parametrize("entity", MAY)
def test_a_role_writes_what_it_may_and_nothing_else(office: Office, entity: str) -> None:
    """S10, R53: the same for every road in."""
    office.put(
        ("fiscal_periods", "q1", {"name": "Q1", "kind": "quarter", "start_on": "2026-01-01", "end_on": "2026-04-01"})
    )
    for user in ("ana", "mia", "dirk", "fay", "root"):
        receipt = office.phone(user).do("create", entity, f"by-{user}", set=NOTHING_TO_WRITE[entity])
        assert (user, receipt.code is None) == (user, user in MAY[entity])
        assert receipt.code in (None, "not_permitted", "out_of_scope")
        if receipt.code is None:
            office.delete(entity, f"by-{user}")  # of one owner, period and measure there is one quota


@pytest.mark.parametrize(
    ("user", "entity", "key", "values", "code"),
    [
        ("bob", "deals", "deal-a", {"next_step": "x"}, "not_permitted"),
        ("ana", "deals", "deal-a", {"owner_key": "bob"}, "field_not_permitted"),
        ("mia", "deals", "deal-a", {"owner_key": "bob"}, None),
        ("ana", "deals", "deal-a", {"stage_key": "offer"}, "field_read_only"),
        ("mia", "deals", "deal-a", {"closed_at": 1}, "field_read_only"),
        ("ana", "accounts", "acme", {"territory_key": "t-south"}, "field_not_permitted"),
        ("mia", "accounts", "acme", {"territory_key": "t-south"}, "out_of_scope"),
        ("dirk", "accounts", "acme", {"territory_key": "t-south"}, None),
        ("ana", "users", "ana", {"role": "admin"}, "not_permitted"),
        ("mia", "users", "ana", {"role": "admin"}, "not_permitted"),
    ],
)
def test_who_may_change_which_field_of_whose_row(
    office: Office, user: str, entity: str, key: str, values: dict[str, Any], code: str | None
) -> None:
    """S10, R53: other people's work is read, not written; moving work and customers is a manager's decision."""
    receipt = office.phone(user).edit(entity, key, **values)
    assert receipt.code == code


def test_a_split_partner_may_work_on_the_deal_and_an_onlooker_may_not(office: Office) -> None:
    """S10: bob sees the deal through the territory."""
    bob, cleo = office.phone("bob"), office.phone("cleo")
    assert bob.edit("deals", "deal-a", next_step="call").code == "not_permitted"
    assert bob.do("deal.win", "deals", "deal-a", base=1).code == "not_permitted"
    assert bob.do("delete", "deals", "deal-a", base=1).code == "not_permitted"
    shares = [{"user_key": "ana", "share_bp": 6_000}, {"user_key": "cleo", "share_bp": 4_000}]
    assert office.phone("ana").edit("deals", "deal-a", splits=shares).outcome == "applied"
    assert cleo.edit("deals", "deal-a", next_step="call").outcome == "applied"


def test_work_is_created_for_oneself_or_ones_people(office: Office) -> None:
    """S10."""
    plan = {"account_key": "acme"}
    assert office.phone("ana").do("create", "visits", "v1", set={**plan, "owner_key": "bob"}).code == (
        "field_not_permitted"
    )
    assert office.phone("mia").do("create", "visits", "v2", set={**plan, "owner_key": "bob"}).outcome == "applied"
    assert office.phone("ana").do("create", "visits", "v3", set=plan).outcome == "applied"
    assert office.row("visits", "v3")["owner_key"] == "ana"


def test_nobody_writes_a_row_that_he_would_not_see(office: Office) -> None:
    """S10: a rep cannot put a customer into another territory, nor one that nobody has."""
    ana = office.phone("ana")
    for key in ("t-south", None):
        receipt = ana.do("create", "accounts", "a1", set={"name": "x", "territory_key": key})
        assert (key, receipt.code) == (key, "out_of_scope")
    assert office.find("accounts", "a1") is None


def test_a_contradiction_of_ones_own_making_is_refused(office: Office) -> None:
    """S24: nobody else is to blame."""
    ana = office.phone("ana")
    assert ana.edit("deals", "deal-a", currency=None).code == "invariant_failed"
    assert ana.edit("deals", "deal-a", splits=[{"user_key": "ana", "share_bp": 9_999}]).code == "splits_invalid"
    assert office.rows("conflicts") == []


def test_the_author_is_the_login_whatever_the_body_says(office: Office) -> None:
    """S23, R54."""
    ana = office.phone("ana")
    receipt = ana.do("create", "contacts", "c1", set={**PLAIN, "created_by": "bob"})
    assert receipt.code == "field_read_only"
    ana.do("create", "contacts", "c2", set=PLAIN)
    assert office.row("contacts", "c2")["created_by"] == "ana"
    assert [h["author_key"] for h in office.history("contacts", "c2")] == ["ana"]
