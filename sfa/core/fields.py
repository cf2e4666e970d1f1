"""The types of fields, with their limits: what a value may be wherever a row, a message or a file says it.

Instants (`*_at`) are integer milliseconds since the epoch, UTC; days (`*_on`, `valid_*`) are ISO text; money is integer
minor units beside its currency; shares are basis points (10,000 = 100 %). `extra={"ref": ...}` names the entity that a
key points to.
"""

from typing import Annotated

from msgspec import Meta

KEY_PATTERN = r"^[A-Za-z0-9_.\-]{1,64}\Z"
INSTANT_MAX = 253_402_300_799_999  # the year 9999, so that no clock can leave what dates can say
MONEY_MAX = 10**15

Text = Annotated[str, Meta(max_length=500)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Short = Annotated[str, Meta(max_length=100)]
Body = Annotated[str, Meta(max_length=100_000)]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
Instant = Annotated[int, Meta(ge=0, le=INSTANT_MAX)]
Minor = Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Share = Annotated[int, Meta(ge=0, le=10_000)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Decimal18 = Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?\Z")]
ProfileDays = Annotated[int, Meta(ge=30, le=36_500)]
Tags = Annotated[list[Annotated[str, Meta(min_length=1, max_length=50)]], Meta(max_length=50)]


UserRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "users"})]
TeamRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "teams"})]
TerritoryRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "territories"})]
AccountRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "accounts"})]
ContactRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "contacts"})]
VisitRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "visits"})]
ProductRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "products"})]
StageRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "stages"})]
NoteRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "notes"})]
DealRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "deals"})]
PipelineRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "pipelines"})]
LostReasonRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "lost_reasons"})]
CompetitorRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "competitors"})]
QuotaRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "quotas"})]
PeriodRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "fiscal_periods"})]
AttachmentRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "attachments"})]
CommissionPlanRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "commission_plans"})]
ProposalRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "proposals"})]
ProposalRecipientRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "proposal_recipients"})]
ProposalTemplateRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "proposal_templates"})]
CampaignRef = Annotated[str, Meta(pattern=KEY_PATTERN, extra={"ref": "campaigns"})]
