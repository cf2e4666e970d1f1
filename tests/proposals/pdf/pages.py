"""Small documents to print."""

from typing import Any

from proposals.pdf.printing import print_pdf

MADE_AT = 1_750_000_000_000
STYLE = """@page { size: A4; margin: 20mm; @bottom-right { content: "Page " counter(page) " of " counter(pages) } }
body { font-family: "Noto Sans"; font-size: 10pt } table { width: 100%; border-collapse: collapse }"""
BODY = """<h1>Offer</h1><p>To <a href="https://example.com">somebody</a></p>
<table><thead><tr><th scope="col">What</th><th scope="col">Amount</th></tr></thead>
<tbody><tr><th scope="row">Engine</th><td>1.00</td></tr></tbody></table>"""


def page(body: str = BODY, style: str = STYLE) -> str:
    head = f"<title>Offer</title><style>{style}</style>"
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def printed(html: str, **changed: Any) -> bytes:
    fixed: dict[str, Any] = {"document_json": b'{"total":1}', "title": "Offer", "language": "en", "made_at": MADE_AT}
    return print_pdf(html, **fixed | changed)
