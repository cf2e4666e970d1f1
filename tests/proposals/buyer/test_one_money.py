"""What is accepted is the same money wherever it is told, to the minor unit (R39, R50, R55)."""

from contextlib import closing
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from msgspec import structs, to_builtins
from sqlalchemy import Connection, select

from forecasting.facts import basis_of
from forecasting.ledger import ledger
from forecasting.reading import find_period, read_raw, read_world
from forecasting.rollup import Asked, rolled
from proposals.buyer import answering
from proposals.evidence.accepted import accepted_of
from sfa.app import reconcile
from sfa.app.commands import COMMANDS
from sfa.core.errors import Refused
from sfa.core.pricing import price
from sfa.core.pricing.choosing import Choices, choose
from sfa.core.pricing.values import Offer
from sfa.crm import online
from sfa.crm.online import Order
from sfa.db.database import open_database
from sfa.db.tables import credited, deal_quote_lines, deal_quotes
from sfa.profit.deal import pnl
from tests.builders import DAY_MS, company
from tests.core.pricing.offers import offers
from tests.core.pricing.test_choosing import choices
from tests.db.test_commissions import has, plan
from tests.office import Office
from tests.proposals.buyer.answers import accept, acceptance, answers, commissions, earned, link, recipient, sent
from tests.proposals.selling import LINE, offered, order, template
from tests.quotas.books import quarter

EXAMPLES = 25
RULES = ("accepted_money", "credits_of_deals", "answers_once")


def rows_of(offer: Offer, key: str, deal: str, products: tuple[bool, ...]) -> list[tuple[str, str, dict[str, Any]]]:
    """The deal, the draft and its lines as people write them; every other line is words alone."""
    draft: dict[str, Any] = {"deal_key": deal, "title": "Offer", "template_key": "house", "author_key": "ana"}
    same = ("currency", "tax_inclusive", "rounding", "rounding_per")
    draft |= {name: getattr(offer, name) for name in same}
    draft |= {"discounts": _cuts(to_builtins(offer.discounts)), "instalments": to_builtins(offer.instalments)}
    used = sorted({line.section for line in offer.lines if line.section})
    draft["sections"] = [{"key": name, "title": name} for name in used]
    said = {"name": deal, "owner_key": "ana", "account_key": "acme", "stage_key": "lead"}
    found: list[tuple[str, str, dict[str, Any]]] = [("deals", deal, said), ("proposals", key, draft)]
    for place, (line, is_product) in enumerate(zip(offer.lines, products, strict=False)):
        values: dict[str, Any] = {"proposal_key": key, "position": place, "name": line.key, "section_key": line.section}
        values |= {"product_key": "pump" if is_product else None, "group_key": line.group}
        kept = ("quantity", "unit_price_minor", "optional", "chosen", "quantity_min", "quantity_max", "quantity_step")
        values |= {name: getattr(line, name) for name in kept}
        values |= {
            "tax_name": line.tax.name if line.tax else None,
            "tax_rate_bp": line.tax.rate_bp if line.tax else None,
        }
        found.append(
            ("proposal_lines", f"{key}.{line.key}", {**values, "discounts": _cuts(to_builtins(line.discounts))})
        )
    return [*found, recipient(f"{key}.who", "Carla Ruiz", proposal=key)]


def _cuts(found: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in cut.items() if value is not None} for cut in found]


@st.composite
def accepted(draw: st.DrawFn) -> tuple[Offer, Choices, tuple[bool, ...]]:
    currency = draw(st.sampled_from(("EUR", "JPY", "KWD")))
    offer = draw(offers(currency=currency, deposit=None))
    return offer, draw(choices(offer)), tuple(draw(st.booleans()) for _ in offer.lines)


def renamed(wanted: Choices, key: str) -> Choices:
    return Choices(
        {f"{key}.{name}": value for name, value in wanted.lines.items()},
        {f"{key}.{name}": value for name, value in wanted.quantities.items()},
    )


def once(office: Office, n: int, made: tuple[Offer, Choices, tuple[bool, ...]]) -> None:
    offer, wanted, products = made
    key, deal = f"p{n}", f"d{n}"
    try:
        expected = price(choose(offer, wanted))
    except Refused:
        assume(False)
        raise
    now = office.clock.now_ms()
    office.put(*rows_of(offer, key, deal, products))
    send = Order(
        user_key="ana",
        command="proposal.send",
        key=key,
        arguments={"version": 1, "total_minor": price(offer).total_minor},
    )
    try:
        office.database.write(online.order, now, send, COMMANDS)
    except Refused as refusal:
        assume(refusal.code != "proposal_incomplete")  # nothing counts
        raise
    asked = acceptance(office, link(office, f"{key}.who", key=key), renamed(wanted, key))
    assert asked.total_minor == expected.total_minor
    told = office.database.write(answering.accept, now, asked)
    assert told.total_minor == expected.total_minor
    row = office.row("deals", deal)
    (answer,) = (one for one in answers(office) if one["proposal_key"] == key)
    document = accepted_of(answer["document"]).document
    assert document.priced == _renamed_priced(expected, document)
    c, q = credited.c, deal_quotes.c
    (earned,) = office.all(select(c.amount_minor, c.currency).where(c.deal_key == deal))
    quote = office.all(select(q.amount_minor, q.currency).where(q.deal_key == deal).order_by(q.number))[-1]
    side = office.database.read(pnl.told, "fay", now + 1, deal, None, offer.currency)
    shown = [next(s.amount_minor for s in of.steps if s.step == "invoice") for of in (side.actual, side.quoted) if of]
    amounts = {answer["net_minor"], row["amount_minor"], earned["amount_minor"], quote["amount_minor"], *shown}
    assert amounts == {expected.net_minor}
    assert {row["currency"], earned["currency"], quote["currency"]} == {offer.currency}
    assert len(shown) == 2
    lines = [one for one in office.rows("deal_lines") if one["deal_key"] == deal]
    counted = sorted(
        p.quantity for p, is_product in zip(expected.lines, products, strict=True) if p.counts and is_product
    )
    assert sorted(one["quantity"] for one in lines) == counted


def _renamed_priced(expected: Any, document: Any) -> Any:
    keys = [item.key for item in document.items]
    lines = tuple(structs.replace(line, key=key) for line, key in zip(expected.lines, keys, strict=True))
    return structs.replace(expected, lines=lines)


def test_whatever_is_offered_and_chosen_is_one_amount_everywhere(sqlite_url: str) -> None:
    """R50, R55: currencies of 0, 2 and 3 digits, tax in prices or on top, discounts of the whole, options."""
    with closing(open_database(sqlite_url, durable=False)) as database:
        company(database)
        office, numbers = Office(database), count(1)
        template(office)

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
        @given(accepted())
        def one(made: tuple[Offer, Choices, tuple[bool, ...]]) -> None:
            once(office, next(numbers), made)

        one()
        report = office.database.read(reconcile.report, office.clock.now_ms())
        assert [
            item for item in report.items if item.rule in ("accepted_money", "credits_of_deals", "answers_once")
        ] == []


def test_costs_are_those_of_the_day_of_sending(office: Office) -> None:
    """R39: also of an option that was not taken then, and where another offer was quoted in between."""
    ana = offered(office)
    more = {**LINE, "proposal_key": "p1", "name": "Spare", "optional": True, "chosen": False, "position": 2}
    ana.do("create", "proposal_lines", "p1-2", set=more)
    office.put(recipient("carla", "Carla Ruiz"))
    order(ana, "send")
    office.clock.advance(3 * DAY_MS)
    dear = {"product_key": "pump", "amount_minor": 99_00, "currency": "EUR", "valid_from": "2026-01-07"}
    office.put(("unit_costs", "c-pump", {"valid_to": "2026-01-07"}), ("unit_costs", "c-dear", dear))
    accept(office, link(office), Choices({"p1-2": True}))
    q = deal_quote_lines.c
    rows = office.all(select(q.number, q.cost_minor).where(q.deal_key == "deal-a").order_by(q.number))
    assert [(row["number"], row["cost_minor"]) for row in rows] == [(1, 60_00), (2, 60_00), (2, 60_00)]


def test_quota_commission_and_forecast_count_what_was_accepted(office: Office) -> None:
    """R55: the credit, what it earns, and what the forecast calls closed, before and after."""
    quarter(office)
    office.put(plan(currency="EUR"), has())
    sent(office, discount_bp=1_234)
    assert forecast(office) == 0
    accept(office, link(office))
    assert office.row("deals", "deal-a")["amount_minor"] == 262_98
    assert earned(office) == [(1, "ana", False, 262_98)]
    assert forecast(office) == 262_98
    paid = sorted((row["basis_minor"], row["rate_bp"]) for row in commissions(office.database))
    assert paid == [(100_00, 500), (162_98, 1_000)]
    report = office.database.read(reconcile.report, office.clock.now_ms())
    assert report.items == []


def forecast(office: Office) -> int:
    """What Ana has closed in the quarter."""

    def told(connection: Connection) -> int:
        world = read_world(connection, now_ms=office.clock.now_ms())
        period = find_period(connection, "q1", world.today, world.period_kind)
        basis = basis_of(read_raw(connection, world, period), world, period)
        nodes = {node.node: node.buckets for node in rolled(basis, ledger(basis.facts), Asked()).nodes}
        return int(nodes["user:ana"]["closed"].amount_minor or 0)

    return office.database.read(told)
