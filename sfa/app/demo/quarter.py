"""The demo's quarter: a rep changes teams on day 40, the quarter is closed, and then it turns out otherwise.

It is the quarter that has ended last. What happened in it comes from a phone that lay in a drawer, with the times at
which it happened; the company's part is done at a screen by its director and its head of finance.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import Connection, select

from sfa.app.cli_periods import shown_value
from sfa.app.demo.phones import Phone, SetBack
from sfa.app.demo.story import Day
from sfa.core.days import day_start_ms, local_day, plus_days
from sfa.core.money import format_minor
from sfa.core.periods import FiscalCalendars, PeriodKind
from sfa.db.tables import ROWS
from sfa.quotas import closed
from sfa.quotas.restating import WHYS, Part
from sync.device import visits

TIMEOUT_S = 30.0
HOUR_MS = 3_600_000
MOVES_ON_DAY = 40
FIRST_WIN, SECOND_WIN, VISIT, LATE_VISIT = 20, 60, 65, 70  # days of the quarter
WON, WON_USD = 4_000_000, 1_000_000
MINE, CONTACTS, OLD_TEAM, NEW_TEAM, NOW_MINE = ("own", "contacts", "old team", "new team", "running")
OTHER = "key-accounts"
WORDS = {MINE: "her own", CONTACTS: "her contacts", OLD_TEAM: "her team's", NEW_TEAM: "the other team's"}


class Quarter:
    """`drawer` is a second phone of the rep, whose clock can be set `back`."""

    def __init__(self, day: Day, drawer: Phone, back: SetBack, server: str) -> None:
        self.day, self.drawer, self.back, self.server = day, drawer, back, server
        self.zone = visits.zone_of_company(day.ana.device)
        today = local_day(day.ana.device.clock.now_ms(), self.zone)
        calendars = FiscalCalendars()
        self.running = calendars.period_of(today, PeriodKind.QUARTER)
        self.over = calendars.period_of(plus_days(self.running.start_on, -1), PeriodKind.QUARTER)
        self.moved_at = self._at(MOVES_ON_DAY, 0)
        self._tokens: dict[str, str] = {}
        self.keys: dict[str, str] = {}  # of the quotas that it is about

    def play(self, customer: str) -> None:
        with httpx.Client(base_url=self.server, timeout=TIMEOUT_S) as web:
            self.web = web
            self._move(self._set_targets())
            first = self._sell(customer)
            self._close()
            self._turn_out_otherwise(customer, first)
            self._restate()

    # -- the quarter ------------------------------------------------------------------------------------------------

    def _set_targets(self) -> str:
        """-> the rep's team; another one is made."""
        ana = self.day.ana
        self.day.title(f"Last quarter, {self.over.name}: {ana.name} changes teams on day {MOVES_ON_DAY}")
        mine = self.day.database.read(_team_of, ana.user_key)
        self._ask("director", "POST", "/api/teams", key=OTHER, row={"name": "Key accounts"})
        above = {"team_key": OTHER, "parent_key": "sales", "valid_from": self.over.start_on}
        self._ask("director", "POST", "/api/team_edges", row=above)
        money = {"measure": "revenue", "currency": "EUR", "target": 20_000_000}
        quotas: dict[str, dict[str, Any]] = {
            MINE: {"user_key": ana.user_key, **money},
            CONTACTS: {"user_key": ana.user_key, "measure": "total_contacts", "target": 60},
            OLD_TEAM: {"team_key": mine, **money},
            NEW_TEAM: {"team_key": OTHER, **money},
        }
        for name, values in quotas.items():
            self.keys[name] = self._target({"period_key": self.over.name, **values})
        self.keys[NOW_MINE] = self._target({"period_key": self.running.name, "user_key": ana.user_key, **money})
        return mine

    def _target(self, values: dict[str, Any]) -> str:
        """The quota of this person or team, period and measure: the company has some, and none of them twice."""
        found = self.day.database.read(quota_of, values)
        return found or str(self._ask("finance", "POST", "/api/quotas", row=values)["key"])

    def _move(self, mine: str) -> None:
        """Until the quarter's end; since then she is where she was."""
        ana = self.day.ana
        moved_on = plus_days(self.over.start_on, MOVES_ON_DAY - 1)
        until = {"valid_to": moved_on}
        self._ask("director", "PATCH", f"/api/team_members/in-{ana.user_key}", row=until)
        spans = ((OTHER, moved_on, self.over.end_on), (mine, self.over.end_on, None))
        for team, start, end in spans:
            row = {"team_key": team, "user_key": ana.user_key, "valid_from": start, "valid_to": end}
            self._ask("director", "POST", "/api/team_members", row=row)
        self.day.tell(f"{ana.name} belongs to Key accounts from {moved_on} until before {self.over.end_on}")

    def _sell(self, customer: str) -> str:
        """-> the deal that was won before she moved."""
        ana = self.day.ana
        self.drawer.device.login(ana.email, self.day.password, name=f"{ana.name}'s other phone", platform="demo")
        self.drawer.device.sync()
        first = self._win(customer, FIRST_WIN, WON, "EUR")
        self._win(customer, SECOND_WIN, WON_USD, "USD")
        self._visit(customer, VISIT)
        result = self.day.sync(self.drawer)
        self.day.check("what she had won and whom she had met arrived", set(result.outcomes) == {"applied"})
        return first

    def _win(self, customer: str, on_day: int, amount_minor: int, currency: str) -> str:
        device = self.drawer.device
        deal = {"name": f"Day {on_day}", "owner_key": self.drawer.user_key, "account_key": customer}
        with self._on(on_day):
            key = device.create(
                "deals", {**deal, "stage_key": "offer", "amount_minor": amount_minor, "currency": currency}
            )
            device.command("deal.win", key)
        return key

    def _visit(self, customer: str, on_day: int) -> str:
        device = self.drawer.device
        with self._on(on_day):
            key = device.create("visits", {"account_key": customer, "owner_key": self.drawer.user_key})
            device.command("visit.check_in", key, {})
            device.command("visit.check_out", key, {})
        return key

    @contextmanager
    def _on(self, on_day: int) -> Iterator[None]:
        """Work at noon of a day of the quarter, without signal."""
        self.back.set_to(self._at(on_day, 12))
        yield
        self.back.set_to(None)

    def _at(self, on_day: int, hour: int) -> int:
        return day_start_ms(plus_days(self.over.start_on, on_day - 1), self.zone) + hour * HOUR_MS

    # -- closed -----------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        ana = self.day.ana
        self.day.title(f"{self.over.name} is closed: every figure is kept with what it is the sum of")
        path = f"/api/fiscal_periods/{self.over.name}/close"
        self._ask("finance", "POST", path, grace_days=5, reason="as reported")
        again = self.web.post(path, headers=self._headers("finance"), json={})
        self.day.check("closing it twice is refused", again.json()["code"] == "period_closed")
        parts = {name: self._kept(name) for name in WORDS}
        values = {name: self._told(name)["closed"]["value"] for name in WORDS}
        for key in (MINE, OLD_TEAM, NEW_TEAM):
            self.day.tell(f"{WORDS[key]}: {_money(values[key])}, of {_some(parts[key])}")
            for part in sorted(parts[key], key=lambda part: part.at):
                if part.place.user_key == ana.user_key:
                    self.day.tell(f"   {self._explained(part)}")
        sums = {key: sum(part.value for part in found) for key, found in parts.items()}
        self.day.check("each is the sum of its contributions", sums == values)
        before, after = ([p for p in parts[team] if p.place.user_key == ana.user_key] for team in (OLD_TEAM, NEW_TEAM))
        apart = all(p.at < self.moved_at for p in before) and all(p.at >= self.moved_at for p in after)
        self.day.check(f"what {ana.name} won counts for each team on her own days there", before and after and apart)
        whole = sum(p.value for p in (*before, *after))
        self.day.check("and both parts are her own figure", whole == values[MINE])
        self.day.sync(ana)
        told = ana.device.list("period_closings", {"period_key": self.over.name})
        self.day.check(f"{ana.name}'s phone shows that it is closed", [row["number"] for row in told.values()] == [1])

    def _explained(self, part: Part) -> str:
        on, amount = local_day(part.at, self.zone), format_minor(part.amount_minor or 0, part.currency or "EUR")
        rate = f" at {part.rate}" if part.rate is not None else ""
        return f"{on}, {part.reason}: {part.share_bp / 100:g} % are {amount} {part.currency}{rate}"

    def _kept(self, name: str) -> list[Part]:
        closing = self._told(name)["closed"]["closing_key"]
        return self.day.database.read(closed.contributions_of, closing, self.keys[name])

    # -- and otherwise ----------------------------------------------------------------------------------------------

    def _turn_out_otherwise(self, customer: str, first: str) -> None:
        ana, running = self.day.ana, self._told(NOW_MINE)["restated"]["value"]
        self.day.title("A late visit arrives, a deal is reopened, a rate is corrected")
        self._visit(customer, LATE_VISIT)
        self.day.check("the late visit is taken", self.day.sync(self.drawer).outcomes == {"applied": 3})
        ana.device.command("deal.reopen", first, {"stage_key": "negotiation"})
        self.day.check("so is the reopening", self.day.sync(ana).outcomes == {"applied": 1})
        after = self._told(NOW_MINE)["restated"]["value"]
        self.day.check(f"which takes {_money(WON)} back in {self.running.name}", after == running - WON)
        month = local_day(self._at(SECOND_WIN, 12), self.zone)[:7]
        rate = self._ask("finance", "GET", f"/api/rates/USD-EUR-{month}-01")["row"]["rate"]
        self.corrected = (rate, str(Decimal(rate) + Decimal("0.01")))
        self._ask("finance", "PATCH", f"/api/rates/USD-EUR-{month}-01", row={"rate": self.corrected[1]})
        self.day.tell(f"1 USD was {rate} EUR, and is {self.corrected[1]} for that month")

    def _restate(self) -> None:
        self.day.title("Closed and restated, side by side, and why")
        whys: dict[str, list[str]] = {}
        for key in (MINE, OLD_TEAM, NEW_TEAM, CONTACTS):
            told = self._told(key)
            whys[key] = [item["why"] for item in told["items"]]
            unit = told["restated"]["currency"]
            sides = (told["closed"]["value"], told["restated"]["value"], told["delta"])
            was, is_, delta = (shown_value(value, told["measure"], unit) for value in sides)
            self.day.tell(f"{WORDS[key]}: closed {was}, restated {is_}, difference {delta}")
            for item in told["items"]:
                rates = (item["before"] or {}).get("rate"), (item["after"] or {}).get("rate")
                how = f", {rates[0]} to {rates[1]}" if rates[0] != rates[1] else ""
                change = shown_value(item["delta"], told["measure"], unit)
                self.day.tell(f"   {change} by a record of {item['entity']}: {WHYS[item['why']]}{how}")
            listed = sum(item["delta"] for item in told["items"]) + told["hidden"]["delta"]
            self.day.check("closed plus all that is listed is restated", sides[0] + listed == sides[1])
        wanted = {MINE: ["rate_corrected"], OLD_TEAM: [], NEW_TEAM: ["rate_corrected"], CONTACTS: ["late"]}
        self.day.check("each for its own reason, and the reopening is none of this quarter's", whys == wanted)
        (item,) = self._told(MINE)["items"]
        rates = (item["before"]["rate"], item["after"]["rate"])
        self.day.check(f"with the old rate and the new one: {' and '.join(rates)}", rates == self.corrected)

    def _told(self, name: str) -> dict[str, Any]:
        return self._ask("finance", "GET", f"/api/quotas/{self.keys[name]}/restatement")

    # -- screens ----------------------------------------------------------------------------------------------------

    def _ask(self, role: str, method: str, path: str, **body: Any) -> dict[str, Any]:
        sent: Mapping[str, Any] = {"json": body} if body else {}
        answer = self.web.request(method, path, headers=self._headers(role), **sent).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _headers(self, role: str) -> dict[str, str]:
        if role not in self._tokens:
            email = self.day.database.read(email_of, role)
            device = {"name": "console", "platform": "demo", "app_version": "1"}
            login = {"email": email, "password": self.day.password, "device": device}
            answer = self.web.post("/auth/login", json=login).raise_for_status()
            self._tokens[role] = answer.json()["access_token"]
        return {"Authorization": f"Bearer {self._tokens[role]}"}


def _money(minor: int | None) -> str:
    return shown_value(minor, "revenue", "EUR")


def _some(parts: list[Part]) -> str:
    return f"{len(parts)} contribution{'s' if len(parts) != 1 else ''}"


def email_of(connection: Connection, role: str) -> str:
    users = ROWS["users"].c
    return str(connection.execute(select(users.email).where(users.role == role).order_by(users.key).limit(1)).scalar())


def quota_of(connection: Connection, values: Mapping[str, Any]) -> str | None:
    quotas = ROWS["quotas"].c
    same = (
        quotas[name] == values[name] for name in ("user_key", "team_key", "period_key", "measure") if name in values
    )
    found = connection.execute(select(quotas.key).where(*same, ~quotas.gone)).scalar()
    return str(found) if found is not None else None


def _team_of(connection: Connection, user_key: str) -> str:
    members = ROWS["team_members"].c
    query = select(members.team_key).where(members.user_key == user_key, ~members.gone).order_by(members.key)
    return str(connection.execute(query.limit(1)).scalar())
