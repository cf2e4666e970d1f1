"""A mail server on loopback that keeps what it gets: aiosmtpd, in a thread of this process."""

import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from sfa.app.demo.stage import free_port

PATIENCE_S = 60.0


class Letter:
    """A mail as it came: to whom it was handed, and what it says."""

    def __init__(self, to: list[str], content: bytes) -> None:
        self.to = to
        found = message_from_bytes(content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.message: EmailMessage = found

    def part(self, kind: str) -> str:
        """`plain` or `html`, decoded."""
        found = self.message.get_body((kind,))
        assert found is not None, f"the mail has no {kind} part"
        return str(found.get_content())

    def __repr__(self) -> str:
        return f"{self.message['Subject']} to {self.to}"


class Post:
    """Started and stopped as often as one likes, always at the same port. `in_the_middle` is called once, when a
    mail was taken and nobody was told so; -> whether it is kept."""

    def __init__(self) -> None:
        self.port = free_port()
        self.letters: list[Letter] = []
        self.in_the_middle: Callable[[SMTP], bool] | None = None
        self._running: Controller | None = None

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content
        assert content is not None
        happens, self.in_the_middle = self.in_the_middle, None
        if happens is None or happens(server):
            self.letters.append(Letter(list(envelope.rcpt_tos), content))
        return "250 kept"

    def start(self) -> None:
        handler: Any = self
        self._running = Controller(handler, hostname="127.0.0.1", port=self.port)
        self._running.start()

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def to(self, address: str) -> list[Letter]:
        return [letter for letter in self.letters if address in letter.to]

    def wait(self, address: str, count: int = 1) -> list[Letter]:
        """When that many came to an address."""
        deadline = time.monotonic() + PATIENCE_S
        while len(found := self.to(address)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} mails came to {address}: {self.letters}"
            time.sleep(0.05)
        return found
