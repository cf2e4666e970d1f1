"""The demo's buyer: gets the offer by mail, opens it, takes an option, asks, signs, and can prove what was signed.

Everything is said by the forms of the page, as a browser would send them. Another offer is left open for whoever looks.
"""

import re
import time
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from sfa.app.demo.phones import Phone
from sfa.app.demo.post import Post
from sfa.app.demo.story import Day, StepFailed
from sfa.core.money import format_minor
from sync.device import buyers, drafting, sending

NAME, ADDRESS = "Nerea Etxeberria", "nerea@customer.example"
OTHER_NAME, OTHER_ADDRESS = "Jon Aguirre", "jon@customer.example"
TAX = ("VAT", 2_100)
AGENT = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36"
)
MAIL_S, SEAL_S, TIMEOUT_S = 60.0, 120.0, 30.0
_LINK = re.compile(r"https?://\S+?/p/[A-Za-z0-9_-]{22}")


class Fields(HTMLParser):
    """The inputs of a page by their names: hidden ones with their values, boxes with what they would say."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.boxes: dict[str, list[str]] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag != "input" or not said.get("name"):
            return
        if said.get("type") == "hidden":
            self.hidden.setdefault(said["name"], said.get("value", ""))
        elif said.get("type") == "checkbox":
            self.boxes.setdefault(said["name"], []).append(said.get("value", ""))


class Buyer(Struct):
    """Who has the link of a mail, and a browser."""

    day: Day
    link: str
    web: httpx.Client

    def page(self) -> str:
        return self.web.get(self.link).raise_for_status().text

    def post(self, form: str, fields: dict[str, Any]) -> httpx.Response:
        return self.web.post(f"{self.link}/{form}", data=fields)


def add_recipient(phone: Phone, proposal: str, name: str = NAME, address: str = ADDRESS) -> None:
    """Beside the draft, with an option that the buyer may take."""
    device = phone.device
    currency = _row(phone, proposal)["currency"]
    listed = {price["product_key"] for price in device.list("prices", {"currency": currency}).values()}
    offered = {line["product_key"] for line in device.list("proposal_lines", {"proposal_key": proposal}).values()}
    option = {"product_key": min(listed - offered), "optional": True, "chosen": False}
    drafting.add_line(device, proposal, option, TAX)
    buyers.add_recipient(device, proposal, {"name": name, "email": address, "language": "en"})


def sell_to_the_buyer(day: Day, post: Post, folder: Path, proposal: str) -> None:
    day.title(f"{NAME} gets the offer by mail, opens it, takes an option, asks and signs")
    link = _mailed(day, post, ADDRESS)
    with httpx.Client(timeout=TIMEOUT_S, headers={"User-Agent": AGENT}) as web:
        buyer = Buyer(day, link, web)
        _open(buyer, proposal)
        _ask(buyer, proposal)
        _sign(buyer, proposal)
        _prove(buyer, proposal, folder)


def leave_one_open(day: Day, post: Post) -> str:
    """-> the link to an offer that nobody answered."""
    ana = day.ana
    day.title(f"{ana.name} sends another offer, which waits for an answer")
    before = len(post.letters)
    day.sync(ana)
    key = _draft(ana)
    sending.send(ana.device, key)
    day.sync(ana)
    link = _mailed(day, post, OTHER_ADDRESS, before)
    shown = httpx.get(link, timeout=TIMEOUT_S, headers={"User-Agent": AGENT})
    day.check("its page is there for whoever has the link", shown.status_code == 200)
    day.check(f"it is mailed and printed, as {ana.name}'s phone is told", _is_settled(ana, key))
    return link


def _is_settled(ana: Phone, key: str) -> bool:
    """Nothing more happens to it until somebody answers."""
    deadline = time.monotonic() + SEAL_S
    while time.monotonic() < deadline:
        ana.device.sync()
        row, (recipient,) = _row(ana, key), buyers.recipients(ana.device, key)
        is_printed = row["render_state"] in ("rendered", "failed") or row["render_problem"]
        if is_printed and recipient.state == "mailed":
            return True
        time.sleep(0.2)
    return False


def _draft(ana: Phone) -> str:
    """Within what a rep may give, so that nobody need approve it."""
    device = ana.device
    taken = {row["deal_key"] for row in device.list("proposals").values()}
    held = device.list("accounts")  # of some of her deals the customer went to somebody else
    deals = device.list("deals", {"owner_key": ana.user_key, "closed_at": None})
    deal = min(k for k, row in deals.items() if row["account_key"] in held and row["currency"] and k not in taken)
    prices = device.list("prices", {"currency": deals[deal]["currency"]}).values()
    said: dict[str, Any] = {"title": "What we talked about", "payment_days": 30}
    said["summary"] = "Two machines, installed and explained. **You can sign this on your phone.**"
    key = drafting.draft(device, deal, said, lines=False)
    for product in sorted({price["product_key"] for price in prices})[:2]:
        drafting.add_line(device, key, {"product_key": product, "quantity": "2"}, TAX)
    add_recipient(ana, key, OTHER_NAME, OTHER_ADDRESS)
    return key


# -- what the buyer does ----------------------------------------------------------------------------------------------


def _mailed(day: Day, post: Post, address: str, after: int = 0) -> str:
    letter = post.wait(address, MAIL_S, after)
    if letter is None:
        raise StepFailed(f"step {day.steps}: no mail came to {address}")
    found = {link for kind in ("plain", "html") for link in _LINK.findall(_part(letter, kind))}
    day.tell(f"a mail comes to {address}: {letter['Subject']}")
    day.check("text and HTML of it have the one link to the page", len(found) == 1)
    link: str = found.pop()
    return link


def _part(letter: EmailMessage, kind: str) -> str:
    body = letter.get_body((kind,))
    return str(body.get_content()) if body is not None else ""


def _open(buyer: Buyer, proposal: str) -> None:
    """A program that only loads the page has not opened it; somebody who reads has (R51)."""
    day, ana = buyer.day, buyer.day.ana
    buyer.page()
    day.sync(ana)
    day.check("loading the page alone counts as nothing", _row(ana, proposal)["opens"] == 0)
    beat = {"session": "A" * 22, "seconds": 5, "sections": {}, "acted": True}
    buyer.web.post(f"{buyer.link}/seen", json=beat).raise_for_status()
    day.sync(ana)
    row = _row(ana, proposal)
    day.check(f"{ana.name} is told that it was opened", (row["opens"], row["status"]) == (1, "viewed"))


def _ask(buyer: Buyer, proposal: str) -> None:
    day, ana = buyer.day, buyer.day.ana
    asked = buyer.post("ask", {"name": NAME, "text": "Does it work in the cold store?", "place": ""})
    day.check("a question is taken by the page", asked.status_code == 303)
    day.sync(ana)
    (question,) = buyers.questions(ana.device, proposal)
    day.tell(f"{question.asked_by} asks: {question.text}")
    day.without_signal(ana, lambda: buyers.answer(ana.device, question.key, "Down to minus 25 degrees."))
    day.sync(ana)
    day.check("the answer, written without signal, is on the page", "Down to minus 25 degrees." in buyer.page())


def _sign(buyer: Buyer, proposal: str) -> None:
    day, ana = buyer.day, buyer.day.ana
    before = int(Fields(buyer.page()).hidden["total_minor"])
    taken = {"take": Fields(buyer.page()).boxes["take"]}
    found = Fields(buyer.post("choose", taken).raise_for_status().text).hidden
    total, currency = int(found["total_minor"]), _row(ana, proposal)["currency"]
    day.tell(f"with the option it comes to {format_minor(total, currency)} {currency}, by the server's reckoning")
    day.check("the option is in the total", total > before)
    signed = {**found, **taken, "name": NAME, "method": "typed", "consent": "yes"}
    cheaper = buyer.post("accept", {**signed, "total_minor": str(total - 1)})
    day.check("a total that somebody made cheaper is not accepted", cheaper.status_code == 409)
    day.check("signed, it is accepted", buyer.post("accept", signed).status_code == 303)
    day.check("signed again, it is still accepted once", buyer.post("accept", signed).status_code == 303)
    day.sync(ana)
    day.sync(ana)
    row = _row(ana, proposal)
    outcome = row["outcome"] or {}
    told = (row["status"], outcome.get("kind"), outcome.get("total_minor"))
    day.check(f"{ana.name}'s phone knows what was accepted", told == ("accepted", "accepted", total))
    deal = ana.device.get("deals", row["deal_key"]) or {}
    stage = ana.device.get("stages", deal["stage_key"]) or {}
    day.check(f"and that {deal['name']} is won", deal["closed_at"] is not None and stage["kind"] == "won")


def _prove(buyer: Buyer, proposal: str, folder: Path) -> None:
    day, ana = buyer.day, buyer.day.ana
    deadline = time.monotonic() + SEAL_S
    while (answer := buyer.web.get(f"{buyer.link}/final.pdf")).status_code != 200 and time.monotonic() < deadline:
        ana.device.sync()
        if _row(ana, proposal)["render_problem"]:
            break
        time.sleep(0.3)
    if answer.status_code != 200 and _row(ana, proposal)["render_state"] != "rendered":
        day.tell("this machine prints nothing, so nothing is sealed")
        return
    day.check("the sealed PDF is there for the buyer", answer.content[:5] == b"%PDF-")
    (folder / "accepted.pdf").write_bytes(answer.content)
    certificate = buyer.web.get(f"{buyer.link}/certificate.pdf").raise_for_status()
    (folder / "certificate.pdf").write_bytes(certificate.content)
    server = buyer.link.partition("/p/")[0]
    for path, name in ((folder / "accepted.pdf", "sealed PDF"), (folder / "certificate.pdf", "certificate")):
        found = _verified(server, path.read_bytes())
        day.check(f"/verify knows the {name}, and that nothing was changed in it", found["state"] == "genuine")
    content = answer.content
    middle = len(content) // 3
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    day.check("and that somebody changed one bit of another copy", _verified(server, changed)["state"] != "genuine")


def _verified(server: str, content: bytes) -> dict[str, Any]:
    headers = {"Accept": "application/json", "Content-Type": "application/pdf"}
    answer = httpx.post(f"{server}/verify", content=content, headers=headers, timeout=TIMEOUT_S)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def _row(phone: Phone, key: str) -> dict[str, Any]:
    return phone.device.get("proposals", key) or {}
