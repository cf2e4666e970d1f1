"""A NUL in the arguments of a command is refused like anything else, and blocks nobody's queue (S18, S19).

PostgreSQL keeps no NUL in a text: what reached it as one was a 500, which a phone sends again for ever.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sfa.app.commands import COMMANDS
from sfa.core.errors import Refused
from sfa.core.rules import TRANSITIONS
from tests.builders import NOW
from tests.crm.desk import opened
from tests.crm.test_decisions import quarrel_about_parent, refuse, twins
from tests.office import Office
from tests.quotas.books import Q1, quota
from tests.sync.device.pocket import pocket

# A row of its own for each command, and arguments with every text that it takes.
ABOUT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "visit.check_in": ("visits", "v-1", {"latitude": "1"}),
    "visit.check_out": ("visits", "v-1", {"outcome": "good"}),
    "visit.cancel": ("visits", "v-1", {}),
    "visit.no_show": ("visits", "v-1", {}),
    "visit.submit": ("visits", "v-1", {}),
    "visit.amend": ("visits", "v-2", {"reason": "typo", "values": {"purpose": "x"}}),
    "deal.move": ("deals", "deal-a", {"stage_key": "offer"}),
    "deal.win": ("deals", "deal-a", {"stage_key": "won"}),
    "deal.lose": ("deals", "deal-a", {"reason": "price", "reason_key": "r", "competitor_key": "c"}),
    "deal.reopen": ("deals", "deal-a", {"stage_key": "lead"}),
    "deal.quote": ("deals", "deal-a", {}),
    "deal.transfer": ("deals", "deal-a", {"pipeline_key": "p", "stage_key": "lead"}),
    "deal.sign": ("deals", "deal-a", {"at": "1"}),
    "deal.invoice": ("deals", "deal-a", {"at": "1"}),
    "account.merge": ("accounts", "acme", {"into": "zeta"}),
    "contact.merge": ("contacts", "carl", {"into": "zoe"}),
    "account.unmerge": ("accounts", "acme", {"loser": "a", "fields": ["f"], "children": [["visits", "v"]]}),
    "contact.unmerge": ("contacts", "carl", {"loser": "c", "fields": ["f"], "children": [["visits", "v"]]}),
    "conflict.restore": ("conflicts", "CONFLICT", {}),
    "conflict.dismiss": ("conflicts", "CONFLICT", {}),
    "refusal.dismiss": ("refusals", "REFUSAL", {}),
    "suggestion.accept": ("suggestions", "SUGGESTION", {}),
    "suggestion.decline": ("suggestions", "SUGGESTION", {"reason": "two"}),
    "quota.approve": ("quotas", "q", {"reason": "plan", "valid_from": "2026-01-01"}),
    "quota.reset": ("quotas", "q", {}),
    "quota.challenge": ("quotas", "q", {"text": "too much"}),
    "quota.decide": ("quotas", "q", {"challenge_key": "c", "accept": True, "answer": "no"}),
    "quota.spread": ("quotas", "q", {"children": "month", "method": "equal", "from_on": "2026-01-01"}),
    "deal.propose": ("deals", "deal-a", {"key": "p-2", "title": "Offer", "contact_key": "carl"}),
    "proposal.submit": ("proposals", "p-1", {}),
    "proposal.approve": ("proposals", "p-1", {"values": "0" * 64, "text": "good"}),
    "proposal.reject": ("proposals", "p-1", {"text": "not so"}),
    "proposal.render": ("proposals", "p-1", {}),
    "proposal.send": ("proposals", "p-1", {"version": 1, "total_minor": 1}),
    "proposal.withdraw": ("proposals", "p-1", {"version": 1, "reason": "too dear"}),
    "proposal.revise": ("proposals", "p-1", {}),
    "proposal_question.answer": ("proposal_questions", "q-1", {"text": "yes"}),
    "proposal.resend": ("proposals", "p-1", {"recipient_key": "r-1"}),
    "proposal.revoke_link": ("proposals", "p-1", {"recipient_key": "r-1"}),
    "period.close": ("fiscal_periods", "q1", {"reason": "x", "again_key": "fay"}),
}


def poisoned(value: Any) -> Iterator[Any]:
    """The value with a NUL in one of its texts, for each of them, and in each name."""
    if isinstance(value, str):
        yield from (value + "\0", "\0")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from ([*value[:place], bad, *value[place + 1 :]] for bad in poisoned(part))
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from ({**value, name: bad} for bad in poisoned(part))
        yield from ({**value, "n\0": 1}, {**value, "name": "n\0"})


def prepared(office: Office) -> dict[str, str]:
    """Every row that a command is about; -> the keys that were not chosen here."""
    visited = {"status": "completed", "submitted": True, "checked_in_at": NOW, "checked_out_at": NOW}
    office.put(
        ("fiscal_periods", "q1", Q1),
        quota("q", user_key="ana"),
        ("visits", "v-1", {"account_key": "acme", "owner_key": "ana"}),
        ("proposals", "p-1", {"deal_key": "deal-a", "author_key": "ana", "title": "Offer", "currency": "EUR"}),
    )
    office.put_server_row("visits", "v-2", {"account_key": "acme", "owner_key": "ana", **visited})
    return {"CONFLICT": quarrel_about_parent(office), "REFUSAL": refuse(office), "SUGGESTION": twins(office)}


def test_every_command_refuses_a_nul_in_any_text_and_the_queue_goes_on(office: Office) -> None:
    """S18: what was refused is told and kept, and what waits behind it lands."""
    assert set(ABOUT) == {*TRANSITIONS, *COMMANDS}
    keys = prepared(office)
    for kind, (entity, key, arguments) in ABOUT.items():
        user = "ana" if entity == "refusals" else "root"  # whoever sees it
        phone = office.phone(user)
        for said in poisoned(arguments):
            bad = phone.mutation(kind, entity, keys.get(key, key), base=1, set=said)
            good = phone.mutation("create", "tasks", f"t-{user}-{phone.n}", set={"owner_key": user, "title": "x"})
            receipts = phone.push(bad, good).receipts
            assert [(r.outcome, r.code) for r in receipts] == [("refused", "command_invalid"), ("applied", None)], kind
            assert office.find("refusals", f"d-{user}.{receipts[0].n}") is not None


def test_a_screen_is_told_alike_whichever_route_takes_the_command(office: Office) -> None:
    keys = prepared(office)
    with opened(office) as desk:
        for kind, (entity, key, arguments) in ABOUT.items():
            word = kind.partition(".")[2].replace("_", "-")
            for said in poisoned(arguments):
                office.clock.advance(100)  # more would be too many requests
                answer = desk.post("root", f"/api/{entity}/{keys.get(key, key)}/{word}", json=said)
                assert answer.status_code < 500, (kind, said, answer.text)  # some take no body at all
        answer = desk.post("fay", "/api/fiscal_periods/q1/close", json={"reason": "a\0b"})
        assert (answer.status_code, answer.json()["code"]) == (422, "command_invalid")


@pytest.mark.parametrize(
    ("kind", "entity", "key", "arguments"),
    [
        ("quota.decide", "quotas", "q", {"challenge_key": "c/1", "accept": True, "answer": "ok"}),
        ("account.unmerge", "accounts", "acme", {"loser": "a/1"}),
    ],
)
def test_what_is_no_key_is_no_argument(
    office: Office, kind: str, entity: str, key: str, arguments: dict[str, Any]
) -> None:
    prepared(office)
    assert office.phone("root").do(kind, entity, key, base=1, set=arguments).code == "command_invalid"


def test_a_device_refuses_it_before_it_is_queued(office: Office) -> None:
    office.put(("fiscal_periods", "q1", Q1), quota("q", user_key="ana"))
    ana = pocket(office, "ana")
    ana.sync()
    with pytest.raises(Refused, match="NUL") as refused:
        ana.command("quota.challenge", "q", {"text": "a\0"}, entity="quotas")
    assert refused.value.code == "command_invalid"
    assert list(ana.pending()) == []
