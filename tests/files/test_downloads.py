"""`GET /files/{key}`: the bytes for whoever sees the row, whole or in part; and small pictures of them."""

import io

import pytest
from PIL import Image

from tests.files.cabinet import Cabinet, digest, jpeg, padded, values

PHOTO = jpeg(300, 200, orientation=6)


@pytest.fixture
def shown(cabinet: Cabinet) -> Cabinet:
    """Ana's photo of Acme, with its bytes."""
    cabinet.office.phone("ana").do("create", "attachments", "pic", set=values(PHOTO, name="Fábrica.jpg"))
    assert cabinet.upload("pic", PHOTO).status_code == 204
    return cabinet


def test_who_sees_the_row_gets_the_bytes_under_their_name(shown: Cabinet) -> None:
    for user in ("ana", "bob", "mia", "dirk", "fay"):
        answer = shown.ask("GET", "/files/pic", user)
        assert (answer.status_code, answer.content) == (200, PHOTO)
    answer = shown.ask("GET", "/files/pic")
    assert answer.headers["etag"] == f'"{digest(PHOTO)}"'
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == str(len(PHOTO))
    assert answer.headers["content-disposition"].startswith('inline; filename="F_brica.jpg"')
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_nothing_is_told_to_whoever_does_not_see_the_row(shown: Cabinet) -> None:
    """S13: out of scope, deleted and none at all get one answer."""
    shown.office.put(("attachments", "other", values(PHOTO, author_key="ana")))
    shown.office.delete("attachments", "other")
    asked = [("cleo", "pic"), ("cleo", "nothing"), ("ana", "other"), ("ana", "no key!")]
    for tail in ("", "/thumbnail"):
        answers = [shown.ask("GET", f"/files/{key}{tail}", user) for user, key in asked]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1
    assert shown.client.get("/files/pic").status_code == 401


def test_an_attachment_without_its_bytes_says_so(shown: Cabinet) -> None:
    shown.office.put(("attachments", "late", values(b"%PDF-", author_key="ana")))
    answer = shown.ask("GET", "/files/late")
    assert (answer.status_code, answer.json()["code"]) == (404, "file_awaited")


def test_a_part_is_answered_with_206_and_one_that_is_not_there_with_416(shown: Cabinet) -> None:
    part = shown.ask("GET", "/files/pic", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, PHOTO[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(PHOTO)}"
    assert part.headers["content-length"] == "10"
    last = shown.ask("GET", "/files/pic", headers={"Range": "bytes=-5"})
    assert last.content == PHOTO[-5:]
    missing = shown.ask("GET", "/files/pic", headers={"Range": f"bytes={len(PHOTO)}-"})
    assert (missing.status_code, missing.json()["code"]) == (416, "range_invalid")
    assert missing.headers["content-range"] == f"bytes */{len(PHOTO)}"
    other = shown.ask("GET", "/files/pic", headers={"Range": "bytes=10-19", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, PHOTO)


def test_what_the_client_has_is_not_sent_again(shown: Cabinet) -> None:
    etag = shown.ask("HEAD", "/files/pic").headers["etag"]
    for said in (etag, f'"x", W/{etag}', "*"):
        answer = shown.ask("GET", "/files/pic", headers={"If-None-Match": said})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


def test_head_says_the_same_without_the_bytes(shown: Cabinet) -> None:
    head, answer = shown.ask("HEAD", "/files/pic"), shown.ask("GET", "/files/pic")
    assert head.content == b""
    assert {**head.headers} == {**answer.headers}
    assert shown.ask("HEAD", "/files/nothing").status_code == 404
    assert shown.ask("POST", "/files/pic").status_code == 405


def test_a_large_file_is_streamed_as_it_is(cabinet: Cabinet) -> None:
    content = padded(3_000_001)
    cabinet.office.phone("ana").do("create", "attachments", "big", set=values(content))
    cabinet.upload("big", content)
    assert cabinet.ask("GET", "/files/big").content == content
    part = cabinet.ask("GET", "/files/big", headers={"Range": "bytes=700000-2200000"})
    assert part.content == content[700_000:2_200_001]


def test_text_is_offered_for_saving_and_never_guessed(cabinet: Cabinet) -> None:
    text = b"<script>alert(1)</script>\n"
    row = values(text, media_type="text/plain", name='a"; b.html')
    cabinet.office.phone("ana").do("create", "attachments", "text", set=row)
    assert cabinet.upload("text", text, kind="text/plain").status_code == 204
    answer = cabinet.ask("GET", "/files/text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="a_; b.html"')


def test_a_thumbnail_is_made_once_and_kept_with_its_content(shown: Cabinet) -> None:
    answer = shown.ask("GET", "/files/pic/thumbnail?size=96", "bob")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(answer.content)).size == (64, 96)
    (kept,) = shown.folder.glob("thumbnails/*/*/*")
    assert (kept.name, kept.read_bytes()) == ("96.jpg", answer.content)
    kept.write_bytes(b"kept")
    assert shown.ask("GET", "/files/pic/thumbnail?size=96").content == b"kept"
    again = shown.ask("GET", "/files/pic/thumbnail?size=96", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert shown.ask("GET", "/files/pic/thumbnail?size=97").json()["code"] == "request_invalid"
    assert list((shown.folder / "scratch").iterdir()) == []


def test_what_is_no_picture_has_no_thumbnail(cabinet: Cabinet) -> None:
    text = b"only words\n"
    cabinet.office.phone("ana").do("create", "attachments", "text", set=values(text, media_type="text/plain"))
    cabinet.upload("text", text, kind="text/plain")
    answer = cabinet.ask("GET", "/files/text/thumbnail")
    assert (answer.status_code, answer.json()["code"]) == (422, "thumbnail_impossible")
