"""The prospect's page over HTTP: what it shows, what it keeps to itself, what it takes (R45, R46, R48, R50)."""

import re

import pytest
from sqlalchemy import select

from proposals.buyer import links
from sfa.app.factory import Services
from sfa.db.tables import (
    METADATA,
    proposal_answers,
    proposal_events,
    proposal_opens,
    proposal_signatures,
)
from tests.crm.desk import Desk
from tests.office import Office
from tests.proposals.buyer.paging import Visitor, form_of, linked, sent
from tests.proposals.selling import LINE

pytestmark = pytest.mark.xdist_group("page_routes")
STRANGE = '<script>alert(1)</script> & "O\'Brien"'


def counts(office: Office) -> dict[str, int]:
    """How many rows each table has."""
    return {name: len(office.all(select(table))) for name, table in METADATA.tables.items()}


def test_the_page_shows_the_offer_as_it_was_sent_with_strict_headers(desk: Desk) -> None:
    """R46, R50: the amounts are the texts of the PDF, whatever became of the rows."""
    ines = sent(desk, "g1", title="Pumps for you")
    desk.office.put(("products", "pump", {"name": "Other"}), ("accounts", "acme", {"name": "Emca"}))
    page = ines.get()
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for text in ("Pumps for you", "Acme", "€300.00", "Paid in 30 days.", "Inés Caballero", 'lang="en"'):
        assert text in page.text, text
    policy = page.headers["content-security-policy"]
    assert ("unsafe" in policy, "default-src 'none'" in policy, "frame-ancestors 'none'" in policy) == (
        False,
        True,
        True,
    )
    said = ("x-robots-tag", "referrer-policy", "cache-control", "x-content-type-options")
    assert [page.headers[name] for name in said] == [
        "noindex, nofollow, noarchive",
        "no-referrer",
        "private, no-store",
        "nosniff",
    ]
    assert not re.search(r"<script(?![^>]*src=)|\sstyle=|\son\w+=|https?://", page.text)


def test_nothing_of_cost_margin_or_keys_of_the_company_is_on_the_page(desk: Desk) -> None:
    """R45."""
    page = sent(desk, "g2").get().text
    assert not re.search(r"margin|floor|cost|deal-g2|\bana\b(?!@)|acme\b|g2-ines|house", page)


def test_looking_changes_nothing(desk: Desk) -> None:
    ines = sent(desk, "h1")
    before = counts(desk.office)
    for path in ("", "/document.pdf", "/final.pdf", "/stop", "/accept", "/seen", "/pictures/" + "a" * 64):
        whole, head = ines.get(path), desk.client.head(f"/p/{ines.token}{path}")
        assert (head.status_code, head.content) == (whole.status_code, b""), path
    assert counts(desk.office) == before


def test_what_people_wrote_is_text(desk: Desk) -> None:
    """In the offer, in questions and in what comes back from a form that was not taken."""
    line = {"name": STRANGE, "text": f"[x](javascript:alert(1)) {STRANGE} <img src=x onerror=alert(1)>"}
    ines = sent(desk, "e1", line=line, title=STRANGE, sections=[{"key": "s", "title": STRANGE, "text": STRANGE}])
    assert ines.post("/ask", {"name": STRANGE, "text": STRANGE}).status_code == 303
    again = ines.post("/accept", {"name": STRANGE})
    for page in (ines.get().text, again.text):
        assert "&lt;script&gt;" in page
        assert not re.search(r"<script>|<img src=x|href=\"javascript", page)


def test_choosing_answers_the_servers_amounts_and_keeps_nothing(desk: Desk) -> None:
    """R50: as JSON for scripts, as the page for who has none."""
    ines = sent(desk, "c1")
    before = counts(desk.office)
    said = {"take": ["c1-2"], "quantity.c1-3": "4", "total_minor": "1"}
    told = ines.post("/choose", said, headers={"Accept": "application/json"}).json()
    assert (told["total"], told["total_minor"]) == ("€340.00", 340_00)
    assert told["lines"]["c1-2"] == {"amount": "40.00", "list_amount": "", "quantity": "1", "counts": True}
    assert told["lines"]["c1-3"]["counts"] is False
    assert "€340.00" in told["consent"]
    by_key = {"lines": {"c1-2": True, "c1-3": True}, "quantities": {"c1-3": "8"}}
    accept = {"Accept": "application/json"}
    assert ines.post("/choose", json=by_key, headers=accept).json()["total"] == "€1,140.00"
    page = ines.post("/choose", {"take": ["c1-2", "c1-3"], "quantity.c1-3": "4"})
    assert (page.status_code, "€740.00" in page.text) == (200, True)
    assert form_of(page.text)["take"] == ["c1-2", "c1-3"]
    assert counts(desk.office) == before


@pytest.mark.parametrize("said", [{"quantity.c2-3": "9"}, {"quantity.c2-3": "2.5"}, {"quantity.c2-3": "1e9"}])
def test_a_choice_that_the_offer_does_not_leave_is_refused(desk: Desk, said: dict[str, str]) -> None:
    ines = _once(desk, "c2")
    refused = ines.post("/choose", {"take": ["c2-3"], **said}, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "choice_invalid")
    page = ines.post("/choose", {"take": ["c2-3"], **said})
    assert (page.status_code, "This choice is not possible" in page.text) == (422, True)


def test_a_quantity_that_nobody_can_pay_is_refused_like_any_other_choice(desk: Desk) -> None:
    """A line without a most leaves any quantity; an amount that cannot be kept is said, and the name that was typed
    stays."""
    ines = sent(desk, "huge1", line={**LINE, "quantity_min": "1", "unit_price_minor": 900_000_00})
    form, huge = form_of(ines.get().text), {"quantity.huge1-1": "999999999999"}
    refused = ines.post("/choose", {**form, **huge}, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json()["code"]) == (422, "choice_invalid")
    for path in ("/choose", "/accept"):
        page = ines.post(path, {**form, **huge})
        assert (page.status_code, "This choice is not possible" in page.text) == (422, True)
        assert 'value="Inés Caballero"' in page.text
    by_key = {"quantities": {"huge1-1": "999999999999"}}
    assert ines.post("/choose", json=by_key, headers={"Accept": "application/json"}).status_code == 422


def test_quantities_are_read_as_the_language_of_the_offer_writes_them(desk: Desk) -> None:
    line = {**LINE, "quantity_min": "0.5", "quantity_step": "0.5", "quantity": "1.5", "unit_price_minor": 1_00}
    accept = {"Accept": "application/json"}
    for key, language, shown, thousand in (("n1", "en", "1.5", "1,000"), ("n2", "es", "1,5", "1.000")):
        ines = sent(desk, key, line=line, language=language)
        name = f"quantity.{key}-1"
        assert form_of(ines.get().text)[name] == shown
        told = ines.post("/choose", {name: shown}, headers=accept).json()
        assert told["total_minor"] == 150
        assert ines.post("/choose", {name: thousand}, headers=accept).json()["total_minor"] == 1_000_00
        other = shown.translate(str.maketrans(".,", ",."))
        assert ines.post("/choose", {name: other}, headers=accept).json()["code"] == "choice_invalid"


def test_an_acceptance_by_a_form_alone_is_kept_once(desk: Desk) -> None:
    """R48: sent twice it is one signature, and the page says so both times."""
    ines = sent(desk, "a1")
    form = form_of(ines.post("/choose", {"take": ["a1-2"]}).text)
    for _ in range(2):
        done = ines.post("/accept", form)
        assert (done.status_code, done.headers["location"]) == (303, f"/p/{ines.token}?said=accepted")
    page = ines.get("?said=accepted").text
    assert "This offer was accepted" in page
    assert "€340.00" in page
    assert desk.office.row("deals", "deal-a1")["amount_minor"] == 340_00
    s, a = proposal_signatures.c, proposal_answers.c
    assert len(desk.office.all(select(s.name).where(s.proposal_key == "a1"))) == 1
    assert desk.office.all(select(a.total_minor).where(a.proposal_key == "a1")) == [{"total_minor": 340_00}]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"total_minor": "1"}, "The total is €300.00 now"),
        ({"total_minor": "9" * 40}, "The total is €300.00 now"),
        ({"digest": "0" * 64}, "Please look again"),
        ({"consent_digest": "0" * 64}, "Please"),
        ({"name": "  "}, "Please give your full name."),
        ({"name": "a\x00b"}, "Please give your full name."),
        ({"name": "\ufffd"}, "Please give your full name."),
        ({"name": "x" * 5_000}, "Please give your full name."),
        ({"consent": ""}, "Please tick this box"),
        ({"method": "drawn"}, "Please check your signature"),
        ({"method": "drawn", "drawing": "data:image/png;base64,AAAA"}, "Please check your signature"),
        ({"method": "carved"}, "Please check your signature"),
        ({"quantity.a2-3": "9"}, "This choice is not possible"),
    ],
)
def test_what_was_not_looked_at_or_lacks_something_is_not_accepted(desk: Desk, said: dict[str, str], told: str) -> None:
    """R50: nothing is kept, and the page says what to do, with what was typed."""
    ines = _once(desk, "a2")
    page = ines.post("/accept", {**form_of(ines.get().text), **said})
    assert (page.status_code in (409, 422), told in page.text) == (True, True), page.text[:2000]
    s = proposal_signatures.c
    assert desk.office.all(select(s.name).where(s.proposal_key == "a2")) == []


def _once(desk: Desk, key: str) -> Visitor:
    """One offer for all examples of a test."""
    if desk.office.find("proposals", key) is None:
        return sent(desk, key)
    services: Services = desk.client.app.state.services
    kept = f"link-{key}-1-{key}-ines-buyer"
    return Visitor(desk, links.token_of(services.secret.derive(links.PURPOSE), kept))


def test_a_body_that_is_too_large_or_no_form_is_a_page_that_says_so(desk: Desk) -> None:
    ines = sent(desk, "b1")
    drawing = "data:image/png;base64," + "A" * (10 << 20)
    large = ines.post("/accept", {**form_of(ines.get().text), "method": "drawn", "drawing": drawing})
    assert (large.status_code, "too large" in large.text) == (413, True)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path, body, headers in (
        ("/accept", b"{}", {"Content-Type": "application/json"}),
        ("/ask", b"name=x&" * 10_000, form),
        ("/choose", b'{"lines": 7}', {"Content-Type": "application/json"}),
        ("/choose", b"[" * 5_000, {"Content-Type": "application/json"}),
        ("/seen", b"\xff\x00", {"Content-Type": "application/json"}),
        ("/seen", b'{"session": "x", "seconds": 1}', {"Content-Type": "application/json"}),
    ):
        refused = ines.post(path, content=body, headers=headers)
        assert (refused.status_code, "text/html" in refused.headers["content-type"]) == (400, True), path
    surrogates = ines.post("/ask", content=b"name=%ED%A0%80&text=%00%ED%BF%BF%FF", headers=form)
    assert surrogates.status_code < 500


def test_a_form_of_another_site_changes_nothing(desk: Desk) -> None:
    ines = sent(desk, "x1")
    form = form_of(ines.get().text)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        {"Origin": "https://evil.example"},
    ):
        for path in ("/accept", "/decline", "/ask", "/again", "/stop", "/seen"):
            refused = ines.post(path, form, headers=headers)
            assert (refused.status_code, "another site" in refused.text) == (403, True), (path, headers)
    assert ines.post("/accept", form, headers={"Sec-Fetch-Site": "same-origin", "Origin": "null"}).status_code == 303


def test_a_decline_has_a_reason_and_a_new_offer_may_be_asked_for(desk: Desk) -> None:
    ines = sent(desk, "d1")
    done = ines.post("/decline", {"name": "Inés Caballero", "reason": "Too dear"})
    assert (done.status_code, done.headers["location"]) == (303, f"/p/{ines.token}?said=declined")
    page = ines.get().text
    assert ("This offer was declined" in page, 'id="answer"' in page) == (True, False)
    again = ines.post("/again", {"name": "Inés Caballero"})
    assert again.headers["location"].endswith("?said=again")
    (question,) = [row for row in desk.office.rows("proposal_questions") if row["proposal_key"] == "d1"]
    assert question["text"] == "Please send me a new offer."
    late = ines.post("/accept", form_of(page) | {"digest": "", "total_minor": "1"})
    assert (late.status_code, "cannot be answered any more" in late.text) == (409, True)


def test_questions_and_their_answers_stand_on_the_page(desk: Desk) -> None:
    ines = sent(desk, "q1")
    said = {"name": "Inés", "text": "Is it loud?", "place": "q1-1"}
    done = ines.post("/ask", said)
    assert (done.status_code, done.headers["location"]) == (303, f"/p/{ines.token}?said=asked#questions")
    page = ines.get("?said=asked").text
    for text in ("Is it loud?", "About: Pump", "Not answered yet", "Your question was sent"):
        assert text in page, text
    wrong = ines.post("/ask", {"name": "Inés", "text": "Where?", "place": "elsewhere"})
    assert (wrong.status_code, "Where?" in wrong.text) == (422, True)


def test_beats_are_kept_and_those_of_a_marked_browser_do_not_count(desk: Desk) -> None:
    """R51: the link of the company's own people marks the browser that opens it, and can answer nothing."""
    ines = sent(desk, "s1")
    staff = linked(desk, None, "staff", key="s1")
    agent = {"User-Agent": "Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537.36"}
    beat = {"session": "A" * 22, "seconds": 5, "sections": {"@prices": 3}, "acted": True}
    assert ines.post("/seen", json=beat, headers=agent).status_code == 204
    page = staff.get()
    cookie = page.headers["set-cookie"]
    assert ("HttpOnly" in cookie, "SameSite=Lax" in cookie, "Path=/p" in cookie) == (True, True, True)
    assert ("as the buyer sees it" in page.text, 'id="answer"' in page.text, "data-counts" in page.text) == (
        True,
        False,
        False,
    )
    marked = {**agent, "Cookie": cookie.partition(";")[0]}
    assert ines.post("/seen", json={**beat, "session": "B" * 22}, headers=marked).status_code == 204
    o = proposal_opens.c
    query = select(o.session, o.counted, o.why_not).where(o.proposal_key == "s1").order_by(o.session)
    assert [(row["counted"], row["why_not"]) for row in desk.office.all(query)] == [(True, None), (False, "staff")]
    form = form_of(ines.get().text)
    for path in ("/accept", "/decline", "/ask", "/stop"):
        assert staff.post(path, {**form, "text": "x"}).status_code in (403, 409), path
    desk.client.cookies.clear()


def test_reminders_stop_by_one_click_without_a_page(desk: Desk) -> None:
    """RFC 8058: once, and again changes nothing."""
    ines = sent(desk, "u1")
    asked = ines.get("/stop")
    assert (asked.status_code, f'action="/p/{ines.token}/stop"' in asked.text) == (200, True)
    for _ in range(2):
        done = ines.post("/stop", {"List-Unsubscribe": "One-Click"})
        assert (done.status_code, "No more reminders" in done.text) == (200, True)
    assert desk.office.row("proposal_recipients", "u1-ines")["opted_out_at"] == desk.office.clock.now_ms()
    e = proposal_events.c
    query = select(e.n).where(e.proposal_key == "u1", e.kind == "opted_out")
    assert len(desk.office.all(query)) == 1
    assert "/stop" not in ines.get().text


def test_assets_are_kept_for_ever_under_the_address_of_their_bytes(desk: Desk) -> None:
    page = sent(desk, "z1").get().text
    addresses = re.findall(r'(?:href|src)="(/p/assets/[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        found = desk.client.get(address)
        assert (found.status_code, "immutable" in found.headers["cache-control"]) == (200, True), address
    digest = addresses[0].split("/")[3]
    for path in (f"{digest}/page.html.j2", f"{digest}/__init__.py", "0/page.css", f"{digest}/brand-zz.css"):
        assert desk.client.get(f"/p/assets/{path}").status_code == 404
    scripts = [desk.client.get(f"/p/assets/{digest}/{n}.js").content for n in ("page", "choose", "sign", "seen")]
    styles = [desk.client.get(address).content for address in addresses if address.endswith(".css")]
    assert sum(map(len, (*scripts, *styles, page.encode()))) < 60_000
