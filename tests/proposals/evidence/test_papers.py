"""What is printed and sealed, held to the standards and to its own digests by programs of others (R46, R48, R50).

Everything is made once: an acceptance of two signers is printed, sealed, told in a certificate and sealed again.
"""

import io
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
import pikepdf
import pypdfium2
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)

from proposals import document as doc
from proposals.evidence import accepted, keys, sealing
from proposals.evidence.accepted import accepted_of
from proposals.evidence.certificate import KINDS, certificate, final, moment
from proposals.evidence.inspecting import inspect
from proposals.evidence.keys import SealKey
from proposals.evidence.sealing import Words
from proposals.evidence.testimony import canonical, read_testimony
from proposals.evidence.words import WORDS, say_in
from proposals.rendering.process import made
from proposals.templates.formats import money
from proposals.templates.template import BUILT_IN
from sfa.app.cli import main as cli
from sfa.core.errors import Refused
from sfa.db.proposal_timeline import KINDS as EVENTS
from tests.proposals import builders
from tests.proposals.evidence import accepting
from tests.proposals.evidence.sealed import paper
from tests.proposals.evidence.tsa import authority
from tests.proposals.pdf import verapdf

pytestmark = pytest.mark.xdist_group("printed proposals")
SAID = Words("Acceptance of offer AF-2026-0118", "Berlin", "Seal of Alder & Finch")


class Papers(NamedTuple):
    key: SealKey
    plain: bytes
    final: bytes
    certificate: bytes


def key_of() -> SealKey:
    certificate, private = keys.made("Alder & Finch Energy GmbH", accepting.AT)
    return SealKey(seal_key="own-000001", certificate=certificate, private_key=private)


@pytest.fixture(scope="module")
def papers() -> Papers:
    key, value = key_of(), accepting.acceptance()
    plain = made(accepting.final_order(value))
    final = sealing.seal(plain, key, SAID, accepting.AT).pdf
    order = accepting.certificate_order(value, sha256(final).hexdigest())
    certificate = sealing.seal(made(order), key, SAID, accepting.AT).pdf
    return Papers(key, plain, final, certificate)


def attached(pdf: bytes, name: str) -> bytes:
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return opened.attachments[name].get_file().read_bytes()


def text_of(pdf: bytes) -> str:
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(opened[number].get_textpage().get_text_bounded() for number in range(len(opened)))
    finally:
        opened.close()


def test_before_it_is_sealed_the_same_acceptance_is_the_same_bytes(papers: Papers) -> None:
    """R46."""
    assert made(accepting.final_order(accepting.acceptance())) == papers.plain
    assert papers.final.startswith(papers.plain)


def test_sealed_files_are_pdf_a_3a_and_pdf_ua_1(papers: Papers, tmp_path: Path) -> None:
    """In every base and language; a timestamp in the seal changes nothing of it."""
    files = {"final": papers.final, "certificate": papers.certificate}
    for base, language in (("long", "es"), ("one_page", "pt-BR")):
        value = accepting.acceptance(builders.document(template=base, language=language))
        files[base] = sealing.seal(made(accepting.final_order(value, base)), papers.key, SAID, accepting.AT).pdf
        pdf = made(accepting.certificate_order(value))
        files[f"certificate-{language}"] = sealing.seal(pdf, papers.key, SAID, accepting.AT).pdf
    with authority("good") as url:
        stamped = sealing.seal(papers.plain, papers.key, SAID, accepting.AT, url)
    assert stamped.stamped
    files["stamped"] = stamped.pdf
    for name, pdf in files.items():
        (tmp_path / f"{name}.pdf").write_bytes(pdf)
    verdicts = verapdf.verify(sorted(tmp_path.glob("*.pdf")))
    assert {(one.file, one.profile): one.failed for one in verdicts if not one.passed or one.failed} == {}


def test_pdfsig_of_poppler_says_that_the_whole_document_is_sealed(papers: Papers, tmp_path: Path) -> None:
    if shutil.which("pdfsig") is None:
        pytest.skip("pdfsig is not installed (on Debian: poppler-utils)")
    for name, pdf in (("final", papers.final), ("certificate", papers.certificate)):
        path = tmp_path / f"{name}.pdf"
        path.write_bytes(pdf)
        said = subprocess.run(["pdfsig", str(path)], capture_output=True, text=True, check=False).stdout
        assert "Signature is Valid" in said
        assert "Total document signed" in said
        assert "ETSI.CAdES.detached" in said
        path.write_bytes(pdf.replace(b"/Subtype /Widget", b"/Subtype /wIdget", 1))
        said = subprocess.run(["pdfsig", str(path)], capture_output=True, text=True, check=False).stdout
        assert "Signature is Valid" not in said


def test_digests_of_the_certificate_are_computed_again_from_the_files_alone(papers: Papers) -> None:
    """R48: with what is embedded and SHA-256, and nothing of this server."""
    told = read_testimony(attached(papers.certificate, "evidence.json"))
    body = attached(papers.final, "accepted.json")
    assert told.accepted_digest == sha256(body).hexdigest()
    assert told.final_pdf == sha256(papers.final).hexdigest()
    value = accepted_of(body)
    assert value == told.accepted
    raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    for signed in value.signatures:
        assert sha256(bytes(raw["document"])).hexdigest() == signed.chosen_digest == doc.digest_of(value.document)
        assert sha256(signed.consent.encode()).hexdigest() == signed.consent_digest
    text = text_of(papers.certificate).replace("\r", "").replace("\n", "")
    for digest in (told.accepted_digest, told.final_pdf, value.document_digest, value.signatures[0].consent_digest):
        assert digest in text


def test_the_total_reads_the_same_everywhere(papers: Papers) -> None:
    """R50."""
    document = accepting.acceptance().document
    total = money(document.priced.total_minor, document.currency, document.language)
    for pdf in (papers.final, papers.certificate):
        text = text_of(pdf)
        assert total in text
        assert "Lucía Ferrer" in text
        assert "203.0.113.7" in text
        assert "March 5, 2026, 09:40:00 (UTC+01:00)" in text
    assert "Place, date and signature" not in text_of(papers.final)


def test_a_certificate_of_many_events_has_some_pages_and_all_of_them_inside() -> None:
    pdf = made(accepting.certificate_order(accepting.acceptance(), events=600))
    assert len(read_testimony(attached(pdf, "evidence.json")).events) == 600
    opened = pypdfium2.PdfDocument(pdf)
    assert 10 < len(opened) < 100
    opened.close()


def test_what_signers_write_is_text(papers: Papers) -> None:
    name = "<b>\u202eEve</b> {{ 7 * 7 }} \x00\ud83d".encode("utf-8", "replace").decode()
    value = accepting.acceptance()
    hostile = msgspec.structs.replace(
        value.signatures[1], name=name, address="<script>", agent="x" * 2_000, consent="<i>" * 200
    )
    pdf = made(accepting.final_order(accepting.acceptance(signatures=(value.signatures[0], hostile))))
    assert "<b>Eve</b> {{ 7 * 7 }}" in text_of(pdf)


@pytest.mark.parametrize("mood", ["refuses", "broken", "other", "slow", "nobody"])
def test_a_timestamp_that_cannot_be_had_holds_up_no_seal(mood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "STAMP_S", 0.5 if mood == "slow" else 5.0)
    key = key_of()
    if mood == "nobody":
        found = sealing.seal(paper(), key, SAID, accepting.AT, "http://127.0.0.1:9/")
    else:
        with authority(mood) as url:
            found = sealing.seal(paper(), key, SAID, accepting.AT, url)
    assert not found.stamped
    assert inspect(found.pdf).is_whole_by(key.fingerprint)


def test_a_timestamp_is_told_as_what_an_authority_confirmed() -> None:
    key = key_of()
    with authority("good") as url:
        found = sealing.seal(paper(), key, SAID, accepting.AT, url)
    (seen,) = inspect(found.pdf).seals
    assert found.stamped
    assert seen.at == accepting.AT
    assert seen.stamped_at is not None
    assert seen.stamped_at != accepting.AT


def test_the_company_s_own_key_seals_rsa_too(tmp_path: Path) -> None:
    made_key = key_of()
    own = rsa.generate_private_key(65537, 3072)
    certificate = x509.load_der_x509_certificate(made_key.certificate)
    builder = x509.CertificateBuilder().subject_name(certificate.subject).issuer_name(certificate.subject)
    builder = builder.public_key(own.public_key()).serial_number(3)
    builder = builder.not_valid_before(certificate.not_valid_before_utc)
    signed = builder.not_valid_after(certificate.not_valid_after_utc).sign(own, hashes.SHA256())
    path = tmp_path / "key.p12"
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"k", own, signed, None, BestAvailableEncryption(b"pw")))
    key = keys.given(str(path), "pw")
    assert inspect(sealing.seal(paper(), key, SAID, accepting.AT).pdf).is_whole_by(key.fingerprint)
    for wrong in (("pw2", path), ("pw", tmp_path / "none.p12"), ("", Path(__file__))):
        with pytest.raises(Refused, match="seal_key_unusable") as refused:
            keys.given(str(wrong[1]), wrong[0])
        assert "pw" not in refused.value.text


def test_the_terminal_verifies_a_file_with_a_certificate_alone(papers: Papers, tmp_path: Path) -> None:
    pem, pdf = tmp_path / "key.pem", tmp_path / "final.pdf"
    pem.write_bytes(x509.load_der_x509_certificate(papers.key.certificate).public_bytes(Encoding.PEM))
    pdf.write_bytes(papers.final)
    run = CliRunner().invoke(cli, ["proposal", "verify", str(pdf), "--certificate", str(pem)])
    assert run.exit_code == 0, run.output
    assert run.output.startswith(f"intact: SHA-256 {sha256(papers.final).hexdigest()}")
    pdf.write_bytes(papers.final[:-1] + b" ")
    run = CliRunner().invoke(cli, ["proposal", "verify", str(pdf), "--certificate", str(pem)])
    assert (run.exit_code, run.output.split(":")[0]) == (1, "changed")


@pytest.mark.parametrize(
    ("language", "by_hand", "by_mail"),
    [
        ("en", "handed over by Alder", "mailed to lucia@horno.example"),
        ("es", "entregado por Alder", "enviado a lucia@horno.example"),
        ("pt-BR", "entregue por Alder", "enviado a lucia@horno.example"),
    ],
)
def test_each_signature_says_how_its_link_came(language: str, by_hand: str, by_mail: str) -> None:
    """R48: on the final PDF and on the certificate; an address is said only where the link was mailed to it."""
    value = accepting.acceptance(builders.document(language=language))
    first, second = value.signatures
    handed = msgspec.structs.replace(second, email="alvaro@horno.example", handed_over=True)
    value = msgspec.structs.replace(value, signatures=(first, handed))
    orders = (accepting.final_order(value), accepting.certificate_order(value))
    for make, order in zip((final, certificate), orders, strict=True):
        assert order.evidence is not None
        html = make(value.document, BUILT_IN["classic"], order.evidence.body, "").html
        assert (html.count(by_hand), html.count(by_mail)) == (1, 1)
        assert "alvaro@horno.example" not in html


def test_an_event_of_which_nobody_is_told_has_a_dash() -> None:
    value = accepting.acceptance()
    told = accepting.told(value)
    nobody = msgspec.structs.replace(told.events[0], who="", address=None, agent=None)
    body = canonical(msgspec.structs.replace(told, events=(nobody,)))
    assert "<td><p>—</p></td>" in certificate(value.document, BUILT_IN["classic"], body, "").html


def test_every_word_has_its_places_in_every_language() -> None:
    for text, others in WORDS.items():
        names = ["buyer", "number", "version", "at", "n", "all", "name", "seller", "address", "zone"]
        places = {f"%({name})s" for name in names}
        wanted = {place for place in places if place in text}
        assert text.count("%(") == len(wanted), text
        for other in others:
            assert other
            assert {place for place in places if place in other} == wanted, text
    assert set(KINDS) == EVENTS
    for language in ("en", "es", "pt-BR"):
        assert all(say_in(language)(word) for word in KINDS.values())


def test_an_instant_names_what_its_zone_differs() -> None:
    assert moment(0, "America/Sao_Paulo", "pt-BR") == "31 de dezembro de 1969, 21:00:00 (UTC-03:00)"
    assert moment(0, "No/Where", "en") == "January 1, 1970, 00:00:00 (UTC+00:00)"


def test_equal_acceptances_and_no_others_have_equal_digests() -> None:
    value = accepting.acceptance()
    assert accepted_of(accepted.canonical(value)) == value
    other = accepting.acceptance(accepted_at=accepting.AT + 1)
    assert accepted.digest_of(value) != accepted.digest_of(other)
