"""What the page says about the offer: where it stands, what went wrong, what is new; in the document's language. Pure.

Names and texts of people are plain strings here: the templates escape them.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from msgspec import Struct

from proposals.buyer import changes as new
from proposals.buyer import deciding
from proposals.buyer.answering import Standing
from proposals.buyer.changes import AMOUNTS, Change
from proposals.document import Document
from proposals.lifecycle import ACCEPTED, DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN
from proposals.templates import formats
from proposals.templates.rich import clean
from proposals.templates.words import Say

SHORT_MAX = 120  # characters of a text that was changed: longer ones are only said to be others
TONES = {ACCEPTED: "good", deciding.SIGNED_BY_YOU: "good", deciding.WAITS: "wait", SUPERSEDED: "wait"}


class Words(Struct, frozen=True):
    title: str
    text: str


class Way(Struct, frozen=True):
    """To a place of the page."""

    address: str
    text: str


class Trouble(Struct, frozen=True):
    """Why an answer was not taken."""

    title: str
    text: str
    links: tuple[Way, ...] = ()


class Told(Struct, frozen=True):
    label: str
    name: str
    before: str
    after: str


def when(at_ms: int, zone: str, language: str) -> str:
    """A moment in the zone that the document names."""
    moment, locale = datetime.fromtimestamp(at_ms / 1000, UTC), formats.locale_of(language)
    day = format_date(moment.astimezone(ZoneInfo(zone)), "long", locale=locale)
    time = format_time(moment, "short", tzinfo=ZoneInfo(zone), locale=locale)
    return f"{day}, {time} ({zone})"


def state_words(say: Say, standing: Standing, document: Document) -> Words:
    """Of everything but an offer that this link can answer now."""
    seller, who = clean(document.seller.name), clean(standing.waits_for or "")
    until = formats.day(document.valid_until, document.language)
    left = ", ".join(clean(name) for name in standing.left)
    said: dict[str, Callable[[], Words]] = {
        deciding.OPEN: lambda: Words(
            say("For your information"),
            say("This link shows the offer. Whoever answers it has a link of their own."),
        ),
        deciding.SIGNED_BY_YOU: lambda: Words(
            say("You have signed"), say("The offer is accepted when these have signed as well: %(names)s", names=left)
        ),
        deciding.WAITS: lambda: Words(
            say("%(name)s signs first", name=who),
            say("You can read the offer now, and sign it as soon as it is your turn."),
        ),
        ACCEPTED: lambda: Words(say("This offer was accepted"), _at(say, standing, document)),
        DECLINED: lambda: Words(say("This offer was declined"), _at(say, standing, document)),
        EXPIRED: lambda: Words(
            say("This offer has expired"),
            say("It was valid until the end of %(day)s (%(zone)s).", day=until, zone=clean(document.zone)),
        ),
        SUPERSEDED: lambda: Words(
            say("There is a newer offer"), say("This version can be read, and answered no more.")
        ),
        WITHDRAWN: lambda: Words(
            say("This offer was withdrawn"),
            say("%(seller)s took it back. It can be read, and answered no more.", seller=seller),
        ),
        deciding.CLOSED: lambda: Words(say("This offer is closed"), say("It can be read, and answered no more.")),
    }
    return said[standing.state]()


def _at(say: Say, standing: Standing, document: Document) -> str:
    if standing.at is None:
        return ""
    moment = when(standing.at, document.zone, document.language)
    if standing.by:
        return say("By %(name)s on %(when)s", name=clean(standing.by), when=moment)
    return say("On %(when)s", when=moment)


def trouble(say: Say, code: str, total: str) -> Trouble:
    """What a refusal means for who reads the page; states say the rest."""
    not_kept = say("Nothing was kept.")
    known = {
        "proposal_changed": Trouble(
            say("Please look again"), say("The total is %(total)s now. Please check it and accept again.", total=total)
        ),
        "consent_changed": Trouble(
            say("Please look again"), say("What you agree to has changed. Please read it and accept again.")
        ),
        "choice_invalid": Trouble(
            say("This choice is not possible"),
            say(
                "A quantity or an option is outside of what the offer leaves. The page shows the offer as it was sent."
            ),
        ),
        "signature_invalid": Trouble(
            say("Please check your signature"),
            say("Please give your full name. A drawn signature is more than a dot; your typed name does as well."),
        ),
        "not_your_turn": Trouble(say("It is not your turn yet"), not_kept),
        "not_permitted": Trouble(say("This link is for reading"), not_kept),
        "question_invalid": Trouble(
            say("Please check your question"),
            say("A name and a question are needed; the question has at most 4,000 characters."),
        ),
        "question_limit": Trouble(
            say("Many questions wait for an answer"), say("Please wait for the answers, or call your contact.")
        ),
        "form": Trouble(say("Please check your answer"), say("Something is missing: it is marked below.")),
    }
    return known.get(code, Trouble(say("This offer cannot be answered any more"), not_kept))


# -- what is new -------------------------------------------------------------------------------------------------------


def labels(say: Say) -> dict[str, str]:
    return {
        new.LANGUAGE: say("Language"),
        new.TITLE: say("Title"),
        new.PARTY: say("Names and addresses"),
        new.BRAND: say("Look"),
        new.SUMMARY: say("Summary"),
        new.SECTION_ADDED: say("New section"),
        new.SECTION_DROPPED: say("Section left out"),
        new.SECTION_TITLE: say("Heading"),
        new.SECTION_TEXT: say("Text"),
        new.SECTION_PICTURES: say("Pictures"),
        new.LINE_ADDED: say("New line"),
        new.LINE_DROPPED: say("Line left out"),
        new.LINE_NAME: say("Name"),
        new.LINE_TEXT: say("Description"),
        new.LINE_UNIT: say("Unit"),
        new.LINE_QUANTITY: say("Quantity"),
        new.LINE_PRICE: say("Unit price"),
        new.LINE_DISCOUNT: say("Discount"),
        new.LINE_TAX: say("Tax"),
        new.LINE_OPTION: say("What you may choose"),
        new.LINE_AMOUNT: say("Amount"),
        new.ORDER: say("Order"),
        new.CURRENCY: say("Currency"),
        new.TAX_INCLUDED: say("Whether tax is in the prices"),
        new.DISCOUNT: say("Discount on the whole"),
        new.NET: say("Without tax"),
        new.TAX: say("Tax"),
        new.TOTAL: say("Total"),
        new.PAYMENT: say("Payment"),
        new.VALIDITY: say("Valid until"),
        new.ZONE: say("Time zone"),
        new.TERMS: say("Terms"),
        new.CLOSING: say("Closing words"),
        new.ENCLOSURE_ADDED: say("New enclosure"),
        new.ENCLOSURE_DROPPED: say("Enclosure left out"),
    }


def told(say: Say, change: Change, before: Document, after: Document) -> Told:
    label = labels(say).get(change.kind, say("Other changes"))
    values = _value(change, change.before, before), _value(change, change.after, after)
    return Told(label, clean(change.name), *(values if values[0] != values[1] else ("", "")))


_UNSAID = frozenset(
    {new.LINE_OPTION, new.PARTY, new.SECTION_ADDED, new.SECTION_DROPPED, new.TAX_INCLUDED, new.TERMS, new.SUMMARY}
    | {new.LANGUAGE, new.CLOSING, new.ENCLOSURE_ADDED, new.ENCLOSURE_DROPPED, new.SECTION_TEXT, new.LINE_TEXT}
)


def _value(change: Change, value: str | int | None, document: Document) -> str:
    """As the document that has it writes it; nothing where a line cannot say it."""
    if value is None or change.kind in _UNSAID:
        return ""
    if isinstance(value, int) or change.kind in AMOUNTS:
        return formats.money(int(value), document.currency, document.language)
    if change.kind == new.VALIDITY:
        return formats.day(value, document.language)
    if change.kind == new.LINE_QUANTITY:
        return formats.quantity(value, document.language)
    return clean(value) if len(value) <= SHORT_MAX else ""
