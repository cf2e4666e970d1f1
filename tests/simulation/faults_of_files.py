"""Mistakes planted in uploads, downloads, the collector, and in the devices that send files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, false

from sfa.files import arrivals, collecting, download_routes, finishing
from sfa.files.receiving import Receiving
from sfa.files.rules import Content
from sfa.files.uploads import Part
from sync.device import files, settle
from tests.simulation.faults import fault

ARRIVALS: Any = arrivals  # what a module imports can be replaced in it, whether it exports it or not
COLLECTING: Any = collecting
DOWNLOADS: Any = download_routes
FINISHING: Any = finishing
FILES: Any = files
SETTLE: Any = settle


# -- the server -------------------------------------------------------------------------------------------------------


@fault
def the_collector_ignores_who_needs_a_content() -> Sequence[tuple[Any, str, Any]]:
    return [(ARRIVALS, "in_use", false)]


@fault
def bytes_are_counted_before_they_are_on_the_disk() -> Sequence[tuple[Any, str, Any]]:
    """A server that dies in between says more than it has."""
    real = Receiving._put

    async def put(self: Receiving) -> None:
        if self._held and self._checksum is None and self.offset + self._held < self._upload.size:
            held, pieces = self._held, self._pieces
            part = Part(self.offset, held, f"{self.offset:015d}-counted")
            self._pending.append(part)
            await self._count()
            self._pieces, self._held = [], 0
            await self._files.aside(self._files.place.put_part, self._upload.key, part.name, pieces)
            return
        await real(self)

    return [(Receiving, "_put", put)]


@fault
def a_request_that_lost_its_upload_is_told_that_its_bytes_are_wrong() -> Sequence[tuple[Any, str, Any]]:
    real = FINISHING.table.end

    def end(connection: Connection, key: str, code: str, holder: str | None = None) -> bool:
        real(connection, key, code, holder)
        return True

    return [(FINISHING.table, "end", end)]


@fault
def the_digest_of_a_file_is_not_looked_at() -> Sequence[tuple[Any, str, Any]]:
    def put_together(of: Any, upload: Any, parts: Sequence[Part], path: Path) -> Content:
        with path.open("wb") as file:
            for part in parts:
                file.writelines(of.place.read_part(upload.key, part.name))
        return Content(upload.sha256, upload.size, upload.media_type)

    return [(FINISHING, "_put_together", put_together)]


@fault
def the_row_of_a_file_is_not_told_of_its_bytes() -> Sequence[tuple[Any, str, Any]]:
    """What came before its row stays unknown to it."""
    return [(ARRIVALS, "found", lambda *_: {}), (ARRIVALS, "link_waiting", lambda *_: 0)]


@fault
def parts_of_uploads_that_ended_stay() -> Sequence[tuple[Any, str, Any]]:
    return [(COLLECTING, "_unknown", lambda *_: []), (COLLECTING, "_ended", lambda *_: [])]


@fault
def a_download_does_not_look_at_the_scope() -> Sequence[tuple[Any, str, Any]]:
    class Everything(frozenset[str]):
        def isdisjoint(self, _other: Any) -> bool:
            return False

    class Open:
        @staticmethod
        def held_now(*_: Any) -> Everything:
            return Everything()

    return [(DOWNLOADS, "scopes", Open)]


# -- the devices ------------------------------------------------------------------------------------------------------


@fault
def a_restored_server_is_not_sent_the_files_again() -> Sequence[tuple[Any, str, Any]]:
    real = SETTLE._forget_epoch

    def forget(store: Any) -> None:
        before = store.execute("SELECT is_sent, stored_at, key FROM files").fetchall()
        real(store)
        for state in before:
            store.execute("UPDATE files SET is_sent = ?, stored_at = ? WHERE key = ?", state)

    return [(SETTLE, "_forget_epoch", forget)]


@fault
def a_copy_goes_as_soon_as_its_bytes_have_arrived() -> Sequence[tuple[Any, str, Any]]:
    """A server that is restored from last night's backup asks for them, and nobody has them."""
    return [(FILES, "_is_durable", lambda *_: True)]


@fault
def a_copy_goes_with_the_first_request_that_began_its_upload() -> Sequence[tuple[Any, str, Any]]:
    real = FILES.fate

    def fate(store: Any, item: Any, now_ms: int) -> str:
        return "drop" if item.upload is not None else str(real(store, item, now_ms))

    return [(FILES, "fate", fate)]


@fault
def what_the_device_left_behind_is_not_tidied() -> Sequence[tuple[Any, str, Any]]:
    def tidy(store: Any, now_ms: int) -> None:
        for item in files.kept(store):
            if files.fate(store, item, now_ms) == "drop":
                store.execute("DELETE FROM files WHERE key = ?", (item.key,))

    return [(FILES, "tidy", tidy)]
