"""The public sales opportunities: chances and money of single deals, and all revenue of the days to come."""

import importlib
from pathlib import Path

from bench.report import Report

PARTS = ("opportunity_deals", "opportunity_revenue")


def measure(report: Report, data: Path) -> None:
    for name in PARTS:
        importlib.import_module(f"bench.engine.{name}").measure(report, data)
