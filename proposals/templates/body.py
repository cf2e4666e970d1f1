"""What a company's template made, looked at before it goes anywhere: its elements, its addresses, and its amounts.

A template writes HTML around fields, so only the whole shows what it is. Promises: no script, style, form, frame or
address but links that a document may have and pictures that this one has; and every amount that counts stands in the
text, so that no template leaves out what is to be paid. Strictly written it must be anyhow: `proposals.pdf.checking`.
"""

import re
from collections import Counter
from html import unescape

from proposals.pdf.checking import HTML, LINK, TAG
from proposals.templates.problems import Problem, refuse
from proposals.templates.sheet import Sheet

BODY = re.compile(r"<body[^<>]*>")
NEVER = frozenset(("html", "head", "title", "meta", "style", "body"))
CHART = frozenset(("svg", "title", "desc", "rect"))
_ALLOWED = "id class href src alt width height scope colspan rowspan dir lang role aria-label aria-labelledby"
ALLOWED = frozenset(_ALLOWED.split())
DRAWN = ALLOWED | frozenset(("xmlns", "viewbox", "fill", "x", "y"))
ATTRIBUTE = re.compile(r"""([a-z_:][a-z0-9_:.-]*)(?:=(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""", re.IGNORECASE)
HIDDEN = "on-screen"  # what the base leaves out on paper
ANY_TAG = re.compile(r"<[^<>]*>")


def check(html: str, sheet: Sheet) -> None:
    """Refuses `template_invalid`."""
    found = BODY.search(html)
    body = html[found.end() : html.rfind("</body>")] if found else ""
    refuse(_elements(body, sheet)[:1] or _amounts(body, sheet)[:1])


def _elements(body: str, sheet: Sheet) -> list[Problem]:
    pictures = {picture.address for part in sheet.parts for picture in part.pictures}
    pictures |= {sheet.logo.address} if sheet.logo is not None else set()
    drawn = hidden = 0
    start = body.find("<")
    while start >= 0:
        tag = TAG.match(body, start)
        if tag is None or tag["type"]:
            return [Problem("html", f"no tag that is written strictly: {body[start : start + 60]!r}")]
        name = tag["name"].lower()
        drawn += 0 if name != "svg" else -1 if tag["end"] else 1
        if name not in (CHART if drawn or name == "svg" else HTML - NEVER):
            return [Problem("html", f"<{name}> is not for templates", field=name)]
        for each in ATTRIBUTE.finditer(tag["rest"]):
            key, value = each[1].lower(), unescape(each[2] or each[3] or each[4] or "")
            if key not in (DRAWN if drawn else ALLOWED):
                return [Problem("html", f"{key} is not for templates", field=key)]
            if key == "href" and not LINK.match(value):
                return [Problem("html", f"links lead to https, mailto or tel: {value[:60]!r}", field=key)]
            if key == "src" and value not in pictures:
                return [Problem("html", f"no picture of this document: {value[:60]!r}", field=key)]
            hidden += key == "class" and HIDDEN in value.split()
        start = body.find("<", tag.end())
    if hidden > int(sheet.draft) + bool(sheet.footer):
        return [Problem("html", f"the class {HIDDEN} is the base's own")]
    return []


def _amounts(body: str, sheet: Sheet) -> list[Problem]:
    """Of lines that count, of what is due, and the total: each as often as the document says it."""
    text = unescape(ANY_TAG.sub(" ", body))
    told = Counter(word.strip("().,;:") for word in re.split("[ \n\t]+", text))
    wanted = Counter(line.amount for part in sheet.parts for line in part.lines if line.counts)
    wanted += Counter(due.amount for due in sheet.dues) + Counter(row.amount for row in sheet.rows)
    missing = wanted - told
    return [Problem("amounts", f"it leaves out {amount}", field=amount) for amount in sorted(missing)]
