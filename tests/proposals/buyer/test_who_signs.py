"""Who signs what the buyer has is settled by the first signature (R48)."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from proposals import store
from proposals.buyer import answering, deciding
from proposals.buyer.page import said
from proposals.evidence.certificate import KINDS
from sfa.core.errors import Refused
from sfa.db import proposal_timeline as timeline
from sfa.db.tables import proposal_events
from tests.office import Office, Phone
from tests.proposals.buyer.answers import accept, acceptance, events, link, recipient, refused, sent, standing, statuses
from tests.proposals.selling import order

WHO = "proposal_recipients"


def two(office: Office) -> Phone:
    """Carla signs, Dora signs after her, Rita reads."""
    rita = recipient("rita", "Rita Reader", role="reader", position=2)
    sent(office, recipient("carla", "Carla Ruiz"), recipient("dora", "Dora Paz", position=1), rita)
    return office.phone("ana")


def create(ana: Phone, key: str, role: str) -> Any:
    values = {"proposal_key": "p1", "name": "Zed Zimmer", "email": "zed@buyer.example", "role": role, "position": 0}
    return ana.do("create", WHO, key, set=values)


def delete(office: Office, ana: Phone, key: str) -> Any:
    return ana.do("delete", WHO, key, base=office.rev(WHO, key))


def told(office: Office) -> list[dict[str, Any]]:
    events_ = office.database.read(timeline.events_of, "p1")
    assert timeline.broken_at("p1", events_) is None
    return [msgspec.json.decode(e.detail) | {"by": e.user_key} for e in events_ if e.kind == timeline.RECIPIENTS]


@pytest.mark.parametrize("is_revised", [False, True])
def test_after_the_first_signature_nobody_changes_who_signs(office: Office, is_revised: bool) -> None:
    """R48: also while the proposal is revised, of which the buyer still has the version that was sent."""
    ana = two(office)
    assert accept(office, link(office)).kind == "signed"
    if is_revised:
        assert order(ana, "revise").outcome == "applied"
    for key in ("carla", "dora"):
        others: dict[str, Any] = {"role": "reader", "position": 7, "name": "Mallory", "email": "m@x.example"}
        for field, value in others.items():
            base = office.rev(WHO, key)
            receipt = ana.do("update", WHO, key, base=base, set={field: value})
            assert receipt.code == "proposal_locked", (key, field)
        assert delete(office, ana, key).code == "proposal_locked"
    assert ana.edit(WHO, "rita", role="signer").code == "proposal_locked"
    assert create(ana, "zed", "signer").code == "proposal_locked"
    assert ana.edit(WHO, "dora", language="es").outcome == "applied"
    assert told(office) == []
    assert accept(office, link(office, "dora"), name="Dora Paz").kind == "accepted"


def test_readers_come_and_go_after_a_signature(office: Office) -> None:
    ana = two(office)
    accept(office, link(office))
    assert create(ana, "zed", "reader").outcome == "applied"
    assert ana.edit(WHO, "rita", name="Rita Rios").outcome == "applied"
    assert delete(office, ana, "rita").outcome == "applied"
    assert told(office) == []


def test_a_signer_who_was_deleted_does_not_come_back_after_a_signature(office: Office) -> None:
    ana = two(office)
    assert delete(office, ana, "dora").outcome == "applied"
    assert create(ana, "eva", "signer").outcome == "applied"
    assert accept(office, link(office)).kind == "signed"
    assert create(ana, "dora", "signer").code == "proposal_locked"
    assert office.row(WHO, "dora")["gone"]


def test_a_version_that_was_withdrawn_or_sent_anew_sets_its_signers_free(office: Office) -> None:
    ana = two(office)
    accept(office, link(office))
    assert order(ana, "revise").outcome == "applied"
    assert order(ana, "send").outcome == "applied"
    assert ana.edit(WHO, "dora", name="Dora Diaz").outcome == "applied"
    assert delete(office, ana, "carla").outcome == "applied"


def test_before_a_signature_the_timeline_tells_each_change_of_signers(office: Office) -> None:
    """R48: with no name and no address; the certificate has a word for it."""
    ana = two(office)
    assert create(ana, "zed", "signer").outcome == "applied"
    assert ana.edit(WHO, "zed", position=3).outcome == "applied"
    assert ana.edit(WHO, "zed", language="es").outcome == "applied"
    assert ana.edit(WHO, "rita", role="signer").outcome == "applied"
    assert ana.edit(WHO, "rita", role="reader").outcome == "applied"
    assert delete(office, ana, "zed").outcome == "applied"
    assert create(ana, "zed", "signer").outcome == "merged"
    assert [(each["key"], each["what"]) for each in told(office)] == [
        ("zed", "added"),
        ("zed", "changed"),
        ("rita", "added"),
        ("rita", "removed"),
        ("zed", "removed"),
        ("zed", "added"),
    ]
    assert {each["by"] for each in told(office)} == {"ana"}
    assert told(office)[1] == {"key": "zed", "role": "signer", "position": 3, "what": "changed", "by": "ana"}
    assert set(KINDS) == timeline.KINDS


def test_before_it_is_sent_no_change_of_signers_is_told(office: Office) -> None:
    sent(office)
    ana = office.phone("ana")
    assert order(ana, "withdraw", reason="wrong").outcome == "applied"
    assert create(ana, "zed", "signer").outcome == "applied"
    assert told(office) == []


@pytest.mark.parametrize("way", ["deleted", "reader"])
def test_a_link_that_was_handed_over_signs_nothing_that_was_sent_to_a_signer(office: Office, way: str) -> None:
    sent(office)
    ana = office.phone("ana")
    gone = delete(office, ana, "carla") if way == "deleted" else ana.edit(WHO, "carla", role="reader")
    assert gone.outcome == "applied"
    by = link(office, None)
    assert not standing(office, by).may_answer
    assert refused(accept, office, by) == "not_your_turn"
    assert "signed" not in events(office)


def test_a_link_that_was_handed_over_signs_where_nobody_was_named(office: Office) -> None:
    sent(office, recipient("rita", "Rita Reader", role="reader"))
    assert accept(office, link(office, None)).kind == "accepted"


def test_who_signed_and_waits_for_nobody_is_told_something(office: Office) -> None:
    two(office)
    accept(office, link(office))
    stands = standing(office, link(office))
    alone = msgspec.structs.replace(stands, left=())
    assert stands.state == deciding.SIGNED_BY_YOU
    document = office.database.read(_document)
    assert "Dora Paz" in said.state_words(_say, stands, document).text
    assert said.state_words(_say, alone, document).text.startswith("Nobody else is asked to sign")


def _document(connection: Any) -> Any:
    return store.document_of(connection, "p1", 1)


def _say(text: str, **values: object) -> str:
    return text % values if values else text


def test_an_answer_that_waited_is_no_older_than_what_it_waited_for(office: Office) -> None:
    """R48: the timeline never runs backwards, nor do signatures."""
    two(office)
    before = office.clock.now_ms()
    office.clock.advance(5_000)
    accept(office, link(office))
    late = accept_at(office, before)
    assert late.at == before + 5_000
    ats = [event.at for event in office.database.read(timeline.events_of, "p1")]
    assert ats == sorted(ats)
    assert statuses(office) == ["accepted"]


def test_an_answer_that_waited_until_after_the_last_day_is_refused(office: Office) -> None:
    """R47: by the instant of the last event, which had the locks before."""
    two(office)
    before = office.clock.now_ms()
    office.clock.advance(400 * 86_400_000)
    office.database.write(_touch, office.clock.now_ms())
    by = link(office)
    with pytest.raises(Refused) as caught:
        accept_at(office, before, by)
    assert caught.value.code == "proposal_expired"


def test_an_event_is_no_older_than_the_one_before(office: Office) -> None:
    two(office)
    now = office.clock.now_ms()
    office.database.write(_touch, now + 9)
    office.database.write(_touch, now)
    office.database.write(lambda c: timeline.note_each(c, [("p1", 1)], now, timeline.EXPIRED))
    ats = [row["at"] for row in office.all(select(proposal_events.c.at).order_by(proposal_events.c.n))]
    assert ats[-3:] == [now + 9] * 3


def _touch(connection: Any, now_ms: int) -> None:
    timeline.note(connection, "p1", 1, now_ms, timeline.OPENED)


def accept_at(office: Office, now_ms: int, by: Any = None) -> Any:
    asked = acceptance(office, by or link(office, "dora"), name="Dora Paz")
    return office.database.write(answering.accept, now_ms, asked)
