"""What a PDF says of its seals, whoever made it: read in a process of its own, which hostile files may use up.

Trust is no question here: a seal is told by the certificate that made it, and whose that is the server knows. A seal
covers a file when it covers every byte of it; what was added after it, harmless or not, is a change.
"""

import io
import logging
import os
import resource
import signal
import sys
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from asn1crypto import parser
from msgspec import Struct
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from sfa.core.apart import end_with_parent, limit_memory, only_answers
from sfa.core.frames import receive, send

SEALS_MAX, REVISIONS_MAX, NAME_MAX = 5, 20, 200
MEMORY_MB, PROCESSOR_S = 512, 10
for library in ("pyhanko", "pyhanko_certvalidator"):  # what is wrong with a file is told, not logged
    logging.getLogger(library).setLevel(logging.CRITICAL)


class Seen(Struct, frozen=True, kw_only=True):
    """A seal: `intact` says whether the bytes that it covers are those that were sealed, `whole` that these are all.
    `fingerprint` is the SHA-256 of the certificate, `subject` whose that says it is. `stamped_at` is what a timestamp
    authority confirmed, `at` what the sealing machine said (ms)."""

    intact: bool
    whole: bool
    fingerprint: str
    subject: str
    at: int | None = None
    stamped_at: int | None = None


class Inspected(Struct, frozen=True, kw_only=True):
    """`problem` says why it could not be read; then there is nothing else."""

    seals: tuple[Seen, ...] = ()
    problem: str = ""

    def is_whole_by(self, fingerprint: str) -> bool:
        """Whether there is one seal, it covers everything, and this certificate made it."""
        return len(self.seals) == 1 and all(
            seal.intact and seal.whole and seal.fingerprint == fingerprint for seal in self.seals
        )


def inspect(pdf: bytes) -> Inspected:
    """Whatever the bytes are: nothing is raised but for want of memory."""
    if not pdf[:1024].lstrip().startswith(b"%PDF-"):
        return Inspected(problem="this is no PDF")
    try:
        reader = PdfFileReader(io.BytesIO(pdf), strict=False)
        if reader.encrypted:
            return Inspected(problem="it is encrypted")
        if reader.xrefs.total_revisions > REVISIONS_MAX:
            return Inspected(problem=f"it has more than {REVISIONS_MAX} revisions")
        found = reader.embedded_regular_signatures
        if len(found) > SEALS_MAX:
            return Inspected(problem=f"it has more than {SEALS_MAX} seals")
        return Inspected(seals=tuple(_seen(each, pdf) for each in found))
    except MemoryError:
        raise
    except Exception as error:  # a file of others may be wrong in any way
        return Inspected(problem=f"it cannot be read: {type(error).__name__}")


def _seen(embedded: Any, pdf: bytes) -> Seen:
    certificate = embedded.signer_cert
    context = ValidationContext(trust_roots=[certificate], allow_fetching=False)
    status = validate_pdf_signature(embedded, signer_validation_context=context, skip_diff=True)
    stamp = status.timestamp_validity
    return Seen(
        intact=bool(status.intact and status.valid),
        whole=status.coverage == SignatureCoverageLevel.ENTIRE_FILE and _is_bare(embedded, pdf),
        fingerprint=sha256(certificate.dump()).hexdigest(),
        subject=str(certificate.subject.native.get("common_name") or certificate.subject.human_friendly)[:NAME_MAX],
        at=_ms(status.signer_reported_dt),
        stamped_at=_ms(stamp.timestamp) if stamp is not None and stamp.intact and stamp.valid else None,
    )


def _is_bare(embedded: Any, pdf: bytes) -> bool:
    """Whether the one place that no seal covers, its own, has the seal and nothing else: zeros fill it up."""
    _, begin, end, _ = (int(each) for each in embedded.byte_range)
    content = bytes(embedded.pkcs7_content)
    size = int(parser.peek(content))
    written = b"<" + content.hex().encode() + b">"
    return not content[size:].strip(b"\0") and pdf[begin:end] in (written, written.upper())


def _ms(moment: datetime | None) -> int | None:
    return int(moment.timestamp() * 1000) if moment is not None and moment.tzinfo is not None else None


def main() -> None:
    """One file on standard input, what was found on standard output; then it ends."""
    end_with_parent()
    os.nice(5)
    limit_memory(MEMORY_MB)
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S, PROCESSOR_S + 1))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    logging.disable(logging.CRITICAL)
    with only_answers() as out:
        data = receive(sys.stdin.buffer)
        if data is not None:
            send(out, msgspec.json.encode(inspect(data)))
    os._exit(0)
