"""Taste is code: the whole tree obeys the rules of `taste`, and each rule is shown to bite."""

from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from tests.house import taste
from tests.house.tree import PRODUCT, files, python_files

Rule = Callable[[str, str], list[str]]


def offenders(rule: Rule, among: dict[str, str]) -> list[str]:
    assert among, "no file was looked at"
    return [f"{path}: {finding}" for path, text in among.items() for finding in rule(path, text)]


@pytest.mark.parametrize("rule", [taste.too_long, taste.shapeless_name])
def test_every_python_file_is_short_and_named_after_its_subject(rule: Rule) -> None:
    assert offenders(rule, python_files()) == []


def test_every_module_of_the_product_says_what_it_promises() -> None:
    assert offenders(taste.no_docstring, python_files(*PRODUCT)) == []


def test_only_three_places_read_the_wall_clock_or_the_environment() -> None:
    assert offenders(taste.asks_the_world, python_files(*PRODUCT)) == []


@pytest.mark.parametrize("rule", [taste.unfinished, taste.registry_host, taste.machine_path, taste.neighbour_folder])
def test_no_file_is_unfinished_or_names_a_registry_or_this_machine(rule: Rule) -> None:
    assert offenders(rule, files()) == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {PurePosixPath(path).parent.as_posix() for path in python_files("tests")}
    assert sorted(folder for folder in folders if f"{folder}/__init__.py" not in files()) == []


def test_the_lock_file_pins_every_package_to_one_version() -> None:
    pins = [line for line in files()["requirements.lock"].splitlines() if not line.startswith("#")]
    assert [line for line in pins if "==" not in line.split(";")[0] or "://" in line] == []
    assert len(pins) > 20


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (taste.too_long, "sfa/long.py", "x = 1\n" * 401),
        (taste.shapeless_name, "sfa/crm/utils.py", ""),
        (taste.shapeless_name, "sfa/common/money.py", ""),
        (taste.no_docstring, "sfa/silent.py", ""),
        (taste.no_docstring, "sfa/__init__.py", "x = 1"),
        (taste.asks_the_world, "sfa/db/feed.py", "import datetime as dt\ndt.datetime.now(dt.UTC)"),
        (taste.asks_the_world, "sfa/db/feed.py", "from time import time"),
        (taste.asks_the_world, "sync/push.py", "import os\nos.environ['HOME']"),
        (taste.unfinished, "README.md", "TO" + "DO: more"),
        (taste.registry_host, "requirements.lock", "--index-url https://" + "py" + "pi.org/simple"),
        (taste.machine_path, "docs/cli.md", "open /" + "home/ann/sfa.db"),
        (taste.neighbour_folder, "Makefile", "ls .." + "/shared/data"),
    ],
)
def test_each_rule_bites(rule: Rule, path: str, text: str) -> None:
    assert len(rule(path, text)) == 1


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (taste.too_long, "sfa/long.py", "x = 1\n" * 400),
        (taste.shapeless_name, "sfa/core/currency.py", ""),
        (taste.no_docstring, "sfa/__init__.py", "# empty on purpose\n"),
        (taste.asks_the_world, "sfa/core/clock.py", "import time\ntime.time()"),
        (taste.asks_the_world, "sync/push.py", '"""Never calls time.time()."""\nclock.now()'),
        (taste.unfinished, "docs/tasks.md", "a task is open, done or dropped: TODOS"),
        (taste.machine_path, "docs/api.md", "GET /accounts/home/ and https://host/home/ann/"),
        (taste.neighbour_folder, ".ci/run", "ls .." + "/shared/data"),
    ],
)
def test_no_rule_bites_what_is_in_order(rule: Rule, path: str, text: str) -> None:
    assert rule(path, text) == []
