"""Documents whose names, texts, pictures and company styles want to harm, through templates and a printing process.

What people write is printed as they wrote it; what cannot be is refused by a code, and the process goes on."""

import asyncio
import io
import socket
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pikepdf
import pypdfium2
import pytest

from proposals.document import Brand, Document, Item, Party, Picture, Section, canonical
from proposals.rendering.values import Order
from proposals.rendering.worker import PrintFailed, Worker
from proposals.templates.template import BUILT_IN, Template
from sfa.core.apart import Failed
from tests.proposals import builders
from tests.proposals.pdf import matrix, verapdf

pytestmark = pytest.mark.xdist_group("printed proposals")
LISTENING = "http://127.0.0.1:{port}"
NAMES = {
    "HTML": "<script>alert(1)</script>",
    "a picture": '<img src="file:///etc/passwd" onerror="x">',
    "the end of everything": '"></bdi></style></body></html>',
    "a drawing": "<svg><use href='#a'/><image href='file:///etc/passwd'/></svg>",
    "entities": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>&a;',
    "a template": "{{ sheet.__class__.__mro__ }}{% for x in range(10**9) %}",
    "a style": "} body { background: url(file:///etc/passwd) } p {",
    "controls": "a\x00\x07\x1b[31mb",
    "an order turned around": "100 \u202e 001\u202c \u2066\u2067",
    "half a pair of signs": "\ud83d",
    "one long word": "W" * 500,
    "marks": "Z" + "\u0335\u0301" * 240,
}
TEXTS = {
    "a link to a script": "[click](javascript:alert(1))",
    "a link to a file": "[click](file:///etc/passwd) <file:///etc/passwd>",
    "a link to a cloud": "[click](http://169.254.169.254/)",
    "a link behind a reference": "[click][a]\n\n[a]: file:///etc/passwd",
    "a picture": f"![click]({LISTENING}/x.png) ![y](file:///etc/passwd)",
    "HTML": "click\n\n<script>alert(1)</script>\n<iframe src='file:///etc/passwd'></iframe>",
    "quotes in quotes": ">" * 300 + " click",
    "lists in lists": "".join("  " * depth + "- click\n" for depth in range(200)),
    "emphasis in emphasis": "*_" * 2_000 + "click" + "_*" * 2_000,
    "brackets": "[" * 20_000 + " click",
    "a word that fills it": "w" * 49_000 + " click",
    "blanks": "click" + " " * 40_000 + "click",
    "headings": "# click\n\n###### click\n\n## click",
}
STYLES = {
    "a file": "p { background: url(file:///etc/passwd) }",
    "an import": f'@import "{LISTENING}/x.css"; body {{ color: red }}',
    "a listener": f"body {{ background: url({LISTENING}/x.png) }}",
    "an end": "</style><script>alert(1)</script><style>",
    "a font": f"@font-face {{ font-family: x; src: url({LISTENING}/x.ttf) }} body {{ font-family: x }}",
}


class Case(NamedTuple):
    name: str
    order: Order
    code: str = "printed"
    reason: str | None = None
    shows: str = ""


def _order(document: Document, css: str = "", assets: dict[str, bytes] | None = None) -> Order:
    base = BUILT_IN[document.template.key]
    template = Template(key=base.key, base=base.base, css=css) if css else base
    return Order(canonical(document), template, assets or {}, "pdf")


SHORT = builders.offered()[:2]


def _short(template: str, **more: object) -> Document:
    """The sample with two lines."""
    return builders.document(SHORT, template, **({"sections": builders.SECTIONS[:1]} | more))


def _named(name: str, template: str) -> Document:
    """With the name wherever there is one."""
    party = Party(name=name, person=name, title=name, address=(name, name), email=name, phone=name, tax_id=name)
    item: Item = msgspec.structs.replace(builders.offered()[0][0], name=name, text=name, sku=name, unit=name[:20])
    sections = (Section(key="roof", title=name, text=name),)
    return _short(
        template, title=name, buyer=party, author=party, brand=Brand(footer=name), sections=sections,
        items=(item, *(kept for kept, _ in SHORT[1:])), summary=name, terms=name, closing=name,
    )  # fmt: skip


def cases(port: int) -> Iterator[Case]:
    keys = [*BUILT_IN] * 20
    for name, said in NAMES.items():
        if name == "half a pair of signs":  # JSON has no way to say it: it ends there
            continue
        shows = "<script>alert(1)</script>" if name == "HTML" else ""
        yield Case(f"a name that is {name}", _order(_named(said, keys.pop())), shows=shows)
    for name, text in TEXTS.items():
        document = _short(keys.pop(), terms=text.replace("{port}", str(port)))
        yield Case(f"a text with {name}", _order(document), shows="click")
    for name, css in STYLES.items():
        order = _order(_short("classic"), css.replace("{port}", str(port)))
        yield Case(f"a style with {name}", order, "template_invalid")
    for name, content in {
        "a drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        "cut short": matrix.LOGO[:200],
    }.items():
        digest = sha256(content).hexdigest()
        brand = Brand(logo=Picture(digest, "image/png", 240, 120, "x"))
        order = _order(_short("classic", brand=brand), "", {digest: content})
        yield Case(f"a logo that is {name}", order, "picture_invalid")
    lost = Brand(logo=Picture("0" * 64, "image/png", 240, 120, "x"))
    yield Case("a logo that is not there", _order(_short("classic", brand=lost)), "pdf_refused", "picture_missing")


async def _made(asked: list[Case]) -> list[tuple[str, dict[str, Any], bytes]]:
    """(code, details, bytes) of each, by one process after another."""
    worker = Worker()
    found: list[tuple[str, dict[str, Any], bytes]] = []
    try:
        for case in asked:
            try:
                found.append(("printed", {}, await worker.make(case.order)))
            except PrintFailed as failed:
                found.append((failed.code, failed.details, b""))
            except Failed as failed:
                found.append((failed.code, {}, b""))
    finally:
        await worker.close()
    return found


@pytest.fixture(scope="module")
def ends() -> list[tuple[Case, str, dict[str, Any], bytes]]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(0)
        asked = list(cases(listening.getsockname()[1]))
        found = [(case, *end) for case, end in zip(asked, asyncio.run(_made(asked)), strict=True)]
        with pytest.raises(BlockingIOError):  # nobody has come
            listening.accept()
    return found


def test_every_one_ends_as_it_should(ends: list[tuple[Case, str, dict[str, Any], bytes]]) -> None:
    wrong = {
        case.name: (code, details)
        for case, code, details, _ in ends
        if (code, details.get("reason", case.reason) if case.reason else None) != (case.code, case.reason)
    }
    assert wrong == {}
    assert len(ends) > 30


def test_names_and_texts_are_printed_as_they_were_written(ends: list[tuple[Case, str, dict[str, Any], bytes]]) -> None:
    for case, _, _, pdf in ends:
        if case.shows:
            opened = pypdfium2.PdfDocument(pdf)
            text = "".join(page.get_textpage().get_text_range() for page in opened)
            assert case.shows in "".join(text.split()) or case.shows in text, case.name
            opened.close()


def test_no_link_leads_where_it_should_not(ends: list[tuple[Case, str, dict[str, Any], bytes]]) -> None:
    for case, _, _, pdf in ends:
        if pdf:
            with pikepdf.open(io.BytesIO(pdf)) as opened:
                assert list(opened.attachments) == ["proposal.json"]
                for thing in opened.objects:
                    if isinstance(thing, pikepdf.Dictionary) and "/URI" in thing:
                        assert str(thing.URI).startswith(("https://", "mailto:", "tel:")), case.name


def test_what_was_printed_is_archivable_and_accessible(
    ends: list[tuple[Case, str, dict[str, Any], bytes]], tmp_path: Path
) -> None:
    files = {
        tmp_path / f"{place}.pdf": (case, pdf) for place, (case, _, _, pdf) in enumerate(ends) if 0 < len(pdf) < 60_000
    }
    for path, (_, pdf) in files.items():
        path.write_bytes(pdf)
    verdicts = verapdf.verify(files)
    assert {(files[Path(one.file)][0].name, one.profile): one.failed for one in verdicts if one.failed} == {}
