"""The demo's offer: what a discount would do to one deal, asked on a phone without signal and at the director's screen.

Nothing of it changes the deal. The phone knows guides, limits and the rep's own pay, but no cost; the director sees the
waterfall down to the profit, before and after.
"""

from typing import Any

import httpx
import msgspec
from sqlalchemy import Connection, func, select

from sfa.app.demo.phones import Phone
from sfa.app.demo.story import Day
from sfa.core.money import format_minor
from sfa.db.tables import ROWS, history
from sfa.profit.price import guiding
from sfa.profit.price.limits import NOBODY, UNKNOWN
from sfa.profit.price.whatif import Changes, LineChange
from sync.device import whatif

TIMEOUT_S = 30.0
DISCOUNT_BP, DAYS = 2_500, 90
WIDTH = 14
Told = dict[str, Any]


def ask_before_giving(day: Day, server: str) -> None:
    ana = day.ana
    day.database.write(guiding.make_guides, ana.device.clock.now_ms())
    day.title(
        f"Before {ana.name} gives a discount of {DISCOUNT_BP / 100:g} % and {DAYS} days to pay: what would it do?"
    )
    day.sync(ana)
    deal, lines = _offer(ana)
    changes = Changes({key: LineChange(discount_bp=DISCOUNT_BP) for key in lines}, payment_days=DAYS)
    _on_the_phone(day, deal, changes)
    with httpx.Client(base_url=server, timeout=TIMEOUT_S) as web:
        headers = _director(day, web)
        before = day.database.read(_versions)
        path = f"/api/deals/{deal}/what-if"
        answer = web.post(path, headers=headers, content=msgspec.json.encode(changes)).raise_for_status()
        told: Told = answer.json()
        _print(day, told)
        day.check("each side sums step by step, and the differences too", _sums(told))
        day.check("nothing was written", day.database.read(_versions) == before)
        day.check(
            "the waterfall goes down to the profit", not told["partial"] and told["before"]["waterfall"]["totals"]
        )


def _offer(phone: Phone) -> tuple[str, list[str]]:
    """An open deal of the rep with lines of goods that have a list price: the largest."""
    device = phone.device
    deals = device.list("deals", {"owner_key": phone.user_key, "closed_at": None})
    found: dict[str, list[str]] = {}
    for key, line in sorted(device.list("deal_lines").items()):
        if line["deal_key"] in deals and deals[line["deal_key"]]["currency"] is not None:
            found.setdefault(line["deal_key"], []).append(key)
    deal = max(found, key=lambda key: (deals[key]["amount_minor"] or 0, key))
    return deal, found[deal]


def _on_the_phone(day: Day, deal: str, changes: Changes) -> None:
    ana = day.ana
    ana.signal.on = False
    told = whatif.what_if(ana.device, deal, changes)
    ana.signal.on = True
    before, after = told.compared.before, told.compared.after
    for side, name in ((before, "as it is"), (after, "with it")):
        verdicts = ", ".join(sorted({line.verdict for line in side.lines}))
        day.tell(
            f"without signal, {name}: {_money(side.amount_minor, told.currency)}, {verdicts}; {by_whom(side.approver)}"
        )
    day.check("the phone says who would have to approve it", after.approver not in (None, before.approver))
    hidden = {total.code for total in after.waterfall.totals[2:]}
    day.check("and that costs are not on it", told.partial and hidden == {"not_permitted"})


def by_whom(role: str | None) -> str:
    """Who must approve it, in words, as far as a phone can say."""
    said = {None: "no approval needed", NOBODY: "nobody may approve it", UNKNOWN: "it cannot say who must approve it"}
    return said.get(role, f"to be approved by a {role}")


def _print(day: Day, told: Told) -> None:
    currency = told["currency"]
    day.tell(f"{'':<16}{'before':>{WIDTH}}{'after':>{WIDTH}}{'difference':>{WIDTH}}")
    sides = (told["before"]["waterfall"], told["after"]["waterfall"])
    steps = dict(zip((step["step"] for step in sides[0]["steps"]), range(len(sides[0]["steps"])), strict=True))
    for place, total in enumerate(sides[0]["totals"]):
        for step in _steps_to(total["total"]):
            _row(day, f"  {step}", [side["steps"][steps[step]] for side in sides], currency)
        _row(day, total["total"], [side["totals"][place] for side in sides], currency)


def _steps_to(total: str) -> list[str]:
    """The steps between the total before and this one, but those that are totals themselves."""
    return {
        "invoice": ["discount"],
        "pocket": ["off_invoice"],
        "margin": ["goods"],
        "contribution": ["serve"],
        "profit": ["commission"],
    }.get(total, [])


def _row(day: Day, name: str, sides: list[Told], currency: str) -> None:
    amounts = [side["amount_minor"] for side in sides]
    delta = None if None in amounts else amounts[1] - amounts[0]
    shown = [_money(amount, currency) for amount in (*amounts, delta)]
    day.tell(f"{name:<16}" + "".join(f"{text:>{WIDTH}}" for text in shown))


def _money(minor: int | None, currency: str) -> str:
    return "not known" if minor is None else format_minor(minor, currency)


def _sums(told: Told) -> bool:
    for side in (told["before"], told["after"]):
        running = 0
        steps, totals = side["waterfall"]["steps"][2:], side["waterfall"]["totals"][1:]
        for step, total in zip(steps, totals, strict=True):
            running += step["amount_minor"] or 0
            if total["amount_minor"] not in (None, running):
                return False
    deltas = [step["delta_minor"] for step in told["steps"][2:]]
    return None in deltas or sum(deltas) == told["totals"][-1]["delta_minor"]


def _director(day: Day, web: httpx.Client) -> dict[str, str]:
    email = day.database.read(_email_of_director)
    device = {"name": "console", "platform": "demo", "app_version": "1"}
    login = {"email": email, "password": day.password, "device": device}
    return {"Authorization": f"Bearer {web.post('/auth/login', json=login).raise_for_status().json()['access_token']}"}


def _email_of_director(connection: Connection) -> str:
    users = ROWS["users"].c
    query = select(users.email).where(users.role == "director", ~users.gone).order_by(users.key).limit(1)
    return str(connection.execute(query).scalar_one())


def _versions(connection: Connection) -> int:
    """How many versions of rows there are."""
    return int(connection.execute(select(func.count()).select_from(history)).scalar_one())
