"""The demo's day: two reps and their manager, with and without signal, each step's outcome checked."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from sqlalchemy import Connection, func, select

from sfa.app.demo.phones import Phone
from sfa.app.demo.stage import expected_rows
from sfa.db.database import Database
from sfa.db.tables import ROWS, history
from sync.device import ConnectionLost, ServerRefused, SyncResult

SETTLED_S = 120.0


class StepFailed(Exception):
    """A step's outcome is not what it should be."""


class Day:
    """The story with what it needs to tell and check."""

    def __init__(self, console: Console, database: Database, ana: Phone, ben: Phone, eva: Phone, password: str) -> None:
        self.console, self.database, self.password = console, database, password
        self.ana, self.ben, self.eva = ana, ben, eva
        self.steps = 0

    def play(self) -> str:
        """-> the customer that both reps work on."""
        customer, other = self.morning()
        contact = self.share_a_customer(customer)
        self.work_without_signal(customer, contact)
        self.signal_is_back(contact)
        self.restore_what_lost(contact)
        self.lose_an_answer(customer)
        self.refuse_and_keep()
        self.move_a_customer(other)
        return customer

    # -- telling and checking -----------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        self.steps += 1
        self.console.print(f"\n[bold]{self.steps}. {text}[/bold]", soft_wrap=True)

    def tell(self, text: str) -> None:
        self.console.print(f"   {text}", soft_wrap=True)

    def check(self, text: str, outcome: object) -> None:
        if not outcome:
            raise StepFailed(f"step {self.steps}: {text}")
        self.console.print(f"   [green]✓[/green] {text}", soft_wrap=True)

    def sync(self, phone: Phone) -> SyncResult:
        result = phone.device.sync()
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(result.outcomes.items())) or "nothing to send"
        self.tell(f"{phone.name} syncs: {outcomes}; {result.rows} rows received")
        return result

    def equals_server(self, phone: Phone) -> bool:
        held = {at: rev for at, (rev, _) in phone.device.synced_rows().items()}
        return held == self.database.read(expected_rows, phone.user_key)

    def refused(self, phone: Phone) -> None:
        """A sync that the server ends."""
        try:
            phone.device.sync()
        except ServerRefused as refused:
            self.tell(f"{phone.name}'s phone is told: {refused.text} ({refused.code})")
        else:
            raise StepFailed(f"step {self.steps}: {phone.name}'s phone was not refused")

    def without_signal(self, phone: Phone, work: Callable[[], Any]) -> None:
        phone.signal.on = False
        work()
        try:
            phone.device.sync()
        except ConnectionLost as lost:
            self.tell(f"{phone.name} tries to sync: {lost}; {len(phone.device.pending())} changes stay queued")
        phone.signal.on = True

    # -- the day ------------------------------------------------------------------------------------------------

    def morning(self) -> tuple[str, str]:
        self.title("Morning: three phones log in and fill")
        for phone in (self.ana, self.ben, self.eva):
            phone.device.login(phone.email, self.password, name=f"{phone.name}'s phone", platform="demo")
            self.sync(phone)
            self.check(f"{phone.name}'s phone holds exactly what the server would show", self.equals_server(phone))
        mine = self._accounts_of(self.ana)
        only_eva = len(self.eva.device.synced_rows()) > len(self.ana.device.synced_rows())
        self.check(f"{self.eva.name} manages both and holds more than either rep", only_eva)
        costs = [entity for entity, _ in self.ana.device.synced_rows() if entity == "unit_costs"]
        self.check("no unit cost has reached a rep's phone", not costs)
        return mine[0], mine[1]

    def _accounts_of(self, phone: Phone) -> list[str]:
        """Customers of the rep's own territory that have contacts, the busiest first."""
        territories = {
            row["territory_key"]
            for row in phone.device.list("territory_members", {"user_key": phone.user_key}).values()
        }
        contacts = [row["account_key"] for row in phone.device.list("contacts").values()]
        deals = [row["account_key"] for row in self._open_deals(phone).values()]
        accounts = phone.device.list("accounts")
        mine = [k for k, row in accounts.items() if row["territory_key"] in territories and k in contacts]
        return sorted(mine, key=lambda k: (-deals.count(k), -contacts.count(k), k))

    def _open_deals(self, phone: Phone) -> dict[str, dict[str, Any]]:
        return phone.device.list("deals", {"owner_key": phone.user_key, "closed_at": None})

    def share_a_customer(self, customer: str) -> str:
        account = self.ana.device.get("accounts", customer) or {}
        self.title(f"{self.eva.name} puts {self.ben.name} on the account team of {account['name']}")
        self.check(f"{self.ben.name} does not see this customer yet", self.ben.device.get("accounts", customer) is None)
        self.eva.device.create("account_members", {"account_key": customer, "user_key": self.ben.user_key})
        self.sync(self.eva)
        self.sync(self.ben)
        contacts = self.ben.device.list("contacts", {"account_key": customer})
        self.check(f"the customer and its {len(contacts)} contacts have arrived", contacts)
        return sorted(contacts)[0]

    def work_without_signal(self, customer: str, contact: str) -> None:
        self.title("No signal: both reps edit one contact; a visit, a note, a deal moved")
        device = self.ana.device
        quotas = device.list("quotas", {"user_key": self.ana.user_key})
        self.check(f"{self.ana.name} reads {len(quotas)} quotas from the phone alone", quotas)
        deals = self._open_deals(self.ana)
        deal = min(deals, key=lambda k: (deals[k]["account_key"] != customer, k))
        stages = device.list("stages", {"kind": "open"})
        behind = [k for k in stages if k != deals[deal]["stage_key"]]
        to_stage = max(behind, key=lambda k: stages[k]["position"])

        def ana_works() -> None:
            device.update("contacts", contact, {"mobile": "+34 600 111 111", "title": "Head of purchasing"})
            visit = device.create(
                "visits", {"account_key": customer, "contact_key": contact, "owner_key": self.ana.user_key}
            )
            device.command("visit.check_in", visit, {"latitude": 43.26, "longitude": -2.93, "accuracy_m": 12.0})
            note = {"account_key": customer, "visit_key": visit, "author_key": self.ana.user_key}
            device.create("notes", {**note, "body": "Wants the new model before Easter."})
            device.command("visit.check_out", visit, {"outcome": "Interested"})
            device.command("deal.move", deal, {"stage_key": to_stage})

        self.without_signal(self.ana, ana_works)
        seen = device.get("deals", deal) or {}
        self.check(f"{self.ana.name} sees the deal in its new stage already", seen["stage_key"] == to_stage)
        changes = {"mobile": "+34 600 222 222", "email": "purchasing@example.com"}
        self.without_signal(self.ben, lambda: self.ben.device.update("contacts", contact, changes))

    def signal_is_back(self, contact: str) -> None:
        self.title("The signal is back")
        result = self.sync(self.ana)
        self.check(
            "every one of the six changes was applied", set(result.outcomes) == {"applied"} and result.pushed == 6
        )
        result = self.sync(self.ben)
        self.check("the other change was merged, nothing was refused", result.outcomes == {"merged": 1})
        row = self.ben.device.get("contacts", contact) or {}
        self.check("different fields both survived", row["title"] == "Head of purchasing" and row["email"] is not None)
        self.check("the later number stands", row["mobile"] == "+34 600 222 222")
        self.check(
            "nothing is waiting on either phone", not self.ana.device.pending() and not self.ben.device.pending()
        )

    def restore_what_lost(self, contact: str) -> None:
        self.title(f"{self.ana.name} finds the lost number in a conflict and restores it")
        self.sync(self.ana)
        found = {
            key: row
            for key, row in self.ana.device.list("conflicts", {"row_key": contact}).items()
            if row["field_group"] == "mobile"
        }
        self.check(
            "the losing value was kept", [r["losing"] for r in found.values()] == [{"mobile": "+34 600 111 111"}]
        )
        self.ana.device.command("conflict.restore", next(iter(found)))
        self.sync(self.ana)
        self.sync(self.ben)
        for phone in (self.ana, self.ben):
            row = phone.device.get("contacts", contact) or {}
            self.check(f"{phone.name}'s phone shows the restored number", row["mobile"] == "+34 600 111 111")

    def lose_an_answer(self, customer: str) -> None:
        self.title("An answer is lost on its way back, and the phone sends again")
        name = "Nerea Etxeberria"
        self.ben.device.create("contacts", {"account_key": customer, "name": name})
        self.ben.signal.answers_to_lose = 1
        try:
            self.ben.device.sync()
        except ConnectionLost as lost:
            self.tell(f"{self.ben.name}: {lost}")
        self.check("the server has it, the phone does not know", len(self.ben.device.pending()) == 1)
        self.sync(self.ben)
        contacts = ROWS["contacts"]
        count = select(func.count()).where(contacts.c.name == name, contacts.c.account_key == customer)
        self.check("the contact exists once", self.database.read(lambda c: c.execute(count).scalar()) == 1)
        self.check("the phone knows now", not self.ben.device.pending())

    def refuse_and_keep(self) -> None:
        self.title(f"{self.ben.name} tries to rename a product: refused, kept, explained")
        product = sorted(self.ben.device.list("products"))[0]
        self.ben.device.update("products", product, {"name": "Cheaper"})
        result = self.sync(self.ben)
        self.check("the server refused it", [r.code for r in result.refused] == ["not_permitted"])
        kept = list(self.ben.device.refusals().values())
        self.check(
            "the phone keeps the refused change with its content",
            kept and kept[-1]["mutation"]["set"] == {"name": "Cheaper"},
        )
        self.tell(f"reason: {kept[-1]['text']}")

    def move_a_customer(self, account: str) -> None:
        name = (self.eva.device.get("accounts", account) or {})["name"]
        self.title(f"{self.eva.name} moves {name} to {self.ben.name}'s territory while {self.ana.name} works on it")
        self.sync(self.eva)
        visit = {"account_key": account, "owner_key": self.ana.user_key, "purpose": "price talk"}
        site = {"website": "https://orders.example"}
        self.without_signal(self.ana, partial(self.ana.device.update, "accounts", account, site))
        self.without_signal(self.ana, partial(self.ana.device.create, "visits", visit))
        to = next(iter(self.eva.device.list("territory_members", {"user_key": self.ben.user_key}).values()))
        self.eva.device.update("accounts", account, {"territory_key": to["territory_key"]})
        result = self.sync(self.eva)
        self.check("the move was applied", result.outcomes == {"applied": 1})
        result = self.sync(self.ana)
        left = [k for k, row in self.ana.device.list("contacts").items() if row["account_key"] == account]
        gone = self.ana.device.get("accounts", account) is None and not left
        self.check(f"the customer and its contacts have left {self.ana.name}'s phone", gone)
        self.check(
            f"what {self.ana.name} had done there was handed over, not lost", result.outcomes == {"handed_over": 2}
        )
        self.decide_on_what_was_handed_over(account)

    def decide_on_what_was_handed_over(self, account: str) -> None:
        self.sync(self.ben)
        self.check(f"the customer is on {self.ben.name}'s phone", self.ben.device.get("accounts", account) is not None)
        waiting = sorted(self.ben.device.list("suggestions", {"kind": "handover", "status": "open"}))
        self.check(f"with {self.ana.name}'s work, for {self.ben.name} to decide about", len(waiting) >= 1)
        for suggestion in waiting:
            self.ben.device.command("suggestion.accept", suggestion)
        self.sync(self.ben)
        visits = self.ben.device.list("visits", {"account_key": account, "owner_key": self.ana.user_key})
        landed = (self.ben.device.get("accounts", account) or {}).get("website") == "https://orders.example"
        as_hers = any(row["purpose"] == "price talk" for row in visits.values())
        self.check(f"accepted, it is there as {self.ana.name}'s work", landed and as_hers)
        self.sync(self.ana)
        told = {row["status"] for row in self.ana.device.handovers().values()}
        self.check(f"and {self.ana.name} is told", told == {"accepted"})

    def evening(self) -> None:
        self.title("Evening: everybody agrees")
        for phone in (self.ana, self.ben, self.eva):
            self.sync(phone)
        for phone in (self.ana, self.ben, self.eva):
            self.check(f"{phone.name}'s phone equals the server, row by row", self._agrees(phone))
        self.check("no change of any phone was taken twice", self.database.read(_taken_twice) == 0)

    def _agrees(self, phone: Phone) -> bool:
        """In the end: the server still prints and mails what was sent, and tells of it."""
        deadline = time.monotonic() + SETTLED_S
        while not self.equals_server(phone):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.3)
            phone.device.sync()
        return True


def _taken_twice(connection: Connection) -> int:
    """Versions of one row that came from one mutation of one device: more than one would be a repeat."""
    same = (history.c.device_key, history.c.n, history.c.entity, history.c.key)
    query = select(*same).where(history.c.n.is_not(None)).group_by(*same).having(func.count() > 1)
    return len(connection.execute(query).all())
