from typing import Any

import pytest

from sfa.core.errors import Refused
from sync.device import Device
from sync.device.overlay import blank
from sync.device.pages import apply
from sync.protocol import MUTATION_BYTES_MAX, UNIT_SIZE_MAX, BucketChanges, Item, Page
from tests.sync.device.pocket import alone


def holding(*rows: tuple[str, str, dict[str, Any]]) -> Device:
    device = alone()
    items = [Item(entity, key, 4, row={**blank(entity), **values}) for entity, key, values in rows]
    apply(device.store, Page("c", True, 5, [BucketChanges("all", items)]), starts_over=True)
    return device


ACME = ("accounts", "acme", {"name": "Acme", "street": "Main", "city": "Bilbao"})
DEAL = (
    "deals",
    "deal",
    {"name": "Pumps", "owner_key": "ana", "stage_key": "lead", "amount_minor": 5, "currency": "EUR"},
)
LEAD = ("stages", "lead", {"name": "Lead", "kind": "open"})
LOST = ("stages", "lost", {"name": "Lost", "kind": "lost"})


def test_a_whole_group_travels_when_one_of_its_fields_changes() -> None:
    """S24."""
    device = holding(ACME)
    device.update("accounts", "acme", {"city": "Cadiz", "phone": "1"})
    (found,) = device.pending()
    address = {"street": "Main", "postal_code": None, "city": "Cadiz", "region": None, "country": None}
    assert (found.kind, found.base, found.fields) == ("update", 4, {**address, "phone": "1"})


def test_a_create_says_whose_work_it_is_and_never_sets_what_only_commands_set() -> None:
    device = holding(LEAD)
    key = device.create("deals", {"name": "New", "stage_key": "lead"})
    (found,) = device.pending()
    assert found.fields == {"stage_key": "lead", "name": "New", "owner_key": "ana"}
    assert (found.base, found.key) == (0, key)
    row = device.get("deals", key)
    assert row is not None
    assert (row["owner_key"], row["created_by"]) == ("ana", "ana")


def test_numbers_rise_without_a_gap_and_a_refused_edit_takes_none() -> None:
    """S17."""
    device = holding(ACME)
    for i in range(3):
        with pytest.raises(Refused):
            device.update("accounts", "acme", {"tier": "Z"})
        device.update("accounts", "acme", {"phone": str(i)})
    assert [found.n for found in device.pending()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("code", "act"),
    [
        ("entity_unknown", lambda d: d.create("planets", {})),
        ("entity_unknown", lambda d: d.update("planets", "x", {})),
        ("field_unknown", lambda d: d.create("accounts", {"name": "A", "colour": "red"})),
        ("field_invalid", lambda d: d.update("accounts", "acme", {"name": 5})),
        ("field_required", lambda d: d.create("accounts", {"city": "Bilbao"})),
        ("key_invalid", lambda d: d.create("accounts", {"name": "A"}, key="a b")),
        ("key_taken", lambda d: d.create("accounts", {"name": "A"}, key="acme")),
        ("row_unknown", lambda d: d.update("accounts", "nobody", {"city": "X"})),
        ("row_unknown", lambda d: d.delete("accounts", "nobody")),
        ("command_unknown", lambda d: d.command("deal.sing", "deal")),
        ("reason_required", lambda d: d.command("deal.lose", "deal", {})),
        ("reference_unknown", lambda d: d.command("deal.win", "deal")),
        ("illegal_transition", lambda d: d.command("deal.reopen", "deal", {"stage_key": "lead"})),
        ("splits_invalid", lambda d: d.update("deals", "deal", {"splits": [{"user_key": "ana", "share_bp": 1}]})),
        ("invariant_failed", lambda d: d.update("deals", "deal", {"currency": None})),
        ("field_invalid", lambda d: d.update("accounts", "acme", {"city": "half \ud83d"})),
        ("mutation_invalid", lambda d: d.command("account.merge", "acme", {"into": "x" * MUTATION_BYTES_MAX})),
    ],
)
def test_what_no_server_would_take_is_refused_at_once_and_leaves_no_trace(code: str, act: Any) -> None:
    device = holding(ACME, DEAL, LEAD, LOST)
    with pytest.raises(Refused) as caught:
        act(device)
    assert caught.value.code == code
    assert list(device.pending()) == []
    assert device.store.state().next_n == 1


def test_a_command_that_would_break_the_row_is_refused_at_once() -> None:
    """S27: half a position would otherwise cost the whole visit in the evening."""
    visit = ("visits", "visit", {"account_key": "acme", "owner_key": "ana"})
    device = holding(ACME, visit)
    with pytest.raises(Refused) as caught:
        device.command("visit.check_in", "visit", {"latitude": 43.2})
    assert caught.value.code == "invariant_failed"
    assert list(device.pending()) == []
    device.command("visit.check_in", "visit", {"latitude": 43.2, "longitude": -2.9})


def test_a_command_shows_its_effect_and_a_second_one_goes_on_from_there() -> None:
    """S27."""
    device = holding(DEAL, LEAD, LOST)
    device.command("deal.lose", "deal", {"reason": "Price"})
    assert device.list("deals", {"stage_key": "lost"})["deal"]["lost_reason"] == "Price"
    with pytest.raises(Refused) as caught:
        device.command("deal.lose", "deal", {"reason": "Again"})
    assert caught.value.code == "illegal_transition"
    device.command("deal.reopen", "deal", {"stage_key": "lead"})
    assert device.list("deals", {"stage_key": "lead", "closed_at": None}).keys() == {"deal"}


def test_a_unit_says_its_size_on_each_of_its_mutations() -> None:
    """S20."""
    device = holding(ACME)
    with device.unit():
        key = device.create("contacts", {"account_key": "acme", "name": "C"})
        device.update("contacts", key, {"phone": "1"})
    with device.unit():
        device.update("accounts", "acme", {"phone": "2"})
    with device.unit():
        pass
    first, second, alone_ = device.pending()
    assert first.unit == second.unit
    assert first.unit is not None
    assert first.unit.size == 2
    assert alone_.unit is None


def many_tasks(device: Device) -> None:
    with device.unit():
        for i in range(UNIT_SIZE_MAX + 1):
            device.create("tasks", {"title": str(i)})


def test_a_unit_that_is_too_large_or_nested_leaves_nothing() -> None:
    device = holding(ACME)
    with pytest.raises(Refused):
        many_tasks(device)
    assert list(device.pending()) == []
    with device.unit(), pytest.raises(RuntimeError):
        device.sync()
    with device.unit(), pytest.raises(RuntimeError), device.unit():
        pass
    assert device.store.state().next_n == 1


def test_the_queue_survives_a_logout_and_the_store_stays_its_users() -> None:
    device = holding(ACME)
    device.update("accounts", "acme", {"phone": "1"})
    device.logout()
    assert device.store.state().access_token is None
    assert len(device.pending()) == 1
    person = device.person()
    assert person is not None
    assert person.key == "ana"


def test_a_quantity_of_neither_unit_nor_product_is_shown_and_sent_in_pieces() -> None:
    """R11: as the server would take it."""
    device = holding()
    said = {"user_key": "ana", "period_key": "q1", "measure": "quantity", "target": 5}
    key = device.create("quotas", said)
    row = device.get("quotas", key)
    assert row is not None
    assert row["unit"] == "piece"
    device.update("quotas", key, {"measure": "total_contacts"})
    row = device.get("quotas", key)
    assert row is not None
    assert row["unit"] is None
    assert [found.fields["unit"] for found in device.pending()] == ["piece", None]


def test_nothing_is_queued_where_nobody_is_logged_in() -> None:
    """Seed 1266: who logged in next would have sent it as his own (S31)."""
    device = holding(LEAD)
    device.store.erase(0, "device_revoked")
    with pytest.raises(Refused) as refused:
        device.create("tasks", {"title": "Call", "owner_key": "ana"})
    assert refused.value.code == "unauthenticated"
    assert device.pending() == []
