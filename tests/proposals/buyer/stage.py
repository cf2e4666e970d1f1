"""A company with two phones, its server as a process, its mail server and its files: what a story is played on."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import ColumnElement, Table, select

from sfa.app.demo import stage as demo_stage
from sfa.app.demo.phones import Phone, phone
from sfa.app.seed.write import seed
from sfa.core.clock import SystemClock
from sfa.core.days import local_day
from sfa.core.pricing import Choices, choose, price
from sfa.core.pricing.values import Priced
from sfa.db.database import Database, open_database
from sfa.web.passwords import hash_password
from sync.device import buyers, drafting, proposals, sending
from tests.browser import aside
from tests.postgres import Postgres
from tests.proposals.buyer.post import Letter, Post
from tests.sync.clients.served import PASSWORD, Server

PATIENCE_S = 90.0
BUYER = "nerea@buyer.example"
VAT = ("VAT", 2_100)
# The long proofs play it on PostgreSQL too.
ON_BOTH = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.slow])]
_LINK = re.compile(r"http://127\.0\.0\.1:\d+/p/([A-Za-z0-9_-]{22})")
Found = TypeVar("Found")


class Stage:
    """`ana` sells, `eva` manages her. `address` is where the server answers, to buyers as well."""

    def __init__(self, url: str, folder: Path, post: Post, ana: Phone, eva: Phone, server: Server) -> None:
        self.url, self.folder, self.post = url, folder, post
        self.ana, self.eva, self.server = ana, eva, server
        self._thread = ThreadPoolExecutor(1)  # of the database: the tests' own is playwright's meanwhile
        self._database: Database = self._thread.submit(open_database, url).result()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def close(self) -> None:
        self._thread.submit(self._database.close).result()
        self._thread.shutdown()

    # -- looking ------------------------------------------------------------------------------------------------------

    def read(self, work: Callable[..., Found], *args: Any, **kwargs: Any) -> Found:
        return self._thread.submit(lambda: self._database.read(work, *args, **kwargs)).result()

    def write(self, work: Callable[..., Found]) -> Found:
        return self._thread.submit(lambda: self._database.write(work)).result()

    def rows(self, table: Table, *where: ColumnElement[bool]) -> list[dict[str, Any]]:
        query = select(table).where(*where)
        return self.read(lambda c: [dict(row) for row in c.execute(query).mappings()])

    def proposal(self, key: str, who: Phone | None = None) -> dict[str, Any]:
        """As a phone shows it."""
        return (who or self.ana).device.get("proposals", key) or {}

    def until(self, key: str, holds: Callable[[dict[str, Any]], Found], what: str) -> Found:
        """Sync until the proposal's row on the rep's phone is so."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.ana.device.sync()
            if found := holds(self.proposal(key)):
                return found
            assert time.monotonic() < deadline, f"{what}: {self.proposal(key)}\n{self.server.said[-3_000:]}"
            time.sleep(0.1)

    def api(self, who: Phone, path: str) -> httpx.Response:
        token = who.device.store.state().access_token
        return httpx.get(f"{self.address}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=30.0)

    def handed_over(self, key: str, kind: str) -> str:
        """A link that the rep asks for."""
        token = self.ana.device.store.state().access_token
        said, headers = {"kind": kind}, {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{self.address}/api/proposals/{key}/links", json=said, headers=headers, timeout=30.0)
        return str(answer.raise_for_status().json()["url"])

    # -- the rep's part -----------------------------------------------------------------------------------------------

    def draft(self, title: str, discount_bp: int = 1_500, to: str = BUYER) -> str:
        """Without signal: two products, an option that nobody took yet, who gets it; submitted, and to be sent."""
        device, made = self.ana.device, ""
        deals = device.list("deals", {"owner_key": self.ana.user_key, "closed_at": None})
        taken = {row["deal_key"] for row in device.list("proposals").values()}
        deal = min(k for k, row in deals.items() if row["account_key"] and row["currency"] and k not in taken)
        currency = deals[deal]["currency"]
        products = sorted({row["product_key"] for row in device.list("prices", {"currency": currency}).values()})
        self.ana.signal.on = False
        try:
            said: dict[str, Any] = {"title": title, "discounts": [{"share_bp": discount_bp}], "payment_days": 30}
            said["summary"] = "What we talked about on **Tuesday**, with everything that is needed."
            made = drafting.draft(device, deal, said, lines=False)
            drafting.add_line(device, made, {"product_key": products[0], "quantity": "3"}, VAT)
            drafting.add_line(device, made, {"product_key": products[1], "quantity": "1"}, VAT)
            option = {"product_key": products[0], "name": "Second year of service", "optional": True, "chosen": False}
            drafting.add_line(device, made, option, VAT)
            buyers.add_recipient(device, made, {"name": "Nerea Etxeberria", "email": to, "language": "en"})
            device.command("proposal.submit", made, {})
        finally:
            self.ana.signal.on = True
        return made

    def priced(self, key: str, *, take_options: bool = False) -> Priced:
        """As the rep's phone reckons it."""
        offered = proposals.offer(self.ana.device, key)
        if not take_options:
            return price(offered)
        return price(choose(offered, Choices({line.key: True for line in offered.lines if line.optional}, {})))

    def approve_and_send(self, key: str) -> Letter:
        """-> the mail that the buyer gets."""
        before = len(self.post.to(BUYER))
        self.order(key)
        return self.post.wait(BUYER, before + 1)[-1]

    def order(self, key: str) -> None:
        """Approved by the manager and sent by the rep."""
        self.ana.device.sync()
        self.eva.device.sync()
        submitted_at = self.proposal(key, self.eva)["submitted_at"]
        self.eva.device.command("proposal.approve", key, {"submitted_at": submitted_at, "text": "Good"})
        self.eva.device.sync()
        self.ana.device.sync()
        sending.send(self.ana.device, key)
        assert self.ana.device.sync().refused == ()


def link_of(letter: Letter) -> str:
    """The one link to a proposal that both parts of a mail have."""
    found = {match.group(0) for kind in ("plain", "html") for match in _LINK.finditer(letter.part(kind))}
    assert len(found) == 1, found
    return found.pop()


@contextmanager
def on_database(request: pytest.FixtureRequest, folder: Path, name: str) -> Iterator[Stage]:
    """The stage on the database that the fixture's parameter names."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        with staged(f"sqlite:///{shutil.copy(template, folder / 'sfa.db')}", folder) as found:
            yield found
        return
    template = aside(lambda: request.getfixturevalue("postgres_template"))  # a browser may be running
    postgres: Postgres = request.getfixturevalue("postgres")
    url = aside(lambda: postgres.create(name, template=template))
    try:
        with staged(url, folder) as found:
            yield found
    finally:
        aside(lambda: postgres.drop(name))


@contextmanager
def staged(url: str, folder: Path) -> Iterator[Stage]:
    """On an empty database that has its tables."""
    cast = aside(lambda: _seeded(url))
    post = Post()
    port = demo_stage.free_port()
    address = f"http://127.0.0.1:{port}"
    said = {
        "SFA_OUTLOOK_MEMORY_MB": "0",
        "SFA_PUBLIC_URL": address,
        "SFA_SMTP_URL": post.url,
        "SFA_MAIL_FROM": "Northwind Sales <sales@seller.example>",
        "SFA_FILES_URL": (folder / "files").absolute().as_uri(),
    }
    server = Server(url, folder, said, port)
    with ExitStack() as pockets:
        post.start()
        pockets.callback(post.stop)
        pockets.callback(server.kill)
        server.start()
        ana, eva = (pockets.enter_context(phone(folder, address, *person)) for person in (cast.ana, cast.eva))
        for one in (ana, eva):
            one.device.login(one.email, PASSWORD, name=f"{one.name}'s phone", platform="story")
            one.device.sync()
        found = Stage(url, folder, post, ana, eva, server)
        pockets.callback(found.close)
        yield found


def _seeded(url: str) -> demo_stage.Cast:
    database = open_database(url)
    try:
        today = local_day(SystemClock().now_ms(), "UTC")
        seed(database, reps=4, accounts=30, seed=3, today=today, password_hash=hash_password(PASSWORD))
        return database.read(demo_stage.cast)
    finally:
        database.close()
