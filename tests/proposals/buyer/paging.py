"""A proposal that was sent, a link to it, and a visitor at the page."""

from typing import Any

from proposals.buyer import links
from proposals.buyer.links import Link
from sfa.app.factory import Services
from tests.crm.desk import Desk
from tests.proposals.selling import offered, order

INES = {"name": "Inés Caballero", "email": "ines@acme.example", "role": "signer"}


class Visitor:
    """Who has a link, and no login."""

    def __init__(self, desk: Desk, token: str) -> None:
        self.desk, self.token = desk, token

    def get(self, path: str = "", **more: Any) -> Any:
        return self.desk.client.get(f"/p/{self.token}{path}", follow_redirects=False, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> Any:
        return self.desk.client.post(f"/p/{self.token}{path}", data=data, follow_redirects=False, **more)


def linked(desk: Desk, recipient: str | None = None, kind: str = "buyer", key: str = "p1", version: int = 1) -> Visitor:
    """A link as the mailer makes one."""
    services: Services = desk.client.app.state.services
    made = f"link-{key}-{version}-{recipient}-{kind}"
    link = Link(
        link_key=made,
        proposal_key=key,
        version=version,
        recipient_key=recipient,
        kind=kind,
        made_at=desk.office.clock.now_ms(),
    )
    return Visitor(desk, desk.office.database.write(links.make, services.secret.derive(links.PURPOSE), link))


def sent(desk: Desk, key: str = "p1", **said: Any) -> None:
    """Pumps for Acme, for one signer."""
    phone = offered(desk.office, key, **said)
    phone.do("create", "proposal_recipients", f"{key}-ines", set={"proposal_key": key, **INES})
    order(phone, "send", key)
