"""A prospect's phone: Debian's Chromium, driven over playwright, which reaches nothing but this machine.

The fixture `chromium` (tests/conftest.py) starts it once for a module. What a page asks of a stranger, writes to the
console as an error, throws, or does against its own content security policy fails the test that opened it.

While it runs, asyncio takes this thread for one of its own: `aside` runs what calls `asyncio.run`.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, sync_playwright

from tests import clients

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Mobile Safari/537.36",
}
DESK: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 900},
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
    " Safari/537.36",
}
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
PATIENCE_MS = 20_000
HERE = frozenset({"127.0.0.1", "localhost", "::1"})
WITHIN = frozenset({"about", "blob", "data", "chrome-extension", "chrome"})
AXE = "axe.run(document, {runOnly: {type: 'tag', values: %s}, resultTypes: ['violations']})"

Found = TypeVar("Found")


def missing() -> str | None:
    """Why no page can be opened here, in words; null if one can."""
    return None if _program() else "pages are opened in Chromium, and none is installed (on Debian: chromium)"


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def aside(work: Callable[[], Found]) -> Found:
    """What calls `asyncio.run`, in a thread that is not playwright's."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(work).result()


class Window:
    """One visitor: a page of a browser that has never been anywhere, with its own cookies."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.strangers: list[str] = []
        self.errors: list[str] = []
        self._forgiven: list[str] = []
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.route(lambda url: not _is_here(url), _nowhere)
        self.page: Page = context.new_page()

    def _asked(self, request: Request) -> None:
        if not _is_here(request.url):
            self.strangers.append(request.url)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def forgive(self, pattern: str) -> None:
        """Errors that a test means to see, such as `status of 410`."""
        self._forgiven.append(pattern)

    def check(self) -> None:
        """Nothing was asked of strangers, and nothing went wrong in any page so far."""
        assert self.strangers == [], f"the page asked strangers: {self.strangers}"
        wrong = [text for text in self.errors if not any(re.search(one, text) for one in self._forgiven)]
        assert wrong == [], f"the console tells of errors: {wrong}"

    def accessible(self, *without: str) -> None:
        """The page as it is now breaks no rule of WCAG 2.2 AA that axe-core can judge. `without`: rules by id."""
        session = self.context.new_cdp_session(self.page)  # a page's own policy does not hold back what comes by here
        try:
            self._evaluated(session, axe())
            found = self._evaluated(session, AXE % list(WCAG))
        finally:
            session.detach()
        broken = [one for one in found["violations"] if one["id"] not in without]
        assert broken == [], "\n".join(_told(one) for one in broken)

    @staticmethod
    def _evaluated(session: Any, script: str) -> Any:
        asked = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = session.send("Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, path: Path) -> Path:
        """The whole page as it is now, for people to look at."""
        self.page.screenshot(path=path, full_page=True)
        return path


class Chromium:
    """One process; each window is a visitor of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @contextmanager
    def window(self, *, desk: bool = False, javascript: bool = True, **more: Any) -> Iterator[Window]:
        """A phone's by default. `more` goes to playwright's `new_context`: `locale`, `color_scheme`, `timezone_id` …"""
        said = {"locale": "en-GB", "service_workers": "block", **(DESK if desk else PHONE), **more}
        context = self._browser.new_context(java_script_enabled=javascript, **said)
        try:
            window = Window(context)
            yield window
            window.check()
        finally:
            context.close()


@contextmanager
def running() -> Iterator[Chromium]:
    """Skips the test that asks where there is no Chromium."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    arguments = [
        "--disable-blink-features=AutomationControlled",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_program(), args=arguments, chromium_sandbox=os.getuid() != 0, timeout=60_000
        )
        try:
            yield Chromium(browser)
        finally:
            browser.close()


@cache
def axe() -> str:
    """The source of axe-core, from npm. Skips the test that asks where there is no Node."""
    clients.install()
    return (clients.HERE / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def _is_here(url: str) -> bool:
    found = urlsplit(url)
    return found.scheme in WITHIN or (found.hostname or "") in HERE


def _nowhere(route: Route) -> None:
    route.abort()


def _told(violation: dict[str, Any]) -> str:
    places = "; ".join(f"{node['target']} {node['html'][:120]}" for node in violation["nodes"][:5])
    return f"{violation['id']} ({violation['impact']}): {violation['help']}: {places}"
