"""Seals a printed PDF with the company's key: PAdES B-B, or B-T where a timestamp authority confirms the time.

The file has its signature field already (`proposals.pdf.marking`), tagged, so that what is sealed stays PDF/A-3a and
PDF/UA-1: the seal is an addition after its last byte, and forbids any other. A timestamp is asked for within
`STAMP_S` seconds in all; whatever goes wrong with it, the file is sealed without. What was made is verified before it
is given away. All of it blocks: servers give it a thread.
"""

import asyncio
import io
import logging
from datetime import UTC, datetime
from typing import NamedTuple

import httpx
from asn1crypto import keys as asn1_keys
from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from proposals.evidence.inspecting import inspect
from proposals.evidence.keys import SealKey
from proposals.pdf.values import SEAL

STAMP_S = 5.0
STAMP_BYTES_MAX = 16 << 10
RESERVED = 48 << 10  # characters for the signature with its timestamp, two for each byte
_log = logging.getLogger("sfa.seal")


class Words(NamedTuple):
    """What a reader of the file is shown of the seal."""

    reason: str
    location: str
    name: str


class Sealed(NamedTuple):
    pdf: bytes
    stamped: bool


class StampFailed(Exception):
    """No timestamp, or none that is good for anything."""


def seal(pdf: bytes, key: SealKey, words: Words, at_ms: int, tsa_url: str = "") -> Sealed:
    """The file with its seal."""
    if tsa_url:
        try:
            return Sealed(_signed(pdf, key, words, at_ms, _Stamper(tsa_url)), True)
        except Exception as error:  # an authority of others may answer anything
            _log.warning("sealed without a timestamp: %s %s", type(error).__name__, str(error)[:200])
    return Sealed(_signed(pdf, key, words, at_ms, None), False)


def _signed(pdf: bytes, key: SealKey, words: Words, at_ms: int, stamper: TimeStamper | None) -> bytes:
    made = asyncio.run(_sign(pdf, key, words, datetime.fromtimestamp(at_ms // 1000, UTC), stamper))
    found = inspect(made)
    assert found.is_whole_by(key.fingerprint), "the seal that was made cannot be verified"
    return made


async def _sign(pdf: bytes, key: SealKey, words: Words, at: datetime, stamper: TimeStamper | None) -> bytes:
    certificates = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    certificates.register_multiple([asn1_x509.Certificate.load(each) for each in key.chain])
    signer = SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(key.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(key.private_key),
        cert_registry=certificates,
    )
    about = PdfSignatureMetadata(
        field_name=SEAL, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES,
        reason=words.reason, location=words.location or None, name=words.name,
        certify=True, docmdp_permissions=MDPPerm.NO_CHANGES,
    )  # fmt: skip
    maker = PdfSigner(about, signer, timestamper=stamper)
    session = maker.init_signing_session(IncrementalPdfFileWriter(io.BytesIO(pdf)), existing_fields_only=True)
    session.system_time = at  # the clock that everything else goes by
    unsigned = session.prepare_tbs_document(
        validation_info=await session.perform_presign_validation(), bytes_reserved=RESERVED
    )
    prepared, output = unsigned.digest_tbs_document()
    attributes = PdfCMSSignedAttributes(signing_time=at)
    signed = await unsigned.perform_signature(prepared.document_digest, attributes)
    await signed.post_signature_processing(output)
    output.seek(0)
    return bytes(output.read())


class _Stamper(TimeStamper):
    """Asks an authority (RFC 3161) once, and believes nothing of its answer that it has not seen."""

    def __init__(self, url: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._url = url

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        async with asyncio.timeout(STAMP_S):
            body = await self._asked(req.dump())
        answer = tsp.TimeStampResp.load(body, strict=True)
        await self._checked(req, answer)
        return answer

    async def _asked(self, body: bytes) -> bytes:
        headers = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
        async with (
            httpx.AsyncClient(trust_env=False, timeout=STAMP_S) as web,
            web.stream("POST", self._url, content=body, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                raise StampFailed(f"status {answer.status_code}")
            found = b""
            async for piece in answer.aiter_bytes():
                found += piece
                if len(found) > STAMP_BYTES_MAX:
                    raise StampFailed("the answer is too large")
        return found

    async def _checked(self, req: tsp.TimeStampReq, answer: tsp.TimeStampResp) -> None:
        """It is about what was asked, and signed by the certificate that comes with it; whom that one belongs to is
        for whoever verifies."""
        if answer["status"]["status"].native not in ("granted", "granted_with_mods"):
            raise StampFailed("it was refused")
        token = answer["time_stamp_token"]["content"]
        wanted = req["message_imprint"]["hashed_message"].native
        told = token["encap_content_info"]["content"].parsed
        if told["message_imprint"]["hashed_message"].native != wanted:
            raise StampFailed("it is about something else")
        found = await validate_tst_signed_data(
            token, ValidationContext(trust_roots=[], allow_fetching=False), lambda _algorithm: bytes(wanted)
        )
        if not (found["intact"] and found["valid"]):
            raise StampFailed("its signature is broken")
