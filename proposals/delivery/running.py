"""What one server process mails: woken after every commit, it claims mails, sends each, and says what came of it (R55).

A try ends long before others would think that this process is dead, so nobody beats while one lasts. What can go
another time is tried again with a growing pause for `KEPT_TRYING_MS`; what is refused for good says so. Where the mail
server would take nothing from us (login, TLS, sender), mails wait, the log says so once, and it is tried again every
minute. A server that stops lets tries end for a moment and gives back the others; one that is killed is taken over.

A process that dies between the mail server's word and ours leaves a mail that was sent and does not say so: it is sent
again, with the same Message-ID, by which mail programs show it once.
"""

import asyncio
import logging

from msgspec import Struct

from proposals.buyer import links
from proposals.delivery import outbox, outcomes, preparing, smtp
from proposals.delivery.envelope import ADDRESS_INVALID, Envelope, address_of, message_of, sender_of
from proposals.delivery.letter import Letter
from proposals.delivery.mails import Told, letter_of
from proposals.delivery.outbox import Mail
from proposals.delivery.preparing import Ready, Site
from proposals.delivery.smtp import Later, Server, Taken, Unset
from sfa.core.clock import Clock
from sfa.core.ids import KeyMaker
from sfa.db import news
from sfa.db.attending import attend
from sfa.db.database import Database
from sfa.web.secret import Secret

WORKERS, LOOK_S, GRACE_S = 4, 30.0, 3.0
UNSET_MS = 60_000
TOO_OLD = "mail_too_old"
POLICY_SAID = "again: a policy refuses it, of our mail server or theirs; look at what they think of the sender"
OFF, OK, FAILING = "off", "ok", "failing"
BY_PEOPLE = frozenset({outbox.OFFER, outbox.ANSWER})  # a person sends them at that moment
_log = logging.getLogger("sfa.mail")


class Post(Struct, frozen=True, kw_only=True):
    """The company's way to mail: its server, the sender's address, a name that is said where the seller has none."""

    server: Server
    sender: str
    name: str


def post_of(smtp_url: str, mail_from: str) -> Post | None:
    """Of the settings; None where nothing is mailed. `setting_invalid` for what cannot be used."""
    if not smtp_url:
        return None
    server = smtp.server_of(smtp_url)
    name, sender = sender_of(mail_from, server.user, server.host)
    return Post(server=server, sender=sender, name=name)


class Mailer:
    """What one server process mails. `state` is ok, failing (the last try found no server that takes our mail), or off:
    it mails nothing. `base` is where buyers reach the server."""

    def __init__(self, database: Database, clock: Clock, secret: Secret, base: str, post: Post | None) -> None:
        self._database, self._clock, self._secret, self._post = database, clock, secret, post
        self._base = base.rstrip("/")
        self._ids = KeyMaker(clock)
        self._working: set[asyncio.Task[None]] = set()
        self._running: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()
        self._paused_until = 0
        self._is_well, self._is_told, self._is_closing = True, False, False
        self.grace_s = GRACE_S

    @property
    def state(self) -> str:
        if self._post is None or not self._running:
            return OFF
        return OK if self._is_well else FAILING

    @property
    def site(self) -> Site:
        """Where links lead, once the secret is read."""
        return Site(self._base, self._secret.derive(links.PURPOSE))

    def new_key(self) -> str:
        """For a link."""
        return self._ids.new()

    def start(self) -> None:
        """On the running event loop, once the secret is read; nothing to do where nothing is mailed."""
        if self._post is not None:
            self._running = [asyncio.create_task(news.hear(self._database, self._heard.set))]
            self._running.append(asyncio.create_task(self._run()))

    async def close(self) -> None:
        self._is_closing = True
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._working:  # a try that is cut off may have been taken, and would be sent again
            await asyncio.wait(self._working, timeout=self.grace_s)
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        self._running = []

    async def run_all(self) -> int:
        """Every mail that may be claimed now, to its end -> how many."""
        count = 0
        while begun := await self.take():
            count += begun
            if self._working:  # they may have ended while others were begun
                await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)
        while self._working:
            await asyncio.wait(self._working)
            count += await self.take()
        return count

    async def take(self) -> int:
        """Claim mails while a try is free, and begin them -> how many."""
        count, post = 0, self._post
        while post is not None and not self._is_closing and len(self._working) < WORKERS:
            now_ms = self._clock.now_ms()
            if now_ms < self._paused_until:
                break
            due = await self._database.read_async(outbox.next_due, now_ms)
            if due is None or due > now_ms:
                break
            me, message_id = self._ids.new(), f"<{self._ids.new()}@{post.sender.rpartition('@')[2]}>"
            mail = await self._database.write_async(outbox.claim, now_ms, me, message_id)
            if mail is None:
                break
            task = asyncio.create_task(self._one(post, mail))
            self._working.add(task)
            task.add_done_callback(self._done)
            count += 1
        return count

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._heard.set()

    async def _run(self) -> None:
        await attend(self._heard, self._clock, self._step, look_s=LOOK_S, what="to be mailed")

    async def _step(self) -> int | None:
        await self.take()
        due = await self._database.read_async(outbox.next_due, self._clock.now_ms())
        return max(due, self._paused_until) if due is not None and len(self._working) < WORKERS else None

    # -- one mail -------------------------------------------------------------------------------------------------

    async def _one(self, post: Post, mail: Mail) -> None:
        try:
            await self._try(post, mail)
        except asyncio.CancelledError:
            await asyncio.shield(self._database.write_async(outbox.give_back, mail))
            raise
        except Exception as error:
            _log.exception("%s was not mailed", mail.mail_key)
            problem = type(error).__name__
            await self._database.write_async(outbox.again, self._clock.now_ms(), mail, "mail_failed", problem)

    async def _try(self, post: Post, mail: Mail) -> None:
        now_ms, write = self._clock.now_ms(), self._database.write_async
        if now_ms - mail.asked_at > outbox.KEPT_TRYING_MS:
            _log.warning("%s (%s) was given up: %s", mail.mail_key, mail.kind, mail.code or TOO_OLD)
            await write(outcomes.ended, now_ms, mail, outbox.FAILED, mail.code or TOO_OLD, mail.problem)
            return
        ready = await write(preparing.prepare, now_ms, mail, self.site, self.new_key())
        if ready is None:
            return
        if isinstance(ready, str):
            _log.info("%s (%s) is not mailed: %s", mail.mail_key, mail.kind, ready)
            await write(outcomes.ended, now_ms, mail, outbox.DROPPED, ready)
            return
        to = address_of(ready.to)
        if to is None:
            await write(outcomes.bounced, now_ms, mail, ADDRESS_INVALID, "this is no e-mail address")
            return
        message = await asyncio.to_thread(written, post, mail, ready, to, now_ms)
        await self._judge(mail, await smtp.send(post.server, post.sender, to, message))

    async def _judge(self, mail: Mail, result: smtp.Result) -> None:
        now_ms, write = self._clock.now_ms(), self._database.write_async
        self._is_well = isinstance(result, (Taken, smtp.Refused)) or (
            isinstance(result, Later) and result.code[:1].isdecimal()
        )
        if isinstance(result, Taken):
            self._is_told = False
            if not await write(outcomes.sent, now_ms, mail):
                _log.warning("%s was sent, and somebody else sends it too", mail.mail_key)
            return
        if isinstance(result, Later):
            why = POLICY_SAID if result.code.startswith(smtp.POLICY) else "again"
            _log.warning("%s (%s): %s %s, %s", mail.mail_key, mail.kind, result.code, result.problem, why)
            await write(outbox.again, now_ms, mail, result.code, result.problem)
            return
        if isinstance(result, Unset):
            self._paused_until = now_ms + UNSET_MS
            if not self._is_told:
                self._is_told = True
                _log.error("the mail server takes no mail from us (%s %s): mails wait", result.code, result.problem)
            await write(outbox.give_back, mail, self._paused_until, result.code)
            return
        _log.warning("%s (%s) came back: %s %s", mail.mail_key, mail.kind, result.code, result.problem)
        await write(outcomes.bounced, now_ms, mail, result.code, result.problem)


def written(post: Post, mail: Mail, ready: Ready, to: str, now_ms: int) -> bytes:
    """The bytes of a mail: the same letter and the same Message-ID at every try."""
    told: Told = ready.told
    letter: Letter = letter_of(told)
    author = told.document.author
    is_of_rep = told.role == "rep"
    envelope = Envelope(
        message_id=mail.message_id or "",
        at=now_ms,
        sender=post.sender,
        sender_name=post.name or told.document.seller.name,
        to=to,
        to_name=told.to_name,
        reply_to="" if is_of_rep else author.email,
        reply_name=author.name,
        stop=told.stop if mail.kind in (outbox.OFFER, outbox.REMINDER) else "",
        automatic=mail.kind not in BY_PEOPLE,
    )
    return message_of(letter, envelope)
