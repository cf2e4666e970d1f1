"""Needs, calls, consents, preferred channel and tier, from phones and at screens, on both databases."""

from typing import Any

from tests.builders import DAY_MS, NOW
from tests.crm.desk import Desk
from tests.office import Office


def consent(office: Office, key: str, granted: bool, at: int, who: str = "ana", **more: Any) -> Any:
    values = {"contact_key": "carl", "purpose": "news", "granted": granted, "decided_at": at, **more}
    return office.phone(who).do("create", "consents", key, set=values)


def may(desk: Desk, who: str = "ana", key: str = "carl", **asked: Any) -> Any:
    query = "&".join(f"{k}={v}" for k, v in {"purpose": "news", "channel": "email", **asked}.items())
    return desk.get(who, f"/api/contacts/{key}/may-contact?{query}").json()


def test_nothing_is_allowed_until_it_is_and_the_latest_word_counts(office: Office, desk: Desk) -> None:
    assert may(desk)["verdict"] == {"allowed": False, "reason": "no_consent", "consent_key": None, "decided_at": None}
    consent(office, "k1", True, NOW - 100, channel="email")
    consent(office, "k2", False, NOW - 50)
    consent(office, "k0", True, NOW - 200)  # an older one that arrives later changes nothing
    assert may(desk)["verdict"]["reason"] == "withdrawn"
    assert may(desk, as_of=NOW - 60)["verdict"]["allowed"] is True
    assert may(desk, purpose="offers")["verdict"]["reason"] == "no_consent"
    assert may(desk, channel="pigeon")["code"] == "field_invalid"
    assert may(desk, key="zoe")["code"] == "not_found"


def test_a_consent_is_never_changed_or_deleted(office: Office) -> None:
    consent(office, "k1", False, NOW)
    phone = office.phone("ana")
    assert phone.do("update", "consents", "k1", base=1, set={"granted": True}).code == "field_read_only"
    assert phone.do("delete", "consents", "k1", base=1).code == "not_permitted"
    assert office.phone("mia").do("delete", "consents", "k1", base=1).code == "not_permitted"
    assert consent(office, "k1", True, NOW, who="bob").code == "field_read_only"  # another word under the same key
    assert consent(office, "k1", False, NOW, who="bob").outcome != "refused"  # the same word again
    assert office.row("consents", "k1")["granted"] is False


def test_consents_go_where_the_person_goes(office: Office) -> None:
    """S8: two storeys below the customer, as a deal's lines are."""
    consent(office, "k1", True, NOW)
    assert office.row("consents", "k1")["buckets"] == ["territory:t-north"]
    cleo = office.phone("cleo")
    cleo.catch_up()
    office.put(("contacts", "carl", {"account_key": "zeta"}))
    assert office.row("consents", "k1")["buckets"] == ["territory:t-south"]
    cleo.catch_up()
    assert cleo.keys("consents") == {"k1"}
    office.put(("accounts", "zeta", {"territory_key": "t-north"}))
    cleo.catch_up()
    assert cleo.keys("consents") == set()


def test_merged_people_keep_what_both_of_them_said_and_it_parts_again(office: Office, desk: Desk) -> None:
    """S22."""
    office.put(("contacts", "carl2", {"account_key": "acme", "name": "Karl"}))
    consent(office, "k1", True, NOW - 10)
    consent(office, "k2", False, NOW - 5, contact_key="carl2")
    phone = office.phone("ana")
    phone.do("create", "calls", "call", set={"account_key": "acme", "contact_key": "carl2", "minutes": 5})
    phone.do("create", "customer_needs", "n", set={"account_key": "acme", "contact_key": "carl2", "text": "speed"})
    assert phone.do("contact.merge", "contacts", "carl2", base=1, set={"into": "carl"}).outcome == "applied"
    assert may(desk)["verdict"]["reason"] == "withdrawn"
    assert may(desk, key="carl2")["key"] == "carl"
    assert {office.row(e, k)["contact_key"] for e, k in (("calls", "call"), ("customer_needs", "n"))} == {"carl"}
    assert desk.post("ana", "/api/merges/contacts/carl2/undo", json={}).status_code == 200
    assert may(desk)["verdict"]["reason"] == "granted"
    assert {office.row(e, k)["contact_key"] for e, k in (("calls", "call"), ("customer_needs", "n"))} == {"carl2"}


def test_merged_customers_keep_calls_and_needs(office: Office) -> None:
    office.put(("accounts", "acme2", {"name": "Acme 2", "territory_key": "t-north"}))
    phone = office.phone("ana")
    phone.do("create", "calls", "call", set={"account_key": "acme2"})
    phone.do("create", "customer_needs", "n", set={"account_key": "acme2", "product_key": "pump", "kind": "non_need"})
    assert phone.do("account.merge", "accounts", "acme2", base=1, set={"into": "acme"}).outcome == "applied"
    assert {office.row(e, k)["account_key"] for e, k in (("calls", "call"), ("customer_needs", "n"))} == {"acme"}


def test_a_call_is_its_owners_work(office: Office) -> None:
    assert office.phone("ana").do("create", "calls", "call", set={"account_key": "acme"}).outcome == "applied"
    assert office.row("calls", "call")["owner_key"] == "ana"
    assert office.phone("bob").edit("calls", "call", outcome="?").code == "not_permitted"
    assert office.phone("ana").edit("calls", "call", owner_key="bob").code == "field_not_permitted"
    assert office.phone("mia").edit("calls", "call", owner_key="bob").outcome == "applied"


def test_a_need_says_what_and_ends_after_it_begins(office: Office) -> None:
    phone = office.phone("ana")
    for values in ({}, {"text": " "}, {"text": "x", "valid_from": "2026-02-01", "valid_to": "2026-02-01"}):
        receipt = phone.do("create", "customer_needs", f"n{phone.n}", set={"account_key": "acme", **values})
        assert receipt.code == "invariant_failed"


def test_a_tier_says_since_when_and_its_past_is_told(office: Office, desk: Desk) -> None:
    """R20: the day is that of the edit, not of its arrival."""
    office.clock.advance(3 * DAY_MS)
    phone = office.phone("ana")
    receipt = phone.do("update", "accounts", "acme", base=1, at=NOW + DAY_MS, set={"tier": "B"})
    assert receipt.outcome == "applied"
    assert office.row("accounts", "acme")["tier_since"] == "2026-01-06"
    phone.edit("accounts", "acme", tier="B", city="Vitoria")
    assert office.row("accounts", "acme")["tier_since"] == "2026-01-06", "the same tier again changes nothing"
    phone.edit("accounts", "acme", tier="A")
    assert office.row("accounts", "acme")["tier_since"] == "2026-01-08"
    assert phone.edit("accounts", "acme", tier_since="2020-01-01").code == "field_read_only"
    past = desk.get("ana", "/api/history/accounts/acme?fields=tier").json()["items"]
    assert [version["changes"]["tier"] for version in past] == [["B", "A"], [None, "B"]]


def test_a_tier_taken_in_a_merge_is_given_back_with_its_day(office: Office, desk: Desk) -> None:
    office.put(("accounts", "acme2", {"name": "Acme 2", "territory_key": "t-north", "tier": "C"}))
    office.clock.advance(DAY_MS)
    office.phone("ana").do("account.merge", "accounts", "acme2", base=1, set={"into": "acme"})
    row = office.row("accounts", "acme")
    assert (row["tier"], row["tier_since"]) == ("C", "2026-01-05")
    desk.post("ana", "/api/merges/accounts/acme2/undo", json={})
    row = office.row("accounts", "acme")
    assert (row["tier"], row["tier_since"]) == (None, None)


def test_calls_are_on_the_customers_line(office: Office, desk: Desk) -> None:
    office.phone("ana").do("create", "calls", "call", set={"account_key": "acme", "called_at": NOW - 5, "minutes": 3})
    (event,) = desk.get("bob", "/api/accounts/acme/timeline?kinds=call").json()["items"]
    assert (event["at"], event["what"]["minutes"], event["author_key"]) == (NOW - 5, 3, "ana")
