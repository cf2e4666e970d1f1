"""`sfa device …` of deals: what they lack, moved, won, signed, reopened and lost, without signal."""

from collections.abc import Callable

from tests.app.test_cli_device import Terminal, login, on_sqlite, terminals  # noqa: F401
from tests.office import Office


@on_sqlite
def test_a_rep_takes_a_deal_through_its_stages_without_signal(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """R9, R20, R21, S27: a phone refuses what the server would refuse, before it syncs."""
    criteria = [{"kind": "role", "role": "decision_maker"}, {"kind": "field", "field": "next_step"}]
    office.put(("stages", "lead", {"exit_criteria": criteria}))
    office.put(("lost_reasons", "rival", {"name": "Somebody else", "asks_competitor": True}))
    office.put(("competitors", "acme-pumps", {"name": "Acme Pumps"}))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    ana.signal = False
    assert [row["stage"] for row in ana.json("lacks", "Pumps")] == ["lead", "lead"]
    assert "criteria_unmet" in ana.run("move-deal", "Pumps", "Offer", code=1)
    ana.run("add-role", "Pumps", "Carl", "decision_maker")
    ana.run("edit", "deals", "Pumps", "next_step=call", "opened_on=2020-01-01")
    assert ana.run("lacks", "Pumps").strip() == "nothing is missing"
    ana.run("move-deal", "Pumps", "Offer")
    assert "illegal_transition" in ana.run("sign-deal", "Pumps", code=1)
    ana.run("win", "Pumps")
    ana.run("sign-deal", "Pumps", "--at", "2020-01-02T03:00")
    ana.run("invoice-deal", "Pumps")
    ana.run("reopen-deal", "Pumps", "Offer")
    assert "loss_incomplete" in ana.run("lose", "Pumps", "--because", "Somebody else", code=1)
    assert "reason_required" in ana.run("lose", "Pumps", code=1)
    ana.run("lose", "Pumps", "--because", "Somebody else", "--competitor", "Acme Pumps")
    (shown,) = ana.json("list", "deals")
    assert (shown["stage_key"], shown["lost_reason"], len(shown["closings"])) == ("lost", "Somebody else", 1)
    ana.signal = True
    assert "refused" not in ana.run("sync")
    row = office.row("deals", "deal-a")
    assert (row["stage_key"], row["lost_reason_key"], row["competitor_key"]) == ("lost", "rival", "acme-pumps")
    (end,) = row["closings"]
    assert (end["stage_key"], end["signed_at"]) == ("won", 1_577_934_000_000)
    assert end["invoiced_at"] is not None
    assert [r["role"] for r in office.rows("deal_contacts")] == ["decision_maker"]


@on_sqlite
def test_a_rep_moves_a_deal_to_another_pipeline(
    office: Office,
    terminals: Callable[[str], Terminal],  # noqa: F811
) -> None:
    """R20."""
    office.put(("pipelines", "renewals", {"name": "Renewals"}))
    office.put(("stages", "due", {"name": "Due", "pipeline_key": "renewals"}))
    ana = terminals("ana")
    login(ana, "ana")
    ana.run("sync")
    assert "stage_not_offered" in ana.run("move-deal", "Pumps", "Due", code=1)
    ana.run("transfer-deal", "Pumps", "Due", "--pipeline", "Renewals")
    ana.run("sync")
    assert office.row("deals", "deal-a")["pipeline_key"] == "renewals"
    ana.run("transfer-deal", "Pumps", "Lead")
    ana.run("sync")
    assert office.row("deals", "deal-a")["pipeline_key"] is None
