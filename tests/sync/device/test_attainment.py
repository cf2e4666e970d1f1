"""Own figures on a device: those of the server after a sync, and ahead of it while work waits (R10, R12)."""

from typing import Any

from sfa.core.credits import day_of
from sync.device.attainment import own_figures
from tests.office import Office
from tests.quotas.ledger import Q1, Q2, ZONE, at, figures, line, quota, rate, shares, visit, won, write
from tests.sync.device.pocket import Pocket, pocket

MEASURES = ("revenue", "quantity", "total_contacts", "unique_contacts")


def found_company(office: Office) -> None:
    write(office, Q1, Q2, rate("USD", "EUR", "0.9", "2025-01-01"), ("accounts", "acme", {"tier": "A"}))
    write(office, ("credit_rules", "r", {"event": "signed", "valid_from": "2026-01-04", "valid_to": "2026-01-05"}))
    write(office, *(quota(f"{m}-{q}", m, q) for m in MEASURES for q in ("Q1", "Q2")))
    write(office, quota("over", overlay=True, currency="USD"), quota("tier", "total_contacts", account_tier="A"))
    write(office, quota("margin", "margin"), quota("new", "new_accounts"), quota("v", approvals=1, target=1))
    write(office, quota("cleo", user_key="cleo"), quota("north", team_key="north"))
    said = {"quota_key": "v", "number": 1, "target": 300_00, "currency": "EUR", "valid_from": "2026-01-01"}
    write(office, ("quota_versions", "v-1", {**said, "approved_by": "mia", "approved_at": at("2026-01-01")}))
    write(office, won("a", "2026-01-02", 100_01, splits=shares(ana=5_000, bob=5_000)), line("l", "a", "2.5"))
    write(office, won("b", "2026-01-03", 999, owner_key="bob", overlays=shares(ana=1_000)))
    write(
        office, won("c", "2026-01-04", 55, signed_at=at("2026-01-05", 1)), won("d", "2026-01-03", 777, currency="USD")
    )
    write(
        office,
        visit("v1", "2026-01-02", contact_key="carl"),
        visit("v2", "2026-01-03", contact_key="carl", submitted=True),
    )
    write(office, visit("v3", "2026-01-03", status="cancelled", checked_in_at=None, planned_at=at("2026-01-03")))
    corrected: dict[str, Any] = {"visit_key": "v2", "author_key": "ana", "amended_at": at("2026-01-04"), "ordinal": 1}
    corrected |= {"field": "contact_key", "old": "carl", "new": None, "reason": "nobody there"}
    write(office, ("visit_amendments", "am", corrected))


def check_agreed(office: Office, device: Pocket, as_of: int) -> dict[str, int | None]:
    """Own figures are those of the server -> the values."""
    server, own = figures(office, as_of), own_figures(device, as_of)
    assert own.keys() == {key for key in server if key not in ("cleo", "north")}
    for key, found in own.items():
        if key in ("margin", "new"):
            assert (found.figure, found.code) == (None, "not_on_device")
        else:
            assert found.figure == server[key], key
    return {key: found.figure.value for key, found in own.items() if found.figure is not None}


def test_after_a_sync_a_device_says_what_the_server_says(office: Office) -> None:
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    values = check_agreed(office, device, office.clock.now_ms())
    assert values["revenue-Q1"] == 50_01 + 55 + 6_99
    assert (values["over"], values["quantity-Q1"]) == (1_11, 1_250_000)  # 100 cents of EUR are 1.11 USD by the inverse
    assert (values["total_contacts-Q1"], values["unique_contacts-Q1"], values["tier"]) == (2, 2, 2)
    assert own_figures(device)["v"].quota.target == 300_00
    assert check_agreed(office, device, at("2026-01-03"))["revenue-Q1"] == 50_01


def test_work_that_waits_shows_ahead_and_agrees_once_it_is_sent(office: Office) -> None:
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    before = figures(office, office.clock.now_ms() + 1)
    office.clock.advance(60_000)
    device.command("deal.win", "deal-a", {})
    key = device.create("visits", {"account_key": "acme", "owner_key": "ana"})
    device.command("visit.check_in", key, {})
    device.command("visit.check_out", key, {})
    device.command("visit.amend", "v2", {"values": {"contact_key": "carl"}, "reason": "he was there"})
    office.clock.advance(60_000)
    now = office.clock.now_ms()
    ahead = {name: own.figure.value for name, own in own_figures(device).items() if own.figure is not None}
    assert ahead["revenue-Q1"] == (before["revenue-Q1"].value or 0) + 5_000_00
    assert ahead["total_contacts-Q1"] == (before["total_contacts-Q1"].value or 0) + 1
    assert ahead["unique_contacts-Q1"] == 2  # v2 met Carl, as v1 did; the new one met the customer
    assert figures(office, now)["revenue-Q1"] == before["revenue-Q1"]
    device.sync()
    assert check_agreed(office, device, now) == ahead


def test_a_device_paces_as_the_server_does(office: Office) -> None:
    found_company(office)
    device = pocket(office, "ana")
    device.sync()
    pace = own_figures(device)["revenue-Q1"].pace
    assert pace is not None
    assert (pace.on, pace.working_days, pace.days_over) == (day_of(office.clock.now_ms(), ZONE), 64, 2)
