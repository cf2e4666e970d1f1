"""`sfa simulate`: play seeds of the simulation and say which fail. It needs the source checkout that holds the tests.

A seed plays the same every time: `--seed N --trace` shows what happened, step by step.
"""

import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click

CHECKOUT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--seeds", default=200, show_default=True, type=click.IntRange(1), help="How many seeds to play.")
@click.option("--start", default=0, show_default=True, help="The first of them.")
@click.option("--seed", type=int, help="Play this one only.")
@click.option("--trace", is_flag=True, help="With --seed: say what happened, also where nothing failed.")
@click.option(
    "--database",
    "kind",
    default="sqlite",
    show_default=True,
    metavar="KIND",
    help="sqlite, postgresql (a server of its own), or the URL of an empty PostgreSQL database.",
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
def simulate(seeds: int, start: int, seed: int | None, trace: bool, kind: str, jobs: int) -> None:
    """Play the seeded simulation; exit code 1 where a seed fails."""
    campaign = _simulation("campaign")
    if seed is not None:
        _play_one(seed, kind, trace)
        return
    if "://" in kind and jobs > 1:
        raise click.UsageError("one database is played on by one process: --jobs 1")
    failures: list[tuple[int, str]] = []
    played, began = 0, time.perf_counter()
    for part in campaign.play(kind, range(start, start + seeds), jobs):
        played += len(part.seeds)
        for failure in part.failures:
            failures.append(failure)
            click.echo(failure[1], err=True)
        rate = played / (time.perf_counter() - began)
        click.echo(f"{played} of {seeds} seeds, {played - len(failures)} clean, {rate:.1f} seeds/s")
    if failures:
        click.echo(f"failing seeds: {' '.join(str(number) for number, _ in sorted(failures))}", err=True)
        sys.exit(1)


def _play_one(seed: int, kind: str, trace: bool) -> None:
    run = _simulation("run")
    with _simulation("databases").worlds_of(kind) as worlds:
        try:
            steps = run.run_seed(seed, worlds)
        except run.SeedFailed as failed:
            click.echo("\n".join(failed.trace) if trace else "", err=True)
            click.echo(str(failed), err=True)
            sys.exit(1)
    if trace:
        click.echo("\n".join(steps))
    click.echo(f"seed {seed} is clean")


def _simulation(module: str) -> ModuleType:
    if not (CHECKOUT / "tests" / "simulation").is_dir():
        raise click.UsageError("the simulation is part of the tests: run this from a source checkout")
    if str(CHECKOUT) not in sys.path:
        sys.path.insert(0, str(CHECKOUT))
    return import_module(f"tests.simulation.{module}")
