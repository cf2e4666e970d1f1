"""`python -m bench.engine [--only series,tourism,deals,companies] [--json PATH]`: a table for each subject.

What is measured is accuracy, not speed: each row stands beside the named baselines that anybody can recompute. The
public data sets lie in the folder that SFA_SAMPLE_DATA names; without it what needs them is left out, and said.
"""

import importlib
import os
import time
from pathlib import Path

import click

from bench.report import Report

SUBJECTS = {"series": "series", "tourism": "tourism", "deals": "opportunities", "companies": "companies"}
NEEDS_DATA = frozenset({"series", "tourism", "deals"})


@click.command(help=__doc__)
@click.option("--only", default=",".join(SUBJECTS), help="subjects, with commas between")
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="write the rows there too")
def main(only: str, path: Path | None) -> None:
    report = Report()
    asked = [name.strip() for name in only.split(",")]
    if unknown := sorted(set(asked) - set(SUBJECTS)):
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; known: {', '.join(SUBJECTS)}", param_hint="--only")
    data = os.environ.get("SFA_SAMPLE_DATA")
    for name in asked:
        if name in NEEDS_DATA and not data:
            print(f"{name}: left out, SFA_SAMPLE_DATA names no folder")
            continue
        start = time.process_time()
        importlib.import_module(f"bench.engine.{SUBJECTS[name]}").measure(report, Path(data or "."))
        report.add("time", name, {"cpu_s": round(time.process_time() - start, 1)})
    report.show()
    if path is not None:
        report.save(path)


if __name__ == "__main__":
    main()
