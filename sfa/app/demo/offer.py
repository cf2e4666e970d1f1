"""The demo's proposal: drafted without signal, approved from above, sent with a number, printed once for everybody."""

import hashlib
import time
from pathlib import Path
from typing import Any

import httpx

from sfa.app.demo import buyer
from sfa.app.demo.margins import by_whom
from sfa.app.demo.phones import Phone
from sfa.app.demo.story import Day
from sfa.core.money import format_minor
from sync.device import drafting, proposals, sending

DISCOUNT_BP = 1_500  # more than a rep may give, and no more than a manager
PRINTED_S, TIMEOUT_S = 120.0, 30.0


def offer_a_customer(day: Day, server: str, folder: Path) -> str:
    """-> the proposal's key."""
    ana, eva = day.ana, day.eva
    day.title(f"{ana.name} drafts a proposal without signal, {eva.name} approves it, and it is sent and printed")
    day.sync(ana)
    made: list[str] = []
    day.without_signal(ana, lambda: made.append(_draft(ana)))
    key = made[0]
    told = proposals.shown(ana.device, key)
    assert told.priced is not None
    total = f"{format_minor(told.priced.total_minor, told.currency)} {told.currency}"
    day.tell(f"on the phone it comes to {total}; {by_whom(told.approval)}")
    day.check("the phone knows who must approve it, and has no number to give", told.approval and told.number is None)
    day.sync(ana)
    day.sync(ana)
    row = _row(ana, key)
    day.check(f"the server asks for a {', '.join(row['needs'])}", row["status"] == "in_approval" and row["needs"])
    day.check("what was sent too early is kept with its reason", _refused(ana, key) == ["approval_needed"])
    day.sync(eva)
    eva.device.command("proposal.approve", key, {"submitted_at": _row(eva, key)["submitted_at"], "text": "Good"})
    day.sync(eva)
    sending.send(ana.device, key)
    day.sync(ana)
    day.sync(ana)
    row = _row(ana, key)
    day.tell(f"{eva.name} approves; it is sent as {row['number']}, version {row['version']}")
    day.check("the total is the one that the phone had reckoned", row["total_minor"] == told.priced.total_minor)
    _check_document(day, server, key, row)
    row = _printed(day, key)
    if row["render_state"] != "rendered":
        day.tell(f"this machine prints nothing: {row['render_problem'] or row['render_state']}")
        return key
    target = folder / "proposal.pdf"
    size = ana.device.fetch(row["pdf_key"], target)
    day.tell(f"the PDF has come: {size} bytes, SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()[:16]}…")
    day.check("it is a PDF of that very document", target.read_bytes()[:5] == b"%PDF-" and _same(row))
    return key


def _draft(ana: Phone) -> str:
    """An open deal of hers with a customer, one product at its list price, and more off than she may give."""
    device = ana.device
    held = device.list("accounts")
    deals = device.list("deals", {"owner_key": ana.user_key, "closed_at": None})
    deal = min(key for key, row in deals.items() if row["account_key"] in held and row["currency"] is not None)
    product = min(
        price["product_key"] for price in device.list("prices", {"currency": deals[deal]["currency"]}).values()
    )
    terms: dict[str, Any] = {"title": "Offer of the day", "discounts": [{"share_bp": DISCOUNT_BP}], "payment_days": 30}
    key = drafting.draft(device, deal, terms, lines=False)
    drafting.add_line(device, key, {"product_key": product, "quantity": "3"}, buyer.TAX)
    buyer.add_recipient(ana, key)
    device.command("proposal.submit", key, {})
    sending.send(device, key)
    return key


def _row(phone: Phone, key: str) -> dict[str, Any]:
    return phone.device.get("proposals", key) or {}


def _refused(phone: Phone, key: str) -> list[str]:
    return [problem.code for problem in proposals.refused(phone.device, key)]


def _check_document(day: Day, server: str, key: str, row: dict[str, Any]) -> None:
    token = day.ana.device.store.state().access_token
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{server}/api/proposals/{key}/document", headers=headers, timeout=TIMEOUT_S).raise_for_status()
    made = hashlib.sha256(answer.content).hexdigest()
    day.tell(f"its document has the digest {made[:16]}…, whoever reads it")
    day.check("the bytes that everybody reads are those that its digest names", made == row["digest"])
    day.check("and their total is that of the row", answer.json()["priced"]["total_minor"] == row["total_minor"])


def _printed(day: Day, key: str) -> dict[str, Any]:
    """When the server has printed it, or has said that it cannot."""
    deadline = time.monotonic() + PRINTED_S
    while True:
        day.ana.device.sync()
        row = _row(day.ana, key)
        if row["render_state"] in ("rendered", "failed") or row["render_problem"] or time.monotonic() > deadline:
            return row
        time.sleep(0.3)


def _same(row: dict[str, Any]) -> bool:
    return bool(row["pdf_digest"] == row["digest"])
