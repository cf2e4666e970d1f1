"""What campaigns brought, on both databases: all of it is the pocket profit, samples included."""

from typing import Any

from sqlalchemy import Connection

from sfa.profit.company.by import profits, span_of
from sfa.profit.company.campaigns import Shared, brought
from sfa.profit.company.surroundings import EVERYTHING, read_world
from tests.office import Office
from tests.profit.books import at, rate, visit
from tests.quotas.ledger import line, won, write

YEAR = span_of("2026-01-01", "2027-01-01")


def test_samples_are_part_of_what_a_campaign_brought(office: Office) -> None:
    write(office, rate("c", "capital", 0), won("a", "2026-01-10", 100_00), line("l", "a", "1"))
    write(office, ("campaigns", "fair", {"name": "Fair", "start_on": "2026-01-01"}))
    touch = {"campaign_key": "fair", "account_key": "acme", "touched_at": at("2026-01-05")}
    write(office, ("campaign_touches", "t", touch), visit("v", "2026-01-04", 30, deal_key="a"))
    spent: dict[str, Any] = {"owner_key": "ana", "kind": "sample", "currency": "EUR", "account_key": "acme"}
    write(office, ("expenses", "e", {**spent, "deal_key": "a", "amount_minor": 7_00, "spent_on": "2026-01-11"}))
    write(office, ("expenses", "f", {**spent, "visit_key": "v", "amount_minor": 2_00, "spent_on": "2026-03-11"}))
    write(office, ("expenses", "g", {**spent, "amount_minor": 1_00, "spent_on": "2026-01-11"}))
    write(office, ("expenses", "h", {**spent, "deal_key": "a", "kind": "meal", "amount_minor": 5_00,
                                     "spent_on": "2026-01-11"}))  # fmt: skip

    def read(connection: Connection) -> tuple[Shared, int | None]:
        margin = profits(connection, "total", YEAR).total.earned().margin_minor
        return brought(connection, read_world(connection), YEAR, EVERYTHING), margin

    found, margin = office.database.read(read)
    assert {key: sum(tally.kinds.values()) for key, tally in found.by_campaign.items()} == {"fair": 31_00, None: -1_00}
    assert margin == 30_00
    march = span_of("2026-03-01", "2026-04-01")
    later = office.database.read(lambda c: brought(c, read_world(c), march, EVERYTHING))
    assert {key: sum(tally.kinds.values()) for key, tally in later.by_campaign.items()} == {"fair": -2_00}


def test_a_rebate_that_a_later_deal_brings_is_part_of_what_a_campaign_brought(office: Office) -> None:
    """The tier is reached in September, by a deal of no campaign: what January's deal gets back is the campaign's."""
    tiers = [{"from_minor": 0, "rate_bp": 0}, {"from_minor": 500_00, "rate_bp": 1_000}]
    terms: dict[str, Any] = {"mode": "whole", "tiers": tiers, "currency": "EUR"}
    terms |= {"valid_from": "2026-01-01", "valid_to": "2027-01-01"}
    write(office, ("campaigns", "fair", {"name": "Fair", "start_on": "2026-01-01"}))
    touch = {"campaign_key": "fair", "account_key": "acme", "touched_at": at("2026-01-05")}
    write(office, ("campaign_touches", "t", touch), ("rebate_agreements", "ra", {"account_key": "acme", **terms}))
    write(office, won("a", "2026-01-10", 400_00), line("l", "a", "1"))
    write(office, won("b", "2026-09-10", 400_00), line("m", "b", "1"))  # beyond 180 days: of no campaign

    def rebated(from_on: str, to_on: str) -> int:
        span = span_of(from_on, to_on)
        found = office.database.read(lambda c: brought(c, read_world(c), span, EVERYTHING))
        return found.by_campaign["fair"].kinds.get("rebate", 0) if "fair" in found.by_campaign else 0

    assert rebated("2026-01-01", "2027-01-01") == -40_00
    assert (rebated("2026-01-01", "2026-07-01"), rebated("2026-07-01", "2027-01-01")) == (0, -40_00)
