"""How `sfa device` shows rows, the queue and the progress of a first sync: tables for people, JSON for programs."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from sync.device import Queued

COLUMNS: dict[str, tuple[str, ...]] = {
    "accounts": ("name", "city", "status", "tier", "phone", "territory_key"),
    "contacts": ("name", "title", "phone", "mobile", "email", "account_key"),
    "visits": ("account_key", "status", "planned_at", "checked_in_at", "checked_out_at", "outcome"),
    "notes": ("account_key", "author_key", "written_at", "body"),
    "attachments": ("name", "kind", "size", "stored", "account_key", "author_key"),
    "tasks": ("title", "due_on", "done", "account_key"),
    "deals": ("name", "stage_key", "amount_minor", "currency", "close_on", "owner_key"),
    "quotas": ("user_key", "team_key", "territory_key", "period_key", "measure", "target", "status", "approvals"),
    "quotas shown": (
        *("owner", "period_key", "measure", "target", "currency", "status", "version", "approved", "valid_from"),
        "challenge",
    ),
    "quota_challenges": ("quota_key", "author_key", "text", "proposed", "status", "answer", "decided_by"),
    "visit_plans": ("account_key", "rrule", "start_time", "zone", "valid_from", "valid_to"),
    "signals": ("kind", "account_key", "product_key", "competitor", "amount_minor", "text"),
    "cadence": ("name", "tier", "status", "due_on", "last_on", "days_over"),
    "attainment": (
        "period",
        "measure",
        "target",
        "value",
        "currency",
        "pct_bp",
        "expected",
        "projected",
        "word",
        "code",
    ),
    "forecast": ("deals", "amount", "weighted", "cumulative", "overlay", "currency"),
    "forecast_calls": ("period_key", "due_on", "commit_minor", "currency", "status", "user_key", "team_key"),
    "priced lines": (
        *("product", "quantity", "price_bp", "verdict", "target_bp", "norm_bp", "floor_bp", "of", "approval"),
    ),
    "proposals shown": ("title", "deal", "status", "number", "total", "currency", "waiting", "refused"),
    "proposal_lines": ("proposal_key", "position", "name", "quantity", "unit_price_minor", "optional", "group_key"),
    "offered lines": (
        *("name", "quantity", "price", "discount", "amount", "tax", "of_list_bp", "verdict", "approval", "counts"),
    ),
    "recipients": (
        "position",
        "name",
        "email",
        "role",
        "state",
        "mailed_at",
        "opened_at",
        "opens",
        "problem",
        "waiting",
    ),
    "questions": ("asked_at", "asked_by", "about", "text", "answer", "waiting"),
    "refused changes": ("entity", "row", "code", "text"),
    "what if": ("before", "after", "code"),
    "expenses": ("kind", "amount_minor", "currency", "spent_on", "account_key", "deal_key", "product_key", "text"),
    "work_entries": ("kind", "minutes", "done_on", "account_key", "deal_key", "text"),
    "stages": ("name", "position", "kind", "probability_bp"),
    "products": ("name", "family", "sku"),
    "users": ("name", "email", "role"),
    "conflicts": ("entity", "row_key", "field_group", "losing", "standing", "status"),
    "suggestions": ("kind", "entity", "row_key", "other_key", "reasons", "author_key", "mutations", "status"),
    "handovers": ("kind", "entity", "row_key", "status", "decided_by", "reason"),
    "refusals": ("entity", "row_key", "kind", "code", "text", "status"),
}
FIELDS_SHOWN = 6
WIDTH_WITHOUT_TERMINAL = 200


def show_rows(entity: str, rows: Mapping[str, Mapping[str, Any]], changed: set[str], *, is_json: bool) -> None:
    """`changed` are the keys of rows with changes that were not sent yet: marked with a star."""
    if is_json:
        _json([{"key": key, **row} for key, row in rows.items()])
        return
    columns = COLUMNS.get(entity)
    if columns is None:
        first = next(iter(rows.values()), {})
        columns = tuple(field for field in first if not field.startswith("created_"))[:FIELDS_SHOWN]
    table = _table("", "key", *columns)
    for key, row in rows.items():
        table.add_row("*" if key in changed else "", key, *(_text(name, row.get(name)) for name in columns))
    _console().print(table if rows else f"no {entity}")


def show_row(entity: str, key: str, row: Mapping[str, Any], *, is_json: bool) -> None:
    if is_json:
        _json({"key": key, **row})
        return
    table = _table("field", "value", title=f"{entity} {key}")
    for name, value in row.items():
        if value is not None:
            table.add_row(name, _text(name, value))
    _console().print(table)


def show_queue(queue: Sequence[Queued], *, is_json: bool) -> None:
    if is_json:
        _json([item.mutation() for item in queue])
        return
    table = _table("n", "kind", "entity", "key", "at", "fields")
    for item in queue:
        fields = ", ".join(item.fields)
        table.add_row(str(item.n), item.kind, item.entity, item.key, _text("_at", item.at), escape(fields))
    _console().print(table if queue else "nothing is queued")


@contextmanager
def progress_bar(is_shown: bool) -> Iterator[Callable[[str], None]]:
    """A bar without an end, because nobody knows how many rows a first sync brings; silent without a terminal."""
    if not is_shown or not sys.stdout.isatty():
        yield lambda _text: None
        return
    columns = (SpinnerColumn(), TextColumn("First sync"), BarColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=_console()) as progress:
        task = progress.add_task("0 rows", total=None)
        yield lambda text: progress.update(task, description=text)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL, highlight=False)


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, no_wrap=name == "key")
    return table


def _text(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return escape(value)
    if field.endswith("_at") and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return escape(msgspec.json.encode(value).decode())


def _json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))
