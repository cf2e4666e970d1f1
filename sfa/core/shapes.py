"""What is read off each entity once: field types, defaults, references, parents and the groups that merge as one."""

from typing import Any

import msgspec
from msgspec import Struct

from sfa.core.entities import ENTITIES, Row

# The row whose buckets decide those of this one: locked before it, and taken along when it moves (S8).
PARENTS: dict[str, tuple[str, str]] = {
    "account_members": ("accounts", "account_key"),
    "contacts": ("accounts", "account_key"),
    "visits": ("accounts", "account_key"),
    "visit_plans": ("accounts", "account_key"),
    "visit_amendments": ("visits", "visit_key"),
    "signals": ("accounts", "account_key"),
    "notes": ("accounts", "account_key"),
    "attachments": ("accounts", "account_key"),
    "customer_needs": ("accounts", "account_key"),
    "calls": ("accounts", "account_key"),
    "consents": ("contacts", "contact_key"),
    "deals": ("accounts", "account_key"),
    "deal_lines": ("deals", "deal_key"),
    "deal_contacts": ("deals", "deal_key"),
    "rebate_agreements": ("accounts", "account_key"),
    "campaign_touches": ("accounts", "account_key"),
    "deal_charges": ("deals", "deal_key"),
    "proposals": ("deals", "deal_key"),
    "proposal_lines": ("proposals", "proposal_key"),
    "proposal_recipients": ("proposals", "proposal_key"),
    "proposal_questions": ("proposals", "proposal_key"),
    "quota_versions": ("quotas", "quota_key"),
    "quota_challenges": ("quotas", "quota_key"),
}

# Fields that mean one thing merge as one value (S24). Every other field is a group of its own.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "accounts": {
        "address": ("street", "postal_code", "city", "region", "country"),
        "position": ("latitude", "longitude"),
        "revenue": ("revenue_minor", "revenue_currency"),
        "tier": ("tier", "tier_since"),
    },
    "visits": {
        "state": (
            "status",
            "checked_in_at",
            "checked_out_at",
            "latitude",
            "longitude",
            "accuracy_m",
            "verdict",
            "distance_m",
            "submitted",
            "submitted_at",
        ),
        "plan": ("planned_at", "planned_minutes"),
    },
    "visit_plans": {"schedule": ("rrule", "start_time", "zone", "minutes", "valid_from")},
    "signals": {"amount": ("amount_minor", "currency")},
    "travel_legs": {"way": ("started_at", "ended_at", "source", "distance_m", "gaps")},
    "deals": {
        "amount": ("amount_minor", "currency"),
        "stage": (
            "stage_key",
            "lost_reason",
            "closed_at",
            "lost_reason_key",
            "competitor_key",
            "stage_since",
            "closings",
            "pipeline_key",
        ),
    },
    "quotas": {"target": ("target", "currency"), "approval": ("status", "approvals")},
    "prices": {"amount": ("amount_minor", "currency")},
    "unit_costs": {"amount": ("amount_minor", "currency")},
    "cost_rates": {"amount": ("amount_minor", "currency")},
    "deal_charges": {"amount": ("amount_minor", "currency"), "goods": ("product_key", "quantity")},
    "expenses": {"amount": ("amount_minor", "currency"), "goods": ("product_key", "quantity")},
    "rebate_agreements": {"terms": ("mode", "tiers", "currency")},
    "commission_plans": {"terms": ("mode", "tiers", "of_quota", "currency")},
    "campaign_costs": {"amount": ("amount_minor", "currency")},
    "proposals": {
        "money": ("currency", "tax_inclusive", "rounding", "rounding_per"),
        "payment": ("deposit", "instalments", "payment_days"),
        "state": ("status", "needs", "decided", "submitted_at", "submitted_by"),
        "sent": ("number", "version", "digest", "total_minor", "sent_at", "sent_by", "withdrawn_at"),
        "pdf": ("pdf_key", "pdf_digest", "render_state", "render_problem"),
        "opened": ("opened_at", "last_opened_at", "opens"),
        "answer": ("outcome", "final_key", "certificate_key"),
    },
    "proposal_recipients": {
        "person": ("contact_key", "name", "email"),
        "state": ("state", "problem", "mailed_at", "answered_at"),
        "opened": ("opened_at", "last_opened_at", "opens"),
    },
    "proposal_questions": {"answered": ("answer", "answered_at", "answered_by")},
    "proposal_lines": {
        "price": ("unit_price_minor", "discounts"),
        "quantity": ("quantity", "quantity_min", "quantity_max", "quantity_step"),
        "tax": ("tax_name", "tax_rate_bp"),
        "choice": ("optional", "group_key", "chosen"),
    },
    "proposal_templates": {"look": ("layout", "source", "css")},
    "forecast_calls": {"call": ("commit_minor", "likely_minor", "best_case_minor", "currency", "based_on")},
    "forecast_overrides": {"figure": ("amount_minor", "currency", "based_on_minor", "based_on")},
}


class Shape(Struct, frozen=True):
    """What is read off one entity's Struct once: types for checking, defaults, references and merge groups."""

    types: dict[str, Any]
    defaults: dict[str, Any]
    required: frozenset[str]
    references: dict[str, str]
    group_of: dict[str, str]
    groups: dict[str, tuple[str, ...]]


def _reference(kind: Any) -> str | None:
    if isinstance(kind, msgspec.inspect.UnionType):
        return next((found for member in kind.types if (found := _reference(member))), None)
    if isinstance(kind, msgspec.inspect.Metadata):
        found = (kind.extra or {}).get("ref")
        return found if found is not None else _reference(kind.type)
    return None


def shape_of(struct: type[Row], groups: dict[str, tuple[str, ...]]) -> Shape:
    fields = msgspec.structs.fields(struct)
    group_of = {name: group for group, names in groups.items() for name in names}
    for field in fields:
        group_of.setdefault(field.name, field.name)
    every = dict(groups)
    every.update({name: (name,) for name, group in group_of.items() if name == group and group not in groups})
    references = {f.name: ref for f in fields if (ref := _reference(msgspec.inspect.type_info(f.type)))}
    defaults = {
        f.name: f.default_factory() if f.default_factory is not msgspec.NODEFAULT else f.default
        for f in fields
        if not f.required
    }
    return Shape(
        types={f.name: f.type for f in fields},
        defaults=defaults,
        required=frozenset(f.name for f in fields if f.required),
        references=references,
        group_of=group_of,
        groups=every,
    )


ABOUT_ROWS = ("conflicts", "suggestions")  # they lie where the row lies that `entity` and `row_key` name
ABOUT_PAIRS = ("suggestions",)  # ... and where `other_key` lies too, if it names one: nobody is told half a pair (S13)

SHAPES: dict[str, Shape] = {name: shape_of(struct, GROUPS.get(name, {})) for name, struct in ENTITIES.items()}
