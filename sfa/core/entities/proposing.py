"""What is offered to a customer: proposals and their lines, the company's templates, and the margins below which
somebody above must approve.

Lists and objects are those of `sfa.core.pricing.values`; `sfa.core.proposal_rows` holds rows to them. Cost and margin
are in no field but those of `MarginFloor`, which only who sees cost has (R45).
"""

from typing import Annotated, Any

from msgspec import Meta

from sfa.core.entities.row import Row
from sfa.core.fields import (
    KEY_PATTERN,
    AttachmentRef,
    ContactRef,
    Count,
    Currency,
    Day,
    DealRef,
    Decimal18,
    Instant,
    Minor,
    Name,
    ProductRef,
    ProposalRecipientRef,
    ProposalRef,
    ProposalTemplateRef,
    Short,
    Text,
    UserRef,
)

Rich = Annotated[str, Meta(max_length=50_000)]
Source = Annotated[str, Meta(max_length=100_000)]
Css = Annotated[str, Meta(max_length=50_000)]
Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Language = Annotated[str, Meta(pattern=r"^(en|es|pt-BR)\Z")]
Objects = list[dict[str, Any]]
Days = Annotated[int, Meta(ge=0, le=3_650)]
Part = Annotated[str, Meta(pattern=KEY_PATTERN)]


class Proposal(Row, frozen=True, kw_only=True):
    """An offer about a deal, in whose place it lies. People write what is offered, and it is a draft again with each
    change; commands move it on (`status`), and of what was sent nothing changes any more (R46). Texts that are null are
    those of the template in the proposal's language; a null `valid_until` follows from its `valid_days`. `discounts`:
    {share_bp | amount_minor, text}, `deposit` {share_bp | amount_minor}, `instalments` {share_bp, due_days, text},
    `sections` {key, title, text, pictures: [{sha256, alt}]}; `enclosures` are files that go with it. `needs` are the
    roles that must still approve, in order, and `decided` says what was decided last: {kind, by, role, at, text}.
    `number` is given when it is first sent (R52), `version` counts what was sent, `digest` names the document of the
    last one, as `pdf_digest` that of `pdf_key`; `total_minor` is what it came to when it was last submitted or sent.
    `render_problem` says by its code why there is no PDF. `opens` counts the times that people opened what was sent
    (R51). `outcome` says what the buyer made of the last version: {kind: accepted | declined | expired, version, at,
    by, reason, total_minor}; `final_key` is the sealed PDF of what was accepted, `certificate_key` that of its
    evidence."""

    deal_key: DealRef
    author_key: UserRef
    title: Name
    language: Language = "en"
    template_key: ProposalTemplateRef | None = None
    contact_key: ContactRef | None = None
    valid_until: Day | None = None
    currency: Currency
    tax_inclusive: bool = False
    rounding: Annotated[str, Meta(pattern=r"^(half_up|half_even)\Z")] = "half_up"
    rounding_per: Annotated[str, Meta(pattern=r"^(line|document)\Z")] = "line"
    discounts: Annotated[Objects, Meta(max_length=20)] = []
    deposit: dict[str, Any] | None = None
    instalments: Annotated[Objects, Meta(max_length=60)] = []
    payment_days: Days | None = None
    summary: Rich | None = None
    terms: Rich | None = None
    closing: Rich | None = None
    sections: Annotated[Objects, Meta(max_length=100)] = []
    enclosures: Annotated[list[Part], Meta(max_length=20)] = []
    status: Annotated[
        str,
        Meta(pattern=r"^(draft|in_approval|approved|sent|viewed|accepted|declined|expired|superseded|withdrawn)\Z"),
    ] = "draft"
    needs: Annotated[list[Annotated[str, Meta(max_length=20)]], Meta(max_length=10)] = []
    decided: dict[str, Any] | None = None
    submitted_at: Instant | None = None
    submitted_by: UserRef | None = None
    number: Annotated[str, Meta(max_length=40)] | None = None
    version: Count = 0
    digest: Hex | None = None
    total_minor: Minor | None = None
    sent_at: Instant | None = None
    sent_by: UserRef | None = None
    withdrawn_at: Instant | None = None
    opened_at: Instant | None = None
    last_opened_at: Instant | None = None
    opens: Count = 0
    outcome: dict[str, Any] | None = None
    final_key: AttachmentRef | None = None
    certificate_key: AttachmentRef | None = None
    pdf_key: AttachmentRef | None = None
    pdf_digest: Hex | None = None
    render_state: Annotated[str, Meta(pattern=r"^(queued|rendered|failed)\Z")] | None = None
    render_problem: Short | None = None


class ProposalLine(Row, frozen=True, kw_only=True):
    """One line of a proposal. `section_key` is the key of one of its sections. Lines of one `group_key` are
    alternatives, of which the buyer takes one; `chosen` says which counts until then, of an optional line whether it
    does. Between `quantity_min` and `quantity_max` the buyer may choose. A tax has its name and rate, or is null."""

    proposal_key: ProposalRef
    position: Count = 0
    section_key: Part | None = None
    product_key: ProductRef | None = None
    name: Name
    text: Rich | None = None
    quantity: Decimal18 = "1"
    unit: Short | None = None
    unit_price_minor: Minor = 0
    discounts: Annotated[Objects, Meta(max_length=20)] = []
    tax_name: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    tax_rate_bp: Annotated[int, Meta(ge=0, le=100_000)] | None = None
    optional: bool = False
    group_key: Part | None = None
    chosen: bool = True
    quantity_min: Decimal18 | None = None
    quantity_max: Decimal18 | None = None
    quantity_step: Decimal18 | None = None


class ProposalTemplate(Row, frozen=True, kw_only=True):
    """How the company's proposals look, and what they say where a proposal says nothing. `layout` is the built-in one
    that it is, or that `source` (HTML as a template) and `css` take the place of. `version` counts its changes, and all
    are kept: what was sent names its version. `brand` is {logo, logo_alt, primary, accent, footer}, `seller` the
    company: {name, address, email, phone, tax_id, website}; `texts` {language: {summary, terms, closing, consent}}.
    Numbers begin with `number_prefix`: proposals whose templates have the same one share its series (R52). Who does not
    answer is reminded `remind_after_days` after it was sent (null: 3 and 10), and `remind_before_days` before its last
    day."""

    name: Name
    layout: Annotated[str, Meta(pattern=r"^(one_page|classic|long)\Z")] = "classic"
    active: bool = True
    version: Count = 0
    source: Source | None = None
    css: Css | None = None
    brand: dict[str, Any] = {}
    seller: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    valid_days: Annotated[int, Meta(ge=1, le=3_650)] = 30
    number_prefix: Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,10}\Z")] = "P"
    remind_after_days: Annotated[list[Annotated[int, Meta(ge=1, le=365)]], Meta(max_length=5)] | None = None
    remind_before_days: Annotated[int, Meta(ge=1, le=60)] | None = 2


class ProposalRecipient(Row, frozen=True, kw_only=True):
    """Who gets a proposal by mail: a signer, who signs in the order of `position`, or a reader. People write who it is;
    the server says what became of it: `state` is `new` until a link was mailed, then `mailed`, `bounced`, `opened`,
    `signed` or `declined`. `problem` says by its code why nothing arrived; `opted_out_at` is when this person wanted no
    more reminders."""

    proposal_key: ProposalRef
    contact_key: ContactRef | None = None
    name: Name
    email: Annotated[str, Meta(max_length=254)]
    language: Language | None = None
    role: Annotated[str, Meta(pattern=r"^(signer|reader)\Z")] = "signer"
    position: Count = 0
    state: Annotated[str, Meta(pattern=r"^(new|mailed|bounced|opened|signed|declined)\Z")] = "new"
    problem: Short | None = None
    mailed_at: Instant | None = None
    opened_at: Instant | None = None
    last_opened_at: Instant | None = None
    opens: Count = 0
    answered_at: Instant | None = None
    opted_out_at: Instant | None = None


class ProposalQuestion(Row, frozen=True, kw_only=True):
    """What somebody who has a link asked about a version, and what was answered; `place` is the key of the section or
    line that it is about. Only the server writes it: the question by the buyer's page, the answer by a command."""

    proposal_key: ProposalRef
    version: Count
    recipient_key: ProposalRecipientRef | None = None
    place: Part | None = None
    asked_by: Name
    asked_at: Instant
    text: Annotated[str, Meta(min_length=1, max_length=4_000)]
    answer: Annotated[str, Meta(max_length=4_000)] | None = None
    answered_at: Instant | None = None
    answered_by: UserRef | None = None


class MarginFloor(Row, frozen=True, kw_only=True):
    """The margin (R36) down to which a role may sell or approve products of a family or (null) of all others. Whoever
    goes below needs the approval of a role that may, and is told the role alone (R45)."""

    role: Annotated[str, Meta(pattern=r"^(rep|manager|director|finance|admin)\Z")]
    family: Text | None = None
    floor_bp: Annotated[int, Meta(ge=-100_000, le=10_000)]
    valid_from: Day
    valid_to: Day | None = None
