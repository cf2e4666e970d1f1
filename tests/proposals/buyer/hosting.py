"""The application behind a real uvicorn on a loopback socket, in a thread of its own, for browsers."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from proposals.buyer import links
from proposals.buyer.links import Link
from sfa.app.factory import Services, application, connect
from sfa.app.settings import Settings
from tests.crm.desk import CHEAP
from tests.office import Office

PATIENCE_S = 20.0


class Site:
    """Pages of one office. Its database stays open for the test, which looks at it after the server."""

    def __init__(self, services: Services, port: int, office: Office) -> None:
        self.services, self.office = services, office
        self.url = f"http://127.0.0.1:{port}"

    def link(self, key: str, recipient: str | None = None, kind: str = "buyer", version: int = 1) -> str:
        """The address of a page, as the mailer makes one."""
        made = f"link-{key}-{version}-{recipient}-{kind}"
        now = self.office.clock.now_ms()
        link = Link(link_key=made, proposal_key=key, version=version, recipient_key=recipient, kind=kind, made_at=now)
        token = self.office.database.write(links.make, self.services.secret.derive(links.PURPOSE), link)
        return f"{self.url}/p/{token}"


@contextmanager
def hosted(office: Office) -> Iterator[Site]:
    """Closes the database with the server."""
    services = connect(Settings(secret="a secret for pages that is long enough"), office.clock, office.database, CHEAP)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application(services, jobs=False), log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    started = threading.Event()
    for _ in range(int(PATIENCE_S * 50)):
        if server.started:
            break
        started.wait(0.02)
    assert server.started, "the server of the pages did not start"
    try:
        yield Site(services, listener.getsockname()[1], office)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listener.close()
