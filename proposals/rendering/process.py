"""The process that prints, apart from the server: libraries in C that no limit of ours reaches, and hostile texts.

It reads orders on standard input and writes each answer, and ends with whoever started it. An order that uses more of a
processor than it may ends the process, wherever it is; so does the kernel for one that takes too much memory in C. It
opens no connection and starts no program. Libraries are loaded before the first order. After so many documents, or when
one has made it large, it answers for the last time, and another process takes its place.
"""

import gc
import os
import resource
import shutil
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Literal

import msgspec

from proposals import printable
from proposals.document import Document
from proposals.pdf.values import Finishing
from proposals.rendering.values import Evidence, Failure, Order, Task, decode_task, encode
from sfa.core.apart import OUT_OF_MEMORY, limit_memory, only_answers, orders
from sfa.core.days import day_start_ms
from sfa.core.errors import Refused
from sfa.core.frames import send

ANSWERED, REFUSED = b"+", b"!"  # and the next order may come
LAST, FAILED = b".", b"-"  # and the process has ended
RENDER_FAILED, UNAVAILABLE = "render_failed", "pdf_unavailable"
NICE = 5
GROWN = 0.6  # of its memory: a document that needs nearly all of it finds the rest too small
FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn")


def main(memory_mb: int, documents: int, folder: str, prints: bool) -> None:
    os.nice(NICE)
    limit_memory(memory_mb)
    load(prints)
    sys.addaudithook(_refuse)
    work = Path(folder)
    with only_answers() as out:
        for data in orders(sys.stdin.buffer, lambda: shutil.rmtree(work, ignore_errors=True)):
            task = decode_task(data)
            documents -= 1
            answer = _timed(task)
            if documents <= 0 or held_mb() > memory_mb * GROWN:
                answer = (LAST if answer[:1] == ANSWERED else FAILED) + answer[1:]
            send(out, answer)
            if answer[:1] in (LAST, FAILED):
                os._exit(0)
            del data, task, answer
            _tidy(work)
            gc.collect()


def made(order: Order) -> bytes:
    """What is ordered, in this process. Refuses what templates and printing refuse."""
    from proposals.templates.html import html_of

    try:
        document = msgspec.json.decode(order.document, type=Document)
    except msgspec.ValidationError as error:
        raise Refused("document_invalid", f"this is no document: {error}") from error
    printable.check(document)
    if order.evidence is not None:
        return _proof(order, document, order.evidence)
    form: Literal["screen", "print"] = "screen" if order.form == "screen" else "print"
    html = html_of(document, order.template, form, lambda picture: f"{order.pictures}{picture.sha256}")
    if order.form != "pdf":
        return html.encode()
    from proposals.pdf.printing import print_pdf

    return print_pdf(
        html,
        document_json=order.document,
        title=document.title,
        language=document.language,
        assets=order.assets,
        made_at=day_start_ms(document.issued_on, "UTC"),  # not of the day on which it happens to be printed
    )


def _proof(order: Order, document: Document, evidence: Evidence) -> bytes:
    """The final PDF of what was accepted, or its certificate."""
    from proposals.evidence import certificate
    from proposals.pdf.printing import print_pdf

    make = certificate.final if order.form == "final" else certificate.certificate
    sheet = make(document, order.template, evidence.body, evidence.verify_url)
    return print_pdf(
        sheet.html,
        document_json=evidence.body,
        title=sheet.title,
        language=document.language,
        assets=order.assets,
        made_at=sheet.made_at,
        finishing=Finishing(sheet.name, sheet.description, sheet.seal),
    )


def answered(order: Order) -> bytes:
    """The frame that tells what came of it."""
    try:
        return ANSWERED + made(order)
    except MemoryError as error:
        return FAILED + encode(Failure(OUT_OF_MEMORY, str(error)))
    except Refused as refused:
        kind = FAILED if refused.code == UNAVAILABLE else REFUSED  # the next process looks for libraries anew
        return kind + encode(Failure(refused.code, refused.text, refused.details))
    except Exception as error:  # whatever it is, it may have left anything behind
        return FAILED + encode(Failure(RENDER_FAILED, f"{type(error).__name__}: {error}"[:2_000]))


def _timed(task: Task) -> bytes:
    """The kernel ends the process when the seconds are used up, in the middle of a library's loop as well."""
    signal.setitimer(signal.ITIMER_PROF, task.seconds)
    try:
        return answered(task.order)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def load(prints: bool) -> None:
    """What every order needs. What is missing is told with each order that needs it."""
    import_module("proposals.templates.html")
    if prints:
        with suppress(Refused):
            import_module("proposals.pdf.printing")
            import_module("proposals.pdf.engine").font_configuration()
    gc.collect()
    gc.freeze()  # none of it is garbage, ever
    gc.set_threshold(50_000, 20, 50)


def _refuse(event: str, _arguments: object) -> None:
    if event.startswith(FORBIDDEN):
        raise PermissionError(f"a printing process does not {event}")


def held_mb(pid: int | str | None = "self") -> float:
    """Of what `limit_memory` counts, by a process; 0 where the system does not tell, and knows no such limit."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[5])
    except (OSError, ValueError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / (1 << 20)


def _tidy(folder: Path) -> None:
    with suppress(OSError):
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
