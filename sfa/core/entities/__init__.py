"""What a row is: one frozen Struct for each synced entity, both domain value and wire message.

A row's key, revision and deletion are not fields: they travel beside it. `ENTITIES` is the register;
`sfa.core.shapes` reads off it what other modules ask, and the types of fields are in `sfa.core.fields`.
"""

from sfa.core.entities.attached import Attachment
from sfa.core.entities.campaigning import Campaign, CampaignCost, CampaignTouch
from sfa.core.entities.catalogue import (
    CalendarRule,
    Competitor,
    CreditRule,
    CurrencyUnit,
    FiscalPeriod,
    LostReason,
    PeriodClosing,
    Pipeline,
    Price,
    Product,
    Rate,
    Stage,
    UnitCost,
)
from sfa.core.entities.company import (
    DeviceProfile,
    Organisation,
    Team,
    TeamEdge,
    TeamMember,
    Territory,
    TerritoryEdge,
    TerritoryMember,
    User,
)
from sfa.core.entities.costing import (
    CostRate,
    DealCharge,
    DiscountLimit,
    Expense,
    PriceGuide,
    RebateAgreement,
    WorkEntry,
)
from sfa.core.entities.customers import Account, AccountMember, Contact, Note, Task, Visit
from sfa.core.entities.forecasting import ForecastCall, ForecastOverride, ForecastPolicy
from sfa.core.entities.proposing import (
    MarginFloor,
    Proposal,
    ProposalLine,
    ProposalQuestion,
    ProposalRecipient,
    ProposalTemplate,
)
from sfa.core.entities.relations import Call, Consent, CustomerNeed
from sfa.core.entities.rewarding import CommissionAssignment, CommissionPlan
from sfa.core.entities.row import Row
from sfa.core.entities.selling import Deal, DealContact, DealLine, Quota, QuotaChallenge, QuotaVersion
from sfa.core.entities.told import Conflict, Handover, Refusal, Suggestion
from sfa.core.entities.visiting import (
    CadenceRule,
    ChecklistTemplate,
    Signal,
    TravelLeg,
    VisitAmendment,
    VisitPlan,
    VisitPolicy,
)

__all__ = ["ENTITIES", "Rate", "Row", "User"]

ENTITIES: dict[str, type[Row]] = {
    "organisations": Organisation,
    "device_profiles": DeviceProfile,
    "users": User,
    "teams": Team,
    "team_edges": TeamEdge,
    "team_members": TeamMember,
    "territories": Territory,
    "territory_edges": TerritoryEdge,
    "territory_members": TerritoryMember,
    "products": Product,
    "prices": Price,
    "unit_costs": UnitCost,
    "currencies": CurrencyUnit,
    "rates": Rate,
    "fiscal_periods": FiscalPeriod,
    "stages": Stage,
    "pipelines": Pipeline,
    "lost_reasons": LostReason,
    "competitors": Competitor,
    "credit_rules": CreditRule,
    "fiscal_calendars": CalendarRule,
    "period_closings": PeriodClosing,
    "cost_rates": CostRate,
    "discount_limits": DiscountLimit,
    "price_guides": PriceGuide,
    "margin_floors": MarginFloor,
    "commission_plans": CommissionPlan,
    "forecast_policies": ForecastPolicy,
    "proposal_templates": ProposalTemplate,
    "campaigns": Campaign,
    "accounts": Account,
    "account_members": AccountMember,
    "contacts": Contact,
    "visits": Visit,
    "visit_plans": VisitPlan,
    "visit_policies": VisitPolicy,
    "visit_amendments": VisitAmendment,
    "checklist_templates": ChecklistTemplate,
    "signals": Signal,
    "cadence_rules": CadenceRule,
    "travel_legs": TravelLeg,
    "notes": Note,
    "attachments": Attachment,
    "tasks": Task,
    "customer_needs": CustomerNeed,
    "calls": Call,
    "consents": Consent,
    "rebate_agreements": RebateAgreement,
    "campaign_touches": CampaignTouch,
    "deals": Deal,
    "deal_lines": DealLine,
    "deal_contacts": DealContact,
    "deal_charges": DealCharge,
    "proposals": Proposal,
    "proposal_lines": ProposalLine,
    "proposal_recipients": ProposalRecipient,
    "proposal_questions": ProposalQuestion,
    "expenses": Expense,
    "work_entries": WorkEntry,
    "campaign_costs": CampaignCost,
    "commission_assignments": CommissionAssignment,
    "quotas": Quota,
    "quota_versions": QuotaVersion,
    "quota_challenges": QuotaChallenge,
    "forecast_calls": ForecastCall,
    "forecast_overrides": ForecastOverride,
    "refusals": Refusal,
    "conflicts": Conflict,
    "suggestions": Suggestion,
    "handovers": Handover,
}
