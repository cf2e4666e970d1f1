"""S32: old versions are served what they know, a queue is never lost to an upgrade, and who is too old is told so."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from sfa.core.errors import Refused
from sfa.db.tables import devices
from sync.protocol import CONTRACT_MAX, Mutation, PushAnswer, Receipt
from sync.versions import VERSIONS, Change, Versions
from tests.office import Office, Phone
from tests.older_contract import DESCRIBED_FROM_0, FIRST_CHANGE, UNKNOWN, VERSIONS_FROM_0, told
from tests.sync.test_pull_digest import sums

TASK = ("tasks", "call", {"owner_key": "ana", "title": "Call"})
LINE = ("deal_lines", "line", {"deal_key": "deal-a", "product_key": "pump"})


@pytest.fixture
def old(office: Office) -> Phone:
    """Ana's phone with an app of version 0; her deal has a line, and she has a task."""
    office.round.versions = VERSIONS_FROM_0
    office.put(TASK, LINE, ("contacts", "carl", {"mobile": "9"}))
    phone = office.phone("ana")
    phone.contract = 0
    return phone


def seen_by(office: Office, user: str, contract: int) -> dict[tuple[str, str], dict[str, Any]]:
    rows = {place: told(contract, place[0], row) for place, row in office.visible(user).items()}
    return {place: row for place, row in rows.items() if row is not None}


# -- the pull -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contract", [0, 1, CONTRACT_MAX])
@pytest.mark.parametrize("user", ["ana", "mia", "dirk"])
def test_every_version_holds_its_users_scope_in_its_own_words(office: Office, user: str, contract: int) -> None:
    """S3, S16: in a first sync and in a delta, with small pages; the digests are those of what it holds."""
    office.round.versions = VERSIONS_FROM_0
    office.put(TASK, LINE)
    office.phone("ana").do("update", "contacts", "carl", base=1, set={"name": ""})  # a refusal with details
    phone = office.phone(user)
    phone.contract = contract
    phone.catch_up(page_rows=3)
    assert phone.sees() == seen_by(office, user, contract)
    office.put(("tasks", "call", {"title": "Call again"}), ("contacts", "carl", {"phone": "7", "mobile": "8"}))
    office.delete("deal_lines", "line")
    last = phone.catch_up(page_rows=1, digest=True)[-1]
    assert phone.sees() == seen_by(office, user, contract)
    assert last.digests == sums(phone)


def test_a_page_is_never_empty_before_the_last_however_much_is_not_told(old: Phone) -> None:
    """S14: an app that stops at empty pages would never catch up."""
    old.catch_up()
    old.office.put(*(("tasks", f"t{i}", {"owner_key": "ana", "title": "x"}) for i in range(30)))
    old.office.put(("contacts", "carl", {"phone": "5"}))
    pages = old.catch_up(page_rows=1)
    assert [page.rows for page in pages[:-1]] == [1] * (len(pages) - 1)
    assert [item.row["telephone"] for p in pages for c in p.changes for item in c.items if item.row] == ["5"]
    old.cursor = None
    assert [page.rows for page in old.catch_up(page_rows=2)[:-1] if page.rows != 2] == []


def test_a_bucket_that_holds_only_what_a_version_does_not_know_has_no_digest(old: Phone) -> None:
    """S16: her book has a deal; without it, it has a task only."""
    old.office.delete("deals", "deal-a")
    digests = old.catch_up(digest=True)[-1].digests
    assert digests is not None
    assert "book:ana" not in digests
    assert digests == sums(old)


# -- the push -----------------------------------------------------------------------------------------------------


def test_an_old_words_edit_lands_in_todays_words_and_erases_nothing(old: Phone) -> None:
    office = old.office
    receipt = old.do("update", "contacts", "carl", base=2, set={"telephone": "12"}, contract=0)
    assert (receipt.outcome, receipt.rev) == ("applied", 3)
    row = office.row("contacts", "carl")
    assert (row["phone"], row["mobile"]) == ("12", "9")
    made = {"account_key": "acme", "name": "Dora", "telephone": "1"}
    assert old.do("create", "contacts", "dora", set=made, contract=0).outcome == "applied"
    assert (office.row("contacts", "dora")["phone"], office.row("contacts", "dora")["mobile"]) == ("1", None)
    amount = old.edit("deals", "deal-a", amount="700", currency="EUR")
    assert amount.code == "field_unknown"  # words of version 0, said to be of version 1
    assert old.do("update", "deals", "deal-a", base=1, set={"amount": "700"}, contract=0).outcome == "applied"
    assert office.row("deals", "deal-a")["amount_minor"] == 700


def test_a_value_that_cannot_be_turned_is_one_refusal_with_its_words(old: Phone) -> None:
    """S19: and the next one lands."""
    bad = old.mutation("update", "deals", "deal-a", base=1, set={"amount": "much"}, contract=0)
    good = old.mutation("update", "contacts", "carl", base=2, set={"telephone": "3"}, contract=0)
    first, second = old.push(bad, good).receipts
    assert (first.outcome, first.code, second.outcome) == ("refused", "mutation_invalid", "applied")
    assert old.office.row("refusals", "d-ana.1")["mutation"] == bad


def test_the_same_words_are_the_same_mutation_under_every_version(old: Phone) -> None:
    """S18: the answer is lost, the app is upgraded, and the queue is sent again as it was."""
    mutation = old.mutation("update", "contacts", "carl", base=2, set={"telephone": "12"}, contract=0)
    before = old.push(mutation)
    old.contract = CONTRACT_MAX
    again = old.push(mutation)
    assert (again.receipts, again.register_anew) == (before.receipts, False)
    assert old.office.row("contacts", "carl")["rev"] == 3


def test_a_mutation_that_says_no_version_is_of_the_first() -> None:
    said = Mutation(1, "contacts", "c", "update", 0, 0, {"telephone": "1"})
    assert VERSIONS_FROM_0.upward(said) is said
    turned = VERSIONS_FROM_0.upward(msgspec.structs.replace(said, contract=0))
    assert turned.set == {"phone": "1"}
    command = Mutation(1, "deals", "d", "deal.win", 0, 0, {"amount": "x"}, contract=0)
    assert VERSIONS_FROM_0.upward(command) is command
    assert VERSIONS.upward(said) is said


def test_an_outcome_that_a_version_does_not_know_is_told_in_its_words() -> None:
    changes = {
        1: msgspec.structs.replace(FIRST_CHANGE, outcomes={"merged": "applied"}),
        2: Change(outcomes={"x": "merged"}),
    }
    versions = Versions(DESCRIBED_FROM_0, changes, 0, 0)
    answer = PushAnswer([Receipt(1, "x"), Receipt(2, "merged"), Receipt(3, "refused")], 4, 0, 9, "e")

    def outcomes(contract: int) -> list[str]:
        return [receipt.outcome for receipt in versions.told(contract, answer).receipts]

    assert outcomes(2) == ["x", "merged", "refused"]
    assert outcomes(1) == ["merged", "merged", "refused"]
    assert outcomes(0) == ["applied", "applied", "refused"]


# -- upgrades -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), [(0, 1), (0, CONTRACT_MAX), (1, CONTRACT_MAX), (CONTRACT_MAX, 1)])
def test_a_cursor_of_another_version_is_answered_by_a_reset_that_brings_what_was_lacking(
    old: Phone, before: int, after: int
) -> None:
    """S12: forwards, and back again."""
    old.contract = before
    old.catch_up()
    old.contract = after
    old.catch_up(page_rows=5)
    assert old.resets == ["no_cursor", "contract_changed"]
    assert old.sees() == seen_by(old.office, "ana", after)


def test_an_app_goes_on_where_an_upgrade_came_between_two_pages_of_a_fill(old: Phone) -> None:
    old.cursor = old.page(None, page_rows=2).cursor
    old.contract = CONTRACT_MAX
    old.catch_up(page_rows=4)
    assert old.resets == ["contract_changed"]
    assert old.sees() == old.office.visible("ana")
    assert {entity for entity, _ in old.sees()} >= UNKNOWN


# -- too old, too new -----------------------------------------------------------------------------------------------


def ask(phone: Phone, *mutations: Any, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = msgspec.json.decode(phone.answer(phone.body(mutations, **{"pull": True, **fields})))
    return answer


def test_below_the_minimum_the_queue_is_taken_and_then_the_app_must_be_upgraded(old: Phone) -> None:
    old.office.round.versions = VERSIONS_FROM_0.serving_from(1)
    answer = ask(old, old.mutation("update", "contacts", "carl", base=2, set={"telephone": "4"}, contract=0))
    assert answer["push"]["receipts"][0]["outcome"] == "applied"
    assert "page" not in answer
    with pytest.raises(Refused) as refused:
        ask(old)
    assert (refused.value.code, refused.value.status) == ("contract_unsupported", 426)
    assert refused.value.details == {"minimum": 1, "maximum": CONTRACT_MAX, "push_minimum": 0}
    assert old.office.row("contacts", "carl")["phone"] == "4"


def test_below_the_oldest_push_nothing_is_taken(office: Office) -> None:
    ana = office.phone("ana")
    ana.contract = 0
    sent = ana.mutation("update", "contacts", "carl", base=1, set={"phone": "4"})
    with pytest.raises(Refused, match="contract_unsupported"):
        ask(ana, sent)
    ana.contract = 1
    assert [receipt.outcome for receipt in ana.push(sent).receipts] == ["applied"]


def test_a_newer_app_waits_and_nothing_is_taken(office: Office) -> None:
    """S19."""
    ana = office.phone("ana")
    ana.contract = CONTRACT_MAX + 1
    with pytest.raises(Refused, match="device_ahead"):
        ask(ana, ana.mutation("update", "contacts", "carl", base=1, set={"phone": "4"}))
    assert office.row("contacts", "carl")["phone"] == "1"


@pytest.mark.parametrize("state", ["revoked", "wiped"])
def test_a_registration_that_ended_hears_that_before_anything_about_versions(office: Office, state: str) -> None:
    """S31: a lost phone with an old app erases, it does not wait for an upgrade."""
    office.database.write(lambda c: c.execute(update(devices).where(devices.c.key == "d-ana").values(state=state)))
    ana = office.phone("ana")
    for ana.contract in (0, CONTRACT_MAX + 1):
        with pytest.raises(Refused, match=f"device_{state}"):
            ask(ana)


@pytest.mark.parametrize("contract", [0, CONTRACT_MAX + 1, 2**70])
def test_the_version_of_an_app_that_was_turned_away_is_noted(office: Office, contract: int) -> None:
    """S31: a manager sees who must upgrade."""
    ana = office.phone("ana")
    ana.contract = contract
    with pytest.raises(Refused):
        ask(ana)
    assert office.round.seen._notes["d-ana"].contract == min(contract, 2**31 - 1)


def test_only_versions_that_are_described_can_be_the_oldest_served() -> None:
    assert VERSIONS.serving_from(CONTRACT_MAX).minimum == CONTRACT_MAX
    assert VERSIONS.minimum == 1
    for minimum in (0, CONTRACT_MAX + 1):
        with pytest.raises(Refused, match="setting_invalid"):
            VERSIONS.serving_from(minimum)
