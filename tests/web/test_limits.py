"""What a request may be: size before and after inflation, one encoding, whole, not too deep, not too often."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from sfa.core.clock import VirtualClock
from sfa.core.errors import Refused
from sfa.web.limits import GZIP_MAGIC, ZSTD_MAGIC, RequestRate, check_depth, inflate, read_body
from sfa.web.middleware import decode_json
from tests.web.conftest import START_MS, Server

LIMIT = 1 << 20


def streamed(data: bytes) -> bytes:
    """A zstd frame that does not say how large it becomes."""
    return zstandard.ZstdCompressor(write_content_size=False).compress(data)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKERS: dict[str, list[Callable[[bytes], bytes]]] = {"gzip": [gzip.compress], "zstd": [zstd, streamed]}
PACKED = [(encoding, pack) for encoding, packs in PACKERS.items() for pack in packs]


def read(parts: list[bytes], *headers: tuple[bytes, bytes], cut: bool = False, **limits: int) -> bytes:
    messages: list[Any] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if cut:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False

    async def receive() -> Any:
        return messages.pop(0)

    return asyncio.run(read_body(receive, headers, **limits))


def code_of(work: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(Refused) as refused:
        work(*args, **kwargs)
    return refused.value.code


def test_a_plain_body_arrives_whole_in_any_pieces() -> None:
    assert read([b"abc"]) == read([b"a", b"", b"bc"]) == b"abc"
    assert read([b""]) == b""
    assert read([b"abc"], (b"content-encoding", b"identity")) == b"abc"


@pytest.mark.parametrize(("encoding", "pack"), PACKED)
def test_a_compressed_body_arrives_inflated(encoding: str, pack: Any) -> None:
    data = json.dumps(list(range(50_000))).encode()
    packed = pack(data)
    header = (b"content-encoding", encoding.upper().encode())
    assert read([packed[:100], packed[100:]], header) == data


NOT_COMPRESSED = st.binary(max_size=200).filter(lambda data: not data.startswith((GZIP_MAGIC, ZSTD_MAGIC)))


@given(data=NOT_COMPRESSED, which=st.sampled_from(PACKED))
def test_what_was_compressed_inflates_to_itself_and_every_cut_is_noticed(data: bytes, which: Any) -> None:
    encoding, pack = which
    packed = pack(data)
    assert inflate(packed, encoding, LIMIT) == data
    for end in range(1, len(packed)):
        assert code_of(inflate, packed[:end], encoding, LIMIT) == "body_truncated"


@pytest.mark.parametrize("parts", [[b"x" * 101], [b"x" * 60, b"x" * 60]])
def test_a_body_over_the_limit_is_refused_while_it_arrives(parts: list[bytes]) -> None:
    assert code_of(read, [*parts, b"never read"], body_max=100) == "body_too_large"


def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    assert code_of(read, [b""], (b"content-length", b"101"), body_max=100) == "body_too_large"


def test_a_body_that_is_cut_off_is_refused() -> None:
    assert code_of(read, [b"{"], cut=True) == "body_truncated"
    assert code_of(read, [b"abc"], (b"content-length", b"4")) == "body_truncated"


@pytest.mark.parametrize("value", [b"br", b"deflate", b"gzip, gzip", b"gzip, zstd", b"x" * 1000])
def test_an_encoding_that_is_unknown_or_named_twice_is_refused(value: bytes) -> None:
    assert code_of(read, [b"abc"], (b"content-encoding", value)) == "encoding_unknown"


def test_an_encoding_in_two_headers_is_refused() -> None:
    twice = [(b"content-encoding", b"gzip"), (b"content-encoding", b"zstd")]
    assert code_of(read, [b"abc"], *twice) == "encoding_unknown"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bytes_that_are_not_of_the_encoding_are_refused(encoding: str) -> None:
    assert code_of(inflate, b'{"a": "plain json, by mistake"}', encoding, LIMIT) == "encoding_invalid"


@pytest.mark.parametrize(("encoding", "pack"), PACKED)
def test_a_body_that_was_compressed_twice_or_has_a_tail_is_refused(encoding: str, pack: Any) -> None:
    assert code_of(inflate, pack(gzip.compress(b"abc")), encoding, LIMIT) == "encoding_invalid"
    assert code_of(inflate, pack(zstd(b"abc")), encoding, LIMIT) == "encoding_invalid"
    assert code_of(inflate, pack(b"abc") + b"tail", encoding, LIMIT) == "encoding_invalid"


def test_a_damaged_gzip_body_is_refused() -> None:
    packed = bytearray(gzip.compress(b"abc" * 1000))
    packed[-6] ^= 1
    assert code_of(inflate, bytes(packed), "gzip", LIMIT) == "encoding_invalid"


@pytest.mark.parametrize(("encoding", "pack"), PACKED)
def test_a_bomb_stops_at_the_limit(encoding: str, pack: Any) -> None:
    bomb = pack(bytes(200 << 20))
    assert len(bomb) < LIMIT
    tracemalloc.start()
    try:
        assert code_of(inflate, bomb, encoding, LIMIT) == "body_too_large"
        assert tracemalloc.get_traced_memory()[1] < 4 * LIMIT
    finally:
        tracemalloc.stop()


def test_a_frame_that_lies_about_its_size_does_not_get_more_room() -> None:
    honest = zstd(bytes(LIMIT // 2))
    size = (LIMIT // 2).to_bytes(4, "little")
    assert honest.count(size) == 1
    liar = honest.replace(size, (1000).to_bytes(4, "little"))
    assert zstandard.frame_content_size(liar) == 1000
    assert code_of(inflate, liar, "zstd", LIMIT) == "encoding_invalid"


@pytest.mark.parametrize(("encoding", "pack"), PACKED)
def test_exactly_the_limit_passes_and_one_more_byte_does_not(encoding: str, pack: Any) -> None:
    assert len(inflate(pack(bytes(1000)), encoding, 1000)) == 1000
    assert code_of(inflate, pack(bytes(1001)), encoding, 1000) == "body_too_large"


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.sampled_from(['"', "\\", "[", '\\"[', "]}", '[{"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.just('["'), inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(value=JSON, limit=st.integers(0, 6), ascii_only=st.booleans())
@example(value=["\\"], limit=0, ascii_only=True)
@example(value=['\\"[['], limit=1, ascii_only=False)
def test_the_depth_is_the_depth_of_the_value_whatever_its_strings_say(value: Any, limit: int, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    if depth_of(value) <= limit:
        check_depth(body, limit)
    else:
        assert code_of(check_depth, body, limit) == "json_too_deep"


@given(st.text('[]{}"\\,:1 ', max_size=200).map(str.encode))
def test_what_is_not_json_is_refused_one_way_or_the_other(body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        if body:
            assert code_of(decode_json, body) in ("json_invalid", "json_too_deep")


def test_json_that_is_cut_off_or_endlessly_deep_is_refused() -> None:
    rows = json.dumps([{"a": [1]}] * 100).encode()
    assert code_of(decode_json, rows[:-5]) == "json_invalid"
    assert code_of(decode_json, b"[" * 1_000_000) == "json_too_deep"


def test_a_route_takes_compressed_bodies_under_its_limits(server: Server) -> None:
    token = json.dumps({"refresh_token": "none"}).encode()
    for encoding, pack in PACKED:
        headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
        answer = server.client.post("/auth/refresh", content=pack(token), headers=headers)
        assert answer.json()["code"] == "refresh_invalid"
        bomb = server.client.post("/auth/refresh", content=pack(bytes(50 << 20)), headers=headers)
        assert (bomb.status_code, bomb.json()["code"]) == (413, "body_too_large")
    large = server.client.post("/auth/refresh", content=b" " * (LIMIT + 1))
    assert large.json()["code"] == "body_too_large"


def test_a_device_has_a_burst_and_then_a_steady_rate() -> None:
    clock = VirtualClock(START_MS)
    rate = RequestRate(clock, per_s=10, burst=5)
    assert [rate.wait_ms("phone") for _ in range(5)] == [0] * 5
    assert rate.wait_ms("phone") == 100
    assert rate.wait_ms("tablet") == 0
    clock.advance(100)
    assert rate.wait_ms("phone") == 0
    assert rate.wait_ms("phone") == 100
    clock.advance(10_000)
    assert [rate.wait_ms("phone") for _ in range(6)] == [0] * 5 + [100]


def test_too_many_requests_of_a_device_are_told_when_to_come_back(server: Server) -> None:
    token = server.login().json()["access_token"]
    answers = [server.me(token) for _ in range(601)]
    assert {answer.status_code for answer in answers[:600]} == {200}
    assert (answers[600].status_code, answers[600].json()["code"]) == (429, "too_many_requests")
    assert answers[600].headers["retry-after"] == "1"


def test_zlib_is_told_where_to_stop_rather_than_cut_afterwards() -> None:
    stream = zlib.decompressobj(31)
    assert len(stream.decompress(gzip.compress(bytes(LIMIT)), 11)) == 11
