"""The files of a seed's server: the production handlers of uploads and downloads over a real folder, in processes that
may die at any operation on the disk and at any commit.

A request is spoken as the web server speaks it; what blocks is done on the spot, so that a seed plays the same every
time. Who asks is known by the registration, as in the round trip. While a body travels, others may work.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from sfa.core.ids import KeyMaker
from sfa.db.database import Database
from sfa.files import collecting
from sfa.files.download_routes import Serving
from sfa.files.local import Folder
from sfa.files.service import Files
from sfa.files.upload_routes import Uploading
from sfa.files.wire import Asked, Door
from sfa.web.principal import Principal
from tests.simulation.failure import Crash
from tests.simulation.server import Server

P = ParamSpec("P")
T = TypeVar("T")
UPLOADS = "/files/uploads"
HOUR_MS = 3_600_000


class Killed(BaseException):
    """The process ended: no handler of the product answers any more."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Life:
    """Of one process: `dies_in` counts what it still does on the disk."""

    def __init__(self) -> None:
        self.dies_in: int | None = None
        self.is_over = False

    def tick(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            self.is_over = self.is_over or self.dies_in <= 0
        if self.is_over:
            raise Killed

    def end(self) -> Killed:
        self.is_over = True
        return Killed()


class MortalFolder(Folder):
    """The process may die before and after each of its steps; pieces are small, so that there are many."""

    def __init__(self, root: Path, life: Life, flush_bytes: int) -> None:
        super().__init__(root)
        self._life, self.flush_bytes = life, flush_bytes

    def _stepped(self, step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        self._life.tick()
        step(*args, **kwargs)
        self._life.tick()

    def put_part(self, upload: str, name: str, pieces: Any) -> None:
        self._stepped(super().put_part, upload, name, pieces)

    def drop_upload(self, upload: str) -> None:
        self._stepped(super().drop_upload, upload)

    def keep(self, sha256: str, made: Path) -> None:
        self._stepped(super().keep, sha256, made)

    def drop(self, sha256: str) -> None:
        self._stepped(super().drop, sha256)


class _Tap:
    """Stands where the files expect their database."""

    def __init__(self, server: Server, life: Life) -> None:
        self._server, self._life = server, life

    def write(self, work: Any, /, *args: Any) -> Any:
        """What is committed is looked at when the request has ended."""
        self._life.tick()
        try:
            return outside(self._server.database.write, work, *args)
        except Crash as crash:
            raise self._life.end() from crash

    def read(self, work: Any, /, *args: Any) -> Any:
        self._life.tick()
        return outside(self._server.database.read, work, *args)

    async def write_async(self, work: Any, /, *args: Any) -> Any:
        return self.write(work, *args)

    async def read_async(self, work: Any, /, *args: Any) -> Any:
        return self.read(work, *args)


class _Files(Files):
    """What would block in a thread is done at once, in the order in which it is asked."""

    def __init__(self, database: Database, clock: Any, folder: MortalFolder, life: Life) -> None:
        super().__init__(database, clock, folder)
        self._life = life

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._life.is_over:
            raise Killed
        return outside(work, *args, **kwargs)


class _KnownDoor(Door):
    def __init__(self, who: Principal) -> None:
        self._who = who

    async def enter(self, _asked: Asked) -> Principal:
        return self._who


class Process:
    """One server process with its files."""

    def __init__(self, server: Server, root: Path, flush_bytes: int, bits: Callable[[int], int]) -> None:
        self.life = Life()
        self.tap = cast(Database, _Tap(server, self.life))
        self.place = MortalFolder(root, self.life, flush_bytes)
        self.files = _Files(self.tap, server.clock, self.place, self.life)
        self.files.ids = KeyMaker(server.clock, bits)
        self._uploading, self._serving = Uploading(self.files), Serving(self.files)

    async def handle(self, asked: Asked, who: Principal, send: Any) -> None:
        up, door = self._uploading, _KnownDoor(who)
        if asked.path == UPLOADS:
            await up.handle(asked, send, door, {"POST": up.create})
        elif asked.path.startswith(f"{UPLOADS}/"):
            await up.handle(asked, send, door, {"HEAD": up.tell, "PATCH": up.add, "DELETE": up.end})
        else:
            await self._serving.handle(asked, send, door, small=False)


class FileServer:
    """`flush_bytes`: how large a piece is on the disk. `between` is called while the body of a request travels."""

    def __init__(self, server: Server, root: Path, flush_bytes: int, bits: Callable[[int], int]) -> None:
        self._server, self.root, self._saved = server, root, root.with_name("saved")
        self._flush_bytes, self._bits = flush_bytes, bits
        self.between: Callable[[], None] = lambda: None
        self.restart()

    def restart(self) -> None:
        """A new process on the same folder."""
        self.process = self.another()

    def another(self) -> Process:
        """A second process beside the first."""
        return Process(self._server, self.root, self._flush_bytes, self._bits)

    def ask(
        self,
        who: Principal,
        method: str,
        path: str,
        headers: Mapping[str, str],
        pieces: Sequence[bytes] = (),
        *,
        is_cut: bool = False,
        process: Process | None = None,
    ) -> Answer | None:
        """-> the answer; None where the connection broke, or the process died (and another one was started)."""
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope: Any = {"type": "http", "method": method, "path": path, "headers": raw, "query_string": b""}
        name = path.rpartition("/")[2]
        scope["path_params"] = {"upload": name, "key": name}
        said: list[Any] = []
        left = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
        left.append({"type": "http.disconnect"} if is_cut else {"type": "http.request", "body": b""})

        async def receive() -> Any:
            if len(left) < len(pieces):
                outside(self.between)
            return left.pop(0) if left else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        chosen, before = process or self.process, self._server.crashes.commits
        try:
            asyncio.run(chosen.handle(Asked(scope, receive), who, send))
        except Killed:
            if process is None:
                self.restart()
            return None
        finally:
            self._look(before)
        return None if is_cut else _answer(said)

    def _look(self, before: int) -> None:
        if self._server.crashes.commits != before:
            self._server.after_commit(self._server.snapshot())

    def collect(self, grace_ms: int) -> str:
        """The job, and the sweep after it; "killed" where the process died in the middle."""
        chosen, before, now_ms = self.process, self._server.crashes.commits, self._server.clock.now_ms()
        try:
            said = str(chosen.tap.write(collecting.collect, now_ms, grace_ms))
            return f"{said}; swept {collecting.sweep(chosen.tap, chosen.place, now_ms)}"
        except Killed:
            self.restart()
            return "killed"
        finally:
            self._look(before)

    # -- what lies on the disk --------------------------------------------------------------------------------------

    def contents(self) -> dict[str, tuple[str, int]]:
        """Name of a content -> (SHA-256, size) of what lies there."""
        found = {path.name: path.read_bytes() for path in self.root.glob("blobs/*/*/*")}
        return {name: (hashlib.sha256(content).hexdigest(), len(content)) for name, content in found.items()}

    def parts(self) -> list[str]:
        """Uploads that have parts."""
        return Folder(self.root).uploads()

    def save(self) -> None:
        """The folder as it is, after the database was saved."""
        shutil.rmtree(self._saved, ignore_errors=True)
        self.root.mkdir(exist_ok=True)
        shutil.copytree(self.root, self._saved)

    def restore(self) -> None:
        """What was saved is there again; what came later still lies there, unknown (docs/operations.md)."""
        shutil.copytree(self._saved, self.root, dirs_exist_ok=True)
        self.restart()


def outside(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what knows no event loop in the middle of one."""
    loop = asyncio.get_running_loop() if asyncio._get_running_loop() is not None else None
    asyncio._set_running_loop(None)
    try:
        return work(*args, **kwargs)
    finally:
        asyncio._set_running_loop(loop)


def _answer(said: Sequence[Mapping[str, Any]]) -> Answer:
    headers = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return Answer(int(said[0]["status"]), headers, b"".join(message["body"] for message in said[1:]))
