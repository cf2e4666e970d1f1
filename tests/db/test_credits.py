"""Credits kept beside deals: what the door keeps is what a rebuild makes, on any history, on both databases."""

from random import Random
from typing import Any

import pytest
from msgspec.structs import asdict
from sqlalchemy import delete, event, select, text

from sfa.core.credits import Credit, credits_of
from sfa.db.credits import BATCH_DEALS, deal_keys, rebuild
from sfa.db.tables import ROWS, credited, credited_quantities
from sfa.db.writes import Door, Origin
from tests.builders import put_rows
from tests.office import Office, Phone
from tests.quotas.ledger import ZONE, Row, at, line, shares, stored, won, write


def net(office: Office, deal: str) -> dict[str, int]:
    """user -> what remains of his credit, overlays apart; nobody with nothing."""
    found: dict[str, int] = {}
    for row in stored(office)[0]:
        if row["deal_key"] == deal and not row["overlay"]:
            sign = -1 if row["reversal"] else 1
            found[row["user_key"]] = found.get(row["user_key"], 0) + sign * (row["amount_minor"] or 0)
    return {user: amount for user, amount in found.items() if amount}


def closing(day: str, reopened: str, **values: Any) -> dict[str, Any]:
    said = {"stage_key": "won", "closed_at": at(day), "signed_at": None, "invoiced_at": None, "lost_reason": None}
    said |= {"reopened_at": at(reopened), "owner_key": "ana", "amount_minor": 100_00, "currency": "EUR"}
    return {**said, "splits": [], "overlays": [], **values}


def test_r9_a_deal_is_credited_with_its_winning_and_only_once(office: Office) -> None:
    phone = office.phone("ana")
    assert stored(office) == ([], [])
    assert phone.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={}).outcome == "applied"
    assert net(office, "deal-a") == {"ana": 5_000_00}
    phone.do("deal.win", "deals", "deal-a", base=office.rev("deals", "deal-a"), set={})
    phone.edit("deals", "deal-a", name="Pumps and more")
    assert net(office, "deal-a") == {"ana": 5_000_00}
    assert len(stored(office)[0]) == 1


def test_r17_changing_amount_or_splits_of_a_won_deal_credits_it_anew(office: Office) -> None:
    write(office, won("a", "2026-01-10", 100_01, splits=shares(ana=5_000, bob=5_000)))
    assert net(office, "a") == {"ana": 50_01, "bob": 50_00}
    write(office, ("deals", "a", {"amount_minor": 10}))
    assert net(office, "a") == {"ana": 5, "bob": 5}
    write(office, ("deals", "a", {"splits": [], "owner_key": "cleo"}))
    assert net(office, "a") == {"cleo": 10}


def test_r21_a_reopened_deal_keeps_its_credit_and_its_reversal_as_they_stood(office: Office) -> None:
    write(office, won("a", "2026-01-10"), line("l", "a", "2"))
    before, quantities = stored(office)
    assert (before[0]["cost_minor"], quantities[0]["quantity_micro"]) == (120_00, 2_000_000)
    write(
        office,
        ("deals", "a", {"stage_key": "offer", "closed_at": None, "closings": [closing("2026-01-10", "2026-02-01")]}),
    )
    taken_back = [row | {"reversal": True, "at": at("2026-02-01")} for row in before]
    assert stored(office)[0] == before + taken_back
    write(office, line("l", "a", "7"), ("unit_costs", "c-pump", {"amount_minor": 1}))  # of no end that stands
    assert stored(office)[0] == before + taken_back
    write(office, won("a", "2026-03-01", 90_00))
    assert net(office, "a") == {"ana": 90_00}
    assert [(q["n"], q["reversal"], q["quantity_micro"]) for q in stored(office)[1]] == [
        (1, False, 2_000_000),
        (1, True, 2_000_000),
        (2, False, 7_000_000),
    ]


def test_a_restored_end_stands_again_and_its_reversal_is_gone(office: Office) -> None:
    write(office, won("a", "2026-01-10"))
    before = stored(office)
    opened = {"stage_key": "offer", "closed_at": None, "closings": [closing("2026-01-10", "2026-02-01")]}
    write(office, ("deals", "a", opened))
    write(office, ("deals", "a", {"stage_key": "won", "closed_at": at("2026-01-10"), "closings": []}))
    assert stored(office) == before


def test_a_deleted_deal_credits_nobody_until_it_is_restored(office: Office) -> None:
    write(office, won("a", "2026-01-10"), line("l", "a"))
    before = stored(office)
    office.delete("deals", "a")
    assert stored(office) == ([], [])
    write(office, ("deals", "a", {}), kind="restore")
    assert stored(office) == before


def test_lines_costs_units_stages_rules_and_the_zone_change_what_follows_from_them(office: Office) -> None:
    write(office, won("a", "2026-01-10"), line("l", "a", "2"))

    def seen() -> tuple[Any, ...]:
        credits_, quantities = stored(office)
        costs = [(c["cost_minor"], c["cost_currency"]) for c in credits_]
        return costs, [(q["unit"], q["quantity_micro"]) for q in quantities], [c["event"] for c in credits_]

    assert seen() == ([(120_00, "EUR")], [("piece", 2_000_000)], ["won"])
    write(office, ("deal_lines", "l", {"quantity": "3"}))
    assert seen()[:2] == ([(180_00, "EUR")], [("piece", 3_000_000)])
    later = {"product_key": "pump", "amount_minor": 10_00, "currency": "USD", "valid_from": "2026-01-10"}
    write(office, ("unit_costs", "c2", later))
    assert seen()[0] == [(30_00, "USD")]
    write(office, ("unit_costs", "c2", {"valid_from": "2026-01-11"}))
    assert seen()[0] == [(180_00, "EUR")]
    write(office, ("products", "pump", {"unit": "box"}))
    assert seen()[1] == [("box", 3_000_000)]
    office.delete("deal_lines", "l")
    assert seen()[:2] == ([(None, None)], [])
    write(office, ("credit_rules", "r", {"event": "signed", "valid_from": "2026-01-10"}))
    assert stored(office)[0] == []
    write(office, ("deals", "a", {"signed_at": at("2026-03-01")}))
    assert [(c["event"], c["at"]) for c in stored(office)[0]] == [("signed", at("2026-03-01"))]
    write(office, ("deals", "a", {"closed_at": at("2026-01-10", 0)}), ("organisations", "org", {"zone": "UTC"}))
    assert seen()[2] == ["won"]  # in UTC it was won on the ninth
    write(office, ("stages", "won", {"kind": "lost"}))
    assert stored(office)[0] == []


def test_the_territory_is_that_of_the_customer_when_it_was_credited(office: Office) -> None:
    write(office, won("a", "2026-01-10"))
    write(office, ("accounts", "acme", {"territory_key": "t-south"}), ("deals", "a", {"amount_minor": 5}))
    assert [c["territory_key"] for c in stored(office)[0]] == ["t-north"]
    write(office, ("accounts", "zeta", {"territory_key": None}), ("deals", "a", {"account_key": "zeta"}))
    assert [c["territory_key"] for c in stored(office)[0]] == [None]
    assert office.database.write(rebuild) == 0


def territories(office: Office) -> list[tuple[Any, Any]]:
    return [(row["account_key"], row["territory_key"]) for row in stored(office)[0]]


def test_the_territory_stays_when_customers_are_merged_and_when_that_is_undone(office: Office) -> None:
    office.put(("accounts", "acme", {"territory_key": "t-south"}), ("accounts", "dup", {"name": "Acme again"}))
    office.put(("accounts", "dup", {"territory_key": "t-north"}))
    write(office, won("a", "2026-01-10", account_key="dup"))
    office.put(("accounts", "dup", {"territory_key": "t-south"}))
    assert territories(office) == [("dup", "t-north")]
    dirk = office.phone("dirk")
    dirk.do("account.merge", "accounts", "dup", base=office.rev("accounts", "dup"), set={"into": "acme"})
    assert territories(office) == [("acme", "t-north")]
    dirk.do("account.unmerge", "accounts", "acme", set={"loser": "dup"})
    assert territories(office) == [("dup", "t-north")]
    assert office.database.write(rebuild) == 0
    write(office, ("deals", "a", {"account_key": "acme"}))
    assert territories(office) == [("acme", "t-south")]


def sent(phone: Phone, mutations: list[dict[str, Any]], together: bool) -> None:
    for part in [mutations] if together else [[m] for m in mutations]:
        assert {receipt.outcome for receipt in phone.push(*part).receipts} == {"applied"}


@pytest.mark.parametrize("together", [True, False])
def test_r21_a_deal_signed_and_reopened_keeps_its_last_signature_however_it_was_sent(
    office: Office, together: bool
) -> None:
    write(office, ("credit_rules", "r", {"event": "signed", "valid_from": "2026-01-01"}))
    write(office, won("a", "2026-01-10", signed_at=at("2026-01-12")))
    office.clock.advance(at("2026-04-10") - office.clock.now_ms())
    phone, rev = office.phone("mia"), office.rev("deals", "a")  # a signature is corrected by those above
    signed = phone.mutation("deal.sign", "deals", "a", base=rev, set={"at": at("2026-04-02")})
    reopened = phone.mutation("deal.reopen", "deals", "a", base=rev + 1, set={"stage_key": "lead"})
    sent(phone, [signed, reopened], together)
    assert [(c["reversal"], c["at"]) for c in stored(office)[0]] == [
        (False, at("2026-04-02")),
        (True, office.row("deals", "a")["closings"][0]["reopened_at"]),
    ]
    assert office.database.write(rebuild) == 0


@pytest.mark.parametrize("together", [True, False])
def test_r21_a_reversed_end_keeps_the_lines_of_its_reopening_however_they_were_sent(
    office: Office, together: bool
) -> None:
    """Changed before it, and once more after it; one is deleted after it, one is new, one came from another deal."""
    write(office, won("a", "2026-01-10"), won("b", "2026-01-10"))
    write(office, line("l", "a", "10"), line("gone", "a", "1"), line("old", "a", "9"))
    office.delete("deal_lines", "old")
    phone, rev = office.phone("ana"), office.rev("deals", "a")
    mutations = [
        phone.mutation("update", "deal_lines", "l", base=1, set={"quantity": "4"}),
        phone.mutation("deal.reopen", "deals", "a", base=rev, set={"stage_key": "lead"}),
        phone.mutation("update", "deal_lines", "l", base=2, set={"quantity": "7"}),
        phone.mutation("delete", "deal_lines", "gone", base=1),
        phone.mutation("create", "deal_lines", "new", set=line("new", "a", "30")[2]),
        phone.mutation("deal.win", "deals", "a", base=rev + 1),
        phone.mutation("deal.reopen", "deals", "a", base=rev + 2, set={"stage_key": "lead"}),
        phone.mutation("update", "deal_lines", "new", base=1, set={"quantity": "2"}),
    ]
    sent(phone, mutations, together)
    seen = [(q["n"], q["reversal"], q["quantity_micro"]) for q in stored(office)[1] if q["deal_key"] == "a"]
    assert seen == [(1, False, 5_000_000), (1, True, 5_000_000), (2, False, 37_000_000), (2, True, 37_000_000)]
    costs = [c["cost_minor"] for c in stored(office)[0] if c["deal_key"] == "a"]
    assert costs == [300_00, 300_00, costs[2], costs[2]]
    assert office.database.write(rebuild) == 0


@pytest.mark.parametrize("together", [True, False])
def test_r21_a_reversed_end_keeps_the_customer_of_its_reopening_however_that_was_sent(
    office: Office, together: bool
) -> None:
    office.put(("accounts", "acme", {"territory_key": "t-north"}), ("accounts", "zeta", {"territory_key": "t-south"}))
    write(office, won("a", "2026-01-10"))
    changes: list[Row] = [
        ("deals", "a", {"account_key": "zeta"}),
        ("deals", "a", {"stage_key": "offer", "closed_at": None, "closings": [closing("2026-01-10", "2026-02-01")]}),
        ("deals", "a", {"account_key": "acme"}),
    ]
    for part in [changes] if together else [[change] for change in changes]:
        write(office, *part)
    assert territories(office) == [("zeta", "t-south")] * 2
    assert office.database.write(rebuild) == 0


def test_a_transaction_without_anything_of_this_asks_nothing_of_the_tables_of_credits(office: Office) -> None:
    heard: list[str] = []

    def work(connection: Any) -> None:
        event.listen(connection, "before_cursor_execute", lambda *args: heard.append(args[2]))
        new = {"name": "New", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
        put_rows(connection, [("contacts", "c9", {"account_key": "acme", "name": "C"}), ("deals", "d9", new)])
        put_rows(connection, [("deals", "d9", {"amount_minor": 5, "currency": "EUR"}), line("l9", "d9")])

    office.database.write(work)
    assert not [sql for sql in heard if "credit" in sql or "advisory" in sql]


def test_a_refused_mutation_of_a_push_credits_nobody(office: Office) -> None:
    phone = office.phone("ana")
    unit = {"id": "u", "size": 2}
    answer = phone.push(
        phone.mutation("deal.win", "deals", "deal-a", set={}, unit=unit),
        phone.mutation("deal.win", "deals", "no-such", set={}, unit=unit),
    )
    assert {receipt.outcome for receipt in answer.receipts} == {"refused"}
    assert stored(office) == ([], [])


def test_rebuild_makes_everything_anew_in_batches_and_then_nothing(office: Office) -> None:
    write(office, *(won(f"d{n}", "2026-01-10", n) for n in range(BATCH_DEALS + 3)))
    whole = stored(office)

    def lose(connection: Any) -> None:
        connection.execute(delete(credited))
        connection.execute(delete(credited_quantities))

    office.database.write(lose)
    assert office.database.write(rebuild, ["d1", "d2", "no-such"]) == 2
    assert office.database.write(rebuild) == BATCH_DEALS + 1
    assert stored(office) == whole
    assert office.database.write(rebuild) == 0
    assert office.database.read(deal_keys, "d1", 3) == ["d10", "d100", "d101"]


DAYS = ("2026-01-10", "2026-01-31", "2026-02-01", "2026-03-20")
PEOPLE = ("ana", "bob", "cleo")
BORN: dict[str, Any] = {"name": "x", "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
BORN |= {"amount_minor": 100_00, "currency": "EUR", "closed_at": None, "signed_at": None}
BORN |= {"closings": [], "splits": [], "overlays": []}
KEPT_BY_ENDS = ("stage_key", "closed_at", "signed_at", "owner_key", "amount_minor", "currency", "splits", "overlays")


class Life:
    """One deal walked through its life by chance, each step a transaction as commands make them."""

    def __init__(self, office: Office, key: str, chance: Random) -> None:
        self.office, self.key, self.chance, self.deal = office, key, chance, dict(BORN)
        write(office, ("deals", key, dict(BORN)))

    def put(self, **values: Any) -> None:
        self.deal |= values
        write(self.office, ("deals", self.key, values))

    def step(self) -> None:
        closed, day = self.deal["closed_at"] is not None, self.chance.choice(DAYS)
        step = self.chance.choice(
            ("end", "end", "reopen", "amount", "split", "overlay", "owner", "sign", "line", "delete")
        )
        match step:
            case "end" if not closed:
                self.put(stage_key=self.chance.choice(("won", "won", "lost")), closed_at=at(day))
            case "reopen" if closed:
                ended = {field: self.deal[field] for field in KEPT_BY_ENDS} | {"reopened_at": at(day, 20)}
                self.put(stage_key="lead", closed_at=None, signed_at=None, closings=[*self.deal["closings"], ended])
            case "amount":
                self.put(amount_minor=self.chance.randint(-(10**6), 10**6))
            case "split":
                owner, part = self.deal["owner_key"], self.chance.randint(0, 10_000)
                other = next(user for user in PEOPLE if user != owner)
                self.put(splits=shares(**{owner: part, other: 10_000 - part}))
            case "overlay":
                self.put(overlays=shares(cleo=self.chance.randint(0, 10_000)))
            case "owner":
                self.put(owner_key=self.chance.choice(PEOPLE), splits=[])
            case "sign" if closed:
                self.put(signed_at=at(day))
            case "line":
                write(
                    self.office,
                    line(f"l-{self.key}-{self.chance.randint(0, 1)}", self.key, f"{self.chance.randint(0, 9)}.5"),
                )
            case "delete" if self.chance.random() < 0.3:
                self.office.delete("deals", self.key)


def change_settings(office: Office, chance: Random) -> None:
    day = chance.choice(DAYS)
    cost = {"product_key": "pump", "amount_minor": chance.randint(1, 99), "currency": "EUR", "valid_from": day}
    rows: list[Row] = [
        ("unit_costs", f"c-{day}", cost),
        (
            "credit_rules",
            "r",
            {"event": chance.choice(("won", "signed")), "valid_from": min(day, "2026-02-01"), "valid_to": "2026-03-01"},
        ),
        ("accounts", "acme", {"territory_key": chance.choice(("t-north", "t-south"))}),
    ]
    write(office, chance.choice(rows))


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 5, 8])
def test_on_any_history_a_rebuild_makes_what_the_door_kept(office: Office, seed: int) -> None:
    chance = Random(seed)
    lives = [Life(office, f"x{number}", chance) for number in range(6)]
    for _ in range(60):
        chance.choice(lives).step()
        if chance.random() < 0.15:
            change_settings(office, chance)
    kept = stored(office)
    assert kept[0], "a history that credits nobody proves nothing"
    assert office.database.write(rebuild) == 0
    assert stored(office) == kept

    rules = {row["key"]: row for row in office.rows("credit_rules")}
    for row in office.all(select(ROWS["deals"])):
        mine = [c for c in kept[0] if c["deal_key"] == row["key"]]
        due = credits_of(row, {"won"}, rules, ZONE) if not row["gone"] else []
        standing = len(row["closings"]) + 1
        assert [place(c) for c in mine if c["n"] == standing] == sorted(
            place(c) for c in map(asdict, due) if c["n"] == standing
        )
        assert net(office, row["key"]) == totals(due)


def place(credit: dict[str, Any]) -> tuple[Any, ...]:
    fields = ("user_key", "overlay", "reversal", "at", "event", "owner", "share_bp", "amount_minor", "currency")
    return tuple(credit[field] for field in fields)


def totals(found: list[Credit]) -> dict[str, int]:
    """user -> what remains; nobody with nothing."""
    sums: dict[str, int] = {}
    for c in found:
        if not c.overlay:
            sums[c.user_key] = sums.get(c.user_key, 0) + (-1 if c.reversal else 1) * (c.amount_minor or 0)
    return {user: amount for user, amount in sums.items() if amount}


@pytest.mark.parametrize("anew", [False, True])
def test_crediting_all_deals_anew_takes_a_lock_for_all_and_not_for_each(office: Office, anew: bool) -> None:
    """A server has room for some ten thousand locks, a company closes more deals than that."""
    write(office, *(won(f"d{n}", "2026-01-10", n) for n in range(BATCH_DEALS + 3)))

    def work(connection: Any) -> int:
        if anew:
            rebuild(connection)
        else:
            put_rows(connection, [("credit_rules", "signed", {"event": "signed", "valid_from": "2020-01-01"})])
        if connection.dialect.name != "postgresql":
            return 1
        mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        return int(connection.execute(text(mine)).scalar_one())

    assert 1 <= office.database.write(work) <= 5
    assert len(stored(office)[0]) == (BATCH_DEALS + 3 if anew else 0)


def test_many_deals_in_one_transaction_take_one_lock(office: Office) -> None:
    def work(connection: Any) -> int:
        now = office.clock.now_ms()
        door, origin = Door(connection, now), Origin(author_key=None, at=now, stored_at=now)
        for entity, key, values in (won(f"d{n}", "2026-01-10", n) for n in range(BATCH_DEALS + 3)):
            door.put(door.cell(entity, key), values, origin)
        door.flush()
        if connection.dialect.name != "postgresql":
            return 1
        mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        return int(connection.execute(text(mine)).scalar_one())

    assert 1 <= office.database.write(work) <= 5
    assert len(stored(office)[0]) == BATCH_DEALS + 3
