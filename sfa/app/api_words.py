"""What each operation is called in the description of the API, in a few words, and the operations that have a protocol
of their own: the round of a device, and files in pieces (docs/sync-protocol.md, docs/files.md).

Operations of every entity name themselves (`sfa/crm/rest/description.py`). A test holds these tables to the routes.
"""

from typing import Any

Json = dict[str, Any]
SUMMARIES: dict[str, str] = {
    "POST /auth/login": "Log in and register this device",
    "POST /auth/refresh": "Renew an access token",
    "POST /auth/logout": "Log this device out",
    "GET /auth/me": "Read who is logged in",
    "GET /health": "Ask whether the server works",
    "GET /api/accounts/{key}/tree": "Read the customers above and below a customer",
    "GET /api/accounts/{key}/rollup": "Add up a customer with all below it",
    "GET /api/accounts/{key}/timeline": "List what happened with a customer",
    "GET /api/contacts/{key}/may-contact": "Ask whether a person may be contacted",
    "GET /api/contacts/{key}/export": "Export all that is held about a person",
    "POST /api/contacts/{key}/erase": "Erase a person everywhere",
    "GET /api/history/{entity}/{key}": "List the versions of a row",
    "GET /api/notes/{key}/document": "Read a note as a Yjs document",
    "GET /api/notes/{key}/history": "List the versions of a note",
    "GET /api/notes/{key}/history/{rev}": "Read one version of a note",
    "GET /api/deals/{key}/state": "Read where a deal stands and what it lacks",
    "GET /api/deals/review": "List deals that slipped or stalled",
    "GET /api/deals/{key}/pnl": "Explain what a deal earns, fact by fact",
    "GET /api/deals/{key}/pnl.csv": "Read what a deal earns as a file",
    "GET /api/profit/{dimension}": "List what customers, products or people earn",
    "GET /api/profit/whales": "Read the whale curve of customers",
    "GET /api/accounts/{key}/profit": "Explain what a customer earns, fact by fact",
    "GET /api/campaigns/{key}/roi": "Read what a campaign cost and brought",
    "GET /api/accounts/{key}/whitespace": "Compare what a customer buys with similar ones",
    "GET /api/quotas/{key}/members": "Compare a target with those of its members",
    "GET /api/fiscal-calendar": "Read the fiscal periods of a day",
    "GET /api/forecast/calls": "List calls, and what the caller may still name",
    "POST /api/forecast/calls": "Call a number for a period",
    "GET /api/forecast/accuracy": "Compare locked calls with what was closed",
    "GET /api/forecast/accuracy/chart": "Draw locked calls against what was closed",
    "GET /api/attainment": "List quotas with their figures",
    "GET /api/quotas/{key}/attainment": "Read the figure of a quota with its pace",
    "GET /api/quotas/{key}/contributions": "Explain a figure fact by fact",
    "GET /api/quotas/{key}/closings": "List what a quota's figure was at each closing",
    "GET /api/quotas/{key}/restatement": "Compare a closed figure with today's",
    "GET /api/quotas/{key}/restatement.csv": "Read the differences of a closed figure as a file",
    "GET /api/periods/{key}/closing": "Sum up what a closed period would be today",
    "GET /api/forecast/snapshots": "List the snapshots of the forecast",
    "GET /api/forecast/snapshots/{number}": "Read a snapshot whole",
    "GET /api/forecast/movement": "Bridge the forecast from one snapshot to another",
    "GET /api/forecast/movement/chart": "Draw the bridge from one snapshot to another",
    "GET /api/forecast/rollup/chart": "Draw a node of the forecast and those below it",
    "GET /api/forecast/movement/deals": "List the deals behind a bridge",
    "GET /api/forecast/coverage": "Compare open deals with what is missing of a target",
    "GET /api/forecast/changes": "List what changed of deals, when and by whom",
    "GET /api/deals/{key}/proposals": "List the proposals of a deal with what they come to",
    "GET /api/proposals/{key}/document": "Read all that is printed of a proposal",
    "GET /api/proposals/{key}/preview": "Look at a proposal as a page",
    "GET /api/proposals/{key}/versions": "List what was sent of a proposal",
    "GET /api/proposals/{key}/approvals": "Ask who must approve a proposal, and who did",
    "GET /api/proposal-approvals": "List the proposals that wait for your approval",
    "GET /api/proposals/{key}/opens": "Read who opened what was sent of a proposal, and for how long",
    "GET /api/proposals/{key}/questions": "List what buyers asked about a proposal",
    "GET /api/proposal-funnel": "Read what became of what was sent",
    "GET /api/proposal-questions": "List the questions that wait for your answer",
    "GET /api/proposal_templates/{key}/versions": "List the versions of a template",
    "GET /api/proposal_templates/{key}/preview": "Look at a template with a made-up offer",
    "POST /api/proposals/{key}/links": "Make a link to hand over, or to look at a proposal as its buyer does",
    "GET /api/proposals/{key}/deliveries": "Read what was mailed of a proposal to whom, and which links there are",
    "GET /api/proposals/{key}/render": "Read where the printing of a proposal stands",
    "GET /api/webhooks": "List the endpoints that are told of events",
    "POST /api/webhooks": "Add an endpoint",
    "PATCH /api/webhooks/{key}": "Change an endpoint, or switch it on or off",
    "DELETE /api/webhooks/{key}": "Delete an endpoint",
    "POST /api/webhooks/{key}/rotate": "Give an endpoint a new secret",
    "POST /api/webhooks/{key}/test": "Send an endpoint a test event",
    "POST /api/webhooks/{key}/replay": "Send an endpoint again what it missed",
    "GET /api/webhooks/{key}/deliveries": "List what was sent to an endpoint",
    "POST /api/webhooks/{key}/deliveries/{event}/replay": "Send one event again",
    "GET /api/proposal-pictures": "List the pictures that proposals may show",
    "GET /api/pricing/guides": "List what prices are measured against",
    "POST /api/deals/{key}/what-if": "Compare a deal with what it would be at another price",
    "GET /api/reconciliation": "Read what the last reconciliation found",
    "GET /api/commission/statements": "List statements of commission",
    "GET /api/commission/statements/{user}/{period}": "Read what a period pays somebody, and why",
    "GET /api/forecast/outlook": "Read the range of a node and of those directly below it",
    "GET /api/forecast/outlook/moved": "Read why a range is another than it was",
    "GET /api/forecast/outlook/deals": "List open deals with their chances",
    "GET /api/forecast/outlook/deals/{key}": "Read the chances of a deal, and why",
    "GET /api/forecast/outlook/runs": "List the runs of the forecast engine",
    "GET /api/forecast/outlook/runs/{number}": "Read how far a run is",
    "POST /api/forecast/outlook/runs": "Ask for a run of the forecast engine",
    "DELETE /api/forecast/outlook/runs/{number}": "Cancel a run of the forecast engine",
    "GET /api/forecast/honesty": "Read how right ranges, models and calls were",
    "GET /api/forecast/rollup": "Read what will be sold, level by level",
    "GET /api/forecast/nodes/{node}": "Read the forecast of a node and of those directly below it",
    "GET /api/forecast/deals": "List the deals that a forecast is the sum of",
    "GET /api/forecast/overrides": "List figures that were put in the place of others",
    "PUT /api/forecast/overrides/{period}/{node}/{view}": "Put a figure in the place of what is rolled up",
    "DELETE /api/forecast/overrides/{period}/{node}/{view}": "Take a figure back",
    "GET /api/search": "Search by the beginnings of words in names",
    "POST /api/imports/{entity}": "Import a CSV file",
    "GET /api/imports/runs/{key}": "Read how far an import is",
    "GET /api/imports/runs/{key}/faults.csv": "Read the faults of an import as a file",
    "GET /api/conflicts": "List conflicts that wait for a decision",
    "GET /api/conflicts/{key}": "Explain a conflict",
    "POST /api/conflicts/{key}/restore": "Put back what lost",
    "POST /api/conflicts/{key}/dismiss": "Let stand what stands",
    "GET /api/refusals": "List refused changes of one's own",
    "GET /api/refusals/{key}": "Explain a refusal",
    "POST /api/refusals/{key}/repair": "Send a refused change again, repaired",
    "POST /api/refusals/{key}/dismiss": "Give a refused change up",
    "GET /api/suggestions": "List suggestions that wait for a decision",
    "GET /api/suggestions/{key}": "Explain a suggestion",
    "POST /api/suggestions/{key}/accept": "Do what is suggested",
    "POST /api/suggestions/{key}/decline": "Decline a suggestion",
    "GET /api/handovers": "List one's own changes that wait with somebody else",
    "GET /api/merges": "List merged rows",
    "GET /api/merges/{entity}/{loser_key}": "Explain a merge and what landed since",
    "POST /api/merges/{entity}/{loser_key}/undo": "Undo a merge",
    "GET /api/devices": "List registered devices",
    "POST /api/devices/{device_key}/revoke": "Revoke a device, whose queue is drained",
    "POST /api/devices/{device_key}/wipe": "Wipe a device",
    "GET /api/devices/{device_key}/quarantine": "List what a revoked device drained",
    "GET /api/devices/{device_key}/quarantine/{drain}": "Read one drained queue",
    "POST /api/devices/{device_key}/quarantine/{drain}": "Decide about a drained queue",
    "GET /api/route": "Order the planned visits of a day",
    "POST /api/route": "Order given stops",
    "POST /api/visits/{key}/check-in": "Check in at a visit",
    "POST /api/visits/{key}/check-out": "Check out of a visit",
    "POST /api/visits/{key}/cancel": "Cancel a planned visit",
    "POST /api/visits/{key}/no-show": "Say that nobody was there",
    "POST /api/visits/{key}/submit": "Submit a visit, which locks it",
    "POST /api/visits/{key}/amend": "Correct a submitted visit",
    "GET /api/visits/{key}/effective": "Read a visit as it counts after corrections",
    "GET /api/signals/summary": "Add up what was heard in the field",
    "GET /api/cadence": "List customers by when they are to be visited again",
    "POST /api/calendar": "Make the address of one's own calendar feed",
    "DELETE /api/calendar": "End the calendar feed",
    "GET /calendar/{token}": "Read planned visits as a calendar",
    "GET /sync/explain": "Explain why a row is here or not, or what became of a change",
    "GET /sync/wake": "Read where a closed app is woken",
    "PUT /sync/wake": "Say where a closed app is woken",
    "DELETE /sync/wake": "Wake this device no more",
}

JSON_TYPE, BYTES, TUS_BODY = "application/json", "application/octet-stream", "application/offset+octet-stream"
KEY = "019f2a7e-photo-1"


def _content(kind: str, example: Any, schema: Json | None = None) -> Json:
    if schema is None:
        schema = {"type": "string", "format": "binary"} if isinstance(example, str) else {"type": "object"}
    return {"content": {kind: {"schema": schema, "example": example}}}


def _said(name: str, place: str, example: str, text: str, *, required: bool = True) -> Json:
    described = {"description": text, "required": required, "schema": {"type": "string"}, "example": example}
    return {"name": name, "in": place, **described}


def _operation(tag: str, summary: str, answers: Json, *parameters: Json, takes: Json | None = None) -> Json:
    name = summary.lower().replace(" ", "_").replace(",", "").replace("'", "")
    found: Json = {"tags": [tag], "summary": summary, "operationId": name, "responses": answers}
    if parameters:
        found["parameters"] = list(parameters)
    return found if takes is None else {**found, "requestBody": {"required": True, **takes}}


TUS = _said("Tus-Resumable", "header", "1.0.0", "The version of the protocol.")
UPLOAD = _said("upload", "path", "019f2a7e0c", "The end of the `Location` that creating it answered.")
ATTACHMENT = _said("key", "path", KEY, "The key of the attachment's row.")
LENGTH = _said("Upload-Length", "header", "182044", "Bytes of the whole file.")
METADATA = _said("Upload-Metadata", "header", "attachment MDE5ZjJhN2U=", "What file it is, in base64.")
OFFSET = _said("Upload-Offset", "header", "524288", "Where these bytes begin.")
PROPOSAL = _said("key", "path", KEY, "The key of the proposal.")
DIGEST = _said("sha256", "path", "9f86d081884c7d65", "The digest of the picture.")
OF_PROPOSAL = _said("proposal", "query", KEY, "Whose picture it is; the company's without.", required=False)
PICTURE_NAME = _said("name", "query", "logo", "What people call it.", required=False)
PICTURE = {"sha256": "9f86d081884c7d65", "media_type": "image/png", "width": 640, "height": 160, "size": 18_204}
RANGE = _said("Range", "header", "bytes=0-1023", "A part of the file.", required=False)
NOTHING = {"204": {"description": "Done; headers say where the upload stands"}}
PUSHED = {"n": 1, "entity": "contacts", "key": "c-1", "kind": "create", "at": 1767600000000, "base": 0}
ROUND = {"user": "u-1", "now": 1767600000000, "contract": 2, "mutations": [PUSHED], "cursor": None, "pull": True}
ANSWER = {"now": 1767600000100, "epoch": "019f2a7e", "push": None, "page": None}
DRAIN = {"user": "u-1", "now": 1767600000000, "contract": 2, "mutations": [PUSHED]}


def _file(what: str, named: Json = ATTACHMENT, tag: str = "files") -> Json:
    bytes_ = {"description": "The bytes", **_content(BYTES, "…")}
    part = {"description": "The part that was asked for", **_content(BYTES, "…")}
    known = {"304": {"description": "The content is known: `If-None-Match`"}}
    answers = {"200": bytes_, "206": part, **known, "416": {"description": "No such part"}}
    head = {"200": {"description": "Size, type and digest in headers"}, **known}
    return {
        "get": _operation(tag, f"Read {what}", answers, named, RANGE),
        "head": _operation(tag, f"Ask about {what}", head, named),
    }


def _upload() -> Json:
    takes = _content(TUS_BODY, "…")
    stands = {"200": {"description": "`Upload-Offset`"}}
    tus = {"204": {"description": "Versions and extensions of the protocol in headers"}}
    cut = "Send a piece by POST where PATCH is not let through"
    return {
        "head": _operation("files", "Ask how far an upload is", stands, UPLOAD, TUS),
        "patch": _operation("files", "Send a piece of a file", NOTHING, UPLOAD, TUS, OFFSET, takes=takes),
        "delete": _operation("files", "Give an upload up", NOTHING, UPLOAD, TUS),
        "options": _operation("files", "Ask what an upload can do", tus, UPLOAD),
        "post": _operation("files", cut, NOTHING, UPLOAD, TUS, takes=takes),
    }


DIGEST_OF_FILE = _said("sha256", "path", "9f86d081884c7d65", "The SHA-256 of the file, in hex.")
VERDICT: Json = {
    "state": "genuine",
    "sha256": "9f86d081884c7d65",
    "known": {
        "kind": "final",
        "number": "P-2026-000123",
        "version": 1,
        "accepted_at": 1_772_700_000_000,
        "total": "€1,210.00",
        "total_minor": 121_000,
        "currency": "EUR",
        "seller": "Company S.L.",
        "zone": "Europe/Madrid",
        "language": "en",
    },
    "sealed_by": "Company S.L.",
    "key_sha256": "5e884898da280471",
    "sealed_at": 1_772_700_004_000,
    "stamped": False,
}


TOKEN = _said("token", "path", "Yk3v…", "What the link says: whoever has it is let in.")
NAME_OF_FILE = _said("name", "path", "9f86d081884c7d65", "The SHA-256 of the file, in hex.")
PAGE_HTML: Json = {"200": {"description": "A page, in the buyer's language", **_content("text/html", "…")}}
AFTER: Json = {"303": {"description": "Taken: the page says so"}, "422": {"description": "The page, and what it lacks"}}
TAKEN: Json = {"204": {"description": "Taken"}}
FORMS = {
    "accept": "Sign, and by that accept",
    "decline": "Decline, with a reason",
    "ask": "Ask a question",
    "again": "Ask for a new offer",
}
FILES_OF_PAGE = {
    "document.pdf": "the PDF of what was sent",
    "final.pdf": "the sealed PDF of what was accepted",
    "certificate.pdf": "the certificate of how it was accepted",
    "enclosures/{name}": "a file that went with it",
    "pictures/{name}": "a picture that it shows",
}


def _shown(what: str, answers: Json, *said: Json) -> Json:
    return {
        "get": _operation("buyers", f"Fetch {what}", answers, *said),
        "head": _operation("buyers", f"Ask about {what}", {"200": {"description": "Headers"}}, *said),
    }


def _buyers_page() -> dict[str, Json]:
    """The page that buyers open: forms and files, no API for programs (docs/buyers.md)."""
    form, amounts = _content("application/x-www-form-urlencoded", {"name": "Nerea"}), {"total": "€1,210.00"}
    pdf: Json = {"200": {"description": "The file"}, "503": {"description": "It is being made"}}
    made = {"200": {"description": "Amounts as text, or the page", **_content(JSON_TYPE, amounts)}}
    beat = _content(JSON_TYPE, {"session": "abcdefghijklmnopqrstuv", "seconds": 4})
    found = {
        "/p/{token}": _shown("the page of what was sent", PAGE_HTML, TOKEN),
        "/p/{token}/choose": {"post": _operation("buyers", "Reckon what is chosen", made, TOKEN, takes=form)},
        "/p/{token}/seen": {"post": _operation("buyers", "Say what was looked at", TAKEN, TOKEN, takes=beat)},
        "/p/{token}/stop": {
            **_shown("the page that stops reminders", PAGE_HTML, TOKEN),
            "post": _operation("buyers", "Stop reminders", PAGE_HTML, TOKEN),
        },
        "/p/assets/{digest}/{name}": _shown(
            "a style sheet or a script of the page",
            {"200": {"description": "The file, for ever"}},
            _said("digest", "path", "5e884898", "Of the file."),
            _said("name", "path", "page.css", "Of the file."),
        ),
    }
    for name, what in FORMS.items():
        found[f"/p/{{token}}/{name}"] = {"post": _operation("buyers", what, AFTER, TOKEN, takes=form)}
    for name, what in FILES_OF_PAGE.items():
        more = (NAME_OF_FILE,) if "{" in name else ()
        found[f"/p/{{token}}/{name}"] = _shown(what, pdf, TOKEN, *more)
    return found


RAW: dict[str, Json] = {
    **_buyers_page(),
    "/sync": {
        "post": _operation(
            "sync",
            "Send what is queued and fetch what is new",
            {"200": {"description": "Receipts and a page", **_content(JSON_TYPE, ANSWER)}},
            takes=_content(JSON_TYPE, ROUND),
        )
    },
    "/sync/live": {
        "get": _operation(
            "sync",
            "Hear of news as they come",
            {"200": {"description": "Events", **_content("text/event-stream", "event: news\ndata: 42\n\n")}},
        )
    },
    "/sync/drain": {
        "post": _operation(
            "sync",
            "Hand in the queue of a revoked device",
            {"200": {"description": "What was kept", **_content(JSON_TYPE, {"kept": 1})}},
            takes=_content(JSON_TYPE, DRAIN),
        )
    },
    "/files/uploads": {
        "post": _operation(
            "files",
            "Begin the upload of a file",
            {"201": {"description": "`Location` of the upload"}},
            *(TUS, LENGTH, METADATA),
        ),
        "options": _operation("files", "Ask what uploads can do", {"204": {"description": "Versions and extensions"}}),
    },
    "/files/uploads/{upload}": _upload(),
    "/files/{key}": _file("a file"),
    "/files/{key}/thumbnail": _file("a small picture of a file"),
    "/api/proposals/{key}/pdf": _file("the PDF of a proposal", PROPOSAL, "proposals"),
    "/api/proposal-pictures": {
        "post": _operation(
            "proposals",
            "Add a picture that proposals may show",
            {"201": {"description": "The picture as it is kept", **_content(JSON_TYPE, PICTURE)}},
            *(OF_PROPOSAL, PICTURE_NAME),
            takes=_content("image/png", "…"),
        )
    },
    "/api/proposal-pictures/{sha256}": _file("a picture of a proposal", DIGEST, "proposals"),
    "/verify": {
        "get": _operation("proposals", "Show the form that verifies a file", {"200": {"description": "A page"}}),
        "head": _operation("proposals", "Ask whether files are verified here", {"200": {"description": "A page"}}),
        "post": _operation(
            "proposals",
            "Verify a sealed PDF",
            {"200": {"description": "A verdict, or a page that tells it", **_content(JSON_TYPE, VERDICT)}},
            takes=_content("application/pdf", "…"),
        ),
    },
    "/verify/{sha256}": {
        "get": _operation(
            "proposals",
            "Tell whether a file with this digest was sealed here",
            {"200": {"description": "A verdict, or a page that tells it", **_content(JSON_TYPE, VERDICT)}},
            DIGEST_OF_FILE,
        ),
        "head": _operation(
            "proposals", "Ask about a digest", {"200": {"description": "Headers of a verdict"}}, DIGEST_OF_FILE
        ),
    },
}
