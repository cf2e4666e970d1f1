"""Everything that we could think of that a document might do to us; each ends by a code, or as a right PDF."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
import pytest

from tests.proposals.pdf import hostile_html, hostile_text, verapdf
from tests.proposals.pdf.hostile_html import Case
from tests.proposals.pdf.limited import MEGABYTES, Limited, Outcome
from tests.proposals.pdf.pages import page

pytestmark = pytest.mark.xdist_group("printed proposals")
CASES = [*hostile_html.refused(), *hostile_text.texts(), *hostile_text.styles(), *hostile_text.pictures()]
ENDS = {"printed", "pdf_refused", "picture_invalid", "timed_out", "out_of_memory"}


class Listener:
    """Hears who connects to this machine."""

    def __init__(self) -> None:
        self.heard = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.heard += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def limited() -> Iterator[Limited]:
    with Limited() as process:
        yield process


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_documents_end_by_a_code_or_as_a_right_pdf(
    case: Case, limited: Limited, listener: Listener, folder: Path
) -> None:
    out = folder / f"{CASES.index(case)}.pdf"
    outcome = limited.run(case.html.replace("{port}", str(listener.port)), case.assets or {}, out)
    assert outcome.code in ENDS, outcome
    assert outcome.tried == [], outcome
    assert outcome.seconds < 10
    assert outcome.megabytes < MEGABYTES
    assert listener.heard == 0
    if case.reason is None:
        assert outcome.code == "printed", outcome
        assert case.shows in _text(out)
    elif case.reason != "*":
        assert (outcome.code in {"pdf_refused", "picture_invalid"}, outcome.reason) == (True, case.reason), outcome


def test_there_are_more_than_a_hundred_of_them_under_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) > 100


def test_whatever_was_printed_of_them_is_archivable_and_accessible(folder: Path) -> None:
    printed = sorted(path for path in folder.iterdir() if path.stat().st_size < 25_000)
    assert len(printed) > 25
    verdicts = verapdf.verify(printed)
    names = {str(folder / f"{place}.pdf"): case.name for place, case in enumerate(CASES)}
    assert {(names[one.file], one.profile): one.failed for one in verdicts if one.failed or not one.passed} == {}


def test_a_listener_is_heard_by_a_document_that_does_fetch(listener: Listener, limited: Limited) -> None:
    """The listener hears, and the list of what was tried is not empty where something is."""
    socket.create_connection(("127.0.0.1", listener.port)).close()
    for _ in range(100):
        if listener.heard:
            break
        threading.Event().wait(0.02)
    assert listener.heard == 1


def test_limits_end_what_does_not_end_by_itself(limited: Limited, folder: Path) -> None:
    """Neighbours are unharmed: the next document is printed."""
    lines = "<table>" + "<tr><td>x</td><td>y</td></tr>" * 4_000 + "</table>"
    slow: Outcome = limited.run(page(lines), {}, folder / "slow.pdf", 0.5)
    assert slow.code == "timed_out", slow
    greedy = page("<p>x</p>", "body { display: grid; grid-template-columns: repeat(400000000, 1fr) }")
    assert limited.run(greedy, {}, folder / "greedy.pdf", 1.0).code in {"out_of_memory", "timed_out"}
    after: Outcome = limited.run(page("<h1>Offer</h1>"), {}, folder / "after.pdf")
    assert after.code == "printed"


def _text(path: Path) -> str:
    opened = pypdfium2.PdfDocument(path)
    try:
        return " ".join(page.get_textpage().get_text_bounded() for page in opened).replace("\u200b", "")
    finally:
        opened.close()
