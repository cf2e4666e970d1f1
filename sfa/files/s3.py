"""Files in an S3-compatible store, by obstore: `s3://bucket/prefix?endpoint=https://…&region=…`.

Every part of an upload is an object of its own, so that each process reaches it and a part may be of any size; S3's own
multipart uploads are used only to write finished content. What is put together lies in a temporary folder meanwhile.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError as OutOfReach
from obstore.exceptions import NotFoundError
from obstore.store import S3Store

from sfa.core.errors import Refused
from sfa.files.places import CHUNK_BYTES, content_path, thumbnail_path, thumbnails_path

__all__ = ["Bucket", "OutOfReach"]

RANGE_BYTES = 1 << 20
OPTIONS = {"endpoint", "region"}
RETRY: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


class Bucket:
    flush_bytes = 4 << 20
    flush_s = 10.0

    def __init__(self, url: str, access_key: str = "", secret_key: str = "") -> None:
        parsed = urlsplit(url)
        said = {name: values[-1] for name, values in parse_qs(parsed.query).items()}
        if not parsed.netloc or not set(said) <= OPTIONS:
            raise Refused("setting_invalid", "SFA_FILES_URL: s3://bucket/prefix?endpoint=https://…&region=…")
        config: dict[str, Any] = {"region": said.get("region", "us-east-1")}
        if "endpoint" in said:
            config["endpoint"] = said["endpoint"]
        if access_key:
            config |= {"access_key_id": access_key, "secret_access_key": secret_key}
        plain = said.get("endpoint", "").startswith("http://")
        prefix = parsed.path.strip("/") or None
        self._store = S3Store(
            parsed.netloc, prefix=prefix, client_options={"allow_http": plain}, retry_config=RETRY, **config
        )

    def scratch(self) -> Path:
        folder = Path(tempfile.gettempdir()) / "sfa-files"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def scraps(self) -> list[Path]:
        return list(self.scratch().iterdir())

    def put_part(self, upload: str, name: str, pieces: Iterable[bytes]) -> None:
        obstore.put(self._store, f"parts/{upload}/{name}", b"".join(pieces))

    def read_part(self, upload: str, name: str) -> Iterator[bytes]:
        return self._chunks(f"parts/{upload}/{name}")

    def drop_part(self, upload: str, name: str) -> None:
        self._drop([f"parts/{upload}/{name}"])

    def drop_upload(self, upload: str) -> None:
        self._drop_below(f"parts/{upload}/")

    def uploads(self) -> list[str]:
        found = obstore.list_with_delimiter(self._store, "parts/")
        return sorted(prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def keep(self, sha256: str, made: Path) -> None:
        obstore.put(self._store, content_path(sha256), made)
        made.unlink()

    def size(self, sha256: str) -> int | None:
        with suppress(NotFoundError, FileNotFoundError):
            return int(obstore.head(self._store, content_path(sha256))["size"])
        return None

    def read(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """A request for each range: one for all of it would end when a slow client takes longer than it may last."""
        for begin in range(start, end, RANGE_BYTES):
            stop = min(end, begin + RANGE_BYTES)
            yield bytes(obstore.get_range(self._store, content_path(sha256), start=begin, end=stop))

    def keep_thumbnail(self, sha256: str, pixels: int, content: bytes) -> None:
        obstore.put(self._store, thumbnail_path(sha256, pixels), content)

    def thumbnail(self, sha256: str, pixels: int) -> bytes | None:
        with suppress(NotFoundError, FileNotFoundError):
            return bytes(obstore.get(self._store, thumbnail_path(sha256, pixels)).bytes())
        return None

    def drop(self, sha256: str) -> None:
        self._drop([content_path(sha256)])
        self._drop_below(f"{thumbnails_path(sha256)}/")

    def _chunks(self, path: str) -> Iterator[bytes]:
        for chunk in obstore.get(self._store, path).stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)

    def _drop_below(self, prefix: str) -> None:
        for found in obstore.list(self._store, prefix, chunk_size=500):
            self._drop([meta["path"] for meta in found])

    def _drop(self, paths: list[str]) -> None:
        for path in paths:  # one by one: not every compatible store deletes in bulk
            with suppress(NotFoundError, FileNotFoundError):
                obstore.delete(self._store, path)
