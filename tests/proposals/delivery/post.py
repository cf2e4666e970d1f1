"""A real mail server on loopback, in the test's event loop; the company's mailer beside it; what was mailed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from proposals.delivery.running import Mailer, Post, post_of
from sfa.core.clock import Clock
from sfa.db.database import open_database
from sfa.db.tables import mail_outbox, proposal_events, proposal_links, webhook_events
from sfa.web.secret import Secret
from tests.office import Office, Phone
from tests.proposals.selling import offered, order

SECRET = "0123456789abcdef0123456789abcdef"
SITE = "https://offers.example"
CARL = "carl@buyer.example"


class Server:
    """Takes what it gets, but for what it is told to answer: to a recipient, or to the content of any mail."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        self.tries = 0
        self.answers: dict[str, str] = {}
        self.to_content: str | None = None
        self.before_word: Callable[[], Awaitable[None]] | None = None
        self.port = 0
        self.lines: list[asyncio.BaseTransport] = []

    def hang_up(self) -> None:
        """As a process that is killed does it."""
        for line in self.lines:
            line.abort() if isinstance(line, asyncio.Transport) else line.close()
        self.lines.clear()

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        self.tries += 1
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.to_content is not None:
            return self.to_content
        assert isinstance(envelope.content, bytes)
        envelope.content.decode("ascii")
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.taken += [(to, message) for to in envelope.rcpt_tos]
        if self.before_word is not None:
            await self.before_word()
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for to, message in self.taken if to == address]


@asynccontextmanager
async def mail_server(server: Server, **how: Any) -> AsyncIterator[Server]:
    loop = asyncio.get_running_loop()

    class Line(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            server.lines.append(transport)
            super().connection_made(transport)

    listening = await loop.create_server(
        lambda: Line(server, hostname="mx.example", loop=loop, **how), "127.0.0.1", server.port
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.hang_up()
        await asyncio.sleep(0)


def way(server: Server, login: str = "", **said: str) -> Post:
    """How the company reaches it."""
    query = said.get("tls", "never")
    found = post_of(f"smtp://{login}127.0.0.1:{server.port}?tls={query}", "Company <sales@company.example>")
    assert found is not None
    return found


@asynccontextmanager
async def mailing(office: Office, post: Post | None, clock: Clock | None = None) -> AsyncIterator[Mailer]:
    """A server process of the same database, with connections of its own loop, that mails."""
    database = open_database(office.database.url, durable=False)
    mailer = Mailer(database, clock or office.clock, Secret(SECRET), SITE, post)
    try:
        yield mailer
    finally:
        await mailer.close()
        await database.close_async()


def mailed(office: Office, server: Server | None = None) -> Server:
    """Everything that waits and is due, by one process -> the mail server that got it."""
    server = server or Server()

    async def play() -> None:
        async with mail_server(server), mailing(office, way(server)) as mailer:
            await mailer.run_all()

    asyncio.run(play())
    return server


# -- what there is ----------------------------------------------------------------------------------------------------


def outbox_rows(office: Office) -> list[dict[str, Any]]:
    return office.all(
        select(mail_outbox).order_by(
            mail_outbox.c.asked_at, mail_outbox.c.version, mail_outbox.c.kind, mail_outbox.c.mail_key
        )
    )


def events(office: Office, key: str = "p1") -> list[str]:
    of = proposal_events.c
    rows = office.all(select(of.kind).where(of.proposal_key == key).order_by(of.n))
    return [row["kind"] for row in rows]


def told(office: Office) -> list[str]:
    return sorted(row["kind"] for row in office.all(select(webhook_events.c.kind)))


def given_links(office: Office) -> list[dict[str, Any]]:
    return office.all(select(proposal_links).order_by(proposal_links.c.made_at, proposal_links.c.link_key))


def people(office: Office) -> dict[str, dict[str, Any]]:
    """Recipients by their address."""
    return {row["email"]: row for row in office.rows("proposal_recipients")}


def sent(office: Office, *named: tuple[str, dict[str, Any]], **said: Any) -> Phone:
    """Ana's offer, sent to these recipients; to Carl, the proposal's contact, where none is named."""
    office.put(("contacts", "carl", {"email": CARL}))
    ana = offered(office, contact_key="carl", **said)
    for key, values in named:
        receipt = ana.do("create", "proposal_recipients", key, set={"proposal_key": "p1", **values})
        assert receipt.outcome == "applied", receipt
    assert order(ana, "send").outcome == "applied"
    return ana
