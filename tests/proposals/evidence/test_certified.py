"""What a certificate says of people is what was so when it happened (R48, R45)."""

from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import update

from proposals.buyer import links, questions
from proposals.buyer.links import Link
from proposals.evidence.testimony import read_testimony
from proposals.rendering.queue import DONE
from sfa.db.tables import proposal_renders
from tests.office import Office
from tests.proposals.buyer.answers import KEY, VISITOR, accept, link, recipient, sent
from tests.proposals.evidence.sealed import Hand, sealed

pytestmark = pytest.mark.xdist_group("sealed proposals")


def test_a_certificate_says_who_it_was_then_and_by_whose_hands_a_link_came(office: Office, tmp_path: Path) -> None:
    """R48: rows change afterwards; and of who did not sign it says no more than that something happened."""
    sent(
        office,
        recipient("carla", "Carla Ruiz", position=1),
        recipient("dora", "Dora", position=2),
        recipient("rita", "Rita", role="reader"),
    )
    for key, name in (("rita", "Rita"), ("carla", "Carla Ruiz")):
        asked = (office.clock.now_ms(), link(office, key), name, "Is it loud?", None, VISITOR)
        office.database.write(questions.ask, *asked)
    office.phone("ana").edit("proposal_recipients", "carla", name="Total Stranger")
    handed = Link(link_key="handed", proposal_key="p1", version=1, recipient_key="carla", made_at=0)
    office.database.write(links.make, KEY, handed, "ana")
    accept(office, structs.replace(handed, made_by="ana"))
    accept(office, link(office, "dora"), name="Dora")
    change = update(proposal_renders).values(state=DONE)
    office.database.write(lambda connection: connection.execute(change))
    hand = Hand()
    sealed(office, tmp_path, hand)
    (certificate,) = (order.evidence for order in hand.orders if order.form == "certificate")
    assert certificate is not None
    said = read_testimony(certificate.body)
    told = [(event.kind, event.who, event.address) for event in said.events]
    assert told == [
        ("sent", "Company S.L.", None),
        ("asked", "", None),
        ("asked", "Carla Ruiz", "192.0.2.7"),
        ("recipients", "Company S.L.", None),
        ("signed", "Carla Ruiz", "192.0.2.7"),
        ("signed", "Dora", "192.0.2.7"),
        ("accepted", "Dora", "192.0.2.7"),
    ]
    assert [(one.email, one.handed_over) for one in said.accepted.signatures] == [
        (None, True),
        ("dora@buyer.example", False),
    ]
