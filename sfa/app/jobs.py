"""What runs by itself: the table of jobs, and the scheduler that runs it in every server process.

A run claims its time slot by inserting a row, so two processes, or two timers of one, never do the same run; the work
and the end of the run are one transaction, so a process that dies in the middle leaves a claimed slot and no half work,
and the next slot does it. Jobs are safe to run late and twice.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from msgspec import Struct, structs
from sqlalchemy import Connection, delete, insert, select, update

from forecasting import locking, overriding, reminding, taking
from forecasting.outlook import store as runs
from forecasting.outlook.running import Outlooks
from proposals.buyer import expiry, opens
from proposals.delivery import reminders
from proposals.rendering import pictures, queue
from sfa.app import reconcile
from sfa.core.access import AGES_BY
from sfa.core.clock import Clock
from sfa.crm import finder
from sfa.crm.imports import sheets
from sfa.crm.rest import repeats
from sfa.db import ageing, feed, scope
from sfa.db.database import Database
from sfa.db.tables import job_runs
from sfa.db.writes import Door
from sfa.files import arrivals, collecting
from sfa.files.service import FileLimits, Files
from sfa.profit.company import customers
from sfa.profit.price import guiding
from sfa.quotas import calendar
from sfa.visits import plans
from sfa.web.hooks import replaying

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 24 * 3600
AGED_ROWS_MAX = 2_000  # of each entity in one run
TOMBSTONES_KEPT_DAYS = 180  # the longest time offline that is promised (S15)
RUNS_KEPT_DAYS = 30
FINDER_S = 15  # 500 rows a run and a transaction: an import of 100,000 customers is looked at within the hour
PLANS_S = 15  # 50 plans a run and a transaction: who changes a plan sees its visits move
SNAPSHOT_S = 300  # one a day; looked for so often, so that it is of the day's beginning
REMIND_S = 300
CUSTOMERS_S = 60  # 200 customers a run and a transaction
_log = logging.getLogger("sfa.jobs")


class Job(Struct, frozen=True):
    """`work(connection, now_ms)` answers a line for the log; `every_s` is both the interval and the slot."""

    name: str
    every_s: int
    work: Callable[[Connection, int], str]


def make_assignments_effective(connection: Connection, now_ms: int) -> str:
    return "scopes changed" if scope.make_due(connection, now_ms) else "nothing due"


def mark_clock(connection: Connection, now_ms: int) -> str:
    feed.mark(connection, now_ms)
    return "noted"


def purge_tombstones(connection: Connection, now_ms: int) -> str:
    horizon = feed.purge_older_than(connection, now_ms - TOMBSTONES_KEPT_DAYS * DAY_S * 1000)
    return f"horizon {horizon}"


def age_rows(connection: Connection, now_ms: int) -> str:
    """Old visits, notes and closed deals leave the devices, a bounded batch of each at a time (S10)."""
    door = Door(connection, now_ms)
    count = 0
    for entity in AGES_BY:
        keys = ageing.due(connection, entity, now_ms, AGED_ROWS_MAX)
        door.review(entity, keys)
        count += len(keys)
    door.flush()
    return f"{count} rows"


def forget_old_runs(connection: Connection, now_ms: int) -> str:
    old = job_runs.c.claimed_at < now_ms - RUNS_KEPT_DAYS * DAY_S * 1000
    imports = sheets.forget(connection, now_ms)
    return f"{connection.execute(delete(job_runs).where(old)).rowcount} runs, {imports} imports"


def link_files(connection: Connection, now_ms: int) -> str:
    return f"{arrivals.link_waiting(connection, now_ms)} attachments have met their bytes"


def collect_files(connection: Connection, now_ms: int, grace_ms: int = FileLimits().grace_ms) -> str:
    return collecting.collect(connection, now_ms, grace_ms)


def forget_idempotency_keys(connection: Connection, now_ms: int) -> str:
    return f"{repeats.forget(connection, now_ms)} keys"


def forget_renders(connection: Connection, now_ms: int) -> str:
    """How drafts were printed, long ago, and pictures that no proposal shows any more."""
    orders, shown = queue.forget(connection, now_ms), pictures.collect(connection, now_ms)
    return f"{orders} orders, {shown} pictures"


def forget_webhooks(connection: Connection, now_ms: int) -> str:
    """What other systems were told a month ago, and what they never took three months ago."""
    deliveries, events = replaying.forget(connection, now_ms)
    return f"{deliveries} deliveries, {events} events"


def forget_opens(connection: Connection, now_ms: int) -> str:
    """How long each part of an offer was looked at, after 400 days."""
    return f"{opens.forget(connection, now_ms)} sessions"


def expire_proposals(connection: Connection, now_ms: int) -> str:
    """What no buyer answered until its last day was over (R47)."""
    return f"{expiry.expire(connection, now_ms)} expired"


def find_duplicates(connection: Connection, now_ms: int) -> str:
    looked, made = finder.find(connection, now_ms)
    return f"{made} suggestions from {looked} rows"


def plan_visits(connection: Connection, now_ms: int) -> str:
    """Plans become visits of the weeks ahead, and changed plans are followed."""
    looked, made = plans.expand(connection, now_ms)
    return f"{made} visits of {looked} plans"


def make_periods(connection: Connection, now_ms: int) -> str:
    """The fiscal periods of this year and the next two, as the calendars say."""
    made = calendar.make_periods(connection, now_ms)
    return f"{made.written} written, {made.deleted} deleted, {made.kept} kept" if made is not None else "no calendar"


def make_price_guides(connection: Connection, now_ms: int) -> str:
    """What the company got for its products, as guidance for the next price."""
    made = guiding.make_guides(connection, now_ms)
    return f"{made.written} written, {made.deleted} deleted, {made.kept} kept"


def lock_calls(connection: Connection, now_ms: int) -> str:
    """What people called of a forecast is locked once a week (R29)."""
    found = locking.run(connection, now_ms)
    return f"{found.locks} locks, {found.calls} calls locked"


def remind_of_calls(connection: Connection, now_ms: int) -> str:
    """Who owes a call is reminded before its lock."""
    return f"{reminding.run(connection, now_ms)} reminded"


def remind_buyers(connection: Connection, now_ms: int) -> str:
    """Who has an offer and has not answered it, in the morning of the days that its template says."""
    return f"{reminders.run(connection, now_ms)} reminded"


def supersede_overrides(connection: Connection, now_ms: int) -> str:
    """Figures of a forecast that stand no more, because an owner, a team or a period is another."""
    return f"{overriding.supersede(connection, now_ms)} overrides"


def judge_customers(connection: Connection, now_ms: int) -> str:
    """How customers stand, as what they are changes."""
    return _judged(connection, customers.look(connection, now_ms))


def _judged(connection: Connection, found: customers.Judged) -> str:
    looked, changed = customers.keep(connection, found)
    return f"{looked} customers judged, {changed} differ"


def ask_for_outlook(connection: Connection, now_ms: int, minute: int = 0) -> str:
    """Today's run of the forecast engine; who runs it comes after."""
    return "asked" if runs.ask_daily(connection, now_ms, minute) else "asked before"


def forget_outlooks(connection: Connection, now_ms: int) -> str:
    return runs.forget(connection, now_ms)


# name -> (what is read in a snapshot, how it is stored)
APART: dict[str, tuple[Callable[..., Any], Callable[[Connection, Any], str]]] = {
    "reconcile": (reconcile.report, reconcile.outcome),
    "judge_customers": (customers.look, _judged),
    "take_forecast_snapshot": (taking.look, taking.keep),
}


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job("make_assignments_effective", MINUTE_S, make_assignments_effective),
        Job("mark_clock", DAY_S, mark_clock),
        Job("purge_tombstones", DAY_S, purge_tombstones),
        Job("age_rows", HOUR_S, age_rows),
        Job("find_duplicates", FINDER_S, find_duplicates),
        Job("link_files", MINUTE_S, link_files),
        Job("collect_files", HOUR_S, collect_files),
        Job("plan_visits", PLANS_S, plan_visits),
        Job("make_periods", MINUTE_S, make_periods),
        Job("make_price_guides", DAY_S, make_price_guides),
        Job("lock_calls", MINUTE_S, lock_calls),
        Job("remind_of_calls", REMIND_S, remind_of_calls),
        Job("remind_buyers", REMIND_S, remind_buyers),
        Job("supersede_overrides", MINUTE_S, supersede_overrides),
        Job("expire_proposals", MINUTE_S, expire_proposals),
        Job("reconcile", DAY_S, reconcile.run),
        Job("judge_customers", CUSTOMERS_S, judge_customers),
        Job("take_forecast_snapshot", SNAPSHOT_S, taking.take),
        Job("make_outlook", MINUTE_S, ask_for_outlook),
        Job("forget_outlooks", DAY_S, forget_outlooks),
        Job("forget_old_runs", DAY_S, forget_old_runs),
        Job("forget_renders", DAY_S, forget_renders),
        Job("forget_webhooks", DAY_S, forget_webhooks),
        Job("forget_opens", DAY_S, forget_opens),
        Job("forget_idempotency_keys", HOUR_S, forget_idempotency_keys),
    )
}


def claim(connection: Connection, job: Job, now_ms: int) -> int | None:
    """The slot of this run, or None where another run has it."""
    slot = now_ms // 1000 // job.every_s
    taken = select(job_runs.c.slot).where(job_runs.c.name == job.name, job_runs.c.slot == slot)
    if connection.execute(taken).first() is not None:
        return None
    connection.execute(insert(job_runs), {"name": job.name, "slot": slot, "claimed_at": now_ms})
    return slot


def finish(connection: Connection, job: Job, slot: int, now_ms: int) -> str:
    """Do the work and note its end, in one transaction."""
    outcome = job.work(connection, now_ms)
    ended = update(job_runs).where(job_runs.c.name == job.name, job_runs.c.slot == slot)
    connection.execute(ended.values(finished_at=now_ms, outcome=outcome))
    return outcome


async def run(database: Database, clock: Clock, job: Job) -> str | None:
    """One run, if its slot is free; two processes that claim at once meet at the key, and the database tries the
    second again, which then finds the slot taken."""
    slot = await database.write_async(claim, job, clock.now_ms())
    if slot is None:
        return None
    outcome = await database.write_async(finish, job, slot, clock.now_ms())
    _log.info("%s: %s", job.name, outcome)
    return outcome


async def run_collection(database: Database, clock: Clock, job: Job, files: Files) -> None:
    """Decide what goes, by the grace time of this server, and then take its bytes, which are not in the database."""
    collect = structs.replace(job, work=partial(collect_files, grace_ms=files.limits.grace_ms))
    if await run(database, clock, collect) is not None:
        _log.info("%s: %s", job.name, await files.sweep())


async def run_apart(database: Database, clock: Clock, job: Job, *asked: int) -> None:
    """Look through much in a snapshot that nobody waits for, and store what was found; `asked` is for who looks."""
    slot = await database.write_async(claim, job, clock.now_ms())
    if slot is not None:
        read, store = APART[job.name]
        found = await database.read_apart_async(read, clock.now_ms(), *asked)
        kept = structs.replace(job, work=lambda connection, _: store(connection, found))
        _log.info("%s: %s", job.name, await database.write_async(finish, kept, slot, clock.now_ms()))


async def run_outlooks(database: Database, clock: Clock, job: Job, outlooks: Outlooks | None, minute: int) -> None:
    """Ask for today's, by the minute of this server, and run what waits, whoever asked: minutes of another process, for
    which this job alone waits. Whose slot it is says nothing of who runs: a server that runs none may have had it."""
    await run(database, clock, structs.replace(job, work=partial(ask_for_outlook, minute=minute)))
    if outlooks is not None and (count := await outlooks.run_all()):
        _log.info("%s: %d runs ended", job.name, count)


def scheduler(
    database: Database,
    clock: Clock,
    files: Files | None = None,
    snapshot_minute: int = 0,
    outlooks: Outlooks | None = None,
) -> Any:
    """An APScheduler with every job of the table, to be started on the server's event loop. `snapshot_minute` of the
    company's day is when a snapshot of the forecast may be taken, and its run of the engine asked for; `outlooks` runs
    it, and is None where another process does."""
    made = AsyncIOScheduler(timezone="UTC")
    first = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)  # at the start too: a server may restart each day
    for job in JOBS.values():
        collects = files is not None and job.name == "collect_files"
        apart = run_apart if job.name in APART else run
        args: tuple[Any, ...] = (files,) if collects else ()
        if job.name == "take_forecast_snapshot":
            args = (snapshot_minute,)
        asks = job.name == "make_outlook"
        if asks:
            args = (outlooks, snapshot_minute)
        made.add_job(
            run_outlooks if asks else run_collection if collects else apart,
            IntervalTrigger(seconds=job.every_s, timezone="UTC"),
            args=(database, clock, job, *args),
            id=job.name,
            next_run_time=first,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # late is better than not before the next interval
        )
    return made
