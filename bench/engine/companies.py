"""Companies whose truth is known: chances beside the oracle's, and whether ranges hold."""

import importlib
from pathlib import Path

from bench.report import Report

PARTS = ("company_deals", "company_ranges", "range_speed")


def measure(report: Report, data: Path) -> None:
    for name in PARTS:
        importlib.import_module(f"bench.engine.{name}").measure(report, data)
