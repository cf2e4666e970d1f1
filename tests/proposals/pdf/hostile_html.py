"""HTML that wants to load, to run, to lead elsewhere, or to be more than a page: what each comes to.

A case is its HTML and either the `reason` that it is refused for, or none where it is printed. `{port}` is a listener
on this machine that must not hear anything.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.proposals.pdf.pages import STYLE, page

WORDS = "<p>right</p>"


class Case(NamedTuple):
    name: str
    html: str
    reason: str | None = None
    shows: str = ""
    assets: dict[str, bytes] | None = None


ADDRESSES = {
    "a file": "file:///etc/passwd",
    "a file in capitals": "FILE:///etc/passwd",
    "a file of this machine": "file://localhost/etc/passwd",
    "a listener": "http://127.0.0.1:{port}/picture.png",
    "a listener by another name": "http://[::1]:{port}/picture.png",
    "a listener by number": "http://2130706433:{port}/picture.png",
    "what a cloud tells its machines": "http://169.254.169.254/latest/meta-data/",
    "a page that redirects": "http://127.0.0.1:{port}/redirect?to=file:///etc/passwd",
    "a stranger": "https://example.com/picture.png",
    "another protocol": "ftp://127.0.0.1:{port}/picture.png",
    "an archive": "jar:file:///etc/passwd!/x",
    "itself": "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E",
    "a picture outside": "asset:../../../etc/passwd",
    "a font": "font:NotoSans-Regular.ttf",
    "nothing that is known": "asset:",
}
STYLES = {
    "an import": "@import url(http://127.0.0.1:{port}/style.css);",
    "an import of a file": '@import "file:///etc/passwd";',
    "a background": "body { background: url(http://127.0.0.1:{port}/b.png) }",
    "a background of the page": "@page { background: url(file:///etc/passwd) }",
    "an escaped background": "body { background: url(\\66 ile:///etc/passwd) }",
    "content": "p::before { content: url(file:///etc/passwd) }",
    "content of a margin": "@page { @top-left { content: url(http://127.0.0.1:{port}/m.png) } }",
    "a bullet": "li { list-style-image: url(file:///etc/passwd) }",
    "a border": "p { border-image: url(file:///etc/passwd) 1 }",
    "a profile of colours": "@color-profile device-cmyk { src: url(file:///etc/passwd) }",
}
ELEMENTS = {
    "script": "<script>app.alert(1)</script>",
    "iframe": '<iframe src="file:///etc/passwd"></iframe>',
    "object": '<object data="file:///etc/passwd"></object>',
    "embed": '<embed src="file:///etc/passwd">',
    "link": '<link rel="stylesheet" href="file:///etc/passwd">',
    "attachment": '<link rel="attachment" href="file:///etc/passwd">',
    "base": '<base href="file:///etc/">',
    "form": '<form action="http://127.0.0.1:{port}/"><input name="x"></form>',
    "video": '<video src="http://127.0.0.1:{port}/v"></video>',
    "template": "<template><p>x</p></template>",
    "noscript": "<noscript><p>x</p></noscript>",
    "plaintext": "<plaintext>x</plaintext>",
    "math": "<math><mi>x</mi></math>",
    "use": '<svg><g id="a"><path d="M0 0"/></g><g id="b"><use href="#a"/><use href="#a"/></g></svg>',
    "image in a drawing": '<svg><image href="file:///etc/passwd"/></svg>',
    "style in a drawing": "<svg><style>@import url(file:///etc/passwd)</style></svg>",
    "script in a drawing": "<svg><script>1</script></svg>",
    "HTML in a drawing": "<svg><foreignObject><p>x</p></foreignObject></svg>",
    "filter": '<svg><filter id="f"><feImage href="file:///etc/passwd"/></filter></svg>',
    "pattern": '<svg><pattern id="p" width="1" height="1"><rect/></pattern></svg>',
}
MARKUP = {
    "a comment": "<!-- <p> --><p>x</p>",
    "entities": '<!DOCTYPE svg [<!ENTITY a "b">]><svg></svg>',
    "data": "<svg><![CDATA[x]]></svg>",
    "an instruction": "<?xml version='1.0'?><p>x</p>",
    "never closed": "<div><p>x</p>",
    "closed by another": "<b><i>x</b></i>",
    "closes nothing": "</div><p>x</p>",
    "a quote that swallows tags": '<div><p title="></p></div><i class=">x</i>',
    "a tag in a tag": "<di<style></style>v>x</div>",
    "a style that ends early": "<style>a</style x><script></style>",
    "a sign that begins nothing": "<p>1 < 2</p>",
    "a tag without end": "<p>x</p><p ",
}
LINKS = {
    "script": "javascript:alert(1)",
    "a file": "file:///etc/passwd",
    "what a cloud tells its machines": "http://169.254.169.254/",
    "data": "data:text/html,x",
    "another host": "//127.0.0.1:{port}/x",
    "a program": "ms-msdt:/id",
    "a script in capitals": "JaVaScRiPt:alert(1)",
    "a script behind a blank": "&#32;javascript:alert(1)",
}


def refused() -> Iterator[Case]:
    for name, address in ADDRESSES.items():
        yield Case(f"a picture that is {name}", page(f'<img src="{address}" alt="x">'), "address")
    for name, style in STYLES.items():
        yield Case(f"a style with {name}", page("<ul><li>x</li></ul><p>y</p>", style + STYLE), "address")
    for name, body in ELEMENTS.items():
        yield Case(f"an element: {name}", page(body), "element")
    for name, body in MARKUP.items():
        yield Case(f"markup: {name}", page(body), "markup")
    for name, href in LINKS.items():
        yield Case(f"a link to {name}", page(f'<p><a href="{href}">x</a></p>'), "link")
    yield Case("a link that attaches", page('<p><a rel="attachment" href="https://example.com/">x</a></p>'), "link")
    yield Case("a link made by a style", page(WORDS, STYLE + 'p { -weasy-link: "file:///etc/passwd" }'), None, "right")
    yield from _too_much()


def _too_much() -> Iterator[Case]:
    yield Case("300 quotes in one another", page("<blockquote>" * 300 + "x" + "</blockquote>" * 300), "depth")
    yield Case("300 emphases in one another", page("<p>" + "<b>" * 300 + "x" + "</b>" * 300 + "</p>"), "depth")
    yield Case("50,000 elements in one another", page("<div>" * 50_000 + "</div>" * 50_000), "depth")
    tables = page("<table><tr><td>" * 8 + "x" + "</td></tr></table>" * 8)
    yield Case("8 tables in one another", tables, "depth")
    yield Case(
        "a cell over a billion columns", page('<table><tr><td colspan="999999999999">x</td></tr></table>'), "depth"
    )
    rows = "<tr><td>x</td></tr>" * 10_000
    yield Case("10,000 lines", page(f"<table>{rows}</table>"), "rows")
    yield Case("a million tags", page("<br>" * 1_000_000), "rows")
    yield Case("9 million characters", page("<p>" + "x " * 4_500_000 + "</p>"), "size")
    yield Case("400 pages", page("<p>x</p>" * 400, STYLE + "p { break-after: page }"), "pages")
    yield Case("a word of a megabyte", page("<p>" + "w" * 1_000_000 + "</p>"), "text")
    yield Case("a page of a kilometre", page(WORDS, STYLE + "@page { size: 1000000mm 1000000mm }"), "page")
    yield Case("a glyph that a style shows", page(WORDS, STYLE + 'p::before { content: "\\e000" }'), "glyphs")
