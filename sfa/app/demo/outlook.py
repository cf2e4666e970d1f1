"""The demo's Monday continued: what the quarter will really be, how sure that is, and why it is another than last week.

The forecast engine runs before the week and after it, each time in a process of its own, as the server's job would run
it; what it learns from are the fifteen months that the seeded company has behind it.
"""

import asyncio
from typing import Any

import httpx

from forecasting.outlook import store
from forecasting.outlook.running import Outlooks
from forecasting.outlook.worker import Worker
from sfa.app.demo.monday import MINUTE_MS, TIMEOUT_S, Monday
from sfa.app.demo.quarter import email_of, quota_of
from sfa.core.clock import Clock, VirtualClock
from sfa.core.money import format_minor
from sfa.db.database import open_database

TARGET_GROWTH = 11  # tenths of what the company expects before the week
NAME, WIDTH = 24, 15
PIECES = (("won", "won_minor"), ("from open deals", "open_minor"), ("not there yet", "new_minor"))
Told = dict[str, Any]


class Outlook:
    """Beside `monday`, whose week, quarter and team it is about."""

    def __init__(self, monday: Monday) -> None:
        self.monday, self.day = monday, monday.day
        self.team = ""

    def before(self) -> None:
        """What is expected before the week begins; the team's target is set by it."""
        with httpx.Client(base_url=self.monday.server, timeout=TIMEOUT_S) as web:
            self.web = web
            headers = self._login("manager")
            self.web.post("/api/forecast/outlook/runs", headers=headers).raise_for_status()
            self._run(self.day.ana.device.clock)
            found = self._told(headers)
            self.team = str(found["items"][0]["node"])
            self._set_target(found["items"][0]["periods"][0]["range"]["p50_minor"] * TARGET_GROWTH // 10)

    def after(self) -> None:
        """On Monday, from the run of that day."""
        due_on, at = self.monday.lock.due_on, self.monday.lock.due_at + MINUTE_MS
        with httpx.Client(base_url=self.monday.server, timeout=TIMEOUT_S) as web:
            self.web = web
            headers = self._login("manager")
            self.day.title(f"What will {self.monday.period.name} really be, how sure is that, and why?")
            self.day.database.write(store.ask, at, due_on)
            self._run(VirtualClock(at))
            self._tell(self._told(headers))
            self._tell_why(headers)
            self._tell_honesty(headers)

    # -- told -------------------------------------------------------------------------------------------------------

    def _tell(self, found: Told) -> None:
        self.day.tell(
            f"{'':<{NAME}}" + "".join(f"{name:>{WIDTH}}" for name in ("P10", "P50", "P90", "quota", "chance"))
        )
        for item in found["items"]:
            name = "  " * item["depth"] + (item["name"] or item["node"])
            period = item["periods"][0]
            self.day.tell(f"{name[:NAME]:<{NAME}}{self._range(period, found['currency'])}")
        node = found["items"][0]["periods"][0]
        parts = ", ".join(f"{name} {self._money(node[field])}" for name, field in PIECES)
        self.day.tell(f"{self._money(node['range']['mean_minor'])} expected: {parts}, other views {self._signed(node)}")
        views = (f"{view['view']} {view['weight_bp'] / 100:.0f} %" for view in node["views"] if view["weight_bp"])
        self.day.tell(f"weighed by the past: {', '.join(views)}")
        pieces = sum(node[field] for _, field in PIECES) + node["adjusted_minor"]
        self.day.check("the parts are the whole", pieces == node["range"]["mean_minor"])
        below = sum(item["periods"][0]["range"]["mean_minor"] for item in found["items"][1:])
        self.day.check("and so are her people", below == node["range"]["mean_minor"])
        ranges = [item["periods"][0]["range"] for item in found["items"]]
        self.day.check(
            "every range is in order", all(r["p10_minor"] <= r["p50_minor"] <= r["p90_minor"] for r in ranges)
        )
        self.day.check("the chance to reach the quota is told", node["range"]["reach_bp"] is not None)

    def _range(self, period: Told, currency: str) -> str:
        told = period["range"]
        if told is None:
            return f"{period['code']:>{WIDTH}}"
        shown = [format_minor(told[name], currency) for name in ("p10_minor", "p50_minor", "p90_minor")]
        quota, reach = told["quota_minor"], told["reach_bp"]
        shown += [
            "" if quota is None else format_minor(quota, currency),
            "" if reach is None else f"{reach / 100:.0f} %",
        ]
        return "".join(f"{text:>{WIDTH}}" for text in shown)

    def _tell_why(self, headers: dict[str, str]) -> None:
        asked = {"node": self.team, "period": self.monday.period.name, "since": self.monday.today}
        answer = self.web.get("/api/forecast/outlook/moved", headers=headers, params=asked).raise_for_status()
        moved: Told = answer.json()
        before, after = moved["before"]["mean_minor"], moved["after"]["mean_minor"]
        self.day.tell(f"since {self.monday.today}: {self._money(before)}, now {self._money(after)}")
        for step in moved["steps"]:
            self.day.tell(
                f"  {step['code']:<{NAME - 2}}{step['deals'] or '':>6}{self._money(step['amount_minor']):>{WIDTH}}"
            )
        total = sum(step["amount_minor"] for step in moved["steps"])
        self.day.check("the steps are the difference", total == after - before)
        names = {deal["name"] for deal in moved["deals"]}
        self.day.check("the large one is among what moved it", "The large one" in names)

    def _tell_honesty(self, headers: dict[str, str]) -> None:
        answer = self.web.get("/api/forecast/honesty", headers=headers, params={"node": self.team}).raise_for_status()
        for score in answer.json()["items"]:
            wape = "" if score["wape_bp"] is None else f"{score['wape_bp'] / 100:.0f} %"
            held = "" if score["held_bp"] is None else f"held {score['held_bp'] / 100:.0f} %"
            few = ", too few to lean on" if score["few"] else ""
            self.day.tell(
                f"  {score['view']:<12}{score['days']:>4} days before the end of {score['periods']} periods: "
                f"off by {wape or 'nothing that could be said'} {held}{few}"
            )
        self.day.check("how right each view was is told", answer.json()["items"])

    # -- done -------------------------------------------------------------------------------------------------------

    def _run(self, clock: Clock) -> None:
        """Whatever waits, here as on a server of its own; where the server has it already, until that has ended."""
        asyncio.run(_runs(self.day.database.url, clock))
        (run,) = self.day.database.read(store.listing, None, 1)
        self.day.check("the engine came to its end", run.state == store.DONE and run.code is None)

    def _set_target(self, target: int) -> None:
        """Approved by finance; the company may have drafted one."""
        said = {
            "team_key": self.team.removeprefix("team:"),
            "period_key": self.monday.period.name,
            "measure": "revenue",
        }
        headers, key = self._login("finance"), self.day.database.read(quota_of, said)
        if key is None:
            row = {**said, "currency": "EUR", "target": target}
            key = self.web.post("/api/quotas", headers=headers, json={"row": row}).raise_for_status().json()["key"]
        else:
            answer = self.web.patch(f"/api/quotas/{key}", headers=headers, json={"row": {"target": target}})
            answer.raise_for_status()
        self.web.post(f"/api/quotas/{key}/approve", headers=headers, json={}).raise_for_status()

    def _told(self, headers: dict[str, str]) -> Told:
        asked = {"period": self.monday.period.name, **({"node": self.team} if self.team else {})}
        found: Told = self.web.get("/api/forecast/outlook", headers=headers, params=asked).raise_for_status().json()
        return found

    def _signed(self, period: Told) -> str:
        return f"{period['adjusted_minor'] / 100:+,.2f}"

    def _money(self, minor: int) -> str:
        return format_minor(minor, "EUR")

    def _login(self, role: str) -> dict[str, str]:
        email = self.day.eva.email if role == "manager" else self.day.database.read(email_of, role)
        device = {"name": "console", "platform": "demo", "app_version": "1"}
        answer = self.web.post("/auth/login", json={"email": email, "password": self.day.password, "device": device})
        return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


async def _runs(url: str, clock: Clock) -> None:
    database = open_database(url)
    try:
        await Outlooks(database, clock, Worker()).run_all()
        while await database.read_async(store.under_way) is not None:  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(0.5)
    finally:
        await database.close_async()
