"""The error catalogue: every stable code the product answers, with its HTTP status and its meaning.

A code is a promise to mobile teams: it never changes its meaning and is never reused. `docs/errors.md` lists the same
codes and a test holds the two together. A user's mistake raises `Refused`; inside a push it becomes a refusal row (a
result, not an exception), over REST one problem body (RFC 9457). Programming errors stay ordinary exceptions.
"""

from typing import Any, NamedTuple


class Entry(NamedTuple):
    status: int
    title: str


CATALOGUE: dict[str, Entry] = {
    # who you are
    "unauthenticated": Entry(401, "No valid access token"),
    "token_expired": Entry(401, "The access token has expired: refresh it"),
    "login_failed": Entry(401, "E-mail or password is wrong"),
    "login_limited": Entry(429, "Too many failed logins: wait before the next one"),
    "refresh_invalid": Entry(401, "The refresh token is unknown, expired or revoked: log in again"),
    "refresh_reused": Entry(401, "A refresh token was used twice: every token of this device is revoked, log in again"),
    "device_unknown": Entry(401, "This registration does not exist or is not yours"),
    "device_revoked": Entry(401, "This registration was revoked"),
    "device_wiped": Entry(401, "This device was reported lost: it erases what it holds"),
    "lease_over": Entry(401, "This device has not synced for too long: sync before reading"),
    "not_permitted": Entry(403, "Your role may not do this"),
    "wrong_user": Entry(409, "The mutations name another user: they stay on the device"),
    # the request as a whole
    "request_invalid": Entry(400, "The request is not what the contract describes"),
    "json_invalid": Entry(400, "The body is not valid JSON"),
    "body_truncated": Entry(400, "The body ended before it was complete"),
    "encoding_unknown": Entry(415, "Content-Encoding must be zstd, gzip or absent, once"),
    "encoding_invalid": Entry(400, "The body does not decompress"),
    "body_too_large": Entry(413, "The body is larger than the limit before or after decompression"),
    "json_too_deep": Entry(400, "The JSON is nested deeper than the limit"),
    "too_many_mutations": Entry(413, "More mutations in one request than the limit"),
    "too_many_requests": Entry(429, "More requests of this device than the limit"),
    "live_full": Entry(503, "This server holds as many live connections as it may: try again later"),
    "live_replaced": Entry(409, "A newer live connection of this device took the place of this one"),
    "wake_unavailable": Entry(422, "This server sends no wakes by that service"),
    "wake_address_invalid": Entry(422, "This is no address of that service"),
    "server_stopping": Entry(503, "The server is going down: connect again"),
    "contract_unsupported": Entry(426, "This contract version is no longer served: upgrade the app"),
    "device_ahead": Entry(400, "The device speaks a newer contract than this server: wait for the server"),
    "rev_stale": Entry(412, "Somebody changed this row since you looked at it: look again"),
    "idempotency_key_reused": Entry(422, "This Idempotency-Key came with another request"),
    "not_found": Entry(404, "There is nothing here, or nothing that you may see"),
    "method_not_allowed": Entry(405, "This address does not answer that method"),
    "server_busy": Entry(503, "The database is busy: try again"),
    "storage_full": Entry(507, "The database has no room left; nothing was changed: try again when there is"),
    "internal": Entry(500, "The server failed; nothing was changed"),
    # cursors and order
    "cursor_invalid": Entry(400, "The cursor was not made by this server for this device"),
    "replica_behind": Entry(503, "This server has not yet seen what the device has: try again"),
    "sequence_gap": Entry(409, "Mutations are missing before this one: send them from `expected_n`"),
    "mutation_reused": Entry(409, "This number was used for other content: register the device anew"),
    "unit_split": Entry(409, "A unit must be consecutive and whole in one request"),
    "unit_failed": Entry(422, "Another mutation of the same unit was refused, so none landed"),
    # registrations that were ended
    "not_revoked": Entry(409, "This registration was not revoked: send the queue with a sync"),
    "already_drained": Entry(409, "This part of the drain has come before, with other content"),
    "quarantine_full": Entry(413, "This registration has drained as much as is kept of one"),
    "left_out": Entry(422, "Who reviewed the drain did not want this change applied"),
    "already_reviewed": Entry(409, "This quarantine was decided otherwise before"),
    # one mutation or one row
    "mutation_invalid": Entry(422, "The mutation is not of the documented form"),
    "entity_unknown": Entry(422, "There is no such entity"),
    "field_unknown": Entry(422, "The entity has no such field"),
    "field_read_only": Entry(422, "This field is set by the server or by a command only"),
    "field_not_permitted": Entry(422, "Your role may not set this field"),
    "field_invalid": Entry(422, "A value has the wrong type or breaks a limit"),
    "field_required": Entry(422, "A required field is missing"),
    "note_update_invalid": Entry(422, "The update of a note's document cannot be read or applied"),
    "note_too_long": Entry(422, "The note would be longer than the limit"),
    "command_unknown": Entry(422, "There is no such command"),
    "command_invalid": Entry(422, "The command's arguments are not of the documented form"),
    "key_invalid": Entry(422, "A key must match [A-Za-z0-9_.-]{1,64}"),
    "key_taken": Entry(422, "This key is in use: create the row under a new key"),
    "row_unknown": Entry(422, "There is no such row, or none that you may see"),
    "reference_unknown": Entry(422, "A referenced row does not exist, or you may not see it"),
    "parent_deleted": Entry(422, "The row's parent is deleted and cannot be restored by this edit"),
    "out_of_scope": Entry(422, "You may not write a row that you would not see"),
    "handed_over": Entry(422, "You no longer have this row: your change waits for a decision of those who do"),
    "decide_first": Entry(422, "An earlier hand-over of the same device must be decided first"),
    "depends_on_refused": Entry(422, "It depends on a mutation that was refused: repair that one first"),
    "already_repaired": Entry(409, "This refusal was repaired before, with other content"),
    "repair_impossible": Entry(422, "This refusal can only be dismissed: its content cannot be read, or is on its way"),
    "already_merged": Entry(422, "The row was merged into another one and cannot be deleted by its old key"),
    "erased": Entry(410, "This person was erased: nothing about the person is taken or kept"),
    "merge_invalid": Entry(422, "These two rows cannot be merged"),
    "merge_unknown": Entry(404, "There is no such merge, or it was undone"),
    "undo_too_late": Entry(409, "The time in which this merge could be undone is over"),
    "illegal_transition": Entry(422, "The record cannot go from its state to that one"),
    "visit_out_of_range": Entry(422, "The check-in is too far from the customer, and the policy of the day is hard"),
    "visit_open": Entry(409, "Another visit of this person is open: check out of that one first"),
    "visit_locked": Entry(422, "The visit was submitted and is read-only: correct it by an amendment"),
    "visit_not_submitted": Entry(422, "The visit was not submitted yet: change it instead of amending it"),
    "checklist_incomplete": Entry(422, "Questions of the visit's checklist are not answered"),
    "rrule_invalid": Entry(422, "The recurrence rule cannot be read, or is none that plans may have"),
    "reason_required": Entry(422, "Losing a deal needs a reason"),
    "loss_incomplete": Entry(422, "This reason asks for more than was said of the loss"),
    "stage_not_offered": Entry(422, "The deal's pipeline does not offer this stage on that day"),
    "stage_in_use": Entry(422, "Deals are, or ended, in this stage: it stays, and what kind it is"),
    "product_in_use": Entry(422, "Lines of deals name this product: it stays"),
    "reopened_too_often": Entry(422, "So many ends of this deal were reversed that no more can be kept"),
    "criteria_unmet": Entry(422, "The deal lacks what its stage asks for before it goes on"),
    "contact_elsewhere": Entry(422, "The person belongs to another customer than the deal"),
    "contact_there": Entry(422, "The person has a part in this deal already: change that row"),
    "invariant_failed": Entry(422, "The resulting row would contradict itself"),
    "tiers_invalid": Entry(422, "Tiers must begin at 0 and each lie higher than the one before"),
    "limit_twice": Entry(422, "The role has a limit for products of this family on one of these days already"),
    "visit_elsewhere": Entry(422, "The deal belongs to another customer than the visit"),
    "expense_elsewhere": Entry(422, "The deal or visit belongs to another customer than the one that is named"),
    "quote_empty": Entry(422, "A deal is quoted with an amount"),
    "proposal_invalid": Entry(422, "A list or object of the proposal, line or template is not of the documented form"),
    "proposal_locked": Entry(422, "The proposal was sent: it is revised before it is changed"),
    "proposal_kept": Entry(422, "What was sent of a proposal is kept: withdraw it instead"),
    "proposal_incomplete": Entry(422, "The proposal lacks what it cannot be sent without"),
    "proposal_too_long": Entry(422, "The proposal is longer than what can be printed"),
    "proposal_expired": Entry(422, "The proposal's last day of validity is over"),
    "question_invalid": Entry(422, "A question says something, not too much, and about a place that is there"),
    "question_limit": Entry(429, "So many questions wait for an answer that no more are taken now"),
    "question_answered": Entry(409, "This question was answered before"),
    "proposal_superseded": Entry(409, "A newer version of the proposal was sent, or another offer was accepted"),
    "proposal_withdrawn": Entry(409, "The seller withdrew the proposal"),
    "proposal_answered": Entry(409, "The proposal was answered already"),
    "proposal_closed": Entry(409, "What the proposal is about has ended otherwise: it can be answered no more"),
    "consent_changed": Entry(409, "What is agreed to is not the text that was shown: look again"),
    "signature_invalid": Entry(422, "This is no signature: `reason` says why"),
    "not_your_turn": Entry(409, "Somebody else signs first, or this link is for reading"),
    "approval_needed": Entry(409, "The proposal needs an approval that was not given, or that holds no more"),
    "approval_not_yours": Entry(403, "This approval is somebody else's to give"),
    "proposal_changed": Entry(409, "The proposal is not the one that you meant any more: look again"),
    "approval_changed": Entry(409, "The proposal is not what you looked at any more: look again"),
    "approval_asked_often": Entry(409, "This was submitted as often as it may be in a day"),
    "approval_impossible": Entry(422, "Nobody may approve this price"),
    "splits_invalid": Entry(422, "Revenue splits must total exactly 100 % and include the owner"),
    "quota_owner_invalid": Entry(422, "A quota belongs to exactly one user, team or territory"),
    "quota_twice": Entry(422, "Another quota has this owner, period, measure and filters"),
    "quota_approved": Entry(422, "The quota was approved and is read-only: it must be reset to draft first"),
    "quota_kept": Entry(422, "The quota was approved or closed: whom and what it measures, and when, stays as it was"),
    "challenge_open": Entry(409, "An earlier challenge of this person to this quota was not decided yet"),
    "challenge_decided": Entry(409, "This challenge was decided before"),
    "weights_invalid": Entry(422, "A target is spread by weights that total exactly 100 %"),
    "conflict_closed": Entry(409, "This conflict, suggestion or refusal has been settled"),
    "duplicate_external_id": Entry(422, "Another row has this external id"),
    "duplicate_email": Entry(422, "Another user has this e-mail address"),
    # offers
    "offer_invalid": Entry(422, "The offer cannot be priced: `reason` says why, `place` where"),
    "choice_invalid": Entry(422, "The offer does not leave this choice: `reason` says why, `line` where"),
    # dates, trees, money
    "amount_invalid": Entry(422, "The amount is not a decimal number of this currency"),
    "currency_unknown": Entry(422, "The currency is not known"),
    "rate_missing": Entry(422, "There is no exchange rate for that day"),
    "rate_twice": Entry(422, "This pair of currencies has a rate from that day already: change that one"),
    "hierarchy_cycle": Entry(422, "The tree would contain a cycle"),
    "hierarchy_overlap": Entry(422, "The member would have two parents on one day"),
    "plan_overlap": Entry(422, "The person would be paid by two plans of one measure on one day"),
    "plan_kept": Entry(422, "Somebody was paid by the plan: its terms stay as they were"),
    "membership_overlap": Entry(422, "The person would be a member of two teams, or twice of one, on one day"),
    "hierarchy_orphan": Entry(422, "The tree would name a parent that does not exist on that day"),
    "route_too_large": Entry(422, "More stops in one day than the limit"),
    "cost_twice": Entry(422, "This product has a cost from that day already: change that one"),
    "price_twice": Entry(422, "This product has a price in this currency from that day already: change that one"),
    "outlook_missing": Entry(404, "No run of the forecast engine says this yet"),
    "run_ended": Entry(409, "This run is over: it cannot be cancelled any more"),
    "period_not_over": Entry(422, "The period has not ended yet in the organisation's time zone"),
    "credits_missing": Entry(409, "Deals of the period are not credited yet, so its figures are not complete"),
    "period_closed": Entry(409, "The period is closed: its figures stay, and what changes is a restatement"),
    "period_unknown": Entry(422, "The day lies outside the fiscal calendar"),
    "calendar_invalid": Entry(422, "The fiscal calendar is not valid"),
    "period_in_use": Entry(422, "Quotas or closings name this period: it stays as it is"),
    # forecasts
    "forecast_node_invalid": Entry(422, "A call is of one person or of one team"),
    "forecast_period_invalid": Entry(422, "Calls are for running and coming periods of the kind that the policy names"),
    "forecast_due_invalid": Entry(422, "Calls for this period are not locked on that day"),
    "forecast_locked": Entry(409, "The calls of that day are locked, and the policy takes none after it"),
    "override_not_direct": Entry(403, "A figure is set by who carries it, and by who it is directly reported to"),
    "forecast_period_over": Entry(422, "The period is over: what was closed in it is known"),
    "forecast_snapshot_missing": Entry(404, "No snapshot of the forecast is as old as that day"),
    "forecast_currency_fixed": Entry(422, "A snapshot is in the currency in which it was taken"),
    # files
    "upload_version": Entry(412, "This server speaks tus 1.0.0: say so in Tus-Resumable"),
    "upload_invalid": Entry(400, "The upload's headers are not what tus and docs/files.md ask for"),
    "upload_type": Entry(415, "The bytes of an upload come as application/offset+octet-stream"),
    "upload_offset": Entry(409, "The upload stands elsewhere: ask for its offset and go on from there"),
    "upload_taken": Entry(423, "A newer request goes on with this upload"),
    "upload_checksum": Entry(460, "These bytes are not those of their checksum: send them again"),
    "upload_too_large": Entry(413, "The file is larger than this server takes, or than was said"),
    "upload_limit": Entry(429, "Too many unfinished uploads: finish or end some"),
    "upload_gone": Entry(410, "This upload has ended: begin a new one"),
    "file_awaited": Entry(404, "The bytes of this attachment have not arrived yet"),
    "file_differs": Entry(422, "The content is not what was declared: nothing was attached"),
    "file_type_refused": Entry(422, "This kind of content is not taken, or is not the kind that was declared"),
    "range_invalid": Entry(416, "The file has no such range"),
    "thumbnail_impossible": Entry(422, "No thumbnail can be made of this file"),
    # proposals
    "pdf_unavailable": Entry(503, "This server cannot make PDFs: a library that it needs is missing"),
    "pdf_refused": Entry(422, "The document holds something that is never printed, or more than the limits"),
    "picture_invalid": Entry(422, "The picture cannot be read, or is larger than is printed"),
    "template_invalid": Entry(422, "The template holds what a template may not: `problems` says what and where"),
    "template_too_large": Entry(422, "The template turns too often in its loops, or writes too much"),
    "document_invalid": Entry(422, "This is no document of a proposal"),
    "preview_failed": Entry(422, "The preview could not be made within its limits: `reason` says why"),
    "render_queue_full": Entry(429, "Too many drafts of this person wait to be printed: wait for them"),
    "render_missing": Entry(404, "Nothing of this proposal was ordered to be printed"),
    "seal_key_unusable": Entry(503, "The company's key for sealing cannot be used"),
    # webhooks
    "webhook_url_refused": Entry(422, "This server does not post to such an address: `reason` says why"),
    "webhook_kind_unknown": Entry(422, "There is no such kind of event"),
    "webhook_limit": Entry(409, "There are as many endpoints as a company may have: delete one"),
    "webhook_off": Entry(409, "The endpoint is switched off: switch it on before anything is sent to it"),
    # imports and operations
    "import_invalid": Entry(422, "The import file has errors; nothing was written"),
    "import_file_missing": Entry(422, "An import file is missing"),
    "trace_invalid": Entry(422, "The file is no trace of this registration's exchanges"),
    "setting_invalid": Entry(500, "A setting is missing or wrong"),
    "schema_outdated": Entry(500, "The database schema is not the one of this version: run `sfa migrate`"),
}


class Refused(Exception):
    """A user, device or file did something that is not allowed; `code` is one of the catalogue.

    `text` says in words what is wrong with this input; `details` are JSON values that help to repair it.
    """

    def __init__(self, code: str, text: str = "", **details: Any) -> None:
        entry = CATALOGUE[code]
        super().__init__(f"{code}: {text or entry.title}")
        self.code = code
        self.text = text or entry.title
        self.details = details

    @property
    def status(self) -> int:
        return CATALOGUE[self.code].status
