"""What a broken, old or hostile device may send below HTTP: a stable code each, and nothing else is lost."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from sfa.core.errors import CATALOGUE, Refused
from sfa.db.tables import devices
from sync import protocol
from tests.builders import DAY_MS, NOW
from tests.office import Office, Phone

GOOD = {"account_key": "acme", "name": "Good"}
YEAR_MS = 365 * DAY_MS


def item(number: int, **changes: Any) -> bytes:
    """A mutation as bytes: a good contact, with some of its parts replaced; `_raw` replaces all of it."""
    base = {"n": number, "entity": "contacts", "key": f"bad-{number}", "kind": "create", "at": NOW, "set": GOOD}
    merged = {**base, **changes}
    return msgspec.json.encode({k: v for k, v in merged.items() if v is not msgspec.UNSET})


def account(**values: Any) -> dict[str, Any]:
    return {"entity": "accounts", "key": "acme", "kind": "update", "base": 1, "set": values}


def command(kind: str, entity: str, key: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": kind, "entity": entity, "key": key, "base": 1, "set": arguments}


def contact(**values: Any) -> dict[str, Any]:
    return {"set": {**GOOD, **values}}


def deal(**values: Any) -> dict[str, Any]:
    values = {"name": "D", "owner_key": "ana", "stage_key": "lead", **values}
    return {"entity": "deals", "set": values}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


# name -> (what differs from a good mutation, the stable code of its refusal)
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "unknown entity": ({"entity": "invoices"}, "entity_unknown"),
    "empty entity": ({"entity": ""}, "entity_unknown"),
    "NUL in the entity": ({"entity": "acc\x00ounts"}, "entity_unknown"),
    "entity too long": ({"entity": "e" * 65}, "mutation_invalid"),
    "entity is a number": ({"entity": 7}, "mutation_invalid"),
    "entity missing": ({"entity": msgspec.UNSET}, "mutation_invalid"),
    "an entity of the server": ({"entity": "refusals"}, "not_permitted"),
    "unknown command": ({"kind": "contact.explode"}, "command_unknown"),
    "empty kind": ({"kind": ""}, "command_unknown"),
    "NUL in the kind": ({"kind": "create\x00"}, "command_unknown"),
    "kind is null": ({"kind": None}, "mutation_invalid"),
    "command of another entity": (command("deal.win", "contacts", "carl"), "command_invalid"),
    "unknown field": (contact(shoe_size=45), "field_unknown"),
    "empty field name": (contact(**{"": 1}), "field_unknown"),
    "NUL in a field name": (contact(**{"na\x00me": "x"}), "field_unknown"),
    "very long field name": (contact(**{"f" * 5_000: 1}), "field_unknown"),
    "text where a number belongs": (account(employees="7"), "field_invalid"),
    "number where a text belongs": (contact(phone=34911), "field_invalid"),
    "truth where a number belongs": (account(employees=True), "field_invalid"),
    "number where a truth belongs": (contact(active=1), "field_invalid"),
    "fraction where a count belongs": (account(employees=1.5), "field_invalid"),
    "whole float where a count belongs": (account(employees=5.0), "field_invalid"),
    "list where a text belongs": (contact(phone=["1"]), "field_invalid"),
    "object where a text belongs": (contact(phone={"a": 1}), "field_invalid"),
    "null where a value is required": (contact(name=None), "field_invalid"),
    "text where a list belongs": (account(tags="vip"), "field_invalid"),
    "empty where a name is required": (contact(name=""), "field_invalid"),
    "name too long": (contact(name="x" * 201), "field_invalid"),
    "too many tags": (account(tags=[str(i) for i in range(51)]), "field_invalid"),
    "tag too long": (account(tags=["t" * 51]), "field_invalid"),
    "too many splits": (deal(splits=[{"user_key": "ana", "share_bp": 0}] * 21), "field_invalid"),
    "NUL in a text": (contact(phone="1\x002"), "field_invalid"),
    "NUL in a tag": (account(tags=["a\x00b"]), "field_invalid"),
    "NUL in a reference": (contact(account_key="ac\x00me"), "field_invalid"),
    "NUL in a split": (
        deal(splits=[{"user_key": "a\x00", "share_bp": 0}, {"user_key": "ana", "share_bp": 10_000}]),
        "field_invalid",
    ),
    "a split of nobody": (
        deal(splits=[{"user_key": "nobody", "share_bp": 1}, {"user_key": "ana", "share_bp": 9_999}]),
        "reference_unknown",
    ),
    "a split with a bad key": (
        deal(splits=[{"user_key": "no body", "share_bp": 1}, {"user_key": "ana", "share_bp": 9_999}]),
        "splits_invalid",
    ),
    "a split without a share": (deal(splits=[{"user_key": "ana"}]), "splits_invalid"),
    "a split that is a text": (deal(splits=["ana"]), "field_invalid"),
    "a split of more than all": (deal(splits=[{"user_key": "ana", "share_bp": 10_001}]), "splits_invalid"),
    "a split of half a point": (deal(splits=[{"user_key": "ana", "share_bp": 10_000.0}]), "splits_invalid"),
    "number beyond 64 bits": (account(employees=2**64), "field_invalid"),
    "number beyond the limit": (account(revenue_minor=10**15 + 1, revenue_currency="EUR"), "field_invalid"),
    "number of thirty digits": (account(revenue_minor=-(10**30), revenue_currency="EUR"), "field_invalid"),
    "instant beyond the year 9999": (
        {"entity": "visits", "set": {"account_key": "acme", "planned_at": 2**60}},
        "field_invalid",
    ),
    "latitude of 91": (account(latitude=91.0, longitude=0.0), "field_invalid"),
    "30 February": ({"entity": "tasks", "set": {"title": "T", "due_on": "2026-02-30"}}, "field_invalid"),
    "month 13": ({"entity": "tasks", "set": {"title": "T", "due_on": "2026-13-01"}}, "field_invalid"),
    "day with a time": ({"entity": "tasks", "set": {"title": "T", "due_on": "2026-01-01T00:00"}}, "field_invalid"),
    "day in other digits": ({"entity": "tasks", "set": {"title": "T", "due_on": "٢٠٢٦-01-01"}}, "field_invalid"),
    "day with a line feed": ({"entity": "tasks", "set": {"title": "T", "due_on": "2026-01-01\n"}}, "field_invalid"),
    "required field missing": ({"set": {"account_key": "acme"}}, "field_required"),
    "nothing set at all": ({"set": {}}, "field_required"),
    "set missing": ({"set": msgspec.UNSET}, "field_required"),
    "set is a list": ({"set": [1]}, "mutation_invalid"),
    "set is null": ({"set": None}, "mutation_invalid"),
    "set is a text": ({"set": "{}"}, "mutation_invalid"),
    "deep nesting where a text belongs": (contact(phone=nested(400)), "field_invalid"),
    "deep nesting in a split": (deal(splits=[{"user_key": "ana", "share_bp": nested(400)}]), "splits_invalid"),
    "reference to nothing": (contact(account_key="nowhere"), "reference_unknown"),
    "reference to another territory": (contact(account_key="zeta"), "reference_unknown"),
    "reference that is no key": (contact(account_key="no such key!"), "field_invalid"),
    "key with a blank": ({"key": "a b"}, "key_invalid"),
    "key in other letters": ({"key": "ключ"}, "key_invalid"),
    "key with NUL": ({"key": "a\x00b"}, "key_invalid"),
    "key with a line feed": ({"key": "abc\n"}, "key_invalid"),
    "empty key": ({"key": ""}, "key_invalid"),
    "key of 65 characters": ({"key": "k" * 65}, "key_invalid"),
    "key of 201 characters": ({"key": "k" * 201}, "mutation_invalid"),
    "key is a number": ({"key": 7}, "mutation_invalid"),
    "update of a bad key": ({"kind": "update", "key": "a\x00b", "set": {"name": "x"}}, "key_invalid"),
    "delete of a bad key": ({"kind": "delete", "key": "a\x00b", "set": {}}, "key_invalid"),
    "transition of a bad key": (command("visit.check_in", "visits", "v\x001"), "key_invalid"),
    "command on a bad key": (command("contact.merge", "contacts", "c\x001", into="carl"), "key_invalid"),
    "update of nothing": ({"kind": "update", "key": "nobody", "set": {"name": "x"}}, "row_unknown"),
    "delete of nothing": ({"kind": "delete", "key": "nobody", "set": {}}, "row_unknown"),
    "command on nothing": (command("deal.win", "deals", "no-deal"), "row_unknown"),
    "merge into nothing": (command("contact.merge", "contacts", "carl", into="nobody"), "row_unknown"),
    "merge into a bad key": (command("contact.merge", "contacts", "carl", into="c\x00"), "command_invalid"),
    "merge into itself": (command("contact.merge", "contacts", "carl", into="carl"), "merge_invalid"),
    "merge without a target": (command("contact.merge", "contacts", "carl"), "command_invalid"),
    "merge with more arguments": (command("contact.merge", "contacts", "carl", into="x", by="y"), "command_invalid"),
    "merge into a list": (command("contact.merge", "contacts", "carl", into=["x"]), "command_invalid"),
    "unknown argument": (command("deal.win", "deals", "deal-a", prize=1), "command_invalid"),
    "NUL in an argument's name": (command("deal.win", "deals", "deal-a", **{"a\x00b": 1}), "command_invalid"),
    "NUL in an argument": (command("deal.move", "deals", "deal-a", stage_key="off\x00er"), "command_invalid"),
    "NUL in a reason": (command("deal.lose", "deals", "deal-a", reason="pr\x00ice"), "command_invalid"),
    "stage that is no key": (command("deal.move", "deals", "deal-a", stage_key="off er"), "command_invalid"),
    "unknown stage": (command("deal.move", "deals", "deal-a", stage_key="dreaming"), "reference_unknown"),
    "stage of another kind": (command("deal.move", "deals", "deal-a", stage_key="won"), "command_invalid"),
    "loss without a reason": (command("deal.lose", "deals", "deal-a"), "reason_required"),
    "loss for a blank reason": (command("deal.lose", "deals", "deal-a", reason="  "), "reason_required"),
    "reason too long": (command("deal.lose", "deals", "deal-a", reason="x" * 501), "field_invalid"),
    "base is negative": ({"base": -1}, "mutation_invalid"),
    "base is a text": ({"base": "1"}, "mutation_invalid"),
    "base beyond 53 bits": ({"base": 2**53 + 1}, "mutation_invalid"),
    "at is missing": ({"at": msgspec.UNSET}, "mutation_invalid"),
    "at is a text": ({"at": "2026-01-05"}, "mutation_invalid"),
    "at is a fraction": ({"at": 1.5}, "mutation_invalid"),
    "at beyond 53 bits": ({"at": 2**62}, "mutation_invalid"),
    "unknown part of a mutation": ({"author": "mia"}, "mutation_invalid"),
    "NUL in an unknown part": ({"a\x00b": 1}, "mutation_invalid"),
    "unit of none": ({"unit": {"id": "u", "size": 0}}, "mutation_invalid"),
    "unit beyond the limit": ({"unit": {"id": "u", "size": protocol.UNIT_SIZE_MAX + 1}}, "mutation_invalid"),
    "unit without a name": ({"unit": {"id": "", "size": 1}}, "mutation_invalid"),
    "unit is a text": ({"unit": "u"}, "mutation_invalid"),
    "field set by the server": (contact(created_by="bob"), "field_read_only"),
    "state set without its command": (
        {"entity": "visits", "set": {"account_key": "acme", "status": "completed"}},
        "field_read_only",
    ),
    "amount without a currency": (deal(amount_minor=1), "invariant_failed"),
    "half a position": (account(latitude=1.0), "invariant_failed"),
}
# The same as bytes, where no encoder would write it.
MALFORMED: dict[str, bytes] = {
    "a list": b"[1,2]",
    "a text": b'"create"',
    "a number": b"7",
    "null": b"null",
    "an empty object": b"{}",
    "bytes that are no UTF-8": b'{"n":2,"entity":"contacts","key":"x","kind":"create","at":1,"set":{"name":"\xff"}}',
    "number out of range": b'{"n":2,"entity":"accounts","key":"acme","kind":"update","at":1,"set":{"latitude":1e400}}',
    "number of 5,000 digits": b'{"n":2,"entity":"accounts","key":"acme","kind":"update","at":1,"set":{"employees":%s}}'
    % (b"9" * 5_000),
    "n negative": item(-2),
    "n zero": item(0),
    "n a text": item(2, n="2"),
    "n null": item(2, n=None),
    "n missing": item(2, n=msgspec.UNSET),
    "n a fraction": item(2, n=2.5),
    "n beyond 64 bits": item(2, n=2**70),
    "n of 5,000 digits": b'{"n":%s}' % (b"9" * 5_000),
    "larger than the limit": item(2, set={"name": "x" * (protocol.MUTATION_BYTES_MAX + 1)}),
}


def between(phone: Phone, middle: bytes) -> protocol.PushAnswer:
    """Push a good mutation, the one in the middle, and a good one after it."""
    parts = [item(1, key=f"{phone.device}-before"), middle, item(3, key=f"{phone.device}-after")]
    body = b'{"user":"ana","now":%d,"pull":false,"mutations":[%s]}' % (NOW, b",".join(parts))
    answer = msgspec.json.decode(phone.answer(body), type=protocol.SyncAnswer)
    assert answer.push is not None
    return answer.push


def refused_in_the_middle(office: Office, device: str, middle: bytes) -> protocol.Receipt:
    """Whatever stands in the middle is one refusal with its content; its neighbours land; a repeat changes nothing."""
    phone = office.phone("ana", device)
    answer = between(phone, middle)
    assert [r.n for r in answer.receipts] == [1, 2, 3]
    assert [r.outcome for r in answer.receipts] == ["applied", "refused", "applied"]
    assert (answer.stopped, answer.register_anew, answer.expected_n) == (None, False, 4)
    kept = office.row("refusals", f"{device}.2")
    assert (kept["author_key"], kept["status"], kept["code"]) == ("ana", "open", answer.receipts[1].code)
    seq = office.seq()
    assert between(phone, middle).receipts == answer.receipts
    assert office.seq() == seq
    return answer.receipts[1]


@pytest.mark.parametrize("name", BROKEN)
def test_one_broken_mutation_is_one_refusal_with_a_stable_code(shared_office: Office, name: str) -> None:
    """S19: and its neighbours land."""
    changes, code = BROKEN[name]
    device = f"b{[*BROKEN].index(name)}"
    middle = item(2, **{"key": f"{device}-bad", **changes})
    receipt = refused_in_the_middle(shared_office, device, middle)
    assert receipt.code == code, receipt.text
    assert code in CATALOGUE
    kept = shared_office.row("refusals", f"{device}.2")
    assert kept["mutation"] == msgspec.json.decode(middle)
    assert "\x00" not in (receipt.text or "")


@pytest.mark.parametrize("name", MALFORMED)
def test_an_unreadable_mutation_is_one_refusal_at_its_place(shared_office: Office, name: str) -> None:
    """S19: decoded one by one; a number that cannot be read is the one of its position."""
    receipt = refused_in_the_middle(shared_office, f"m{[*MALFORMED].index(name)}", MALFORMED[name])
    assert receipt.code == "mutation_invalid", receipt.text


def test_the_refused_texts_reach_their_author_and_nobody_else(shared_office: Office) -> None:
    """S10, S19: refusals lie in their author's bucket and survive the way through the feed."""
    for user, expected in (("ana", True), ("mia", False), ("fay", False)):
        phone = shared_office.phone(user)
        phone.catch_up()
        assert bool(phone.keys("refusals")) is expected
        assert phone.sees() == shared_office.visible(user)


# -- the request as a whole ------------------------------------------------------------------------------------------

WHOLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "json_invalid"),
    "cut off": (b'{"user":"ana","now":1,"mutations":[{"n":1', "json_invalid"),
    "a list": (b"[]", "request_invalid"),
    "null": (b"null", "request_invalid"),
    "no user": (b'{"now":1}', "request_invalid"),
    "no clock": (b'{"user":"ana"}', "request_invalid"),
    "clock is a text": (b'{"user":"ana","now":"1"}', "request_invalid"),
    "clock beyond 53 bits": (b'{"user":"ana","now":9007199254740993}', "request_invalid"),
    "unknown part": (b'{"user":"ana","now":1,"admin":true}', "request_invalid"),
    "actor in the body": (b'{"user":"ana","now":1,"device":"d-mia"}', "request_invalid"),
    "mutations are an object": (b'{"user":"ana","now":1,"mutations":{}}', "request_invalid"),
    "mutations are null": (b'{"user":"ana","now":1,"mutations":null}', "request_invalid"),
    "NaN": (b'{"user":"ana","now":1,"mutations":[{"n":NaN}]}', "json_invalid"),
    "Infinity": (b'{"user":"ana","now":Infinity}', "json_invalid"),
    "no UTF-8": (b'{"user":"\xff","now":1}', "json_invalid"),
    "NUL byte": (b'{"user":"a\x00","now":1}', "json_invalid"),
    "two bodies": (b'{"user":"ana","now":1}{"user":"ana","now":1}', "json_invalid"),
    "too deep": (b'{"user":"ana","now":1,"mutations":%s}' % (b"[" * 100_000 + b"]" * 100_000), "json_too_deep"),
    "no rows a page": (b'{"user":"ana","now":1,"page_rows":0}', "request_invalid"),
    "too many rows a page": (b'{"user":"ana","now":1,"page_rows":20001}', "request_invalid"),
    "at_least negative": (b'{"user":"ana","now":1,"at_least":-1}', "request_invalid"),
    "cursor too long": (
        b'{"user":"ana","now":1,"cursor":"%s"}' % (b"A" * (protocol.CURSOR_BYTES_MAX + 1)),
        "request_invalid",
    ),
    "cursor is a number": (b'{"user":"ana","now":1,"cursor":7}', "request_invalid"),
    "contract of yesterday": (b'{"user":"ana","now":1,"contract":0}', "contract_unsupported"),
    "contract of tomorrow": (b'{"user":"ana","now":1,"contract":3}', "device_ahead"),
    "contract of thirty digits": (b'{"user":"ana","now":1,"contract":%d}' % 10**30, "device_ahead"),
    "too many mutations": (
        b'{"user":"ana","now":1,"mutations":[%s]}' % b",".join([b"{}"] * (protocol.MUTATIONS_MAX + 1)),
        "too_many_mutations",
    ),
    "another user's": (b'{"user":"bob","now":1,"mutations":[%s]}' % item(1), "wrong_user"),
    "another user's, with NUL": (b'{"user":"b\\u0000b","now":1,"mutations":[%s]}' % item(1), "wrong_user"),
    "skip backwards": (b'{"user":"ana","now":1,"skip":{"first_n":999999,"last_n":1000000}}', "sequence_gap"),
    "skip of nothing": (b'{"user":"ana","now":1,"skip":{"first_n":0,"last_n":1}}', "request_invalid"),
    "skip is a list": (b'{"user":"ana","now":1,"skip":[1,2]}', "request_invalid"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_broken_request_is_refused_whole_and_changes_nothing(shared_office: Office, name: str) -> None:
    """S21, S23, S32, S34: the queue stays on the device."""
    body, code = WHOLE[name]
    before = (shared_office.seq(), shared_office.device("d-ana"))
    with pytest.raises(Refused) as refused:
        shared_office.phone("ana").answer(body)
    assert refused.value.code == code
    assert (shared_office.seq(), shared_office.device("d-ana")) == before


@pytest.mark.parametrize("ahead", [YEAR_MS, -YEAR_MS, 2**53 - 1, -(2**53)])
def test_a_wrong_clock_never_dates_a_change_into_the_future(office: Office, ahead: int) -> None:
    """S28."""
    at = max(-(2**53), min(2**53, NOW + ahead))
    ana = office.phone("ana")
    assert ana.do("create", "contacts", "c1", set=GOOD, at=at).outcome == "applied"
    (first,) = office.history("contacts", "c1")
    assert (first["device_at"], first["stored_at"]) == (at, NOW)
    assert 0 <= first["at"] <= NOW


def test_the_largest_push_with_every_item_broken_is_taken_once(office: Office) -> None:
    """S18, S19."""
    ana = office.phone("ana")
    answer = ana.push(*[[] for _ in range(protocol.MUTATIONS_MAX)])
    assert [r.n for r in answer.receipts] == list(range(1, protocol.MUTATIONS_MAX + 1))
    assert {r.code for r in answer.receipts} == {"mutation_invalid"}
    assert len(office.rows("refusals")) == protocol.MUTATIONS_MAX


@pytest.mark.parametrize("lone", ["\\ud83d", "\\ude00", "\\ud83d\\ud83d", "\\ude00\\ud83d"])
def test_half_of_a_character_does_not_hold_up_the_queue(office: Office, lone: str) -> None:
    """S19, S21: a phone that cut an emoji in two writes an escape that no text can hold; it becomes U+FFFD."""
    ana = office.phone("ana")
    body = ana.body([ana.mutation("create", "contacts", "c1", set={**GOOD, "name": "A@ \U0001f600 \\ud83d"})])
    body = body.replace("\U0001f600".encode(), b"\\ud83d\\ude00").replace(b"@", lone.encode())
    answer = msgspec.json.decode(ana.answer(body), type=protocol.SyncAnswer)
    assert answer.push is not None
    assert [r.outcome for r in answer.push.receipts] == ["applied"]
    halves = lone.count("u")
    assert office.row("contacts", "c1")["name"] == "A" + "\ufffd" * halves + " \U0001f600 \\ud83d"
    assert ana.answer(body) == ana.answer(body)


def test_a_request_that_brings_nothing_and_wants_nothing_is_told_where_the_server_stands(office: Office) -> None:
    """Found by a client that was written from docs/mobile.md: it was a 500."""
    phone = office.phone("ana")
    epoch = msgspec.json.decode(phone.answer(_asking(pull=True)))["epoch"]
    nothing: tuple[dict[str, Any], ...] = ({}, {"mutations": []})
    for extra in nothing:
        answer = msgspec.json.decode(phone.answer(_asking(pull=False, **extra)))
        assert answer["epoch"] == epoch
        assert not {"push", "page"} & answer.keys()


def test_a_registration_that_has_ended_hears_it_also_where_it_wants_nothing(office: Office) -> None:
    phone = office.phone("ana")
    ended = update(devices).where(devices.c.key == phone.device).values(state="revoked")
    office.database.write(lambda connection: connection.execute(ended))
    with pytest.raises(Refused) as refused:
        phone.answer(_asking(pull=False))
    assert refused.value.code == "device_revoked"


def _asking(**members: Any) -> bytes:
    return msgspec.json.encode({"user": "ana", "now": NOW, "contract": protocol.CONTRACT_MAX, **members})
