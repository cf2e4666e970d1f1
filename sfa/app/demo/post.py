"""The demo's mail server: takes every mail on loopback and keeps it as a file that can be opened."""

import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

LINE_MAX = 1 << 16
TIMEOUT_S = 60.0


class Post(socketserver.ThreadingTCPServer):
    """Listens at a free port; `letters` are what came, in the order in which it did."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.folder = folder
        self.letters: list[EmailMessage] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def keep(self, content: bytes) -> None:
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        with self._lock:
            (self.folder / f"mail-{len(self.letters) + 1}.eml").write_bytes(content)
            self.letters.append(letter)

    def wait(self, address: str, seconds: float, after: int = 0) -> EmailMessage | None:
        """The first mail to an address of those that came after so many."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for letter in self.letters[after:]:
                if address in str(letter["To"]):
                    return letter
            time.sleep(0.1)
        return None


class _Talk(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs that sends plain mail."""

    server: Post
    timeout = TIMEOUT_S

    def handle(self) -> None:
        self._say("220 demo")
        while word := self.rfile.readline(LINE_MAX).strip()[:4].upper():
            if word == b"QUIT":
                self._say("221 bye")
                return
            if word == b"DATA":
                self._say("354 go on")
                self.server.keep(self._content())
            self._say(
                "250 demo" if word in (b"EHLO", b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP") else "502 no"
            )

    def _content(self) -> bytes:
        """Lines up to the lonely dot; a leading dot was doubled."""
        found = bytearray()
        while (line := self.rfile.readline(LINE_MAX)) not in (b".\r\n", b""):
            found += line[1:] if line.startswith(b"..") else line
        return bytes(found)

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


@contextmanager
def post(folder: Path) -> Iterator[Post]:
    """Ended when the block ends."""
    with Post(folder) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()
