"""`sfa demo`: make a company, play a day with five phones, close its last quarter, then serve it for a look."""

import contextlib
import os
import shutil
import threading
from pathlib import Path

import click
from rich.console import Console

from sfa.app.demo import buyer, margins, monday, offer, outlook, photos, quarter, rounds, stage, story, troubles
from sfa.app.demo.phones import SetBack, phone
from sfa.app.demo.post import Post, post
from sfa.app.seed.write import seed as seed_company
from sfa.core.clock import SystemClock
from sfa.core.days import local_day
from sfa.db.database import Database, open_database
from sfa.db.migrations import upgrade_database
from sfa.web.passwords import hash_password

PASSWORD = "demo-password-1"
DEFAULT_PORT = 8080
LOG = "server.log"
LEFT_BEHIND = frozenset(
    {".db", ".db-wal", ".db-shm", ".db-journal", ".db-files", ".log", ".files", ".files-lock", ".png", ".pdf", ".eml"}
)


@click.command()
@click.option("--once", is_flag=True, help="End after the story, with exit code 0 only if every step was right.")
@click.option("--reps", default=12, show_default=True, type=click.IntRange(4, 2_000))
@click.option("--accounts", default=300, show_default=True, type=click.IntRange(20, 200_000))
@click.option("--seed", default=3, show_default=True, type=int)
@click.option("--folder", default="var/demo", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65_535), help="Where to serve; a free port with --once.")
@click.option("--database", "url", help="An empty PostgreSQL database; a new SQLite file in the folder by default.")
def demo(once: bool, reps: int, accounts: int, seed: int, folder: Path, port: int | None, url: str | None) -> None:
    """Make a company, let two reps and a manager work for a day, close their last quarter, then serve it."""
    console = Console(highlight=False)
    _clear(folder)
    folder.mkdir(parents=True)
    (folder / LOG).touch()
    database = open_database(url or f"sqlite:///{folder / 'company.db'}")
    try:
        upgrade_database(database)
        with console.status("making a company …"):
            today = local_day(SystemClock().now_ms(), "UTC")
            password_hash = hash_password(PASSWORD)
            counts, _ = seed_company(
                database, reps=reps, accounts=accounts, seed=seed, today=today, password_hash=password_hash
            )
        console.print(
            f"[bold]A company of {reps} reps and {accounts} customers[/bold] ({counts.total():,} rows, seed {seed})"
        )
        at = port if port is not None else (stage.free_port() if once else DEFAULT_PORT)
        with post(folder) as mails, stage.server(database.url, at, folder / LOG, _mailing(at, mails)) as address:
            link = _play(console, database, address, folder, mails)
            if not once:
                _serve(console, database, address, link)
    except story.StepFailed as failed:
        raise click.ClickException(f"the demo failed at {failed}") from failed
    finally:
        database.close()


def _clear(folder: Path) -> None:
    """Remove what an earlier demo left, and nothing else: a folder of another kind is refused."""
    found = list(folder.iterdir()) if folder.is_dir() else []
    names = {path.name for path in found}
    if found and (LOG not in names or not all(path.suffix in LEFT_BEHIND for path in found)):
        raise click.UsageError(f"{folder} holds other things than an earlier demo: choose another --folder")
    shutil.rmtree(folder, ignore_errors=True)


def _mailing(port: int, mails: Post) -> dict[str, str]:
    """The server's links lead to itself, and its mails to the demo's own mail server."""
    public = f"http://127.0.0.1:{port}"
    sender = "Demo Company <offers@company.example>"
    return {**os.environ, "SFA_PUBLIC_URL": public, "SFA_SMTP_URL": mails.url, "SFA_MAIL_FROM": sender}


def _play(console: Console, database: Database, address: str, folder: Path, mails: Post) -> str:
    """-> the link to an offer that waits for an answer."""
    cast = database.read(stage.cast)
    with contextlib.ExitStack() as pockets:
        people = (cast.ana, cast.ben, cast.eva)
        ana, ben, eva = (pockets.enter_context(phone(folder, address, *person)) for person in people)
        spare = pockets.enter_context(phone(folder, address, *cast.ben, store="spare"))
        back = SetBack()
        drawer = pockets.enter_context(phone(folder, address, *cast.ana, store="drawer", clock=back))
        day = story.Day(console, database, ana, ben, eva, PASSWORD)
        customer = day.play()
        troubles.write_one_note(day, customer)
        troubles.enter_a_customer_twice(day, customer)
        troubles.lose_a_phone(day, spare, address, customer)
        rounds.travel(day, address)
        photos.send_a_photo(day, folder, address, customer)
        quarter.Quarter(day, drawer, back, address).play(customer)
        margins.ask_before_giving(day, address)
        offered = offer.offer_a_customer(day, address, folder)
        buyer.sell_to_the_buyer(day, mails, folder, offered)
        week = monday.Monday(day, folder, address, customer)
        beside = outlook.Outlook(week)
        beside.before()
        week.play()
        beside.after()
        link = buyer.leave_one_open(day, mails)
        day.evening()
    console.print(f"\n[bold green]All {day.steps} steps were as they should be.[/bold green]")
    return link


def _serve(console: Console, database: Database, address: str, link: str) -> None:
    cast = database.read(stage.cast)
    console.print(
        f"\nServing at [bold]{address}[/bold] until Ctrl-C; description of the API: {address}/schema/openapi.json"
    )
    for role, person in (("rep", cast.ana), ("rep", cast.ben), ("manager", cast.eva)):
        console.print(f"   {role:<8} {person[2]}  password {PASSWORD}")
    console.print(f"   a phone in the terminal: sfa device login --server {address} --email {cast.ana[2]}")
    console.print(f"   an offer that you can open, choose from, ask about and sign: [bold]{link}[/bold]")
    console.print(f"   and whoever has a signed PDF verifies it at [bold]{address}/verify[/bold]")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("ended")
