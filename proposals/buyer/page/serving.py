"""Answers of the prospect's page: what is read, what is written, which bytes leave, and what stands in the way.

Whatever is refused is a page that says so in words. What nobody may know (a token that never was, one that was revoked,
one that is over) is one and the same page.
"""

import asyncio
from collections.abc import Mapping

import msgspec
from litestar import Response

from proposals.buyer import answering, links, opens, questions
from proposals.buyer.answering import Acceptance, Decline
from proposals.buyer.links import STAFF, Link
from proposals.buyer.opens import Beat
from proposals.buyer.page import reading
from proposals.buyer.page.forms import (
    STAFF_COOKIE,
    Fields,
    Visit,
    chosen_of,
    drawing_of,
    fields_of,
    number,
    one,
)
from proposals.buyer.page.html import notice
from proposals.buyer.page.html import page as rendered
from proposals.buyer.page.limits import Limits, check_origin
from proposals.buyer.page.reading import Look
from proposals.buyer.page.values import Form, values_of
from proposals.buyer.page.view import said_of
from proposals.buyer.page.words import page_words
from proposals.buyer.people import Marks, is_ahead
from proposals.delivery import opting
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from sfa.crm.online import Online
from sfa.files.service import Files
from sfa.web.errors import PROBLEM_TYPE, problem_of
from sfa.web.secret import Secret

HTML = "text/html; charset=utf-8"
AGAIN_S = 10  # when to ask again for a file that is being made
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow, noarchive",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), browsing-topics=()",
}
NOTICES = {
    "not_found": "nothing",
    "too_many_requests": "busy",
    "file_awaited": "printing",
    "not_permitted": "crossed",
    "body_too_large": "too_large",
}
Answer = Response[bytes]


class Pages:
    """What a process keeps for the pages of all prospects."""

    def __init__(self, screens: Online, files: Files, secret: Secret) -> None:
        self.screens, self.files, self.secret = screens, files, secret
        self.limits = Limits(screens.clock)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def link(self, visit: Visit) -> Link:
        """Refuses `not_found` alike for every token that opens nothing."""
        self.limits.hear(visit.headers.get("x-forwarded-for"), visit.address)
        self.limits.enter(visit.address)
        found = await self.screens.read(links.found, visit.token, self.screens.clock.now_ms())
        if found is None:
            self.limits.missed(visit.address)
            raise Refused("not_found")
        self.limits.look(found.link_key)
        return found

    async def look(self, link: Link, said: reading.Said = None) -> Look:
        key = self.secret.derive(links.PURPOSE)
        return await self.screens.read(reading.look, self.screens.clock.now_ms(), key, link, said)

    async def show(self, visit: Visit) -> Answer:
        link = await self.link(visit)
        shown = await html(await self.look(link), visit, Form(flash=visit.flash))
        if link.kind == STAFF:
            shown.headers["set-cookie"] = _staff_cookie(visit)
        return shown

    async def choose(self, visit: Visit, body: bytes) -> Answer:
        """What is chosen, reckoned: nothing is kept of it."""
        link = await self.link(visit)
        said = chosen_of(body, visit.headers.get("content-type", ""))
        look = await self.look(link, said)
        status = 200 if look.choice_code is None else 422
        if not visit.wants_json:
            kept = {"name": one(said, "name")} if not isinstance(said, Choices) else {}
            return await html(look, visit, Form(kept=kept), status)
        if look.choice_code is not None:
            raise Refused(look.choice_code)
        return json(await asyncio.to_thread(said_of, look.shown, look.consent, look.consent_digest))

    # -- answering -----------------------------------------------------------------------------------------------------

    async def accept(self, visit: Visit, body: bytes) -> Answer:
        link, fields = await self._form(visit, body)
        look = await self.look(link, fields)
        form = _missing(look, fields)
        if form.wrong:
            return await html(look, visit, form, 422)
        asked = Acceptance(
            link=link,
            name=one(fields, "name"),
            method=one(fields, "method") or "typed",
            drawing=drawing_of(fields),
            consent_digest=one(fields, "consent_digest"),
            digest=one(fields, "digest"),
            total_minor=number(fields, "total_minor"),
            choices=look.choices,
            visitor=visit.visitor,
        )
        if look.choice_code is not None:
            return await html(look, visit, Form(look.choice_code, kept=form.kept), 422)
        try:
            done = await self.screens.write(answering.accept, asked)
        except Refused as refused:
            return await self._again(visit, link, refused, form.kept, fields)
        return elsewhere(f"{visit.base}?said={done.kind}")

    async def decline(self, visit: Visit, body: bytes) -> Answer:
        link, fields = await self._form(visit, body)
        kept = {"decline_name": one(fields, "name"), "reason": one(fields, "reason")}
        asked = Decline(link=link, name=one(fields, "name"), reason=one(fields, "reason"), visitor=visit.visitor)
        try:
            done = await self.screens.write(answering.decline, asked)
        except Refused as refused:
            return await self._again(visit, link, refused, kept)
        return elsewhere(f"{visit.base}?said={done.kind}")

    async def ask(self, visit: Visit, body: bytes) -> Answer:
        link, fields = await self._form(visit, body)
        name, text, place = (one(fields, field) for field in ("name", "text", "place"))
        try:
            await self.screens.write(questions.ask, link, name, text, place or None, visit.visitor)
        except Refused as refused:
            kept = {"ask_name": name, "text": text, "place": place}
            return await self._again(visit, link, refused, kept)
        return elsewhere(f"{visit.base}?said=asked#questions")

    async def again(self, visit: Visit, body: bytes) -> Answer:
        """Somebody would like a new offer: a question like any other, that the page words."""
        link, fields = await self._form(visit, body)
        look, name = await self.look(link), one(fields, "name")
        text = page_words(look.sent.language)("Please send me a new offer.")
        try:
            await self.screens.write(questions.ask, link, name, text, None, visit.visitor)
        except Refused as refused:
            return await self._again(visit, link, refused, {"again_name": name})
        return elsewhere(f"{visit.base}?said=again")

    async def seen(self, visit: Visit, body: bytes) -> Answer:
        link = await self.link(visit)
        check_origin(visit.headers)
        try:
            beat = msgspec.json.decode(body, type=Beat)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refused("request_invalid", str(error)) from None
        marks = Marks(visitor=visit.visitor, staff=visit.is_staff, prefetch=is_ahead(visit.headers))
        await self.screens.write(opens.seen, link, beat, marks)
        return Response(b"", status_code=204, headers=HEADERS)

    # -- reminders -----------------------------------------------------------------------------------------------------

    async def ask_to_stop(self, visit: Visit) -> Answer:
        link = await self.link(visit)
        look = await self.look(link)
        name = "stopped" if look.opted_out else "stop"
        action = "" if look.opted_out or link.kind == STAFF else f"{visit.base}/stop"
        return _page(notice(look.sent.language, name, back=visit.base, action=action))

    async def stop(self, visit: Visit) -> Answer:
        """RFC 8058 too: a mail program posts it from nowhere, with the token alone."""
        link = await self.link(visit)
        check_origin(visit.headers)
        self.limits.answer(link.link_key)
        if link.kind == STAFF:
            raise Refused("not_permitted")
        await self.screens.write(opting.stop, link, visit.visitor)
        look = await self.look(link)
        return _page(notice(look.sent.language, "stopped", back=visit.base))

    # -- parts ---------------------------------------------------------------------------------------------------------

    async def _form(self, visit: Visit, body: bytes) -> tuple[Link, Fields]:
        link = await self.link(visit)
        check_origin(visit.headers)
        self.limits.answer(link.link_key)
        return link, fields_of(body, visit.headers.get("content-type", ""))

    async def _again(
        self, visit: Visit, link: Link, refused: Refused, kept: Mapping[str, str], said: reading.Said = None
    ) -> Answer:
        """The page as it stands now, with what was typed, and why that was not taken."""
        if refused.status >= 500 or refused.code == "not_found":
            raise refused
        look = await self.look(link, said)
        wrong = _wrong(look, refused, "decline_name" in kept)
        return await html(look, visit, Form(refused.code, wrong, kept), refused.status)


async def html(look: Look, visit: Visit, form: Form, status: int = 200) -> Answer:
    """In a thread: an offer of 2,000 lines takes the better part of a second to write."""

    def made() -> str:
        return rendered("page", look.shown.language, look.shown.brand, values_of(look, visit.base, form))

    return _page(await asyncio.to_thread(made), status)


def json(said: object) -> Answer:
    return Response(msgspec.json.encode(said), headers={**HEADERS, "content-type": "application/json"})


def elsewhere(address: str) -> Answer:
    """After what changed something: a page that is loaded anew asks for nothing twice."""
    return Response(b"", status_code=303, headers={**HEADERS, "location": address})


def refused_page(visit: Visit, error: Exception) -> Answer:
    problem = problem_of(error)
    more = {name.lower(): value for name, value in problem.headers.items()}
    if visit.wants_json and "text/html" not in visit.headers.get("accept", ""):
        headers = {**HEADERS, **more, "content-type": PROBLEM_TYPE}
        return Response(problem.body, status_code=problem.status, headers=headers)
    name = NOTICES.get(problem.code, "failed" if problem.status >= 500 else "broken")
    status = problem.status
    if problem.code == "file_awaited":
        status, more = 503, {"retry-after": str(AGAIN_S)}
    back = visit.base if name in ("printing", "crossed", "too_large", "broken") else None
    return _page(notice(visit.language, name, back=back), status, more)


def _page(text: str, status: int = 200, more: Mapping[str, str] | None = None) -> Answer:
    headers = {**HEADERS, **(more or {}), "content-type": HTML}
    return Response(text.encode("utf-8", "replace"), status_code=status, headers=headers)


def _staff_cookie(visit: Visit) -> str:
    """Whoever looks as one of the company is not counted in this browser from now on (R51)."""
    secure = "; Secure" if visit.is_secure else ""
    return f"{STAFF_COOKIE}=1; Path=/p; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}"


def _missing(look: Look, fields: Fields) -> Form:
    """What a form lacks that browsers ask for by themselves."""
    say = page_words(look.shown.language)
    kept = {"name": one(fields, "name")}
    wrong = {}
    if not one(fields, "name").strip():
        wrong["name"] = say("Please give your full name.")
    if not one(fields, "consent"):
        wrong["consent"] = say("Please tick this box to accept.")
    return Form("form" if wrong else "", wrong, kept)


def _wrong(look: Look, refused: Refused, is_decline: bool) -> dict[str, str]:
    """The field that a refusal is about."""
    say, reason = page_words(look.shown.language), refused.details.get("reason")
    if refused.code == "signature_invalid" and reason == "name":
        return {"decline_name" if is_decline else "name": say("Please give your full name.")}
    if refused.code == "signature_invalid":
        return {"drawing": say("Please draw your signature, or use your typed name.")}
    if refused.code == "question_invalid":
        field = refused.details.get("field")
        name, text = say("Please give your full name."), say("Please write a question of at most 4,000 characters.")
        return {"ask_name": name} if field == "name" else {"text": text}
    return {}
