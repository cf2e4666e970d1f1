"""What an old app was refused is repaired in words of today (S19, S32)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from sfa.core.errors import Refused
from sfa.crm.commands import COMMANDS
from sync.repair_routes import RepairRequest, repair_online
from sync.versions import VERSIONS
from tests.office import Office, Phone
from tests.older_contract import VERSIONS_FROM_0
from tests.sync.test_repairs import mend, refused, status
from tests.sync.test_repeated import fate

ACCOUNT = {"name": "Nova", "territory_key": "t-north"}
CONTACT = {"account_key": "a-1", "name": "Nora"}


@pytest.fixture
def ana(office: Office) -> Phone:
    office.round.versions = VERSIONS_FROM_0
    return office.phone("ana")


def mended(ana: Phone, key: str, **asked: Any) -> Any:
    def work(connection: Connection) -> Any:
        body = msgspec.convert(asked, RepairRequest)
        now_ms = ana.office.clock.now_ms()
        return repair_online(connection, now_ms, "ana", key, body, None, COMMANDS, VERSIONS_FROM_0).receipt

    return ana.office.database.write(work)


def test_what_waited_lands_in_words_of_today(ana: Phone) -> None:
    first = refused(ana, "create", "accounts", "a-1", set={**ACCOUNT, "name": ""}, contract=0)
    waits = refused(ana, set={**CONTACT, "telephone": "12"}, contract=0)
    assert ana.office.row("refusals", waits)["mutation"]["set"] == {**CONTACT, "telephone": "12"}
    done = mend(ana, first, "create", "accounts", "a-1", set=ACCOUNT, contract=0)
    assert done.details == {"again": {waits: "applied"}}
    assert ana.office.row("contacts", "c-1")["phone"] == "12"
    tablet = ana.office.phone("ana", "ana-2")
    for contract, field in ((0, "telephone"), (2, "phone")):
        again = mend(tablet, waits, set={**CONTACT, field: "12"}, contract=contract)
        assert (again.outcome, again.rev) == ("applied", 1)


def test_one_repair_in_words_of_two_versions_is_one(ana: Phone) -> None:
    """S2: the tablet's app is newer than the phone's."""
    refusal = refused(ana, "update", "contacts", "carl", set={"name": "", "telephone": "1"}, base=1, contract=0)
    said: dict[str, Any] = {"kind": "update", "entity": "contacts", "key": "carl", "base": 1}
    first = mend(ana, refusal, set={"name": "Karl", "telephone": "1"}, contract=0, **said)
    tablet = ana.office.phone("ana", "ana-2")
    assert fate(mend(tablet, refusal, set={"name": "Karl", "phone": "1"}, contract=2, **said)) == fate(first)
    assert ana.office.rev("contacts", "carl") == first.rev


def test_what_the_repair_did_not_touch_is_known_as_old_in_any_words(ana: Phone) -> None:
    """S24: the newer number stands, the old one is kept."""
    refusal = refused(ana, "update", "contacts", "carl", set={"name": "", "telephone": "1"}, base=1, contract=0)
    ana.office.clock.advance(60_000)
    ana.edit("contacts", "carl", 1, phone="2")
    ana.office.clock.advance(60_000)
    said = {"set": {"name": "Karl", "phone": "1"}, "base": 1, "contract": 2}
    receipt = mend(ana, refusal, "update", "contacts", "carl", **said)
    assert (receipt.outcome, ana.office.row("contacts", "carl")["phone"]) == ("merged", "2")
    assert ana.office.row("conflicts", receipt.conflicts[0])["losing"] == {"phone": "1"}


@pytest.mark.parametrize("without", ["telephone", "phone"])
def test_a_screen_leaves_out_a_field_by_either_name(ana: Phone, without: str) -> None:
    refusal = refused(ana, set={"account_key": "acme", "name": "", "telephone": "12"}, contract=0)
    assert mended(ana, refusal, set={"name": "Nora"}, without=[without]).outcome == "applied"
    assert ana.office.row("contacts", "c-1")["phone"] is None


def test_a_value_that_cannot_be_turned_is_left_out_or_refused(ana: Phone) -> None:
    """S1: nothing lands whose meaning nobody knows. It was refused before the server knew that version's words."""
    ana.office.round.versions = VERSIONS
    refusal = refused(ana, "update", "deals", "deal-a", set={"amount": "much"}, base=1, contract=0)
    with pytest.raises(Refused) as found:
        mended(ana, refusal, set={"amount_minor": 700})
    assert (found.value.code, found.value.details["field"]) == ("field_invalid", "amount")
    assert mended(ana, refusal, set={"amount_minor": 700}, without=["amount"]).outcome == "applied"
    assert ana.office.row("deals", "deal-a")["amount_minor"] == 700


def test_a_unit_with_a_value_that_cannot_be_turned_does_not_land_in_part(ana: Phone) -> None:
    """S20: refused before the server knew that version's words."""
    ana.office.round.versions = VERSIONS
    unit = {"id": "u", "size": 2}
    ana.push(
        ana.mutation("update", "deals", "deal-a", set={"amount": "much"}, base=1, unit=unit, contract=0),
        ana.mutation("update", "contacts", "carl", set={"telephone": "3"}, base=1, unit=unit, contract=0),
    )
    ana.office.round.versions = VERSIONS_FROM_0
    alone = mend(ana, "d-ana.2", "update", "contacts", "carl", set={"phone": "3"}, base=1)
    assert (alone.code, alone.details) == ("unit_failed", {"n": 1, "because": "field_invalid"})
    assert [status(ana.office, f"d-ana.{n}") for n in (1, 2)] == ["open", "open"]
    both = mend(ana, "d-ana.1", "update", "deals", "deal-a", set={"amount_minor": 700}, base=1)
    assert (both.outcome, ana.office.row("contacts", "carl")["phone"]) == ("applied", "3")


def test_what_a_clone_sends_again_settles_its_refusal_in_old_words_too(ana: Phone) -> None:
    """S18: under the new registration of the copy."""
    first = ana.mutation("update", "contacts", "carl", set={"telephone": "1"}, base=1, contract=0)
    other = {**first, "set": {"telephone": "2"}}
    ana.push(first)
    assert ana.push(other).register_anew
    (kept,) = ana.office.rows("refusals")
    assert (kept["code"], kept["status"]) == ("mutation_reused", "open")
    ana.office.phone("ana", "ana-2").push(other)
    assert status(ana.office, kept["key"]) == "repaired"
