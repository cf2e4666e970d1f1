"""Answers are compressed as the client prefers, and only where it is worth it."""

import gzip
from typing import Any

import pytest
import zstandard

from sfa.web.compression import COMPRESSED_BYTES_MIN, compress, negotiate
from tests.web.conftest import Server


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", None),
        ("zstd", "zstd"),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZIP;q=1.0, ZSTD;q=0.5", "gzip"),
        ("gzip;q=0.2, zstd; q=0.3", "zstd"),
        ("zstd;q=0, gzip", "gzip"),
        ("zstd;q=0, gzip;q=0", None),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "gzip"),
        ("gzip;q=0, *", "zstd"),
        ("*;q=0", None),
        ("identity", None),
        ("identity;q=1, gzip;q=0.5", None),
        ("br", None),
        ("gzip;q=nonsense", None),
        ("gzip;q=7", "gzip"),
    ],
)
def test_the_encoding_is_what_the_client_prefers(header: str, encoding: str | None) -> None:
    assert negotiate(header.encode()) == encoding


def test_a_small_or_incompressible_body_stays_as_it_is() -> None:
    small = b"x" * (COMPRESSED_BYTES_MIN - 1)
    assert compress(small, b"zstd") == (small, None)
    packed = zstandard.ZstdCompressor().compress(bytes(range(256)) * 100)
    noise = gzip.compress(packed * 1) * 1
    assert compress(noise, b"gzip")[1] is None
    assert compress(b"x" * 5000, None) == (b"x" * 5000, None)


def test_both_encodings_can_be_read_by_others() -> None:
    body = b"hello " * 1000
    zstd, gz = compress(body, b"zstd"), compress(body, b"gzip")
    assert (zstd[1], gz[1]) == ("zstd", "gzip")
    assert zstandard.ZstdDecompressor().decompress(zstd[0]) == gzip.decompress(gz[0]) == body


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_an_ordinary_answer_is_compressed(server: Server, encoding: str) -> None:
    plain = server.client.get("/docs/errors", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    with server.client.stream("GET", "/docs/errors", headers={"Accept-Encoding": encoding}) as answer:
        raw: Any = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == encoding
    assert int(answer.headers["content-length"]) == len(raw) < len(plain.content)
    unpack = gzip.decompress if encoding == "gzip" else zstandard.ZstdDecompressor().decompress
    assert unpack(raw) == plain.content


def test_a_short_answer_is_not_compressed(server: Server) -> None:
    assert "content-encoding" not in server.client.get("/health", headers={"Accept-Encoding": "gzip"}).headers
