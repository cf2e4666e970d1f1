"""Headers, ranges, names and kinds of content: pure rules."""

import base64
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from sfa.core.errors import Refused
from sfa.files import rules, serving, thumbnails
from sfa.files.rules import Content, canonical, check_type, checksum, differs, metadata
from sfa.files.sniffing import sniff
from tests.files.cabinet import digest, jpeg, values

words = st.text("abcdefghijklmnopqrstuvwxyz-_0123456789", min_size=1, max_size=12)


def code_of(work: object, *args: object) -> str:
    with pytest.raises(Refused) as caught:
        work(*args)  # type: ignore[operator]
    return caught.value.code


def refusal(work: Callable[[str], object], text: str) -> str | None:
    try:
        work(text)
    except Refused as refused:
        return refused.code
    return None


@given(st.dictionaries(words, st.text(max_size=50), min_size=1, max_size=6))
def test_metadata_that_was_written_is_read_as_it_was(said: dict[str, str]) -> None:
    text = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    assert metadata(text) == said


@given(st.text(max_size=200))
@example("key \x80")
def test_no_metadata_does_more_than_be_refused(text: str) -> None:
    assert refusal(metadata, text) in (None, "upload_invalid")


@given(st.text(max_size=60))
@example("sha1 \x80")
def test_no_checksum_header_does_more_than_be_refused(text: str) -> None:
    assert refusal(checksum, text) in (None, "upload_invalid")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "٣", "1" * 16, " 1", None])
def test_what_is_no_number_of_bytes_is_refused(text: str | None) -> None:
    assert code_of(rules.number, text, "Upload-Offset") == "upload_invalid"


@given(st.integers(1, 500), st.integers(0, 600), st.integers(0, 600))
def test_a_range_gives_the_bytes_that_a_slice_gives(size: int, first: int, last: int) -> None:
    whole = bytes(i % 256 for i in range(size))
    if first > last:
        assert not serving.span(f"bytes={first}-{last}", size).is_part
    elif first >= size:
        assert code_of(serving.span, f"bytes={first}-{last}", size) == "range_invalid"
    else:
        found = serving.span(f"bytes={first}-{last}", size)
        assert whole[found.start : found.end] == whole[first : last + 1]
        assert found.is_part
    if first < size:
        found = serving.span(f"bytes={first}-", size)
        assert whole[found.start : found.end] == whole[first:]
    if last:
        found = serving.span(f"bytes=-{last}", size)
        assert whole[found.start : found.end] == whole[-last:]


@pytest.mark.parametrize("header", [None, "", "bytes=-", "bytes=0-1,3-4", "items=0-1", "bytes=a-b", "bytes 0-1"])
def test_a_range_that_is_not_understood_gives_the_whole_file(header: str | None) -> None:
    assert serving.span(header, 10) == serving.Span(0, 10, 10, False)


def test_if_range_gives_a_part_only_of_the_same_file() -> None:
    assert serving.wanted_span("bytes=2-3", '"a"', '"a"', 10).is_part
    for other in ('"b"', 'W/"a"', "Mon, 05 Jan 2026 08:00:00 GMT"):
        assert not serving.wanted_span("bytes=2-3", other, '"a"', 10).is_part
    assert code_of(serving.span, "bytes=-0", 10) == "range_invalid"


@given(st.text(min_size=1, max_size=80), st.sampled_from(["image/jpeg", "text/plain", "image/svg+xml"]))
def test_no_name_of_a_file_breaks_out_of_its_header(name: str, kind: str) -> None:
    header = serving.disposition(name, kind)
    assert header.isascii()
    assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in header)
    how, plain, encoded = header.partition("; ")[0], header.partition("; ")[2], header.rpartition("; ")[2]
    assert how == ("inline" if kind == "image/jpeg" else "attachment")
    assert plain.startswith('filename="')
    assert plain[10:].partition('"')[2] == f"; {encoded}"
    assert encoded.startswith("filename*=UTF-8''")


def test_a_name_in_any_script_is_told_in_utf_8() -> None:
    header = serving.disposition("Łódź 東京.jpg", "image/jpeg")
    assert unquote(header.rpartition("''")[2]) == "Łódź 東京.jpg"
    assert 'filename="__d_ __.jpg"' in header
    assert '"a_b__c.jpg"' in serving.disposition('a"b\\\nc.jpg', "image/png")


# -- content ----------------------------------------------------------------------------------------------------------


def office_file(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr(name, "<x/>")
    return out.getvalue()


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (6, 4)).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "wanted", "found"),
    [
        (picture("JPEG"), "image/jpg", "image/jpeg"),
        (picture("PNG"), "image/png", "image/png"),
        (picture("WEBP"), "image/webp", "image/webp"),
        (picture("GIF"), "image/gif", "image/gif"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "image/heic", "image/heif"),
        (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42", "audio/mp4", "audio/mp4"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4", "video/mp4"),
        (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n%%EOF\n", "application/pdf", "application/pdf"),
        ("preços;1\n".encode(), "text/csv", "text/csv"),
        (b"MZ is how this text begins", "text/plain", "text/plain"),
        (office_file("word/document.xml"), "x/y", rules.TYPES[11]),
        (office_file("xl/workbook.xml"), "x/y", rules.TYPES[12]),
        (office_file("ppt/presentation.xml"), "x/y", rules.TYPES[13]),
        (office_file("evil.exe"), rules.TYPES[11], "application/zip"),
        (b"PK\x03\x04 and then nothing", rules.TYPES[11], "application/zip"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "image/png", "text/html"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 60, "text/plain", "application/octet-stream"),
        (b"\xff\xd8\xff\xe0 is how a JPEG begins, and no more", "image/jpeg", None),
        (b"\x93\x12\x00\xfe" * 9, "image/jpeg", None),
    ],
)
def test_the_kind_of_content_is_read_from_the_content(
    tmp_path: Path, content: bytes, wanted: str, found: str | None
) -> None:
    (tmp_path / "file").write_bytes(content)
    seen = sniff(tmp_path / "file", wanted).media_type
    assert seen == found or (found == "application/octet-stream" and seen not in rules.TYPES)


def test_a_character_that_is_cut_off_at_the_end_of_the_head_is_still_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("東京".encode() * 12_000)
    assert sniff(tmp_path / "file", "text/plain").media_type == "text/plain"


def test_what_was_declared_must_be_what_came() -> None:
    assert check_type("image/jpeg", "IMAGE/JPG; q=1", rules.TYPES) == "image/jpeg"
    for found, wanted in ((None, "image/png"), ("text/html", "text/html"), ("image/jpeg", "image/png")):
        assert code_of(check_type, found, wanted, rules.TYPES) == "file_type_refused"
    assert canonical(canonical("image/heic")) == "image/heif"


def test_content_is_that_of_a_row_that_declares_it() -> None:
    content = jpeg()
    there = Content(digest(content), len(content), "image/jpeg")
    assert differs(values(content), there) is None
    assert differs(values(content, media_type="image/jpg"), there) is None
    for wrong in ({"size": 1}, {"sha256": "0" * 64}, {"media_type": "image/png"}):
        assert differs(values(content) | wrong, there) is not None


# -- thumbnails ------------------------------------------------------------------------------------------------------


def drawn(tmp_path: Path, content: bytes, kind: str, pixels: int = 96) -> Image.Image:
    (tmp_path / "file").write_bytes(content)
    return Image.open(io.BytesIO(thumbnails.draw(tmp_path / "file", kind, pixels)))


def test_a_thumbnail_is_small_upright_and_says_nothing_of_the_camera(tmp_path: Path) -> None:
    found = drawn(tmp_path, jpeg(400, 200, orientation=6), "image/jpeg")
    assert (found.format, found.size) == ("JPEG", (48, 96))
    assert dict(found.getexif()) == {}
    assert b"camera" in (tmp_path / "file").read_bytes()
    assert b"camera" not in thumbnails.draw(tmp_path / "file", "image/jpeg", 96)


def test_a_thumbnail_is_never_larger_than_its_picture(tmp_path: Path) -> None:
    assert drawn(tmp_path, jpeg(40, 30), "image/jpeg", 512).size == (40, 30)


def test_what_is_clear_becomes_white(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (200, 100), (255, 0, 0, 0)).save(out, "PNG")
    red, green, blue = drawn(tmp_path, out.getvalue(), "image/png").convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert min(red, green, blue) > 250


def test_a_bomb_and_a_broken_picture_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(jpeg(400, 300)[:-400])
    assert code_of(thumbnails.draw, path, "image/jpeg", 96) == "thumbnail_impossible"
    path.write_bytes(jpeg(400, 300))
    assert code_of(thumbnails.draw, path, "image/png", 96) == "thumbnail_impossible"
    assert code_of(thumbnails.draw, path, "application/pdf", 96) == "thumbnail_impossible"
    monkeypatch.setattr(thumbnails, "JPEG_PIXELS_MAX", 400 * 300 - 1)
    assert code_of(thumbnails.draw, path, "image/jpeg", 96) == "thumbnail_impossible"
