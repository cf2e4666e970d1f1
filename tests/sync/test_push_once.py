"""Exactly once: numbers, receipts, gaps, clones, units, skips and what a device must keep (S17-S21, S23)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, select

from sfa.core.errors import Refused
from sfa.db.tables import receipts
from sync import protocol
from tests.builders import DAY_MS
from tests.office import Office, Phone


def added(phone: Phone, name: str, **fields: Any) -> dict[str, Any]:
    """A mutation that adds a contact of that key."""
    return phone.mutation("create", "contacts", name, set={"account_key": "acme", "name": name}, **fields)


def test_a_repeated_push_answers_the_same_bytes_and_changes_nothing(office: Office) -> None:
    """S18: applied, merged, in conflict or refused alike."""
    ana, bob = office.phone("ana"), office.phone("bob")
    base = office.rev("contacts", "carl")
    assert bob.edit("contacts", "carl", phone="2", title="Boss").outcome == "applied"
    bob.edit("deals", "deal-a", amount_minor=1)
    body = ana.body(
        [
            added(ana, "new"),
            ana.mutation("update", "contacts", "carl", base=base, set={"phone": "3"}),
            ana.mutation("update", "accounts", "nowhere", base=1, set={"name": "x"}),
            ana.mutation("delete", "contacts", "carl", base=base),
        ]
    )
    first = ana.answer(body)
    told = msgspec.json.decode(first, type=protocol.SyncAnswer).push
    assert told is not None
    assert [r.outcome for r in told.receipts] == ["applied", "merged", "refused", "conflict"]
    stored = [office.history("contacts", "carl"), office.rows("conflicts"), office.rows("refusals")]
    assert ana.answer(body) == first
    office.clock.advance(1_000)
    later = msgspec.json.decode(ana.answer(body), type=protocol.SyncAnswer).push
    assert later == told
    assert [office.history("contacts", "carl"), office.rows("conflicts"), office.rows("refusals")] == stored


def test_a_repeat_together_with_new_ones_takes_only_the_new_ones(office: Office) -> None:
    """S18: the answer to the first push was lost, and the device went on working."""
    ana = office.phone("ana")
    one, two, three = added(ana, "c1"), added(ana, "c2"), added(ana, "c3")
    first = ana.push(one, two)
    again = ana.push(one, two, three)
    assert again.receipts[:2] == first.receipts
    assert [r.n for r in again.receipts] == [1, 2, 3]
    assert (again.expected_n, office.rev("contacts", "c1"), office.rev("contacts", "c3")) == (4, 1, 1)


def test_two_phones_of_one_person_number_apart(office: Office) -> None:
    """S17: n counts per registration."""
    one, two = office.phone("ana"), office.phone("ana", "tablet")
    assert [one.push(added(one, "c1")).expected_n, two.push(added(two, "c2")).expected_n] == [2, 2]


def test_the_same_number_with_other_content_is_kept_and_demands_a_new_registration(office: Office) -> None:
    """S18: a cloned device. Sent twice it is one refusal, and what was taken stands."""
    ana = office.phone("ana")
    ana.push(added(ana, "c1"))
    other = {**added(ana, "c2"), "n": 1}
    answer = ana.push(other)
    assert answer.register_anew
    assert [(r.n, r.outcome, r.code) for r in answer.receipts] == [(1, "refused", "mutation_reused")]
    assert office.find("contacts", "c2") is None
    ana.push(other)
    (kept,) = office.rows("refusals")
    assert (kept["n"], kept["code"], kept["author_key"]) == (1, "mutation_reused", "ana")
    assert kept["mutation"] == other
    ana.push({**other, "key": "c3"})
    assert len(office.rows("refusals")) == 2
    assert answer.expected_n == 2


def test_the_same_number_twice_in_one_push_loses_neither(office: Office) -> None:
    """S1, S18: the first is taken, other content is kept as a refusal, equal content is a repeat."""
    ana = office.phone("ana")
    one = added(ana, "c1")
    clone, two = {**added(ana, "c2"), "n": 1}, {**added(ana, "c3"), "n": 2}
    answer = ana.push(one, one, clone, two)
    assert [(r.n, r.outcome) for r in answer.receipts if r.outcome == "applied"] == [(1, "applied"), (2, "applied")]
    assert answer.register_anew
    (kept,) = office.rows("refusals")
    assert (kept["code"], kept["mutation"]) == ("mutation_reused", clone)
    assert ana.push(one, one, clone, two).register_anew
    assert len(office.rows("refusals")) == 1


def test_the_order_of_names_inside_a_mutation_is_no_other_content(office: Office) -> None:
    """S18: a digest of what was said, not of how it was written."""
    ana = office.phone("ana")
    one = added(ana, "c1")
    first = ana.push(one)
    turned = dict(reversed([*one.items(), ("base", 0)]))
    turned["set"] = dict(reversed(one["set"].items()))
    again = ana.push(turned)
    assert (again.receipts, again.register_anew) == (first.receipts, False)


def test_after_a_gap_nothing_is_taken_and_the_answer_says_what_is_expected(office: Office) -> None:
    """S18."""
    ana = office.phone("ana")
    one, _lost, three, four = (added(ana, f"c{i}") for i in range(1, 5))
    answer = ana.push(one, three, four)
    assert (answer.stopped, answer.expected_n) == ("sequence_gap", 2)
    assert [r.n for r in answer.receipts] == [1]
    assert office.find("contacts", "c3") is None
    alone = ana.push(four)
    assert (alone.stopped, alone.expected_n, alone.receipts) == ("sequence_gap", 2, [])
    assert office.rows("refusals") == []


# -- units -----------------------------------------------------------------------------------------------------------


def unit(size: int, name: str = "u") -> dict[str, Any]:
    return {"unit": {"id": name, "size": size}}


def test_a_unit_lands_whole(office: Office) -> None:
    """S20."""
    ana = office.phone("ana")
    answer = ana.push(added(ana, "c1", **unit(2)), added(ana, "c2", **unit(2)), added(ana, "c3"))
    assert [r.outcome for r in answer.receipts] == ["applied"] * 3


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_unit_with_one_refused_member_leaves_no_trace(office: Office, bad: int) -> None:
    """S19, S20: the others say `unit_failed` and why; what comes after the unit lands."""
    ana = office.phone("ana")
    sent = [added(ana, f"c{i}", **unit(3)) for i in range(3)]
    sent[bad]["set"]["name"] = ""
    after = added(ana, "after")
    answer = ana.push(*sent, after)
    codes = ["unit_failed"] * 3
    codes[bad] = "field_invalid"
    assert [r.code for r in answer.receipts] == [*codes, None]
    assert {r.depends_on_n for r in answer.receipts if r.code == "unit_failed"} == {bad + 1}
    assert [office.history("contacts", f"c{i}") for i in range(3)] == [[], [], []]
    assert [(r["n"], r["code"]) for r in office.rows("refusals")] == list(zip((1, 2, 3), codes, strict=True))
    assert office.rev("contacts", "after") == 1
    assert ana.push(*sent, after).receipts == answer.receipts


def test_an_update_inside_a_failed_unit_is_undone_on_the_row_and_in_later_mutations(office: Office) -> None:
    """S20: the mutation after the unit sees the row as it was."""
    ana = office.phone("ana")
    base = office.rev("contacts", "carl")
    answer = ana.push(
        ana.mutation("update", "contacts", "carl", base=base, set={"phone": "99"}, **unit(2)),
        ana.mutation("update", "contacts", "nobody", base=1, set={"phone": "99"}, **unit(2)),
        ana.mutation("update", "contacts", "carl", base=base, set={"title": "Boss"}),
    )
    assert [r.code for r in answer.receipts] == ["unit_failed", "row_unknown", None]
    row = office.row("contacts", "carl")
    assert (row["phone"], row["title"], row["rev"]) == ("1", "Boss", base + 1)


@pytest.mark.parametrize("seconds", [{}, unit(3), unit(2, "other")])
def test_a_split_unit_is_not_taken(office: Office, seconds: dict[str, Any]) -> None:
    """S20: nor anything after it, so that the device can send it whole."""
    ana = office.phone("ana")
    answer = ana.push(added(ana, "c0"), added(ana, "c1", **unit(2)), added(ana, "c2", **seconds), added(ana, "c3"))
    assert (answer.stopped, answer.expected_n) == ("unit_split", 2)
    assert [r.n for r in answer.receipts] == [1]
    assert office.rows("refusals") == []


def test_a_unit_cut_at_the_end_of_a_push_is_not_taken_and_lands_when_sent_whole(office: Office) -> None:
    """S20."""
    ana = office.phone("ana")
    one, two = added(ana, "c1", **unit(2)), added(ana, "c2", **unit(2))
    assert ana.push(one).stopped == "unit_split"
    assert [r.outcome for r in ana.push(one, two).receipts] == ["applied", "applied"]


def test_a_unit_with_an_unreadable_member_is_refused_as_a_whole(office: Office) -> None:
    """S19, S20."""
    ana = office.phone("ana")
    answer = ana.push(added(ana, "c1", **unit(2)), {**added(ana, "c2", **unit(2)), "at": "noon"})
    assert [r.code for r in answer.receipts] == ["unit_failed", "mutation_invalid"]
    assert office.find("contacts", "c1") is None


# -- whose, and what to keep -----------------------------------------------------------------------------------------


def test_mutations_of_another_user_are_refused_whole_and_take_no_number(office: Office) -> None:
    """S23: a shared tablet."""
    ana = office.phone("ana")
    sent = added(ana, "c1")
    with pytest.raises(Refused) as refused:
        ana.push(sent, user="bob")
    assert refused.value.code == "wrong_user"
    assert (office.find("contacts", "c1"), office.rows("refusals")) == (None, [])
    assert ana.push(sent).receipts[0].outcome == "applied"


def test_a_registration_of_somebody_else_is_unknown(office: Office) -> None:
    """S18: the token says user and device; both must belong together."""
    ana = office.phone("ana")
    ana.caller = msgspec.structs.replace(ana.caller, device="d-bob")
    with pytest.raises(Refused) as refused:
        ana.push(added(ana, "c1"))
    assert refused.value.code == "device_unknown"
    with pytest.raises(Refused) as pulled:
        ana.page()
    assert pulled.value.code == "device_unknown"


def test_durable_n_follows_seven_days_later(office: Office) -> None:
    """S21: what is newer is kept by the device, in case the server is restored."""
    ana = office.phone("ana")
    assert ana.push(added(ana, "c1"), added(ana, "c2")).durable_n == 0
    office.clock.advance(3 * DAY_MS)
    assert ana.push(added(ana, "c3")).durable_n == 0
    office.clock.advance(4 * DAY_MS - 1)
    assert ana.push(added(ana, "c4")).durable_n == 0
    office.clock.advance(1)
    assert ana.push(added(ana, "c5")).durable_n == 2
    office.clock.advance(7 * DAY_MS)
    old = ana.push(ana.mutation("create", "contacts", "c5", set={}, n=1))
    assert old.durable_n == 5


def test_durable_n_is_told_on_a_repeat_too(office: Office) -> None:
    """S21."""
    ana = office.phone("ana")
    one = added(ana, "c1")
    ana.push(one)
    office.clock.advance(7 * DAY_MS)
    assert ana.push(one).durable_n == 1
    assert ana.push(one).durable_n == 1


def test_a_skip_is_recorded_and_the_numbers_go_on_after_it(office: Office) -> None:
    """S21: what the device no longer has is declared, and stays visible as skipped."""
    ana = office.phone("ana")
    ana.push(added(ana, "c1"))
    ana.n = 4
    five = added(ana, "c5")
    answer = ana.push(five, skip={"first_n": 2, "last_n": 4})
    assert (answer.expected_n, [r.n for r in answer.receipts]) == (6, [5])
    assert office.all(select(receipts.c["items"]).where(receipts.c.last_n == 4))[0]["items"][0]["outcome"] == "skipped"
    assert [(r.n, r.outcome) for r in ana.push(five).receipts] == [(5, "applied")]


def test_what_comes_under_a_skipped_number_is_a_copys_and_is_kept(office: Office) -> None:
    """S1, S18: one copy of the phone no longer had it, another one has; `skipped` would be the end of its words."""
    ana = office.phone("ana")
    ana.push(skip={"first_n": 1, "last_n": 4})
    ana.n = 2
    answer = ana.push(added(ana, "c3"))
    assert [(r.n, r.code) for r in answer.receipts] == [(3, "mutation_reused")]
    assert answer.register_anew
    assert [row["mutation"]["key"] for row in office.rows("refusals")] == ["c3"]


def test_a_skip_alone_is_kept_and_a_repeat_of_it_changes_nothing(office: Office) -> None:
    """S2, S21."""
    ana = office.phone("ana")
    ana.push(added(ana, "c1"))
    for _ in range(2):
        assert ana.push(skip={"first_n": 2, "last_n": 3}).expected_n == 4
    assert office.device("d-ana")["last_n"] == 3
    ana.n = 3
    assert ana.push(added(ana, "c4")).expected_n == 5


def test_a_skip_may_overlap_what_was_taken_but_not_leave_a_gap(office: Office) -> None:
    """S21."""
    ana = office.phone("ana")
    one, two = added(ana, "c1"), added(ana, "c2")
    ana.push(one, two)
    assert ana.push(skip={"first_n": 1, "last_n": 4}).expected_n == 5
    assert [r.outcome for r in ana.push(one, two).receipts] == ["applied", "applied"]
    with pytest.raises(Refused) as refused:
        ana.push(skip={"first_n": 6, "last_n": 7})
    assert (refused.value.code, refused.value.details) == ("sequence_gap", {"expected_n": 5})


def test_a_failed_mutation_leaves_no_trace_but_its_refusal(office: Office) -> None:
    """S19: neither in the row nor in history, feed or conflicts."""
    ana = office.phone("ana")
    before = (office.row("accounts", "acme"), office.history("accounts", "acme"))
    receipt = ana.edit("accounts", "acme", city="Vigo", latitude=1.0)
    assert receipt.code == "invariant_failed"
    assert (office.row("accounts", "acme"), office.history("accounts", "acme")) == before
    assert len(office.rows("refusals")) == 1


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)  # PostgreSQL's disk is not a test's to fill
def test_a_push_that_finds_the_disk_full_takes_nothing_and_lands_later(office: Office) -> None:
    def limit(connection: Connection, pages: int) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    ana = office.phone("ana")
    sent = [added(ana, f"c{i}") for i in range(300)]
    used = office.database.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar_one())
    office.database.write(limit, used + 3)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            ana.push(*sent)
        assert refused.value.code == "storage_full"
    assert office.device("d-ana")["last_n"] == 0
    assert office.find("contacts", "c0") is None
    office.database.write(limit, 1_000_000)
    assert {r.outcome for r in ana.push(*sent).receipts} == {"applied"}
    assert [office.rev("contacts", f"c{i}") for i in (0, 299)] == [1, 1]
