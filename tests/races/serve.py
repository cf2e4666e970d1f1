"""The production server, with one bad habit: it kills itself at the n-th commit boundary it comes to.

`python -m tests.races.serve PORT_FILE DIE_AT`, with the settings of the environment. `DIE_AT` is `never`, or
`before_commit:7` or `after_commit:7`: the process ends by SIGKILL at that boundary, between commit and answer for the
second. The port is written to the file once the socket listens.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from sfa.app.cli import without_collecting


def deadly(die_at: str) -> Callable[[str], None] | None:
    """The probe of the database, or None where the process is not to end by itself."""
    if die_at == "never":
        return None
    wanted, _, count = die_at.partition(":")
    left = int(count)

    def probe(boundary: str) -> None:
        nonlocal left
        left -= boundary == wanted
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return probe


def main(port_file: str, die_at: str) -> None:
    with without_collecting():  # as `sfa serve` is loaded
        import uvicorn

        from sfa.app.factory import build
        from sfa.app.settings import Settings
        from sfa.db.database import open_database

        settings = Settings.from_environment(os.environ)
        database = open_database(settings.database_url)
        app = build(settings, database=database, jobs=False)
    database.probe = deadly(die_at)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, loop="uvloop", http="httptools", access_log=False, log_level="error"))
    Path(port_file).write_text(str(listening.getsockname()[1]))
    server.run([listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
