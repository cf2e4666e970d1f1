"""What the product has to document, read from the product itself: codes, settings, commands, routes and jobs.

Each function imports what it reads when it is called, so that one missing part fails its own test only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import click

from tests.house.tree import document, python_files

SETTING = re.compile(r"\bSFA_[A-Z0-9_]+\b")
ANSWERED_BY_LITESTAR = {"OPTIONS", "HEAD"}


def error_codes() -> dict[str, int]:
    """Code -> HTTP status, of the whole catalogue."""
    from sfa.core.errors import CATALOGUE

    return {code: entry.status for code, entry in CATALOGUE.items()}


def settings() -> set[str]:
    """The environment variables that the product reads."""
    return set(SETTING.findall(document("sfa/app/settings.py")))


def suite_settings() -> set[str]:
    """The environment variables that only the suite reads."""
    return {name for text in python_files("tests").values() for name in SETTING.findall(text)}


def commands() -> set[str]:
    """Every command as it is typed: `sfa serve`, `sfa device login`."""
    from sfa.app.cli import main

    assert isinstance(main, click.Group), "sfa.app.cli:main is the click group"
    return set(_commands_below("sfa", main))


def _commands_below(prefix: str, group: click.Group) -> Iterator[str]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands_below(f"{prefix} {name}", command)
        else:
            yield f"{prefix} {name}"


def jobs() -> set[str]:
    """The names of the scheduled jobs."""
    from sfa.app.jobs import JOBS

    return set(JOBS)


def routes(folder: Path) -> set[tuple[str, str]]:
    """(method, path) of every route, with `{id}` for a path parameter; an ASGI route answers to `*`. The routes of
    every entity are one address with `{entity}`."""
    from litestar.routes import ASGIRoute, HTTPRoute, WebSocketRoute

    from sfa.app.factory import build
    from sfa.app.settings import Settings
    from sfa.web.openapi import GENERAL

    app = build(Settings(database_url=f"sqlite:///{folder}/docs.db"))
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        path = re.sub(r":[a-z]+}", "}", route.path)
        match route:
            case HTTPRoute():
                for handler in route.route_handlers:
                    place = handler.opt[GENERAL].place if GENERAL in handler.opt else path
                    found |= {(str(method), place) for method in handler.http_methods - ANSWERED_BY_LITESTAR}
            case WebSocketRoute():
                found.add(("WS", path))
            case ASGIRoute():
                found.add(("*", path))
    return found
