"""What the reconciliation report says of answers (R48, R55)."""

import pytest
from sqlalchemy import text

from sfa.app import reconcile
from tests.office import Office
from tests.proposals.buyer.answers import accept, decline, link, recipient, sent

RULES = ("answers_once", "timelines_intact", "accepted_money")


def found(office: Office) -> list[tuple[str, str]]:
    report = office.database.read(reconcile.report, office.clock.now_ms())
    looked = {checked.rule: checked.looked for checked in report.checked}
    assert all(looked[rule] for rule in RULES)
    return [(item.rule, item.detail["what"]) for item in report.items if item.rule in RULES]


def answered(office: Office) -> None:
    sent(office, discount_bp=1234)
    sent(office, recipient("dora", "Dora", proposal="p2"), key="p2")
    decline(office, link(office, "dora", key="p2"))
    accept(office, link(office))


WRONG = {
    "UPDATE proposal_versions SET status = 'sent' WHERE proposal_key = 'p1'": [("answers_once", "answer")],
    "UPDATE proposal_answers SET kind = 'expired' WHERE proposal_key = 'p2'": [
        ("answers_once", "answer"),
        ("answers_once", "outcome"),
    ],
    "UPDATE proposals SET status = 'sent' WHERE key = 'p1'": [("answers_once", "proposal")],
    "DELETE FROM proposal_signatures": [("answers_once", "signatures")],
    "UPDATE proposal_answers SET digest = 'x' WHERE proposal_key = 'p1'": [
        ("answers_once", "digest"),
        ("accepted_money", "timeline"),
    ],
    "UPDATE proposal_events SET address = '192.0.2.9' WHERE kind = 'signed'": [("timelines_intact", "chain")],
    "UPDATE proposal_answers SET net_minor = net_minor + 1": [("accepted_money", "answer")],
    "UPDATE proposal_answers SET total_minor = total_minor + 1": [("accepted_money", "total")],
    "UPDATE deals SET amount_minor = amount_minor - 1": [("accepted_money", "deal")],
    "UPDATE credits SET amount_minor = amount_minor - 1": [("accepted_money", "credits")],
    "UPDATE deal_quotes SET amount_minor = amount_minor + 1": [("accepted_money", "quote")],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_the_report_finds_what_was_written_past_the_answer(office: Office, wrong: str) -> None:
    """R48, R55."""
    answered(office)
    assert found(office) == []
    office.database.write(lambda connection: connection.execute(text(wrong)))
    assert found(office) == WRONG[wrong]


def test_what_people_change_of_the_won_deal_later_is_no_difference(office: Office) -> None:
    """R55: it is dated, and the deal is held to its own credits."""
    answered(office)
    office.clock.advance(60_000)
    ana = office.phone("ana")
    assert ana.edit("deals", "deal-a", amount_minor=77_00).outcome == "applied"
    assert found(office) == []
    set_ = {"stage_key": "lead"}
    assert ana.do("deal.reopen", "deals", "deal-a", base=office.rev("deals", "deal-a"), set=set_).outcome == "applied"
    assert found(office) == []


def test_where_credit_comes_with_the_invoice_there_is_none_before_it(office: Office) -> None:
    """R9, R55."""
    office.put(("credit_rules", "r1", {"event": "invoiced", "valid_from": "2025-01-01"}))
    answered(office)
    assert found(office) == []
    ana = office.phone("ana")
    assert ana.do("deal.invoice", "deals", "deal-a", base=office.rev("deals", "deal-a")).outcome == "applied"
    assert found(office) == []
