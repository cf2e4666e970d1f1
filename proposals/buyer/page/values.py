"""Everything that the page's templates print, of what was read and of what a form said. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs

from proposals.buyer import deciding
from proposals.buyer.page.reading import Look
from proposals.buyer.page.said import TONES, Trouble, Way, state_words, told, trouble, when
from proposals.buyer.page.view import view_of
from proposals.buyer.page.words import page_words
from proposals.buyer.questions import Question
from proposals.document import Document
from proposals.lifecycle import DECLINED, EXPIRED, SUPERSEDED, WITHDRAWN
from proposals.templates.rich import clean

FLASHES = ("asked", "signed", "accepted", "declined", "again")
OVER = (DECLINED, EXPIRED, WITHDRAWN, deciding.CLOSED)  # a new offer may be asked for; superseded by none as well
READING = "reading"  # of an offer that somebody else answers
PLACES_MAX = 60  # in a list to choose from: beyond them sections alone
FIELDS = ("name", "ask_name", "again_name", "decline_name", "reason", "place", "text")


class Form(Struct, frozen=True):
    """What came of a form: `error` is the code of a refusal, `wrong` {field: what is missing}, `kept` {field: what was
    typed}, `flash` one of `FLASHES`."""

    error: str = ""
    wrong: Mapping[str, str] = {}
    kept: Mapping[str, str] = {}
    flash: str = ""


def values_of(look: Look, base: str, form: Form) -> dict[str, Any]:
    document, standing = look.shown, look.standing
    say = page_words(document.language)
    is_over = standing.state in OVER or (standing.state == SUPERSEDED and look.newer is None)
    state = READING if standing.state == deciding.OPEN and not standing.may_sign else standing.state
    return {
        "base": base,
        "view": view_of(document, base),
        "state": state,
        "tone": TONES.get(standing.state, "over"),
        "said": state_words(say, standing, document),
        "staff": look.is_staff,
        "counts": not look.is_staff and standing.state in (deciding.OPEN, *_LIVE),
        "may_sign": standing.may_sign,
        "may_choose": look.may_choose,
        "may_ask": not look.is_staff and not is_over,
        "may_ask_again": not look.is_staff and is_over,
        "can_stop": not look.opted_out and standing.state in (deciding.OPEN, *_LIVE),
        "signed": [
            {"name": clean(one.name), "when": when(one.at, document.zone, document.language)} for one in standing.signed
        ],
        "has_final": look.is_sealed,
        "newer": f"/p/{look.newer}" if look.newer is not None else "",
        "changes": [told(say, change, look.before, look.sent) for change in look.changes] if look.before else [],
        "questions": [_question(question, document) for question in look.questions],
        "places": _places(document),
        "digest": look.digest,
        "total_minor": document.priced.total_minor,
        "consent": look.consent,
        "consent_digest": look.consent_digest,
        "error": _error(look, form),
        "wrong": form.wrong,
        "kept": {**dict.fromkeys(FIELDS, ""), **_names(look), **form.kept},
        "flash": form.flash if form.flash in FLASHES else "",
    }


_LIVE = (deciding.SIGNED_BY_YOU, deciding.WAITS)


_PLACES = {"drawing": "answer", "text": "ask-text"}  # where a field is that has another name


def _error(look: Look, form: Form) -> Trouble | None:
    """With a way to each field that lacks something."""
    code = form.error or look.choice_code or ""
    if not code:
        return None
    found = trouble(page_words(look.shown.language), code, look.total)
    links = tuple(Way(f"#{_PLACES.get(field, field.replace('_', '-'))}", text) for field, text in form.wrong.items())
    return structs.replace(found, links=links)


def _names(look: Look) -> dict[str, str]:
    """Whoever asks is known by the link; a signature is typed by who gives it."""
    return dict.fromkeys(("ask_name", "again_name", "decline_name"), clean(look.standing.name))


def _places(document: Document) -> list[tuple[str, str]]:
    """What a question may be about."""
    sections = [(section.key, clean(section.title)) for section in document.sections if section.title.strip()]
    lines = [(item.key, clean(item.name)) for item in document.items]
    return [*sections, *lines] if len(sections) + len(lines) <= PLACES_MAX else sections[:PLACES_MAX]


def _question(question: Question, document: Document) -> dict[str, str]:
    names = {section.key: section.title for section in document.sections}
    names |= {item.key: item.name for item in document.items}
    answered = question.answered_at
    return {
        "asked_by": clean(question.asked_by),
        "asked": when(question.asked_at, document.zone, document.language),
        "place": clean(names.get(question.place or "", "")),
        "text": clean(question.text),
        "answer": clean(question.answer or ""),
        "answered_by": clean(question.answered_by or document.seller.name),
        "answered": when(answered, document.zone, document.language) if answered is not None else "",
    }
