"""The API as a page for people: made here from the description, without a script and without a request elsewhere.

Its Content-Security-Policy allows nothing but its own style sheet, by digest.
"""

import hashlib
import json
from base64 import b64encode
from html import escape
from typing import Any

from litestar import MediaType, Request, Response, get

from sfa.web.middleware import PUBLIC
from sfa.web.openapi import description

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1a1a1a}"
    "summary{cursor:pointer;padding:.2rem 0}summary b{display:inline-block;width:4.5rem}"
    "pre{background:#f4f4f5;padding:.7rem;overflow:auto;font-size:13px}table{border-collapse:collapse}"
    "td{padding:.1rem .8rem .1rem 0;vertical-align:top}code{font-size:13px}h2{margin-top:2rem}"
    "@media(prefers-color-scheme:dark){body{background:#18181b;color:#e4e4e7}pre{background:#27272a}a{color:#93c5fd}}"
)
_DIGEST = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@get("/docs/api", opt=PUBLIC, media_type=MediaType.HTML, sync_to_thread=False, include_in_schema=False)
def api_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Every operation, with what it takes and answers."""
    return Response(page(description(request.app)), headers=HEADERS)


def page(said: dict[str, Any]) -> str:
    """The whole page of a description: pure."""
    groups: dict[str, list[str]] = {}
    refused = {f"#/components/responses/{name}": said for name, said in said["components"]["responses"].items()}
    for path, methods in said["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(path, method, operation, refused))
    parts = "".join(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>{"".join(items)}' for tag, items in groups.items())
    places = " · ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in groups)
    title = f"{escape(said['info']['title'])} {escape(said['info']['version'])}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{STYLE}</style><h1>{title}</h1>"
        f'<p>Machines read <a href="/schema/openapi.json">openapi.json</a>; errors have '
        f'<a href="/docs/errors">stable codes</a>.</p><p>{places}</p>{parts}</html>'
    )


def _operation(path: str, method: str, operation: dict[str, Any], refused: dict[str, Any]) -> str:
    open_to_all = "" if operation.get("security") else " <i>(open)</i>"
    head = f"<b>{method.upper()}</b><code>{escape(path)}</code> {escape(operation.get('summary', ''))}{open_to_all}"
    text = escape(operation.get("description", ""))
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code><td>{p['in']}<td>{escape(p.get('description', ''))}"
        for p in operation.get("parameters", ())
    )
    takes = "".join(
        f"<p>Takes <code>{escape(kind)}</code></p>{_example(content)}"
        for kind, content in operation.get("requestBody", {}).get("content", {}).items()
    )
    every = sorted(operation["responses"].items())
    answers = "".join(_answer(status, refused.get(said.get("$ref"), said)) for status, said in every)
    return f"<details><summary>{head}</summary><p>{text}</p><table>{rows}</table>{takes}{answers}</details>"


def _answer(status: str, said: dict[str, Any]) -> str:
    line = f"<p><b>{status}</b> {escape(said.get('description', ''))}</p>"
    if status >= "4":
        return line
    return line + "".join(_example(content) for content in said.get("content", {}).values())


def _example(content: dict[str, Any]) -> str:
    value = content.get("example")
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return f"<pre>{escape(shown)}</pre>" if value is not None else ""
