"""What winning and keeping customers took, on both databases: split at the first credit that stands."""

from typing import Any

from sfa.profit.company.acquiring import Phases, phases
from sfa.profit.company.by import span_of
from sfa.profit.company.surroundings import read_world
from tests.office import Office
from tests.profit.books import at, leg, rate, visit
from tests.quotas.ledger import won, write

RATES = (rate("v", "visit_hour", 60_00), rate("w", "work_hour", 60_00), rate("k", "kilometre", 50))


def found(office: Office, from_on: str = "2026-01-01", **more: Any) -> Phases:
    return office.database.read(lambda c: phases(c, read_world(c), span_of(from_on, "2027-01-01"), **more))


def test_effort_before_the_first_credit_is_acquisition_and_behind_it_retention(office: Office) -> None:
    write(office, *RATES, won("a", "2026-03-10"), won("b", "2026-06-10"))
    write(
        office,
        visit("v1", "2026-02-01", 90),
        visit("v2", "2026-03-11", 30),
        visit("z", "2026-02-01", 10, account_key="zeta"),
    )
    write(office, leg("g1", "2026-02-01", 2_000, visit_key="v1"), leg("g2", "2026-04-01", 4_000, visit_key="v2"))
    spent: dict[str, Any] = {"owner_key": "ana", "account_key": "acme", "kind": "meal", "currency": "EUR"}
    write(office, ("expenses", "e1", {**spent, "amount_minor": 7_00, "spent_on": "2026-03-09"}))
    write(office, ("expenses", "e2", {**spent, "amount_minor": 9_00, "spent_on": "2026-03-11"}))
    told = found(office)
    assert told.acquisition_minor == 90_00 + 1_00 + 7_00
    assert told.retention_minor == 30_00 + 2_00 + 9_00
    assert told.prospects_minor == 10_00
    assert (told.won, told.per_won_minor, told.missing) == (1, 98_00, [])
    assert found(office, accounts=["zeta"]).acquisition_minor == 0
    later = found(office, "2026-06-01")
    assert (later.won, later.per_won_minor, later.acquisition_minor) == (0, None, 0)


def test_a_first_sale_that_was_reversed_is_no_first_sale(office: Office) -> None:
    closing = {"stage_key": "won", "closed_at": at("2026-02-01"), "signed_at": None, "invoiced_at": None}
    closing |= {"reopened_at": at("2026-02-03"), "owner_key": "ana", "amount_minor": 500_00, "currency": "EUR"}
    closing |= {"splits": [], "overlays": []}
    write(office, *RATES, won("a", "2026-05-01", closings=[closing]), visit("v", "2026-03-01", 60))
    told = found(office)
    assert (told.acquisition_minor, told.retention_minor, told.won) == (60_00, 0, 1)


def test_r34_effort_without_a_rate_makes_its_phase_not_computable(office: Office) -> None:
    write(office, won("a", "2026-03-10"), visit("v1", "2026-02-01", 90))
    told = found(office)
    assert (told.acquisition_minor, told.retention_minor, told.per_won_minor) == (None, 0, None)
    assert [missing.about["of"] for missing in told.missing] == ["visit_hour"]


def test_r10_a_first_credit_or_a_reopening_after_as_of_changes_nothing(office: Office) -> None:
    write(office, *RATES, won("a", "2026-03-10"), visit("v", "2026-02-01", 90), visit("w", "2026-03-20", 30))
    write(office, visit("z", "2026-02-01", 10, account_key="zeta"), won("zz", "2026-07-01", account_key="zeta"))

    def then() -> Phases:
        span = span_of("2026-01-01", "2027-01-01", at("2026-06-01"))
        return office.database.read(lambda c: phases(c, read_world(c), span))

    before = then()
    assert (before.acquisition_minor, before.retention_minor, before.prospects_minor) == (90_00, 30_00, 10_00)
    closing = {"stage_key": "won", "closed_at": at("2026-03-10"), "signed_at": None, "invoiced_at": None}
    closing |= {"reopened_at": at("2026-08-03"), "owner_key": "ana", "amount_minor": 500_00, "currency": "EUR"}
    reopened = {"closed_at": None, "stage_key": "lead", "closings": [{**closing, "splits": [], "overlays": []}]}
    write(office, ("deals", "a", reopened))
    assert then() == before
