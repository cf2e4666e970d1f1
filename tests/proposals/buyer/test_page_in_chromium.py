"""The prospect's page in a browser: on a phone and a desk, by keyboard alone, without a script (R48, R50, R51).

One office on SQLite and one browser for the module. Every state is judged by axe-core against WCAG 2.2 AA.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from sfa.core.profiles import DAY_MS
from sfa.db.database import open_database
from sfa.db.tables import proposal_answers, proposal_opens, proposal_signatures
from tests.browser import Chromium
from tests.builders import company
from tests.office import Office
from tests.proposals.buyer.hosting import Site, hosted
from tests.proposals.buyer.paging import form_of, solar
from tests.proposals.selling import order

pytestmark = pytest.mark.xdist_group("page_in_chromium")
TWO = ("Inés Caballero", "Bruno Leal")
STATES = {
    "open": "Accept this offer",
    "waits": "Inés Caballero signs first",
    "signed": "You have signed",
    "accepted": "This offer was accepted",
    "declined": "This offer was declined",
    "expired": "This offer has expired",
    "superseded": "There is a newer offer",
    "newer": "What is new in this version",
    "withdrawn": "This offer was withdrawn",
    "closed": "This offer is closed",
    "staff": "as the buyer sees it",
    "stop": "No more reminders?",
    "nothing": "This page does not exist",
}


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path_factory.mktemp('pages') / 'sfa.db')}"
    opened = open_database(url, durable=False)
    company(opened)
    office = Office(opened)
    for key in ("open", "accepted", "declined", "superseded", "withdrawn", "closed", "keys", "bare", "drawn"):
        solar(office, key)
    solar(office, "two", signers=TWO)
    solar(office, "expired", valid_until="2026-01-05")
    _moved(office)
    with hosted(office) as found:
        yield found


def _moved(office: Office) -> None:
    """What the company does after it sent them."""
    office.clock.advance(2 * DAY_MS)
    ana = office.phone("ana")
    order(ana, "withdraw", "withdrawn", reason="Prices rose")
    office.put(("deals", "deal-closed", {"stage_key": "lost", "closed_at": office.clock.now_ms()}))
    order(ana, "revise", "superseded")
    ana.edit("proposal_lines", "superseded-l3", unit_price_minor=498_000_0 // 10)
    assert order(ana, "send", "superseded").outcome == "applied"


@pytest.fixture(scope="module")
def addresses(site: Site) -> dict[str, str]:
    """state -> where it is seen; what buyers answered is answered here."""
    found = {key: site.link(key, f"{key}-r0") for key in ("open", "declined", "accepted", "superseded", "withdrawn")}
    found |= {key: site.link(key, f"{key}-r0") for key in ("closed", "expired", "keys", "bare", "drawn")}
    found |= {"signed": site.link("two", "two-r0"), "waits": site.link("two", "two-r1")}
    found |= {"newer": site.link("superseded", "superseded-r0", version=2), "staff": site.link("open", kind="staff")}
    found |= {"stop": f"{found['open']}/stop", "nothing": f"{site.url}/p/nothing"}
    with httpx.Client() as client:
        page = client.get(found["accepted"]).text
        assert client.post(f"{found['accepted']}/accept", data=form_of(page)).status_code == 303
        assert client.post(f"{found['declined']}/decline", data={"name": "Inés", "reason": "Dear"}).status_code == 303
        said = {"name": "Inés", "text": "Is it loud?", "place": "open-l3"}
        assert client.post(f"{found['open']}/ask", data=said).status_code == 303
    _sealed(site.office, "accepted")
    return found


def _sealed(office: Office, key: str) -> None:
    """As the runner notes it."""
    sealed = proposal_answers.update().where(proposal_answers.c.proposal_key == key).values(final_sha256="a" * 64)
    office.database.write(lambda connection: connection.execute(sealed))


@pytest.mark.parametrize("desk", [False, True], ids=["phone", "desk"])
def test_every_state_is_accessible(chromium: Chromium, site: Site, addresses: dict[str, str], desk: bool) -> None:
    """`signed` is judged where it comes to be."""
    with chromium.window(desk=desk) as window:
        window.forgive("status of 404")
        for state, told in STATES.items():
            if state == "signed":
                continue
            window.page.goto(addresses[state])
            expect(window.page.locator("body")).to_contain_text(told)
            window.accessible()
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert window.page.evaluate(wide) <= 0, f"{state} is wider than its window"
        window.forgive("status of 422")
        window.page.goto(addresses["open"])
        window.page.evaluate("document.getElementById('answer-form').submit()")
        expect(window.page.get_by_role("alert").get_by_role("link").first).to_have_attribute("href", "#name")
        window.accessible()


@pytest.mark.parametrize(("width", "share"), [(320, 100), (390, 150), (640, 200)])
def test_it_fits_a_narrow_phone_and_larger_texts(
    chromium: Chromium, site: Site, addresses: dict[str, str], width: int, share: int
) -> None:
    """WCAG 2.2, 1.4.4 and 1.4.10."""
    with chromium.window(viewport={"width": width, "height": 640}) as window:
        window.page.goto(addresses["open"])
        window.page.evaluate(f"document.documentElement.style.fontSize = '{share}%'")
        assert window.page.evaluate("document.documentElement.scrollWidth") <= width


def test_options_are_reckoned_by_the_server_as_they_are_chosen(
    chromium: Chromium, site: Site, addresses: dict[str, str]
) -> None:
    """R50: and who hears the page hears the new total; what was agreed to before is not agreed to any more."""
    with chromium.window() as window:
        page = window.page
        page.goto(addresses["open"])
        expect(page.locator("#bar [data-total]")).to_have_text("€242,753.84")
        page.locator("#consent").check()
        page.get_by_label("Extended service").check()
        expect(page.locator("#bar [data-total]")).to_have_text("€260,124.60")
        expect(page.locator("#heard")).to_have_text("The total is now €260,124.60")
        expect(page.locator("#rows tr.total td")).to_have_text("€260,124.60")
        expect(page.locator("[data-consent]")).to_contain_text("€260,124.60")
        expect(page.locator("#consent")).not_to_be_checked()
        page.get_by_role("checkbox", name="Charging point").check()
        page.get_by_role("button", name="More: Charging point").click()
        expect(page.locator("[data-line=open-l8] [data-amount]")).to_have_text("7,680.00")
        page.get_by_label("Energy manager, with forecast").check()
        expect(page.locator("[data-line=open-l6]")).to_have_class(re.compile(r"\bout\b"))
        window.accessible()
        assert httpx.get(addresses["open"]).text.count("€242,753.84") > 1


def test_a_keyboard_alone_chooses_and_accepts(chromium: Chromium, site: Site, addresses: dict[str, str]) -> None:
    """R48: from the first tab to the signature, with the focus always seen."""
    with chromium.window(desk=True) as window:
        page = window.page
        page.goto(addresses["keys"])
        page.keyboard.press("Tab")
        assert _focused(page)["text"] == "Skip to the offer"
        _tab_to(page, "take", "keys-l14")
        page.keyboard.press("Space")
        expect(page.locator("#bar [data-total]")).to_have_text("€260,124.60")
        _tab_to(page, "name", "")
        page.keyboard.type("Inés Caballero")
        _tab_to(page, "consent", "yes")
        page.keyboard.press("Space")
        _tab_to(page, "", "Accept for €260,124.60")
        page.keyboard.press("Enter")
        page.wait_for_url("**said=accepted")
        assert _focused(page)["text"].startswith("Thank you")
        window.accessible()
    assert _signed(site.office, "keys") == [{"name": "Inés Caballero", "method": "typed", "total_minor": 260_124_60}]


def _focused(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("""() => {
        const at = document.activeElement, box = at.getBoundingClientRect(), bar = document.getElementById('bar');
        const hides = bar && !bar.classList.contains('away') && !bar.contains(at);
        const top = hides ? bar.getBoundingClientRect().top : innerHeight;
        return { name: at.name ?? '', value: at.value ?? '', text: at.textContent.trim().replace(/\\s+/g, ' '),
                 form: at.form?.id ?? '', covered: box.top >= top, outline: getComputedStyle(at).outlineStyle };
    }""")
    return found


def _tab_to(page: Page, name: str, value: str) -> None:
    """The field of the answer with this name and value, or the button that says this."""
    for _ in range(80):
        page.keyboard.press("Tab")
        found = _focused(page)
        assert not found["covered"], f"the bar hides what has the focus: {found}"
        if found["form"] == "answer-form" and (found["name"] == name != "" and found["value"] == value):
            return
        if not name and found["text"] == value:
            assert found["outline"] != "none"
            return
    raise AssertionError(f"no tab leads to {name} {value}")


def test_without_a_script_it_is_chosen_and_accepted_by_forms(
    chromium: Chromium, site: Site, addresses: dict[str, str]
) -> None:
    """R48, R50: an answer to another total than the one that was shown is asked for again."""
    with chromium.window(javascript=False) as window:
        window.forgive("status of 4(09|22)")
        page = window.page
        page.goto(addresses["bare"])
        page.get_by_label("Extended service").check()
        page.locator("#name").fill("Inés Caballero")
        page.locator("#consent").check()
        page.get_by_role("button", name="Accept for").click()
        expect(page.get_by_role("alert")).to_contain_text("The total is €260,124.60 now")
        page.get_by_role("checkbox", name="Charging point").check()
        page.get_by_role("button", name="Update the total").click()
        expect(page.locator("#rows tr.total td")).to_have_text("€266,133.94")
        expect(page.locator("#name")).to_have_value("Inés Caballero")
        page.locator("#name").fill("")
        page.locator("#consent").check()
        page.get_by_role("button", name="Accept for").click()
        expect(page.locator("#name-wrong")).to_have_text("Please give your full name.")
        expect(page.get_by_role("alert").get_by_role("link")).to_have_attribute("href", "#name")
        page.locator("#name").fill("Inés Caballero")
        page.locator("#consent").check()
        page.get_by_role("button", name="Accept for €266,133.94").click()
        expect(page.get_by_role("heading", name="This offer was accepted")).to_be_visible()
    assert [row["total_minor"] for row in _signed(site.office, "bare")] == [266_133_94]


def test_a_finger_draws_a_signature(chromium: Chromium, site: Site, addresses: dict[str, str]) -> None:
    """R48: what is drawn is kept as the server drew it anew; nothing drawn is not sent."""
    with chromium.window() as window:
        page = window.page
        page.goto(addresses["drawn"])
        page.locator("#name").fill("Inés Caballero")
        page.get_by_label("Draw it").check()
        page.locator("#consent").check()
        page.get_by_role("button", name="Accept for").click()
        expect(page.locator("#drawing-wrong")).to_be_visible()
        box = page.locator("#pad").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 20, box["y"] + 60)
        page.mouse.down()
        for x, y in ((90, 15), (150, 70), (220, 20), (280, 60)):
            page.mouse.move(box["x"] + x, box["y"] + y, steps=5)
        page.mouse.up()
        window.accessible()
        page.get_by_role("button", name="Accept for").click()
        page.wait_for_url("**said=accepted")
        expect(page.locator("#sealed")).to_contain_text("being made")
        _sealed(site.office, "drawn")
        expect(page.get_by_role("link", name="Accepted offer (PDF)")).to_be_visible(timeout=20_000)
    (signed,) = _signed(site.office, "drawn")
    assert signed["method"] == "drawn"


def test_signers_follow_each_other(chromium: Chromium, site: Site, addresses: dict[str, str]) -> None:
    """What the first one chose is everybody's: the second one sees it, and chooses no more."""
    with chromium.window() as window:
        page = window.page
        page.goto(addresses["signed"])
        page.get_by_label("Extended service").check()
        expect(page.locator("#bar [data-total]")).to_have_text("€260,124.60")
        page.locator("#name").fill("Inés Caballero")
        page.locator("#consent").check()
        page.get_by_role("button", name="Accept for").click()
        expect(page.get_by_role("heading", name=STATES["signed"])).to_be_visible()
        window.accessible()
        page.goto(addresses["waits"])
        expect(page.locator("#bar [data-total]")).to_have_text("€260,124.60")
        expect(page.get_by_label("Extended service")).to_be_disabled()
        expect(page.locator("#answer")).to_contain_text("Signed by Inés Caballero")
        page.locator("#name").fill("Bruno Leal")
        page.locator("#consent").check()
        page.get_by_role("button", name="Accept for").click()
        expect(page.get_by_role("heading", name=STATES["accepted"])).to_be_visible()
    assert [row["total_minor"] for row in _signed(site.office, "two")] == [260_124_60, 260_124_60]


def test_reading_is_told_and_by_the_company_it_is_not(
    chromium: Chromium, site: Site, addresses: dict[str, str]
) -> None:
    """R51."""
    with chromium.window() as window, window.page.expect_response("**/seen") as told:
        window.page.goto(addresses["newer"])
        window.page.mouse.wheel(0, 300)
        window.page.touchscreen.tap(150, 300)
    said: Any = told.value.request.post_data_json
    assert (said["acted"], said["seconds"] >= 2, len(said["session"])) == (True, True, 22)
    assert set(said["sections"]) <= {"@summary", "@prices", *("roof", "store", "work", "care")}
    o = proposal_opens.c
    query = select(o.session).where(o.proposal_key == "superseded", o.session == said["session"])
    assert len(site.office.all(query)) == 1


def _signed(office: Office, key: str) -> list[dict[str, Any]]:
    s = proposal_signatures.c
    query = select(s.name, s.method, s.total_minor).where(s.proposal_key == key).order_by(s.ordinal)
    return office.all(query)
