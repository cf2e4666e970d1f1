"""Which fields people set, when and who: data that `sfa.core.access` asks, entity by entity."""

# Only a command or the server sets these.
READ_ONLY: dict[str, frozenset[str]] = {
    "accounts": frozenset({"tier_since"}),
    "visits": frozenset(
        {"status", "checked_in_at", "checked_out_at", "latitude", "longitude", "accuracy_m"}
        | {"verdict", "distance_m", "submitted", "submitted_at"}
    ),
    "deals": frozenset(
        {"closed_at", "lost_reason", "lost_reason_key", "competitor_key"}
        | {"signed_at", "invoiced_at", "stage_since", "closings"}
    ),
    "quotas": frozenset({"status", "approvals"}),
    "attachments": frozenset({"stored", "sniffed_type", "width", "height", "proposal_key"}),
    "proposals": frozenset(
        {"status", "needs", "decided", "submitted_at", "submitted_by", "number", "version", "digest", "total_minor"}
        | {"sent_at", "sent_by", "withdrawn_at", "pdf_key", "pdf_digest", "render_state", "render_problem"}
        | {"opened_at", "last_opened_at", "opens", "outcome", "final_key", "certificate_key"}
    ),
    "proposal_recipients": frozenset(
        {"state", "problem", "mailed_at", "opened_at", "last_opened_at", "opens", "answered_at", "opted_out_at"}
    ),
    "proposal_templates": frozenset({"version"}),
    "forecast_calls": frozenset({"called_at", "status"}),
}
# A create may say these, a later update may not: a command moves a deal through its stages, other bytes are another
# attachment, a consent is a fact.
SET_ONCE: dict[str, frozenset[str]] = {
    "deals": frozenset({"stage_key", "pipeline_key"}),
    "attachments": frozenset({"media_type", "size", "sha256"}),
    "consents": frozenset({"contact_key", "purpose", "channel", "granted", "decided_at", "source", "evidence"}),
    "deal_charges": frozenset({"deal_key", "kind"}),
    "commission_plans": frozenset({"measure"}),  # what it pays by says who sees it
    "commission_assignments": frozenset({"plan_key", "user_key"}),
    "proposals": frozenset({"deal_key"}),
    "proposal_lines": frozenset({"proposal_key"}),
    "proposal_recipients": frozenset({"proposal_key"}),
    "forecast_calls": frozenset(
        {"period_key", "user_key", "team_key", "author_key", "due_on", "commit_minor", "likely_minor"}
        | {"best_case_minor", "currency", "note", "based_on"}
    ),
}
NEVER_DELETED = frozenset({"consents", "forecast_calls"})
ALWAYS_READ_ONLY = frozenset({"created_at", "created_by"})
SERVER_ONLY_ENTITIES = frozenset(
    {"refusals", "conflicts", "suggestions", "handovers", "visit_amendments"}
    | {"period_closings", "quota_versions", "quota_challenges", "price_guides", "forecast_overrides"}
    | {"proposal_questions"}
)
# Moving a customer or its work to somebody else is a manager's decision.
MANAGERS_SET: dict[str, frozenset[str]] = {
    "accounts": frozenset({"territory_key"}),
    "deals": frozenset({"owner_key"}),
    "visits": frozenset({"owner_key"}),
    "tasks": frozenset({"owner_key"}),
    "notes": frozenset({"author_key"}),
    "attachments": frozenset({"author_key"}),
    "visit_plans": frozenset({"owner_key"}),
    "signals": frozenset({"author_key"}),
    "travel_legs": frozenset({"owner_key"}),
    "calls": frozenset({"owner_key"}),
    "expenses": frozenset({"owner_key"}),
    "work_entries": frozenset({"owner_key"}),
    "proposals": frozenset({"author_key"}),
}
# What nobody may give himself.
ADMINS_SET: dict[str, frozenset[str]] = {"users": frozenset({"role", "email"})}
# Work that belongs to one person: seeing it through a territory does not allow to change it.
OWNED: dict[str, str] = {
    "deals": "owner_key",
    "visits": "owner_key",
    "tasks": "owner_key",
    "calls": "owner_key",
    "visit_plans": "owner_key",
    "signals": "author_key",
    "travel_legs": "owner_key",
    "expenses": "owner_key",
    "work_entries": "owner_key",
}
# Whose a new row is unless it says so: the work of its owner, and what its author said or made.
AUTHORED: dict[str, str] = {
    **OWNED,
    "notes": "author_key",
    "attachments": "author_key",
    "forecast_calls": "author_key",
    "proposals": "author_key",
}
