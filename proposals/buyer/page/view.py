"""What the prospect's page shows of a document: its sheet, the very texts of the PDF (R50), and what may be chosen.

Pure. Of a line the page knows its key and nothing else that is not printed (R45).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from proposals import document as doc
from proposals.document import Document
from proposals.templates import sheet
from proposals.templates.reading import sheet_of
from proposals.templates.rich import direction
from sfa.core.errors import Refused
from sfa.core.pricing.choosing import Choices
from sfa.core.pricing.values import PricedLine

CHECK, RADIO = "check", "radio"
TAKE, PICK, QUANTITY = "take", "pick.", "quantity."  # names of fields
SUMMARY, PRICES, TERMS, FILES, QUESTIONS, ANSWER = "@summary", "@prices", "@terms", "@files", "@questions", "@answer"


class Control(Struct, frozen=True):
    """A box or one of a group, as a form names it."""

    kind: str
    name: str
    value: str
    chosen: bool


class Stepper(Struct, frozen=True):
    """How many. `value` is as the document's language writes it, with `point` before decimals; the others are decimal
    texts."""

    name: str
    value: str
    low: str
    high: str
    step: str
    point: str


class OfferedLine(Struct, frozen=True):
    line: sheet.Line
    key: str
    control: Control | None
    stepper: Stepper | None


class OfferedBlock(Struct, frozen=True):
    choice: str
    lines: tuple[OfferedLine, ...]


class OfferedPart(Struct, frozen=True):
    """`place` is the section's key, by which the page says how long it was in view."""

    part: sheet.Part
    place: str
    blocks: tuple[OfferedBlock, ...]


class File(Struct, frozen=True):
    name: Any
    size: str
    address: str


class View(Struct, frozen=True):
    sheet: sheet.Sheet
    parts: tuple[OfferedPart, ...]
    files: tuple[File, ...]
    direction: str
    can_choose: bool


def view_of(document: Document, base: str) -> View:
    """`base` is the address of the page, below which everything else lies."""
    made = sheet_of(document, lambda picture: f"{base}/pictures/{picture.sha256}")
    by_number = dict(enumerate(zip(document.items, document.priced.lines, strict=True), 1))
    places = _places(document, made)
    parts = tuple(
        OfferedPart(part, place, tuple(_block(block, by_number, document.language) for block in part.blocks))
        for part, place in zip(made.parts, places, strict=True)
    )
    files = tuple(
        File(shown.name, shown.size, f"{base}/enclosures/{kept.sha256}")
        for shown, kept in zip(made.enclosures, document.enclosures, strict=True)
    )
    return View(made, parts, files, direction(document.title), any(is_choosable(item) for item in document.items))


def is_choosable(item: doc.Item) -> bool:
    return item.optional or item.group is not None or _has_steps(item)


def _has_steps(item: doc.Item) -> bool:
    return item.quantity_min is not None or item.quantity_max is not None


def _places(document: Document, made: sheet.Sheet) -> list[str]:
    """The key of each part's section: `sheet_of` names parts by the place of theirs."""
    keys = ["", *(section.key for section in document.sections)]
    return [keys[int(part.anchor.removeprefix("part-"))] or PRICES for part in made.parts]


def _block(block: sheet.Block, by_number: Mapping[int, tuple[doc.Item, PricedLine]], language: str) -> OfferedBlock:
    lines = tuple(_line(line, *by_number[line.number], language) for line in block.lines)
    return OfferedBlock(block.choice, lines)


def _line(line: sheet.Line, item: doc.Item, priced: PricedLine, language: str) -> OfferedLine:
    control = None
    if item.group is not None:
        control = Control(RADIO, f"{PICK}{item.group}", item.key, priced.counts)
    elif item.optional:
        control = Control(CHECK, TAKE, item.key, priced.counts)
    stepper = None
    if _has_steps(item):
        step = item.quantity_step or "1"
        low, high = item.quantity_min or step, item.quantity_max or ""
        shown = typed(priced.quantity, language)
        stepper = Stepper(f"{QUANTITY}{item.key}", shown, low, high, step, point_of(language))
    return OfferedLine(line, item.key, control, stepper)


# -- what was chosen ---------------------------------------------------------------------------------------------------


def choices_of(document: Document, one: Callable[[str], str | None], taken: frozenset[str]) -> Choices:
    """Of the fields of a form: `one` says the value of a field, `taken` the boxes that are ticked. A box that is not
    named was left; of a group, and of a quantity, that is not named nothing was said. Refuses `choice_invalid` for a
    quantity that is no number in the document's language."""
    lines: dict[str, bool] = {}
    quantities: dict[str, str] = {}
    for item in document.items:
        if item.group is not None:
            if one(f"{PICK}{item.group}") == item.key:
                lines[item.key] = True
        elif item.optional:
            lines[item.key] = item.key in taken
        said = one(f"{QUANTITY}{item.key}") if _has_steps(item) else None
        if said is not None and said.strip():
            quantities[item.key] = _quantity(said.strip(), document.language, item.key)
    return Choices(lines, quantities)


def _quantity(said: str, language: str, line: str) -> str:
    found = number_of(said, language)
    if found is None:
        raise Refused("choice_invalid", f"line {line}: this is no number", reason="value", line=line)
    return found


def point_of(language: str) -> str:
    """What stands before decimals; groups of three digits are parted by the other one of the two."""
    return POINTS.get(language, ".")


def typed(decimal: str, language: str) -> str:
    """A decimal text as it stands in a field: without groups."""
    return decimal.replace(".", point_of(language))


def number_of(said: str, language: str) -> str | None:
    """The decimal text of what somebody typed, by the rules of a language; null for what is no number in it. `1,000` is
    a thousand in English and one in Spanish, `1,5` is nothing in English."""
    match = NUMBERS[point_of(language)].fullmatch(said)
    if match is None:
        return None
    whole = re.sub(r"[.,]", "", match[1])
    return f"{whole}.{match[2]}" if match[2] else whole


POINTS = {"es": ",", "pt-BR": ","}
NUMBERS = {
    ".": re.compile(r"([0-9]+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:\.([0-9]+))?"),
    ",": re.compile(r"([0-9]+|[1-9][0-9]{0,2}(?:\.[0-9]{3})+)(?:,([0-9]+))?"),
}


def said_of(document: Document, consent: str, consent_digest: str) -> dict[str, Any]:
    """What a script writes into the page after a choice: texts, and what it sends back with an answer."""
    made = sheet_of(document)
    lines = [line for part in made.parts for line in part.lines]
    keys = {number: item.key for number, item in enumerate(document.items, 1)}
    return {
        "total": made.total,
        "total_minor": document.priced.total_minor,
        "lines": {
            keys[line.number]: {
                "amount": line.amount,
                "list_amount": line.list_amount,
                "quantity": line.quantity,
                "counts": line.counts,
            }
            for line in lines
        },
        "subtotals": {part.anchor: part.subtotal for part in made.parts},
        "rows": [{"kind": row.kind, "label": row.label, "amount": row.amount} for row in made.rows],
        "dues": [{"label": due.label, "when": due.when, "amount": due.amount} for due in made.dues],
        "consent": consent,
        "consent_digest": consent_digest,
    }
