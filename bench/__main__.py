"""`python -m bench [--quick] [--only first,poll] [--database sqlite] [--json PATH]`: one run, a table for each subject.

The company grows while it is measured: delta and poll at every size, first sync and push at the middle one.
"""

import asyncio
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg
import click
from msgspec import Struct
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from bench import (
    attainment,
    company,
    floors,
    forecast,
    forecast_snapshots,
    funnel,
    live,
    profit,
    proposals,
    seeding,
    subjects,
    versions,
)
from bench.company import Device
from bench.engine import speed as engine_speed
from bench.report import Report
from bench.server import SECRET, TTL_S, running
from bench.subjects import Place
from sfa.core.clock import SystemClock
from sfa.core.ids import KeyMaker
from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.web.secret import Secret
from sfa.web.tokens import AccessTokens
from tests.postgres import durable_postgres

SUBJECTS: tuple[str, ...] = ("first", "delta", "poll", "push", "live", "versions", "seed")
SUBJECTS += ("attainment", "profit", "forecast", "engine", "proposals", "funnel")
APART = {"seed", "attainment", "profit", "forecast", "engine", "proposals", "funnel"}  # of companies of their own
LIVE_RUNS = 20
SQLITE, POSTGRESQL = "sqlite", "postgresql"


class Sizes(Struct, frozen=True):
    """Copies of the seed rows at each stage, and how much is asked at each."""

    copies: tuple[int, ...]
    deltas: int
    polls: int
    pushes: int
    runs: int
    accounts: int

    @property
    def middle(self) -> int:
        return self.copies[1]


FULL = Sizes((10, 100, 1000), deltas=1000, polls=8000, pushes=48, runs=3, accounts=20_000)
QUICK = Sizes((4, 40), deltas=200, polls=1600, pushes=8, runs=2, accounts=4_000)


class Bench:
    """One database, from empty to its largest size."""

    def __init__(self, report: Report, sizes: Sizes, only: frozenset[str], kind: str, url: str) -> None:
        self.report, self.sizes, self.only, self.kind, self.url = report, sizes, only, kind, url
        self.postmaster: int | None = None
        self.devices: list[Device] = []

    def measure(self) -> None:
        secret, clock = Secret(SECRET), SystemClock()
        with closing(open_database(self.url, durable=False)) as database:
            upgrade_database(database)
            company.found(database)
            company.plan_days(database, clock.now_ms())
            tokens = AccessTokens(secret, clock, TTL_S)
            self.devices = company.register(database, tokens, clock.now_ms(), KeyMaker(clock))
        copies_now = 1
        for copies in self.sizes.copies:
            with closing(open_database(self.url, durable=False)) as database:
                start = time.perf_counter()
                company.grow(database, copies_now, copies)
                _settle(database, self.url)
                rows = copies * company.SEED_ROWS
                print(f"{self.kind}: {rows:,} rows made in {time.perf_counter() - start:.1f} s", flush=True)
                quiet, busy, delta = self._places(database, secret)
            copies_now = copies
            self._stage(rows, copies == self.sizes.middle, quiet, busy, delta)

    def _places(self, database: Database, secret: Secret) -> tuple[Place, Place, Place]:
        """Where a device stands that has everything, that misses only what others see, and that misses twenty rows."""
        before = company.change_twenty(database)
        seq = database.read(company.clock_seq)
        company.change_elsewhere(database)
        last = database.read(company.clock_seq)
        key, epoch = secret.derive("cursor"), database.read(_epoch)
        return Place(key, epoch, last, last), Place(key, epoch, seq, last), Place(key, epoch, before, last)

    def _stage(self, rows: int, middle: bool, quiet: Place, busy: Place, delta: Place) -> None:
        name = f"{self.kind}, {rows:,} rows"
        if self.only & {"delta", "poll"}:
            with running(self.url, self.postmaster) as server:
                if "delta" in self.only:
                    self.report.add("delta", name, subjects.delta(server, self.devices, delta, self.sizes.deltas))
                if "poll" in self.only:
                    quietly = subjects.poll(server, self.devices, quiet, self.sizes.polls)
                    self.report.add("poll", name, quietly)
                    busily = subjects.poll(server, self.devices, busy, self.sizes.polls)
                    self.report.add("poll", f"{name}, others wrote", busily)
        if middle:
            self._middle(name, delta)

    def _middle(self, name: str, delta: Place) -> None:
        if "first" in self.only:
            with running(self.url, self.postmaster) as server:
                for client, figures in subjects.first(server, self.devices, self.sizes.runs):
                    self.report.add("first", f"{name}, {client}", figures)
        if self.kind == SQLITE:
            self._floors(delta.c)
        if "push" in self.only:
            for kind, place in (("create", 0), ("mixed", company.REPS)):
                with running(self.url, self.postmaster) as server:
                    one = subjects.push(server, self.devices[place + 1 : place + 2], kind, self.sizes.pushes)
                    self.report.add("push", f"{name}, {kind}, 1 client", one)
                    there = self.devices[place + 2 * company.REPS : place + 3 * company.REPS]
                    many = subjects.push(server, there, kind, max(4, self.sizes.pushes // 4))
                    self.report.add("push", f"{name}, {kind}, 16 clients", many)

        if "live" in self.only:
            self._live(name)
        if "versions" in self.only:
            with closing(open_database(self.url, durable=False)) as database:
                for version, figures in versions.first_syncs(database, self.devices[0]):
                    self.report.add("versions", f"{name}, {version}", figures)

    def _live(self, name: str) -> None:
        """A thousand streams; on PostgreSQL also told of what another process wrote."""
        secret, clock = Secret(SECRET), SystemClock()
        with closing(open_database(self.url, durable=False)) as database:
            each = -(-live.STREAMS // company.REPS)
            tokens, now = AccessTokens(secret, clock, TTL_S), clock.now_ms()
            devices = company.register(database, tokens, now, KeyMaker(clock), of_a_rep=each, name="l")
            writers = company.register(database, tokens, now, KeyMaker(clock), of_a_rep=1, name="w")
        with running(self.url, self.postmaster) as server:
            self.report.add("live", name, live.live(server, server, devices, writers[0], LIVE_RUNS))
        if self.kind == POSTGRESQL:
            with running(self.url, self.postmaster) as server, running(self.url, self.postmaster) as other:
                found = live.live(server, other, devices, writers[1], LIVE_RUNS)
                self.report.add("live", f"{name}, written by another process", found)

    def _floors(self, seq: int) -> None:
        path = Path(make_url(self.url).database or "")
        if "first" in self.only:
            self.report.add("first", "floor: sqlite3 reads and joins", floors.read_all(path))
        if "delta" in self.only:
            self.report.add("delta", "floor: sqlite3 reads and joins", floors.read_delta(path, seq, self.sizes.deltas))
        if "poll" in self.only:
            self.report.add("poll", "floor: bare application", floors.bare(self.sizes.polls))
        if "push" in self.only:
            with closing(sqlite3.connect(path)) as raw:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            copy = Path(shutil.copy(path, path.with_name("floor.db")))
            self.report.add("push", "floor: sqlite3 writes", floors.write_batches(copy, self.sizes.pushes))
            copy.unlink()

    def ratios(self) -> None:
        first, *_, last = (f"{self.kind}, {copies * company.SEED_ROWS:,} rows" for copies in self.sizes.copies)
        middle = f"{self.kind}, {self.sizes.middle * company.SEED_ROWS:,} rows"
        for column in ("p50_ms", "server_cpu_us"):
            self.report.ratio("delta", column, last, first)
            self.report.ratio("poll", column, last, first)
        self.report.ratio("delta", "server_cpu_us", middle, "floor: sqlite3 reads and joins")
        self.report.ratio("poll", "server_cpu_us", middle, "floor: bare application")
        in_lines, zstd = f"{middle}, client counts, zstd, in lines", f"{middle}, client counts, zstd"
        self.report.ratio("first", "rows_per_s", in_lines, zstd)
        self.report.ratio("first", "bytes_per_row", in_lines, zstd)
        self.report.ratio("first", "kib", f"{middle}, until today is ready", in_lines)
        self.report.ratio("first", "server_cpu_ms", f"{middle}, until today is ready", in_lines)
        client = f"{middle}, client decodes nothing"
        self.report.ratio("first", "rows_per_s", client, "floor: sqlite3 reads and joins")
        self.report.ratio("first", "server_cpu_us", client, "floor: sqlite3 reads and joins")
        for version in (versions.FIRST, versions.DECODED):
            self.report.ratio("versions", "cpu_us_a_row", f"{middle}, {version}", f"{middle}, {versions.NEWEST}")
        self.report.ratio("push", "mutations_per_s", f"{middle}, create, 1 client", "floor: sqlite3 writes")
        self.report.ratio("push", "server_cpu_us", f"{middle}, create, 1 client", "floor: sqlite3 writes")


def _seed(report: Report, kind: str, url: str, floor: str | None, accounts: int) -> None:
    """A made-up company, and on SQLite what its rows cost alone."""
    name, alone = f"{kind}, {accounts:,} customers", "floor: sqlite3 writes the same values"
    report.add("seed", name, seeding.seeded(url, accounts))
    if floor is not None:
        report.add("seed", alone, seeding.plain(floor, accounts))
        report.ratio("seed", "rows_per_s", name, alone)
        report.ratio("seed", "cpu_us_a_row", name, alone)


def _epoch(connection: Connection) -> str:
    return str(connection.execute(text("SELECT epoch FROM clock WHERE id = 1")).scalar_one())


def _settle(database: Database, url: str) -> None:
    """What a database in use has had for long: statistics, and no work left over from the bulk load."""

    def analyse(connection: Connection) -> None:
        connection.execute(text("ANALYZE"))

    async def tidy() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        await connection.close()

    if database.dialect == POSTGRESQL:
        asyncio.run(tidy())
    else:
        database.write(analyse)


@contextmanager
def _postgres(folder: Path) -> Iterator[tuple[str, str, int]]:
    """The URLs of two new databases in a durable PostgreSQL, and the process that serves it."""
    with durable_postgres(folder) as server:
        url, other = server.create("bench"), server.create("seed")
        yield url, other, int((folder / "pg" / "postmaster.pid").read_text().split()[0])


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Smaller, in about a minute: 20,000 rows at most.")
@click.option("--only", default=",".join(SUBJECTS), show_default=True, help="Subjects, by commas.")
@click.option("--database", "which", type=click.Choice([SQLITE, POSTGRESQL, "both"]), default="both", show_default=True)
@click.option("--json", "save_to", type=click.Path(dir_okay=False, path_type=Path), help="Write the figures here too.")
def main(quick: bool, only: str, which: str, save_to: Path | None) -> None:
    """Measure the offline round on both databases."""
    wanted = frozenset(part.strip() for part in only.split(","))
    if wanted - set(SUBJECTS):
        raise click.BadParameter(f"{', '.join(sorted(wanted - set(SUBJECTS)))}: not a subject", param_hint="--only")
    report, sizes = Report(), QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="sfa-bench-") as name:
        folder = Path(name)
        if which in (SQLITE, "both"):
            if wanted - APART:
                bench = Bench(report, sizes, wanted, SQLITE, f"sqlite:///{folder / 'bench.db'}")
                bench.measure()
                bench.ratios()
            if "seed" in wanted:
                url, floor = (f"sqlite:///{folder / name}.db" for name in ("seed", "floor"))
                _seed(report, SQLITE, url, floor, sizes.accounts)
            if "attainment" in wanted:
                _attainment(report, SQLITE, f"sqlite:///{folder / 'attainment.db'}", quick)
            if "profit" in wanted:
                _profit(report, SQLITE, f"sqlite:///{folder / 'profit.db'}", quick)
            if "forecast" in wanted:
                _forecast(report, SQLITE, f"sqlite:///{folder / 'forecast.db'}", quick)
            if "funnel" in wanted:
                _funnel(report, SQLITE, f"sqlite:///{folder / 'funnel.db'}", quick)
            if "proposals" in wanted:
                _proposals(report, SQLITE, f"sqlite:///{folder / 'proposals.db'}", quick)
        if which in (POSTGRESQL, "both") and wanted != {"engine"}:
            with _postgres(folder) as (url, other, postmaster):
                if wanted - APART:
                    bench = Bench(report, sizes, wanted, POSTGRESQL, url)
                    bench.postmaster = postmaster
                    bench.measure()
                    bench.ratios()
                if "seed" in wanted:
                    _seed(report, POSTGRESQL, other, None, sizes.accounts)
            if "attainment" in wanted:
                with _postgres(folder) as (url, _, _):
                    _attainment(report, POSTGRESQL, url, quick)
            if "profit" in wanted:
                with _postgres(folder) as (url, _, _):
                    _profit(report, POSTGRESQL, url, quick)
            if "forecast" in wanted:
                with _postgres(folder) as (url, _, _):
                    _forecast(report, POSTGRESQL, url, quick)
            if "funnel" in wanted:
                with _postgres(folder) as (url, _, _):
                    _funnel(report, POSTGRESQL, url, quick)
    if "engine" in wanted:  # has no database
        engine_speed.measure(report, quick)
    report.show()
    if save_to is not None:
        report.save(save_to)


def _attainment(report: Report, kind: str, url: str, quick: bool) -> None:
    """A company of its own, in a database of its own."""
    size = attainment.QUICK if quick else attainment.Size()
    with closing(open_database(url, durable=False)) as database:
        begun = time.perf_counter()
        attainment.made(database, size)
        print(
            f"{kind}: {size.deals:,} deals and {size.visits:,} visits made in {time.perf_counter() - begun:.1f} s",
            flush=True,
        )
        for name, figures in attainment.measured(database, url):
            report.add("attainment", f"{kind}, {name}", figures)
    report.ratio("attainment", "best_ms", f"{kind}, {attainment.EVERY_PERIOD}", f"{kind}, {attainment.FLOOR}")


def _profit(report: Report, kind: str, url: str, quick: bool) -> None:
    """A company of its own, in a database of its own."""
    with closing(open_database(url, durable=False)) as database:
        profit.made(database, profit.QUICK if quick else profit.Size())
        for name, figures in profit.measured(database, url):
            report.add("profit", f"{kind}, {name}", figures)
    for name in (profit.CUSTOMERS, profit.LOST):
        report.ratio("profit", "best_ms", f"{kind}, {name}", f"{kind}, {profit.FLOOR}")


def _proposals(report: Report, kind: str, url: str, quick: bool) -> None:
    """A company of its own, in a database of its own, beside which the bytes lie."""
    for name, figures in proposals.bench(url, proposals.QUICK if quick else proposals.Size()):
        report.add("proposals", f"{kind}, {name}", figures)
    report.ratio("proposals", "a_minute_and_core", f"{kind}, {proposals.OURS}", f"{kind}, {proposals.RAW}")


def _funnel(report: Report, kind: str, url: str, quick: bool) -> None:
    """A company of its own, in a database of its own."""
    size = funnel.QUICK if quick else funnel.Size()
    with closing(open_database(url, durable=False)) as database:
        funnel.made(database, size)
        for name, figures in funnel.measured(database, size):
            report.add("funnel", f"{kind}, {name}", figures)
    report.ratio("funnel", "best_cpu_ms", f"{kind}, {funnel.FUNNEL}", f"{kind}, {funnel.FLOOR}")
    report.ratio("funnel", "each_ms", f"{kind}, {funnel.BEAT}", f"{kind}, {funnel.ROW}")


def _forecast(report: Report, kind: str, url: str, quick: bool) -> None:
    """A company of its own, in a database of its own."""
    with closing(open_database(url, durable=False)) as database:
        size = forecast.QUICK if quick else forecast.Size()
        forecast.made(database, size)
        for name, figures in forecast.measured(database, url):
            report.add("forecast", f"{kind}, {name}", figures)
        for name, figures in forecast_snapshots.measured(database, size):
            report.add("forecast", f"{kind}, {name}", figures)
    report.ratio("forecast", "best_ms", f"{kind}, {forecast.COLD}", f"{kind}, {forecast.FLOOR}")


if __name__ == "__main__":
    main()
