"""`/files/uploads` speaks tus 1.0, and bytes meet their row in whichever order they come."""

import base64
import hashlib

import pytest
from sqlalchemy import Connection, update

from sfa.app.jobs import link_files
from sfa.core.errors import Refused
from sfa.db import tables
from sfa.files import uploads
from sfa.files.uploads import Part, advance, claim
from tests.files.cabinet import Cabinet, digest, jpeg, padded, told, values

PHOTO = jpeg()


def attach(cabinet: Cabinet, key: str, content: bytes = PHOTO, user: str = "ana", **more: object) -> str:
    receipt = cabinet.office.phone(user).do("create", "attachments", key, set=values(content, **more))
    return receipt.code or receipt.outcome


# -- the protocol ---------------------------------------------------------------------------------------------------


def test_options_tell_what_the_server_can_without_a_login(cabinet: Cabinet) -> None:
    answer = cabinet.client.options("/files/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {
        *("creation", "creation-with-upload", "expiration", "checksum", "termination")
    }
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")
    assert int(answer.headers["tus-max-size"]) == 100 << 20


def test_an_upload_is_created_told_continued_and_done(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    head = cabinet.tus("HEAD", place)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("0", str(len(PHOTO)))
    assert head.headers["upload-metadata"] == told("pic", PHOTO)
    assert head.headers["cache-control"] == "no-store"
    assert "GMT" in head.headers["upload-expires"]
    first = cabinet.add(place, 0, PHOTO[:100])
    assert (first.status_code, first.headers["upload-offset"]) == (204, "100")
    assert first.headers["tus-resumable"] == "1.0.0"
    last = cabinet.add(place, 100, PHOTO[100:])
    assert (last.status_code, int(last.headers["upload-offset"])) == (204, len(PHOTO))
    assert cabinet.offset(place) == len(PHOTO)
    assert cabinet.contents() == [digest(PHOTO)]
    assert cabinet.parts() == []


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_a_request_of_another_version_is_refused_with_412(cabinet: Cabinet, method: str) -> None:
    place = "/files/uploads" if method == "POST" else cabinet.begin("pic", PHOTO)
    for said in ({}, {"Tus-Resumable": "0.2.2"}):
        answer = cabinet.ask(method, place, headers=said)
        assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")


def test_a_patch_at_another_offset_is_a_conflict_and_changes_nothing(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    cabinet.add(place, 0, PHOTO[:50])
    for offset in (0, 49, 51):
        answer = cabinet.add(place, offset, PHOTO[offset : offset + 10])
        assert (answer.status_code, answer.json()["code"], answer.json()["offset"]) == (409, "upload_offset", 50)
    assert cabinet.offset(place) == 50


def test_a_patch_without_its_headers_is_refused(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    other = cabinet.tus("PATCH", place, body=PHOTO, Upload_Offset="0", Content_Type="image/jpeg")
    assert (other.status_code, other.json()["code"]) == (415, "upload_type")
    for offset in ("", "-1", "1.5", "x"):
        answer = cabinet.tus(
            "PATCH", place, body=PHOTO, Upload_Offset=offset, Content_Type="application/offset+octet-stream"
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "upload_invalid")
    assert cabinet.offset(place) == 0


def test_more_bytes_than_were_said_are_refused_and_none_of_them_counts(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    answer = cabinet.add(place, 0, PHOTO + b"!")
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert cabinet.offset(place) == 0


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_bytes_that_are_not_those_of_their_checksum_do_not_count(cabinet: Cabinet, algorithm: str) -> None:
    place = cabinet.begin("pic", PHOTO)
    right = base64.b64encode(hashlib.new(algorithm, PHOTO[:200]).digest()).decode()
    wrong = cabinet.add(place, 0, PHOTO[:199] + b"!", Upload_Checksum=f"{algorithm} {right}")
    assert (wrong.status_code, wrong.json()["code"]) == (460, "upload_checksum")
    assert (cabinet.offset(place), cabinet.parts()) == (0, [])
    assert cabinet.add(place, 0, PHOTO[:200], Upload_Checksum=f"{algorithm} {right}").status_code == 204
    assert cabinet.offset(place) == 200
    cabinet.cut(place, 200, PHOTO[200:300], Upload_Checksum=f"{algorithm} {right}")
    assert cabinet.offset(place) == 200


@pytest.mark.parametrize("said", ["crc32 AAAA", "sha1 AAAA", "sha1 *", "sha1"])
def test_a_checksum_that_is_none_is_refused(cabinet: Cabinet, said: str) -> None:
    answer = cabinet.add(cabinet.begin("pic", PHOTO), 0, PHOTO, Upload_Checksum=said)
    assert (answer.status_code, answer.json()["code"]) == (400, "upload_invalid")


def test_an_upload_that_was_ended_is_gone_for_good(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    cabinet.add(place, 0, PHOTO[:50])
    assert cabinet.tus("DELETE", place).status_code == 204
    assert cabinet.parts() == []
    for method in ("HEAD", "DELETE"):
        assert cabinet.tus(method, place).status_code == 410
    assert cabinet.add(place, 50, PHOTO[50:]).json()["code"] == "upload_gone"


def test_an_upload_of_somebody_else_is_not_there(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    for method in ("HEAD", "DELETE"):
        assert cabinet.tus(method, place, "bob").status_code == 404
    assert cabinet.add(place, 0, PHOTO, "bob").json()["code"] == "not_found"
    assert cabinet.tus("HEAD", "/files/uploads/nothing").status_code == 404
    assert cabinet.offset(place) == 0


def test_the_first_bytes_may_come_with_the_creation(cabinet: Cabinet) -> None:
    attach(cabinet, "pic")
    said = {"Upload_Length": str(len(PHOTO)), "Upload_Metadata": told("pic", PHOTO)}
    kind = {"Content_Type": "application/offset+octet-stream"}
    answer = cabinet.tus("POST", "/files/uploads", body=PHOTO, **said, **kind)
    assert (answer.status_code, int(answer.headers["upload-offset"])) == (201, len(PHOTO))
    assert cabinet.row("pic")["stored"] is True


def test_a_method_may_be_said_in_a_header(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    kind = {"Content_Type": "application/offset+octet-stream", "X_HTTP_Method_Override": "PATCH"}
    answer = cabinet.tus("POST", place, body=PHOTO[:10], Upload_Offset="0", **kind)
    assert (answer.status_code, cabinet.offset(place)) == (204, 10)


@pytest.mark.parametrize(
    ("length", "metadata", "code"),
    [
        ("0", None, "upload_invalid"),
        ("x", None, "upload_invalid"),
        ("104857601", None, "upload_too_large"),
        ("10", "", "upload_invalid"),
        ("10", "attachment cGlj,attachment cGlj", "upload_invalid"),
        ("10", "attachment !!", "upload_invalid"),
        ("10", told("no key!", PHOTO), "upload_invalid"),
        ("10", told("pic", PHOTO, "text/html"), "file_type_refused"),
    ],
)
def test_a_creation_that_makes_no_sense_is_refused(
    cabinet: Cabinet, length: str, metadata: str | None, code: str
) -> None:
    said = told("pic", PHOTO) if metadata is None else metadata
    answer = cabinet.tus("POST", "/files/uploads", Upload_Length=length, Upload_Metadata=said)
    assert answer.json()["code"] == code


def test_a_creation_whose_answer_was_lost_is_answered_again(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    assert cabinet.begin("pic", PHOTO) == place
    cabinet.add(place, 0, PHOTO[:10])
    assert cabinet.begin("pic", PHOTO) != place


def test_nobody_has_more_open_uploads_than_the_limit(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "OPEN_MAX", 2)
    places = [cabinet.begin(f"pic-{i}", PHOTO) for i in range(2)]
    said = {"Upload_Length": str(len(PHOTO)), "Upload_Metadata": told("pic-3", PHOTO)}
    answer = cabinet.tus("POST", "/files/uploads", **said)
    assert (answer.status_code, answer.json()["code"]) == (429, "upload_limit")
    assert cabinet.tus("POST", "/files/uploads", "bob", **said).status_code == 201
    cabinet.tus("DELETE", places[0])
    assert cabinet.tus("POST", "/files/uploads", **said).status_code == 201


def test_nobody_has_more_bytes_on_their_way_than_the_limit(cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "OPEN_BYTES_MAX", len(PHOTO) * 2)
    cabinet.begin("pic-1", PHOTO)
    place = cabinet.begin("pic-2", PHOTO)
    said = {"Upload_Length": str(len(PHOTO)), "Upload_Metadata": told("pic-3", PHOTO)}
    assert cabinet.tus("POST", "/files/uploads", **said).json()["code"] == "upload_limit"
    cabinet.add(place, 0, PHOTO)
    assert cabinet.tus("POST", "/files/uploads", **said).status_code == 201


def test_who_may_not_attach_may_not_upload(cabinet: Cabinet) -> None:
    said = {"Upload_Length": str(len(PHOTO)), "Upload_Metadata": told("pic", PHOTO)}
    assert cabinet.tus("POST", "/files/uploads", "fay", **said).json()["code"] == "not_permitted"
    assert cabinet.client.post("/files/uploads", headers={"Tus-Resumable": "1.0.0"}).status_code == 401


# -- cuts -------------------------------------------------------------------------------------------------------------


def test_what_came_before_a_cut_is_kept(cabinet: Cabinet) -> None:
    """The connection dies every 500 kB; nothing is sent twice."""
    content, step = padded(2_200_000), 500_000
    place, sent = cabinet.begin("pic", content), 0
    while (offset := cabinet.offset(place)) < len(content) - step:
        cabinet.cut(place, offset, content[offset : offset + step], pieces=9)
        sent += step
    assert offset == sent
    assert cabinet.add(place, offset, content[offset:]).status_code == 204
    assert cabinet.contents() == [digest(content)]


def test_the_newer_of_two_requests_wins_and_the_older_one_counts_no_more(cabinet: Cabinet) -> None:
    place = cabinet.begin("pic", PHOTO)
    key, database, now = place.rpartition("/")[2], cabinet.office.database, cabinet.office.clock.now_ms()
    database.write(claim, now, key, "ana", 0, "older")
    database.write(claim, now, key, "ana", 0, "newer")
    with pytest.raises(Refused) as caught:
        database.write(advance, key, "older", [Part(0, 10, "a")], now + 1)
    assert caught.value.code == "upload_taken"
    assert cabinet.offset(place) == 0
    database.write(advance, key, "newer", [Part(0, 10, "b")], now + 1)
    assert cabinet.offset(place) == 10


# -- the row and its bytes ---------------------------------------------------------------------------------------------


def test_a_row_that_came_first_is_told_by_sync_that_its_bytes_are_there(cabinet: Cabinet) -> None:
    """S8, S9: through the door, so that every device that sees the customer hears of it."""
    content = jpeg(40, 30, orientation=6)
    assert attach(cabinet, "pic", content) == "applied"
    bob = cabinet.office.phone("bob")
    bob.catch_up()
    assert bob.sees()["attachments", "pic"]["stored"] is False
    assert cabinet.upload("pic", content).status_code == 204
    bob.catch_up()
    row = bob.sees()["attachments", "pic"]
    assert (row["stored"], row["sniffed_type"], row["width"], row["height"]) == (True, "image/jpeg", 30, 40)
    cleo = cabinet.office.phone("cleo")
    cleo.catch_up()
    assert cleo.keys("attachments") == set()


def test_bytes_that_came_first_wait_for_their_row(cabinet: Cabinet) -> None:
    assert cabinet.upload("pic", PHOTO).status_code == 204
    assert attach(cabinet, "pic") == "applied"
    assert cabinet.row("pic")["stored"] is True
    assert cabinet.office.rev("attachments", "pic") == 1


def _say(connection: Connection, state: str) -> None:
    connection.execute(update(tables.uploads).values(state=state))


def test_a_row_and_bytes_that_missed_each_other_are_brought_together(cabinet: Cabinet) -> None:
    assert cabinet.upload("pic", PHOTO).status_code == 204
    cabinet.office.database.write(_say, "open")  # as a push sees it that runs at the same time
    assert attach(cabinet, "pic") == "applied"
    assert cabinet.row("pic")["stored"] is False
    cabinet.office.database.write(_say, "done")
    cabinet.office.database.write(link_files, cabinet.office.clock.now_ms())
    assert cabinet.row("pic")["stored"] is True
    assert cabinet.office.database.write(link_files, cabinet.office.clock.now_ms()).startswith("0 ")


def test_knowing_a_digest_is_no_right_to_its_content(cabinet: Cabinet) -> None:
    attach(cabinet, "pic")
    cabinet.upload("pic", PHOTO)
    attach(cabinet, "stolen", PHOTO, "cleo", account_key="zeta")
    assert cabinet.row("stolen")["stored"] is False
    assert cabinet.ask("GET", "/files/stolen", "cleo").json()["code"] == "file_awaited"


def test_the_same_content_twice_is_kept_once(cabinet: Cabinet) -> None:
    for key, user, account in (("pic", "ana", "acme"), ("other", "cleo", "zeta")):
        attach(cabinet, key, PHOTO, user, account_key=account)
        assert cabinet.upload(key, PHOTO, user).status_code == 204
        assert cabinet.row(key)["stored"] is True
    assert cabinet.contents() == [digest(PHOTO)]


def test_content_that_is_not_what_was_declared_attaches_nothing(cabinet: Cabinet) -> None:
    attach(cabinet, "pic")
    place = cabinet.begin("pic", PHOTO)
    answer = cabinet.add(place, 0, PHOTO[:-1] + b"!")
    assert (answer.status_code, answer.json()["code"]) == (422, "file_differs")
    assert (cabinet.contents(), cabinet.parts()) == ([], [])
    assert cabinet.row("pic")["stored"] is False
    assert cabinet.tus("HEAD", place).status_code == 410
    assert cabinet.upload("pic", PHOTO).status_code == 204


def test_a_type_that_was_declared_wrongly_is_refused_in_either_order(cabinet: Cabinet) -> None:
    lie = cabinet.upload("pic", PHOTO, kind="image/png")
    assert (lie.status_code, lie.json()["code"]) == (422, "file_type_refused")
    attach(cabinet, "first", PHOTO, media_type="image/png")
    assert cabinet.upload("first", PHOTO).json()["code"] == "file_type_refused"
    cabinet.upload("second", PHOTO)
    assert attach(cabinet, "second", PHOTO, media_type="image/png") == "file_type_refused"
    assert cabinet.row("first")["stored"] is False


def test_what_the_server_says_of_content_is_said_by_nobody_else(cabinet: Cabinet) -> None:
    assert attach(cabinet, "pic", stored=True) == "field_read_only"
    attach(cabinet, "pic")
    for field, value in (("stored", True), ("width", 1), ("sha256", "0" * 64), ("size", 5), ("media_type", "a/b")):
        assert cabinet.office.phone("ana").edit("attachments", "pic", None, **{field: value}).code == "field_read_only"


def test_an_attachment_moves_with_its_customer(cabinet: Cabinet) -> None:
    attach(cabinet, "pic")
    cabinet.upload("pic", PHOTO)
    cabinet.office.put(("accounts", "acme", {"territory_key": "t-south"}))
    cleo = cabinet.office.phone("cleo")
    cleo.catch_up()
    assert cleo.keys("attachments") == {"pic"}
    assert cabinet.ask("GET", "/files/pic", "cleo").content == PHOTO
    assert cabinet.ask("GET", "/files/pic", "ana").status_code == 404
