"""What stands in the way of printing a document by a template, listed before anything is made.

Of the layouts that ship: names that every offer has to have. Of a company's template: what it may not say, fields that
do not exist, and fields that it prints without asking whether they have a value, which have none in this document.
"""

from functools import reduce
from typing import Any

from proposals.document import Document
from proposals.templates import guard, styles
from proposals.templates.problems import Problem
from proposals.templates.reading import sheet_of
from proposals.templates.template import Template

NEEDED = ("sheet.title", "sheet.seller.name", "sheet.buyer.name", "sheet.author.name")


def problems_of(template: Template) -> tuple[Problem, ...]:
    """What is wrong with it whatever the document: nothing is printed by it."""
    found = guard.checked(template.source).problems if template.source else ()
    return (*found, *styles.checked(template.css))


def missing(document: Document, template: Template) -> tuple[Problem, ...]:
    """Every gap, the template's own first; empty when it can be printed. `reason` of a field without a value is
    `empty`."""
    wrong = problems_of(template)
    if wrong:
        return wrong
    bare = dict.fromkeys(NEEDED, 0) | (guard.checked(template.source).bare if template.source else {})
    sheet = sheet_of(document)
    empty = [(path, line) for path, line in bare.items() if not _value(sheet, path)]
    return tuple(Problem("empty", f"{path} has no value", line, path) for path, line in empty)


def _value(sheet: Any, path: str) -> Any:
    return reduce(lambda value, name: getattr(value, name, None), path.split(".")[1:], sheet)
