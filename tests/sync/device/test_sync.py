import pytest

from sfa.core.errors import Refused
from sync.device import ConnectionLost
from tests.office import Office
from tests.sync.device.pocket import LOST_ANSWER, LOST_REQUEST, Pocket, numbers, of_scope, pocket


def test_a_first_sync_brings_exactly_the_rows_of_the_scope_page_by_page(office: Office) -> None:
    """S3, S14."""
    ana = pocket(office, "ana")
    seen: list[tuple[int, bool]] = []
    result = ana.sync(lambda p: seen.append((p.rows, p.caught_up)), page_rows=4)
    assert ana.rows() == of_scope(office, "ana")
    assert result.caught_up
    assert result.resets == ()
    assert result.rows == seen[-1][0] >= len(ana.rows())
    assert [done for _, done in seen] == [False] * (len(seen) - 1) + [True]
    assert len(seen) > 3


def test_an_edit_is_seen_at_once_and_is_the_servers_after_one_round_trip(office: Office) -> None:
    """S21, S29."""
    ana = pocket(office, "ana")
    ana.sync()
    key = ana.create("contacts", {"account_key": "acme", "name": "New"})
    ana.update("contacts", key, {"phone": "77"})
    ana.command("deal.move", "deal-a", {"stage_key": "offer"})
    before = {entity: ana.list(entity) for entity in ("contacts", "deals")}
    assert before["contacts"][key]["phone"] == "77"
    assert before["deals"]["deal-a"]["stage_key"] == "offer"
    ana.line.requests.clear()
    result = ana.sync()
    assert (result.pushed, result.outcomes) == (3, {"applied": 3})
    assert len(ana.line.requests) == 1
    assert ana.pending() == []
    assert {entity: ana.list(entity) for entity in ("contacts", "deals")} == before
    assert ana.rows() == of_scope(office, "ana")


@pytest.mark.parametrize("fault", [LOST_REQUEST, LOST_ANSWER])
def test_a_lost_exchange_is_repeated_and_nothing_happens_twice(office: Office, fault: str) -> None:
    """S2, S18."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.update("contacts", "carl", {"phone": "2"})
    ana.line.faults = [fault]
    with pytest.raises(ConnectionLost):
        ana.sync()
    assert [item.n for item in ana.pending()] == [1]
    ana.update("contacts", "carl", {"mobile": "3"})
    result = ana.sync()
    assert result.outcomes == {"applied": 2}
    assert [entry["n"] for entry in office.history("contacts", "carl")] == [None, 1, 2]
    assert ana.rows() == of_scope(office, "ana")


def test_two_people_edit_different_fields_of_one_contact_offline_and_both_survive(office: Office) -> None:
    """S24."""
    ana, bob = pocket(office, "ana"), pocket(office, "bob")
    ana.sync()
    bob.sync()
    ana.update("contacts", "carl", {"phone": "ana"})
    bob.update("contacts", "carl", {"mobile": "bob"})
    bob.sync()
    assert ana.sync().outcomes == {"applied": 1}
    bob.sync()
    assert ana.get("contacts", "carl") == bob.get("contacts", "carl")
    assert (ana.list("contacts")["carl"]["phone"], ana.list("contacts")["carl"]["mobile"]) == ("ana", "bob")


def test_a_losing_value_is_a_conflict_that_one_call_restores(office: Office) -> None:
    """S1, S24."""
    ana, bob = pocket(office, "ana"), pocket(office, "bob")
    ana.sync()
    bob.sync()
    office.put(("deals", "deal-b", {"name": "B", "owner_key": "bob", "account_key": "acme", "stage_key": "lead"}))
    bob.sync()
    bob.update("deals", "deal-b", {"amount_minor": 100, "currency": "EUR"})
    office.put(("deals", "deal-b", {"amount_minor": 900, "currency": "EUR"}))
    result = bob.sync()
    assert result.outcomes == {"conflict": 1}
    (key,) = bob.conflicts()
    assert result.conflicts[0].conflicts == [key]
    assert bob.list("deals")["deal-b"]["amount_minor"] == 900
    bob.command("conflict.restore", key)
    assert bob.conflicts() == {}
    assert bob.sync().outcomes == {"applied": 1}
    assert bob.list("deals")["deal-b"]["amount_minor"] == 100
    assert bob.conflicts() == {}
    assert bob.rows() == of_scope(office, "bob")


def test_a_refused_edit_leaves_the_view_and_waits_as_a_refusal(office: Office) -> None:
    """S19."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.update("accounts", "acme", {"territory_key": "t-south"})
    assert ana.list("accounts")["acme"]["territory_key"] == "t-south"
    result = ana.sync()
    assert [receipt.code for receipt in result.refused] == ["field_not_permitted"]
    assert ana.list("accounts")["acme"]["territory_key"] == "t-north"
    (key,) = ana.refusals()
    ana.command("refusal.dismiss", key)
    assert ana.refusals() == {}
    ana.sync()
    assert ana.refusals() == {}


def create_twice_in_a_unit(ana: Pocket) -> None:
    with ana.unit():
        ana.create("accounts", {"name": "Never"}, key="never")
        ana.create("accounts", {"name": "Never"}, key="never")


def test_a_unit_lands_whole_or_not_at_all(office: Office) -> None:
    """S20."""
    ana = pocket(office, "ana")
    ana.sync()
    with ana.unit():
        account = ana.create("accounts", {"name": "Unit", "territory_key": "t-north"})
        ana.create("contacts", {"account_key": account, "name": "In it"})
        ana.update("accounts", "acme", {"territory_key": "t-south"})
    with pytest.raises(Refused):
        create_twice_in_a_unit(ana)
    assert [item.n for item in ana.pending()] == [1, 2, 3]
    result = ana.sync()
    assert sorted(str(receipt.code) for receipt in result.refused) == [
        "field_not_permitted",
        "unit_failed",
        "unit_failed",
    ]
    assert account not in ana.list("accounts")


def test_a_long_queue_goes_in_requests_of_limited_size_with_units_whole(office: Office) -> None:
    """S20, S34."""
    ana = pocket(office, "ana")
    ana.sync()
    for _ in range(13):
        with ana.unit():
            for i in range(90):
                ana.create("tasks", {"title": str(i)})
    ana.line.requests.clear()
    assert ana.sync().outcomes == {"applied": 1170}
    sent = [request for request in numbers(ana.line.requests) if request]
    assert [len(request) for request in sent] == [990, 180]
    assert ana.rows() == of_scope(office, "ana")


def test_a_row_that_leaves_the_scope_leaves_the_device_and_comes_back_with_it(office: Office) -> None:
    """S4, S13."""
    ana = pocket(office, "ana")
    ana.sync()
    office.put(("accounts", "acme", {"territory_key": "t-south"}))
    ana.sync()
    assert "acme" not in ana.list("accounts")
    assert "carl" not in ana.list("contacts")
    assert ana.rows() == of_scope(office, "ana")
    office.put(
        ("territory_members", "tm-x", {"territory_key": "t-south", "user_key": "ana", "valid_from": "2025-01-01"})
    )
    ana.sync(page_rows=1)
    assert {"acme", "zeta"} <= ana.list("accounts").keys()
    assert ana.rows() == of_scope(office, "ana")


def test_a_deletion_that_would_lose_anothers_edit_is_offered_again(office: Office) -> None:
    """S26."""
    ana = pocket(office, "ana")
    ana.sync()
    ana.delete("contacts", "carl")
    assert ana.get("contacts", "carl") is None
    office.put(("contacts", "carl", {"title": "Buyer"}))
    assert ana.sync().outcomes == {"conflict": 1}
    assert ana.list("contacts")["carl"]["title"] == "Buyer"
    assert [row["reason"] for row in ana.conflicts().values()] == ["deleted"]
    assert ana.rows() == of_scope(office, "ana")


def test_a_sync_that_was_overtaken_by_another_one_of_the_same_store_does_not_go_back(office: Office) -> None:
    """S12: a page goes on from the cursor that it was asked with."""
    ana = pocket(office, "ana")
    ana.sync()
    other = type(ana)(ana.store, ana.line, ana.clock, ana.ids)

    def overtake() -> None:
        office.put(("contacts", "carl", {"title": "First"}))
        other.sync()
        office.delete("contacts", "carl")
        other.sync()

    ana.line.between = overtake
    assert ana.sync().caught_up
    assert ana.get("contacts", "carl") is None
    assert ana.rows() == of_scope(office, "ana")
