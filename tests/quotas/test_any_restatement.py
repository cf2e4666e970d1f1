"""R2 on any history: whatever happens after a closing, closed plus what is listed is the live figure, and closing again
keeps exactly that."""

from random import Random
from typing import Any

import pytest

from sfa.db.tables import ROWS
from sfa.quotas import closed, engine, restatement
from sfa.quotas.restating import WHYS
from tests.builders import DAY_MS
from tests.office import Office, Phone
from tests.quotas.books import ENDS_AT, close, quarter, quota, visited, win

QUOTAS = ("q-ana", "q-bob", "q-team", "q-visits", "q-unique", "q-new")
STEPS = 24


class Life:
    """Ana and Bob sell, visit, share, reopen and correct, at random; the manager and finance do their part."""

    def __init__(self, office: Office, seed: int) -> None:
        self.office, self.chance = office, Random(seed)
        self.deals: list[str] = []
        self.visits: list[str] = []

    def begin(self) -> None:
        quarter(self.office)
        rate = {"base_currency": "USD", "quote_currency": "EUR", "rate": "0.9", "valid_from": "2025-01-01"}
        self.office.put(
            quota("q-unique", "unique_contacts", team_key="north", target=3),
            quota("q-new", "new_accounts", team_key="north", target=3),
            ("rates", "usd", rate),
            ("contacts", "carl-2", {"account_key": "acme", "name": "Carl B."}),
        )

    def step(self, late: bool) -> None:
        acts = [self._win, self._visit, self._amount, self._split, self._reopen, self._rate, self._person, self._delete]
        if late:
            acts += [self._member, self._cancel_rule]
        self.chance.choice(acts)()

    def _phone(self) -> Phone:
        return self.office.phone(self.chance.choice(("ana", "bob")))

    def _at(self) -> int:
        """Now, or some time of the quarter."""
        now = self.office.clock.now_ms()
        return min(now, ENDS_AT - self.chance.randrange(1, 80) * DAY_MS)

    def _win(self) -> None:
        key = f"d-{len(self.deals)}"
        self.deals.append(key)
        phone = self._phone()
        about = {"name": key, "owner_key": phone.user, "account_key": "acme", "stage_key": "lead"}
        money = {"amount_minor": self.chance.randrange(1, 10**6), "currency": self.chance.choice(("EUR", "USD"))}
        made = phone.mutation("create", "deals", key, set={**about, **money})
        phone.push(made, {**phone.mutation("deal.win", "deals", key, base=1), "at": self._at()})

    def _visit(self) -> None:
        key = f"v-{len(self.visits)}"
        self.visits.append(key)
        phone = self._phone()
        visited(phone, key, self._at())
        phone.edit("visits", key, contact_key=self.chance.choice(("carl", "carl-2")))

    def _edit(self, **values: Any) -> None:
        if self.deals:
            self.office.phone("mia").edit("deals", self.chance.choice(self.deals), **values)

    def _amount(self) -> None:
        self._edit(amount_minor=self.chance.randrange(1, 10**6))

    def _split(self) -> None:
        part = self.chance.randrange(1, 10_000)
        self._edit(
            splits=[{"user_key": "ana", "share_bp": part}, {"user_key": "bob", "share_bp": 10_000 - part}],
        )

    def _person(self) -> None:
        self._edit(owner_key=self.chance.choice(("ana", "bob")))

    def _reopen(self) -> None:
        if self.deals:
            key, phone = self.chance.choice(self.deals), self.office.phone("mia")
            said = phone.mutation("deal.reopen", "deals", key, base=self.office.rev("deals", key))
            phone.push({**said, "set": {"stage_key": "offer"}, "at": self._at()})

    def _delete(self) -> None:
        keys = [("deals", key) for key in self.deals] + [("visits", key) for key in self.visits]
        if keys and self.chance.random() < 0.5:
            self.office.delete(*self.chance.choice(keys))

    def _rate(self) -> None:
        self.office.put(("rates", "usd", {"rate": f"0.{self.chance.randrange(70, 99)}"}))

    def _member(self) -> None:
        self.office.put(("team_members", "m-bob", {"valid_to": f"2026-0{self.chance.randrange(1, 4)}-15"}))

    def _cancel_rule(self) -> None:
        self.office.put(("quotas", "q-visits", {"counts_unverified": self.chance.random() < 0.5}))


def listed(office: Office, key: str) -> tuple[int, int, int]:
    """(closed, the sum of what is listed, live) of one quota."""

    def look(connection: Any) -> tuple[int, int, int]:
        (quota_row,) = engine.read_quotas(connection, ROWS["quotas"].c.key == key)
        stood = closed.closed_of(connection, (key,))[key]
        found = restatement.differences(connection, quota_row, stood)
        assert len({d.place for d in found}) == len(found)
        assert {d.why for d in found} <= set(WHYS)
        live = engine.figures(connection, [quota_row], None)[key].value
        assert stood.value is not None
        assert live is not None
        return stood.value, sum(d.delta for d in found), live

    return office.database.read(look)


@pytest.mark.parametrize("seed", range(4))
def test_r2_closed_plus_what_is_listed_is_the_live_figure_on_any_history(office: Office, seed: int) -> None:
    life = Life(office, seed)
    life.begin()
    win(office.phone("ana"), "first", 100_000)
    for _ in range(STEPS):
        life.step(late=False)
        office.clock.advance(3 * DAY_MS)
    office.clock.advance(ENDS_AT + 1 - office.clock.now_ms())
    assert close(office, grace_days=60).outcome == "applied"
    for key in QUOTAS:
        stood, differs, live = listed(office, key)
        assert (differs, live) == (0, stood), f"{key} is what was closed"
    for _ in range(STEPS):
        life.step(late=True)
        office.clock.advance(DAY_MS)
    found = {key: listed(office, key) for key in QUOTAS}
    for key, (stood, differs, live) in found.items():
        assert stood + differs == live, key
    assert sum(differs != 0 for _, differs, _ in found.values()) >= 3, "something happened"
    assert close(office, number=2).outcome == "applied"
    for key in QUOTAS:
        stood, differs, again = listed(office, key)
        assert (stood, differs) == (again, 0), f"{key} is closed as it stood"
