"""Every template in every language, with and without pictures, held to the standards by programs of others."""

import io
import re
import warnings
from pathlib import Path

import pikepdf
import pypdfium2
import pytest

from proposals.pdf.printing import print_pdf
from tests.proposals.pdf import matrix, verapdf
from tests.proposals.pdf.pages import BODY, page

pytestmark = pytest.mark.xdist_group("printed proposals")
ACTIVE = {
    "/JavaScript",
    "/JS",
    "/Launch",
    "/RichMedia",
    "/OpenAction",
    "/AA",
    "/XFA",
    "/GoToR",
    "/SubmitForm",
    "/Movie",
}


@pytest.fixture(scope="module")
def everything() -> list[matrix.Printed]:
    return [*matrix.matrix(), matrix.long_table()]


def test_verapdf_finds_no_failure_of_pdf_a_3a_or_pdf_ua_1_anywhere(
    everything: list[matrix.Printed], tmp_path: Path
) -> None:
    verdicts = verapdf.verify(matrix.stored(tmp_path, everything))
    assert {(one.file, one.profile): one.failed for one in verdicts if not one.passed or one.failed} == {}
    assert all(one.checked > 1_000 for one in verdicts)


def test_verapdf_does_find_failures_where_there_are_some(tmp_path: Path) -> None:
    """A title without a language, a heading that skips a level, a picture without words, raw from the engine."""
    weasyprint = pytest.importorskip("weasyprint")
    flawed = tmp_path / "flawed.pdf"
    html = page("<h1>One</h1><h4>Four</h4>")
    with warnings.catch_warnings(action="ignore"):
        flawed.write_bytes(weasyprint.HTML(string=html).write_pdf(pdf_variant="pdf/a-3a"))
    sound = tmp_path / "sound.pdf"
    sound.write_bytes(print_pdf(page(BODY), document_json=b"{}", title="Offer", language="en", made_at=0))
    archive, access, archive_sound, access_sound = verapdf.verify([flawed, sound])
    assert archive_sound.passed
    assert access_sound.passed
    assert archive.passed
    assert {rule.split("\t")[0] for rule in access.failed} >= {"5", "7.4.2"}


def test_every_font_is_embedded_as_a_subset(everything: list[matrix.Printed]) -> None:
    for one in everything:
        with pikepdf.open(io.BytesIO(one.pdf)) as opened:
            described = [thing for thing in opened.objects if _is(thing, "/FontDescriptor")]
            assert described, one.name
            for descriptor in described:
                assert "/FontFile2" in descriptor or "/FontFile3" in descriptor, one.name
                assert re.match(r"/[A-Z]{6}\+Noto-", str(descriptor.FontName)), one.name


def test_nothing_in_a_pdf_acts_and_links_lead_to_https_mail_or_telephones(everything: list[matrix.Printed]) -> None:
    for one in everything:
        with pikepdf.open(io.BytesIO(one.pdf)) as opened:
            for thing in opened.objects:
                keys = set(thing.keys()) if isinstance(thing, pikepdf.Dictionary | pikepdf.Stream) else set()
                assert not keys & ACTIVE, one.name
                if "/URI" in keys:
                    assert str(thing.URI).startswith(("https://", "mailto:", "tel:")), one.name


def test_every_pdf_opens_without_a_complaint_and_names_itself(everything: list[matrix.Printed]) -> None:
    for one in everything:
        with pikepdf.open(io.BytesIO(one.pdf)) as opened:
            assert opened.check_pdf_syntax() == [], one.name
            assert str(opened.Root.Lang) == one.document.language
            assert opened.Root.ViewerPreferences.unparse() == b"<< /DisplayDocTitle true >>"
            with opened.open_metadata() as said:
                assert said["dc:title"] == one.document.title
                assert (said["pdfaid:part"], said["pdfaid:conformance"], said["pdfuaid:part"]) == ("3", "A", "1")
                assert said["xmp:CreateDate"] == said["xmp:ModifyDate"] == "2026-03-04T00:00:00Z"


def test_a_table_of_400_lines_repeats_its_head_on_every_page() -> None:
    texts = _pages(matrix.long_table().pdf)
    tabled = [text for text in texts if "SP-0" in text]
    assert len(tabled) > 8
    assert all("Quantity" in text or "Qty" in text for text in tabled)


def test_the_texts_of_pictures_are_in_the_structure() -> None:
    one = next(one for one in matrix.matrix() if one.name == "long-en-pictures")
    with pikepdf.open(io.BytesIO(one.pdf)) as opened:
        told = {str(thing.Alt) for thing in opened.objects if _is(thing, "/StructElem") and "/Alt" in thing}
    assert {"Alder & Finch", "The roof of the bakery, seen from the south"} <= told


def _is(thing: object, kind: str) -> bool:
    return isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == kind


def _pages(pdf: bytes) -> list[str]:
    opened = pypdfium2.PdfDocument(pdf)
    try:
        return [opened[number].get_textpage().get_text_bounded() for number in range(len(opened))]
    finally:
        opened.close()
