"""What a buyer does in a browser, in the words of the page: by labels and buttons, as people find them."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser import Window

READ_MS = 3_500  # long enough for a person to have looked (R51)


class Reader:
    """Somebody with a phone, at the page of a link. Each step is a picture, for people to look at."""

    def __init__(self, window: Window, link: str, folder: Path) -> None:
        self.window, self.link, self.folder = window, link, folder
        self.page: Page = window.page
        self._shots = 0

    def show(self, name: str) -> None:
        """The whole page, and what a phone shows of it."""
        self._shots += 1
        self.window.picture(self.folder / f"{self._shots:02}-{name}.png")
        self.page.screenshot(path=self.folder / f"{self._shots:02}-{name}-screen.png")

    def open(self) -> int:
        """-> the status."""
        answer = self.page.goto(self.link)
        assert answer is not None
        return answer.status

    def read(self) -> None:
        """As a person does: touches, moves on, looks."""
        self.page.touchscreen.tap(195, 300)
        self.page.mouse.wheel(0, 400)
        self.page.wait_for_timeout(READ_MS)

    @property
    def total(self) -> str:
        return self.page.locator("#bar [data-total]").inner_text()

    def take(self, option: str) -> None:
        """Returns when the server has said the new total."""
        before = self.total
        self.page.get_by_role("checkbox", name=re.compile(re.escape(option))).check()
        expect(self.page.locator("#bar [data-total]")).not_to_have_text(before)

    def ask(self, name: str, text: str) -> None:
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_label("Your question").fill(text)
        self.page.get_by_role("button", name="Send the question").click()
        expect(self.page.get_by_text("Your question was sent")).to_be_visible()

    def draw(self, name: str) -> None:
        """A signature by a finger."""
        self.page.get_by_label("Your full name").first.fill(name)
        self.page.get_by_role("radio", name="Draw it").check()
        pad = self.page.locator("#pad")
        pad.scroll_into_view_if_needed()
        box = _box(pad)
        self.page.mouse.move(box["x"] + 20, box["y"] + box["height"] * 0.7)
        self.page.mouse.down()
        for step in range(24):
            across = box["x"] + 20 + step * (box["width"] - 40) / 24
            self.page.mouse.move(across, box["y"] + box["height"] * (0.3 if step % 4 < 2 else 0.7), steps=2)
        self.page.mouse.up()

    def agree(self) -> None:
        self.page.locator("#consent").check()

    def accept(self) -> None:
        self.page.get_by_role("button", name=re.compile(r"^Accept for")).click()
        expect(self.page.get_by_role("heading", name="This offer was accepted")).to_be_visible()

    def saved(self, name: str, path: Path) -> bytes:
        """What a link of the page gives."""
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name=re.compile(name)).first.click()
        download.value.save_as(path)
        return path.read_bytes()

    def verify(self, address: str, path: Path) -> str:
        """Ask about a file at the page where anybody may; -> how it is headed what is said."""
        self.page.goto(f"{address}/verify")
        self.page.get_by_label("PDF file").set_input_files(path)
        self.page.get_by_role("button", name="Check").click()
        return self.page.get_by_role("status").get_by_role("heading").inner_text()


def _box(found: Locator) -> dict[str, Any]:
    box = found.bounding_box()
    assert box is not None
    return dict(box)
