"""What goes into a printing process, and the limits that it works under.

An order holds all that is printed: nothing is looked up while it is. What it may take of a processor follows from the
number of its lines, because a long table takes its time, up to what the longest takes; everything else is the same for
all.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from proposals.document import LINES_MAX
from proposals.templates.template import Template

Form = Literal["pdf", "print", "screen", "final", "certificate"]
PRINT_S = 10.0  # of a processor, for what has no more than `LINES` lines
LINES, MOST_S = 500, 30.0  # those with `LINES_MAX` lines take about half of it
SCREEN_S = 5.0
WAIT = 30  # so many times its seconds by the clock are too long for anything, however busy the machine is
START_S = 60.0
MEMORY_MB = 1_024
DOCUMENTS = 300


class Evidence(Struct, frozen=True, array_like=True):
    """What proves an acceptance, as JSON that is printed and embedded, and where anybody may check the file."""

    body: bytes
    verify_url: str = ""


class Order(Struct, frozen=True, array_like=True):
    """`document` is canonical JSON, `assets` pictures by SHA-256. `form` is what is made: a PDF, or HTML for paper or a
    screen, whose pictures are at `pictures` followed by their SHA-256; of what was accepted the final PDF, or the
    certificate, which print `evidence` and have a field that is sealed later."""

    document: bytes
    template: Template
    assets: dict[str, bytes] = {}
    form: Form = "pdf"
    pictures: str = ""
    evidence: Evidence | None = None


class Limits(Struct, frozen=True):
    """Of one process: megabytes, and after how many documents another one takes its place. `print_s` are seconds of a
    processor."""

    memory_mb: int = MEMORY_MB
    documents: int = DOCUMENTS
    print_s: float = PRINT_S
    screen_s: float = SCREEN_S
    start_s: float = START_S

    def seconds(self, form: Form, lines: int) -> float:
        """What an order may take of a processor."""
        if form in ("print", "screen"):
            return self.screen_s
        more = (min(lines, LINES_MAX) - LINES) / (LINES_MAX - LINES)
        return self.print_s + max(0.0, more) * max(0.0, MOST_S - self.print_s)


class Failure(Struct, frozen=True, array_like=True):
    """[code, text, details]"""

    code: str
    text: str
    details: dict[str, Any] = {}


class Task(Struct, frozen=True, array_like=True):
    """[seconds of a processor, order]"""

    seconds: float
    order: Order


encode = msgspec.msgpack.Encoder().encode
decode_task = msgspec.msgpack.Decoder(Task).decode
decode_failure = msgspec.msgpack.Decoder(Failure).decode
