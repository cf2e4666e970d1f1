"""Requests at the same time: the outcome is as if they had come one after the other (S2, S8, S18)."""

import asyncio

import msgspec

from sfa.db.database import open_database
from sync.protocol import PushAnswer, SyncAnswer
from sync.round import Round
from tests.office import SECRET, Office, Phone


def at_once(office: Office, *requests: tuple[Phone, bytes]) -> list[PushAnswer]:
    """Send all of them together, each on a connection of its own."""

    async def run() -> list[bytes]:
        database = open_database(office.database.url, durable=False)
        served = Round(database, office.clock, SECRET, office.round.commands)
        try:
            return await asyncio.gather(*(served.answer(phone.caller, body) for phone, body in requests))
        finally:
            await database.close_async()

    pushed = [msgspec.json.decode(answer, type=SyncAnswer).push for answer in asyncio.run(run())]
    assert all(pushed)
    return [answer for answer in pushed if answer is not None]


def test_one_push_sent_five_times_at_once_lands_once(office: Office) -> None:
    """S2, S18: a phone that lost patience."""
    ana = office.phone("ana")
    body = ana.body([ana.mutation("update", "contacts", "carl", base=1, set={"phone": "2"})])
    answers = at_once(office, *[(ana, body)] * 5)
    assert len({msgspec.json.encode(answer.receipts) for answer in answers}) == 1
    assert {answer.expected_n for answer in answers} == {2}
    assert office.rev("contacts", "carl") == 2


def test_two_people_who_create_one_key_at_once_make_one_row(office: Office) -> None:
    """S18: whoever comes second merges as an update."""
    phones = [office.phone(user) for user in ("ana", "bob", "mia")]
    requests = []
    for phone in phones:
        values = {"account_key": "acme", "name": "Twin", "phone": phone.user}
        requests.append((phone, phone.body([phone.mutation("create", "contacts", "twin", set=values)])))
    receipts = [answer.receipts[0] for answer in at_once(office, *requests)]
    assert {r.code for r in receipts} == {None}
    assert sorted(r.outcome for r in receipts) == ["applied", "merged", "merged"]
    assert [entry["kind"] for entry in office.history("contacts", "twin")].count("create") == 1
    kept = {office.row("contacts", "twin")["phone"]} | {c["losing"]["phone"] for c in office.rows("conflicts")}
    assert kept == {"ana", "bob", "mia"}


def test_edits_of_the_same_rows_in_opposite_order_all_land(office: Office) -> None:
    """S8, S24: a deadlock is tried again, and no value is lost."""
    office.put(*(("contacts", f"c{i}", {"account_key": "acme", "name": "C"}) for i in range(4)))
    phones = [office.phone(user) for user in ("ana", "bob", "mia")]
    requests = []
    for place, phone in enumerate(phones):
        keys = [f"c{i}" for i in range(4)][:: 1 if place % 2 else -1]
        field = ("phone", "mobile", "title")[place]
        edits = [phone.mutation("update", "contacts", key, base=1, set={field: phone.user}) for key in keys]
        requests.append((phone, phone.body(edits)))
    answers = at_once(office, *requests)
    assert {r.outcome for answer in answers for r in answer.receipts} == {"applied"}
    for i in range(4):
        row = office.row("contacts", f"c{i}")
        assert (row["phone"], row["mobile"], row["title"], row["rev"]) == ("ana", "bob", "mia", 4)


def test_children_added_while_their_account_moves_follow_it(office: Office) -> None:
    """S8: whoever commits first; otherwise the contact stays in the old bucket for ever."""
    ana, bob, dirk = office.phone("ana"), office.phone("bob"), office.phone("dirk")
    for turn in range(3):
        office.put(("accounts", "acme", {"territory_key": "t-north"}))
        move = dirk.mutation(
            "update", "accounts", "acme", base=office.rev("accounts", "acme"), set={"territory_key": "t-south"}
        )
        requests = [(dirk, dirk.body([move]))]
        for phone in (ana, bob):
            values = {"account_key": "acme", "name": "C"}
            key = f"{phone.user}-{turn}"
            requests.append((phone, phone.body([phone.mutation("create", "contacts", key, set=values)])))
        codes = [answer.receipts[0].code for answer in at_once(office, *requests)]
        assert set(codes[1:]) <= {None, "handed_over"}
        place = office.row("accounts", "acme")["buckets"]
        assert place == ["territory:t-south"]
        assert {tuple(c["buckets"]) for c in office.rows("contacts") if c["account_key"] == "acme"} == {tuple(place)}
    cleo = office.phone("cleo")
    for phone in (ana, bob, cleo):
        phone.catch_up()
        assert phone.sees() == office.visible(phone.user)


def test_a_person_is_added_to_a_deal_once_by_whoever_comes_first(office: Office) -> None:
    """R20, S8: each under a key of its own; the others are told which row stands."""
    phones = [office.phone(user) for user in ("ana", "mia", "dirk")]
    requests = []
    for phone in phones:
        values = {"deal_key": "deal-a", "contact_key": "carl", "role": "champion"}
        made = phone.mutation("create", "deal_contacts", f"role-{phone.user}", set=values)
        requests.append((phone, phone.body([made])))
    receipts = [answer.receipts[0] for answer in at_once(office, *requests)]
    assert sorted(r.code or r.outcome for r in receipts) == ["applied", "contact_there", "contact_there"]
    (stands,) = office.rows("deal_contacts")
    assert {r.details["key"] for r in receipts if r.details} == {stands["key"]}
