"""The browser of the tests sees what a page does that it should not."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browser import Chromium, aside

pytestmark = pytest.mark.xdist_group("browser")

HEAD = '<!doctype html><html lang="en"><head><title>Offer</title><meta name="viewport" content="width=device-width">'
PAGES = {
    "/good": HEAD + "<body><main><h1>Offer</h1><p>Thank you.</p></main></body></html>",
    "/stranger": HEAD + '<body><main><h1>Offer</h1><img alt="x" src="https://example.com/x.png"></main></body></html>',
    "/inline": HEAD + "<body><main><h1>Offer</h1><script>document.title = 'x'</script></main></body></html>",
    "/nameless": HEAD + "<body><main><h1>Offer</h1><input></main></body></html>",
}
POLICY = "default-src 'none'; img-src *; script-src 'self'"


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
        """Nothing is told."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_good_page_passes_with_its_policy_in_force(chromium: Chromium, site: str) -> None:
    with chromium.window() as window:
        window.page.goto(f"{site}/good")
        window.accessible()
        said = window.page.evaluate("[navigator.userAgent, navigator.webdriver, window.innerWidth]")
    assert "Headless" not in said[0]
    assert said[1:] == [False, 390]


@pytest.mark.parametrize(("path", "told"), [("/stranger", "asked strangers"), ("/inline", "Content Security Policy")])
def test_a_page_that_asks_a_stranger_or_breaks_its_policy_fails_its_test(
    chromium: Chromium, site: str, path: str, told: str
) -> None:
    with pytest.raises(AssertionError, match=told), chromium.window() as window:
        window.page.goto(f"{site}{path}", wait_until="networkidle")


def test_a_field_without_a_name_is_found(chromium: Chromium, site: str) -> None:
    with chromium.window() as window:
        window.page.goto(f"{site}/nameless")
        with pytest.raises(AssertionError, match="label"):
            window.accessible()


def test_what_runs_aside_may_use_asyncio(chromium: Chromium) -> None:
    assert aside(lambda: asyncio.run(asyncio.sleep(0, "done"))) == "done"
