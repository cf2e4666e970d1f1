"""Calls, needs and consents at `sfa device`, without signal."""

from collections.abc import Callable

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals
from tests.office import Office

__all__ = ["terminals"]


@on_sqlite
def test_what_is_learnt_without_signal_lands_with_the_next_sync(
    office: Office, terminals: Callable[[str], Terminal]
) -> None:
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    assert ana.run("may-contact", "Carl", "news", "email") == "no (no_consent)"
    key = ana.run("consent", "Carl", "news", "--source", "by telephone")
    assert ana.run("may-contact", "Carl", "news", "email") == "yes (granted)"
    ana.run("consent", "Carl", "news", "--channel", "email", "--withdrawn")
    assert ana.json("may-contact", "Carl", "news", "email")["reason"] == "withdrawn"
    assert ana.run("may-contact", "Carl", "news", "phone") == "yes (granted)"
    call = ana.run("log-call", "Acme", "--contact", "Carl", "--minutes", "7", "--incoming")
    need = ana.run("add-need", "Acme", "speed", "--product", "Pump", "--not-needed")
    assert "field_invalid" in ana.run("may-contact", "Carl", "news", "pigeon", code=1)
    ana.signal = True
    ana.run("sync")
    assert office.row("consents", key)["source"] == "by telephone"
    assert (office.row("calls", call)["direction"], office.row("calls", call)["minutes"]) == ("in", 7)
    assert office.row("customer_needs", need)["kind"] == "non_need"
