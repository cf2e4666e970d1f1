"""The demo's Monday: the roll-up on the manager's screen, a figure put in its place, a call, a week of work, the lock.

The week is the one to come: what is done in it is done now, and the jobs of its Monday are run as if it had come. What
a picture shows lies as PNG in the demo's folder, to be looked at.
"""

from pathlib import Path
from typing import Any

import httpx

from forecasting import locking, taking
from sfa.app.demo.story import Day
from sfa.core.days import local_day, plus_days
from sfa.core.forecast import BUCKETS, TOTAL
from sfa.core.forecast_cycles import Lock, next_lock
from sfa.core.money import format_minor
from sfa.core.periods import FiscalCalendars, Period, PeriodKind
from sfa.crm.calling import read_cycle
from sync.device import forecast

TIMEOUT_S = 60.0
DAY_MS, MINUTE_MS = 86_400_000, 60_000
WON, GROWN, CALLED, STANDS = 1_250_000, 6_500_000, 9_500_000, 30_000_000
SHOWN = ("closed", "commit", "likely", "best_case", "pipeline", "slipped")
WIDTH, NAME = 15, 24
PNG = b"\x89PNG\r\n\x1a\n"
PICTURES = {"rollup": "forecast-rollup.png", "movement": "forecast-movement.png"}
Told = dict[str, Any]


class Monday:
    """`lock` is the first one from tomorrow on, `period` the quarter in which its day lies."""

    def __init__(self, day: Day, folder: Path, server: str, customer: str) -> None:
        self.day, self.folder, self.server, self.customer = day, folder, server, customer
        now_ms = day.ana.device.clock.now_ms()
        cycle = day.database.read(read_cycle)
        self.today = local_day(now_ms, cycle.zone)
        self.lock: Lock = next_lock(cycle, now_ms + DAY_MS)
        self.period: Period = FiscalCalendars().period_of(self.lock.due_on, PeriodKind.QUARTER)

    def play(self) -> None:
        with httpx.Client(base_url=self.server, timeout=TIMEOUT_S) as web:
            self.web, self.headers = web, self._login(web)
            self.day.database.write(taking.take, self.day.ana.device.clock.now_ms())  # if the server has not yet
            team = self._look()
            self._put_a_figure(team)
            call = self._call()
            self._work()
            self._turn_stale(team)
            self._lock(call)
            self._compare(team)
            self._draw(team)

    # -- before the week --------------------------------------------------------------------------------------------

    def _look(self) -> str:
        """-> the node of the manager's team."""
        eva = self.day.eva
        self.day.title(f"The forecast of {self.period.name} on {eva.name}'s screen")
        told = self._get("rollup", period=self.period.name)
        self._print(told)
        nodes = told["nodes"]
        below = [node for node in nodes if node["parent"] == nodes[0]["node"]]
        whole = all(
            nodes[0]["buckets"][bucket]["amount_minor"]
            == sum(part["buckets"][bucket]["amount_minor"] for part in below)
            + nodes[0]["direct"].get(bucket, {"amount_minor": 0})["amount_minor"]
            for bucket in BUCKETS
        )
        self.day.check("her team is the sum of its people, in every category", whole and below)
        team = str(nodes[0]["node"])
        self.day.check("and it is her own team that she looks at", team.startswith("team:"))
        return team

    def _print(self, told: Told) -> None:
        self.day.tell(f"{'':<{NAME}}" + "".join(f"{name:>{WIDTH}}" for name in SHOWN))
        for node in told["nodes"]:
            name = "  " * node["depth"] + (node["name"] or node["node"])
            amounts = (node["buckets"][bucket]["amount_minor"] for bucket in SHOWN)
            shown = "".join(f"{format_minor(amount, told['currency']):>{WIDTH}}" for amount in amounts)
            self.day.tell(f"{name[:NAME]:<{NAME}}{shown}")
        holes = ", ".join(told["why"]) if told["partial"] else "nothing is missing"
        self.day.tell(f"all in {told['currency']}, as of {told['as_of']}: {holes}")

    def _put_a_figure(self, team: str) -> None:
        answer = self.web.put(
            self._override(team),
            headers={**self.headers, "If-None-Match": "*"},
            json={"amount_minor": STANDS, "note": "two large ones are sure"},
        ).raise_for_status()
        self.based_on = answer.json()["based_on_minor"]
        self.day.tell(
            f"{self.day.eva.name} commits to {format_minor(STANDS, 'EUR')}: {self._money(self.based_on)} stood there"
        )
        again = self.web.put(
            self._override(team), headers={**self.headers, "If-None-Match": "*"}, json={"amount_minor": 1}
        )
        self.day.check("who did not look at it cannot replace it", again.status_code == 412)

    def _call(self) -> str:
        ana = self.day.ana
        self.day.sync(ana)
        key = forecast.call(ana.device, CALLED, period_key=self.period.name, due_on=self.lock.due_on)
        self.day.check(f"{ana.name} calls her own number on her phone", self.day.sync(ana).outcomes == {"applied": 1})
        status = ana.device.get("forecast_calls", key)
        self.day.check("it waits for its lock", status is not None and status["status"] == "submitted")
        return key

    # -- the week ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        ana, device = self.day.ana, self.day.ana.device
        self.day.title(f"A week of work, until Monday, {self.lock.due_on}")
        about = {"owner_key": ana.user_key, "account_key": self.customer, "stage_key": "offer", "currency": "EUR"}
        won = device.create("deals", {**about, "name": "Won on Tuesday", "amount_minor": WON})
        device.command("deal.win", won)
        close_on = min(plus_days(self.lock.due_on, 10), plus_days(self.period.end_on, -1))
        large = {**about, "name": "The large one", "amount_minor": GROWN, "close_on": close_on, "category": "commit"}
        device.create("deals", large)
        result = self.day.sync(ana)
        self.day.check("one deal is won, a large one is new", set(result.outcomes) == {"applied"})

    def _turn_stale(self, team: str) -> None:
        told = self._get("rollup", period=self.period.name, node=team)
        (override,) = told["nodes"][0]["views"]["commit"]["overrides"]
        shown = format_minor(override["amount_minor"], override["currency"])
        self.day.tell(f"{shown} stands for commit, now stale by {self._money(override['delta_minor'])}")
        grown = GROWN + (WON if self._holds_today() else 0)
        self.day.check("it is stale by what came in since", override["stale"] and override["delta_minor"] == grown)

    def _holds_today(self) -> bool:
        return self.period.start_on <= self.today < self.period.end_on

    # -- Monday -----------------------------------------------------------------------------------------------------

    def _lock(self, call: str) -> None:
        ana, monday = self.day.ana, self.lock.due_at + MINUTE_MS
        self.day.title(f"Monday, {self.lock.due_on}: calls are locked, and what moved since {self.today}?")
        self.day.database.write(locking.run, monday)
        self.day.database.write(taking.take, monday)
        self.day.sync(ana)
        row = ana.device.get("forecast_calls", call)
        self.day.check("her call is locked", row is not None and row["status"] == "locked")
        told = self._get("calls", period=self.period.name, due_on=self.lock.due_on)
        said = [(one["node"], one["commit_minor"]) for one in told["items"] if one["status"] == "locked"]
        self.day.check(f"{self.day.eva.name} sees it", (f"user:{ana.user_key}", CALLED) in said)

    def _compare(self, team: str) -> None:
        told = self._get("movement", **self._moved(team))
        bars = [told["opening"], *told["classes"], told["rates"], told["closing"]]
        for bar in bars:
            if bar["deals"] or bar["total_minor"]:
                self.day.tell(f"{bar['name']:<{NAME}}{bar['deals']:>6}{self._money(bar['total_minor']):>{WIDTH}}")
        balanced = all(
            sum(bar["amounts"].get(bucket, 0) for bar in bars[:-1]) == bars[-1]["amounts"].get(bucket, 0)
            for bucket in BUCKETS
        )
        self.day.check("opening and all that moved are the closing, in every category", balanced)
        self.day.check("and in total", sum(b["total_minor"] for b in bars[:-1]) == bars[-1]["total_minor"])
        counted = {bar["name"]: bar["deals"] for bar in told["classes"]}
        self.day.check("the large one is new in it", counted["new"] >= 1)
        self.day.check("the won one is won in it", counted["won"] >= 1 or not self._holds_today())
        summed = sum(bars[-1]["amounts"].get(bucket, 0) for bucket in TOTAL)
        self.day.check("slipped money is in the total, omitted money is not", summed == bars[-1]["total_minor"])

    def _draw(self, team: str) -> None:
        asked: dict[str, dict[str, str]] = {
            "rollup": {"period": self.period.name, "node": team},
            "movement": self._moved(team),
        }
        for what, params in asked.items():
            path = f"/api/forecast/{what}/chart"
            answer = self.web.get(path, headers=self.headers, params={**params, "format": "png"}).raise_for_status()
            (self.folder / PICTURES[what]).write_bytes(answer.content)
            drawn = answer.content.startswith(PNG) and len(answer.content) > 20_000
            self.day.check(f"drawn: {self.folder / PICTURES[what]}", drawn)

    # -- screens ----------------------------------------------------------------------------------------------------

    def _get(self, what: str, **asked: str) -> Told:
        answer = self.web.get(f"/api/forecast/{what}", headers=self.headers, params=asked).raise_for_status()
        found: Told = answer.json()
        return found

    def _moved(self, team: str) -> dict[str, str]:
        return {"from": self.today, "to": self.lock.due_on, "period": self.period.name, "node": team}

    def _override(self, team: str) -> str:
        return f"/api/forecast/overrides/{self.period.name}/{team}/commit"

    def _money(self, minor: int | None) -> str:
        return "nothing" if minor is None else format_minor(minor, "EUR")

    def _login(self, web: httpx.Client) -> dict[str, str]:
        device = {"name": "console", "platform": "demo", "app_version": "1"}
        login = {"email": self.day.eva.email, "password": self.day.password, "device": device}
        answer = web.post("/auth/login", json=login).raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}
