"""What one server process seals: woken after every commit, it claims what was accepted, prints the final PDF and its
certificate, seals both with the company's key and files them.

Printing is done by the printing processes, which never see the key; sealing in a thread. Everything is made anew after
a death at any moment, and filed once. What may be different next time is tried again with growing pauses; while no key
can be used, files cannot be kept or this machine cannot print, rows wait and the log says so once.
"""

import asyncio
import logging

from msgspec import Struct

from proposals.document import Document, canonical
from proposals.evidence import filing, keys, queue, sealing, testimony
from proposals.evidence.accepted import digest_of
from proposals.evidence.filing import Done
from proposals.evidence.gathering import Gathered, gather
from proposals.evidence.keys import SealKey
from proposals.evidence.queue import Claim
from proposals.evidence.sealing import Words
from proposals.evidence.testimony import Testimony
from proposals.evidence.words import say_in
from proposals.printable import PICTURE_BYTES_MAX, pictures_of
from proposals.rendering.press import Press
from proposals.rendering.process import RENDER_FAILED, UNAVAILABLE
from proposals.rendering.values import Evidence, Form, Order
from sfa.core.apart import OUT_OF_MEMORY, TIMED_OUT, WORKER_DIED, Failed
from sfa.core.errors import Refused
from sfa.core.ids import KeyMaker
from sfa.db import news
from sfa.db.attending import attend
from sfa.files.service import Files
from sfa.web.secret import Secret

BEAT_S, LOOK_S, WAIT_MS = 5.0, 30.0, 60_000
ORIGINAL_WAIT_MS = 2_000  # while the offer's own PDF is being printed
AGAIN = (TIMED_OUT, OUT_OF_MEMORY, WORKER_DIED, RENDER_FAILED)
WAITS = (UNAVAILABLE, "seal_key_unusable", "storage_full", "server_busy")  # until somebody mends it
_log = logging.getLogger("sfa.seal")


class Sealing(Struct, frozen=True):
    """Of the settings: the company's own key, a timestamp authority, and where buyers reach this server."""

    key_file: str = ""
    key_password: str = ""
    tsa_url: str = ""
    public_url: str = ""

    @property
    def verify_url(self) -> str:
        return f"{self.public_url.rstrip('/')}/verify" if self.public_url else ""


class _NotMine(Exception):
    """Taken over by somebody who thought that this process was dead."""


class Sealer:
    """What one server process seals, one after the other; off where it prints nothing."""

    def __init__(self, files: Files, press: Press, secret: Secret, said: Sealing, beat_s: float = BEAT_S) -> None:
        self._files, self._press, self._secret, self._said, self._beat_s = files, press, secret, said, beat_s
        self._database, self._clock = files.database, files.clock
        self._ids = KeyMaker(files.clock)
        self._running: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()
        self._is_told = False

    def start(self) -> None:
        """On the running event loop, once the secret is read."""
        if self._press.workers:
            self._running = [asyncio.create_task(news.hear(self._database, self._heard.set))]
            self._running.append(asyncio.create_task(self._run()))

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []

    async def run_all(self) -> int:
        """Everything that may be claimed now, to its end -> how many."""
        count = 0
        while await self.one():
            count += 1
        return count

    async def one(self) -> bool:
        """The next one, if there is any."""
        if not (await self._database.read_async(queue.look, self._clock.now_ms())).is_free:
            return False
        claim = await self._database.write_async(queue.claim, self._clock.now_ms(), self._ids.new())
        if claim is None:
            return False
        await self._ended(claim)
        return True

    async def _run(self) -> None:
        await attend(self._heard, self._clock, self._step, look_s=LOOK_S, what="to be sealed")

    async def _step(self) -> int | None:
        await self.run_all()
        return (await self._database.read_async(queue.look, self._clock.now_ms())).next_at

    # -- one acceptance -------------------------------------------------------------------------------------------

    async def _ended(self, claim: Claim) -> None:
        try:
            await self._seal(claim)
            self._is_told = False
        except _NotMine:
            _log.info("%s version %s is sealed by somebody else", claim.proposal_key, claim.version)
        except asyncio.CancelledError:
            await asyncio.shield(self._database.write_async(queue.give_back, claim))
            raise
        except (Failed, Refused) as failed:
            await self._failed(claim, failed.code, failed.text)
        except Exception as error:
            _log.exception("%s version %s was not sealed", claim.proposal_key, claim.version)
            await self._failed(claim, RENDER_FAILED, type(error).__name__)

    async def _seal(self, claim: Claim) -> None:
        found = await self._database.read_async(gather, claim)
        if found.is_awaited:
            due_at = self._clock.now_ms() + ORIGINAL_WAIT_MS
            await self._database.write_async(queue.later, claim, due_at, "file_awaited", "the offer is being printed")
            return
        accepted, document = found.accepted, found.accepted.document
        key = await self._key(document)
        assets = {**found.drawings, **await self._files.aside(self._pictures, document)}
        final = await self._made(claim, found, "final", claim.document, assets, key)
        kept = await filing.keep(self._files, final.pdf)
        told = Testimony(
            number=document.number or "",
            accepted=accepted,
            accepted_digest=digest_of(accepted),
            original_pdf=found.original_pdf,
            final_pdf=kept.sha256,
            key_certificate=key.fingerprint,
            events=found.events,
        )
        proof = await self._made(claim, found, "certificate", testimony.canonical(told), assets, key)
        done = Done(
            final=kept,
            certificate=await filing.keep(self._files, proof.pdf),
            stamped=final.stamped and proof.stamped,
            key=key,
            is_given=bool(self._said.key_file),
        )
        now_ms = self._clock.now_ms()
        if not await self._database.write_async(filing.finish, now_ms, claim, accepted, done):
            raise _NotMine

    async def _made(
        self, claim: Claim, found: Gathered, form: Form, body: bytes, assets: dict[str, bytes], key: SealKey
    ) -> sealing.Sealed:
        """Printed, then sealed, while it is said that somebody works on it."""
        document = found.accepted.document
        evidence = Evidence(body, self._said.verify_url)
        order = Order(canonical(document), found.template, assets, form, evidence=evidence)
        say = say_in(document.language)
        words = Words(
            reason=_reason(document, form),
            location=document.seller.address[-1] if document.seller.address else "",
            name=say("Seal of %(seller)s", seller=document.seller.name),
        )

        async def work() -> sealing.Sealed:
            pdf = await self._press.print(order, len(document.items))
            now_ms = self._clock.now_ms()
            return await asyncio.to_thread(sealing.seal, pdf, key, words, now_ms, self._said.tsa_url)

        task = asyncio.create_task(work())
        try:
            while not (await asyncio.wait({task}, timeout=self._beat_s))[0]:
                if not await self._database.write_async(queue.beat, self._clock.now_ms(), claim):
                    raise _NotMine
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _key(self, document: Document) -> SealKey:
        if self._said.key_file:
            return await asyncio.to_thread(keys.given, self._said.key_file, self._said.key_password)
        wrap = self._secret.derive(keys.PURPOSE)
        return await self._database.write_async(keys.current, self._clock.now_ms(), wrap, document.seller.name)

    def _pictures(self, document: Document) -> dict[str, bytes]:
        """Those that are there, as when the offer was printed."""
        place, found, size = self._files.place, dict[str, bytes](), 0
        for sha256 in sorted({picture.sha256 for picture in pictures_of(document)}):
            here = place.size(sha256)
            if here is not None:
                size += here
                if size > PICTURE_BYTES_MAX:
                    raise Refused("pdf_refused", "the pictures are too large together", reason="pictures_size")
                found[sha256] = b"".join(place.read(sha256, 0, here))
        return found

    async def _failed(self, claim: Claim, code: str, problem: str) -> None:
        now_ms = self._clock.now_ms()
        if code in WAITS:
            if not self._is_told:
                self._is_told = True
                _log.error("nothing can be sealed: %s; what was accepted waits", problem)
            await self._database.write_async(queue.later, claim, now_ms + WAIT_MS, code, problem)
            return
        _log.warning("%s version %s: %s %s", claim.proposal_key, claim.version, code, problem)
        is_last = code not in AGAIN
        await self._database.write_async(queue.fail, now_ms, claim, code, problem, is_last)


def _reason(document: Document, form: Form) -> str:
    say = say_in(document.language)
    if form == "final":
        return say("Acceptance of offer %(number)s", number=document.number or "")
    return say("Certificate of offer %(number)s", number=document.number or "")
