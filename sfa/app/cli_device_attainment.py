"""`sfa device attainment`: how the own quotas stand, without signal."""

import click

from sfa.app import cli_device_tables as tables
from sfa.app.cli_device import Desk, as_json, device, on_desk
from sfa.core.days import check_day, day_bounds_ms
from sync.device.attainment import OwnFigure, own_figures
from sync.device.visits import zone_of_company


@device.command()
@click.option("--as-of", help="A day, as 2026-01-31, taken to its end; now by default.")
@as_json
@on_desk
def attainment(desk: Desk, as_of: str | None, is_json: bool) -> None:
    """Show how the own quotas stand, by what this device holds, the queue included."""
    found = desk.device()
    end = day_bounds_ms(check_day(as_of), zone_of_company(found))[1] if as_of is not None else None
    rows = {key: _told(own) for key, own in own_figures(found, end).items()}
    tables.show_rows("attainment", rows, set(), is_json=is_json)


def _told(own: OwnFigure) -> dict[str, object]:
    quota, figure, pace = own.quota, own.figure, own.pace
    return {
        "period": quota.period_name,
        "measure": quota.measure,
        "target": quota.target,
        "value": figure.value if figure is not None else None,
        "currency": quota.currency,
        "pct_bp": figure.pct_bp if figure is not None else None,
        "expected": pace.expected if pace is not None else None,
        "projected": pace.projected if pace is not None else None,
        "needed": pace.needed if pace is not None else None,
        "word": pace.word if pace is not None else None,
        "code": own.code,
    }
