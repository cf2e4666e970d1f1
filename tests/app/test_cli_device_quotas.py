"""`sfa device …` of targets: listed, challenged and approved without signal (R5)."""

from collections.abc import Callable

from sfa.web.auth import set_password_hash
from tests.app.test_cli_device import CHEAP, Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.builders import NOW
from tests.office import Office
from tests.quotas.conftest import ANAS, PERIODS


@on_sqlite
def test_a_rep_challenges_and_the_manager_approves_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """R5."""
    office.put(*PERIODS, ("quotas", "q-ana", ANAS))
    office.database.write(set_password_hash, "mia", CHEAP.hash("correct horse"), NOW)
    ana, mia = terminals("ana"), terminals("mia")
    login(mia, "mia")
    mia.run("sync")
    mia.signal = False
    mia.run("approve-quota", "q-ana", "--from", "2026-01-01", "--reason", "as agreed")
    assert mia.json("quotas")[0]["status"] == "approved", "what the phone expects"
    mia.signal = True
    assert "refused" not in mia.run("sync")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    (shown,) = ana.json("quotas")
    assert {f: shown[f] for f in ("owner", "target", "currency", "version", "approved", "valid_from", "challenge")} == {
        "owner": "ana",
        "target": "1000.00",
        "currency": "EUR",
        "version": 1,
        "approved": "1000.00",
        "valid_from": "2026-01-01",
        "challenge": None,
    }
    assert "amount_invalid" in ana.run("challenge", "q-ana", "too much", "--proposed", "6,5", code=1)
    ana.run("challenge", "q-ana", "too much", "--proposed", "650.00")
    assert ana.json("quotas")[0]["challenge"] == "queued"
    ana.signal = True
    assert "refused" not in ana.run("sync")
    assert ana.json("quotas")[0]["challenge"] == "open"
    assert [(row["proposed"], row["status"]) for row in office.rows("quota_challenges")] == [(65_000, "open")]
    assert "1000.00" in ana.run("quotas")
