"""Runs templates: those that ship as they are, a company's with every step and every character counted.

Both run in Jinja's immutable sandbox with autoescape, and nothing is printed that is not there. Of a company's template
`guard` has decided what is in it; here each turn of a loop, of the base's own loops too, costs a step, and the text is
taken piece by piece, so that neither time nor memory goes beyond what the largest document needs. A piece is at most
what the base prints of the whole document, as nothing in a company's template joins texts.
"""

from collections.abc import Iterable, Iterator, Sized
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from jinja2 import DictLoader, StrictUndefined, Template, nodes
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from proposals.templates import guard
from proposals.templates.problems import Problem, refuse, too_large
from proposals.templates.template import BASES, read

STEPS_MAX = 100_000  # turns of loops in one document: one of 2,000 lines takes some 4,000
WRITTEN_MAX = 4_000_000  # characters; a document of 2,000 lines has about 620,000
FAILURES = (TemplateError, RecursionError, TypeError, ValueError, AttributeError, LookupError)
_left: ContextVar[list[int]] = ContextVar("steps that are left")


class _Plain(ImmutableSandboxedEnvironment):
    def __init__(self) -> None:
        loader = DictLoader({path.name: read(path.name) for path in BASES.glob("*.j2")})
        super().__init__(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self.globals = {}


class _Counted(_Plain):
    """Compiles every loop to go over `Steps`."""

    def __init__(self) -> None:
        super().__init__()
        self.filters["_steps"] = Steps

    def _generate(self, source: nodes.Template, *args: Any, **more: Any) -> str:
        for loop in list(source.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "_steps", [], [], None, None, lineno=loop.lineno).set_environment(self)
        return super()._generate(source, *args, **more)


class Steps:
    """What a loop goes over: each turn is one of those that the document has left."""

    def __init__(self, found: Any) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found) if isinstance(self._found, Sized) else 0

    def __iter__(self) -> Iterator[Any]:
        left = _left.get()
        for each in self._found:
            left[0] -= 1
            if left[0] < 0:
                too_large(f"the loops of a template turn at most {STEPS_MAX} times in one document")
            yield each


@lru_cache(maxsize=1)
def _plain() -> _Plain:
    return _Plain()


@lru_cache(maxsize=1)
def _counted() -> _Counted:
    return _Counted()


def shipped(base: str, values: dict[str, Any]) -> str:
    return _plain().get_template(f"{base}.html.j2").render(values)


def company(base: str, source: str, values: dict[str, Any]) -> str:
    """Refuses `template_invalid` and `template_too_large`, whatever the source is."""
    refuse(guard.checked(source).problems)
    token = _left.set([STEPS_MAX])
    try:
        return _taken(_compiled(base, source).generate(values))
    except FAILURES as error:
        line = getattr(error, "lineno", 0) or 0
        refuse([Problem("failed", f"it fails with this document: {error}"[:200], line)])
        raise
    finally:
        _left.reset(token)


@lru_cache(maxsize=16)
def _compiled(base: str, source: str) -> Template:
    return _counted().from_string(f'{{% extends "{base}.html.j2" %}}{source}')


def _taken(pieces: Iterable[str]) -> str:
    taken, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > WRITTEN_MAX:
            too_large(f"a template writes at most {WRITTEN_MAX} characters in one document")
        taken.append(piece)
    return "".join(taken)
